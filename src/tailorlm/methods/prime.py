"""PriME: a user's LoRA merged from the most similar sharers', with weights found by evolution, without gradients.

A candidate is good where it answers the user's own newest items well and not as the sharers themselves would: what is
found should be the user's, not give sharers away. Where nothing is better than the task LoRA alone, it is that. Knows
nothing of how a search works. Source: PriME (Kim et al., 2025); PRISP appendix B and table 7; reference section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, User
from tailorlm.methods import sharers
from tailorlm.methods.answering import Question, answers, likeness, mean_by_user, newest, scores
from tailorlm.methods.evolution import Found, SearchSettings, check_installed, search
from tailorlm.methods.form import HISTORY, Form, over_start
from tailorlm.methods.sharers import Sharers, SharerSettings, carried, carried_space, merged, task_lora
from tailorlm.methods.source import Bench, Needs, Roster, Start

NEEDS = Needs(task_data=True, other_users=True, user_training=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`nearest` sharers are merged; fitness is the score on the newest `items` minus `alpha` times the similarity.

    `users_at_once` search side by side (users_at_once x population adapters are in memory), `rows_at_once` of their
    questions run together.
    """

    sharers: SharerSettings = field(default_factory=SharerSettings)
    nearest: int = 3
    items: int = 50
    alpha: float = 1.0
    search: SearchSettings = field(default_factory=SearchSettings)
    users_at_once: int = 16
    rows_at_once: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError with the field, the value and what would be valid."""
        for name in ("nearest", "items", "users_at_once", "rows_at_once"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; valid is at least 1")
        if not 0 <= self.alpha < float("inf"):
            raise ValueError(f"alpha is {self.alpha}; valid is at least 0")


def _table_7(task: str, nearest: int, budget: int) -> Settings:
    """A row of the columns "PRiME" (LoRA, budget)."""
    return Settings(sharers=sharers.PUBLISHED[task], nearest=nearest, search=SearchSettings(budget=budget))


PUBLISHED: Mapping[str, Settings] = {
    "lamp_1": _table_7("lamp_1", 5, 10),
    "lamp_2m": _table_7("lamp_2m", 3, 5),
    "lamp_3": _table_7("lamp_3", 5, 10),
    "lamp_4": _table_7("lamp_4", 3, 5),
    "lamp_5": _table_7("lamp_5", 3, 10),
    "lamp_7": _table_7("lamp_7", 3, 5),
}
"""PRISP's table 7 by task; its LaMP-2 is movie tagging."""


def form(settings: Settings, start: Form | None) -> Form:
    """A LoRA of the task's and the sharers' ranks. ValueError for a start that is no LoRA for all at their places."""
    own = over_start(start, settings.sharers.lora, "sharers.lora")
    return replace(own, reads=HISTORY)


