"""Time of every rule's step beside the time of its bytes, and the memory that a step takes beside its arrays.

    python benchmarks/rules_bandwidth.py

A rule declares its passes over the memory. For each pass a kernel that only moves bytes reads and writes as many
arrays of the same size, in place, with the same loads and stores; the sum of those times is the time of the bytes.
`adamas bench` times rules beside each other, under any codec.
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import Quartiles, interleave, normal, parse, parser, ratio, report

import adamas
from adamas.backends import threads
from adamas.backends.cpu_parts import PRELUDE
from adamas.program import Program, trace
from adamas.rules import REGISTRY
from adamas.state import STAGGER, choose

SHAPE, QUICK = (8000, 4000), (500, 400)

#: A step that takes longer, in times of its bytes, is marked. On a machine that others use too, trust the fastest.
TARGET = 1.1

Shape = tuple[int, int]  # arrays read, arrays written


def passes(program: Program) -> list[Shape]:
    """Arrays read and written by each pass."""
    last = program.passes - 1
    return [(len(program.reads(k)), len(program.writes) if k == last else 0) for k in range(program.passes)]


def mover(reads: int, writes: int) -> Callable[[Any, int, int], int]:
    """A kernel over int32 words that reads some arrays and writes the first of them: hardly more than the bytes."""
    names = [f"a{j}" for j in range(reads)]
    text = [PRELUDE.format(scopes=tuple(names))]
    text += [f'load_{n}, store_{n} = loader("bits32", "{n}"), storer("bits32", "{n}")' for n in names]
    text += [
        '@njit("int32(int64[::1], int64, int64)", nogil=True)',
        "def move(at, start, stop):",
        "    x = np.int32(0)",
    ]
    text += [f"    {n} = at[{j}]" for j, n in enumerate(names)]
    text += ["    for i in range(start, stop):"]
    text += [f"        x{j} = load_{n}({n}, i)" for j, n in enumerate(names)]
    text += [f"        {'y =' if writes else 'x ^='} {' ^ '.join(f'x{j}' for j in range(reads))}"]
    text += [f"        store_{n}({n}, i, np.int32(x{j} ^ y))" for j, n in enumerate(names[:writes])]
    text += ["    return x"]
    space: dict[str, Any] = {}
    exec("\n".join(text), space)
    move: Callable[[Any, int, int], int] = space["move"]
    return move


class Memory:
    """Arrays to move bytes in, and the kernels that do. The arrays are staggered as an optimizer's state is."""

    def __init__(self, size: int, shapes: set[Shape], shares: int) -> None:
        arrays = max(reads for reads, _ in shapes)
        self.words = np.ones(arrays * (size + STAGGER // 4), np.int32)
        self.at = self.words.ctypes.data + (4 * size + STAGGER) * np.arange(arrays)
        self.cuts = [size * i // shares for i in range(shares + 1)]
        self.kernels = {shape: mover(*shape) for shape in shapes}

    def move(self, shapes: list[Shape]) -> None:
        """Move the bytes of these passes, one after the other."""
        for shape in shapes:
            kernel = self.kernels[shape]
            threads.run(lambda i, k=kernel: k(self.at, self.cuts[i], self.cuts[i + 1]), len(self.cuts) - 1)


def peak(step: Callable[[], object]) -> tuple[float, float | None]:
    """KiB that a step allocates at its peak: as Python's allocators see it, and as resident memory (Linux)."""
    tracemalloc.start()
    step()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    step()
    traced = (tracemalloc.get_traced_memory()[1] - before) / 1024
    tracemalloc.stop()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is resident now
        start = _status("VmRSS")
        step()
        return traced, max(0.0, _status("VmHWM") - start)
    except OSError:
        return traced, None


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def main() -> None:
    """Run all rules."""
    made = parser(__doc__)
    made.add_argument("rules", nargs="*", default=list(REGISTRY), help="only these rules", metavar="RULE")
    options: argparse.Namespace = parse(made)
    adamas.set_num_threads(options.threads)
    shape = QUICK if options.quick else SHAPE
    size = shape[0] * shape[1]
    programs = {n: trace(REGISTRY[n], choose(REGISTRY[n], None, "weight", shape), False) for n in options.rules}
    declared = {name: passes(program) for name, program in programs.items()}
    memory = Memory(size, {s for shapes in declared.values() for s in shapes}, options.threads)
    g = normal(shape, 1)
    rows, data = [], {}
    for name, shapes in declared.items():
        optimizer = adamas.optimizer_class(name)(normal(shape, 0))
        contenders = {"step": lambda o=optimizer: o.step(g), "bytes": lambda s=shapes: memory.move(s)}
        seconds = interleave(contenders, options.pairs)
        traced, resident = peak(lambda o=optimizer: o.step(g))
        arrays = sum(r + w for r, w in shapes)
        step, moved = (Quartiles.of(1e3 * s for s in seconds[k]) for k in contenders)
        fastest = min(seconds["step"]) / min(seconds["bytes"])
        data[name] = {"passes": shapes, "seconds": seconds, "traced_KiB": traced, "resident_KiB": resident}
        rows.append(
            [
                name,
                " + ".join(f"{r}r {w}w" if w else f"{r}r" for r, w in shapes),
                f"{4 * arrays}",
                step.text(),
                moved.text(),
                f"{4e-6 * arrays * size / moved.median:.1f}",
                ratio(seconds, "step", "bytes").text(),
                f"{fastest:.2f}{' !' if fastest > TARGET else ''}",
                f"{traced:.1f}",
                "?" if resident is None else f"{resident:.0f}",
            ]
        )
    title = f"Float32 steps of {shape[0]:,} × {shape[1]:,}: median (quartiles)"
    columns = ["rule", "passes", "bytes each", "step, ms", "its bytes, ms", "GB/s", "step / bytes", "of the fastest"]
    report(title, [*columns, "traced, KiB", "resident, KiB"], rows, data, options)


if __name__ == "__main__":
    main()
