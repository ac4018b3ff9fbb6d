"""Two adapters at once: one next to the base (a task LoRA that all share, frozen) and one over it (a user's own).

The upper one sees the lower one's layers as if they were the base's. A user may be without an upper one, and then has
the lower one alone. Knows nothing of models, nor of which two kinds it holds; only LoRA over LoRA at the same sites has
a simpler form, one LoRA of both ranks. Source: reference section 3 (OPPU trains a user's PEFT on a base that a task
LoRA has been merged into).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace, joined
from tailorlm.adapters.sites import Site, sort_sites
from tailorlm.adapters.space import AdapterSpace, Change, Plain, Virtual

UNDER, OVER = "under/", "over/"
PRESENT = "present"
"""1 for a user with an upper adapter, 0 for one whose numbers in it mean nothing: (U,)."""
T = TypeVar("T")


@dataclass(frozen=True)
class Stack:
    """`over` on `under`. ValueError where both have virtual tokens."""

    under: AdapterSpace
    over: AdapterSpace

    def __post_init__(self) -> None:
        if self.under.virtual_tokens and self.over.virtual_tokens:
            raise ValueError(f"{self.under.kind} and {self.over.kind} both have virtual tokens; one of the two can")
        _ = self.sites

    @property
    def kind(self) -> str:
        return "stack"

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The sites of both."""
        both = tuple(dict.fromkeys((*self.under.sites, *self.over.sites)))
        return sort_sites(both) if both else ()

    @property
    def virtual_tokens(self) -> int:
        return self.under.virtual_tokens + self.over.virtual_tokens

    @property
    def neutral_start(self) -> bool:
        return self.under.neutral_start and self.over.neutral_start

    @property
    def engines(self) -> frozenset[str]:
        return frozenset()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Those of both, `under/` and `over/` before the names, and whether the upper one is there."""
        return {**_named(self.under.shapes(), self.over.shapes()), PRESENT: ()}

    def start(self, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Both fresh."""
        return {**_named(self.under.start(generator), self.over.start(generator)), PRESENT: torch.ones(())}

    def scaled(self, tensors: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
        """Both of that strength: at 0 it is the base model without the lower one, too."""
        under, over = self.parts(tensors)
        scaled = _named(self.under.scaled(under, strength), self.over.scaled(over, strength))
        return {**scaled, PRESENT: tensors[PRESENT]}

    def parts(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The tensors of the lower and of the upper one, by their own names."""
        under, over = (
            {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            for prefix in (UNDER, OVER)
        )
        return under, over

    def bind(
        self,
        tensors: Mapping[str, Tensor],
        index: Tensor,
        inputs: Sequence[Sequence[Site]],
        dtype: torch.dtype,
        dropout: float,
    ) -> dict[str, Change]:
        """Where both change a layer, the upper one changes what the lower one made of it."""
        under, over = self.parts(tensors)
        below = self.under.bind(under, index, _of(self.under, inputs), dtype, dropout)
        above = self.over.bind(over, _upper(tensors, index), _of(self.over, inputs), dtype, dropout)
        both = {path: _Both(below[path], above[path]) for path in below.keys() & above.keys()}
        return {**below, **above, **both}

    def virtual(self, tensors: Mapping[str, Tensor], index: Tensor, dtype: torch.dtype) -> Virtual | None:
        """Those of the one that has any."""
        under, over = self.parts(tensors)
        return self.under.virtual(under, index, dtype) or self.over.virtual(over, _upper(tensors, index), dtype)

    def file_config(self) -> dict[str, Any]:
        """ValueError: PEFT has no such form."""
        self._refuse()

    def file_shapes(self) -> dict[str, tuple[int, ...]]:
        """ValueError: PEFT has no such form."""
        self._refuse()

    def to_file(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """ValueError: PEFT has no such form."""
        self._refuse()

    def of_file(self, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """ValueError: PEFT has no such form."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        under, over = self.under.kind, self.over.kind
        raise ValueError(
            f"PEFT has no form for {over} over {under}: merge the {under} into the base model, save that model, and "
            f"export the {over} alone (`Stack.parts`) with it as its base"
        )


def stack(under: AdapterSpace, over: AdapterSpace) -> AdapterSpace:
    """The space of both: one LoRA of both ranks where both are LoRA at the same sites, else a `Stack`."""
    if isinstance(under, LoraSpace) and isinstance(over, LoraSpace) and under.sites == over.sites:
        return LoraSpace(under.sites, under.rank + over.rank)
    return Stack(under, over)


def stacked(under: Adapters, over: Adapters) -> Adapters:
    """Adapters of `stack(under.space, over.space)`, user by user; either side may be one for all (U = 1).

    Nothing is copied for the one that all share. ValueError on other numbers of users.
    """
    space = stack(under.space, over.space)
    if not isinstance(space, Stack):
        return joined(under, over)
    users = max(len(under), len(over))
    if {len(under), len(over)} - {1, users}:
        raise ValueError(f"{len(under)} and {len(over)} adapters cannot be paired")
    tensors = _named(under.tensors, over.tensors)
    there = torch.ones(users, device=next(iter(over.tensors.values())).device)
    return Adapters(space, {**{name: t.expand(users, *t.shape[1:]) for name, t in tensors.items()}, PRESENT: there})


def without_upper(both: Adapters, users: Sequence[int]) -> Adapters:
    """The users at these places with the lower adapter alone. ValueError for adapters that are no `Stack`."""
    if not isinstance(both.space, Stack):
        raise ValueError(f"{both.space.kind} is one adapter: there is no upper one to leave out")
    there = both.tensors[PRESENT].clone()
    there[list(users)] = 0.0
    return Adapters(both.space, {**both.tensors, PRESENT: there})


@dataclass(frozen=True, slots=True, eq=False)
class _Both:
    under: Change
    over: Change

    def __call__(self, x: Tensor, plain: Plain) -> Tensor:
        return self.over(x, lambda read: self.under(read, plain))


def _named(under: Mapping[str, T], over: Mapping[str, T]) -> dict[str, T]:
    lower = {UNDER + name: value for name, value in under.items()}
    return lower | {OVER + name: value for name, value in over.items()}


def _upper(tensors: Mapping[str, Tensor], index: Tensor) -> Tensor:
    """The rows' (N,) upper adapters: -1, too, for users without one."""
    there = tensors[PRESENT]
    index = index.to(there.device)
    return index.masked_fill(there[index.clamp_min(0)] == 0, -1)


def _of(space: AdapterSpace, inputs: Sequence[Sequence[Site]]) -> list[list[Site]]:
    """The groups of sites that read one input, of this space only."""
    own = set(space.sites)
    groups = [[site for site in group if site in own] for group in inputs]
    return [group for group in groups if group]
