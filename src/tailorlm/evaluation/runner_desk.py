"""What every method is asked with: the model, the tasks' wording, the contexts, profiles and scores.

Knows nothing of sources or files. Source: design section 2 (a context only adds to the prompt).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, TypeVar

from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.assembly.remembered import Remembered
from tailorlm.assembly.store import StoredUsers, UserStore
from tailorlm.backbone.generate import Generated, generated
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import Prompt, lengths
from tailorlm.contexts.context import Request, shows_profiles, within
from tailorlm.data.history import strictly_before
from tailorlm.data.records import Example, User
from tailorlm.evaluation.measure import Taken, clocked, measured
from tailorlm.evaluation.runner_divided import divided
from tailorlm.methods.asking import Asked
from tailorlm.methods.source import Bench
from tailorlm.tasks.task import Task

R = TypeVar("R")
Found = dict[str, Any]
"""Columns of a row."""
Generate = Callable[[Sequence[Prompt], Adapters | None, Tensor, Injector | None, Task, int], list[Generated]]
"""(prompts (N), adapters, index (N), what puts them into the model, task, tokens a prompt) -> completions (N)."""


@dataclass(frozen=True)
class Shown:
    """A context at work: its module, its settings, and whether it shows profiles.

    `max_tokens`: of prompt and answer together; 0 is the bench's.
    """

    module: ModuleType
    settings: Any
    profiles: bool
    max_tokens: int = 0

    @staticmethod
    def of(module: ModuleType, settings: Any, max_tokens: int = 0) -> "Shown":
        """Finds out what it shows, so that no profile is made that nobody sees."""
        return Shown(module, settings, shows_profiles(module.build, settings), max_tokens)


@dataclass(frozen=True)
class Desk:
    """`scope` "task": contexts show the profile of the query's task alone. `reason` is an exception in one line."""

    bench: Bench
    profile: Remembered
    splits: Mapping[str, UserStore]
    training: StoredUsers
    generate: Generate
    reason: Callable[[BaseException], str]
    scope: str = "all"

    def timed(self, work: Callable[[], R]) -> tuple[R, Taken]:
        """What `work` gives and took; profiles that it found made count as if it made them, unless they are paid."""
        before = self.profile.spared
        found, taken = measured(work, self.bench.backbone.device)
        return found, replace(taken, seconds=taken.seconds + self.profile.spared - before)

    def clocked(self, work: Callable[[], R]) -> tuple[R, float]:
        """What `work`, a part of what is `timed`, gives, and its seconds."""
        before = self.profile.spared
        found, seconds = clocked(work, self.bench.backbone.device)
        return found, seconds + self.profile.spared - before

    def prompts(self, shown: Shown, queries: Sequence[Example], users: Mapping[str, User], room: int) -> list[Prompt]:
        """The prompts of queries (N) of one task, with what the context adds; `room`: tokens of a prompt at most."""
        task = self.bench.task_of(queries[0].task)
        fits = within(self.bench.backbone.tokenizer, room)
        requests = []
        for query in queries:
            user = users[query.user_id]
            text = self.told(user, query) if shown.profiles else ""
            requests.append(Request(query, task.prompt(query.input), user.history, text, task.retrieval, fits))
        found: list[Prompt] = shown.module.build(requests, shown.settings)
        return found

    def told(self, user: User, query: Example) -> str:
        """The profile in words of what the user did strictly before the query."""
        return self.profile(*self.asked(user, query)).text

    def asked(self, user: User, query: Example) -> Asked:
        """What a profile is made of that the query's prompt may show."""
        return Asked(user.id, strictly_before(user.history, query.time), query.task if self.scope == "task" else None)

    def telling(self, users: Mapping[str, User], queries: Sequence[Example]) -> Taken:
        """What it takes to make what these queries' prompts show of profiles, beyond those that are paid.

        What cannot be made is for the prompts to say.
        """

        def work() -> None:
            asked = [self.asked(users[query.user_id], query) for query in queries]
            different = {(one.user_id, len(one.history), one.task): one for one in asked}.values()
            with suppress(Exception):  # whole histories are made together anyway
                self.profile.many([one for one in different if len(one.history) < len(users[one.user_id].history)])
            for one in different:
                with suppress(Exception):
                    self.profile(*one)

        return self.timed(work)[1]

    def tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of the contexts (N), before any prompt was shortened."""
        if not any(prompt.context for prompt in prompts):
            return [0] * len(prompts)
        return lengths(self.bench.backbone.tokenizer, [prompt.context for prompt in prompts])

    def scored(self, queries: Sequence[Example], found: Sequence[Found]) -> list[Found]:
        """The answers to queries (N) of one task with their scores; one that cannot be scored says why."""
        answered = [pair for pair in zip(queries, found, strict=True) if "output" in pair[1]]
        marks: list[Found] = []
        for tried in divided(answered, self.marks):
            marks += tried.found if tried.found is not None else self.failed(tried.error, len(tried.items))
        given = iter(marks)
        return [one | (next(given) if "output" in one else {}) for one in found]

    def failed(self, error: Exception | None, rows: int) -> list[Found]:
        """The same reason for so many rows."""
        assert error is not None
        return [{"failure": self.reason(error)}] * rows

    def marks(self, pairs: Sequence[tuple[Example, Found]]) -> list[Found]:
        """The scores (N) that the queries' task gives."""
        task = self.bench.task_of(pairs[0][0].task)
        scores = task.score([one["output"] for _, one in pairs], [query.target or "" for query, _ in pairs])
        return [{"score": score} for score in scores]


def virtual_tokens(adapters: Adapters | None) -> int:
    """Positions that adapters take before a text."""
    return 0 if adapters is None else adapters.space.virtual_tokens


def generating(bench: Bench, batch: int) -> Generate:
    """Greedy answers of the bench's model, `batch` prompts at once."""
    backbone = bench.backbone
    # An injector wants some space; without adapters it does nothing.
    neutral = Injector(backbone.model, LoraSpace(backbone.sites(backbone.linear_names()[:1]), 1))

    def generate(
        prompts: Sequence[Prompt], adapters: Adapters | None, index: Tensor, injector: Injector | None, task: Task,
        room: int,
    ) -> list[Generated]:  # fmt: skip
        return generated(
            backbone, injector or neutral, prompts, adapters, index, task.max_new_tokens, batch_size=batch,
            max_prompt_tokens=room,
        )  # fmt: skip

    return generate
