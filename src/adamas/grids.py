"""Codes of 8 and 4 bits for moving averages, and how numbers are rounded to them: what the kernels do, in NumPy.

A tensor is coded block by block (``sums.BLOCK`` elements as they lie in memory). The grids:

- *logarithmic*, for averages that are never negative: from the block's smallest positive number to its largest, in
  equal steps of the float's bit pattern, which is a logarithm but for the linear piece within each power of two. Code
  0 is zero, and nothing else is.
- *quotient*, for an m that no history of gradients takes above C·√v: m/√v in equal steps up to the block's largest.
  It is divided by the √v of before rounding and multiplied by that of after it: however v was rounded, the quotient,
  which is the step, is right. Here √ is that of the halved bit pattern, within 6% of the root: any positive function
  of v would do that is the same on both sides.
- *square*, for other signed averages: c·|c| in units of the block's largest over the square of the number of steps.

Rounding is by dither (see noise).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adamas import noise, sums
from adamas.codecs import Blocked

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

#: Bits of a float from which on it does not count for a grid: 2¹²⁶, so that no neighbour of a number is infinite.
LIMIT = 0x7E800000
#: The same of a quotient: 2¹⁶, far above what gradients can make of it, so that a v that overflowed or was set to zero
#: beside an m does not spoil its block. Below 2⁻¹⁰⁰ a block's largest counts as zero: no inverse overflows.
LARGEST_QUOTIENT, TINY = 0x47800000, 2.0**-100
#: What is added to half a float's bits to have those of its root.
ROOT = 0x1FBB4F2E
#: Bits of a float for each power of two.
BINADE = 1 << 23
#: A grid's steps are made wider than need be by a share of 1/SLACK, and kept until they are so by 1/KEPT.
SLACK, KEPT = 16, 4
#: The number of each place in a block (see noise).
PLACES = noise.places(sums.BLOCK)

_f32 = np.float32


@dataclass(frozen=True)
class Blocks:
    """How a tensor of so many elements is cut: where blocks begin, and the block and place of each element."""

    starts: Ints
    of: Ints
    place: Ints

    @classmethod
    def cut(cls, size: int, matrix: Any) -> Blocks:
        """The blocks of a tensor; ``matrix`` is how sums see it (see sums)."""
        starts = sums.block_starts(size, matrix)
        of = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, size)))
        return cls(starts, of, np.arange(size) - starts[of])

    def most(self, x: npt.NDArray[np.int64]) -> Ints:
        """The largest of each block."""
        most: Ints = np.maximum.reduceat(x, self.starts)
        return most

    def least(self, x: npt.NDArray[np.int64]) -> Ints:
        """The smallest of each block."""
        least: Ints = np.minimum.reduceat(x, self.starts)
        return least

    def dither(self, key: int, slot: int, t: int) -> Floats:
        """u + 1 of each element at step t, in [1, 2)."""
        return (PLACES[self.place] ^ noise.shifts(key, len(self.starts), slot, t)[self.of]).view(_f32)


def _bits(x: Floats) -> npt.NDArray[np.int32]:
    return np.ascontiguousarray(x, _f32).view(np.int32)


def _floats(bits: npt.NDArray[Any]) -> Floats:
    return bits.astype(np.int32).view(_f32)


def near(v: Floats) -> Floats:
    """The root of a number that is not negative, within 6%."""
    return _floats((_bits(v) >> 1) + np.int32(ROOT))


# --------------------------------------------------------------------------------- bfloat16


def upward(x: Floats) -> Floats:
    """x ≥ 0 rounded up to a bfloat16."""
    return np.where(np.isnan(x), x, _floats((_bits(x).astype(np.int64) + 0xFFFF) & 0xFFFF0000))


# ------------------------------------------------------------------------------ logarithmic


def logarithmic(x: Floats, u: Floats, codec: Blocked, blocks: Blocks, before: Floats) -> tuple[Codes, Floats, Floats]:
    """Codes of x ≥ 0, the lowest number of each block's grid, and its step in units of the last place.

    before: the steps of the grids that x was last coded on. As long as one reaches far enough and is not much wider
    than need be, it is kept, and all grids of a step have their numbers in the same places. An average moves by a
    thousandth a step: on a grid that follows the block's extremes it would be rounded anew for nothing.
    """
    bits = _bits(x).astype(np.int64)
    most = blocks.most(np.where(bits < LIMIT, bits, 0))
    least = np.maximum(blocks.least((bits - 1) % 2**32) + 1, most - codec.binades * BINADE)
    least = np.minimum(least, most)
    need = np.trunc((most - least).astype(_f32) * _f32(1 / (codec.last - 2))).astype(np.int64) + 1
    step = before.astype(np.int64)
    step = np.where((need <= step) & (step <= need + need // KEPT), step, need + need // SLACK)
    least = np.maximum(least // step * step, np.minimum(least, 1))
    inverse = _f32(1) / step.astype(_f32)
    height = (bits - least[blocks.of]).astype(np.int32).astype(_f32) * inverse[blocks.of]
    height = np.maximum(height, np.where(x > 0, _f32(0), _f32(-1)))
    height = np.minimum(height, _f32(codec.last - 1 - 2**-7))  # what is not finite
    return (height + u).astype(np.uint8), _floats(least), step.astype(_f32)


def from_logarithmic(codes: Codes, low: Floats, step: Floats, blocks: Blocks) -> Floats:
    """The numbers of codes."""
    above = (codes.astype(np.int64) - 1) * step.astype(np.int64)[blocks.of]
    return _floats(np.where(codes > 0, _bits(low).astype(np.int64)[blocks.of] + above, 0))


# ----------------------------------------------------------------------------------- signed


def _scales(x: Floats, steps: float, blocks: Blocks, limit: int) -> tuple[Floats, Floats]:
    """The number that each block's unit stands for, and its inverse: 0 for a block of zeros."""
    bits = _bits(x).astype(np.int64) & 0x7FFFFFFF
    most = _floats(blocks.most(np.where(bits < limit, bits, 0)))
    most = np.where(most < TINY, _f32(0), most)
    with np.errstate(all="ignore"):
        return most * _f32(1 / steps), np.where(most > 0, _f32(steps) / most, _f32(0))


