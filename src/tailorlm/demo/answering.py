"""Answers of one method to the queries of unseen users, task by task, all users in one batch.

Knows nothing of how adapters were made. Greedy decoding, as in the papers.
"""

from collections.abc import Sequence

import torch

from tailorlm.backbone.generate import generate
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Example
from tailorlm.evaluation.scores import Answer
from tailorlm.methods.source import Bench, Roster

ROWS = 256
ANSWER_TOKENS = {"movie_tagging": 4, "rating": 3, "headline": 24, "tweet": 24}


def answers(
    bench: Bench,
    injector: Injector,
    queries: Sequence[Example],
    roster: Roster,
    prompts: Sequence[Prompt] | None = None,
) -> list[Answer]:
    """An answer a query, in the order of the queries; `prompts` replace the tasks' own."""
    asked = prompts or [bench.task_of(query.task).prompt(query.input) for query in queries]
    index = torch.tensor(roster.index(queries))
    found: dict[int, str] = {}
    for task in sorted({query.task for query in queries if query.task}):
        rows = [n for n, query in enumerate(queries) if query.task == task]
        texts = generate(
            bench.backbone, injector, [asked[n] for n in rows], roster.adapters, index[rows], ANSWER_TOKENS[task],
            batch_size=ROWS,
        )  # fmt: skip
        found.update(zip(rows, texts, strict=True))
    return scored(bench, queries, [found[n] for n in range(len(queries))])


def scored(bench: Bench, queries: Sequence[Example], outputs: Sequence[str]) -> list[Answer]:
    """The outputs (N) with each task's score."""
    scores: dict[str, float] = {}
    for task in sorted({query.task for query in queries if query.task}):
        rows = [(query, out) for query, out in zip(queries, outputs, strict=True) if query.task == task]
        marks = bench.task_of(task).score([out for _, out in rows], [query.target or "" for query, _ in rows])
        scores.update({query.id: mark for (query, _), mark in zip(rows, marks, strict=True)})
    return [
        Answer(query.id, query.user_id, query.task or "", out, query.target or "", scores[query.id])
        for query, out in zip(queries, outputs, strict=True)
    ]


def shuffled(roster: Roster, others: Roster) -> Roster:
    """Everybody of `roster` with the adapter of somebody of `others`, task by task. The two hold different users.

    With the two unseen splits, each given the other's, nobody keeps the own and each is given once.
    """
    mine = list(dict.fromkeys(user for user, _ in roster.place))
    theirs = list(dict.fromkeys(user for user, _ in others.place))
    if not theirs or set(mine) & set(theirs):
        raise ValueError("shuffling needs the adapters of other users, and some of them")
    partner = {user: theirs[n % len(theirs)] for n, user in enumerate(mine)}
    return Roster(others.adapters, {(u, task): others.place[partner[u], task] for u, task in roster.place})


def neighbours(roster: Roster) -> Roster:
    """Everybody with the adapter of the next user of the same roster, task by task. ValueError for a single user."""
    users = list(dict.fromkeys(user for user, _ in roster.place))
    if len(users) < 2:
        raise ValueError(f"{len(users)} users: nobody has a neighbour")
    after = dict(zip(users, [*users[1:], users[0]], strict=True))
    return Roster(roster.adapters, {(user, task): roster.place[after[user], task] for user, task in roster.place})
