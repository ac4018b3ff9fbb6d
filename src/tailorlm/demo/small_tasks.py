"""A generator of over a hundred small tasks with descriptions: what Text-to-LoRA is trained and tested on here.

Knows nothing of models. Deterministic in the seed. A task is a value on each axis of its family; twenty are held
out: `composed` of values that training has seen, though never together, and `new` ones with a value it never saw.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Literal

from tailorlm.data.records import Example, Interaction, User
from tailorlm.demo.small_task_families import FAMILIES, Family, Values
from tailorlm.demo.small_task_words import OPENINGS, PHRASES, RESERVED, VAGUE

Split = Literal["seen", "composed", "new"]
TRAINING, ASIDE = 8, 2
JOINS = ("; ", ", ", ". ", ", and ")


@dataclass(frozen=True, slots=True)
class SmallTask:
    """A small task of the file `family` of tasks/.

    descriptions  eight, for training; reworded: two more of the same phrases, put together in another way
    unseen        two in phrases that no training description of any task has
    partial       says nothing of one axis; vague: hints at every value, names none
    examples      to train on; queries: to ask, none of them an example
    """

    name: str
    family: str
    values: tuple[str, ...]
    split: Split
    descriptions: tuple[str, ...]
    reworded: tuple[str, ...]
    unseen: tuple[str, ...]
    partial: str
    vague: str
    examples: tuple[Interaction, ...]
    queries: tuple[Example, ...]

    @property
    def user(self) -> User:
        """The task as a user: what methods are trained on."""
        return User(self.name, self.examples, "\n".join(self.descriptions))


def small_tasks(seed: int, examples: int = 64, queries: int = 6) -> list[SmallTask]:
    """All tasks, those of training (`seen`) and the twenty held out, sorted by name."""
    tasks = [
        small_task(family, values, split, seed, examples, queries)
        for family in FAMILIES
        for values, split in divided(family, seed)
    ]
    return sorted(tasks, key=lambda task: task.name)


def divided(family: Family, seed: int) -> Iterator[tuple[Values, Split]]:
    """The family's tasks and where each belongs; of those with the new value only `family.new` are given."""
    rng = Random(f"{seed}/{family.name}/split")
    new = family.new_value or rng.choice(family.axes[family.new_axis][1:])
    apart = rng.sample(pairs(family, new), family.pairs)
    combined = [dict(zip(family.axes, values, strict=True)) for values in product(*family.axes.values())]
    asked = rng.sample([values for values in combined if values[family.new_axis] == new], family.new)
    for values in combined:
        if values in asked:
            yield values, "new"
        elif values[family.new_axis] != new:
            yield values, "composed" if tuple(values[axis] for axis in family.pair) in apart else "seen"


def pairs(family: Family, new: str) -> list[tuple[str, str]]:
    """The pairs that may be held out: none with an axis' plainest value, nor with the new one."""
    first, second = (family.axes[axis][1:] for axis in family.pair)
    return [(a, b) for a, b in product(first, second) if new not in (a, b)]


def small_task(family: Family, values: Values, split: Split, seed: int, examples: int, queries: int) -> SmallTask:
    """One task: its name, its descriptions, its examples and queries, each from a stream of its own."""
    name = f"{family.name}.{'.'.join(values.values())}"
    said, made = Random(f"{seed}/{name}/said"), Random(f"{seed}/{name}/made")
    pool = list(distinct(family, values, made, examples + queries))
    known = wordings(family.name, values, said, TRAINING + ASIDE, slice(None, -RESERVED))
    asked = [
        Example(f"{name}#{number}", name, family.name, text, answer)
        for number, (text, answer) in enumerate(pool[examples:])
    ]
    return SmallTask(
        name,
        family.name,
        tuple(values.values()),
        split,
        descriptions=known[:TRAINING],
        reworded=known[TRAINING:],
        unseen=wordings(family.name, values, said, ASIDE, slice(-RESERVED, None)),
        partial=partial(family.name, values, said),
        vague=vague(family.name, values, said),
        examples=tuple(Interaction(text, answer, None, family.name) for text, answer in pool[:examples]),
        queries=tuple(asked),
    )


def distinct(family: Family, values: Values, rng: Random, count: int) -> Iterator[tuple[str, str]]:
    """`count` different inputs with their answers."""
    met: set[str] = set()
    while len(met) < count:
        text, answer = family.make(values, rng)
        if text not in met:
            met.add(text)
            yield text, answer


def wordings(family: str, values: Values, rng: Random, count: int, part: slice) -> tuple[str, ...]:
    """`count` different descriptions from `part` of each list of phrases."""
    found: dict[str, None] = {}
    while len(found) < count:
        opening = rng.choice(OPENINGS[family][part])
        found[worded(opening, [rng.choice(PHRASES[key][part]) for key in keys(values)], values, rng)] = None
    return tuple(found)


def partial(family: str, values: Values, rng: Random) -> str:
    """A description in training's phrases that says nothing of one axis."""
    part = slice(None, -RESERVED)
    told = keys(values)
    told.remove(rng.choice(told))
    return worded(
        rng.choice(OPENINGS[family][part]), [rng.choice(PHRASES[key][part]) for key in told], values, rng
    )  # fmt: skip


def vague(family: str, values: Values, rng: Random) -> str:
    """A description that hints at every value."""
    opening = rng.choice(OPENINGS[family][:-RESERVED])
    return worded(opening, [VAGUE[key] for key in keys(values)], values, rng)


def keys(values: Values) -> list[str]:
    """The lists of phrases that say these values; a movie's tag is named in the phrase of its rule."""
    return [f"{axis}: {value}" for axis, value in values.items() if f"{axis}: {value}" in PHRASES]


def worded(opening: str, phrases: Sequence[str], values: Values, rng: Random) -> str:
    """One text: the opening, and the phrases in any order."""
    join = rng.choice(JOINS)
    told = [phrase.format(**values) for phrase in rng.sample(phrases, len(phrases))]
    return join.join([opening, *told]) + "."
