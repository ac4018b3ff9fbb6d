"""Random numbers by key: the same key gives the same numbers, whoever else draws, in whatever order.

Knows nothing of users or training. This is splitmix64 (Steele, Lea and Flood 2014; its first 24 bits), on any
device, all keys at once; dropout for users trained side by side draws from it.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

_GOLDEN, _MIX_1, _MIX_2 = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15


def key_of(*parts: object) -> int:
    """A stream's key, a signed 64-bit number, from what names it (a seed and a user's id, say)."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def subkeys(keys: Tensor, numbers: Tensor) -> Tensor:
    """Keys of streams within streams, any shape, int64: `numbers` (a step, a row) broadcast with `keys`."""
    return _mix(keys + (numbers + 1) * _GOLDEN)


def uniforms(keys: Tensor, shape: Sequence[int]) -> Tensor:
    """Numbers in [0, 1) for each of `keys` (N,) int64: (N, *shape) float32."""
    count = torch.Size(shape).numel()
    counter = torch.arange(1, count + 1, device=keys.device) * _GOLDEN
    bits = _mix(keys[:, None] + counter)
    return (_shifted(bits, 40).to(torch.float32) * 2.0**-24).view(len(keys), *shape)


def _mix(z: Tensor) -> Tensor:
    z = (z ^ _shifted(z, 30)) * _MIX_1
    z = (z ^ _shifted(z, 27)) * _MIX_2
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Right by `bits` as if unsigned."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
