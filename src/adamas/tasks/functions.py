"""Functions that optimizers are tried on, in float64, with their gradients and known minima.

Sources: Rosenbrock, 1960; Beale, 1958; Himmelblau, 1972; Ackley, 1987; Rastrigin, 1974; as collected by Jamil & Yang,
2013, arXiv:1308.4008.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adamas.tasks import Array, Batch, Params, Task


@dataclass(frozen=True)
class Function:
    """A function of a vector.

    doc: what it is like, in one sentence. value(x), gradient(x). minima: the known global ones, a row each.
    start: where to begin, or (low, high), between which each variable is drawn. lr, steps: enough for plain Adam.
    noise: standard deviation of what is added to each component of the gradient.
    """

    doc: str
    value: Callable[[Array], float]
    gradient: Callable[[Array], Array]
    minima: Array
    start: Array | tuple[float, float]
    lr: float
    steps: int
    noise: float = 0.0


def _rosenbrock(x: Array) -> float:
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def _rosenbrock_gradient(x: Array) -> Array:
    g = np.zeros_like(x)
    off = x[1:] - x[:-1] ** 2
    g[:-1] = -400 * x[:-1] * off - 2 * (1 - x[:-1])
    g[1:] += 200 * off
    return g


def _beale_terms(x: Array) -> Array:
    a, b = x
    return np.array([1.5 - a + a * b, 2.25 - a + a * b**2, 2.625 - a + a * b**3])


def _beale_gradient(x: Array) -> Array:
    a, b = x
    slopes = np.array([[b - 1, a], [b**2 - 1, 2 * a * b], [b**3 - 1, 3 * a * b**2]])
    return np.asarray(2 * _beale_terms(x) @ slopes)


def _himmelblau(x: Array) -> float:
    a, b = x
    return float((a**2 + b - 11) ** 2 + (a + b**2 - 7) ** 2)


def _himmelblau_gradient(x: Array) -> Array:
    a, b = x
    u, v = a**2 + b - 11, a + b**2 - 7
    return np.array([4 * a * u + 2 * v, 2 * u + 4 * b * v])


def _booth(x: Array) -> float:
    a, b = x
    return float((a + 2 * b - 7) ** 2 + (2 * a + b - 5) ** 2)


def _booth_gradient(x: Array) -> Array:
    a, b = x
    u, v = a + 2 * b - 7, 2 * a + b - 5
    return np.array([2 * u + 4 * v, 4 * u + 2 * v])


def _ackley(x: Array) -> float:
    waves = np.mean(np.cos(2 * math.pi * x))
    return float(20 - 20 * np.exp(-0.2 * np.sqrt(np.mean(x**2))) + math.e - np.exp(waves))


def _ackley_gradient(x: Array) -> Array:
    size = np.sqrt(np.mean(x**2))
    cone = 4 * np.exp(-0.2 * size) * x / (len(x) * size) if size > 0 else np.zeros_like(x)
    waves = np.exp(np.mean(np.cos(2 * math.pi * x)))
    return np.asarray(cone + 2 * math.pi / len(x) * waves * np.sin(2 * math.pi * x))


def _rastrigin(x: Array) -> float:
    return float(np.sum(x**2 + 10 * (1 - np.cos(2 * math.pi * x))))


def _rastrigin_gradient(x: Array) -> Array:
    return np.asarray(2 * x + 20 * math.pi * np.sin(2 * math.pi * x))


_HIMMELBLAU = [(3, 2), (-2.8051180869527448, 3.1313125182505730), (-3.7793102533777469, -3.2831859912861694)]
_HIMMELBLAU += [(3.5844283403304917, -1.8481265269644036)]

#: Every function by the name of its task.
FUNCTIONS: dict[str, Function] = {
    "rosenbrock": Function(
        "A narrow curved valley: to find it is easy, to walk along it is not.",
        _rosenbrock, _rosenbrock_gradient, np.ones((1, 2)), np.array([-1.2, 1.0]), 0.02, 4000,
    ),
    "rosenbrock-5d": Function(
        "The curved valley in five variables.",
        _rosenbrock, _rosenbrock_gradient, np.ones((1, 5)), np.array([1.3, 0.7, 0.8, 1.9, 1.2]), 0.02, 8000,
    ),
    "beale": Function(
        "Flat almost everywhere, with steep corners.",
        lambda x: float(np.sum(_beale_terms(x) ** 2)), _beale_gradient, np.array([[3, 0.5]]), np.array([1.0, 1.0]),
        0.02, 1500,
    ),
    "himmelblau": Function(
        "Four equal minima; the start decides which is found.",
        _himmelblau, _himmelblau_gradient, np.array(_HIMMELBLAU), np.array([-0.27, -0.9]), 0.02, 500,
    ),
    "booth": Function(
        "A plain bowl, tilted against the axes.",
        _booth, _booth_gradient, np.array([[1, 3]]), np.array([0.0, 0.0]), 0.05, 1000,
    ),
    "ackley": Function(
        "A funnel full of small dents: most starts are caught in one.",
        _ackley, _ackley_gradient, np.zeros((1, 2)), (-5.0, 5.0), 0.1, 1000,
    ),
    "rastrigin": Function(
        "A bowl full of deep dents, one at each pair of whole numbers; most starts end in the wrong one.",
        _rastrigin, _rastrigin_gradient, np.zeros((1, 2)), (-5.12, 5.12), 0.1, 1000,
    ),
    "noisy-quadratic": Function(
        "A bowl of which only noisy slopes are known: a step of fixed length never comes to rest at the bottom.",
        lambda x: float(x @ x) / 2, lambda x: x, np.zeros((1, 100)), (-3.0, 3.0), 0.1, 2000, noise=1.0,
    ),
}  # fmt: skip


def _task(name: str, function: Function) -> Task:
    def init(rng: np.random.Generator) -> Params:
        if isinstance(function.start, tuple):
            low, high = function.start
            return {"x": rng.uniform(low, high, function.minima.shape[1:])}
        return {"x": function.start.copy()}

    def loss(params: Params, batch: Batch, rng: np.random.Generator) -> tuple[float, Params]:
        x = params["x"]
        noise = function.noise * rng.standard_normal(x.shape) if function.noise else 0.0
        return function.value(x), {"x": function.gradient(x) + noise}

    def evaluate(params: Params, examples: Batch) -> dict[str, float]:
        x = params["x"]
        distance = float(np.sqrt(np.sum((function.minima - x) ** 2, axis=1)).min())
        return {"loss": function.value(x), "distance": distance}

    return Task(name, function.doc, init, loss, evaluate, lr=function.lr, steps=function.steps)


TASKS = {name: _task(name, function) for name, function in FUNCTIONS.items()}
