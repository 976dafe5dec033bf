"""What a step of adamas.minimize costs beyond the user's function, and what it takes beside SciPy's methods.

    python benchmarks/minimize.py

First a function that costs nothing, so that all that is left is the loop: ours in Python, ours compiled around a
compiled function, and Adam as people write it by hand in NumPy. Then whole minimisations of smooth functions, until
f < 1e-6: there L-BFGS-B and CG use far fewer evaluations, and are what to take unless the function is noisy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from common import Quartiles, interleave, parse, parser, report
from scipy import optimize

import adamas

SIZES = (2, 100, 1000)
GOAL = 1e-6
Run = Callable[[], object]


def by_hand(fun: Callable[[Any], Any], x: Any, steps: int, lr: float, goal: float = -1.0) -> tuple[Any, int]:
    """Adam as it is written by hand; returns the point and the evaluations."""
    b1, b2, eps = 0.9, 0.999, 1e-8
    x, m, v = x.copy(), np.zeros_like(x), np.zeros_like(x)
    for t in range(1, steps + 1):
        value, g = fun(x)
        if value < goal:
            return x, t
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        x -= lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return x, steps


# -------------------------------------------------------------------------------------- overhead


def overhead(n: int, options: Any) -> tuple[list[str], dict[str, list[float]]]:
    """Seconds a step beyond the function, whose own time is that of calling it as often."""
    steps = {"python": 300, "compiled": 3000} if options.quick else {"python": 20_000, "compiled": 200_000}
    start, g = np.full(n, 0.5), np.ones(n)

    def fun(x: Any) -> Any:
        return 1.0, g

    @numba.njit
    def compiled(x: Any, g: Any) -> Any:
        return 1.0, g

    def calls() -> None:
        for _ in range(steps["python"]):
            fun(start)

    kwargs = dict(jac=True, lr=1e-6, gtol=0)
    seconds = interleave(
        {
            "calls": calls,
            "python": lambda: adamas.minimize(fun, start, maxiter=steps["python"], **kwargs),
            "compiled": lambda: adamas.minimize(compiled, start, (g,), maxiter=steps["compiled"], **kwargs),
            "by hand": lambda: by_hand(fun, start, steps["python"], 1e-6),
        },
        options.pairs,
    )
    each = {name: [s / steps.get(name, steps["python"]) for s in values] for name, values in seconds.items()}
    beyond = {name: [a - b for a, b in zip(each[name], each["calls"], strict=True)] for name in ("python", "by hand")}
    beyond["compiled"] = each["compiled"]
    texts = [Quartiles.of(1e6 * s for s in beyond[name]).text() for name in ("python", "compiled", "by hand")]
    return [f"{n:,}", *texts], beyond


# ------------------------------------------------------------------------------------ to the goal


@numba.njit
def rosenbrock(x: Any) -> Any:
    """Rosenbrock's function of any number of variables, and its gradient."""
    value, g = 0.0, np.zeros_like(x)
    for i in range(x.size - 1):
        u, w = x[i + 1] - x[i] ** 2, 1 - x[i]
        value += 100 * u * u + w * w
        g[i] -= 400 * x[i] * u + 2 * w
        g[i + 1] += 200 * u
    return value, g


@numba.njit
def booth(x: Any) -> Any:
    """Booth's function and its gradient."""
    u, w = x[0] + 2 * x[1] - 7, 2 * x[0] + x[1] - 5
    return u * u + w * w, np.array([2 * u + 4 * w, 4 * u + 2 * w])


PROBLEMS = [
    ("Rosenbrock, 2", rosenbrock, (-1.2, 1.0), 0.02),
    ("Rosenbrock, 5", rosenbrock, (1.3, 0.7, 0.8, 1.9, 1.2), 0.02),
    ("Booth", booth, (0.0, 0.0), 0.05),
]


class Goal(Exception):
    """The value is below the goal."""


def to_goal(method: str, fun: Any, start: Any, lr: float, steps: int) -> int:
    """Minimise until f < GOAL, in Python; returns the evaluations."""
    count = 0

    def counted(x: Any) -> Any:
        nonlocal count
        count += 1
        value, g = fun(x)
        if value < GOAL:
            raise Goal
        return value, g

    try:
        if method == "adamas":
            adamas.minimize(counted, start, jac=True, lr=lr, gtol=None, maxiter=steps)
        elif method == "by hand":
            by_hand(counted, start, steps, lr)
        else:
            optimize.minimize(counted, start, jac=True, method=method, tol=1e-12)
    except Goal:
        pass
    return count


def problem(name: str, fun: Any, start: Any, lr: float, options: Any) -> tuple[list[str], dict[str, list[float]]]:
    """A row: evaluations and milliseconds of each method."""
    start = np.array(start)
    methods = ("adamas", "by hand", "L-BFGS-B", "CG")
    counts = {method: to_goal(method, fun, start, lr, 10_000) for method in methods}
    runs: dict[str, Run] = {m: (lambda m=m: to_goal(m, fun, start, lr, counts["adamas"])) for m in methods}
    runs["compiled"] = lambda: adamas.minimize(fun, start, jac=True, lr=lr, gtol=None, maxiter=counts["adamas"] - 1)
    seconds = interleave(runs, options.pairs)
    cells = [f"{Quartiles.of(1e3 * s for s in seconds[m]).text()}" for m in ("adamas", "compiled", *methods[1:])]
    return [name, f"{counts['adamas']:,} / {counts['L-BFGS-B']} / {counts['CG']}", *cells], seconds


def main() -> None:
    """Both tables."""
    options = parse(parser(__doc__))
    made = [overhead(n, options) for n in SIZES]
    columns = ["variables", "minimize, µs a step", "compiled, µs a step", "NumPy by hand, µs a step"]
    data: dict[str, Any] = {"overhead": {n: row[1] for n, row in zip(SIZES, made, strict=True)}}
    found = [problem(*case, options) for case in PROBLEMS]
    data["to goal"] = {case[0]: row[1] for case, row in zip(PROBLEMS, found, strict=True)}
    report("Beyond the function", columns, [row[0] for row in made], data, options)
    columns = [
        "until f < 1e-6",
        "evaluations: Adam / L-BFGS-B / CG",
        "minimize, ms",
        "compiled, ms",
        "NumPy by hand, ms",
    ]
    report("Whole runs", [*columns, "L-BFGS-B, ms", "CG, ms"], [row[0] for row in found], data, options)


if __name__ == "__main__":
    main()
