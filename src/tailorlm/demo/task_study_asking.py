"""Asking small tasks' queries under adapters of descriptions: which description, and whether the answer is right.

Knows nothing of training. An answer counts if it is exactly the right one, in every family: a task is done or not.
Source: PRISP section 4.4 (descriptions in other words, and the nearest one of the training set as an imprecise one).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.prompt import Prompt
from tailorlm.data.records import Example
from tailorlm.demo.answering import answers
from tailorlm.demo.small_tasks import SmallTask
from tailorlm.methods import text_to_lora
from tailorlm.methods.source import Bench, Roster

SPLITS = ("seen", "composed", "new")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a query of a small task."""

    example_id: str
    task: str
    family: str
    output: str
    target: str

    @property
    def right(self) -> float:
        """1.0 for exactly the target."""
        return float(self.output.strip() == self.target.strip())


Found = dict[str, dict[str, list[Reply]]]
"""Method -> condition -> replies."""
Told = Mapping[str, Sequence[str]]
"""Task name -> its descriptions, of which its queries take turns."""


def conditions(tasks: Sequence[SmallTask], source: text_to_lora.Source, seed: int) -> dict[str, Told]:
    """What networks are told under each name; without more said, unseen descriptions in training's phrases."""
    by_split = {split: [task for task in tasks if task.split == split] for split in SPLITS}
    seen = by_split["seen"]
    told: dict[str, Told] = {
        **{split: {task.name: task.reworded for task in own} for split, own in by_split.items()},
        "seen, training's": {task.name: task.descriptions[:2] for task in seen},
        **{f"{split}, new phrases": {task.name: task.unseen for task in by_split[split]} for split in SPLITS[:2]},
        "partial": {task.name: (task.partial,) for task in seen},
        "vague": {task.name: (task.vague,) for task in seen},
        "nearest": nearest(seen, source),
        "wrong": wrong(seen, seed),
    }
    return {name: by_task for name, by_task in told.items() if by_task}


def nearest(seen: Sequence[SmallTask], source: text_to_lora.Source) -> Told:
    """For each task the training description of ANOTHER task that is most like one of its own, by cosine."""
    assert source.bench.encoder is not None
    pool = [(task.name, text) for task in seen for text in task.descriptions]
    likeness = source.bench.encoder([task.reworded[0] for task in seen]) @ source.bench.encoder([t for _, t in pool]).T
    own = torch.tensor([[task.name == name for name, _ in pool] for task in seen])
    best = likeness.masked_fill(own, -torch.inf).argmax(1).tolist()
    return {task.name: (pool[place][1],) for task, place in zip(seen, best, strict=True)}


def wrong(seen: Sequence[SmallTask], seed: int) -> Told:
    """Each task in the words of another of its family: one seeded cycle through each family."""
    told: dict[str, Sequence[str]] = {}
    for family in sorted({task.family for task in seen}):
        own = [task for task in seen if task.family == family]
        Random(f"{seed}/{family}/wrong").shuffle(own)
        after = own[1:] + own[:1]
        told.update({task.name: other.reworded for task, other in zip(own, after, strict=True) if task is not other})
    return told


def ask_descriptions(
    bench: Bench, source: text_to_lora.Source, tasks: Sequence[SmallTask], found: Found, method: str,
    told: Mapping[str, Told],
) -> None:  # fmt: skip
    """A network's replies under every condition; a task's queries take turns with its descriptions."""
    for condition, by_task in told.items():
        place = {(teller(name, n), None): text for name, said in by_task.items() for n, text in enumerate(said)}
        texts = list(dict.fromkeys(place.values()))
        roster = Roster(source.generate(texts), {key: texts.index(text) for key, text in place.items()})
        queries = [
            replace(query, user_id=teller(task.name, number % len(by_task[task.name])))
            for task in tasks
            if task.name in by_task
            for number, query in enumerate(task.queries)
        ]
        found.setdefault(method, {})[condition] = replied(bench, source.injector, queries, roster)


def teller(task: str, number: int) -> str:
    """The id of a task as one of its descriptions tells it."""
    return f"{task}#{number}"


def ask(
    bench: Bench, injector: Injector, tasks: Sequence[SmallTask], found: Found, method: str, adapters: Adapters | None
) -> None:
    """Replies by split without descriptions: the base (None), one adapter for all, or one a task in their order."""
    many = adapters is not None and len(adapters) > 1
    place: dict[tuple[str, str | None], int] = {
        (task.name, None): -1 if adapters is None else number * many for number, task in enumerate(tasks)
    }
    for split in SPLITS:
        queries = [query for task in tasks if task.split == split for query in task.queries]
        if queries:
            found.setdefault(method, {})[split] = replied(bench, injector, queries, Roster(adapters, place))


def ask_prompted(bench: Bench, injector: Injector, tasks: Sequence[SmallTask], found: Found) -> None:
    """The base with a description in its prompt, before the question."""
    for split in SPLITS:
        own = [task for task in tasks if task.split == split]
        queries = [query for task in own for query in task.queries]
        said = [task.reworded[n % len(task.reworded)] for task in own for n in range(len(task.queries))]
        prompts = [
            replace(bench.task_of(query.task).prompt(query.input), context=text + "\n")
            for query, text in zip(queries, said, strict=True)
        ]
        nobody = Roster(None, {(task.name, None): -1 for task in own})
        if queries:
            replies = replied(bench, injector, queries, nobody, prompts)
            found.setdefault("base_description", {})[split] = replies


def replied(
    bench: Bench, injector: Injector, queries: Sequence[Example], roster: Roster,
    prompts: Sequence[Prompt] | None = None,
) -> list[Reply]:  # fmt: skip
    """A reply a query, in their order; its task is the query's id up to the "#"."""
    return [
        Reply(answer.example_id, answer.example_id.partition("#")[0], answer.task, answer.output, answer.target)
        for answer in answers(bench, injector, queries, roster, prompts)
    ]
