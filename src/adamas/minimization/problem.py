"""What is minimised: the user's function over one flat vector, its gradient, its bounds and its mini-batches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from adamas import nest

Array = npt.NDArray[Any]

#: What ``jac`` may be besides a function and True.
DIFFERENCES = ("2-point", "3-point", "cs")


def jitted(function: Any) -> bool:
    """Whether Numba has compiled it (which takes that Numba has been imported)."""
    dispatcher = sys.modules.get("numba.core.dispatcher")
    return dispatcher is not None and isinstance(function, dispatcher.Dispatcher)


# --------------------------------------------------------------------------------- the variables


class Variables:
    """The variables as the user has them, an array or a nest of arrays, and as one vector of float64 or float32."""

    def __init__(self, x0: Any) -> None:
        self.x0 = x0 = self._arrays(x0)
        leaves = nest.flatten(x0)
        if not leaves or not sum(a.size for a in leaves.values()):
            raise ValueError("x0 is empty; there is nothing to minimise over")
        for name, a in leaves.items():
            self._check(name, a)
        self.names = list(leaves)
        self.shapes = [a.shape for a in leaves.values()]
        dtype = np.result_type(*(a.dtype for a in leaves.values()))
        self.start: Array = np.concatenate([a.astype(dtype).ravel() for a in leaves.values()])
        self.dtype = self.start.dtype
        ends = np.cumsum([a.size for a in leaves.values()]).tolist()
        self.slices = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        self.bare = isinstance(x0, np.ndarray)
        self.flat = self.bare and len(self.shapes[0]) == 1
        self.form = nest.Form(x0)

    @staticmethod
    def _arrays(x0: Any) -> Any:
        """x0 with arrays for leaves; a list without arrays in it is an array, as in SciPy."""
        if not isinstance(x0, (dict, list, tuple)):
            return x0 if isinstance(x0, np.ndarray) else _numbers("x0", x0)
        leaves = nest.flatten(x0)
        if isinstance(x0, dict) or any(isinstance(leaf, np.ndarray) for leaf in leaves.values()):
            return nest.rebuild(x0, (_numbers(name, leaf) for name, leaf in leaves.items()))
        return _numbers("x0", x0)

    @staticmethod
    def _check(name: str, a: Array) -> None:
        label = "x0" if name == nest.BARE else f"x0, {name}"
        if a.dtype not in (np.float64, np.float32):
            remedy = "pass real and imaginary parts as two arrays" if a.dtype.kind == "c" else "pass x0.astype(float)"
            raise TypeError(f"{label}: dtype {a.dtype}; expected float64 or float32: {remedy}")
        bad = np.flatnonzero(~np.isfinite(a.ravel()))
        if bad.size:
            raise ValueError(f"{label}: element {bad[0]} is {a.ravel()[bad[0]]}; start from finite numbers")

    def views(self, flat: Array) -> list[Array]:
        """The leaves as views of a vector."""
        return [flat[part].reshape(shape) for part, shape in zip(self.slices, self.shapes, strict=True)]

    def user(self, flat: Array) -> Any:
        """A vector in the user's form, as views."""
        return flat.reshape(self.shapes[0]) if self.bare else nest.rebuild(self.x0, iter(self.views(flat)))

    def vector(self, value: Any, what: str) -> Array:
        """Something of the user's form as a vector; raises ValueError or TypeError where it is of another."""
        parts = [np.asarray(part) for part in self.form.leaves(value, what)]
        for name, part, shape in zip(self.names, parts, self.shapes, strict=True):
            if part.shape != shape and (part.size != np.prod(shape) or part.ndim > 1):
                label = what if name == nest.BARE else f"{what}, {name}"
                raise ValueError(f"{label}: shape {part.shape}; expected {shape}, that of x0")
            if part.dtype.kind not in "fiu":
                raise TypeError(f"{what}: dtype {part.dtype}; expected real numbers")
        return np.concatenate([part.ravel() for part in parts]).astype(self.dtype, copy=False)


def _numbers(name: str, value: Any) -> Array:
    """An array as it is; Python's numbers, which have no dtype, as float64."""
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value)
    try:
        found = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: no array can be made of it: {error}") from None
    return found.astype(np.float64) if found.dtype.kind in "iu" else found


# -------------------------------------------------------------------------------------- bounds


