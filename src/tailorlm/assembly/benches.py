"""A bench from a recipe: the base model, the encoder, the profiler. Knows nothing of training.

Source: design section 3 (another base or encoder is refused with expected and found).
"""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from tailorlm.adapters.lora import LoraSpace
from tailorlm.assembly import hub
from tailorlm.assembly.kept import Profilers
from tailorlm.assembly.profilers import Known, make
from tailorlm.assembly.recipes import BaseSettings, EncoderSettings, ProfileSettings
from tailorlm.assembly.wordings import asked_as
from tailorlm.backbone.fingerprint import fingerprint
from tailorlm.backbone.generate import generate
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.model import Backbone, pick_device
from tailorlm.backbone.prompt import Messages, encode_prompt
from tailorlm.methods.source import Bench, Profiler
from tailorlm.profiles.base_states import BaseStatesEncoder
from tailorlm.profiles.cache import CachedEncoder
from tailorlm.profiles.encode import MINILM, MINILM_PACKAGE, Encoder, SentenceEncoder
from tailorlm.profiles.endpoint import EndpointError, whole
from tailorlm.profiles.profile import Complete


def load_base(settings: BaseSettings) -> Backbone:
    """The model; a folder's id is its absolute path, so that a checkpoint finds it from anywhere.

    ValueError where there is neither such a folder nor such a model, nor such a device.
    """
    check_device(settings.device)
    folder = Path(settings.name).expanduser()
    name = str(folder.resolve()) if folder.is_dir() else settings.name
    if not folder.is_dir() and (settings.name.startswith((".", "/", "~")) or settings.name.count("/") > 1):
        raise ValueError(f"base.name {settings.name}: no such folder")
    try:
        hub.check(name, settings.revision)
    except ValueError as error:
        raise ValueError(f"base.name: {error}") from error
    try:
        return Backbone.load(name, settings.revision, settings.dtype, settings.device, settings.checkpointing)
    except OSError as error:
        raise ValueError(f"base.name {settings.name}: {str(error).strip().splitlines()[0]}") from error


def check_device(name: str) -> None:
    """ValueError for a device that torch does not know, or a GPU that is not there."""
    try:
        device = pick_device(name)
    except RuntimeError:
        raise ValueError(f"device {name!a}: expected auto, cpu, cuda or cuda:1 ...") from None
    there = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= there:
        raise ValueError(f"device {name}: torch finds {there} CUDA devices here; `tailor doctor` says what there is")


def make_encoder(settings: EncoderSettings, backbone: Backbone) -> Encoder:
    """The encoder of the settings. ValueError where no such model can be loaded."""
    try:
        if settings.kind == "sentence" and not packaged(settings.name):
            hub.check(_with_owner(settings.name))
    except ValueError as error:
        raise ValueError(f"encoder.name: {error}") from error
    try:
        encoder: Encoder = _encoder(settings, backbone)
    except OSError as error:
        raise ValueError(f"encoder.name {settings.name}: {str(error).strip().splitlines()[0]}") from error
    return CachedEncoder(encoder, settings.cache) if settings.cache else encoder


def packaged(name: str) -> bool:
    """Whether an installed package carries this encoder."""
    return name == MINILM and find_spec(MINILM_PACKAGE) is not None


def _with_owner(name: str) -> str:
    """As sentence-transformers reads it: a bare name is one of its own models, unless there is such a folder."""
    return name if "/" in name or Path(name).exists() else f"sentence-transformers/{name}"


def _encoder(settings: EncoderSettings, backbone: Backbone) -> Any:
    if settings.kind == "sentence":
        return SentenceEncoder(
            settings.name, str(backbone.device), on_long=settings.on_long, instruction=settings.instruction
        )
    return BaseStatesEncoder.of_model(
        backbone.model, backbone.tokenizer, f"base:{fingerprint(backbone)}",
        pooling=settings.pooling, on_long=settings.on_long, instruction=settings.instruction,
    )  # fmt: skip


def truncated(encoder: Encoder | None) -> int:
    """How many texts the encoder has cut so far."""
    inner = encoder.encoder if isinstance(encoder, CachedEncoder) else encoder
    return int(getattr(inner, "truncated", 0))


def completions(backbone: Backbone, max_new_tokens: int) -> Complete:
    """The base model, without adapters, as a writer of summaries; BatchError where requests are too long for it."""
    # An injector wants some space; without adapters it does nothing.
    injector = Injector(backbone.model, LoraSpace(backbone.sites(backbone.linear_names()[:1]), 1))

    def complete(prompts: Sequence[str]) -> list[str]:
        turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
        refused = [_too_long(backbone, turn, place, max_new_tokens) for place, turn in enumerate(turns)]
        fit = [turn for turn, error in zip(turns, refused, strict=True) if error is None]
        made = iter(generate(backbone, injector, fit, None, [-1] * len(fit), max_new_tokens) if fit else ())
        return whole([next(made) if error is None else error for error in refused])

    return complete


def _too_long(backbone: Backbone, turn: Messages, place: int, max_new_tokens: int) -> EndpointError | None:
    """Why a request cannot be sent to the base; None where it can."""
    room = backbone.max_tokens - max_new_tokens
    count = len(encode_prompt(backbone.tokenizer, turn, sys.maxsize))
    if count <= room:
        return None
    return EndpointError(
        place,
        f"the request for it takes {count} tokens, and the base reads {backbone.max_tokens} less "
        f"profile.max_new_tokens ({max_new_tokens}), which leaves {room}: set profile.template.items or "
        "profile.template.item_chars lower",
    )


def make_profilers(settings: ProfileSettings, known: Known, backbone: Backbone) -> Profilers:
    """The profiler of the settings, with the base model as the writer where it is one."""
    asks_base = settings.written and settings.endpoint is None
    complete = completions(backbone, settings.max_new_tokens) if asks_base else None
    return make(settings, known, complete, backbone.id)


def make_bench(
    backbone: Backbone, profile: Profiler, encoder: Encoder | None, max_tokens: int, template: str = "official"
) -> Bench:
    """The bench of all methods, asked in the words of `template`; rows are at most as long as the model's positions."""
    return Bench(backbone, asked_as(template), profile, encoder, min(max_tokens, backbone.max_tokens))
