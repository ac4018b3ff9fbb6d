"""Many profiles' vectors, each distinct text stored once: (V, E) vectors and (P, K) ids into them.

Knows nothing of users or of what statements say. Source: issue 2 (K = 1 as published, K > 1 by fixed facet
slots or as a set).
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

from tailorlm.profiles.cache import claim
from tailorlm.profiles.encode import Encoder
from tailorlm.profiles.profile import Profile

Mode = Literal["joined", "facets", "set"]
OnUnknown = Literal["error", "count"]
Slots = list[str | None]


class UnknownFacets(ValueError):
    """Statements that no slot is for; `counts` has them by facet (which may hold users' text)."""

    def __init__(self, counts: Counter[str], known: int) -> None:
        self.counts = counts
        super().__init__(
            f"{len(counts)} facets ({counts.total()} statements) are not among the {known} known "
            'ones; use the facets and template of the network, or keep a count: on_unknown="count"'
        )


@dataclass(frozen=True)
class VectorTable:
    """`unique` (V, E) float32; `ids` (P, K) long, -1 where a profile has nothing in a slot.

    `facets` names the K slots (empty unless built by facets); `unknown` counts statements left out because
    their facet has no slot.
    """

    unique: torch.Tensor
    ids: torch.Tensor
    facets: tuple[str, ...] = ()
    unknown: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.ids)

    def gather(self, p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Profiles p (U,) long -> vectors (U, K, E), zero where missing, and mask (U, K) bool, True where
        present.
        """
        ids = self.ids[p]
        mask = ids >= 0
        return self.unique[ids.clamp(min=0)] * mask.unsqueeze(-1), mask

    def to(self, device: str | torch.device) -> "VectorTable":
        return VectorTable(self.unique.to(device), self.ids.to(device), self.facets, self.unknown)


def facet_names(profiles: Sequence[Profile]) -> tuple[str, ...]:
    """Every facet of the profiles, sorted: the slots that a network trained on them has."""
    return tuple(sorted({statement.facet for profile in profiles for statement in profile.statements}))


def shared_facets(profiles: Sequence[Profile], users: int) -> tuple[str, ...]:
    """The facets, sorted, without those that are users' own text and that fewer than `users` users have."""
    own: dict[str, set[str]] = {}
    for profile in profiles:
        for statement in profile.statements:
            if statement.own:
                own.setdefault(statement.facet, set()).add(profile.user_id)
    return tuple(name for name in facet_names(profiles) if name not in own or len(own[name]) >= users)


def build_table(
    profiles: Sequence[Profile], encoder: Encoder, mode: Mode = "joined", facets: Sequence[str] | None = None,
    on_unknown: OnUnknown = "error",
) -> VectorTable:  # fmt: skip
    """Encode each distinct text once; a cache learns whose they are. joined: K = 1, all statements as one text.
    facets: a slot a facet, in the order of `facets` (default: `facet_names(profiles)`). set: statements in order,
    padded to the longest profile.

    ValueError for no profiles, for profiles of different templates, for a facet said twice of one user; UnknownFacets
    for statements without a slot, of another template or task. Those whose facet is a user's own text are counted
    either way: training leaves them out where few users have them (`shared_facets`).
    """
    _check(profiles)
    names = tuple(facets if facets is not None else facet_names(profiles)) if mode == "facets" else ()
    unknown: Counter[str] = Counter()
    match mode:
        case "joined":
            rows = [[profile.text or None] for profile in profiles]
        case "facets":
            rows = [_slots(profile, names, unknown) for profile in profiles]
        case "set":
            rows = _padded(profiles)
        case _:
            raise ValueError(f"mode {mode!r}: expected joined, facets or set")
    if unknown and on_unknown == "error" and (foreign := _not_own(profiles, unknown)):
        raise UnknownFacets(foreign, len(names))
    said = zip(profiles, rows, strict=True)
    claim(encoder, ((profile.user_id, text) for profile, row in said for text in row if text is not None))
    return VectorTable(*_encode(rows, encoder), names, unknown)


def _check(profiles: Sequence[Profile]) -> None:
    templates = sorted({profile.template for profile in profiles})
    if len(templates) != 1:
        raise ValueError(f"profiles of {len(templates)} templates {templates}: expected profiles of one template")


def _slots(profile: Profile, names: Sequence[str], unknown: Counter[str]) -> Slots:
    said = {statement.facet: statement.text for statement in profile.statements}
    if len(said) != len(profile.statements):
        raise ValueError(f"user {profile.user_id!r}: two statements have one facet; expected one a facet")
    unknown.update(said.keys() - set(names))
    return [said.get(name) for name in names]


def _not_own(profiles: Sequence[Profile], facets: Collection[str]) -> Counter[str]:
    """Statements with one of these facets, but for users' own text."""
    said = (statement for profile in profiles for statement in profile.statements)
    return Counter(statement.facet for statement in said if statement.facet in facets and not statement.own)


def _padded(profiles: Sequence[Profile]) -> list[Slots]:
    longest = max(1, max(len(profile.statements) for profile in profiles))
    rows: list[Slots] = []
    for profile in profiles:
        texts = [statement.text for statement in profile.statements]
        rows.append([*texts, *[None] * (longest - len(texts))])
    return rows


def _encode(rows: Sequence[Slots], encoder: Encoder) -> tuple[torch.Tensor, torch.Tensor]:
    texts = sorted({text for row in rows for text in row if text is not None})
    place: dict[str | None, int] = {text: index for index, text in enumerate(texts)}
    place[None] = -1
    unique = encoder(texts) if texts else torch.zeros(1, encoder.size)
    return unique, torch.tensor([[place[text] for text in row] for row in rows], dtype=torch.long)
