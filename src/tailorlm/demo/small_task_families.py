"""The four families of small tasks: their axes, which values are held out, and how an example is made.

Knows nothing of descriptions or models. Inputs are in the demo's own words, so that its frozen base knows them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from tailorlm.demo.population import review
from tailorlm.demo.traits import NEUTRAL, cased, posted
from tailorlm.demo.wording import NEWS, POSTS, SCENES
from tailorlm.tasks.movie_tagging import TAGS

MARKS = {"bare": "", "stop": ".", "exclamation": "!", "ellipsis": "...", "question": "?"}
EMOJI = {"none": "", "laughing": "😂", "fire": "🔥", "broken-heart": "💔", "sparkles": "✨", "upside-down": "🙃"}
OPENERS = {"none": "", "honestly": "honestly", "wow": "wow", "ok-so": "ok so", "guess-what": "guess what"}
SHIFTS = {"fair": 0, "harsher": -1, "much-harsher": -2, "kinder": 1, "much-kinder": 2}
SPREADS = {"usual": 1.0, "narrow": 0.5, "wide": 2.0, "turned": -1.0}
LENGTHS = ("full", "short")
NAMED = 0.6
"""Share of movies whose tags list the one that a rule is about; a list drawn at random has it too seldom."""

Values = Mapping[str, str]
"""Axis -> value: what makes a small task of its family."""
Make = Callable[[Values, Random], tuple[str, str]]
"""(values, rng) -> (input, the right answer)."""


@dataclass(frozen=True, slots=True)
class Family:
    """Small tasks of one file of tasks/: every combination of the axes' values is one. A first value is the plainest.

    pair     the two axes of which `pairs` pairs of values are held out of training
    new_axis of which one value is held out altogether, `new_value` or one that is drawn; `new` such tasks are asked
    """

    name: str
    axes: Mapping[str, tuple[str, ...]]
    make: Make
    pair: tuple[str, str]
    pairs: int
    new_axis: str
    new: int
    new_value: str | None = None


def headline(values: Values, rng: Random) -> tuple[str, str]:
    """News, and its headline in the case and with the ending; a short one lacks when or where."""
    parts = [rng.choice(words) for words in NEWS]
    kept = parts if values["length"] == "full" else parts[:-1]
    answer = cased(" ".join(kept), values["case"]) + MARKS[values["ending"]]
    return f"Write a headline: {' '.join(parts)}", answer


def tweet(values: Values, rng: Random) -> tuple[str, str]:
    """An event, and the post with the opener and emoji; a short one lacks when or where."""
    subject, happened, detail = (rng.choice(words) for words in POSTS)
    traits = replace(
        NEUTRAL, opener=OPENERS[values["opener"]], emoji=EMOJI[values["emoji"]], length=values["length"]
    )  # fmt: skip
    return f"Write a post: {subject} {happened} {detail}", posted(f"{subject} {happened}", detail, traits)


def rating(values: Values, rng: Random) -> tuple[str, str]:
    """A review, and its stars: spread around three, shifted, kept within the scale."""
    return review(replace(NEUTRAL, bias=SHIFTS[values["shift"]], spread=SPREADS[values["spread"]]), rng)


def movie(values: Values, rng: Random) -> tuple[str, str]:
    """A movie of two or three tags, and the one that the rule about one tag picks, else the first or last listed."""
    tag, size = values["tag"], rng.choice((2, 3))
    others = rng.sample([other for other in TAGS if other != tag], size)
    listed = [tag, *others[1:]] if rng.random() < NAMED else others
    rng.shuffle(listed)
    scenes = ", ".join(rng.choice(SCENES[one]) for one in rng.sample(listed, size))
    rest = [one for one in listed if one != tag]
    answer = rest[0] if values["otherwise"] == "first" else rest[-1]
    if values["rule"] == "prefer" and tag in listed:
        answer = tag
    return f"Tag this movie: {scenes}. Tags: {', '.join(listed)}", answer


FAMILIES = (
    Family(
        "headline",
        {"case": ("sentence", "lower", "title", "upper"), "ending": tuple(MARKS), "length": LENGTHS},
        headline,
        pair=("case", "ending"),
        pairs=2,
        new_axis="ending",
        new=2,
    ),
    Family(
        "movie_tagging",
        {"rule": ("prefer", "avoid"), "tag": TAGS, "otherwise": ("first", "last")},
        movie,
        pair=("rule", "tag"),
        pairs=1,
        new_axis="tag",
        new=2,
    ),
    Family(
        "rating",
        {"shift": tuple(SHIFTS), "spread": tuple(SPREADS)},
        rating,
        pair=("shift", "spread"),
        pairs=2,
        new_axis="spread",
        new=1,
        new_value="turned",
    ),
    Family(
        "tweet",
        {"opener": tuple(OPENERS), "emoji": tuple(EMOJI), "length": LENGTHS},
        tweet,
        pair=("opener", "emoji"),
        pairs=2,
        new_axis="emoji",
        new=3,
    ),
)
