"""The plots of a comparison, in Vega-Lite: a colour a rule, a dash a kind of state."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt

from adamas.report.charts import COLOURS, Plot, height, key, zooming
from adamas.report.comparison.outcome import Contender, Outcome
from adamas.report.comparison.plan import Plan

#: Points of a curve that are drawn, at most.
POINTS = 100
#: Evaluations that make a curve; a run with fewer shows the loss of its mini-batches.
ENOUGH = 6
#: Losses above this many times those before the first step leave the plot at its top.
ABOVE = 1.5

DASHES = ([1, 0], [5, 3], [2, 2], [8, 3, 2, 3])

Row = dict[str, Any]


def plots(plan: Plan, found: Sequence[Outcome]) -> Iterator[list[Plot]]:
    """Of each task, all that has a point to show."""
    for i, outcome in enumerate(found):
        drawn = [*_losses(plan, outcome, i), *_sensitivity(plan, outcome, i)]
        yield [plot for plot in drawn if any(plot.chart["datasets"].values())]


# ----------------------------------------------------------------------------------------- curves


def _losses(plan: Plan, outcome: Outcome, i: int) -> Iterator[Plot]:
    """The loss of each split over the run, at each contender's best learning rate."""
    band = "Lines are means over the seeds, bands go from the lowest seed to the highest." if plan.seeds > 1 else ""
    for split in outcome.splits:
        rows = [row for one in outcome.ranking for row in _over_the_run(outcome, one, split)]
        what = f"{split} loss" if len(outcome.splits) > 1 else "loss"
        if split == outcome.splits[0] and _few(outcome):
            what = f"{what} of the mini-batches"
        caption = f"Each contender at its best learning rate. {band}".strip()
        title = f"{what[0].upper()}{what[1:]}"
        yield Plot(f"loss-{split}-{i}".replace(" ", "-"), title, caption, _lines(plan, rows, outcome.axis, False))


def _few(outcome: Outcome) -> bool:
    first = outcome.ranking[0].best if outcome.ranking else None
    return bool(outcome.task.data) and first is not None and len(first.results[0].evaluated) < ENOUGH


