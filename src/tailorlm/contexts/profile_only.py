"""The user's profile before the query, and nothing of the history itself.

Knows nothing of how profiles are made. Source: PRISP's PAG (the profile text alone); reference section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request

FIELD = "{profile}"


@dataclass(frozen=True, slots=True)
class Settings:
    """`wording` frames the profile: it has "{profile}" once, and ends where the query begins."""

    wording: str = "About the user:\n{profile}\n\n"

    def __post_init__(self) -> None:
        if self.wording.count(FIELD) != 1:
            raise ValueError(f"wording has {FIELD} {self.wording.count(FIELD)} times: expected once")


def build(requests: Sequence[Request], settings: Settings) -> list[Prompt]:
    """The requests' prompts (N), the profile last in their context; unchanged for a user without one."""
    return [_with_profile(request, settings.wording) for request in requests]


def _with_profile(request: Request, wording: str) -> Prompt:
    if not request.profile:
        return request.prompt
    # Not str.format: a user's profile may hold braces.
    framed = wording.replace(FIELD, request.profile)
    return replace(request.prompt, context=request.prompt.context + framed)
