"""Users' own parameters trained on their own items, many users side by side: what OPPU and PRISP have in common.

Knows nothing of what the parameters are: it is told how they begin and how they become adapters. Source: design
section 3 (users trained side by side); issue 3 (continual use).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import Row, collate
from tailorlm.methods import made_for
from tailorlm.methods.masks import Masked, masked
from tailorlm.methods.own_items import ItemSettings, OwnRows, own_rows
from tailorlm.methods.own_plan import Pace, own_plan
from tailorlm.methods.owners import Owner
from tailorlm.methods.side_by_side import digest
from tailorlm.methods.source import Bench, Roster
from tailorlm.methods.start_alone import placed
from tailorlm.methods.task_names import task_names
from tailorlm.methods.tuned import Place, Tuned, put_rows
from tailorlm.training.many import ManySettings, Observe, RowLosses, Slice, train_many
from tailorlm.training.many_files import Saving

Raw = Mapping[str, Tensor]
Begin = Callable[[Sequence[Owner], OwnRows], tuple[Raw, Raw]]
"""(owners (U), their rows) -> the parameters to train and those that stay beside them, (U, ...) by name."""
Effective = Callable[[Raw, Raw], Adapters]
"""(trained, frozen), both (U, ...) by name -> adapters (U)."""


@dataclass(frozen=True)
class Tuning:
    """How a method trains its users; `at_once` of them are in memory with their gradients and moments.

    `about`: what users' parameters are made for; stored ones go on with nothing else. `dropout`: the chance that an
    input feature of a LoRA is dropped in training, by each row's own stream. `tasks`: those that there are besides the
    owners' own.
    """

    bench: Bench
    injector: Injector
    begin: Begin
    effective: Effective
    items: ItemSettings
    pace: Pace
    train: ManySettings
    about: Mapping[str, str]
    at_once: int = 64
    dropout: float = 0.0
    tasks: frozenset[str] = frozenset()

    def enrol(self, people: Sequence[Owner], directory: Path | None = None, observe: Observe | None = None) -> Roster:
        """Train all of `people`. With a `directory` a run that was stopped goes on where it was, exactly.

        An owner without rows is at the start alone, also of a kind whose beginning is random (`placed`). Raises what
        `train_many` and the items' tasks raise.
        """
        if not people:
            raise ValueError("there is nobody to train an adapter for")
        self._check_tasks(people)
        chunks = range(0, len(people), self.at_once)
        parts = [self._chunk(people[at : at + self.at_once], _saving(directory, at), observe) for at in chunks]
        tuned = Tuned.cat(parts)
        return self.roster(people, tuned)

    def roster(self, people: Sequence[Owner], tuned: Tuned) -> Roster:
        """Owners (U) with what was kept of them, in whatever order it was kept.

        ValueError for other owners than those, and where it was kept for another base, other settings or another start.
        """
        made_for.check(tuned.about, self.about)
        tuned = tuned[_places(tuned, people)].to(self.bench.backbone.device)
        with torch.no_grad():
            adapters = self.effective(tuned.params, tuned.fixed).detach()
        return Roster(*placed(adapters, tuned), tuned=tuned)

    def more(self, roster: Roster, people: Sequence[Owner], observe: Observe | None = None) -> Roster:
        """Train those of `people` who have new items on those alone; everybody else keeps every bit.

        ValueError for a roster without what was kept, or made for something else, or an owner whom it lacks.
        """
        tuned, adapters = roster.tuned, roster.adapters
        if tuned is None or adapters is None:
            raise ValueError("this roster holds nothing to go on from: enrol the users with this method first")
        made_for.check(tuned.about, self.about)
        self._check_tasks(people)
        known = {place: number for number, place in enumerate(tuned.owners)}
        for at in range(0, len(people), self.at_once):
            some = people[at : at + self.at_once]
            places = [_place(known, owner) for owner in some]
            rows = own_rows(self._read, some, self.items, self.pace.seed, [tuned.seen[place] for place in places])
            tuned = tuned.noted(places, rows.seen)
            fresh = [number for number, own in enumerate(rows.numbers()) if own]
            if fresh:
                kept, who, own = [places[number] for number in fresh], _only(some, fresh), _of(rows, fresh)
                old = self._begun(tuned[kept], who, own)
                now = self._trained(who, own, old.params, old.fixed, None, observe)
                tuned = tuned.put(kept, now)
                adapters = self._replaced(adapters, kept, now)
        adapters, place = placed(adapters, tuned)
        return replace(roster, adapters=adapters, place=place, tuned=tuned)

    def _begun(self, old: Tuned, people: Sequence[Owner], rows: OwnRows) -> Tuned:
        """`old` (U), those who were never trained beginning as who is enrolled now: a start may be of the own rows."""
        new = [number for number, owner in enumerate(people) if owner.place in old.untrained]
        if not new:
            return old
        params, fixed = self.begin(_only(people, new), _of(rows, new))
        return old.put(new, replace(old[new], params=params, fixed=fixed))

    def _check_tasks(self, people: Sequence[Owner]) -> None:
        """Settings of a task that nobody knows would change nothing, and nothing would show it."""
        if self.pace.unfiled:
            own = {owner.task for owner in people if owner.task is not None}
            self.pace.check_tasks(self.tasks | own | task_names(self.bench, (owner.user for owner in people)))

    @property
    def _read(self) -> Bench:
        """The bench that rows are fitted to: virtual tokens take positions of their own."""
        return self.bench.beside(self.injector.space.virtual_tokens)

    def _chunk(self, people: Sequence[Owner], saving: Saving | None, observe: Observe | None) -> Tuned:
        rows = own_rows(self._read, people, self.items, self.pace.seed)
        params, fixed = self.begin(people, rows)
        return self._trained(people, rows, params, fixed, saving, observe)

    def _trained(
        self, people: Sequence[Owner], rows: OwnRows, params: Raw, fixed: Raw, saving: Saving | None,
        observe: Observe | None,
    ) -> Tuned:  # fmt: skip
        plan, lengths = own_plan(people, rows, self.pace), [len(row.ids) for row in rows.rows]
        if saving is not None:  # the plan has the rows' numbers, not what they say
            frozen = [fixed[name] for name in sorted(fixed)]
            about = digest(sorted(self.about.items()), self.dropout, rows.rows, frozen)
            saving = replace(saving, about=about[:16])
        injector = masked(self.injector, self.dropout) if self.dropout else self.injector
        loss = row_loss(self.bench, injector, rows.rows, fixed, self.effective)
        try:
            found = train_many(loss, params, plan, self.train, tokens=lengths, observe=observe, saving=saving)
        finally:
            injector.clear()
        places = tuple(owner.place for owner in people)
        untrained = frozenset(place for place, own in zip(places, rows.numbers(), strict=True) if not own)
        return Tuned(found.params, fixed, rows.seen, places, self.about, untrained)

    def _replaced(self, adapters: Adapters, places: Sequence[int], now: Tuned) -> Adapters:
        with torch.no_grad():
            own = self.effective(now.params, now.fixed)
        tensors = {name: put_rows(t, places, own.tensors[name]) for name, t in adapters.tensors.items()}
        return Adapters(adapters.space, tensors)


def row_loss(bench: Bench, injector: Injector, rows: Sequence[Row], fixed: Raw, effective: Effective) -> RowLosses:
    """The loss of `rows` for `train_many`; a pass makes the adapters of its own users only."""

    def loss(params: dict[str, Tensor], part: Slice) -> Tensor:
        users, index = part.users.unique(return_inverse=True)
        own, frozen = ({name: _rows(t, users) for name, t in some.items()} for some in (params, fixed))
        batch = collate([rows[i] for i in part.rows], bench.backbone.pad_id, index)
        adapters = effective(own, frozen)
        if isinstance(injector.space, Masked):
            injector.space.keys = part.keys
            adapters = Adapters(injector.space, adapters.tensors)
        injector.set(adapters, batch.index)
        return row_losses(bench.backbone, batch)

    return loss


def _rows(tensor: Tensor, users: Tensor) -> Tensor:
    return tensor if len(users) == len(tensor) else tensor.index_select(0, users)


def _saving(directory: Path | None, at: int) -> Saving | None:
    return None if directory is None else Saving(directory / f"users-{at:06d}.pt")


def _places(tuned: Tuned, people: Sequence[Owner]) -> list[int]:
    """Where each of `people` is in `tuned`. ValueError unless they are its owners."""
    kept = {place: number for number, place in enumerate(tuned.owners)}
    named = {owner.place: owner.id for owner in people}
    new = [id for place, id in named.items() if place not in kept]
    left = ["/".join(filter(None, place)) for place in kept if place not in named]
    if new or left or len(people) != len(kept):
        raise ValueError(
            f"{len(kept)} owners were kept, {len(people)} are named, {len(named)} of them different; "
            f"not kept: {', '.join(new[:4]) or 'none'}; kept and not named: {', '.join(left[:4]) or 'none'}"
        )
    return [kept[owner.place] for owner in people]


def _place(known: Mapping[Place, int], owner: Owner) -> int:
    if owner.place not in known:
        raise ValueError(f"{owner.id!r} is not in the roster: enrol the user first")
    return known[owner.place]


def _only(people: Sequence[Owner], numbers: Sequence[int]) -> list[Owner]:
    return [people[number] for number in numbers]


def _of(rows: OwnRows, numbers: Sequence[int]) -> OwnRows:
    """The rows of the owners `numbers`, who are numbered anew."""
    now = {number: place for place, number in enumerate(numbers)}
    kept = [i for i, owner in enumerate(rows.owner) if owner in now]
    return OwnRows(
        [rows.rows[i] for i in kept],
        [now[rows.owner[i]] for i in kept],
        [rows.task[i] for i in kept],
        tuple(rows.seen[number] for number in numbers),
    )