def _over_the_run(outcome: Outcome, contender: Contender, split: str) -> Iterator[Row]:
    assert contender.best is not None
    results = contender.best.results
    if split == outcome.splits[0] and _few(outcome):
        runs = [list(result.curve) for result in results]
    else:
        runs = [
            list(zip(r.evaluated, (m[split]["loss"] for m in r.metrics), strict=True)) for r in results if r.metrics
        ]
    epoch = results[0].epoch or 1
    every = -(-len(runs[0]) // POINTS)
    points = list(zip(*runs, strict=False))
    for point in [*points[:-1:every], points[-1]]:
        losses = [loss for _, loss in point if loss is not None]
        if losses:
            yield _row(contender.label, outcome.axis, point[0][0] / epoch, losses)


# ------------------------------------------------------------------------------------ sensitivity


def _sensitivity(plan: Plan, outcome: Outcome, i: int) -> Iterator[Plot]:
    rows, crosses = [], []
    for one in outcome.contenders:
        for attempt in one.tries:
            losses = attempt.finals(one.split, "loss")
            if losses:
                rows.append(_row(one.label, "learning rate", attempt.lr, losses))
            else:
                crosses.append({"curve": one.label, "learning rate": attempt.lr})
    start = _start(outcome)
    top = max(ABOVE * start, min((row["mean"] for row in rows), default=1)) if start else None
    high = top is not None and any(row["mean"] > top for row in rows)
    caption = (
        "The flatter and wider a valley, the less a learning rate must be searched for. "
        f"{'Means over the seeds, with bands from the lowest to the highest. ' if plan.seeds > 1 else ''}"
        f"{'A cross at the top: at least one seed diverged or failed. ' if crosses else ''}"
        f"{f'Losses above {ABOVE:g} times the one before training leave the plot.' if high else ''}"
    )
    title = f"{outcome.loss[0].upper()}{outcome.loss[1:]} at the end, by learning rate"
    chart = _lines(plan, rows, "learning rate", True, crosses, top)
    yield Plot(f"sensitivity-{i}", title, caption.strip(), chart)


def _start(outcome: Outcome) -> float | None:
    """The loss before the first step, a mean over all runs, where it is positive."""
    found = [r.metrics[0][outcome.split]["loss"] for one in outcome.contenders for r in one.results if r.metrics]
    losses = [x for x in found if x is not None]
    start = statistics.fmean(losses) if losses else 0
    return start if start > 0 else None


# --------------------------------------------------------------------------------------- vega-lite


def _row(label: str, axis: str, x: float, losses: Sequence[float]) -> Row:
    low, mean, high = (float(f"{y:.5g}") for y in (min(losses), statistics.fmean(losses), max(losses)))
    return {"curve": label, axis: float(f"{x:.6g}"), "mean": mean, "lowest": low, "highest": high}


def _look(plan: Plan) -> dict[str, Any]:
    """The colour and the dash of each contender, the same in every plot of a page."""
    names = plan.labels()
    places = [divmod(i, len(plan.states)) for i in range(len(names))]
    colours = [COLOURS[rule % len(COLOURS)] for rule, _ in places]
    dashes = [DASHES[(state + rule // len(COLOURS)) % len(DASHES)] for rule, state in places]
    legend = key(names)
    return {
        "color": alt.Color("curve:N", scale=alt.Scale(domain=names, range=colours), legend=legend),
        "strokeDash": alt.StrokeDash("curve:N", scale=alt.Scale(domain=names, range=dashes), legend=legend),
    }


def _lines(
    plan: Plan, rows: list[Row], axis: str, log_x: bool, crosses: Sequence[Row] = (), top: float | None = None
) -> dict[str, Any]:
    """Lines with bands; a click in the legend singles one out. ``crosses`` stand at the top."""
    look = _look(plan)
    lowest, highest = min((row["lowest"] for row in rows), default=1), max((row["mean"] for row in rows), default=1)
    top = highest if top is None else min(top, highest)
    log = 0 < 10 * lowest <= top
    rows = [row for row in rows if not log or row["lowest"] > 0]
    near = alt.selection_point(nearest=True, on="pointermove", clear="pointerout", fields=[axis, "curve"], empty=False)
    single = alt.selection_point(fields=["curve"], bind="legend")
    scale = alt.Scale(type="log", nice=False, padding=12) if log_x else alt.Scale(nice=False)
    ticks = alt.Axis(tickCount=6, format="~g", labelExpr=_POWERS) if log_x else alt.Axis(tickCount=6)
    y = height(False, log, top if top < highest else None)
    data = alt.Chart(alt.InlineData(rows)).encode(x=alt.X(f"{axis}:Q", scale=scale, axis=ticks), color=look["color"])
    base = data.encode(strokeDash=look["strokeDash"])
    shown = alt.condition(single, alt.value(1), alt.value(0.12))
    bands = data.mark_area(clip=True, tooltip=None).encode(
        y=_of(y, "lowest"), y2="highest:Q", opacity=alt.condition(single, alt.value(0.13), alt.value(0.02))
    )
    lines = base.mark_line(strokeWidth=1.8, clip=True).encode(y=_of(y, "mean"), opacity=shown)
    dots = data.mark_point(filled=True, size=60, clip=True, tooltip=alt.TooltipContent("data"))
    dots = dots.encode(y=_of(y, "mean"), opacity=alt.condition(near, alt.value(1), alt.value(0.9 if log_x else 0)))
    if log_x:
        dots = dots.encode(size=alt.condition(near, alt.value(70), alt.value(25)))
    layers = [bands, lines.add_params(zooming(), single), dots.add_params(near)]
    if crosses:
        marks = alt.Chart(alt.InlineData(list(crosses))).mark_point(shape="cross", angle=45, filled=True, size=60)
        layers.append(marks.encode(x=f"{axis}:Q", y=alt.value(6), color=look["color"], opacity=shown))
    return alt.layer(*layers).properties(width="container", height=280).to_dict()


#: Powers of ten in words that are short, others without a label.
_POWERS = "abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) < 1e-6 ? format(datum.value, '~g') : ''"


def _of(y: alt.Y, field: str) -> alt.Y:
    other = y.copy()
    other.shorthand = f"{field}:Q"
    return other
