"""Time that each rule's kernels take to compile for each codec, into an empty cache: the slowest first.

    python benchmarks/compile_time.py             # or only some rules: compile_time.py adamw lamb

All that a step of one contiguous matrix needs is compiled, and nothing is run. Two columns tell of a busy machine:
CPU seconds of this process, and those of a clock. What Numba does once a process, at the first kernel, is told apart.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable

import numpy as np
from common import parse, parser, report

from adamas.backends import cpu
from adamas.backends.cpu_source import Layout
from adamas.codecs import CODECS
from adamas.memory import by_codec
from adamas.program import trace
from adamas.rules import REGISTRY
from adamas.state import choose

SHAPE, QUICK = (4096, 4096), ("adam", "lamb")
DTYPE = np.dtype(np.float32).name

#: CPU seconds that no kernel should take; those that do are marked.
TARGET = 3.0


def layout(rule: str, state: str) -> Layout:
    """The kernels of a rule for float32 parameters and gradients, with one codec for the slots that it holds."""
    traced = trace(REGISTRY[rule], choose(REGISTRY[rule], state, "weight", SHAPE), False)
    return Layout(traced, DTYPE, DTYPE, DTYPE)


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Of this process's CPU time and of a clock."""
    cpu_time, clock = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - cpu_time, time.perf_counter() - clock


def main() -> None:
    """Compile everything."""
    made = parser(__doc__)
    made.add_argument("rules", nargs="*", help="only these rules", metavar="RULE")
    options: argparse.Namespace = parse(made)
    options.pairs = options.threads = 1
    rules = options.rules or (QUICK if options.quick else REGISTRY)
    wanted = [(rule, state) for rule in rules for state in CODECS if by_codec(REGISTRY[rule])[state]]
    with tempfile.TemporaryDirectory() as empty:  # mode 0700, as the cache asks
        os.environ["ADAMAS_CACHE_DIR"] = empty
        first = seconds(lambda: cpu.addresses([np.zeros(1)]))
        taken = {
            (rule, state): seconds(lambda rule=rule, state=state: cpu.module(layout(rule, state), rule))
            for rule, state in wanted
        }
    rows = [["(Numba's own start)", "", "", f"{first[0]:.2f}", f"{first[1]:.2f}"]]
    for (rule, state), (cpu_time, clock) in sorted(taken.items(), key=lambda item: -item[1][0]):
        passes = layout(rule, state).program.passes
        rows.append([rule, state, str(passes), f"{cpu_time:.2f}{' !' if cpu_time > TARGET else ''}", f"{clock:.2f}"])
    data = {f"{rule} {state}": both for (rule, state), both in taken.items()}
    report("Compiling for float32 matrices", ["rule", "state", "passes", "CPU, s", "clock, s"], rows, data, options)


if __name__ == "__main__":
    main()
