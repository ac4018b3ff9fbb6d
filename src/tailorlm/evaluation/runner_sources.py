"""Answers of methods that share an adapter source: users are enrolled once, then asked in every context.

Knows nothing of files or of which source or context it is. A user who cannot be enrolled, or a query that cannot be
asked, fails alone. Source: design section 2 (a personalisation is an adapter source times a context).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tailorlm.adapters.batch import Adapters
from tailorlm.assembly.sources import Prepared
from tailorlm.data.records import Example, User
from tailorlm.evaluation.measure import Taken
from tailorlm.evaluation.plan import Cell, Chunk, Method
from tailorlm.evaluation.rows import Row
from tailorlm.evaluation.runner_controls import Control, unchanged
from tailorlm.evaluation.runner_desk import Desk, Found, Shown, virtual_tokens
from tailorlm.evaluation.runner_divided import Tried, divided
from tailorlm.evaluation.runner_states import Unfinished
from tailorlm.methods.answering import longest
from tailorlm.methods.source import AdapterSource, Roster, Training

Keep = Callable[[Chunk, Sequence[Roster]], None]
"""Is told of a chunk's users, as they were enrolled together."""


@dataclass(frozen=True)
class Enrolled:
    """Users who were enrolled together, and what that took."""

    users: frozenset[str]
    roster: Roster
    taken: Taken


