"""Gates of LoRAs: at each site a vector g, and sigmoid(x g) scales what the user's own LoRA is given of x.

Only gates are trained; they learn on which inputs a LoRA is of use, and so say to whom its pieces fit. Knows nothing of
who asks. Source: Per-Pcs (Tan et al., 2024), gates as in PHATGOOSE (Muqeeth et al., 2024); reference section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.rows import of_rows
from tailorlm.backbone.patch import replace_forward, restore_forward
from tailorlm.data.records import User
from tailorlm.methods import made_for
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.side_by_side import InChunks, Params, check_items, numbers, own_rows, train_on
from tailorlm.methods.source import Bench
from tailorlm.training.examples import TrainingSet
from tailorlm.training.many import ManySettings
from tailorlm.training.plan import Plan, plan_epochs


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """How each sharer's gates are trained: `steps` batches of own `items`; numbers are PRISP's table 7 for LaMP-2."""

    steps: int = 100
    batch: int = 6
    items: ItemSettings = field(default_factory=ItemSettings)
    train: ManySettings = field(default_factory=lambda: ManySettings(learning_rate=2e-5))

    def __post_init__(self) -> None:
        """Raises ValueError with the field, the value and what would be valid."""
        if min(self.steps, self.batch) < 1:
            raise ValueError(f"steps is {self.steps} and batch {self.batch}; valid is at least 1")
        check_items(self.items)


class GatedInjector:
    """Sets LoRAs of `space` on `model`, each row its own, of which the last `own` ranks are gated."""

    def __init__(self, model: Any, space: LoraSpace, own: int) -> None:
        self.space, self.own = space, own
        self._linears = {site.path: model.get_submodule(site.path) for site in space.sites}
        self._patched: list[Any] = []

    def set(self, lora: Mapping[str, Tensor], gates: Mapping[str, Tensor], index: Tensor) -> None:
        """From now on, row i runs with LoRA and gates `index[i]`, or as the base where it is -1.

        lora: the space's tensors (U, ...); gates: group name -> (U, L, I). Stays set, so that backward may recompute,
        until `clear` or the next `set`. RuntimeError if the model carries other adapters.
        """
        self.clear()
        for group in self.space.groups:
            # The gate is one more row of A: both are of the same x.
            down = torch.cat([lora[f"{group.name}.A"], gates[group.name].unsqueeze(2)], 2)
            dtype = self._linears[group.sites[0].path].weight.dtype
            down_rows = of_rows(down.transpose(2, 3), index, dtype)
            up_rows = of_rows(lora[f"{group.name}.B"].transpose(2, 3), index, dtype)
            for site, d, u in zip(group.sites, down_rows.unbind(0), up_rows.unbind(0), strict=True):
                linear = self._linears[site.path]
                replace_forward(linear, _Gated(linear.forward, d, u, self.own))
                self._patched.append(linear)

    def clear(self) -> None:
        """The plain base model again."""
        while self._patched:
            restore_forward(self._patched.pop())


@dataclass(frozen=True, slots=True, eq=False)
class _Gated:
    """One layer for N rows: down (N, I, R + 1), the gate last; up (N, R, O)."""

    plain: Callable[[Tensor], Tensor]
    down: Tensor
    up: Tensor
    own: int

    def __call__(self, x: Tensor) -> Tensor:
        h = torch.bmm(x.to(self.down.dtype), self.down)
        always, own, gate = h.split([h.shape[2] - 1 - self.own, self.own, 1], 2)
        y = self.plain(x)
        return y + torch.bmm(torch.cat([always, own * gate.sigmoid()], 2), self.up).to(y.dtype)


def train_gates(
    bench: Bench, users: Sequence[User], whole: Adapters, own: int, settings: GateSettings,
    seed: int, at_once: int, directory: Path, resume: bool,
) -> Params:  # fmt: skip
    """group name -> (P, L, I): the gates of `users` (P), whose LoRAs `whole` (P), the last `own` ranks theirs, stay.

    Chunks of `at_once` sharers; finished ones are in `directory` and reused on `resume`.
    """
    if not isinstance(whole.space, LoraSpace):
        raise ValueError(f"gates are of LoRAs, got {whole.space.kind}")
    space = whole.space
    injector = GatedInjector(bench.backbone.model, space, own)
    places = {user.id: n for n, user in enumerate(users)}

    def make(some: Sequence[User], rows: TrainingSet) -> Params:
        plan = plan_steps(some, numbers(some, rows), settings, seed)
        lora = whole[torch.tensor([places[user.id] for user in some])]
        # At zero a gate lets half of the input through.
        zero = {
            g.name: torch.zeros(len(some), len(g.sites), g.d_in, device=bench.backbone.device) for g in space.groups
        }

        def put(gates: Params, index: Tensor) -> None:
            injector.set(lora.tensors, gates, index)

        try:
            return train_on(bench, rows, plan, settings.train, zero, put)
        finally:
            injector.clear()

    about = (made_for.base(bench.backbone), settings, seed, whole)
    chunks = InChunks(directory, "gates", about, lambda some: own_rows(bench, some, settings.items), resume)
    trained = chunks.run(users, at_once, make)
    return {name: gate.to(bench.backbone.device) for name, gate in trained.items()}


def plan_steps(users: Sequence[User], own: Sequence[Sequence[int]], settings: GateSettings, seed: int) -> Plan:
    """`settings.steps` steps of each user's own rows in shuffled epochs; none for a user without rows."""
    fewest = min((-(-len(rows) // settings.batch) for rows in own if rows), default=1)
    epochs = -(-settings.steps // fewest)
    whole = plan_epochs([user.id for user in users], own, epochs=epochs, batch=settings.batch, seed=seed)
    return Plan(whole.ids, tuple(steps[: settings.steps] for steps in whole.steps), whole.seed)
