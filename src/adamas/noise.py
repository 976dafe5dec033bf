"""The random numbers of stochastic rounding, the same on every backend and for every number of threads.

A number is rounded by *dither*: u, even over [0, 1), is added in units of the last place that is kept, and what is
below is cut off. u differs by element and step, and no state is kept for it, so that a run that is resumed rounds as
one that was not interrupted. With a tensor's *key* (from the seed and the tensor's name), u is

    place's number xor (hash(key, block, slot) + step · golden section)

where a block is so many elements as they lie in memory, a place the index in it, and the numbers of places are hashed
once for all. Successive steps of one element so visit [0, 1) evenly, as the multiples of the golden section do:
rounding errors nearly cancel over time, where independent ones add up. xor with a place's number leaves that as it is
for every interval of 2⁻ᵏ, and tells the elements of a block apart.

The hash is the 32-bit mixer "lowbias32" (C. Wellons, "Prospecting for Hash Functions", 2018), keyed before and
in its middle.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]

#: The odd factors of the mixer, and the one by which the upper half of a place enters.
FACTORS, UPPER = (0x7FEB352D, 0x846CA68B), 0x9E3779B1
#: The golden section of 2³².
GOLDEN = 0x9E3779B9
#: Slots that are counted within a block; the last one is for the parameter itself.
SLOTS = 16
#: The bits of 1.0, over which a float has 23 bits of its own.
ONE = 0x3F800000


def key(seed: int, name: str) -> int:
    """The key of a tensor, 64 bits."""
    digest = blake2b(name.encode(), digest_size=8, key=(seed % 2**64).to_bytes(8, "little")).digest()
    return int.from_bytes(digest, "little")


def hashed(key: int, place: npt.NDArray[np.int64]) -> Words:
    """32 bits for each place."""
    low, high = place.astype(np.uint32), (place >> 32).astype(np.uint32)
    first, second = np.uint32(key & 0xFFFFFFFF), np.uint32(key >> 32)
    x = low ^ first
    x = (x ^ (x >> np.uint32(16))) * np.uint32(FACTORS[0]) ^ second ^ high * np.uint32(UPPER)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(FACTORS[1])
    return x ^ (x >> np.uint32(16))


def places(count: int) -> Words:
    """The number of each place of a block, as the bits of a float in [1, 2)."""
    return (hashed(0x9E3779B97F4A7C15, np.arange(count)) >> np.uint32(9)) | np.uint32(ONE)


def shifts(key: int, blocks: int, slot: int, t: int) -> Words:
    """What each block's numbers are combined with at step t, 23 bits."""
    whole = hashed(key, np.arange(blocks) * SLOTS + slot) + np.uint32(t * GOLDEN % 2**32)
    return whole >> np.uint32(9)


def dither(x: Floats, u: Floats, dtype: Any) -> Floats:
    """x rounded up or down to a number of a 16-bit dtype, up as often as x is near the upper one; u + 1 is given.

    A number is cut off at the last bit that is kept, after random bits were added below it. Where float16 is
    subnormal the last bit is 2⁻²⁴ for all, so that x is scaled to it first.
    """
    words, random = x.view(np.uint32), u.view(np.uint32) & np.uint32(0x7FFFFF)
    if np.dtype(dtype).name == "bfloat16":
        rounded = ((words + (random >> np.uint32(7))) & np.uint32(0xFFFF0000)).view(np.float32)
        return np.where(np.isnan(x), x, rounded)
    low = random >> np.uint32(10)
    normal = ((words + low) & np.uint32(0xFFFFE000)).view(np.float32)
    scaled = np.abs(x) * np.float32(2.0**24) + low.astype(np.float32) * np.float32(2.0**-13)
    small = np.copysign(np.trunc(scaled) * np.float32(2.0**-24), x)
    return np.where(np.isnan(x), x, np.where(np.abs(x) < np.float32(2.0**-14), small, normal))
