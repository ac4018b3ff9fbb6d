"""What adapters a source makes, as far as settings tell: known before a model is loaded or anything is trained.

A method's file says it in `form(settings, start)`, and so which starts it takes: `start` is the form of what its
adapters begin at, None for the base; ValueError where the two do not go together, with what would. Knows nothing of
methods, recipes or tensors. Source: design section 2 (adapter = "prisp", anchor = "p2p").
"""

from dataclasses import dataclass
from math import isclose
from typing import Literal

from tailorlm.methods.lora import LoraSettings

OfUser = Literal["history", "profile"]
NOTHING: frozenset[OfUser] = frozenset()
HISTORY: frozenset[OfUser] = frozenset({"history"})
BOTH: frozenset[OfUser] = frozenset({"history", "profile"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """`kind` of adapter ("none": no adapters), of LoRA its `targets` and `rank`.

    `scaling`: of LoRA what it is trained with; None where it is joined of several, each with its own.
    `each`: who has one of its own. `reads`: what of a user is read when the user is enrolled. `vectors`: whether its
    adapters are made of vectors, of which there is a mean (`enrol_mean`).
    """

    kind: str
    targets: frozenset[str] = frozenset()
    rank: int = 0
    each: Literal["everybody", "task", "user", "query"] = "user"
    reads: frozenset[OfUser] = NOTHING
    vectors: bool = False
    scaling: float | None = None

    def __str__(self) -> str:
        if self.kind != "lora":
            return f"adapters of kind {self.kind}"
        return f"LoRA of rank {self.rank} on {', '.join(sorted(self.targets))}"


def lora(settings: LoraSettings) -> tuple[frozenset[str], int]:
    """Targets and rank."""
    return frozenset(settings.targets), settings.rank


def no_start(start: Form | None) -> None:
    """ValueError for a start."""
    if start is not None:
        raise ValueError('it begins at the base and takes no other source\'s adapters: leave start out, or "base"')


def one_start(start: Form) -> None:
    """ValueError for a start with an adapter of each user's own. Of one a task there is one where one task is asked."""
    if start.each not in ("everybody", "task"):
        raise ValueError(
            f"it begins at one adapter for everybody, and its start has one for each {start.each}: expected one such "
            "as mt_lora"
        )


def same_start(start: Form, own: LoraSettings, name: str = "lora") -> None:
    """ValueError for a start of another form than the LoRA that the settings call `name`."""
    targets, rank = lora(own)
    if start.kind != "lora":
        raise ValueError(f"it begins at {start}, and its own adapters are LoRA: expected a start with LoRA")
    if (start.targets, start.rank) != (targets, rank):
        raise ValueError(
            f"{name} has targets {list(own.targets)} and rank {rank}, and the start is {start}: expected {name} = "
            f"{{targets = {sorted(start.targets)}, rank = {start.rank}}}, or such a start"
        )


def same_scale(start: Form, own: LoraSettings, name: str = "lora") -> None:
    """ValueError for a start that was trained with another scale than that of the settings: a rate would mean less, or
    more. A start without a scale of its own fits any.
    """
    if start.scaling is None or isclose(start.scaling, own.scaling, rel_tol=1e-6):
        return
    said, valid = f"{name} = {{rank = {own.rank}, alpha = {own.alpha:g}, rslora = ", own.alpha / own.scaling
    raise ValueError(
        f"{said}{str(own.rslora).lower()}}} has the scale {own.scaling:g}, and the start was trained with "
        f"{start.scaling:g}: expected alpha = {start.scaling * valid:g} with this rslora, or such a start"
    )


def at_start(start: Form | None, own: LoraSettings) -> None:
    """ValueError for a start that is not one LoRA for everybody of the same form; None is none."""
    if start is not None:
        one_start(start)
        same_start(start, own)


def over_start(start: Form | None, own: LoraSettings, name: str) -> Form:
    """A LoRA that stands on one LoRA for everybody at the same places, or on the base, as one of both ranks.

    ValueError for another start.
    """
    targets, rank = lora(own)
    if start is None:
        return Form(kind="lora", targets=targets, rank=rank, scaling=own.scaling)
    one_start(start)
    if start.kind != "lora" or start.targets != targets:
        raise ValueError(
            f"{name} has targets {list(own.targets)}, and the start is {start}: expected one LoRA on "
            f"{', '.join(sorted(targets))}, of any rank, or other targets"
        )
    return Form(kind="lora", targets=targets, rank=start.rank + rank)
