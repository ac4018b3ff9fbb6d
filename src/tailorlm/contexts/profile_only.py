"""The user's profile before the query, and nothing of the history itself.

Knows nothing of how profiles are made. Source: PRISP's PAG (the profile text alone); reference section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tailorlm.backbone.prompt import Prompt
from tailorlm.contexts.context import Request
from tailorlm.contexts.wording import PROFILE, check, fill


@dataclass(frozen=True, slots=True)
class Settings:
    """`wording` frames the profile: it has "{profile}" once, and ends where the query begins."""

    wording: str = "About the user:\n{profile}\n\n"

    def __post_init__(self) -> None:
        """ValueError for a wording without its field."""
        check("wording", self.wording, PROFILE)


def build(requests: Sequence[Request], settings: Settings) -> list[Prompt]:
    """The requests' prompts (N), the profile last in their context; unchanged for a user without one."""
    said = (fill(settings.wording, PROFILE, request.profile) for request in requests)
    return [
        replace(request.prompt, context=request.prompt.context + profile)
        for request, profile in zip(requests, said, strict=True)
    ]
