"""Adapters of many users as one batch: each tensor has a leading user axis U.

Knows nothing of what the tensors mean (the space does). Source: design section 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.space import AdapterSpace

STRONGEST = 1.5


class BadAdapters(ValueError):
    """Adapters that must not be used or leave the process: wrong names or shapes, NaN or Inf."""


@dataclass(frozen=True, eq=False)
class Adapters:
    """U adapters of one space; `tensors[name]` is (U, *space.shapes()[name]), else BadAdapters is raised."""

    space: AdapterSpace
    tensors: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        check_shapes(self.space.shapes(), self.tensors)

    def __len__(self) -> int:
        return next(iter(self.tensors.values())).shape[0]

    def __getitem__(self, which: int | slice | Tensor) -> "Adapters":
        """The chosen adapters; the user axis stays, also for an int. Raises IndexError beyond the last."""
        if isinstance(which, int):
            which = torch.tensor([range(len(self))[which]])
        if isinstance(which, Tensor):
            return self._each({name: t[which.to(t.device)] for name, t in self.tensors.items()})
        return self._each({name: t[which] for name, t in self.tensors.items()})

    def to(self, *args: Any, **kwargs: Any) -> "Adapters":
        """As `Tensor.to`: another device or dtype."""
        return self._each({name: t.to(*args, **kwargs) for name, t in self.tensors.items()})

    def detach(self) -> "Adapters":
        """The same values without their gradient history."""
        return self._each({name: t.detach() for name, t in self.tensors.items()})

    def scaled(self, strength: float) -> "Adapters":
        """Adapters of `strength` times the effect, 0 (the base model) to 1.5. Raises ValueError outside."""
        if not 0.0 <= strength <= STRONGEST:
            raise ValueError(f"strength {strength} is outside 0 to {STRONGEST}")
        return self._each(self.space.scaled(self.tensors, strength))

    def check(self, which: Tensor | None = None) -> None:
        """Raises BadAdapters if a value is NaN or Inf, naming the tensor and the first such adapter.

        `which` (long): the positions to check, all if None.
        """
        places = torch.arange(len(self)) if which is None else which
        picked = self if len(places) == len(self) else self[places]
        for name, tensor in picked.detach().tensors.items():
            if not _finite(tensor):
                first = _first_bad(tensor)
                adapter = first if picked is self else int(places[first])
                raise BadAdapters(f"tensor {name} of adapter {adapter} holds NaN or Inf")

    @staticmethod
    def cat(parts: Sequence["Adapters"]) -> "Adapters":
        """All adapters of `parts` in order. Raises ValueError if their spaces differ or there are none."""
        if not parts:
            raise ValueError("no adapters to put together")
        for part in parts[1:]:
            if part.space != parts[0].space:
                raise ValueError(f"adapters of two spaces: {parts[0].space} and {part.space}")
        names = parts[0].tensors
        return parts[0]._each({name: torch.cat([p.tensors[name] for p in parts]) for name in names})

    def _each(self, tensors: dict[str, Tensor]) -> "Adapters":
        return replace(self, tensors=tensors)


def check_shapes(shapes: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor]) -> None:
    """Raises BadAdapters unless `tensors` has exactly the names of `shapes`, each (U, *shape) with one U."""
    if set(shapes) != set(tensors):
        raise BadAdapters(f"adapters need the tensors {sorted(shapes)}, got {sorted(tensors)}")
    users = next(iter(tensors.values())).shape[:1]
    for name, shape in shapes.items():
        if tensors[name].shape != (*users, *shape):
            wanted = ", ".join(map(str, (*(users or ("U",)), *shape)))
            raise BadAdapters(f"tensor {name} must be ({wanted}), is {tuple(tensors[name].shape)}")


def _finite(tensor: Tensor) -> bool:
    # A sum is finite only if every term is: one pass, no temporary of the tensor's size.
    return bool(torch.isfinite(tensor.sum(dtype=torch.float32)))


def _first_bad(tensor: Tensor) -> int:
    bad = ~torch.isfinite(tensor).flatten(1).all(1)
    return int(bad.float().argmax())
