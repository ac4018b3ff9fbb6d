"""Profiles written by a language model: the base model itself or an endpoint, through a `Complete` callable.

A user whose summary does not come costs no other theirs: the error that says so has all that came. Knows nothing of
which model answers or how. Source: P2P section 2, s_u = Profiler(H_u) by the base LLM.
"""

import re
from collections import Counter
from collections.abc import Sequence

from tailorlm.data.records import User
from tailorlm.profiles.endpoint import BatchError, EndpointError, Reply
from tailorlm.profiles.profile import Complete, Profile, Statement
from tailorlm.profiles.replies import claim
from tailorlm.profiles.sensitive import named
from tailorlm.profiles.templates import Template, prompt

NEUTRAL = "nothing is known of this user yet"
BULLET = re.compile(r"^\s*(?:[-*•]+|\d+[.)])?\s*")


class ProfileError(ValueError):
    """A user has no profile; says who and why, without the user's words."""

    def __init__(self, user_id: str, reason: str) -> None:
        super().__init__(f"user {user_id!r} has no profile: {reason}")
        self.user_id, self.reason = user_id, reason


class ProfilesError(ValueError):
    """Some users of many have no profile. `found`: for each user the profile or the ProfileError, in order."""

    def __init__(self, found: "Sequence[Profile | ProfileError]") -> None:
        failed = [one for one in found if isinstance(one, ProfileError)]
        more = f" ({len(failed)} of {len(found)} users have none)" if len(found) > 1 else ""
        super().__init__(f"{failed[0]}{more}")
        self.found = found


class Summariser:
    """Asks `complete` for the summary of each user; `writer` names the model and is part of the template
    version.

    `left_out` counts, by trait, the statements that named a sensitive trait although the model was told not
    to.
    """

    def __init__(self, complete: Complete, writer: str, template: Template | None = None) -> None:
        self.complete, self.template = complete, template or Template()
        self.version = f"{self.template.version}:{writer}"
        self.left_out: Counter[str] = Counter()

    def __call__(self, users: Sequence[User], task: str | None = None) -> list[Profile]:
        """A profile a user, in order, from all of each history (cut it first) or from the items of `task`.

        A user without items gets a neutral profile and is not asked about. ProfilesError, which has the others'
        profiles, where a user's request failed or the reply is empty.
        """
        histories = [[item for item in user.history if task is None or item.task == task] for user in users]
        known = [index for index, history in enumerate(histories) if history]
        prompts = [prompt(self.template, users[i].id, histories[i], task) for i in known]
        claim(self.complete, ((users[i].id, asked) for i, asked in zip(known, prompts, strict=True)))
        replies = self._replies(prompts)
        said = dict(zip(known, replies, strict=True))
        found = [self._profile(user.id, task, said.get(index)) for index, user in enumerate(users)]
        made = [one for one in found if isinstance(one, Profile)]
        if len(made) < len(found):
            raise ProfilesError(found)
        return made

    def _replies(self, prompts: Sequence[str]) -> Sequence[Reply]:
        try:
            replies: Sequence[Reply] = self.complete(prompts)
        except BatchError as error:
            replies = error.replies
        if len(replies) != len(prompts):
            raise ValueError(f"the model gave {len(replies)} replies to {len(prompts)} prompts")
        return replies

    def _profile(self, user_id: str, task: str | None, reply: Reply | None) -> Profile | ProfileError:
        if reply is None:
            return Profile(user_id, task, (Statement("summary", NEUTRAL),), self.version)
        if isinstance(reply, EndpointError):
            return ProfileError(user_id, reply.reason)
        found = statements(reply, self.template.headings)
        if not found:
            return ProfileError(user_id, "the model's summary is empty; expected at least one line")
        return Profile(user_id, task, self._cleared(found), self.version)

    def _cleared(self, found: Sequence[Statement]) -> tuple[Statement, ...]:
        """Without statements that name a sensitive trait; neutral when none is left."""
        kept = []
        for statement in found:
            traits = named(statement.text, self.template.sensitive)
            self.left_out.update(traits)
            if not traits:
                kept.append(statement)
        return tuple(kept) or (Statement("summary", NEUTRAL),)


def statements(reply: str, headings: Sequence[str]) -> list[Statement]:
    """A statement a heading that the reply has a line for; lines under it belong to it. Facets are the
    headings.

    What comes before the first heading, or a reply without any, is one statement with the facet "summary".
    """
    known = {heading.lower(): heading for heading in headings}
    gathered: dict[str, list[str]] = {}
    facet = "summary"
    for line in reply.splitlines():
        text = BULLET.sub("", line).replace("**", "").strip()
        before, colon, after = text.partition(":")
        if colon and before.strip().lower() in known:
            facet, text = known[before.strip().lower()], after.strip()
        if text:
            gathered.setdefault(facet, []).append(text)
    return [Statement(facet, _said(facet, " ".join(texts))) for facet, texts in gathered.items()]


def _said(facet: str, text: str) -> str:
    return text if facet == "summary" else f"{facet}: {text}"
