"""How often each rule finds a global minimum among poor ones, from many random starts.

    python benchmarks/poor_minima.py            # some minutes
    python benchmarks/poor_minima.py --quick    # some seconds: to see that it runs, not to measure

Each start is a row of one array, since the rules here treat elements alike, and makes so many steps with a learning
rate that falls as a half cosine to zero. A run succeeds if no component is further than 0.3 from one and the same
global minimum. The learning rate is the best of a grid of half decades, on starts that are not those measured.

With noise, normal numbers are added to each component of each gradient; their standard deviation is the root mean
square of the gradient's components over the box of starts. L-BFGS-B is SciPy's; with noise, its gradients are noisy
and its values exact.

Sources: Himmelblau, 1972; Ackley, 1987; Rastrigin, 1974; Styblinski & Tang, 1990.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

import adamas

RULES = ("Adam", "AdamW", "AMSGrad", "ADOPT", "Lion", "SGD", "NesterovSGD")
GRID = tuple(10.0 ** (k / 2) for k in range(-8, 4))
NEAR = 0.3
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Function:
    """A function of rows: value(x) is a number a row, gradient(x) a row a row; starts are within ±box."""

    value: Callable[[Array], Array]
    gradient: Callable[[Array], Array]
    minima: Array
    box: float

    @property
    def dimension(self) -> int:
        """Variables of a row."""
        return int(self.minima.shape[1])

    def starts(self, count: int, rng: np.random.Generator) -> Array:
        """So many rows, uniform in the box."""
        return rng.uniform(-self.box, self.box, (count, self.dimension))

    def noise(self) -> float:
        """Root mean square of a component of the gradient over the box."""
        return float(np.sqrt(np.mean(self.gradient(self.starts(10_000, np.random.default_rng(0))) ** 2)))

    def found(self, x: Array) -> float:
        """The share of rows that are near a global minimum."""
        away = np.abs(x[:, None] - self.minima).max(axis=2).min(axis=1)
        return float(np.mean(away < NEAR))  # a row that is not finite is not near


# ------------------------------------------------------------------------------------ functions


def _himmelblau(x: Array) -> Array:
    a, b = x.T
    return (a**2 + b - 11) ** 2 + (a + b**2 - 7) ** 2


def _himmelblau_gradient(x: Array) -> Array:
    a, b = x.T
    u, v = a**2 + b - 11, a + b**2 - 7
    return np.stack([4 * a * u + 2 * v, 2 * u + 4 * b * v], axis=1)


def _ackley(x: Array) -> Array:
    size, waves = np.sqrt(np.mean(x**2, axis=1)), np.mean(np.cos(2 * np.pi * x), axis=1)
    return 20 - 20 * np.exp(-0.2 * size) + np.e - np.exp(waves)


def _ackley_gradient(x: Array) -> Array:
    n = x.shape[1]
    size = np.maximum(np.sqrt(np.mean(x**2, axis=1, keepdims=True)), 1e-300)
    waves = np.exp(np.mean(np.cos(2 * np.pi * x), axis=1, keepdims=True))
    return 4 * np.exp(-0.2 * size) * x / (n * size) + 2 * np.pi / n * waves * np.sin(2 * np.pi * x)


def _rastrigin(x: Array) -> Array:
    return np.sum(x**2 + 10 * (1 - np.cos(2 * np.pi * x)), axis=1)


def _rastrigin_gradient(x: Array) -> Array:
    return 2 * x + 20 * np.pi * np.sin(2 * np.pi * x)


def _styblinski_tang(x: Array) -> Array:
    return np.sum(x**4 - 16 * x**2 + 5 * x, axis=1) / 2


def _styblinski_tang_gradient(x: Array) -> Array:
    return 2 * x**3 - 16 * x + 2.5


HIMMELBLAU = np.array([(3, 2), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848127)])

#: All four of Himmelblau's minima are global; of the others' one is.
FUNCTIONS = {
    "Himmelblau, 2": Function(_himmelblau, _himmelblau_gradient, HIMMELBLAU, 5.0),
    "Ackley, 2": Function(_ackley, _ackley_gradient, np.zeros((1, 2)), 5.0),
    "Ackley, 10": Function(_ackley, _ackley_gradient, np.zeros((1, 10)), 5.0),
    "Rastrigin, 2": Function(_rastrigin, _rastrigin_gradient, np.zeros((1, 2)), 5.12),
    "Rastrigin, 10": Function(_rastrigin, _rastrigin_gradient, np.zeros((1, 10)), 5.12),
    "Styblinski–Tang, 2": Function(_styblinski_tang, _styblinski_tang_gradient, np.full((1, 2), -2.903534), 5.0),
    "Styblinski–Tang, 10": Function(_styblinski_tang, _styblinski_tang_gradient, np.full((1, 10), -2.903534), 5.0),
}

# ------------------------------------------------------------------------------------------ runs


def descend(rule: str, function: Function, x: Array, lr: float, steps: int, noise: float = 0.0, seed: int = 0) -> Array:
    """Where the rows of x end; x is left alone."""
    x, rng = x.copy(), np.random.default_rng(seed)
    optimizer = getattr(adamas, rule)(x, lr=adamas.schedules.cosine(lr, steps=steps))
    with np.errstate(over="ignore", invalid="ignore"):  # a learning rate that is too large
        for _ in range(steps):
            g = function.gradient(x)
            optimizer.step(g + noise * rng.standard_normal(x.shape) if noise else g)
    return x


def tuned(rule: str, function: Function, count: int, steps: int, noise: float = 0.0) -> tuple[float, float]:
    """The best learning rate on other starts (the smallest of equals), and with it the share of successes."""
    trial = function.starts(max(count // 4, 1), np.random.default_rng(1))
    shares = [function.found(descend(rule, function, trial, lr, steps, noise, seed=1)) for lr in GRID]
    lr = GRID[int(np.argmax(shares))]
    starts = function.starts(count, np.random.default_rng(2))
    return lr, function.found(descend(rule, function, starts, lr, steps, noise, seed=2))


def lbfgs(function: Function, count: int, noise: float = 0.0) -> float:
    """The share of successes of SciPy's L-BFGS-B, which has no learning rate, on the starts of ``tuned``."""
    rng = np.random.default_rng(3)

    def fun(x: Array) -> tuple[float, Array]:
        g = function.gradient(x[None])[0]
        return float(function.value(x[None])[0]), g + noise * rng.standard_normal(g.shape)

    starts = function.starts(count, np.random.default_rng(2))
    return function.found(np.array([optimize.minimize(fun, x, jac=True, method="L-BFGS-B").x for x in starts]))


