"""What is kept of users whose parameters were trained on their own items: enough to go on when new items come.

Kept: the raw parameters, what stayed frozen beside them, and which items there were. Not kept: the optimiser's moments;
new items are a training of their own, with its own steps and schedule, that begins at the parameters. Knows nothing of
what the parameters are. Source: design section 2 (State = Tuned(parameters)); issue 3 (continual use).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.training import checkpoints


@dataclass(frozen=True, eq=False)
class Tuned:
    """U owners: `params` and `fixed` are (U, ...) by name, `seen[u]` the keys of all items that owner u had,
    trained on or not.

    ValueError where the numbers of owners differ.
    """

    params: Mapping[str, Tensor]
    fixed: Mapping[str, Tensor]
    seen: tuple[frozenset[str], ...]

    def __post_init__(self) -> None:
        sizes = {name: len(tensor) for name, tensor in (*self.params.items(), *self.fixed.items())}
        if set(sizes.values()) != {len(self.seen)}:
            raise ValueError(f"{len(self.seen)} owners have tensors of {sizes} owners")

    def __len__(self) -> int:
        return len(self.seen)

    def __getitem__(self, places: Sequence[int]) -> "Tuned":
        """The owners at `places`."""
        which = torch.tensor(list(places), dtype=torch.long)
        params, fixed = ({n: t[which.to(t.device)] for n, t in part.items()} for part in (self.params, self.fixed))
        return Tuned(params, fixed, tuple(self.seen[place] for place in places))

    def to(self, device: torch.device | str) -> "Tuned":
        """The same on another device."""
        params, fixed = ({n: t.to(device) for n, t in part.items()} for part in (self.params, self.fixed))
        return Tuned(params, fixed, self.seen)

    def put(self, places: Sequence[int], params: Mapping[str, Tensor]) -> "Tuned":
        """The owners at `places` with new parameters; all others keep every bit."""
        now = {name: put_rows(tensor, places, params[name]) for name, tensor in self.params.items()}
        return Tuned(now, self.fixed, self.seen)

    def noted(self, places: Sequence[int], seen: Sequence[frozenset[str]]) -> "Tuned":
        """The owners at `places` have seen these items besides."""
        more = dict(zip(places, seen, strict=True))
        all_seen = tuple(old | more.get(place, frozenset()) for place, old in enumerate(self.seen))
        return Tuned(self.params, self.fixed, all_seen)

    @staticmethod
    def cat(parts: Sequence["Tuned"]) -> "Tuned":
        """All owners of `parts`, in order."""
        params, fixed = (
            {name: torch.cat([each[name] for each in some]) for name in some[0]}
            for some in ([part.params for part in parts], [part.fixed for part in parts])
        )
        return Tuned(params, fixed, tuple(seen for part in parts for seen in part.seen))

    def save(self, path: Path) -> None:
        """Write it whole or not at all, in a folder that only its owner reads: it is personal data."""
        checkpoints.make_private(path.parent)
        seen = [sorted(keys) for keys in self.seen]
        tensors = {"params": _own(self.params), "fixed": _own(self.fixed)}
        checkpoints.write(path, {**tensors, "seen": seen})

    @staticmethod
    def load(path: Path, device: str | torch.device = "cpu") -> "Tuned":
        """What `save` wrote. ValueError where the file is not whole."""
        found = checkpoints.read(path, device)
        return Tuned(found["params"], found["fixed"], tuple(map(frozenset, found["seen"])))


def put_rows(tensor: Tensor, places: Sequence[int], rows: Tensor) -> Tensor:
    """A copy of `tensor` (U, ...) with `rows` (P, ...) at `places`."""
    changed = tensor.clone()
    changed[torch.tensor(list(places), dtype=torch.long, device=tensor.device)] = rows.to(tensor)
    return changed


def _own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each without the storage that others share."""
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
