"""Where rules are computed. A backend turns a rule with its codecs into launches over tensors."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from adamas.codecs import Codec, Matrix, Projecting, trailing
from adamas.language import Rule
from adamas.weights import PLAIN, Weights

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: What a launch yields: global sum → its share per tensor; what it is sent: carried name → new value.
Steps = Generator[Mapping[str, Floats], Mapping[str, float], None]


@dataclass
class Tensor:
    """One parameter as a backend sees it: ``p`` is written in place, ``state`` holds a slot's arrays.

    ``order`` is the order of the axes in which its state lies in memory and its sums are taken. It is that of the
    parameter when the optimizer was made, and goes into every state: a pickled array may come back in another.
    ``weights`` says how the parameter is kept, ``key`` (see noise) what random bits it is rounded with.
    """

    name: str
    p: Array
    order: tuple[int, ...]
    state: dict[str, Array] = field(default_factory=dict)
    weights: Weights = PLAIN
    key: int = 0


@dataclass(frozen=True)
class Grads:
    """The gradients of one step. Those not in ``odd`` lie in memory as ``order_of`` says.

    present: which tensors have one; None for all. The others are left alone.
    """

    arrays: Sequence[Array]
    addresses: Ints
    odd: frozenset[int] = frozenset()
    present: npt.NDArray[np.bool] | None = None


class Launch(Protocol):
    """Tensors of one rule, one set of codecs, one way to keep weights, one parameter dtype and one gradient dtype."""

    def gate(self, grads: Grads) -> tuple[Floats, Floats]:
        """Per tensor: the sum of |g|² over finite elements, and the number of elements whose |g|² is not."""

    def step(self, grads: Grads, rows: Sequence[Mapping[str, float]], row_of: Ints, t: Ints) -> Steps:
        """Run one step; ``rows[row_of[i]]`` are tensor i's scalars, ``t[i]`` the number of its step, from 1.

        Yields once if the rule carries scalars.
        """

    def observe(self, grads: Grads, rows: Sequence[Mapping[str, float]], row_of: Ints) -> Mapping[str, Floats]:
        """Per tensor: the sums of ``program.observed`` for the step that would be made now. Writes nothing."""

    def workspace(self) -> int:
        """Bytes kept besides parameters and state."""


class Backend(Protocol):
    """A way to compute; ``name`` is what users call it."""

    name: str

    def launch(self, rule: Rule, codecs: Mapping[str, Codec], tensors: Sequence[Tensor], grad_dtype: Any) -> Launch:
        """Prepare the tensors for many steps."""

    def addresses(self, arrays: Sequence[Array]) -> Ints:
        """Where the data of plain ndarrays begin."""


def arithmetic(dtype: Any) -> np.dtype[Any]:
    """The dtype in which parameters of that dtype are stepped: float64 for float64, else float32."""
    return np.dtype(np.float64 if np.dtype(dtype) in (np.float64, np.complex128) else np.float32)


def matrix_of(rule: Rule, codecs: Mapping[str, Codec], shape: tuple[int, ...]) -> Matrix | None:
    """How sums over rows and columns see the tensor, None if there are none."""
    views = {c.matrix(shape) for c in codecs.values() if isinstance(c, Projecting)}
    if rule.by_line:
        views.add(trailing(shape) or (1, 1, math.prod(shape)))
    if len(views) > 1:
        raise ValueError(f"codecs {sorted(c.name for c in codecs.values())} see shape {shape} as different matrices")
    return views.pop() if views else None


def order_of(rule: Rule, codecs: Mapping[str, Codec], p: Array) -> tuple[int, ...]:
    """The order of the axes in which state lies in memory: that of the parameter, C order where rows matter."""
    if matrix_of(rule, codecs, p.shape):
        return tuple(range(p.ndim))
    return tuple(sorted(range(p.ndim), key=lambda axis: -abs(p.strides[axis])))


def dense_strides(shape: tuple[int, ...], order: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Strides in bytes of an array without gaps whose axes lie in that order."""
    strides, step = [0] * len(shape), itemsize
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)
