"""How far Adam with low-bit state strays from Adam with float32 state, and how large its largest step is.

200 steps over 256 × 1024 parameters without ever re-synchronising, gradients g = (0.3·N + N)·10^(U·D − 1 − D): a
direction that stays and noise that does not, with scales that differ within each block by D powers of ten. The
columns are

    error   |Δ − Δ₃₂| / |Δ₃₂| of the whole change Δ of the parameters
    step    the largest change of a parameter in one step, over that of float32

    python benchmarks/low_bit_accuracy.py                          pip install 'adamas[bench]'
    peers: pip install torchao bitsandbytes; what is not installed is left out
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import adamas

SHAPE, STEPS, SPREADS = (256, 1024), 200, (0, 1, 2, 4)

#: A state in which Adam is to be stepped: parameters → a function of a gradient.
Make = Callable[[Any], Callable[[Any], None]]


def gradients(spread: float, seed: int) -> Iterator[Any]:
    """The gradients of one run."""
    rng = np.random.default_rng(seed)
    steady = 0.3 * rng.standard_normal(SHAPE)
    scale = 10 ** (rng.random(SHAPE) * spread - 1 - spread)
    for _ in range(STEPS):
        yield ((steady + rng.standard_normal(SHAPE)) * scale).astype(np.float32)


def run(make: Make, spread: float, seed: int) -> tuple[Any, float]:
    """The whole change, and the largest step."""
    p = np.zeros(SHAPE, np.float32)
    step, largest = make(p), 0.0
    for g in gradients(spread, seed):
        before = p.copy()
        step(g)
        largest = max(largest, float(np.abs(p - before).max()))
    return p, largest


def ours(state: Any, p: Any) -> Callable[[Any], Any]:
    """Adam of this library."""
    return adamas.Adam(p, lr=1e-3, eps=1e-12, state=state).step


def theirs(cls: Any, p: Any, **options: Any) -> Callable[[Any], None]:
    """A PyTorch optimizer over the same memory."""
    import torch

    parameter = torch.nn.Parameter(torch.from_numpy(p))
    optimizer = cls([parameter], lr=1e-3, eps=1e-12, **options)

    def step(g: Any) -> None:
        parameter.grad = torch.from_numpy(g)
        optimizer.step()

    return step


def peers() -> dict[str, Make]:
    """The low-bit optimizers that are installed."""
    found: dict[str, Make] = {}
    try:
        import bitsandbytes

        found["bitsandbytes Adam8bit"] = partial(_make, bitsandbytes.optim.Adam8bit, min_8bit_size=0)
    except ImportError:
        pass
    try:
        from torchao.optim import Adam4bit, Adam8bit

        found |= {"torchao Adam8bit": partial(_make, Adam8bit), "torchao Adam4bit": partial(_make, Adam4bit)}
    except ImportError:
        pass
    return found


def _make(cls: Any, p: Any, **options: Any) -> Callable[[Any], None]:
    return theirs(cls, p, **options)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each design, of which means are shown")
    parser.add_argument("--states", default="bfloat16,int8,int4", help="codecs of this library")
    seeds = range(parser.parse_args().seeds)
    states = parser.parse_args().states.split(",")
    makes: dict[str, Make] = {f"adamas {state}": partial(ours, state) for state in states} | peers()
    warnings.simplefilter("ignore")
    exact = {(d, seed): run(partial(ours, "float32"), d, seed) for d in SPREADS for seed in seeds}
    table = Table("state", *(f"{what}, D = {d}" for what in ("error", "step") for d in SPREADS), box=None)
    for name, make in makes.items():
        errors, steps = [], []
        for d in SPREADS:
            found = [(run(make, d, seed), exact[d, seed]) for seed in seeds]
            errors.append(np.mean([np.linalg.norm(p - q) / np.linalg.norm(q) for (p, _), (q, _) in found]))
            steps.append(np.max([a / b for (_, a), (_, b) in found]))
        table.add_row(name, *(f"{x:.4f}" for x in errors), *(f"{x:.2f}" for x in steps))
        Console().print(name, *(f"{x:.4f}" for x in errors), *(f"{x:.2f}" for x in steps))
    Console().print(table)


if __name__ == "__main__":
    main()
