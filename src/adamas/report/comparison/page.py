"""A comparison as a page that a stranger understands."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adamas import doctor
from adamas.report.comparison.charts import plots
from adamas.report.comparison.outcome import (
    Contender,
    Outcome,
    cautions,
    chosen_by,
    outcomes,
    standing,
    verdict,
)
from adamas.report.comparison.plan import Plan
from adamas.report.comparison.statistics import NEAR, mean_sd
from adamas.report.page import render
from adamas.report.record import shown
from adamas.trials import Result


@dataclass(frozen=True)
class Section:
    """What the page says of one task."""

    outcome: Outcome
    verdict: str
    chosen: str
    plots: list[object]
    differences: list[tuple[str, ...]]
    columns: list[str]
    bests: list[tuple[str, ...]]
    costs: list[tuple[str, ...]]


def page(plan: Plan, results: Sequence[Result]) -> str:
    """The report of a comparison; whatever comes from a task is escaped by the template."""
    found = outcomes(plan, results)
    drawn = list(plots(plan, found))
    words = dict(
        plan=plan,
        sections=[_section(outcome, mine) for outcome, mine in zip(found, drawn, strict=True)],
        warnings=[text for outcome in found for text in cautions(outcome)],
        overview=list(_overview(plan, found)) if len(found) > 1 else [],
        title=f"{_some(plan.rules, 'rules')} on {_some(plan.tasks, 'tasks')}",
        ran=_ran(plan, results),
        near=f"{NEAR:.0%}",
        command=plan.command(),
        machine=doctor.machine(),
        versions=doctor.versions("numpy", "numba"),
    )
    return render("comparison.html", [plot for mine in drawn for plot in mine], words)


def _some(names: Sequence[str], what: str) -> str:
    return ", ".join(names) if len(names) < 4 else f"{len(names)} {what}"


def _ran(plan: Plan, results: Sequence[Result]) -> str:
    diverged = sum(result.status.startswith("diverged") for result in results)
    words = f"{plan.describe()}; {_hours(sum(r.seconds for r in results))} of computing."
    return f"{words} Diverged: {diverged or 'none'}. {time.strftime('%Y-%m-%d %H:%M')}."


def _hours(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _section(outcome: Outcome, drawn: Sequence[object]) -> Section:
    metrics = _metrics(outcome)
    columns = [_named(outcome, split, metric) for split, metric in metrics]
    everyone = [*outcome.ranking, *outcome.unranked]
    bests = [_best(outcome, one, metrics) for one in everyone]
    costs = [_cost(one) for one in everyone]
    words = verdict(outcome), chosen_by(outcome)
    return Section(outcome, *words, list(drawn), list(_differences(outcome)), columns, bests, costs)


def _metrics(outcome: Outcome) -> list[tuple[str, str]]:
    """(split, metric) of the table, what was not trained on first."""
    for one in outcome.ranking:
        assert one.best is not None
        last = one.best.results[0].metrics[-1]
        return [(split, metric) for split in reversed(outcome.splits) for metric in last[split]]
    return []


def _named(outcome: Outcome, split: str, metric: str) -> str:
    return f"{split} {metric}" if len(outcome.splits) > 1 else metric


def _best(outcome: Outcome, one: Contender, metrics: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """(contender, best learning rate, its metrics)."""
    if one.best is None:
        return one.label, "–", *[standing(outcome, one)] * len(metrics)
    cells = (_spread(one.best.finals(*which), which[1], outcome) for which in metrics)
    return one.label, f"{one.best.lr:g}", *cells


def _cost(one: Contender) -> tuple[str, ...]:
    """(contender, learning rates that do well, the decades between, diverged runs, times of a step, bytes of state)."""
    width, diverged = one.width, sum(result.status.startswith("diverged") for result in one.results)
    well = (f"{width.count} of {width.of}", f"{width.decades:.1f}") if width.count else ("–", "–")
    count = f"{diverged} of {len(one.results)}" if diverged else "none"
    taken = [result for result in one.results if result.steps]
    if not taken:
        return one.label, *well, count, "–", "–", "–"
    times = (
        statistics.median(times) for times in zip(*((r.step_seconds, r.seconds / r.steps) for r in taken), strict=True)
    )
    return one.label, *well, count, *map(_time, times), f"{taken[0].state_bytes:.3g}"


def _spread(values: list[float] | None, metric: str, outcome: Outcome) -> str:
    """Mean ± standard deviation."""
    if values is None:
        return "–"
    mean, sd = mean_sd(values)
    if outcome.seeds == 1 or sd == 0:
        return shown(metric, mean)
    return f"{shown(metric, mean)} ± {f'{100 * sd:.2f}' if metric == 'accuracy' else f'{sd:.2g}'}"


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def _differences(outcome: Outcome) -> Iterator[tuple[str, ...]]:
    """(contender, loss, above the lowest, interval, verdict), the one that the others are compared with first."""
    for one in outcome.ranking:
        above = interval = ""
        if one is not outcome.ranking[0]:
            behind, share = outcome.behind(one), _share(outcome, one)
            above = f"{_signed(behind.mean)}{share and f' ({share})'}"
            if behind.interval and not outcome.without_chance:
                interval = " to ".join(map(_signed, behind.interval))
        yield one.label, f"{statistics.fmean(one.scores):.4g}", above, interval, standing(outcome, one)
    for one in outcome.unranked:
        yield one.label, "–", "", "", standing(outcome, one)


def _share(outcome: Outcome, one: Contender) -> str:
    """How far a contender is above the lowest, in percent where that says something."""
    lowest, mean = statistics.fmean(outcome.ranking[0].scores), statistics.fmean(one.scores)
    share = (mean - lowest) / abs(lowest) if lowest else math.inf
    return f"{share:+.1%}" if share < 1 else f"{share:+.0%}" if share < 10 else ""


def _signed(x: float) -> str:
    return f"{x:+.3g}".replace("-", "−")


def _overview(plan: Plan, found: Sequence[Outcome]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Of each contender and task: the loss above the lowest, and how that stands."""
    for label in plan.labels():
        cells = []
        for outcome in found:
            (one,) = (one for one in outcome.contenders if one.label == label)
            cells.append((_above(outcome, one), standing(outcome, one)))
        yield label, cells


def _above(outcome: Outcome, one: Contender) -> str:
    if not one.best:
        return "–"
    share = "" if one is outcome.ranking[0] else _share(outcome, one)
    return share or f"{statistics.fmean(one.scores):.4g}"
