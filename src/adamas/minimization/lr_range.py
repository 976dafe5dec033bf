"""``adamas.find_lr``: a learning rate from one short run in which it grows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adamas.minimization import minimize
from adamas.minimization.problem import Array

#: A sweep counts up to where the smoothed value is above its first by this many times what it falls altogether.
BLOWN = 2.0


@dataclass(frozen=True)
class LrRange:
    """What a range test found.

    lr: the proposal, in units of x per step: the geometric mean of ``steepest`` and ``lowest``.
    steepest, lowest: where the smoothed value fell fastest by log(lr), and where it was lowest (medians of the sweeps).
    lrs, values, smoothed: a row for each sweep: learning rates, values after a step with them, and those smoothed;
        NaN after a sweep's end.
    """

    lr: float
    steepest: float
    lowest: float
    lrs: Array = field(repr=False)
    values: Array = field(repr=False)
    smoothed: Array = field(repr=False)

    def plot(self) -> Any:
        """The sweeps and the proposal as an Altair chart, which notebooks show; ``.save("lr.html")`` keeps it."""
        try:
            import altair as alt
        except ModuleNotFoundError:
            raise ModuleNotFoundError("plots need altair; pip install altair", name="altair") from None
        rows = [
            {"lr": float(lr), "value": float(value), "sweep": i}
            for i, line in enumerate(self.smoothed)
            for lr, value in zip(self.lrs, line, strict=True)
            if math.isfinite(value)
        ]
        positive = min(row["value"] for row in rows) > 0
        x = alt.X("lr:Q", title="learning rate", scale=alt.Scale(type="log"), axis=alt.Axis(format="~e"))
        y = alt.Y(
            "value:Q", title="value, smoothed", scale=alt.Scale(type="log") if positive else alt.Scale(zero=False)
        )
        lines = alt.Chart(alt.InlineData(rows)).mark_line(opacity=0.7).encode(x=x, y=y, detail="sweep:N")
        marks = [{"lr": self.lr, "text": f"proposed: {self.lr:.2g}"}]
        rule = alt.Chart(alt.InlineData(marks)).mark_rule(strokeDash=[6, 4], color="#e07b00").encode(x="lr:Q")
        text = alt.Chart(alt.InlineData(marks)).mark_text(align="left", dx=6, baseline="top", y=4, color="#e07b00")
        title = "Learning rate range test"
        return alt.layer(lines, rule, text.encode(x="lr:Q", text="text:N")).properties(
            title=title, width=560, height=320
        )


def find_lr(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    *,
    jac: Any = None,
    bounds: Any = None,
    data: Any = None,
    batch_size: int | None = None,
    seed: int = 0,
    rule: str = "adam",
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    sweeps: int | None = None,
    **options: Any,
) -> LrRange:
    """Propose a learning rate by a range test (Smith, 2017, arXiv:1506.01186).

    A sweep is a short run in which the learning rate grows from ``low`` to ``high``:

        lrₖ = low · (high / low)^((k − 1) / (steps − 1))

    The proposal is the geometric mean of the rate at which the smoothed value falls fastest and that at which it is
    lowest. It suits a run of some hundred to some thousand steps whose learning rate falls towards its end; shorter
    runs bear more, and a long run of a noisy function at a constant rate wants less.

    Parameters
    ----------
    fun, x0, args, jac, bounds, data, batch_size, rule, **options
        As of ``minimize``.
    seed : int
        Of the order of the data; each sweep has another.
    low, high : float
        First and last learning rate, in units of x per step.
    steps, sweeps : int
        Steps of a sweep; sweeps, whose medians count: 3 with data, whose order differs between them, else 1.

    Returns
    -------
    LrRange
        ``lr``, the proposal; ``plot()`` draws the test.

    Raises
    ------
    TypeError, ValueError
        As ``minimize``; and ValueError if the value does not fall at any of the rates.

    Examples
    --------
    >>> import adamas
    >>> from scipy.optimize import rosen, rosen_der
    >>> found = adamas.find_lr(rosen, [-1.2, 1.0], jac=rosen_der)
    >>> 0.03 < found.lr < 0.5
    True
    """
    if not 0 < low < high < math.inf:
        raise ValueError(f"low={low!r}, high={high!r}: expected 0 < low < high")
    sweeps = (1 if data is None else 3) if sweeps is None else sweeps
    if steps < 10 or sweeps < 1:
        raise ValueError(f"steps={steps!r}, sweeps={sweeps!r}: expected at least 10 and 1")
    lrs = np.geomspace(low, high, steps)
    values = np.full((sweeps, steps + 1), np.nan)
    for i in range(sweeps):
        found = minimize(
            fun, x0, args, jac=jac, bounds=bounds, data=data, batch_size=batch_size, seed=seed + i, rule=rule,
            lr=lambda k: float(lrs[min(k, steps) - 1]), maxiter=steps, noisy=True, history=True, **options,
        )  # fmt: skip
        if found.nit < _FIRST:
            raise ValueError(f"sweep {i + 1} of {sweeps} ended at once: {found.message}")
        values[i, : len(found.history)] = found.history
    smoothed = np.array([_smooth(line) for line in values])
    return _proposal(lrs, values, smoothed)


def _proposal(lrs: Array, values: Array, smoothed: Array) -> LrRange:
    """From a row of values for each sweep, the first of them before any step."""
    steepest, lowest = [], []
    for line, raw in zip(smoothed, values, strict=True):
        at = int(np.nanargmin(line))
        if line[0] - line[at] <= np.std(raw[:_FIRST]):  # no fall, or one that noise explains
            continue
        falls = line[: at + 1] - np.r_[[line[0]] * _FIRST, line[: at + 1]][: at + 1]  # lrs are even in their logarithm
        steepest.append(lrs[max(0, int(np.argmin(falls)) - 1)])
        lowest.append(lrs[at - 1])
    if not steepest:
        raise ValueError(
            f"the value does not fall at any learning rate from {lrs[0]:g} to {lrs[-1]:g}: "
            "take a smaller low, or check the sign of the gradient"
        )
    a, b = float(np.median(steepest)), float(np.median(lowest))
    return LrRange(math.sqrt(a * b), a, b, lrs, values[:, 1:], smoothed[:, 1:])


#: Of the smoothing: each value counts 0.9 times the one after it; and what the first counts for is the mean of so many,
#: as a noisy first value would look like a fall.
_DECAY, _FIRST = 0.9, 10


def _smooth(values: Array) -> Array:
    """The exponential average; NaN from where it blows up."""
    out, total = np.empty(len(values)), float(np.mean(values[:_FIRST]))
    for i, value in enumerate(values.tolist()):
        total = _DECAY * total + (1 - _DECAY) * value
        out[i] = total
    blown = ~(out <= out[0] + BLOWN * (out[0] - np.nanmin(out)))
    out[np.argmax(blown) if blown[1:].any() else len(out) :] = np.nan
    return out
