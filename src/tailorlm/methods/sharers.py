"""Sharers: training users whose own LoRAs are lent to others; how they are chosen, trained, and merged.

Histories are embedded and clustered; of each cluster the most active user shares. A sharer's LoRA is trained on the own
history over the frozen task LoRA, many sharers side by side. Knows nothing of for whom the LoRAs are merged.
Source: Per-Pcs (Tan et al., 2024; KMeans, 50 clusters, more than 10 items); PRISP appendix B; reference section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace, joined
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import User
from tailorlm.methods import made_for
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.masks import masked
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.own_plan import Pace
from tailorlm.methods.side_by_side import InChunks, Params, check_items, own_plan, own_rows
from tailorlm.methods.source import Bench, Start
from tailorlm.methods.tuning import Raw, row_loss
from tailorlm.profiles.cache import claim
from tailorlm.training.examples import TrainingSet
from tailorlm.training.many import ManySettings, train_many


def attention() -> LoraSettings:
    """LoRA on all four projections of attention, as both methods have it."""
    return LoraSettings(targets=("q_proj", "k_proj", "v_proj", "o_proj"))


@dataclass(frozen=True, kw_only=True)
class SharerSettings:
    """Who shares (the most active user of each cluster of those with `more_than` items), and what each trains.

    The numbers are PRISP's table 7 for LaMP-2. `items`: which are trained on, and how they are written. `dropout` acts
    on the inputs of the own LoRA and the task's. `at_once` sharers are trained side by side: it bounds memory.
    """

    clusters: int = 50
    more_than: int = 10
    lora: LoraSettings = field(default_factory=attention)
    epochs: int = 3
    batch: int = 6
    items: ItemSettings = field(default_factory=ItemSettings)
    dropout: float = 0.0
    train: ManySettings = field(default_factory=lambda: ManySettings(learning_rate=2e-5))
    at_once: int = 16

    def __post_init__(self) -> None:
        """Raises ValueError with the field, the value and what would be valid."""
        if min(self.clusters, self.at_once) < 1 or self.more_than < 0:
            raise ValueError(
                f"clusters is {self.clusters} and at_once {self.at_once} (valid: at least 1), "
                f"more_than is {self.more_than} (valid: at least 0)"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; valid is a share below 1")
        Pace(epochs=self.epochs, batch=self.batch, rate=self.train.learning_rate)
        check_items(self.items)


BOTH = ItemSettings(context="rag_pag", options={"k": 1})
"""PRISP's two versions of a training item: plain, and after the nearest earlier item and the profile."""


def table_7(batch: int, epochs: int, learning_rate: float) -> SharerSettings:
    """A row of the columns "Sharer PEFT", with what appendix B says of all baselines: both versions, and dropout."""
    train = ManySettings(learning_rate=learning_rate)
    return SharerSettings(batch=batch, epochs=epochs, items=BOTH, dropout=0.05, train=train)


PUBLISHED: Mapping[str, SharerSettings] = {
    "lamp_1": table_7(16, 1, 1e-5),
    "lamp_2m": table_7(6, 3, 2e-5),
    "lamp_3": table_7(2, 2, 1e-5),
    "lamp_4": table_7(10, 3, 2e-5),
    "lamp_5": table_7(3, 2, 2e-5),
    "lamp_7": table_7(16, 2, 1e-5),
}
"""PRISP's table 7 by task; its LaMP-2 is movie tagging."""


@dataclass(frozen=True, eq=False)
class Sharers:
    """P sharers: `ids`, unit vectors of their histories (P, E), their own effective LoRAs, without the task's."""

    ids: tuple[str, ...]
    vectors: Tensor
    adapters: Adapters

    def own(self, ids: Sequence[str]) -> Tensor:
        """(U, P) bool: which sharer each user is: nobody is lent the own LoRA."""
        return torch.tensor([[id == other for other in self.ids] for id in ids]).view(len(ids), len(self.ids))

    def likeness(self, ids: Sequence[str], vectors: Tensor) -> Tensor:
        """(U, P) how similar users with these histories (U, E) are to each sharer; to themselves -inf."""
        return (vectors @ self.vectors.T).masked_fill(self.own(ids), -torch.inf)

    def check_others(self, ids: Sequence[str]) -> None:
        """ValueError for a user who is the only sharer."""
        if len(self.ids) == 1 and self.ids[0] in ids:
            raise ValueError(f"user {self.ids[0]!a} is the only sharer: there is nobody else's LoRA to lend")


def task_lora(start: Start | None, space: LoraSpace) -> Adapters | None:
    """The one LoRA under everybody's, None for the base alone. ValueError where it is no such LoRA on the sites."""
    task = start.one() if start is not None else None
    if task is None:
        return None
    if not isinstance(task.space, LoraSpace) or task.space.sites != space.sites:
        modules = sorted({site.module for site in space.sites})
        raise ValueError(
            f"the task LoRA must be one LoRA on {', '.join(modules)} of every layer; "
            f"got {task.space.kind} on {sorted({site.module for site in task.space.sites})}"
        )
    return task


def carried(task: Adapters | None, own: Adapters) -> Adapters:
    """The users' own LoRAs (U) with the task's in front of them along the rank: what the base needs."""
    return own if task is None else joined(task, own)