class Sourced:
    """Methods of one adapter source and control, by what each of them shows."""

    def __init__(
        self, desk: Desk, prepare: Callable[[], Prepared], shown: Mapping[str, Shown], methods: Sequence[Method],
        seed: int, users: int = 0, control: str = "", keep: Sequence[Keep] = (),
        unfinished: Unfinished | None = None,
    ) -> None:  # fmt: skip
        """`shown` is by the methods' names; `control` is one of runner_controls.py, or "".

        `keep` are told of all rosters; `unfinished`: where training that was stopped goes on.
        """
        self.desk, self.prepare, self.shown, self.control, self.keep = desk, prepare, shown, control, keep
        self.methods, self.seed, self.users, self.unfinished = methods, seed, users, unfinished
        self.wrong: dict[str, Control] = {}

    def rows(self, chunk: Chunk, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Row]]]:
        """Each cell's rows, in the order of the chunk's queries."""
        prepared = self.prepare()
        split = self.desk.splits[chunk.split]
        wrong = self.wrong.setdefault(chunk.split, Control(self.control, split, self.desk.training, self.seed))
        for read in prepared.profiles:  # also what it begins at: an anchor of the right profile would stay
            read.change = wrong.change(read)
        try:
            pieces = self.enrolled(prepared.source, chunk, wrong)
            for keep in self.keep:
                keep(chunk, [piece.found.roster for piece in pieces if piece.found is not None])
            self.desk.profile.meet(list(chunk.users.values()))
            told = self.told(chunk)
            for cell in cells:
                asked, more = chunk.of_task[cell.task], told if self.shown[cell.method.name].profiles else Taken()
                found = {
                    (row.user_id, row.example_id): row
                    for piece in pieces
                    for row in self.piece_rows(prepared.source, chunk, cell, piece, asked, more)
                }
                yield cell, [found[query.user_id, query.id] for query in asked]
            if self.unfinished is not None:
                self.unfinished.answered()
        finally:
            for read in prepared.profiles:
                read.change = unchanged  # another row may use these sources

    def enrolled(self, source: AdapterSource, chunk: Chunk, wrong: Control) -> list[Tried[User, Enrolled]]:
        """The chunk's users, together as far as they can be."""
        tasks = sorted({query.task for query in chunk.queries if query.task is not None})
        desk, people = self.desk, wrong.users(chunk.users.values())
        desk.profile.meet([*people, *wrong.lenders(people)])
        desk.profile.paid = set()  # by the methods before

        def enrol(users: Sequence[User]) -> Enrolled:
            paid = set(desk.profile.paid)
            try:
                roster, taken = self.made(source, users, tasks, wrong)
                return Enrolled(frozenset(user.id for user in users), roster, taken)
            except BaseException:
                desk.profile.paid = paid
                if source.injector is not None:
                    source.injector.clear()  # what training had put into the model would answer for others
                raise

        return divided(people, enrol)

    def made(
        self, source: AdapterSource, users: Sequence[User], tasks: Sequence[str], wrong: Control
    ) -> tuple[Roster, Taken]:
        """The users' adapters, and what they took; training that was stopped goes on."""

        def work(where: Path | None = None) -> tuple[Roster, Taken]:
            return self.desk.timed(lambda: wrong.enrol(source, users, tasks, where))

        if self.unfinished is None or not isinstance(source, Training) or not source.goes_on:
            return work()
        return self.unfinished.going_on(users, tasks, work)

    def told(self, chunk: Chunk) -> Taken:
        """A user's share of making the profiles that prompts show and no adapter was made from: it counts once."""
        if not any(shown.profiles for shown in self.shown.values()):
            return Taken()
        taken = self.desk.telling(chunk.users, chunk.queries)
        return replace(taken, seconds=taken.seconds / len(chunk.users))

    def piece_rows(
        self, source: AdapterSource, chunk: Chunk, cell: Cell, piece: Tried[User, Enrolled], asked: Sequence[Example],
        told: Taken,
    ) -> list[Row]:  # fmt: skip
        """The rows of queries whose users were enrolled together; `told`: a user's share of the prompts' profiles."""
        users = {user.id for user in piece.items}
        queries = [query for query in asked if query.user_id in users]
        made = piece.found
        if made is None:
            return rows_of(chunk, cell, queries, self.desk.failed(piece.error, len(queries)))

        def answer(part: Sequence[Example]) -> tuple[list[Found], Taken]:
            return self.desk.timed(lambda: self.answers(source, chunk, cell, made, part))

        rows = []
        for tried in divided(queries, answer):
            found, taken = tried.found or (self.desk.failed(tried.error, len(tried.items)), Taken())
            most = made.taken.beside(told).beside(taken)
            both = {"enrol_seconds": made.taken.seconds / len(users) + told.seconds, "peak_rss": most.rss,
                    "peak_cuda": most.cuda}  # fmt: skip
            scored = self.desk.scored(tried.items, found)
            rows += rows_of(chunk, cell, tried.items, [one | both for one in scored])
        return rows

    def answers(
        self, source: AdapterSource, chunk: Chunk, cell: Cell, enrolled: Enrolled, queries: Sequence[Example]
    ) -> list[Found]:
        """Output, tokens, seconds and bytes of each query (N), answered by its own user's adapter."""
        desk, shown, task = self.desk, self.shown[cell.method.name], self.desk.bench.task_of(cell.task)

        (adapters, index), making = desk.clocked(lambda: source.adapters(queries, enrolled.roster))
        room = longest(desk.bench, task, shown.max_tokens, virtual_tokens(adapters))
        prompts, reading = desk.clocked(lambda: desk.prompts(shown, queries, chunk.users, room))
        # An adapter a query is kept of nobody, and one that all share is nobody's own.
        there = enrolled.roster.adapters is not None
        kept = there and not enrolled.roster.shared
        made = desk.generate(prompts, adapters, index, source.injector, task, room)
        size, share = bytes_of(adapters), (making + reading) / len(queries)
        now = 0.0 if there or adapters is None else making / len(queries)
        return [
            {
                "output": one.text, "prompt_tokens": one.prompt_tokens, "new_tokens": one.new_tokens,
                "context_tokens": tokens, "seconds": one.seconds + share, "adapter_seconds": now,
                "adapter_bytes": size if place >= 0 else 0,
                "kept_bytes": size if kept and place >= 0 else 0,
            }
            for one, tokens, place in zip(made, desk.tokens(prompts), index.tolist(), strict=True)
        ]  # fmt: skip


def rows_of(chunk: Chunk, cell: Cell, queries: Sequence[Example], found: Sequence[Found]) -> list[Row]:
    """The rows of queries (N) with what was found of each."""
    return [cell.row(query, chunk.users[query.user_id], **one) for query, one in zip(queries, found, strict=True)]


def bytes_of(adapters: Adapters | None) -> int:
    """Bytes of one adapter."""
    if adapters is None or not len(adapters):
        return 0
    return sum(tensor.numel() * tensor.element_size() for tensor in adapters.tensors.values()) // len(adapters)
