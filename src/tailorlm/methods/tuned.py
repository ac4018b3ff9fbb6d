"""What is kept of users whose parameters were trained on their own items: enough to go on when new items come.

Kept: the raw parameters, what stayed frozen beside them, whose they are, what they were made for, and which items there
were. Not kept: the optimiser's moments; new items are a training of their own, with its own steps and schedule, that
begins at the parameters. Knows nothing of what the parameters are. Source: design section 2 (State =
Tuned(parameters)); issue 3 (continual use).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.training import checkpoints

Place = tuple[str, str | None]
"""(user id, the task that the parameters are for; None: all)"""


@dataclass(frozen=True, eq=False)
class Tuned:
    """U owners: `params` and `fixed` are (U, ...) by name, `seen[u]` the keys of all items that owner u had,
    trained on or not, `owners[u]` who that is. `about`: what the parameters were made for (made_for.py). `untrained`:
    owners without a row to train on so far, whose parameters are as they began.

    ValueError where the numbers of owners differ, or one comes twice.
    """

    params: Mapping[str, Tensor]
    fixed: Mapping[str, Tensor]
    seen: tuple[frozenset[str], ...]
    owners: tuple[Place, ...]
    about: Mapping[str, str]
    untrained: frozenset[Place] = frozenset()

    def __post_init__(self) -> None:
        sizes = {name: len(tensor) for name, tensor in (*self.params.items(), *self.fixed.items())}
        if set(sizes.values()) != {len(self.seen)}:
            raise ValueError(f"{len(self.seen)} owners have tensors of {sizes} owners")
        if not len(self.seen) == len(self.owners) == len(set(self.owners)):
            different = len(set(self.owners))
            raise ValueError(f"{len(self.seen)} owners have {len(self.owners)} names, {different} of them different")

    def __len__(self) -> int:
        return len(self.seen)

    def __getitem__(self, places: Sequence[int]) -> "Tuned":
        """The owners at `places`."""
        which = torch.tensor(list(places), dtype=torch.long)
        params, fixed = ({n: t[which.to(t.device)] for n, t in part.items()} for part in (self.params, self.fixed))
        seen, owners = tuple(self.seen[place] for place in places), tuple(self.owners[place] for place in places)
        return Tuned(params, fixed, seen, owners, self.about, self.untrained.intersection(owners))

    def to(self, device: torch.device | str) -> "Tuned":
        """The same on another device."""
        params, fixed = ({n: t.to(device) for n, t in part.items()} for part in (self.params, self.fixed))
        return replace(self, params=params, fixed=fixed)

    def put(self, places: Sequence[int], new: "Tuned") -> "Tuned":
        """The owners at `places` with the tensors of `new` (P), trained or not as there; all others keep every bit."""
        params = {name: put_rows(tensor, places, new.params[name]) for name, tensor in self.params.items()}
        fixed = {name: put_rows(tensor, places, new.fixed[name]) for name, tensor in self.fixed.items()}
        untrained = self.untrained.difference(new.owners) | new.untrained
        return replace(self, params=params, fixed=fixed, untrained=untrained)

    def noted(self, places: Sequence[int], seen: Sequence[frozenset[str]]) -> "Tuned":
        """The owners at `places` have seen these items besides."""
        more = dict(zip(places, seen, strict=True))
        all_seen = tuple(old | more.get(place, frozenset()) for place, old in enumerate(self.seen))
        return replace(self, seen=all_seen)

    @staticmethod
    def cat(parts: Sequence["Tuned"]) -> "Tuned":
        """All owners of `parts`, in order; what they were made for is the same."""
        params, fixed = (
            {name: torch.cat([each[name] for each in some]) for name in some[0]}
            for some in ([part.params for part in parts], [part.fixed for part in parts])
        )
        seen = tuple(one for part in parts for one in part.seen)
        owners = tuple(one for part in parts for one in part.owners)
        untrained = frozenset[Place]().union(*(part.untrained for part in parts))
        return Tuned(params, fixed, seen, owners, parts[0].about, untrained)

    def save(self, path: Path) -> None:
        """Write it whole or not at all, in a folder that only its owner reads: it is personal data."""
        checkpoints.make_private(path.parent)
        seen = [sorted(keys) for keys in self.seen]
        tensors = {"params": _own(self.params), "fixed": _own(self.fixed)}
        whose = {"owners": list(self.owners), "untrained": [one for one in self.owners if one in self.untrained]}
        checkpoints.write(path, {**tensors, **whose, "seen": seen, "about": dict(self.about)})

    @staticmethod
    def load(path: Path, device: str | torch.device = "cpu") -> "Tuned":
        """What `save` wrote. ValueError where the file is not whole, or does not say whose parameters it holds."""
        found = checkpoints.read(path, device)
        if "owners" not in found:
            raise ValueError(f"{path} does not say whose parameters it holds, nor for what: enrol the users anew")
        seen, owners = tuple(map(frozenset, found["seen"])), tuple(map(tuple, found["owners"]))
        # A file that does not name the untrained is older than the names, and all of it counts as trained.
        untrained = frozenset(map(tuple, found.get("untrained", ())))
        return Tuned(found["params"], found["fixed"], seen, owners, found["about"], untrained)


def put_rows(tensor: Tensor, places: Sequence[int], rows: Tensor) -> Tensor:
    """A copy of `tensor` (U, ...) with `rows` (P, ...) at `places`."""
    changed = tensor.clone()
    changed[torch.tensor(list(places), dtype=torch.long, device=tensor.device)] = rows.to(tensor)
    return changed


def _own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each without the storage that others share."""
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