def rows(names: list[str], count: int, steps: int) -> Iterator[tuple[str, list[str]]]:
    """A row a function, without and with noise."""
    for name in names:
        function = FUNCTIONS[name]
        for noise in (0.0, function.noise()):
            made = [tuned(rule, function, count, steps, noise) for rule in RULES]
            cells = [f"{100 * share:.1f} ({lr:.2g})" if share else "0" for lr, share in made]
            title = f"{name}; noise {noise:.3g}" if noise else name
            yield title, [*cells, f"{100 * lbfgs(function, count, noise):.1f}"]


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 starts of 100 steps: to see that it runs")
    parser.add_argument("--starts", type=int, help="rows that are measured (1,000; quick 40)")
    parser.add_argument("--steps", type=int, help="steps of a run (1,000; quick 100)")
    options = parser.parse_args()
    adamas.set_num_threads(1)  # arrays this small gain nothing from more
    count = options.starts or (40 if options.quick else 1000)
    steps = options.steps or (100 if options.quick else 1000)
    print(f"% of {count:,} starts that end at a global minimum, {steps:,} steps; in brackets the learning rate\n")
    print(f"| function, variables | {' | '.join([*RULES, 'L-BFGS-B'])} |\n| --- |{' ---: |' * (len(RULES) + 1)}")
    for name, cells in rows(list(FUNCTIONS), count, steps):
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
