"""The plots of a run, in Vega-Lite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt
import vl_convert

from adamas.report.record import MEASURES, Curve, Measure, Record, finite

#: Vega-Lite's version as the converter wants it, such as "6.4".
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])

#: Colours that can be told apart on white and on black, also by the colour-blind.
COLOURS = ("#0e86c9", "#e07b00", "#009e73", "#c964a0", "#7a68c9", "#b8a000", "#d55e00", "#5fb3d9")
GREY = "#8a8f98"
MINI_BATCH = "mini-batch"
#: Curves of fewer points show them.
FEW = 12
#: Names of curves longer than this lose their beginning in the legend: what is told apart stands at the end.
LONG = 44


@dataclass(frozen=True)
class Plot:
    """A chart in Vega-Lite, the name of its file, and what a stranger needs to read it."""

    name: str
    title: str
    caption: str
    chart: dict[str, Any]


CAPTIONS = {
    "loss": "What training makes small. Validation examples are never trained on: where their loss rises while the "
    "training loss falls, the model learns its examples by heart. Mini-batch: the loss that each step saw, which is "
    "noisy and may be higher, if parts of the model are left out at random while it trains.",
    "loss of a function": "The value of the function: what the run makes small.",
    "accuracy": "The share of examples answered right.",
    "distance": "How far the parameters are from the nearest point that is known to be best.",
}


def plots(record: Record) -> list[Plot]:
    """Every plot of the report that has a point to show."""
    metrics = (_metric(record, metric) for metric in record.metrics)
    diagnosed = (_diagnostic(record, measure) for measure in MEASURES)
    found = [*metrics, *diagnosed, *_clipping(record), *_learning_rate(record)]
    return list(_named_apart(plot for plot in found if any(plot.chart["datasets"].values())))


def _named_apart(found: Iterable[Plot]) -> Iterator[Plot]:
    """The plots, whatever a metric is called, under names for files that differ."""
    taken: set[str] = set()
    for plot in found:
        word = re.sub(r"[^a-z0-9]+", "-", plot.name.lower())[:60].strip("-") or "plot"
        name = next(name for n in range(len(taken) + 1) if (name := f"{word}-{n + 1}" if n else word) not in taken)
        taken.add(name)
        yield replace(plot, name=name)


def _metric(record: Record, metric: str) -> Plot:
    share = metric == "accuracy"
    # before the first epoch a share is chance, and would flatten all that follows
    start = 1 if share and len(record.epochs) > 2 else 0
    curves = {split: record.evaluated(split, metric)[start:] for split in record.splits}
    caption = CAPTIONS.get(metric, "")
    if metric == "loss" and record.axis == "step":
        caption = CAPTIONS["loss of a function"]
    elif metric == "loss":
        curves[MINI_BATCH] = [(line[record.axis], line["loss"]) for line in record.steps]
    return Plot(metric, metric[:1].upper() + metric[1:], caption, _chart(record, curves, share))


def _diagnostic(record: Record, measure: Measure) -> Plot:
    every = {name: record.diagnosed(name, measure) for name in record.config["tensors"]}
    every = {name: curve for name, curve in every.items() if any(y > 0 for y in finite(curve))}
    names, caption = list(every), record.meaning(measure)
    if len(names) > len(COLOURS):
        names, which = _telling(every, measure)
        caption = f"{caption} Of {len(every)} arrays, {which} are drawn; the table below has all."
    curves = {name: every[name] for name in every if name in names}
    return Plot(
        measure.key,
        measure.title,
        caption,
        _chart(record, curves, measure.share, legend=len(record.config["tensors"]) > 1),
    )


def _telling(curves: Mapping[str, Curve], measure: Measure) -> tuple[list[str], str]:
    """The names of as many curves as there are colours, and words for which they are."""
    if measure.share:
        ordered = sorted(curves, key=lambda name: max(finite(curves[name])))
        return ordered[-len(COLOURS) :], f"the {len(COLOURS)} with the largest values"
    ordered = sorted(curves, key=lambda name: finite(curves[name])[-1])
    half = len(COLOURS) // 2
    return ordered[:half] + ordered[-half:], f"the {half} that end lowest and the {half} that end highest"


def _clipping(record: Record) -> Iterator[Plot]:
    curve = [(line[record.axis], line["diagnostics"]["clip_rate"]) for line in record.looks]
    if any(rate for _, rate in curve):
        caption = "The share of steps so far whose gradients were scaled down to the largest norm allowed."
        yield Plot("clip-rate", "Clipping", caption, _chart(record, {"clipped": curve}, share=True))


def _learning_rate(record: Record) -> Iterator[Plot]:
    curve = [(line[record.axis], line["lr"]) for line in record.steps]
    if len({rate for _, rate in curve}) > 1:
        caption = f"The {record.config['options']['schedule']} schedule: how long the steps may be as the run goes on."
        yield Plot("learning-rate", "Learning rate", caption, _chart(record, {"learning rate": curve}, log=False))


def _chart(
    record: Record, curves: Mapping[str, Curve], share: bool = False, log: bool = True, legend: bool = False
) -> dict[str, Any]:
    """Lines over the run with a tooltip at the nearest point, and zoom.

    The axis is logarithmic, unless not wanted, for numbers that span a decade and are not negative. It leaves out
    zeros. Two curves have a legend; ``legend`` gives one also to a single curve.
    """
    axis = record.axis
    values = sorted(y for curve in curves.values() for y in finite(curve) if y)
    log = log and not share and bool(values) and 0 < 10 * values[0] <= values[-1]
    rows = [
        {"curve": name, axis: x, "value": float(f"{y:.4g}")}
        for name in sorted(curves, key=lambda name: name != MINI_BATCH)  # noise is drawn first, below the others
        for x, y in curves[name]
        if y is not None and (y > 0 or not log)
    ]
    near = alt.selection_point(nearest=True, on="pointermove", clear="pointerout", fields=[axis], empty=False)
    zoom = zooming()
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X(f"{axis}:Q", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=6)),
        y=height(share, log),
        color=_colour(list(curves), legend or len(curves) > 1),
    )
    few = all(len(curve) < FEW for curve in curves.values())
    lines = base.mark_line(strokeWidth=1.6, clip=True, point=alt.OverlayMarkDef(size=25) if few else False)
    # the row itself as tooltip: Vega-Lite 6 loses the name of the curve where one is spelled out
    dots = base.mark_point(filled=True, size=60, clip=True, tooltip=alt.TooltipContent("data"))
    dots = dots.encode(opacity=alt.condition(near, alt.value(1), alt.value(0)))
    lines = lines.encode(opacity=alt.condition(f"datum.curve == '{MINI_BATCH}'", alt.value(0.5), alt.value(1)))
    return alt.layer(lines.add_params(zoom), dots.add_params(near)).properties(width="container", height=260).to_dict()


def zooming() -> alt.Parameter:
    """Dragging, and the wheel with a key: alone it scrolls the page."""
    return alt.selection_interval(bind="scales", zoom="wheel![event.ctrlKey || event.shiftKey]")


def height(share: bool, log: bool, top: float | None = None) -> alt.Y:
    """The vertical axis, up to ``top`` if given; what is small is written as 1e-7, as a row of zeros must be counted to
    be read.
    """
    end = alt.Undefined if top is None else top
    scale = (
        alt.Scale(type="log", nice=False, padding=8, domainMax=end)
        if log
        else (alt.Scale(zero=False, nice=False, padding=8, domainMax=end))
    )
    small = "datum.label && datum.value && abs(datum.value) < 0.0001 ? format(datum.value, '.2~e') : datum.label"
    words = alt.Axis(format="~%", tickCount=5) if share else alt.Axis(format="~g", tickCount=5, labelExpr=small)
    return alt.Y("value:Q", title=None, scale=scale, axis=words)


def _colour(names: Sequence[str], legend: bool) -> alt.Color:
    colours = [GREY if name == MINI_BATCH else COLOURS[i % len(COLOURS)] for i, name in enumerate(names)]
    scale = alt.Scale(domain=list(names), range=colours)
    return alt.Color("curve:N", scale=scale, legend=key(names) if legend else None)


def key(names: Sequence[str]) -> alt.Legend:
    """A legend above the plot, in as many columns as a phone has room for."""
    longest = min(LONG, max(map(len, names), default=1))
    return alt.Legend(
        title=None,
        orient="top",
        columns=max(1, min(4, 48 // (longest + 4))),
        labelLimit=320,
        symbolOpacity=1,
        labelExpr=f"length(datum.label) > {LONG} ? '…' + slice(datum.label, -{LONG - 1}) : datum.label",
    )


#: Text and lines in the colour of the text around, so that one chart serves light and dark pages.
STYLE = {
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "titleFontWeight": "normal",
        "domainColor": "currentColor",
        "domainOpacity": 0.4,
        "tickColor": "currentColor",
        "tickOpacity": 0.4,
        "gridColor": "currentColor",
        "gridOpacity": {"condition": {"test": "datum.label", "value": 0.14}, "value": 0.04},  # bolder at a number
        "labelFontSize": 12,
        "titleFontSize": 12,
    },
    "title": {"color": "currentColor", "fontSize": 14, "anchor": "start"},
    "legend": {"labelColor": "currentColor", "labelFontSize": 12, "symbolType": "stroke", "symbolStrokeWidth": 3},
}


def png(plot: Plot) -> bytes:
    """The plot as a picture."""
    chart = plot.chart | {"width": 640, "height": 360, "title": plot.title}
    config = STYLE | {"background": "white"}
    return vl_convert.vegalite_to_png(chart, vl_version=VEGA_LITE, config=config, scale=2)
