"""What this computer offers, and whether every rule computes on it what it should."""

from __future__ import annotations

import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import numpy as np

import adamas
from adamas.backends import kernel_cache, threads
from adamas.codecs import CODECS, Codec
from adamas.language import Rule
from adamas.optimizer import optimizer_class
from adamas.program import Program, trace

#: Shapes of the self-test: a scalar, nothing, less and more than a block of 512, rows of odd lengths.
SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (7,), (33, 70), (5, 3, 41), (257, 129))
STEPS = 5

#: Parameters of the measured step: with gradients and state 256 MiB, beyond the caches of most processors.
SIZE = 1 << 24
PAIRS = 9


# ---------------------------------------------------------------------------------- the computer


def machine() -> dict[str, str | int]:
    """The computer in words; nothing that names its owner."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cpus": os.cpu_count() or 1,
        "threads": threads.get_num_threads(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions(*packages: str) -> dict[str, str]:
    """Versions of Adamas, of Python and of the packages."""
    found = {"adamas": adamas.__version__, "python": platform.python_version()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def limits() -> str:
    """Why a step uses as many threads as it does."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = threads.quota()
    allowed = "no quota" if quota == float("inf") else f"a quota of {quota:g}"
    return f"{os.cpu_count()} CPUs, {affinity} for this process, {allowed}"


def cache() -> str:
    """The folder of compiled kernels and whether it is usable; raises PermissionError where it is refused."""
    folder = kernel_cache.folder()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        usable = kernel_cache.usable(folder)
    return f"{folder} is usable" if usable else "; ".join(str(w.message) for w in caught) or f"{folder} is not usable"


# ------------------------------------------------------------------------------------- the speed


def program(rule: Rule, codecs: Mapping[str, Codec] | None = None) -> Program:
    """The rule's passes over real parameters with these codecs, or its own."""
    return trace(rule, codecs or {s.name: CODECS[s.codec] for s in rule.slots}, False)


def bytes_moved(rule: Rule, codecs: Mapping[str, Codec] | None = None) -> float:
    """Bytes read and written per float32 parameter and step; means and the scales of blocks are not counted."""
    traced = program(rule, codecs)
    size = {a: 4.0 * words for a, words in traced.arrays.items()}
    size |= {a: getattr(grid.codec, "bits", 16) / 8 for a, grid in traced.grids.items()}
    read = sum(size[a] for k in range(traced.passes) for a in traced.reads(k))
    return read + sum(size[a] for a in traced.writes)


def bandwidth(rule: Rule) -> tuple[float, float]:
    """(bytes per second of adding one large array to another, of the rule's step), medians of alternating runs."""
    a, b = np.zeros(2 * SIZE, np.float32), np.ones(2 * SIZE, np.float32)
    p, g = np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32)
    optimizer = optimizer_class(rule.name)(p)
    shares = threads.get_num_threads()
    parts = list(zip(np.array_split(a, shares), np.array_split(b, shares), strict=True))

    def add(i: int) -> None:
        np.add(parts[i][0], parts[i][1], out=parts[i][0])

    def step() -> object:
        return optimizer.step(g)

    step()
    pairs = [(_seconds(lambda: threads.run(add, shares)), _seconds(step)) for _ in range(PAIRS)]
    adding, stepping = (statistics.median(times) for times in zip(*pairs, strict=True))
    return 3 * a.nbytes / adding, bytes_moved(rule) * SIZE / stepping


def _seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


# ---------------------------------------------------------------------------------- the self-test


def check(rule: Rule) -> str:
    """In which parameters and state the compiled kernels differ from the reference; empty if in no bit."""
    try:
        ours, reference = (_arrays(rule, backend) for backend in ("cpu", "reference"))
    except Exception as error:  # whatever it is, the other rules are still to be tested
        return f"{type(error).__name__}: {error}"
    wrong = [name for name, x in ours.items() if x.tobytes() != reference[name].tobytes()]
    return f"differs from the reference in {', '.join(wrong)}" if wrong else ""


def _arrays(rule: Rule, backend: str) -> dict[str, np.ndarray]:
    """Parameters and state after some steps, by name."""
    rng = np.random.default_rng(0)
    params = {f"shape {shape}": np.asarray(rng.standard_normal(shape), np.float32) for shape in SHAPES}
    optimizer = optimizer_class(rule.name)(params, backend=backend)
    for _ in range(STEPS):
        optimizer.step({name: np.asarray(rng.standard_normal(p.shape), np.float32) for name, p in params.items()})
    state = optimizer.state_dict()["arrays"]
    return params | {f"{slot} of {name}": x for name, slots in state.items() for slot, x in slots.items()}
