"""How one slot is kept. A *storing* codec keeps a number per element; a *projecting* one keeps means.

A projecting codec acts between ``moments`` and ``step``: the fresh slot is reduced to its means, and the step
sees what they decode to, never the fresh slot itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: (matrices, rows, columns): how a tensor is seen by the sums over rows and columns.
Matrix = tuple[int, int, int]


@dataclass(frozen=True)
class Codec:
    """Base of both kinds; ``bytes_doc`` is the state per parameter element, in words."""

    name: str
    bytes_doc: str


@dataclass(frozen=True)
class Storing(Codec):
    """One number per element, in the arithmetic dtype: float64 for float64 parameters, else float32."""


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


#: Every codec by its name.
CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        Storing("float32", "4"),
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
        ),
    )
}
