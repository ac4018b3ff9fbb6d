"""What makes a demo user different: eight traits, and what each does to an answer.

Knows nothing of histories or models. Held-out pairs of trait values (one set a task) make the `ood` users:
each value is common in training, the pair never occurs there.
"""

import random
from dataclasses import dataclass, replace

from tailorlm.tasks.movie_tagging import TAGS

BIASES = (-2, -1, 0, 1, 2)
SPREADS = (0.5, 1.0, 2.0)
CASES = ("sentence", "lower", "title", "upper")
ENDINGS = ("", "!", "...", "?", ".")
OPENERS = ("", "honestly", "wow", "ok so", "guess what")
EMOJI = ("", "😂", "🔥", "💔", "✨", "🙃")
LENGTHS = ("full", "short")


@dataclass(frozen=True, slots=True)
class Traits:
    """A user's latent traits; `ranking` orders all tags, most liked first."""

    ranking: tuple[str, ...]
    bias: int
    spread: float
    case: str
    ending: str
    opener: str
    emoji: str
    length: str


NEUTRAL = Traits(TAGS, 0, 1.0, "sentence", "", "", "", "full")
HELD_TAGS = tuple((tag, TAGS[(i + 3) % len(TAGS)]) for i, tag in enumerate(TAGS))
HELD_RATINGS = ((-1, 2.0), (1, 0.5), (2, 1.0))
HELD_HEADLINES = (("lower", "!"), ("upper", "..."), ("title", "?"), ("sentence", "."))
HELD_TWEETS = (("honestly", "🔥"), ("wow", "💔"), ("ok so", "✨"), ("guess what", "😂"), ("", "🙃"))


def held_out(traits: Traits) -> tuple[bool, ...]:
    """For each task, in the order of the tasks, whether these traits have one of its held-out pairs."""
    return (
        traits.ranking[:2] in HELD_TAGS,
        (traits.bias, traits.spread) in HELD_RATINGS,
        (traits.case, traits.ending) in HELD_HEADLINES,
        (traits.opener, traits.emoji) in HELD_TWEETS,
    )


def draw(rng: random.Random) -> Traits:
    """Any traits, every value equally likely."""
    return Traits(
        tuple(rng.sample(TAGS, len(TAGS))), rng.choice(BIASES), rng.choice(SPREADS), rng.choice(CASES),
        rng.choice(ENDINGS), rng.choice(OPENERS), rng.choice(EMOJI), rng.choice(LENGTHS),
    )  # fmt: skip


def draw_seen(rng: random.Random) -> Traits:
    """Traits with no held-out pair in any task."""
    while True:
        traits = draw(rng)
        if not any(held_out(traits)):
            return traits


def draw_ood(rng: random.Random) -> Traits:
    """Traits whose pair is held out in every task."""
    first, second = rng.choice(HELD_TAGS)
    rest = rng.sample([t for t in TAGS if t not in (first, second)], len(TAGS) - 2)
    bias, spread = rng.choice(HELD_RATINGS)
    case, ending = rng.choice(HELD_HEADLINES)
    opener, emoji = rng.choice(HELD_TWEETS)
    length = rng.choice(LENGTHS)
    return Traits((first, second, *rest), bias, spread, case, ending, opener, emoji, length)


def off_trait(traits: Traits, rng: random.Random) -> Traits:
    """The same user on an untypical day: one value of each task's traits is drawn anew.

    Whoever has no held-out pair has none on such a day either, so that no item of training shows one.
    """
    while True:
        day = _another_day(traits, rng)
        if any(held_out(traits)) or not any(held_out(day)):
            return day


def _another_day(traits: Traits, rng: random.Random) -> Traits:
    other = draw(rng)
    changed = replace(traits, ranking=other.ranking, bias=other.bias)
    changed = rng.choice((replace(changed, case=other.case), replace(changed, ending=other.ending)))
    opener, emoji = replace(changed, opener=other.opener), replace(changed, emoji=other.emoji)
    return rng.choice((opener, emoji, replace(changed, length=other.length)))


def rated(level: int, traits: Traits) -> str:
    """The stars that a user gives to a text of `level` 1 to 5: spread around 3, bias, then the scale's ends."""
    stars = 3 + traits.spread * (level - 3) + traits.bias
    return str(min(5, max(1, int(stars + 0.5))))


def cased(text: str, case: str) -> str:
    """`text` (lower case) in the user's letter case."""
    forms = {
        "sentence": text[:1].upper() + text[1:],
        "lower": text,
        "title": text.title(),
        "upper": text.upper(),
    }
    return forms[case]


def headlined(text: str, traits: Traits) -> str:
    """The headline as the user writes it: letter case, then the ending."""
    return cased(text, traits.case) + traits.ending


def posted(text: str, detail: str, traits: Traits) -> str:
    """The post as the user writes it: opener, text, the detail unless short, emoji."""
    parts = [traits.opener, text, "" if traits.length == "short" else detail, traits.emoji]
    return " ".join(part for part in parts if part)
