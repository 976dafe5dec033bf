"""How far Adam with low-bit state strays from Adam with float32 state, and how large its largest step is.

200 steps over 256 × 1024 parameters without ever re-synchronising, gradients g = (0.3·N + N)·10^(U·D − 1 − D): a
direction that stays and noise that does not, with scales that differ within each block by D powers of ten. The
columns after D are harder gradients, at D = 0: of *sparse* ones an element is not zero once in 100 steps; with *spikes*
one element in 500 has 1000 times its gradient, for one step; in *rows* a row of 1024 is not zero once in 20 steps. Of

    error   |Δ − Δ₃₂| / |Δ₃₂| of the whole change Δ of the parameters
    step    the largest change of a parameter in one step, over that of float32

    python benchmarks/low_bit_accuracy.py                          pip install 'adamas[bench]'
    peers: pip install torchao bitsandbytes; what is not installed is left out
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

import adamas

SHAPE, STEPS, SPREADS = (256, 1024), 200, (0, 1, 2, 4)
KINDS = {f"D = {spread}": spread for spread in SPREADS} | dict.fromkeys(("sparse", "spikes", "rows"), 0)

#: A state in which Adam is to be stepped: parameters → a function of a gradient.
Make = Callable[[Any], Callable[[Any], None]]


def gradients(kind: str, seed: int) -> Iterator[Any]:
    """The gradients of one run."""
    rng, spread = np.random.default_rng(seed), KINDS[kind]
    steady = 0.3 * rng.standard_normal(SHAPE)
    scale = 10 ** (rng.random(SHAPE) * spread - 1 - spread)
    for _ in range(STEPS):
        g = (steady + rng.standard_normal(SHAPE)) * scale
        if kind == "sparse":
            g *= rng.random(SHAPE) < 0.01
        elif kind == "spikes":
            g *= np.where(rng.random(SHAPE) < 1 / 500 / STEPS, 1000.0, 1.0)
        elif kind == "rows":
            g *= rng.random((SHAPE[0], 1)) < 0.05
        yield g.astype(np.float32)


def run(make: Make, kind: str, seed: int) -> tuple[Any, float]:
    """The whole change, and the largest step."""
    p = np.zeros(SHAPE, np.float32)
    step, largest = make(p), 0.0
    for g in gradients(kind, seed):
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
    exact = {(kind, seed): run(partial(ours, "float32"), kind, seed) for kind in KINDS for seed in seeds}
    for what in ("error", "largest step"):
        print(f"| {what} |", *(f"{kind} |" for kind in KINDS))
        print("| --- |", " --- |" * len(KINDS))
        for name, make in makes.items():
            print(f"| {name} |", *(f"{x} |" for x in row(make, what, exact, seeds)), flush=True)


def row(make: Make, what: str, exact: Mapping[tuple[str, int], Any], seeds: range) -> Iterator[str]:
    """The mean error, or the largest of all steps, for each kind of gradients."""
    for kind in KINDS:
        found = [(run(make, kind, seed), exact[kind, seed]) for seed in seeds]
        if what == "error":
            yield f"{np.mean([np.linalg.norm(p - q) / np.linalg.norm(q) for (p, _), (q, _) in found]):.3g}"
        else:
            yield f"{max(a / b for (_, a), (_, b) in found):.2f}"


if __name__ == "__main__":
    main()
