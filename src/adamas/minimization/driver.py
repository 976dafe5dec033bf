"""The loop around a function that Numba compiled: no step of it returns to Python."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import njit
from numba.extending import overload

#: What the loop returns instead of a reason to stop if a gradient has another shape than x.
SHAPE = -1

# given and shaped are one copy of x, as a vector and as x0 is shaped: it is fun's to change
_DRIVER = """
def drive(fun, jac, args, arrays, ints, floats, x, given, shaped, g, count, row, size):
    seen, reason = 0, 0
    while seen < count and reason == 0:
        {again}
        {evaluate}
        if slope.shape != shaped.shape:
            return seen, {SHAPE}
        seen, row = seen + 1, row + size
        reason = advance(ints, floats, as_vector(slope.ravel(), g), float(value), 0)
    return seen, reason
"""


def as_vector(slope: Any, g: Any) -> Any:
    """The gradient as a vector of g's type, itself or converted into g; exists in compiled code only."""


@overload(as_vector)
def _as_vector(slope: Any, g: Any) -> Any:
    def itself(slope: Any, g: Any) -> Any:
        return slope

    def converted(slope: Any, g: Any) -> Any:
        for i in range(g.size):
            g[i] = slope[i]
        return g

    return itself if slope == g else converted


@cache
def driver(advance: Any, both: bool, arrays: int, tuples: bool) -> Any:
    """``drive`` as a Numba function, which is compiled for each function that it is called with.

    both: fun returns the value and the gradient. arrays: of the data, 0 without; tuples: whether a batch is a tuple.
    """
    parts = [f"arrays[{i}][row : row + size]" for i in range(arrays)]
    batch = f"({', '.join(parts)},), " if tuples else "".join(f"{part}, " for part in parts)
    call = f"(shaped, {batch}*args)"
    again = "for i in range(x.size):\n            given[i] = x[i]"
    lines = [f"value, slope = fun{call}"] if both else [f"value = fun{call}", again, f"slope = jac{call}"]
    text = _DRIVER.format(evaluate="\n        ".join(lines), again=again, SHAPE=SHAPE)
    space: dict[str, Any] = {"advance": advance, "as_vector": as_vector}
    exec(compile(text, "<adamas.minimize>", "exec"), space)
    return njit(error_model="numpy")(space["drive"])
