"""What every method is asked with: the model, the tasks' wording, the contexts, profiles and scores.

Knows nothing of sources or files. Source: design section 2 (a context only adds to the prompt).
"""

from collections.abc import Callable, Mapping, Sequence
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
from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request, within
from tailorlm.data.records import Example, Interaction, User
from tailorlm.evaluation.measure import Taken, measured
from tailorlm.evaluation.runner_divided import divided
from tailorlm.methods.source import Bench
from tailorlm.tasks.task import Task

R = TypeVar("R")
Found = dict[str, Any]
"""Columns of a row."""
Generate = Callable[[Sequence[Prompt], Adapters | None, Tensor, Injector | None, Task], list[Generated]]
"""(prompts (N), adapters, index (N), what puts them into the model, task) -> completions (N)."""


@dataclass(frozen=True)
class Shown:
    """A context at work: its module, its settings, and whether it shows profiles."""

    module: ModuleType
    settings: Any
    profiles: bool

    @staticmethod
    def of(module: ModuleType, settings: Any) -> "Shown":
        """Finds out, with two requests that differ in the profile alone, so that none is made that nobody sees."""
        example = Example("", "", None, "a", None)
        told, untold = (
            Request(example, Prompt("a"), (Interaction("a", "b"),), profile=text) for text in ("something", "")
        )
        return Shown(module, settings, module.build([told], settings) != module.build([untold], settings))


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
        """What `work` gives and took; profiles that it found made count as if it had made them."""
        before = self.profile.spared
        found, taken = measured(work, self.bench.backbone.device)
        return found, replace(taken, seconds=taken.seconds + self.profile.spared - before)

    def prompts(self, shown: Shown, queries: Sequence[Example], users: Mapping[str, User]) -> list[Prompt]:
        """The prompts of queries (N) of one task, with what the context adds."""
        task = self.bench.task_of(queries[0].task)
        room = longest(self.bench, task)
        fits = within(self.bench.backbone.tokenizer, room or self.bench.backbone.max_tokens - task.max_new_tokens)
        requests = []
        for query in queries:
            user = users[query.user_id]
            text = self.told(user, query.task) if shown.profiles else ""
            requests.append(Request(query, task.prompt(query.input), user.history, text, task.retrieval, fits))
        found: list[Prompt] = shown.module.build(requests, shown.settings)
        return found

    def told(self, user: User, task: str | None) -> str:
        """The user's profile in words."""
        return self.profile(user.id, user.history, task if self.scope == "task" else None).text

    def tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of the contexts (N), before any prompt was shortened."""
        if not any(prompt.context for prompt in prompts):
            return [0] * len(prompts)
        texts = [prompt.context for prompt in prompts]
        return [len(ids) for ids in self.bench.backbone.tokenizer(texts, add_special_tokens=False)["input_ids"]]

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


def longest(bench: Bench, task: Task) -> int | None:
    """Tokens of a prompt at most; None: as many as the model's positions leave."""
    room = bench.max_tokens - task.max_new_tokens
    return room if room > 0 else None


def generating(bench: Bench, batch: int) -> Generate:
    """Greedy answers of the bench's model, `batch` prompts at once."""
    backbone = bench.backbone
    # An injector wants some space; without adapters it does nothing.
    neutral = Injector(backbone.model, LoraSpace(backbone.sites(backbone.linear_names()[:1]), 1))

    def generate(
        prompts: Sequence[Prompt], adapters: Adapters | None, index: Tensor, injector: Injector | None, task: Task
    ) -> list[Generated]:
        return generated(
            backbone, injector or neutral, prompts, adapters, index, task.max_new_tokens, batch_size=batch,
            max_prompt_tokens=longest(bench, task),
        )  # fmt: skip

    return generate