def limits(bounds: Any, variables: Variables) -> tuple[Array, Array] | None:
    """Lower and upper bounds as vectors; raises ValueError where they exclude x0 or each other."""
    if bounds is None:
        return None
    lower, upper = (a.astype(variables.dtype) for a in _sides(bounds, variables))
    crossed = np.flatnonzero(~(lower <= upper))
    if crossed.size:
        i = crossed[0]
        raise ValueError(f"bounds: of variable {i}, {lower[i]:g} … {upper[i]:g} holds no number")
    outside = np.flatnonzero((variables.start < lower) | (variables.start > upper))
    if outside.size:
        i = outside[0]
        raise ValueError(
            f"bounds: x0 is outside of them: variable {i} is {variables.start[i]:g}, "
            f"its bounds are {lower[i]:g} … {upper[i]:g}; start from np.clip(x0, lower, upper)"
        )
    return lower, upper


def _sides(bounds: Any, variables: Variables) -> tuple[Array, Array]:
    size = variables.start.size
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        shape = variables.shapes[0] if variables.bare else (size,)
        try:
            lower, upper = (np.broadcast_to(np.asarray(b, float), shape).ravel() for b in (bounds.lb, bounds.ub))
        except ValueError:
            raise ValueError(f"bounds: lb and ub do not fit the shape of x0, {shape}") from None
        return lower, upper
    if isinstance(bounds, dict):
        return _named(bounds, variables)
    pairs = list(bounds)
    if len(pairs) != size or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"bounds: expected a (lowest, highest) pair for each of the {size} variables, or a Bounds")
    return _side(pairs, 0, -np.inf), _side(pairs, 1, np.inf)


def _side(pairs: Sequence[Any], which: int, nothing: float) -> Array:
    return np.array([nothing if pair[which] is None else float(pair[which]) for pair in pairs])


def _named(bounds: dict[Any, Any], variables: Variables) -> tuple[Array, Array]:
    """Leaf → (lowest, highest), each a number, an array that fits the leaf, or None; other leaves are free."""
    lower, upper = np.full(variables.start.size, -np.inf), np.full(variables.start.size, np.inf)
    for name, pair in bounds.items():
        if name not in variables.names:
            raise ValueError(f"bounds: x0 has no {name!r}{nest.nearest(str(name), variables.names)}")
        i = variables.names.index(name)
        for side, value in zip((lower, upper), pair, strict=True):
            if value is not None:
                side[variables.slices[i]] = np.broadcast_to(np.asarray(value, float), variables.shapes[i]).ravel()
    return lower, upper


# --------------------------------------------------------------------------------- mini-batches


class Batches:
    """The mini-batches of each epoch.

    Arrays are cut along their first axis, in a new order each epoch unless ``shuffle`` is off; the last batch of an
    epoch may be smaller. Any other iterable gives batches as they are to be passed on, anew each epoch.
    """

    def __init__(self, data: Any, batch_size: int | None, seed: Any, shuffle: bool) -> None:
        self.arrays = self._arrays(data)
        self.data, self.shuffle = data, shuffle
        self.rng = np.random.default_rng(seed)
        if self.arrays is None:
            if batch_size is not None:
                raise ValueError("batch_size: an iterable gives batches as they are; leave batch_size out")
            self.length = len(data) if hasattr(data, "__len__") else None
            if self.length == 0:
                raise ValueError("data is empty")
            return
        self.examples = len(self.arrays[0])
        if not self.examples:
            raise ValueError("data is empty")
        self.batch_size = min(self.examples, 32 if batch_size is None else _count("batch_size", batch_size))
        self.length = -(-self.examples // self.batch_size)

    @staticmethod
    def _arrays(data: Any) -> tuple[Array, ...] | None:
        arrays = data if isinstance(data, tuple) else (data,)
        if not all(isinstance(a, np.ndarray) for a in arrays):
            if isinstance(data, tuple) or not isinstance(data, Iterable):
                raise TypeError("data: expected an array, a tuple of arrays, or an iterable of batches")
            return None
        if not arrays or any(a.ndim == 0 for a in arrays):
            raise ValueError("data: expected arrays with one entry an example")
        if len({len(a) for a in arrays}) > 1:
            raise ValueError(f"data: the arrays hold {[len(a) for a in arrays]} examples; expected as many in each")
        return arrays

    def epoch(self) -> tuple[Array, ...]:
        """The arrays in the order of the next epoch."""
        assert self.arrays is not None
        if not self.shuffle:
            return self.arrays
        order = self.rng.permutation(self.examples)
        return tuple(a[order] for a in self.arrays)

    def __iter__(self) -> Iterator[Any]:
        """The batches of the next epoch."""
        if self.arrays is None:
            yield from self.data
            return
        arrays = self.epoch()
        for i in range(0, self.examples, self.batch_size):
            parts = tuple(a[i : i + self.batch_size] for a in arrays)
            yield parts if isinstance(self.data, tuple) else parts[0]


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name}={value!r}: expected an integer of at least 1")
    return int(value)


