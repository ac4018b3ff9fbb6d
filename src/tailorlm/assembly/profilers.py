"""How users' histories are put into words, as a recipe says; all kinds behind one call over many users.

Knows nothing of encoders or networks. What a statistical profile has learned of training users (rating norms) is
kept with the checkpoint. Source: P2P section 2.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tailorlm.assembly.datasets import task_of
from tailorlm.assembly.kept import Kept, Profilers
from tailorlm.assembly.recipes import ProfileSettings
from tailorlm.data.records import User
from tailorlm.methods.source import Profiler
from tailorlm.plugins import names
from tailorlm.profiles import given
from tailorlm.profiles.given_or import GivenOr
from tailorlm.profiles.llm import Summariser
from tailorlm.profiles.norms import PARTS, Norms, fit_apart, fit_norms
from tailorlm.profiles.number import number
from tailorlm.profiles.profile import Complete, Profile
from tailorlm.profiles.replies import CachedReplies, asker
from tailorlm.profiles.statistical import summarise
from tailorlm.profiles.templates import Template


@dataclass(frozen=True)
class Known:
    """What profiles rest on beside the user: tasks' label lists, and what training users rate; by task.

    `apart`: of each training user, by id, the norms that hold nothing of that user. It is never stored.
    """

    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    norms: Mapping[str, Norms] = field(default_factory=dict)
    apart: Mapping[str, Mapping[str | None, Norms]] = field(default_factory=dict, repr=False)

    def norms_for(self, user_id: str) -> Mapping[str | None, Norms]:
        """What others give: a training user's norms are those of other training users."""
        found = self.apart.get(user_id)
        return {task or None: norms for task, norms in self.norms.items()} if found is None else found


def learn(settings: ProfileSettings, users: Sequence[User]) -> Known:
    """What `settings` asks to be known, from training users only.

    ValueError where the template has words for a task that no training user has and no file of ours is.
    """
    check_tasks(settings.template, users)
    if settings.kind != "statistical":
        return Known()
    labels = labels_of({item.task for user in users for item in user.history}) if settings.labels else {}
    if not settings.norms:
        return Known(labels)
    norms = fit_norms(user.history for user in users)
    return Known(labels, {task or "": found for task, found in norms.items()}, norms_apart(users))


def check_tasks(template: Template, users: Sequence[User]) -> None:
    """ValueError with the task for words that nobody could be asked in, and with the tasks that there are."""
    worded = (*template.instructions, *template.descriptions)
    if not set(worded) <= set(names("tasks")):
        theirs = {item.task for user in users for item in user.history if item.task}
        for task in worded:
            if task not in theirs and task not in names("tasks"):
                raise ValueError(
                    f"profile.template has words for the task {task!a}; there are: "
                    f"{', '.join(sorted(theirs.union(names('tasks'))))}"
                )


def norms_apart(users: Sequence[User]) -> dict[str, Mapping[str | None, Norms]]:
    """By id the norms for each training user's own profile."""
    parts = min(PARTS, len(users))
    apart = fit_apart((user.history for user in users), parts)
    return {user.id: apart[n % parts] for n, user in enumerate(users)}


def labels_of(tasks: Iterable[str | None]) -> dict[str, tuple[str, ...]]:
    """The label lists of the tasks that have one; numbers are ratings, and no labels."""
    lists = {name: task_of(name).labels for name in sorted(filter(None, tasks))}
    return {
        name: labels
        for name, labels in lists.items()
        if labels and not all(number(label) is not None for label in labels)
    }


def make(settings: ProfileSettings, known: Known, complete: Complete | None = None, writer: str = "") -> Profilers:
    """The profiler of `settings`; a model that writes is its endpoint's, or `complete`, the model called `writer`.

    ValueError where a model is to write and there is neither.
    """
    match settings.kind:
        case "statistical":
            labels: dict[str | None, Sequence[str]] = {task: found for task, found in known.labels.items()}
            compares, sensitive = settings.norms or bool(known.norms), settings.template.sensitive

            def counted(users: Sequence[User], task: str | None) -> list[Profile]:
                norms = [known.norms_for(user.id) if compares else None for user in users]
                each = zip(users, norms, strict=True)
                return [summarise(u.id, u.history, task, labels, n, sensitive) for u, n in each]

            return counted
        case "given":
            return lambda users, task: [given.profile(user, task) for user in users]
        case "given_or_llm":
            return GivenOr(_summariser(settings, complete, writer))
        case _:
            return _summariser(settings, complete, writer)


def _summariser(settings: ProfileSettings, complete: Complete | None, writer: str) -> Summariser:
    if settings.endpoint is not None:
        return Summariser(asker(settings.endpoint), settings.endpoint.model, settings.template)
    if complete is None:
        raise ValueError(f"profile.kind is {settings.kind}: it needs the base model, or a [profile.endpoint] table")
    return Summariser(complete, writer, settings.template)


def replies_of(profilers: Profilers) -> CachedReplies | None:
    """Where a language model's replies are kept, if they are."""
    summariser = profilers.summariser if isinstance(profilers, GivenOr) else profilers
    complete = summariser.complete if isinstance(summariser, Summariser) else None
    return complete if isinstance(complete, CachedReplies) else None


def one_by_one(profilers: Profilers, users: Sequence[User]) -> Profiler:
    """`profilers` for one history at a time, or for some at once, as training asks; each is made once.

    Profile texts that came with `users` go with their ids.
    """
    return Kept(profilers, {user.id: user.profile for user in users})
