"""A trained hypernetwork with all that using it takes, in its checkpoint's meta, and back.

`Use` is the part that profiles and prompts need at use: how histories are put into words, norms, the encoder, the
base's fingerprint. A checkpoint is untrusted: every field is checked, and no address or path in it is followed for
users' text. Source: design section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from tailorlm import recipe as toml
from tailorlm.adapters.sites import Site
from tailorlm.assembly import hub
from tailorlm.assembly.profilers import Known
from tailorlm.assembly.recipes import EncoderSettings, ProfileSettings, TaskSettings, plain
from tailorlm.backbone.fingerprint import fingerprint
from tailorlm.backbone.model import Backbone
from tailorlm.hypernet.checkpoint import from_pretrained, save_pretrained
from tailorlm.hypernet.config import BadCheckpoint, Meta
from tailorlm.hypernet.kinds import Network
from tailorlm.methods import p2p, p2p_inputs
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.peft import PeftSettings
from tailorlm.methods.source import Bench
from tailorlm.profiles.norms import Norms


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a checkpoint's meta says under "use"; every field has a default, so that other people's meta serves.

    `scope`: an adapter a user ("all") or one a user and task, of `tasks`. `source`, `k`: what the network is told.
    `kind`, `options`: of adapters other than LoRA.
    `template`: the words in which tasks are asked. `fingerprint`: of the base; "" unknown.
    """

    scope: Literal["all", "task"] = "all"
    source: p2p_inputs.Told = "profile+items"
    k: int = 0
    kind: str = "lora"
    options: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    template: str = "official"
    fingerprint: str = ""
    max_tokens: int = 1024
    profile: ProfileSettings = field(default_factory=ProfileSettings)
    encoder: EncoderSettings | None = None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    norms: Mapping[str, Norms] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """ValueError where source and k do not go together, and for an unknown template."""
        p2p_inputs.check(self.source, self.k)
        TaskSettings(template=self.template)
        PeftSettings(kind=self.kind, options=self.options)

    @property
    def known(self) -> Known:
        """What the profiler learned in training."""
        return Known(self.labels, self.norms)


def use_of(
    bench: Bench, source: p2p.Source, profile: ProfileSettings, encoder: EncoderSettings, known: Known,
    tasks: tuple[str, ...] = (),
) -> Use:  # fmt: skip
    """What to save of a bench and its trained source. Addresses and cache folders are this machine's: left out."""
    return Use(
        scope=source.settings.cuts.scope, source=source.settings.source, k=source.settings.k, tasks=tasks,
        kind=source.settings.kind, options=source.settings.options,
        fingerprint=fingerprint(bench.backbone),
        max_tokens=bench.max_tokens, profile=replace(profile, endpoint=None), encoder=replace(encoder, cache=""),
        labels=known.labels, norms=known.norms,
    )  # fmt: skip


def meta_of(bench: Bench, source: p2p.Source, template: str, use: Use, recipe: Mapping[str, Any]) -> Meta:
    """The meta of a trained source. RuntimeError before it is trained."""
    if source.hypernet is None or bench.encoder is None:
        raise RuntimeError("there is no trained network to save: call prepare first")
    return Meta.of(
        source.hypernet, base_id=bench.backbone.id, base_revision=bench.backbone.revision,
        encoder_id=bench.encoder.id, template=template, facets=source.facets,
        recipe={"use": plain(use), **recipe},
    )  # fmt: skip


def save(directory: Path, source: p2p.Source, meta: Meta) -> None:
    """The checkpoint, both files whole or not at all."""
    assert source.hypernet is not None
    save_pretrained(directory, source.hypernet, meta)


def fetch(source: str | Path, revision: str | None, token: str | None) -> tuple[Network, Meta]:
    """The network and its meta from a folder or the hub. BadCheckpoint where it is in neither."""
    try:
        hub.check(str(source), revision, token)
    except ValueError as error:
        raise BadCheckpoint(str(error)) from error
    try:
        return from_pretrained(source, revision, token)
    except OSError as error:
        if Path(source).exists():
            raise
        kind = type(error).__name__
        raise BadCheckpoint(f"{source} is no folder here, and the hub did not give it ({kind})") from error


def read_use(meta: Meta) -> Use:
    """The "use" table of a meta; BadCheckpoint names the field that is not right."""
    found = meta.recipe.get("use", {})
    try:
        use = toml.settings(Use, found if isinstance(found, Mapping) else {"use": found}, "recipe.use")
    except ValueError as error:
        raise BadCheckpoint(f"config.json: {error}") from None
    return use


def encoder_settings(meta: Meta, use: Use) -> EncoderSettings:
    """The encoder by the meta's id, where the "use" table does not say."""
    return use.encoder or EncoderSettings(name=meta.encoder_id.rpartition("@")[0] or meta.encoder_id)


def check_base(meta: Meta, use: Use, backbone: Backbone) -> None:
    """BadCheckpoint, with expected and found, unless the loaded model is the one that the checkpoint was made for.

    Where it lies does not matter: its weights do. In float16 numbers are rounded otherwise, and only sites are
    compared.
    """
    try:
        sites = backbone.sites(sorted({site.module for site in meta.sites})) if meta.sites else ()
    except ValueError as error:
        raise BadCheckpoint(f"this checkpoint was made for {meta.base_id}; {error}") from None
    if tuple(sites) != tuple(meta.sites):
        raise BadCheckpoint(
            f"this checkpoint was made for {meta.base_id}, and {backbone.id} is another model: "
            f"expected {places(meta.sites)}, found {places(sites)}"
        )
    found = fingerprint(backbone) if use.fingerprint and backbone.dtype != torch.float16 else use.fingerprint
    if found != use.fingerprint:
        raise BadCheckpoint(
            f"this checkpoint was made for {meta.base_id} with weights of fingerprint {use.fingerprint}; "
            f"{backbone.id} has {found}"
        )


def places(sites: Sequence[Site]) -> str:
    """Where adapters sit, in short."""
    first = sites[0]
    return f"{len(sites)} places for adapters, the first {first.path} ({first.d_in} inputs, {first.d_out} outputs)"


def restore(bench: Bench, hypernet: Network, meta: Meta, use: Use) -> p2p.Source:
    """The method with the trained network in it. BadCheckpoint where the base has other places for its adapters."""
    lora = LoraSettings() if use.kind != "lora" else LoraSettings(
        targets=tuple(sorted({site.module for site in meta.sites})), rank=meta.rank,
        alpha=meta.scaling * meta.rank, rslora=False,
    )  # fmt: skip
    net = p2p.NetSettings(pool=hypernet.settings["pool"], head=hypernet.settings["head"])
    settings = p2p.Settings(
        lora=lora, kind=use.kind, options=use.options, net=net, cuts=p2p.CutSettings(scope=use.scope),
        source=use.source, k=use.k,
    )  # fmt: skip
    source = p2p.Source(bench, settings)
    if source.space != hypernet.space:
        made, found = hypernet.space.shapes(), source.space.shapes()
        raise BadCheckpoint(f"this checkpoint makes adapters of {made}; {bench.backbone.id} takes {found}")
    source.restore(hypernet, meta.facets)
    return source
