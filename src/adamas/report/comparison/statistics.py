"""What the results of a comparison say, and how sure it is: functions of numbers alone."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

#: A learning rate does well if its loss is above the best one by at most this share of the best.
NEAR = 0.1
#: Of the intervals.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """By how much one is above another, paired over seeds; the interval is None for a single seed."""

    mean: float
    interval: tuple[float, float] | None

    @property
    def told_apart(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def paired(values: Sequence[float], best: Sequence[float]) -> Difference:
    """The mean of values − best over the same seeds, and its t interval."""
    apart = [x - y for x, y in zip(values, best, strict=True)]
    mean = statistics.fmean(apart)
    if len(apart) < 2:
        return Difference(mean, None)
    half = _quantile(len(apart) - 1) * statistics.stdev(apart) / math.sqrt(len(apart))
    return Difference(mean, (mean - half, mean + half))


def _quantile(freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, freedom))


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (of a sample; 0 of a single value)."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def best(losses: Sequence[float | None]) -> int | None:
    """The place of the smallest loss; None, which is a divergence, never is. None if there is none."""
    finite = [(loss, i) for i, loss in enumerate(losses) if loss is not None]
    return min(finite)[1] if finite else None


@dataclass(frozen=True)
class Width:
    """How many neighbouring learning rates do well, and how many decades they span."""

    count: int
    of: int
    decades: float


def width(lrs: Sequence[float], losses: Sequence[float | None]) -> Width:
    """Learning rates next to each other, with the best among them, whose loss is near the best.

    Near is at most NEAR·|best| above it. ``lrs`` grow.
    """
    at = best(losses)
    if at is None:
        return Width(0, len(lrs), 0.0)
    lowest = losses[at]
    assert lowest is not None
    limit = lowest + NEAR * abs(lowest)
    near = [loss is not None and loss <= limit for loss in losses]
    low = high = at
    while low > 0 and near[low - 1]:
        low -= 1
    while high + 1 < len(lrs) and near[high + 1]:
        high += 1
    return Width(high - low + 1, len(lrs), math.log10(lrs[high] / lrs[low]) if lrs[low] > 0 else math.inf)
