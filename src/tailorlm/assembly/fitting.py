"""Makes profiles fit a trained network: what its slots cannot hold is left out and reported, user by user.

A network with fixed slots knows the facets of its training users only. One user with another task, or a label that
nobody had, must not stop a batch of good users, and must not pass in silence. Knows nothing of encoders.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tailorlm.profiles import given, llm
from tailorlm.profiles.profile import Profile, Statement

AMOUNT = "history"
"""The facet that says how long the history is: known of everybody, and nothing personal."""
NEUTRAL = (given.NEUTRAL, llm.NEUTRAL)
"""What is said of users of whom nothing is known."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A profile as the network can read it, and how many statements it lost."""

    profile: Profile
    lost: int

    @property
    def note(self) -> str:
        """What the caller should know, or "". Names no facet: a facet may be a user's text."""
        total = len(self.profile.statements) + self.lost
        neutral = [statement.text for statement in self.profile.statements if statement.text in NEUTRAL]
        if not any(s.facet != AMOUNT and s.text not in NEUTRAL for s in self.profile.statements):
            nothing = neutral[0] if neutral else "the history is empty"
            why = f"none of {total} statements is known to the network" if self.lost else nothing
            return f"nothing personal to go by ({why}): the neutral adapter"
        if self.lost:
            return f"{self.lost} of {total} statements are about what the network was not trained on; left out"
        return ""


def fit(profile: Profile, facets: Sequence[str]) -> Fit:
    """The profile with the network's facets only; as it is where the network has no slots."""
    if not facets:
        return Fit(profile, 0)
    known = frozenset(facets)
    kept = tuple(statement for statement in profile.statements if statement.facet in known)
    return Fit(replace(profile, statements=kept), len(profile.statements) - len(kept))


def from_text(user_id: str, text: str, facets: Sequence[str], template: str, task: str | None = None) -> Profile:
    """A profile from lines of text. A network with slots needs "facet = statement" a line, with its facets.

    Blank lines count for nothing. ValueError for a text without lines, and for a line without a known facet.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise ValueError("the profile text is empty: expected a statement a line")
    if not facets:
        said = tuple(Statement(f"line {number}", line) for number, line in lines)
        return Profile(user_id, task, said, template)
    return Profile(user_id, task, tuple(_slotted(number, line, facets) for number, line in lines), template)


def _slotted(number: int, line: str, facets: Sequence[str]) -> Statement:
    for facet in sorted(facets, key=len, reverse=True):
        after = line.removeprefix(facet).lstrip()
        if line.startswith(facet) and after.startswith("=") and after[1:].strip():
            return Statement(facet, after[1:].strip())
    some = ", ".join(sorted(facets)[:5])
    raise ValueError(
        f'profile text, line {number}: expected "facet = statement" with one of the network\'s {len(facets)} facets '
        f'({some}, ...): `tailor profile USERS --facets` writes them, and a network trained with pool "single" or '
        '"attention" reads free text'
    )
