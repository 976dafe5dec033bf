"""Time until something has happened in a new process: the import, the first step with an empty and with a full cache.

    python benchmarks/startup.py

Every timing is a process of its own, and begins when its interpreter is ready.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import Quartiles, parse, parser, report

IMPORT = "import {}"
STEP = """
import numpy as np
import adamas
p = {"weight": np.ones((64, 32), np.float32), "bias": np.zeros(64, np.float32)}
optimizer = adamas.AdamW(p)
optimizer.step({name: np.ones_like(x) for name, x in p.items()})
"""
TIMED = "import time\nstart = time.perf_counter()\n{}\nprint(time.perf_counter() - start)"


#: Whoever sets this has modules compiled anew by every process, which others do not see.
KEPT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(code: str, cache: Path) -> float:
    """Seconds of the code in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", TIMED.format(code)],
        env={**KEPT, "ADAMAS_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def files(cache: Path) -> dict[str, int]:
    """What lies in the cache: path → time of its last change."""
    return {str(f): f.stat().st_mtime_ns for f in sorted(cache.rglob("*")) if f.is_file()}


def main() -> None:
    """Run all cases."""
    options = parse(parser(__doc__))
    with tempfile.TemporaryDirectory() as scratch:  # mode 0700, as the cache asks
        warm = Path(scratch) / "warm"
        seconds(STEP, warm)
        before = files(warm)

        def cold() -> float:
            with tempfile.TemporaryDirectory(dir=scratch) as empty:
                return seconds(STEP, Path(empty))

        cases: dict[str, Callable[[], float]] = {
            "import numpy": lambda: seconds(IMPORT.format("numpy"), warm),
            "import adamas (numpy included)": lambda: seconds(IMPORT.format("adamas"), warm),
            "import numba (numpy included)": lambda: seconds(IMPORT.format("numba"), warm),
            "import and first step, warm cache": lambda: seconds(STEP, warm),
            "import and first step, empty cache": cold,
        }
        taken: dict[str, list[float]] = {name: [] for name in cases}
        for i in range(options.pairs):
            for name in cases if i % 2 == 0 else reversed(cases):
                taken[name].append(cases[name]())
        after = files(warm)
    rows = [[name, Quartiles.of(times).text()] for name, times in taken.items()]
    same = "the same, none rewritten" if after == before else f"now {len(after)}: A RERUN CHANGED THE CACHE"
    rows.append([f"files in the cache after the first run / after {options.pairs} more", f"{len(before)} / {same}"])
    data = {"seconds": taken, "files_before": len(before), "files_after": len(after), "unchanged": after == before}
    report("A new process, seconds: median (quartiles)", ["what", "seconds"], rows, data, options)


if __name__ == "__main__":
    main()