# ------------------------------------------------------------------------ values and gradients


class Objective:
    """The user's function and gradient: ``at(x, batch)`` gives both, as a number and a vector.

    differences: calls of fun that differences took; otherwise fun is called once an evaluation.
    """

    def __init__(self, fun: Any, jac: Any, args: Any, variables: Variables, bounds: Any, with_batch: bool) -> None:
        if not callable(fun):
            raise TypeError(f"fun={fun!r}: expected a function")
        if jac is False:
            jac = None
        if not (callable(jac) or jac is True or jac is None or jac in DIFFERENCES):
            raise ValueError(f"jac={jac!r}: expected a function, True, None or one of {', '.join(DIFFERENCES)}")
        self.fun, self.jac, self.variables, self.bounds = fun, jac, variables, bounds
        self.args: tuple[Any, ...] = args if isinstance(args, tuple) else (args,)
        self.with_batch = with_batch
        self.differences = 0
        self.at: Callable[[Array, Any], tuple[float, Array]]
        self.at = self._both if jac is True else self._pair if callable(jac) else self._differences

    def _arguments(self, batch: Any) -> tuple[Any, ...]:
        return (batch, *self.args) if self.with_batch else self.args

    def _both(self, x: Array, batch: Any) -> tuple[float, Array]:
        found = self.fun(self._given(x), *self._arguments(batch))
        try:
            value, g = found
        except (TypeError, ValueError):
            raise TypeError(f"jac=True: fun must return (value, gradient), got {type(found).__name__}") from None
        return self.number(value), self.gradient(g)

    def _pair(self, x: Array, batch: Any) -> tuple[float, Array]:
        arguments = self._arguments(batch)
        value = self.number(self.fun(self._given(x), *arguments))
        return value, self.gradient(self.jac(self._given(x), *arguments))

    def _given(self, x: Array) -> Any:
        """A copy in the user's form: theirs to keep and to change."""
        known = self.variables
        return x.copy() if known.flat else known.user(x.copy())

    def _differences(self, x: Array, batch: Any) -> tuple[float, Array]:
        """SciPy's own differences, which keep within the bounds."""
        from scipy.optimize._numdiff import approx_derivative

        arguments = self._arguments(batch)

        def value(flat: Array) -> Any:
            self.differences += 1
            found = self.fun(self.variables.user(flat.copy()), *arguments)
            return found if self.jac == "cs" else self.number(found)

        first = self.number(np.real(value(x)))
        bounds = (-np.inf, np.inf) if self.bounds is None else self.bounds
        if not np.isfinite(first):
            return first, np.zeros_like(x)  # the value alone ends the run
        g = approx_derivative(value, x, method=self.jac or "2-point", f0=np.atleast_1d(first), bounds=bounds)
        return first, np.asarray(g, self.variables.dtype)

    def number(self, value: Any) -> float:
        """The value of fun as a number; raises ValueError if it is none."""
        if type(value) is float or type(value) is np.float64:
            return value
        found = np.asarray(value)
        if found.size != 1 or found.dtype.kind not in "fiub":
            raise ValueError(f"fun must return a real number, got {type(value).__name__} of shape {found.shape}")
        return float(found.item())

    def gradient(self, g: Any) -> Array:
        """The gradient as a vector of the variables' dtype; raises ValueError or TypeError if it has another form."""
        known = self.variables
        if type(g) is np.ndarray and known.bare and g.dtype is known.dtype and g.shape == known.shapes[0]:
            flat = g if g.ndim == 1 else g.ravel()
            return flat if flat.flags.carray else flat.copy()  # compiled code takes no read-only or unaligned array
        if known.bare and np.size(g) == known.start.size:
            g = np.reshape(np.asarray(g), known.shapes[0])  # SciPy's functions take (1, n) too
        return known.vector(g, "jac: the gradient")
