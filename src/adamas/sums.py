"""The order of every sum, shared by all backends so that they agree in every bit.

A tensor is cut into *items*, an item into *blocks*. Lane i of a block adds to lane i of the item; lanes are
folded in halves; items add up in order. A row adds up its blocks in lanes of its own. The cuts depend on the
shape alone, never on threads or grouping; elements follow each other as ``Tensor.order`` says.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adamas.codecs import Matrix

#: Elements of a block, hence lanes of a sum: 512 float64 lanes are 4 KiB, and stay in the first-level cache.
BLOCK = 512
#: Blocks of an item: one item is one unit of work for a thread.
BLOCKS = 64
CHUNK = BLOCK * BLOCKS
#: A matrix is cut into at most this many items, each with at least MIN_ROWS rows, so that the partial sums
#: of its columns stay below 1/32 of its own bytes.
MAX_PARTS, MIN_ROWS = 16, 64


def flat_items(size: int) -> npt.NDArray[np.int64]:
    """(start, stop) of each item of a tensor whose rows do not matter."""
    start = np.arange(0, size, CHUNK, dtype=np.int64)
    return np.stack([start, np.minimum(start + CHUNK, size)], axis=1)


def rows_per_part(matrix: Matrix) -> int:
    """Rows of a matrix that one item covers; at least all of them if it is not cut."""
    _, rows, columns = matrix
    return max(-(-CHUNK // max(columns, 1)), MIN_ROWS, -(-rows // MAX_PARTS))


def matrix_items(matrix: Matrix) -> npt.NDArray[np.int64]:
    """(first row, last row + 1) of each item; rows are counted through all the matrices."""
    count, rows, columns = matrix
    if count * rows * columns == 0:
        return np.empty((0, 2), np.int64)
    part = rows_per_part(matrix)
    if part >= rows:
        step = max(1, CHUNK // (rows * columns)) * rows
        start = np.arange(0, count * rows, step, dtype=np.int64)
        return np.stack([start, np.minimum(start + step, count * rows)], axis=1)
    inner = np.arange(0, rows, part, dtype=np.int64)
    start = (np.arange(count, dtype=np.int64)[:, None] * rows + inner).ravel()
    stop = (np.arange(count, dtype=np.int64)[:, None] * rows + np.minimum(inner + part, rows)).ravel()
    return np.stack([start, stop], axis=1)


def span(columns: int) -> int:
    """How many whole rows a block has, at least one; a longer row is cut into blocks."""
    return max(1, BLOCK // max(columns, 1))


def block_starts(size: int, matrix: Matrix | None) -> npt.NDArray[np.int64]:
    """Where each block begins, in elements."""
    if matrix is None or not size:
        return np.arange(0, size, BLOCK, dtype=np.int64)
    columns = matrix[2]
    tops = np.concatenate([np.arange(a, b, span(columns)) for a, b in matrix_items(matrix).tolist()])
    inner = np.arange(0, columns, BLOCK) if columns > BLOCK else np.zeros(1, np.int64)
    starts: npt.NDArray[np.int64] = (tops[:, None] * columns + inner).ravel()
    return starts


def row_lanes(columns: int) -> int:
    """Lanes of a sum over a row: a power of two, a block's at most."""
    return 1 << (min(columns, BLOCK) - 1).bit_length()


def parts(matrix: Matrix) -> int:
    """Into how many items one matrix is cut (1 where an item covers whole matrices)."""
    return max(1, -(-matrix[1] // rows_per_part(matrix)))
