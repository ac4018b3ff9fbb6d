"""What a hypernetwork was trained for (`Meta`), and its `config.json`, checked field by field.

Knows JSON, sites and the network's settings; reads no weights. A config is untrusted: every field's type and
size is checked before anything is built from it. Source: design section 3; P2P section 3.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.hypernet import kinds
from tailorlm.hypernet.kinds import Network

FORMAT, VERSION = "tailorlm-hypernet", 1
LARGEST = {
    "encoder_size": 1 << 16, "slots": 1 << 13, "latent": 1 << 14, "head_in": 1 << 16,
    "components": 1 << 12, "queries": 1 << 10, "rank": 1 << 10, "layer": 1 << 12, "d_in": 1 << 20,
    "d_out": 1 << 20,
}  # fmt: skip
MOST_SITES, LONGEST_NAME = 1 << 14, 512
PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


class BadCheckpoint(ValueError):
    """A checkpoint that cannot be read, or that was made for something else."""


@dataclass(frozen=True)
class Meta:
    """What a hypernetwork belongs to.

    base_id, base_revision        the language model its adapters fit; None: revision not known
    encoder_id, encoder_size      the encoder of profile statements, and E
    template                      version of the profile wordings
    facets                        names of the K slots in order; empty unless the pool is "facets"
    sites, rank, scaling          the adapters' places, rank, and the scale folded into B
    recipe                        the resolved recipe, JSON
    """

    base_id: str
    base_revision: str | None
    encoder_id: str
    encoder_size: int
    template: str
    facets: tuple[str, ...]
    sites: tuple[Site, ...]
    rank: int
    scaling: float
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, hypernet: Network, *, base_id: str, base_revision: str | None, encoder_id: str, template: str,
        facets: tuple[str, ...] = (), recipe: Mapping[str, Any] | None = None,
    ) -> "Meta":  # fmt: skip
        """The meta of this network: sites, rank, scaling and E are its own."""
        return cls(
            base_id, base_revision, encoder_id, hypernet.settings["encoder_size"], template, tuple(facets),
            hypernet.space.sites, hypernet.space.rank, hypernet.scaling, dict(recipe or {}),
        )  # fmt: skip


def write_config(meta: Meta, settings: Mapping[str, Any], save_id: str) -> str:
    """The text of config.json. ValueError if the recipe is not JSON."""
    sites = [[s.path, s.module, s.layer, s.d_in, s.d_out] for s in meta.sites]
    config = {
        "format": FORMAT,
        "version": VERSION,
        "save_id": save_id,
        "base": {"id": meta.base_id, "revision": meta.base_revision},
        "encoder": {"id": meta.encoder_id, "size": meta.encoder_size},
        "template": meta.template,
        "facets": list(meta.facets),
        "adapter": {"kind": "lora", "rank": meta.rank, "sites": sites},
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
    if take(adapter, "kind", str) != "lora":
        raise ValueError(f"adapter.kind is {adapter['kind']!r}; expected 'lora'")
    space = LoraSpace(parse_sites(take(adapter, "sites", list)), sized(adapter, "rank"))
    facets = tuple(take({"facets": name}, "facets", str) for name in take(config, "facets", list))
    revision = None if base.get("revision") is None else take(base, "revision", str)
    meta = Meta(
        take(base, "id", str), revision, take(encoder, "id", str), sized(encoder, "size", "encoder_size"),
        take(config, "template", str), facets, space.sites, space.rank, float(settings["scaling"]),
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


def parse_sites(rows: list[Any]) -> tuple[Site, ...]:
    """Sites from [path, module, layer, d_in, d_out] rows."""
    if not 0 < len(rows) <= MOST_SITES:
        raise ValueError(f"adapter.sites has {len(rows)} rows; expected 1 to {MOST_SITES}")
    return tuple(parse_site(row, number) for number, row in enumerate(rows))


def parse_site(row: Any, number: int) -> Site:
    """One site; the module is the last part of the path, which is a dotted name."""
    if not isinstance(row, list) or len(row) != 5:
        raise ValueError(f"adapter.sites[{number}] must be [path, module, layer, d_in, d_out]")
    named = dict(zip(("path", "module", "layer", "d_in", "d_out"), row, strict=True))
    path, module = take(named, "path", str), take(named, "module", str)
    if not PATH.fullmatch(path) or path.rpartition(".")[2] != module:
        raise ValueError(f"adapter.sites[{number}]: path must be a dotted name that ends in its module")
    return Site(path, module, sized(named, "layer"), sized(named, "d_in"), sized(named, "d_out"))


def agree(meta: Meta, settings: Mapping[str, Any]) -> None:
    """Raises ValueError where the meta and the network's settings contradict each other."""
    if meta.encoder_size != settings["encoder_size"]:
        raise ValueError(f"encoder.size {meta.encoder_size} is not the network's {settings['encoder_size']}")
    slots = settings["slots"] if settings["pool"] == "facets" else 0
    if len(meta.facets) != slots or len(set(meta.facets)) != slots:
        pool, count = settings["pool"], len(meta.facets)
        raise ValueError(f"expected {slots} different facets for pool {pool!r}, found {count}")


def take(mapping: Any, name: str, kind: type) -> Any:
    """mapping[name] if it is exactly of that JSON type (a bool is no int) and no giant name."""
    if not isinstance(mapping, dict) or name not in mapping:
        raise ValueError(f"field {name!r} is missing")
    value = mapping[name]
    if type(value) is not kind:
        raise ValueError(f"field {name!r} must be {kind.__name__}, is {type(value).__name__}")
    if isinstance(value, str) and len(value) > LONGEST_NAME:
        raise ValueError(f"field {name!r} has {len(value)} characters; at most {LONGEST_NAME}")
    return value


def sized(mapping: dict[str, Any], name: str, limit: str | None = None) -> int:
    """A whole number within this format's limits; only a layer may be 0."""
    value, largest = int(take(mapping, name, int)), LARGEST[limit or name]
    if not (0 if name == "layer" else 1) <= value <= largest:
        raise ValueError(f"field {name!r} is {value}; expected at most {largest} and at least 1 (a layer: 0)")
    return value