class Source:
    """Merged LoRAs of `self.sharers`; the task LoRA in front of them on export."""

    def __init__(self, bench: Bench, settings: Settings, start: Start | None = None) -> None:
        """`start`: the task LoRA, one for all, on the sharers' sites; None: the base alone. ValueError for another."""
        check_installed()
        self.bench, self.settings = bench, settings
        own = settings.sharers.lora.space(bench.backbone)
        self.task = task_lora(start, own)
        self.injector = Injector(bench.backbone.model, carried_space(self.task, own))
        self.sharers: Sharers | None = None

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Train sharers of `users`; `held` users share nothing and decide nothing."""
        self.sharers = sharers.train_sharers(
            self.bench, self.injector, self.task, users, self.settings.sharers, self.settings.seed, directory, resume
        )

    @torch.no_grad()
    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """Search every user's weights, side by side; a user with nothing better keeps the task LoRA alone.

        ValueError for a user who is the only sharer.
        """
        lent, size = self.lent(), self.settings.users_at_once
        lent.check_others([user.id for user in users])
        parts = [users[start : start + size] for start in range(0, len(users), size)]
        weights = torch.cat([torch.zeros(0, len(lent.ids)), *(self.weights(part) for part in parts)])
        return Roster(self.made(weights), {(user.id, None): n for n, user in enumerate(users)})

    def lent(self) -> Sharers:
        """The sharers. RuntimeError before `prepare`."""
        if self.sharers is None:
            raise RuntimeError("prime has no sharers yet: call prepare")
        return self.sharers

    def made(self, weights: Tensor) -> Adapters:
        """Weights (U, P) of all sharers -> U adapters for the base."""
        lent = self.lent().adapters
        layers = {name.rpartition(".")[0]: t.shape[1] for name, t in lent.tensors.items()}
        each = {group: weights.unsqueeze(1).expand(-1, count, -1) for group, count in layers.items()}
        return carried(self.task, merged(lent, each))

    def similar(self, users: Sequence[User]) -> Tensor:
        """(U, D) places of the D sharers with the most similar histories, the nearest first; never the user: -1."""
        lent = self.lent()
        likeness = lent.likeness([user.id for user in users], sharers.history_vectors(self.bench, users))
        found = likeness.topk(min(self.settings.nearest, len(lent.ids)), dim=1)
        return found.indices.masked_fill(found.values.isneginf(), -1)

    def weights(self, users: Sequence[User]) -> Tensor:
        """(U, P) weights of all sharers, zero but for the similar ones: the best that a search found."""
        near = self.similar(users)
        return self.spread(near, self.found(users, near).points)

    def spread(self, near: Tensor, points: Tensor) -> Tensor:
        """Weights (U, D) or (U, C, D) of each user's similar sharers (U, D) -> of all, (..., P); those of -1 are 0."""
        places = near if points.dim() == 2 else near.unsqueeze(1).expand_as(points)
        read = points.masked_fill(places < 0, 0.0)
        return torch.zeros(*points.shape[:-1], len(self.lent().ids)).scatter_add(-1, places.clamp_min(0), read)

    def found(self, users: Sequence[User], near: Tensor) -> Found:
        """The searches of all users, side by side, over the weights of their sharers `near` (U, D)."""
        questions = newest(self.bench, users, self.settings.items)
        theirs = self.theirs(questions, near)

        def fitness(points: Tensor) -> Tensor:
            return self.fitness(questions, theirs, self.spread(near, points))

        ids = [user.id for user in users]
        return search(ids, near.shape[1], fitness, self.settings.search, self.settings.seed)

    def theirs(self, questions: Sequence[Question], near: Tensor) -> list[list[str]]:
        """What the sharers `near` (U, D) answer to their users' questions; nothing of -1."""
        said = self.answers(questions, carried(self.task, self.lent().adapters), near)
        read = (near >= 0).tolist()
        return [list(compress(texts, read[one.user])) for one, texts in zip(questions, said, strict=True)]

    def fitness(self, questions: Sequence[Question], theirs: Sequence[Sequence[str]], weights: Tensor) -> Tensor:
        """(U, C): how good weights (U, C, P) are, given the sharers' own answers; 0 for a user without questions."""
        users, candidates, _ = weights.shape
        if not questions:
            return torch.zeros(users, candidates)
        index = torch.arange(users * candidates).view(users, candidates)
        said = self.answers(questions, self.made(weights.flatten(0, 1)), index)
        # One question at a time: a user who is a sharer may have one other less.
        alike = torch.cat([likeness([own], [others]) for own, others in zip(said, theirs, strict=True)])
        value = scores(questions, said) - self.settings.alpha * alike
        return mean_by_user(value, questions, users)

    def answers(self, questions: Sequence[Question], adapters: Adapters, index: Tensor) -> list[list[str]]:
        """Each question under each adapter of its user's row of `index` (U, C)."""
        own = index[torch.tensor([question.user for question in questions], dtype=torch.long)]
        return answers(self.bench, self.injector, questions, adapters, own, self.settings.rows_at_once)

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """Each request's own user's adapter (N)."""
        return roster.adapters, torch.tensor(roster.index(requests))
