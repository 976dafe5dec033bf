"""The plots of the remade figures, in Vega-Lite."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import altair as alt

from adamas.paper.figures import CORRECTED, NAMES, UNCORRECTED, Panel
from adamas.paper.outcomes import Curve, Losses, chosen, tenth, whole
from adamas.report.charts import COLOURS, Plot, height, key, zooming

Row = dict[str, Any]

#: Rule → its colour, the same in all plots.
COLOUR = dict(zip(NAMES, COLOURS, strict=False))


def plot(panel: Panel, losses: Losses) -> Plot:
    """A panel with losses as a plot."""
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in panel.key)
    chart = _by_lr(losses) if panel.evaluated else _over_epochs(losses)
    return Plot(f"figure-{name}", panel.title, "", chart)


def _point(x: float, values: Iterable[float]) -> Row:
    values = list(values)
    return {"x": x, "lowest": min(values), "median": statistics.median(values), "highest": max(values)}


# ---------------------------------------------------------------------- figures 1 to 3: over the epochs


def _over_epochs(losses: Losses) -> dict[str, Any]:
    """The training cost of each rule at its best learning rate."""
    rows = [{"curve": NAMES[rule], **row} for rule in losses for row in _epochs(chosen(losses, rule))]
    names = [NAMES[rule] for rule in losses]
    colour = alt.Color(
        "curve:N", scale=alt.Scale(domain=names, range=[COLOUR[rule] for rule in losses]), legend=key(names)
    )
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("x:Q", title="epoch", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=6)), color=colour
    )
    return _layers(base, log=True)


def _epochs(curves: Sequence[Curve]) -> Iterator[Row]:
    for epoch, values in enumerate(zip(*curves, strict=True), 1):
        if max(values) < float("inf"):
            yield _point(epoch, values)


# ---------------------------------------------------------------------- figure 4: by learning rate


def _by_lr(losses: Losses) -> dict[str, Any]:
    """The loss by learning rate, with and without bias correction, early and late; at most the untrained one."""
    rows, looks = [], {}
    for rule, lrs in losses.items():
        for epoch, dash in ((tenth, [4, 3]), (whole, [1, 0])):
            name = f"{CORRECTION[rule]}, epoch {epoch(next(iter(lrs.values()))[0])}"
            looks[name] = (SHADES[rule], dash)
            for lr, curves in lrs.items():
                rows.append({"curve": name, **_point(lr, [min(curve[epoch(curve)], curve[0]) for curve in curves])})
    names, (colours, dashes) = list(looks), zip(*looks.values(), strict=True)
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("x:Q", title="learning rate", scale=alt.Scale(type="log", nice=False, padding=10), axis=POWERS),
        color=alt.Color("curve:N", scale=alt.Scale(domain=names, range=colours), legend=key(names)),
    )
    dashed = alt.StrokeDash("curve:N", scale=alt.Scale(domain=names, range=dashes), legend=key(names))
    return _layers(base, log=False, strokeDash=dashed)


CORRECTION = {CORRECTED: "corrected", UNCORRECTED: "uncorrected"}
#: As in the paper, red with correction and green without; in shades that the colour-blind tell apart.
SHADES = {CORRECTED: "#d55e00", UNCORRECTED: "#009e73"}
POWERS = alt.Axis(format="~e", values=[1e-5, 1e-4, 1e-3, 1e-2, 1e-1])


# --------------------------------------------------------------------------------------- vega-lite


def _layers(base: alt.Chart, log: bool, **line: Any) -> dict[str, Any]:
    """Medians over the seeds as lines, all seeds as bands, and a tooltip at the nearest point."""
    y = height(False, log)
    near = alt.selection_point(nearest=True, on="pointermove", clear="pointerout", empty=False)
    bands = base.mark_area(clip=True, opacity=0.15, tooltip=None).encode(y=_of(y, "lowest"), y2="highest:Q")
    lines = base.mark_line(clip=True, strokeWidth=1.8).encode(y=_of(y, "median"), **line)
    dots = base.mark_point(filled=True, size=60, clip=True, tooltip=alt.TooltipContent("data"))
    dots = dots.encode(y=_of(y, "median"), opacity=alt.condition(near, alt.value(1), alt.value(0)))
    layers = alt.layer(bands, lines.add_params(zooming()), dots.add_params(near))
    return layers.properties(width="container", height=260).to_dict()


def _of(y: alt.Y, field: str) -> alt.Y:
    copy = y.copy()
    copy.shorthand = f"{field}:Q"
    return copy
