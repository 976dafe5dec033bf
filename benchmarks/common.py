"""What the benchmark scripts share: timing side by side, the machine's name, the table, the JSON file."""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from adamas import doctor

PAIRS = 21


@dataclass(frozen=True)
class Quartiles:
    """The median of many timings or ratios, and its spread."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Quartiles:
        """Median and quartiles of at least one value."""
        values = list(values)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return cls(median, low, high)

    def text(self) -> str:
        """``median (low–high)``, the median with three significant digits."""
        places = max(0, 2 - math.floor(math.log10(self.median))) if self.median > 0 else 0
        return f"{self.median:.{places}f} ({self.low:.{places}f}–{self.high:.{places}f})"


def interleave(
    contenders: dict[str, Callable[[], object]], pairs: int = PAIRS, inner: int = 1, pause: float = 0.0
) -> dict[str, list[float]]:
    """Seconds of each contender, one after the other in one process, the order reversed every time.

    inner: calls to a timing, where one call is too short to time.
    pause: seconds to wait before each timing, so that one contender's threads come to rest.
    """
    for run in contenders.values():
        for _ in range(2):  # compiles, allocates state, touches memory
            run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(pairs):
        for name in contenders if i % 2 == 0 else reversed(contenders):
            run = contenders[name]
            time.sleep(pause)
            start = time.perf_counter()
            for _ in range(inner):
                run()
            seconds[name].append((time.perf_counter() - start) / inner)
    return seconds


def ratio(seconds: Mapping[str, list[float]], ours: str, peer: str) -> Quartiles:
    """Our time over the peer's, pair by pair."""
    return Quartiles.of(a / b for a, b in zip(seconds[ours], seconds[peer], strict=True))


def normal(shape: Any, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Float32 numbers to step on: the same allocator and the same values for every contender."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def machine() -> dict[str, str]:
    """The processor's name, and the versions that matter."""
    facts = doctor.machine()
    return {"cpu": f"{facts['processor']}, {facts['cpus']} CPUs", **doctor.versions("numpy", "numba", "torch")}


def parser(doc: str | None) -> argparse.ArgumentParser:
    """The options that every script has."""
    made = argparse.ArgumentParser(description=(doc or "").strip().splitlines()[0])
    made.add_argument(
        "--quick", action="store_true", help="small sizes and few pairs: to see that it runs, not to measure"
    )
    made.add_argument("--pairs", type=int, help=f"timings of each contender (default {PAIRS}, quick 3)")
    made.add_argument("--threads", type=int, default=2, help="threads of every contender (default 2)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all timings there")
    return made


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    """The options of this run."""
    options = made.parse_args()
    options.pairs = options.pairs or (3 if options.quick else PAIRS)
    return options


def report(title: str, columns: list[str], rows: list[list[str]], data: Any, options: argparse.Namespace) -> None:
    """Print the table under the machine's name, and write the JSON file if one was asked for."""
    facts = machine()
    console = Console(width=None if Console().is_terminal else 160)
    table = Table(*columns, title=f"{title}, {options.threads} threads, {options.pairs} pairs", title_justify="left")
    for row in rows:
        table.add_row(*row)
    console.print(", ".join(v if k == "cpu" else f"{k} {v}" for k, v in facts.items()))
    console.print(table)
    if options.quick:
        console.print("--quick: too small and too few to mean anything")
    if options.json:
        settings = {"threads": options.threads, "pairs": options.pairs, "quick": options.quick}
        options.json.write_text(json.dumps({"machine": facts, **settings, "data": data}, indent=2) + "\n")
