"""One pool of threads for all kernels. Kernels release the GIL; a task never waits for another."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from numbers import Integral
from pathlib import Path
from threading import Lock

_pool: ThreadPoolExecutor | None = None
_threads: int | None = None
_lock = Lock()


def quota(group: Path = Path("/sys/fs/cgroup")) -> float:
    """CPUs that the control group allows, infinite where it does not limit."""
    try:
        limit, period = (group / "cpu.max").read_text().split()
        return float(limit) / float(period) if limit != "max" else float("inf")
    except (OSError, ValueError):
        pass
    try:
        limit = (group / "cpu/cpu.cfs_quota_us").read_text()
        period = (group / "cpu/cpu.cfs_period_us").read_text()
        return float(limit) / float(period) if float(limit) > 0 else float("inf")
    except (OSError, ValueError):
        return float("inf")


@cache
def _default() -> int:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = quota()
    return max(1, int(allowed)) if allowed < cpus else cpus


def get_num_threads() -> int:
    """Threads that a step uses: what was set, or the process's CPUs (affinity and control-group quota)."""
    return _threads or _default()


def set_num_threads(n: int | None) -> None:
    """Use n threads a step from now on; None goes back to the default. Results do not depend on it."""
    global _threads, _pool
    if n is not None and (isinstance(n, bool) or not isinstance(n, Integral) or n < 1):
        raise ValueError(f"n={n!r}: expected an integer of at least 1, or None for the default")
    with _lock:
        _threads, _pool = None if n is None else int(n), None  # what runs on the old pool ends there


def _submit(task: Callable[[int], None], shares: int) -> list[Future[None]]:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, get_num_threads() - 1), thread_name_prefix="adamas")
        return [_pool.submit(task, i) for i in range(shares)]


def _wait(waiting: list[Future[None]]) -> None:
    """Until all are done, also through a Ctrl-C: what they read and write must not be freed under them."""
    interrupt = None
    for future in waiting:
        while not future.done():
            try:
                wait([future])
            except KeyboardInterrupt as caught:
                interrupt = caught
    if interrupt is not None:
        raise interrupt


def run(task: Callable[[int], None], shares: int) -> None:
    """Call task(0) … task(shares − 1), the last of them on this thread; raises what a task raised."""
    waiting = _submit(task, shares - 1) if shares > 1 else []
    try:
        task(shares - 1)
    finally:
        _wait(waiting)
    for future in waiting:
        future.result()


def _after_fork() -> None:
    global _pool, _lock
    _pool, _lock = None, Lock()  # the parent's threads do not exist in the child, and one may have held the lock


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
