"""Adamas: every Adam, written once as its paper states it, compiled to fused kernels.

>>> import numpy as np, adamas
>>> x = np.array([5.0, -3.0])
>>> opt = adamas.Adam(x, lr=0.1)
>>> for _ in range(500):
...     step = opt.step(2 * x)  # the gradient of x·x
>>> bool(np.abs(x).max() < 1e-3)
True
"""

from __future__ import annotations

from typing import Any

from adamas import rules, schedules
from adamas.backends.threads import get_num_threads, set_num_threads
from adamas.minimization import minimize
from adamas.minimization.lr_range import LrRange, find_lr
from adamas.optimizer import CLASSES, Optimizer, optimizer_class

__version__ = "0.1.0"
__all__ = [
    "LrRange",
    "Optimizer",
    "find_lr",
    "get_num_threads",
    "minimize",
    "optimizer_class",
    "rules",
    "schedules",
    "set_num_threads",
    *CLASSES,
]


def __getattr__(name: str) -> Any:
    if name in CLASSES:
        return optimizer_class(CLASSES[name])
    raise AttributeError(f"module 'adamas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
