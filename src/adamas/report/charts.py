"""The plots of a run, in Vega-Lite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from adamas.report.record import Line, Record

#: Vega-Lite's version as the converter wants it, such as "6.4".
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])

#: Colours that can be told apart on white and on black, also by the colour-blind.
COLOURS = ("#0e86c9", "#e07b00", "#009e73", "#c964a0", "#7a68c9", "#b8a000", "#d55e00", "#5fb3d9")
GREY = "#8a8f98"
MINI_BATCH = "mini-batch"

#: (x, y) of each point; None where it is no number.
Curve = Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Plot:
    """A chart in Vega-Lite, the name of its file, and what a stranger needs to read it."""

    name: str
    title: str
    caption: str
    chart: dict[str, Any]


#: Diagnostics by tensor: title, caption, and whether it is a share that is only of interest where it is not 0.
DIAGNOSTICS = {
    "update_ratio": (
        "Update size",
        "How far one step moves each array of weights: the root mean square of the change over that of the weights. "
        "Around 0.001 is usual; far more is unstable, far less learns slowly.",
        False,
    ),
    "signal_to_noise": (
        "Signal in the gradients",
        "The mean of m̂²/v̂: 1 where the gradients of an array stay the same from step to step, about 0.05 where they "
        "are nothing but noise.",
        False,
    ),
    "eps_share": (
        "Where eps dominates",
        "The share of elements whose gradients are smaller than eps: they move as by momentum alone.",
        True,
    ),
    "lost_share": (
        "Lost updates",
        "The share of updates that rounding throws away: the weights' dtype cannot hold so small a difference.",
        True,
    ),
}

CAPTIONS = {
    "loss": "What training makes small. Validation examples are never trained on: where their loss rises while the "
    "training loss falls, the model learns its examples by heart. Mini-batch: the loss that each step saw, which is "
    "noisy and may be higher, as parts of the model are left out at random while it trains.",
    "loss of a function": "The value of the function: what the run makes small.",
    "accuracy": "The share of examples answered right.",
    "distance": "How far the parameters are from the nearest point that is known to be best.",
}


def plots(record: Record) -> list[Plot]:
    """Every plot of the report that has a point to show."""
    found = [*(_metric(record, metric) for metric in record.metrics), *_diagnostics(record)]
    if any(line["diagnostics"]["clip_rate"] for line in record.diagnosed):
        curve = [(line[record.axis], line["diagnostics"]["clip_rate"]) for line in record.diagnosed]
        caption = "The share of steps so far whose gradients were scaled down to the largest norm allowed."
        found.append(Plot("clip-rate", "Clipping", caption, _chart(record, {"clipped": curve}, "share", ".2~%", False)))
    if len({line["lr"] for line in record.steps}) > 1:
        found.append(_learning_rate(record))
    return [plot for plot in found if any(plot.chart["datasets"].values())]


def _metric(record: Record, metric: str) -> Plot:
    share = metric == "accuracy"
    # before the first epoch a share is chance, and would flatten all that follows
    lines = record.epochs[1:] if share and len(record.epochs) > 2 else record.epochs
    curves = {s: [(line[record.axis], line["metrics"][s][metric]) for line in lines] for s in record.splits}
    caption = CAPTIONS.get(metric, "")
    if metric == "loss" and record.axis == "step":
        caption = CAPTIONS["loss of a function"]
    elif metric == "loss":
        curves[MINI_BATCH] = [(line[record.axis], line["loss"]) for line in record.steps]
    values = [y for curve in curves.values() for _, y in curve if y is not None]
    log = not share and all(y >= 0 for y in values) and any(values)
    chart = _chart(record, curves, metric, ".2~%" if share else "~g", log)
    return Plot(metric, metric.capitalize(), caption, chart)


def _diagnostics(record: Record) -> Iterator[Plot]:
    for key, (title, caption, share) in DIAGNOSTICS.items():
        every = {name: _curve(record, name, key) for name in record.config["tensors"]}
        top = {name: max((y for _, y in curve if y is not None), default=None) for name, curve in every.items()}
        worth = [name for name, y in top.items() if y is not None and (y > 0 or not share)]
        names = sorted(worth, key=lambda name: -(top[name] or 0))[: len(COLOURS)]
        if len(worth) > len(names):
            caption = f"{caption} Of {len(worth)} arrays, the {len(names)} with the largest values are shown."
        curves = {name: every[name] for name in record.config["tensors"] if name in names}
        form = ".2~%" if share else ".2~e" if key == "update_ratio" else "~g"
        yield Plot(key.replace("_", "-"), title, caption, _chart(record, curves, "value", form, log=not share))


def _curve(record: Record, tensor: str, key: str) -> Curve:
    def value(line: Line) -> float | None:
        found: float | None = line["diagnostics"]["tensors"].get(tensor, {}).get(key)
        return found

    return [(line[record.axis], value(line)) for line in record.diagnosed]


def _learning_rate(record: Record) -> Plot:
    curves = {"learning rate": [(line[record.axis], line["lr"]) for line in record.steps]}
    caption = f"The {record.config['options']['schedule']} schedule: how long the steps may be, as training goes on."
    return Plot("learning-rate", "Learning rate", caption, _chart(record, curves, "rate", "~g", log=False))


def _chart(record: Record, curves: Mapping[str, Curve], field: str, form: str, log: bool) -> dict[str, Any]:
    """Lines over the run with a tooltip at the nearest point, and zoom. A log axis leaves out what is not > 0."""
    axis = record.axis
    rows = [
        {"curve": name, axis: round(x, 2), field: float(f"{y:.4g}")}
        for name in sorted(curves, key=lambda name: name != MINI_BATCH)  # noise is drawn first, below the others
        for x, y in curves[name]
        if y is not None and (y > 0 or not log)
    ]
    scale = alt.Scale(type="log") if log else alt.Scale(zero=False)
    scale.nice, scale.padding = False, 8
    near = alt.selection_point(nearest=True, on="pointermove", clear="pointerout", fields=[axis], empty=False)
    # the wheel alone scrolls the page
    zoom = alt.selection_interval(bind="scales", zoom="wheel![event.ctrlKey || event.shiftKey]")
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X(f"{axis}:Q", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=6)),
        y=alt.Y(f"{field}:Q", title=None, scale=scale, axis=alt.Axis(format=form, tickCount=5)),
        color=_colour(list(curves)),
    )
    faint = alt.condition(f"datum.curve == '{MINI_BATCH}'", alt.value(0.5), alt.value(1))
    lines = base.mark_line(strokeWidth=1.6, clip=True).encode(opacity=faint)
    # the row itself as tooltip: Vega-Lite 6 loses the name of the curve where one is spelled out
    dots = base.mark_point(filled=True, size=60, clip=True, tooltip=alt.TooltipContent("data"))
    dots = dots.encode(opacity=alt.condition(near, alt.value(1), alt.value(0)))
    return alt.layer(lines.add_params(zoom), dots.add_params(near)).properties(width="container", height=260).to_dict()


def _colour(names: Sequence[str]) -> alt.Color:
    colours = [GREY if name == MINI_BATCH else COLOURS[i % len(COLOURS)] for i, name in enumerate(names)]
    return alt.Color(
        "curve:N",
        scale=alt.Scale(domain=list(names), range=colours),
        legend=alt.Legend(title=None, orient="top", columns=4, labelLimit=150) if len(names) > 1 else None,
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
