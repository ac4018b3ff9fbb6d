"""Profiles of users of whom some bring a text of their own: theirs is taken, the others' are written.

Knows nothing of who writes. Source: P2P section 2, "if a pre-existing profile is available ... we use it" (tables 1 to
3: Personal Reddit and Empathetic Conversations beside LaMP).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tailorlm.data.records import User
from tailorlm.profiles import given
from tailorlm.profiles.given import has_text
from tailorlm.profiles.llm import ProfileError, ProfilesError, Summariser
from tailorlm.profiles.profile import Profile


class GivenOr:
    """The own text of each user who has one, and is not asked about; the summariser's profiles of the others.

    All have one template version, `version`: one network reads them.
    """

    def __init__(self, summariser: Summariser) -> None:
        self.summariser, self.version = summariser, f"{given.VERSION}|{summariser.version}"

    def __call__(self, users: Sequence[User], task: str | None = None) -> list[Profile]:
        """A profile a user, in order. ProfilesError as the summariser raises it, with everybody's."""
        silent = [user for user in users if not has_text(user)]
        try:
            written: Iterator[Profile | ProfileError] = iter(self.summariser(silent, task) if silent else ())
        except ProfilesError as error:
            written = iter(error.found)
        found = [given.profile(user, task) if has_text(user) else next(written) for user in users]
        marked = [replace(one, template=self.version) if isinstance(one, Profile) else one for one in found]
        made = [one for one in marked if isinstance(one, Profile)]
        if len(made) < len(marked):
            raise ProfilesError(marked)
        return made