def carried_space(task: Adapters | None, own: LoraSpace) -> LoraSpace:
    """The space of what `carried` gives."""
    rank = task.space.rank if task is not None and isinstance(task.space, LoraSpace) else 0
    return LoraSpace(own.sites, rank + own.rank)


def history_vectors(bench: Bench, users: Sequence[User], at_once: int = 256) -> Tensor:
    """(U, E) unit vectors: the direction of the mean of each history's items, zero for an empty history.

    ValueError without an encoder, and as the encoder raises it for an item that is too long for it.
    """
    if bench.encoder is None:
        raise ValueError("sharers are chosen by embedded histories; the bench has no encoder")
    parts = [torch.zeros(0, bench.encoder.size)]
    for start in range(0, len(users), at_once):
        some = users[start : start + at_once]
        texts = [f"{item.input}\n{item.output}".strip() for user in some for item in user.history]
        claim(bench.encoder, zip((user.id for user in some for _ in user.history), texts, strict=True))
        owners = torch.tensor([n for n, user in enumerate(some) for _ in user.history], dtype=torch.long)
        sums = torch.zeros(len(some), bench.encoder.size)
        parts.append(sums.index_add_(0, owners, bench.encoder(texts)) if texts else sums)
    return torch.nn.functional.normalize(torch.cat(parts), dim=1)


def choose(users: Sequence[User], vectors: Tensor, settings: SharerSettings, seed: int) -> list[int]:
    """Places of the sharers among `users`, in the order of their ids; of equally active users the first id.

    Who shares does not depend on the order of `users`. ValueError where nobody has enough items.
    """
    able = sorted(
        (n for n, user in enumerate(users) if len(user.history) > settings.more_than), key=lambda n: users[n].id
    )
    if not able:
        raise ValueError(f"none of {len(users)} training users has more than {settings.more_than} items: no sharers")
    most: dict[int, int] = {}
    for place, cluster in zip(able, _clusters(vectors[able], settings.clusters, seed), strict=True):
        best = most.setdefault(cluster, place)
        if len(users[place].history) > len(users[best].history):
            most[cluster] = place
    return sorted(most.values(), key=lambda n: users[n].id)


def _clusters(vectors: Tensor, count: int, seed: int) -> list[int]:
    """The cluster of each vector (N, E); fewer than `count` where there are fewer different vectors."""
    from sklearn.cluster import KMeans

    different = len(vectors.unique(dim=0))
    found = KMeans(min(count, different), n_init=10, random_state=seed).fit(vectors.double().numpy())
    labels: list[int] = found.labels_.tolist()
    return labels


def train_sharers(
    bench: Bench,
    injector: Injector,
    task: Adapters | None,
    users: Sequence[User],
    settings: SharerSettings,
    seed: int,
    directory: Path,
    resume: bool,
    vectors: Tensor | None = None,
) -> Sharers:
    """Choose among `users`, train each sharer's LoRA; finished chunks are in `directory` and reused on `resume`.

    `vectors` (U, E): the users' `history_vectors`, where they are known. `injector` is of `carried_space(task, ...)`.
    All start from the same A, so that merging A's has a meaning.
    """
    space = settings.lora.space(bench.backbone)
    vectors = history_vectors(bench, users) if vectors is None else vectors
    places = choose(users, vectors, settings, seed)

    dropping = masked(injector, settings.dropout) if settings.dropout else injector

    def own_over_task(params: Raw, fixed: Raw) -> Adapters:
        return carried(task, effective(space, params, settings.lora.scaling))

    def make(some: Sequence[User], rows: TrainingSet) -> Params:
        plan = own_plan(some, rows, epochs=settings.epochs, batch=settings.batch, seed=seed)
        raw = fresh(space, len(some), seed, bench.backbone.device)

        loss = row_loss(bench, dropping, rows.rows, {}, own_over_task)
        try:
            return train_many(loss, raw, plan, settings.train).params
        finally:
            dropping.clear()

    about = (made_for.base(bench.backbone), settings, seed, task)
    chunks = InChunks(directory, "sharers", about, lambda some: own_rows(bench, some, settings.items), resume)
    trained = chunks.run([users[n] for n in places], settings.at_once, make)
    own = effective(space, trained, settings.lora.scaling).to(bench.backbone.device)
    return Sharers(tuple(users[n].id for n in places), vectors[places], own)


def fresh(space: LoraSpace, users: int, seed: int, device: torch.device) -> dict[str, Tensor]:
    """PEFT's start for U users, (U, ...), raw: A Kaiming-uniform, the same for all; B zero."""
    one = space.start(torch.Generator().manual_seed(seed))
    return {name: value.to(device).expand(users, *value.shape) for name, value in one.items()}


def effective(space: LoraSpace, raw: Mapping[str, Tensor], scaling: float) -> Adapters:
    """Raw parameters (U, ...) as adapters: the scale in B."""
    return Adapters(space, {name: t * scaling if name.endswith(".B") else t for name, t in raw.items()})


def merged(sharers: Adapters, weights: Mapping[str, Tensor]) -> Adapters:
    """U adapters, module by module the weighted sums of the P sharers' A and of their B, each by itself.

    weights: group name -> (U, L, P); a user whose weights are all zero gets a zero delta.
    """
    tensors = {
        name: torch.einsum("ulp,plxy->ulxy", weights[name.rpartition(".")[0]].to(t), t)
        for name, t in sharers.tensors.items()
    }
    return Adapters(sharers.space, tensors)