def _settled(t: Floats, codec: Blocked) -> Codes:
    """Codes from numbers; those off the grid, which came from what is not finite, become zero."""
    fits = (_bits(t).astype(np.int64) % 2**32) < _bits(np.array([codec.last + 1], _f32))[0]
    return np.where(fits, t, codec.middle).astype(np.uint8)


def quotient(x: Floats, v: Floats, u: Floats, codec: Blocked, blocks: Blocks) -> tuple[Codes, Floats]:
    """Codes of x/√v, and each block's scale."""
    r = x / near(v)
    scale, inverse = _scales(r, codec.middle - 1 - 2**-6, blocks, LARGEST_QUOTIENT)
    return _settled(r * inverse[blocks.of] + (u + _f32(codec.middle - 1)), codec), scale


def from_quotient(codes: Codes, v: Floats, scale: Floats, codec: Blocked, blocks: Blocks) -> Floats:
    """The numbers of codes, v being what was kept beside them."""
    return (codes.astype(_f32) - _f32(codec.middle)) * (scale[blocks.of] * near(v))


def square(x: Floats, u: Floats, codec: Blocked, blocks: Blocks) -> tuple[Codes, Floats]:
    """Codes whose squares are in proportion to |x|, and each block's scale."""
    scale, inverse = _scales(x, (codec.middle - 1 - 2**-6) ** 2, blocks, LIMIT)
    z = np.abs(x) * inverse[blocks.of]
    z = np.where(z < codec.middle**2, z, _f32(0))  # a NaN, too
    root = np.trunc(np.sqrt(z))
    root = root + np.where(z - root * root > (u - _f32(1)) * (root + root + _f32(1)), _f32(1), _f32(0))
    return (np.where(x < 0, -root, root) + _f32(codec.middle)).astype(np.uint8), scale


def from_square(codes: Codes, scale: Floats, codec: Blocked, blocks: Blocks) -> Floats:
    """The numbers of codes."""
    c = codes.astype(_f32) - _f32(codec.middle)
    numbers: Floats = np.multiply(c, np.abs(c) * scale[blocks.of], dtype=_f32)
    return numbers


# ---------------------------------------------------------------------------------- packing


def packed_size(starts: Ints, size: int) -> int:
    """Bytes of 4-bit codes: each block begins a byte of its own."""
    return int(((np.diff(np.append(starts, size)) + 1) // 2).sum())


def pack(codes: Codes, blocks: Blocks) -> Codes:
    """Two codes in a byte: those of a block's first half below, those of its second half above."""
    parts: Sequence[Codes] = np.split(codes, blocks.starts[1:])
    out = []
    for part in parts:
        half = (len(part) + 1) // 2
        upper = np.zeros(half, np.uint8)
        upper[: len(part) - half] = part[half:]
        out.append(part[:half] | upper << 4)
    return np.concatenate(out)


def unpack(packed: Codes, blocks: Blocks, size: int) -> Codes:
    """The codes of a packed array."""
    lengths = np.diff(np.append(blocks.starts, size))
    halves = (lengths + 1) // 2
    out = []
    for part, length in zip(np.split(packed, np.cumsum(halves)[:-1]), lengths.tolist(), strict=True):
        out.append(np.concatenate([part & 15, part >> 4])[:length])
    return np.concatenate(out)
