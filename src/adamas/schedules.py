"""Learning rates that change: callables from the step number, 1 at the first step, to parameter units per step."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A peak learning rate, reached linearly over ``warmup`` steps: lr·t/warmup while t < warmup."""

    lr: float
    warmup: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lr) and self.lr >= 0):
            raise ValueError(f"lr={self.lr!r} is outside [0, inf)")
        if self.warmup < 0:
            raise ValueError(f"warmup={self.warmup!r}: expected a number of steps, 0 or more")

    def __call__(self, t: int) -> float:
        """Learning rate of step t."""
        return self.lr * t / self.warmup if t < self.warmup else self.lr * self.after(t)

    def after(self, t: int) -> float:
        """The share of the peak once warm."""
        raise NotImplementedError


class Constant(Schedule):
    """lr at every step after the warm-up."""

    def after(self, t: int) -> float:
        return 1.0


class InverseSqrt(Schedule):
    """lr·√(w/t), where w is the warm-up, or 1 without one: the schedule of the paper's section 4."""

    def after(self, t: int) -> float:
        return math.sqrt(max(self.warmup, 1) / t)


@dataclass(frozen=True)
class _Ending(Schedule):
    """Goes from the peak to ``final`` times the peak at step ``steps``, and stays there."""

    steps: int = 1
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps <= self.warmup:
            raise ValueError(f"steps={self.steps!r}: expected more than the warm-up of {self.warmup}")
        if not 0 <= self.final <= 1:
            raise ValueError(f"final={self.final!r}: expected a share of the peak, from 0 to 1")

    def after(self, t: int) -> float:
        done = min(1.0, (t - self.warmup) / (self.steps - self.warmup))
        return self.final + (1 - self.final) * self.shape(done)

    def shape(self, done: float) -> float:
        """From 1 at done = 0 to 0 at done = 1."""
        raise NotImplementedError


class Cosine(_Ending):
    """Half a cosine: lr·(final + (1 − final)·(1 + cos πx)/2), x from 0 to 1."""

    def shape(self, done: float) -> float:
        return (1 + math.cos(math.pi * done)) / 2


class Linear(_Ending):
    """A straight line: lr·(final + (1 − final)·(1 − x)), x from 0 to 1."""

    def shape(self, done: float) -> float:
        return 1 - done


def constant(lr: float, warmup: int = 0) -> Schedule:
    """See Constant."""
    return Constant(lr, warmup)


def inverse_sqrt(lr: float, warmup: int = 0) -> Schedule:
    """See InverseSqrt."""
    return InverseSqrt(lr, warmup)


def cosine(lr: float, steps: int, warmup: int = 0, final: float = 0.0) -> Schedule:
    """See Cosine."""
    return Cosine(lr, warmup, steps, final)


def linear(lr: float, steps: int, warmup: int = 0, final: float = 0.0) -> Schedule:
    """See Linear."""
    return Linear(lr, warmup, steps, final)
