"""What a recipe needs beyond its own words, tried before anything is trained: trackers' packages, the profiles' writer.

Knows nothing of training. Source: P2P section 2 (profiles by a language model).
"""

from collections.abc import Mapping, Sequence

from tailorlm.assembly.recipes import Recipe, method
from tailorlm.data.records import User
from tailorlm.methods.source import Profiler
from tailorlm.profiles.given import has_text
from tailorlm.profiles.llm import ProfilesError
from tailorlm.training.settings import TrainSettings
from tailorlm.training.trackers import check_tracker


def check_trackers(recipe: Recipe) -> None:
    """ValueError, with the method, where the package of a tracker is missing."""
    for name in recipe.methods:
        train = getattr(method(recipe, name), "train", None)
        if isinstance(train, TrainSettings):
            try:
                check_tracker(train.tracker)
            except ValueError as error:
                raise ValueError(f"methods.{name}.{error}") from None


def check_given(recipe: Recipe, users: Sequence[User]) -> Mapping[str, int]:
    """How many training users bring no profile text, as a note about the data, where profiles are to be given.

    ValueError where none of them brings one: there would be nothing to tell users apart by.
    """
    if recipe.profile.kind != "given":
        return {}
    missing = sum(not has_text(user) for user in users)
    if users and missing == len(users):
        raise ValueError(
            f'profile.kind is "given", and none of the {missing} training users has a profile text in the data: '
            'expected "profile" in their lines, or another kind, such as "statistical"'
        )
    return {"training users without a profile": missing} if missing else {}


def try_writer(recipe: Recipe, users: Sequence[User], profile: Profiler) -> None:
    """One profile, of the training user with most to say. ValueError, with the setting, where it cannot be written.

    Profiles are wanted after MT-LoRA's training only: a writer that is not there would be found out then.
    """
    asked = [user for user in users if len(user.history) > 1 and not _given(recipe, user)]
    if not recipe.profile.written or not asked:
        return
    user = max(asked, key=lambda user: len(user.history))
    past = user.history[:-1]
    per_task = method(recipe, "p2p").cuts.scope == "task"
    try:
        profile(user.id, past, past[-1].task if per_task else None)
    except ProfilesError as error:
        endpoint = recipe.profile.endpoint
        raise ValueError(f"profile.endpoint {endpoint.url}: {error}" if endpoint else f"profile: {error}") from None


def _given(recipe: Recipe, user: User) -> bool:
    return recipe.profile.kind == "given_or_llm" and has_text(user)
