"""What a hypernetwork was trained for (`Meta`), and its `config.json`, checked field by field.

Knows JSON, sites and the network's settings; reads no weights. A config is untrusted: every field's type and
size is checked before anything is built from it. Source: design section 3; P2P section 3.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tailorlm.adapters.sites import Site
from tailorlm.adapters.space import AdapterSpace
from tailorlm.hypernet import kinds
from tailorlm.hypernet.kinds import Network
from tailorlm.hypernet.spaces import LARGEST, parse_space, sized, space_fields, take

FORMAT, VERSION = "tailorlm-hypernet", 2


class BadCheckpoint(ValueError):
    """A checkpoint that cannot be read, or that was made for something else."""


@dataclass(frozen=True)
class Meta:
    """What a hypernetwork belongs to.

    base_id, base_revision        the language model its adapters fit; None: revision not known
    encoder_id, encoder_size      the encoder of profile statements, and E
    template                      version of the profile wordings
    facets                        names of the K slots in order; empty unless the pool is "facets"
    space, scaling                the adapters' kind, places and sizes, and the scale folded into what is generated
    recipe                        the resolved recipe, JSON
    """

    base_id: str
    base_revision: str | None
    encoder_id: str
    encoder_size: int
    template: str
    facets: tuple[str, ...]
    space: AdapterSpace
    scaling: float
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where the adapters change layers; none for virtual tokens."""
        return self.space.sites

    @property
    def rank(self) -> int:
        """The rank of LoRA; ValueError for another kind."""
        if not isinstance(rank := getattr(self.space, "rank", None), int):
            raise ValueError(f"{self.space.kind} has no rank")
        return rank

    @classmethod
    def of(
        cls, hypernet: Network, *, base_id: str, base_revision: str | None, encoder_id: str, template: str,
        facets: tuple[str, ...] = (), recipe: Mapping[str, Any] | None = None,
    ) -> "Meta":  # fmt: skip
        """The meta of this network: space, scaling and E are its own."""
        return cls(
            base_id, base_revision, encoder_id, hypernet.settings["encoder_size"], template, tuple(facets),
            hypernet.space, hypernet.scaling, dict(recipe or {}),
        )  # fmt: skip


def write_config(meta: Meta, settings: Mapping[str, Any], save_id: str) -> str:
    """The text of config.json. ValueError if the recipe is not JSON."""
    config = {
        "format": FORMAT,
        "version": VERSION,
        "save_id": save_id,
        "base": {"id": meta.base_id, "revision": meta.base_revision},
        "encoder": {"id": meta.encoder_id, "size": meta.encoder_size},
        "template": meta.template,
        "facets": list(meta.facets),
        "adapter": {"kind": meta.space.kind, **space_fields(meta.space)},
        "network": dict(settings),
        "recipe": dict(meta.recipe),
    }
    try:
        text = json.dumps(config, indent=1, ensure_ascii=False, allow_nan=False)
    except TypeError as error:
        raise BadCheckpoint(f"recipe cannot be written as JSON: {error}") from None
    read_config(text, "config.json to be written")
    return text


def read_config(text: str, where: str) -> tuple[Meta, dict[str, Any], str]:
    """(meta, the network's settings, save id) of a config; BadCheckpoint names `where` and the field."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadCheckpoint(f"{where} is not JSON: {type(error).__name__}") from None
    try:
        return parse(config)
    except ValueError as error:
        raise BadCheckpoint(f"{where}: {error}") from None


def parse(config: Any) -> tuple[Meta, dict[str, Any], str]:
    """As `read_config`, from the parsed JSON; raises ValueError."""
    form = take(config, "format", str), take(config, "version", int)
    if form != (FORMAT, VERSION):
        raise ValueError(f"expected format and version {(FORMAT, VERSION)}, found {form}")
    base, encoder, adapter = (take(config, name, dict) for name in ("base", "encoder", "adapter"))
    settings = parse_settings(take(config, "network", dict))
    facets = tuple(take({"facets": name}, "facets", str) for name in take(config, "facets", list))
    revision = None if base.get("revision") is None else take(base, "revision", str)
    meta = Meta(
        take(base, "id", str), revision, take(encoder, "id", str), sized(encoder, "size", "encoder_size"),
        take(config, "template", str), facets, parse_space(adapter), float(settings["scaling"]),
        take(config, "recipe", dict),
    )  # fmt: skip
    agree(meta, settings)
    return meta, settings, take(config, "save_id", str)


def parse_settings(network: dict[str, Any]) -> dict[str, Any]:
    """The network's settings, complete, of the right types and not absurdly large."""
    names = kinds.names(network)
    if set(network) != names:
        odd, missing = sorted(set(network) - names), sorted(names - set(network))
        raise ValueError(f"network has unknown settings {odd} and lacks {missing}")
    kinds.check(network)
    for name in names & set(LARGEST):
        sized(network, name)
    return dict(network)


def agree(meta: Meta, settings: Mapping[str, Any]) -> None:
    """Raises ValueError where the meta and the network's settings contradict each other."""
    kinds.check_space(meta.space, settings)
    if meta.encoder_size != settings["encoder_size"]:
        raise ValueError(f"encoder.size {meta.encoder_size} is not the network's {settings['encoder_size']}")
    slots = settings["slots"] if settings["pool"] == "facets" else 0
    if len(meta.facets) != slots or len(set(meta.facets)) != slots:
        pool, count = settings["pool"], len(meta.facets)
        raise ValueError(f"expected {slots} different facets for pool {pool!r}, found {count}")
