"""The random bits of stochastic rounding, the same on every backend and for every number of threads.

Bits are a hash of a tensor's *key* (from the seed and the tensor's name), its step, and an element's place: no state is
kept, and a run that is resumed rounds as one that was not interrupted. An element's place is its index in the order
in which the tensor's state lies in memory (``Tensor.order``).

The hash is the 32-bit mixer "lowbias32" (C. Wellons, "Prospecting for Hash Functions", 2018), keyed before and
in its middle; of its 32 bits the topmost are used.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

#: The odd factors of the mixer, and the one by which the upper half of an index enters.
FACTORS, UPPER = (0x7FEB352D, 0x846CA68B), 0x9E3779B1
_STEP, _SPLIT = np.uint64(0x9E3779B97F4A7C15), (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def key(seed: int, name: str) -> int:
    """The key of a tensor, 64 bits."""
    digest = blake2b(name.encode(), digest_size=8, key=(seed % 2**64).to_bytes(8, "little")).digest()
    return int.from_bytes(digest, "little")


def step_keys(keys: npt.NDArray[np.uint64], t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The keys of the tensors' steps t: splitmix64's finisher over a sequence that begins at each key."""
    x = keys + t.astype(np.uint64) * _STEP
    x = (x ^ (x >> np.uint64(30))) * _SPLIT[0]
    x = (x ^ (x >> np.uint64(27))) * _SPLIT[1]
    keys_of_steps: npt.NDArray[np.int64] = (x ^ (x >> np.uint64(31))).view(np.int64)
    return keys_of_steps


def bits(step_key: int, count: int) -> npt.NDArray[np.uint32]:
    """The bits of elements 0 … count − 1."""
    return hashed(step_key, np.arange(count))


def hashed(key: int, place: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """The bits of places."""
    low, high = place.astype(np.uint32), (place >> 32).astype(np.uint32)
    whole = key % 2**64
    first, second = np.uint32(whole & 0xFFFFFFFF), np.uint32(whole >> 32)
    x = low ^ first
    x = (x ^ (x >> np.uint32(16))) * np.uint32(FACTORS[0]) ^ second ^ high * np.uint32(UPPER)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(FACTORS[1])
    return x ^ (x >> np.uint32(16))


def dither(x: npt.NDArray[np.float32], random: npt.NDArray[np.uint32], dtype: Any) -> npt.NDArray[np.float32]:
    """x rounded up or down to a number of a 16-bit dtype, up as often as x is near the upper one.

    A number is cut off at the last bit that is kept, after random bits were added below it. Where float16 is
    subnormal the last bit is 2⁻²⁴ for all, so that x is scaled to it first.
    """
    words = x.view(np.uint32)
    if np.dtype(dtype).name == "bfloat16":
        rounded = ((words + (random >> np.uint32(16))) & np.uint32(0xFFFF0000)).view(np.float32)
        return np.where(np.isnan(x), x, rounded)
    low = random >> np.uint32(19)
    normal = ((words + low) & np.uint32(0xFFFFE000)).view(np.float32)
    scaled = np.abs(x) * np.float32(2.0**24) + low.astype(np.float32) * np.float32(2.0**-13)
    small = np.copysign(np.trunc(scaled) * np.float32(2.0**-24), x)
    return np.where(np.isnan(x), x, np.where(np.abs(x) < np.float32(2.0**-14), small, normal))
