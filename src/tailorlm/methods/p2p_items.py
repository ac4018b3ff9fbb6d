"""Users' items as vectors, kept item by item: a new item adds one, a deleted one goes, nothing else is encoded again.

What an attention pool over items reads. A text is kept as its digest only. Knows nothing of networks or of who asks.
Source: design sections 2 and 4 (the profile vector is the record); issue 3 (attention over items).
"""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from tailorlm.profiles.encode import Encoder

Place = TypeVar("Place", bound=Hashable)


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """K items in the order in which they came: their texts' digests, and vectors (K, E) float32."""

    digests: tuple[str, ...]
    vectors: Tensor

    def __len__(self) -> int:
        return len(self.digests)

    def without(self, text: str) -> "ItemVectors":
        """Without the newest item of that text. ValueError where there is none."""
        if digest(text) not in self.digests:
            raise ValueError(f"none of the {len(self)} items has the digest {digest(text)[:12]}")
        gone = len(self) - 1 - self.digests[::-1].index(digest(text))
        kept = [place for place in range(len(self)) if place != gone]
        return ItemVectors(tuple(self.digests[place] for place in kept), self.vectors[kept])


def digest(text: str) -> str:
    """SHA-256 of the text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def added(
    kept: Mapping[Place, ItemVectors], texts: Mapping[Place, Sequence[str]], encoder: Encoder
) -> dict[Place, ItemVectors]:
    """What is kept with new items (oldest first) after the old; users who are not there yet begin with none.

    All new texts of all users are encoded in one call, each different one once, and no other text is.
    """
    different = sorted({text for said in texts.values() for text in said})
    number = {text: n for n, text in enumerate(different)}
    made = encoder(different).float().cpu() if different else torch.zeros(0, encoder.size)
    found = dict(kept)
    for place, said in texts.items():
        old = kept.get(place, ItemVectors((), made[:0]))
        vectors = torch.cat([old.vectors, made[[number[text] for text in said]]])
        found[place] = ItemVectors((*old.digests, *map(digest, said)), vectors)
    return found


def padded(kept: Sequence[ItemVectors]) -> tuple[Tensor, Tensor]:
    """Users' sets as vectors (U, K, E), zeros where a user has fewer, and mask (U, K); K is at least 1.

    ValueError for nobody.
    """
    if not kept:
        raise ValueError("no users: expected the items of at least one")
    most = max(1, *(len(items) for items in kept))
    vectors = kept[0].vectors.new_zeros(len(kept), most, kept[0].vectors.shape[1])
    mask = torch.zeros(len(kept), most, dtype=torch.bool)
    for row, items in enumerate(kept):
        vectors[row, : len(items)], mask[row, : len(items)] = items.vectors, True
    return vectors, mask
