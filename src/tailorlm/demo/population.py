"""A generated population in the public JSONL layout: every user does all four tasks in a personal way.

Knows nothing of models. Deterministic in (seed, split). About one item in ten is off-trait.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tailorlm.data.records import Example, Interaction, User
from tailorlm.demo.traits import NEUTRAL, Traits, draw_ood, draw_seen, headlined, off_trait, posted, rated
from tailorlm.demo.wording import ASPECTS, NEWS, OPINIONS, POSTS, SCENES
from tailorlm.tasks.movie_tagging import TAGS

TASKS = ("movie_tagging", "rating", "headline", "tweet")
OFF_TRAIT = 0.1
QUERIES_PER_TASK = 2
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Member:
    """A generated user with the queries asked of them and the traits that nobody else may see."""

    user: User
    queries: tuple[Example, ...]
    traits: Traits


def movie(traits: Traits, rng: random.Random) -> tuple[str, str]:
    """A movie that admits two or three tags, and the tag this user ranks first among them."""
    tags = rng.sample(TAGS, rng.choice((2, 3)))
    scenes = ", ".join(rng.choice(SCENES[tag]) for tag in rng.sample(tags, len(tags)))
    return f"Tag this movie: {scenes}. Tags: {', '.join(tags)}", min(tags, key=traits.ranking.index)


def plain_movie(rng: random.Random) -> tuple[str, str]:
    """A movie that admits one tag only of those listed."""
    tags = rng.sample(TAGS, rng.choice((2, 3)))
    scenes = ", ".join(rng.sample(SCENES[tags[0]], rng.choice((2, 3))))
    return f"Tag this movie: {scenes}. Tags: {', '.join(rng.sample(tags, len(tags)))}", tags[0]


def review(traits: Traits, rng: random.Random) -> tuple[str, str]:
    """A review of one of five levels, and the stars this user gives it."""
    level = rng.randint(1, 5)
    said = zip(rng.sample(ASPECTS, 2), rng.sample(OPINIONS[level - 1], 2), strict=True)
    text = ", ".join(f"the {aspect} was {opinion}" for aspect, opinion in said)
    return f"Rate this review from 1 to 5: {text}", rated(level, traits)


def news(traits: Traits, rng: random.Random) -> tuple[str, str]:
    """A piece of news, and its headline as this user writes it."""
    text = " ".join(rng.choice(words) for words in NEWS)
    return f"Write a headline: {text}", headlined(text, traits)


def post(traits: Traits, rng: random.Random) -> tuple[str, str]:
    """Something that happened, and the post this user makes of it."""
    subject, happened, detail = (rng.choice(words) for words in POSTS)
    return f"Write a post: {subject} {happened} {detail}", posted(f"{subject} {happened}", detail, traits)


MAKERS = {"movie_tagging": movie, "rating": review, "headline": news, "tweet": post}


def interaction(task: str, traits: Traits, rng: random.Random, time: float) -> Interaction:
    """One item of `task`; one in ten is off-trait."""
    mood = off_trait(traits, rng) if rng.random() < OFF_TRAIT else traits
    text, answer = MAKERS[task](mood, rng)
    return Interaction(text, answer, time, task)


def impersonal(task: str, rng: random.Random) -> tuple[str, str]:
    """A question with one right answer for everybody."""
    return plain_movie(rng) if task == "movie_tagging" else MAKERS[task](NEUTRAL, rng)


def member(name: str, traits: Traits, rng: random.Random, queries_per_task: int) -> Member:
    """A user of 20 to 40 items, the tasks mixed, and queries after the last of them."""
    order = [task for task in TASKS for _ in range(10)][: 4 * 10]
    rng.shuffle(order)
    order = order[: rng.randint(20, 40)]
    history = tuple(interaction(task, traits, rng, DAY * i) for i, task in enumerate(order))
    asked = [task for task in TASKS for _ in range(queries_per_task)]
    items = [interaction(task, traits, rng, DAY * (len(order) + i)) for i, task in enumerate(asked)]
    queries = tuple(
        Example(f"{name}-q{i}", name, item.task, item.input, item.output, item.time) for i, item in enumerate(items)
    )
    return Member(User(name, history), queries, traits)


def population(split: str, count: int, seed: int) -> Iterator[Member]:
    """`count` users of `split`: base, train, random or ood. Only `ood` has the held-out pairs, and in every task: no
    item of the others shows one.
    """
    if split not in ("base", "train", "random", "ood"):
        raise ValueError(f"split {split!r}: expected base, train, random or ood")
    pick = draw_ood if split == "ood" else draw_seen
    queries = QUERIES_PER_TASK if split in ("random", "ood") else 0
    for number in range(count):
        rng = random.Random(f"{seed}/{split}/{number}")
        yield member(f"{split}-{number:05d}", pick(rng), rng, queries)
