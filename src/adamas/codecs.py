"""How one slot is kept. A *storing* codec keeps a number per element; a *projecting* one keeps means.

Of the storing ones, ``bfloat16`` rounds each number at random, ``int8`` and ``int4`` keep codes on a grid of each
block's own (see grids). A projecting codec acts between ``moments`` and ``step``: the fresh slot is reduced to its
means, and the step sees what they decode to, never the fresh slot itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adamas.language import Slot

#: (matrices, rows, columns): how a tensor is seen by the sums over rows and columns.
Matrix = tuple[int, int, int]


@dataclass(frozen=True)
class Codec:
    """Base of all kinds.

    bytes_doc: the state per parameter element, in words. caution: what it is not recommended for, as measured.
    """

    name: str
    bytes_doc: str
    caution: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Storing(Codec):
    """One number per element, in the arithmetic dtype: float64 for float64 parameters, else float32."""


@dataclass(frozen=True)
class Rounded(Codec):
    """One bfloat16 per element, rounded up or down at random; a maximum is only rounded up."""


@dataclass(frozen=True)
class Blocked(Codec):
    """One code per element, with a grid for each block of elements.

    bits: of a code; 4-bit codes lie two in a byte.
    binades: the widest range of a logarithmic grid, in powers of two.
    """

    bits: int
    binades: int

    @property
    def middle(self) -> int:
        """The code of zero on a signed grid, and the number of codes above it."""
        return 1 << (self.bits - 1)

    @property
    def last(self) -> int:
        """The largest code."""
        return (1 << self.bits) - 1


@dataclass(frozen=True)
class Projecting(Codec):
    """Means over parts of a matrix.

    means: what is kept, in the arithmetic dtype: "row" and "column" means, and "share", a row's mean over that of
        its matrix (0 where that is 0).
    decode: an elementwise expression of those means.
    matrix: shape → (matrices, rows, columns), or None where the codec cannot hold that shape.
    shapes: shape → the shape of each kept array.
    needs: what it can hold, for the error message.
    """

    means: tuple[str, ...]
    decode: Callable[..., Any]
    matrix: Callable[[tuple[int, ...]], Matrix | None]
    shapes: Callable[[tuple[int, ...]], Mapping[str, tuple[int, ...]]]
    needs: str


def trailing(shape: tuple[int, ...]) -> Matrix | None:
    """The last two dimensions as a matrix, the others as a stack of them; None for a vector or a number."""
    return (math.prod(shape[:-2]), shape[-2], shape[-1]) if len(shape) >= 2 else None


def _neurons(shape: tuple[int, ...]) -> Matrix | None:
    rows = shape[0] if len(shape) >= 2 else 1
    return (1, rows, math.prod(shape[1:] if len(shape) >= 2 else shape))


#: Tensors of fewer elements keep float32 instead of codes: they have little to save and, as the scales and biases of
#: layers, most to lose.
SMALL = 4096


@dataclass(frozen=True)
class Grid:
    """How a slot with a rounding codec is rounded, by the words of grids; ``place`` counts the rule's slots.

    root: the slot that a quotient is taken by.
    """

    kind: str
    codec: Any
    place: int
    root: str = ""

    @property
    def scales(self) -> tuple[str, ...]:
        """The numbers that each block has."""
        return {"logarithmic": ("low", "step"), "quotient": ("scale",), "square": ("scale",)}.get(self.kind, ())


def grids(slots: Sequence[Slot], codecs: Mapping[str, Codec]) -> dict[str, Grid]:
    """The grids of those slots that are rounded."""
    found = {}
    for place, slot in enumerate(slots):
        codec = codecs[slot.name]
        if isinstance(codec, Rounded):
            found[slot.name] = Grid("upward" if slot.keeps == "maximum" else "dithered", codec, place)
        elif isinstance(codec, Blocked) and slot.nonneg:
            found[slot.name] = Grid("logarithmic", codec, place)
        elif isinstance(codec, Blocked):
            root = "" if slot.root and isinstance(codecs[slot.root], Projecting) else slot.root
            found[slot.name] = Grid("quotient" if root else "square", codec, place, root)
    return found


#: Every codec by its name.
CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        Storing("float32", "4"),
        Rounded("bfloat16", "2"),
        Blocked("int8", "1", bits=8, binades=28),
        Blocked(
            "int4", "1/2", bits=4, binades=12, caution="sparse gradients, small convolutions (+2.6% loss on digits-cnn)"
        ),
        Projecting(
            # Row mean × column mean / mean of the last two dimensions, as Adafactor (arXiv:1804.04235). To keep
            # the quotient of the first and the last spares a division for each element and pass.
            name="factored",
            bytes_doc="4/columns + 4/rows",
            means=("share", "column"),
            decode=lambda share, column: share * column,
            matrix=trailing,
            shapes=lambda shape: {"share": shape[:-1], "column": shape[:-2] + shape[-1:]},
            needs="at least two dimensions",
            caution="small networks (+4% loss on digits-mlp)",
        ),
        Projecting(
            # One mean per output neuron (the first dimension), one for a vector, as Adam-mini (arXiv:2406.16793)
            name="mean",
            bytes_doc="4/columns",
            means=("row",),
            decode=lambda row: row,
            matrix=_neurons,
            shapes=lambda shape: {"row": shape[:1] if len(shape) >= 2 else ()},
            needs="any shape",
            caution="small networks (+4% loss on digits-mlp, +24% on digits-cnn)",
        ),
    )
}
