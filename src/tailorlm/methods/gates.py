"""Gates of LoRAs: at each site a vector g, and sigmoid(x g) scales what the user's own LoRA is given of x.

Only gates are trained; they learn on which inputs a LoRA is of use, and so say to whom its pieces fit. Knows nothing of
who asks. Source: Per-Pcs (Tan et al., 2024), gates as in PHATGOOSE (Muqeeth et al., 2024); reference section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.rows import of_rows
from tailorlm.adapters.sites import Site
from tailorlm.adapters.space import Change, Plain, Virtual
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import User
from tailorlm.methods.side_by_side import InChunks, Params, numbers, own_rows, train_on
from tailorlm.methods.source import Bench
from tailorlm.training.many import ManySettings
from tailorlm.training.plan import Plan, plan_epochs


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """How each sharer's gates are trained: `steps` batches of own items; PRISP's table 7 for LaMP-2."""

    steps: int = 100
    batch: int = 6
    train: ManySettings = field(default_factory=lambda: ManySettings(learning_rate=2e-5))

    def __post_init__(self) -> None:
        """Raises ValueError with the field, the value and what would be valid."""
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; valid is at least 1")


@dataclass(frozen=True)
class GatedLoraSpace:
    """LoRA whose last `own` ranks are gated: `{group}.gate` (L, I) beside the A and B of `lora`."""

    lora: LoraSpace
    own: int

    @property
    def kind(self) -> str:
        return "gated_lora"

    @property
    def sites(self) -> tuple[Site, ...]:
        return self.lora.sites

    @property
    def virtual_tokens(self) -> int:
        return 0

    @property
    def neutral_start(self) -> bool:
        return True

    @property
    def engines(self) -> frozenset[str]:
        """None: gates are for training; what is exported is the LoRA alone."""
        return frozenset()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Those of the LoRA, and a gate a site."""
        return {**self.lora.shapes(), **{f"{g.name}.gate": (len(g.sites), g.d_in) for g in self.lora.groups}}

    def start(self, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """A fresh LoRA and gates at zero, where each lets half of the input through."""
        gates = {name: torch.zeros(shape) for name, shape in self.shapes().items() if name.endswith(".gate")}
        return {**self.lora.start(generator), **gates}

    def scaled(self, tensors: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
        """The effect is linear in B."""
        return {name: t * strength if name.endswith(".B") else t for name, t in tensors.items()}

    def bind(
        self,
        tensors: Mapping[str, Tensor],
        index: Tensor,
        inputs: Sequence[Sequence[Site]],
        dtype: torch.dtype,
        dropout: float,
    ) -> dict[str, Change]:
        """The change at each path for rows `index` (N,), -1 for none. ValueError for dropout: gates have none."""
        if dropout:
            raise ValueError(f"gates are trained without dropout, got {dropout}")
        changes: dict[str, Change] = {}
        for group in self.lora.groups:
            # The gate is one more row of A: both are of the same x.
            down = torch.cat([tensors[f"{group.name}.A"], tensors[f"{group.name}.gate"].unsqueeze(2)], 2)
            down_rows = of_rows(down.transpose(2, 3), index, dtype)
            up_rows = of_rows(tensors[f"{group.name}.B"].transpose(2, 3), index, dtype)
            for layer, site in enumerate(group.sites):
                changes[site.path] = _Gated(down_rows[layer], up_rows[layer], self.own)
        return changes

    def virtual(self, tensors: Mapping[str, Tensor], index: Tensor, dtype: torch.dtype) -> Virtual | None:
        """None: it only changes layers."""
        return None


@dataclass(frozen=True, slots=True, eq=False)
class _Gated:
    """One site of N rows: down (N, I, R + 1), the gate last; up (N, R, O)."""

    down: Tensor
    up: Tensor
    own: int

    def __call__(self, x: Tensor, plain: Plain) -> Tensor:
        h = torch.bmm(x.to(self.down.dtype), self.down)
        rank = h.shape[2] - 1
        always, own, gate = h.split([rank - self.own, self.own, 1], 2)
        y = plain(x)
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
    space = GatedLoraSpace(whole.space, own)
    injector = Injector(bench.backbone.model, space)
    places = {user.id: n for n, user in enumerate(users)}

    def make(some: Sequence[User]) -> Params:
        rows = own_rows(bench, some)
        plan = plan_steps(some, numbers(some, rows), settings, seed)
        lora = whole[torch.tensor([places[user.id] for user in some])]
        start = {n: t for n, t in space.start().items() if n.endswith(".gate")}
        raw = {n: t.to(bench.backbone.device).expand(len(some), *t.shape) for n, t in start.items()}
        return train_on(
            bench, injector, rows, plan, settings.train, raw,
            lambda gates: Adapters(space, {**lora.tensors, **gates}),
        )  # fmt: skip

    chunks = InChunks(directory, "gates", (bench.backbone.id, settings, seed, whole), resume)
    trained = chunks.run(users, at_once, make)
    return {name.removesuffix(".gate"): gate.to(bench.backbone.device) for name, gate in trained.items()}


def plan_steps(users: Sequence[User], own: Sequence[Sequence[int]], settings: GateSettings, seed: int) -> Plan:
    """`settings.steps` steps of each user's own rows in shuffled epochs; none for a user without rows."""
    fewest = min((-(-len(rows) // settings.batch) for rows in own if rows), default=1)
    epochs = -(-settings.steps // fewest)
    whole = plan_epochs([user.id for user in users], own, epochs=epochs, batch=settings.batch, seed=seed)
    return Plan(whole.ids, tuple(steps[: settings.steps] for steps in whole.steps), whole.seed)
