"""How well merged adapters answer a user's own past questions, and how much the answers are like sharers' own.

Everybody's questions under everybody's candidates are one batch of rows. Knows nothing of how candidates are found.
Source: PriME (Kim et al., 2025): task metric on the newest 50 items minus alpha times similarity to the sharers'
outputs; reference section 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.generate import generate
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Interaction, User
from tailorlm.methods.source import Bench
from tailorlm.metrics.text import rouge_rows
from tailorlm.tasks.task import Pair, Pool, Task


@dataclass(frozen=True, slots=True)
class Question:
    """One of `user`'s (a number) own items as its task asks it, and what the user said."""

    user: int
    task: Task
    prompt: Prompt
    target: str


def newest(bench: Bench, users: Sequence[User], count: int) -> list[Question]:
    """Those of each user's newest `count` items that make a pair, oldest first, user by user."""
    return [
        Question(number, task, task.prompt(pair[0]), pair[1])
        for number, user in enumerate(users)
        for task, pair in _pairs(bench, user, max(0, len(user.history) - count))
    ]


def _pairs(bench: Bench, user: User, first: int) -> Iterator[tuple[Task, Pair]]:
    """The pairs of the items from `first` on, as `training.examples` makes them: negatives are never the user's own."""
    own = {(item.input, item.output) for item in user.history}
    pools: dict[str | None, list[Interaction]] = {}
    for place, item in enumerate(user.history[first:], first):
        task = bench.task_of(item.task)
        if item.task not in pools:
            others = bench.pools.get(item.task, ())
            pools[item.task] = [other for other in others if (other.input, other.output) not in own]
        pair = task.pair(item, Pool(user.history[:place], pools[item.task]), Random(f"0/{user.id}@{place}"))
        if pair is not None:
            yield task, pair


def answers(
    bench: Bench, injector: Injector, questions: Sequence[Question], adapters: Adapters | None, index: Tensor, rows: int
) -> list[list[str]]:
    """The greedy answers to Q questions under adapters `index` (Q, C): Q lists of C; `rows` of them run together.

    Prompts are shortened as evaluation's are (`longest`).
    """
    virtual = 0 if adapters is None else injector.space.virtual_tokens
    found: dict[tuple[int, int], str] = {}
    for name in sorted({question.task.name for question in questions}):
        places = [(q, c) for q, one in enumerate(questions) if one.task.name == name for c in range(index.shape[1])]
        task = questions[places[0][0]].task
        texts = generate(
            bench.backbone, injector, [questions[q].prompt for q, _ in places], adapters,
            index[tuple(zip(*places, strict=True))], task.max_new_tokens,
            batch_size=rows, max_prompt_tokens=longest(bench, task, virtual=virtual),
        )  # fmt: skip
        found.update(zip(places, texts, strict=True))
    return [[found[q, c] for c in range(index.shape[1])] for q in range(len(questions))]


def longest(bench: Bench, task: Task, asked: int = 0, virtual: int = 0) -> int:
    """Tokens of a prompt at most: of `asked` (0: the bench's `max_tokens`) what the answer leaves, within the model's
    positions, of which an adapter's `virtual` tokens take their own.

    Where the bench's leaves nothing, as many as the positions do. ValueError where `asked` leaves nothing.
    """
    positions = bench.backbone.max_tokens - virtual - task.max_new_tokens
    room = (asked or bench.max_tokens) - task.max_new_tokens
    if asked and room < 1:
        raise ValueError(
            f"max_tokens is {asked}, and answers of task {task.name!r} may take {task.max_new_tokens}: expected more"
        )
    return min(room, positions) if room > 0 else positions


def scores(questions: Sequence[Question], said: Sequence[Sequence[str]]) -> Tensor:
    """(Q, C) in 0..1: the task's score of each question's answers."""
    rows = [one.task.score(texts, [one.target] * len(texts)) for one, texts in zip(questions, said, strict=True)]
    return torch.tensor(rows, dtype=torch.float64)


def likeness(said: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]]) -> Tensor:
    """(Q, C) in 0..1: the mean similarity of each of C answers to the K sharers' answers to the same question."""
    flat = [(text, other) for texts, others in zip(said, theirs, strict=True) for text in texts for other in others]
    found = alike([text for text, _ in flat], [other for _, other in flat])
    return torch.tensor(found, dtype=torch.float64).view(len(said), -1, len(theirs[0])).mean(2)


def alike(ours: Sequence[str], theirs: Sequence[str]) -> list[float]:
    """Similarity in 0..1 of N pairs of answers: 1 for equal texts, else ROUGE-L, where different labels are 0."""
    longest = rouge_rows(ours, theirs)["rougeL"]
    return [1.0 if a.strip() == b.strip() else value for a, b, value in zip(ours, theirs, longest, strict=True)]


def mean_by_user(values: Tensor, questions: Sequence[Question], users: int) -> Tensor:
    """(Q, C) -> (U, C): the mean over each user's questions, 0 for a user without any."""
    owner = torch.tensor([question.user for question in questions], dtype=torch.long)
    total = torch.zeros(users, values.shape[1], dtype=values.dtype).index_add_(0, owner, values)
    counts = torch.bincount(owner, minlength=users).clamp_min(1)
    return total / counts.unsqueeze(1)
