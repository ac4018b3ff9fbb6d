"""The demo's people and its bench: who is in it, the small base model, how profiles are made.

Knows nothing of methods' results. Users go through the public JSONL on disk, as anybody's would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from tailorlm.assembly import profilers
from tailorlm.assembly.datasets import task_of
from tailorlm.assembly.recipes import ProfileSettings
from tailorlm.backbone.model import Backbone
from tailorlm.data.jsonl import read_users, write_users
from tailorlm.data.records import Example, Interaction, User
from tailorlm.demo.population import population
from tailorlm.demo.traits import Traits
from tailorlm.methods.source import Bench, Profiler
from tailorlm.profiles.cache import CachedEncoder
from tailorlm.profiles.encode import SentenceEncoder
from tailorlm.profiles.profile import Profile, Statement

PROFILE = ProfileSettings(kind="statistical", norms=True)
SIZES = {"train": 1500, "random": 200, "ood": 200}


@dataclass(frozen=True)
class World:
    """Users by split with their queries, and the traits that only the ceiling row is told."""

    users: dict[str, list[User]]
    queries: dict[str, list[Example]]
    traits: dict[str, Traits]


def make_world(directory: Path, seed: int, sizes: dict[str, int]) -> World:
    """Generate the population, write it as JSONL into `directory`, and read it back."""
    directory.mkdir(parents=True, exist_ok=True)
    users: dict[str, list[User]] = {}
    queries: dict[str, list[Example]] = {}
    traits: dict[str, Traits] = {}
    for split, size in sizes.items():
        members = list(population(split, size, seed))
        traits.update({member.user.id: member.traits for member in members})
        path = directory / f"{split}.jsonl"
        write_users(path, ((member.user, member.queries) for member in members))
        found = list(read_users(path))
        users[split] = [user for user, _ in found]
        queries[split] = [query for _, asked in found for query in asked]
    return World(users, queries, traits)


def counted(train: Sequence[User]) -> Profiler:
    """Profiles by counting, with labels from the tasks and rating norms from the training users."""
    make_all = profilers.make(PROFILE, profilers.learn(PROFILE, train))

    def profile(user_id: str, history: Sequence[Interaction], task: str | None) -> Profile:
        return make_all([User(user_id, tuple(history))], task)[0]

    return profile


def told(traits: dict[str, Traits]) -> Profiler:
    """The true traits in words, whatever the history: the ceiling of what profiles can say."""

    def profile(user_id: str, history: Sequence[Interaction], task: str | None) -> Profile:
        return Profile(user_id, task, true_statements(traits[user_id]), "true-traits-1")

    return profile


def true_statements(traits: Traits) -> tuple[Statement, ...]:
    """One statement a trait, and one a tag with its place in the ranking."""
    places = {f"movie_tagging: {tag}": f"{tag} is number {n + 1}" for n, tag in enumerate(traits.ranking)}
    rest = {
        "rating: bias": f"bias {traits.bias}",
        "rating: spread": f"spread {traits.spread}",
        "headline: case": f"case {traits.case}",
        "headline: ending": f"ending {NAMES.get(traits.ending, traits.ending)}",
        "tweet: opener": f"opener {traits.opener or 'none'}",
        "tweet: emoji": f"emoji {NAMES.get(traits.emoji, traits.emoji)}",
        "tweet: length": f"length {traits.length}",
    }
    return tuple(Statement(facet, text) for facet, text in sorted({**places, **rest}.items()))


NAMES = {
    "": "none", "!": "exclamation", "...": "ellipsis", "?": "question", ".": "full stop",
    "😂": "laughing", "🔥": "fire", "💔": "broken heart", "✨": "sparkles", "🙃": "upside down",
}  # fmt: skip


def base_directory() -> Path:
    """Where the package carries its small base model."""
    return Path(str(files("tailorlm.demo"))) / "base"


def make_bench(train: Sequence[User], cache: Path) -> Bench:
    """The small base, MiniLM with a disk cache, profiles by counting."""
    backbone = Backbone.load(str(base_directory()), dtype="float32")
    return Bench(backbone, task_of, counted(train), CachedEncoder(SentenceEncoder(), cache), max_tokens=256)
