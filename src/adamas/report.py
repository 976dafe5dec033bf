"""A run's folder as one HTML page that needs no network, and as PNG plots.

The page is made from config.json and metrics.jsonl alone, so that it can be made again from any finished folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment

#: Vega-Lite's version as the converter wants it, such as "6.4".
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])

#: Colours that can be told apart on white and on black, also by the colour-blind.
COLOURS = ("#0e86c9", "#e07b00", "#009e73", "#c964a0", "#7a68c9", "#b8a000", "#d55e00", "#5fb3d9")
GREY = "#8a8f98"
MINI_BATCH = "mini-batch"

#: (epoch, value) of each point; None where it is no number.
Curve = Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Record:
    """What a run wrote down: its configuration, and the lines of its metrics by kind."""

    config: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    epochs: Sequence[Mapping[str, Any]]
    end: Mapping[str, Any]

    @property
    def splits(self) -> list[str]:
        """The sets of examples, the training set first."""
        return list(self.config["examples"])

    @property
    def metrics(self) -> list[str]:
        """What was evaluated."""
        return list(self.epochs[-1]["metrics"][self.splits[0]])


def load(folder: Path) -> Record:
    """The record of a finished run."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    with (folder / "metrics.jsonl").open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    steps, epochs, ends = ([line for line in lines if line["kind"] == kind] for kind in ("step", "epoch", "end"))
    return Record(config, steps, epochs, ends[-1])


def shown(metric: str, value: float | None) -> str:
    """A metric as people read it: a share as a percentage, and words for what is no number."""
    if value is None:
        return "not finite"
    return f"{100 * value:.2f}%" if metric == "accuracy" else f"{value:.4g}"


# ------------------------------------------------------------------------------------------ plots


@dataclass(frozen=True)
class Plot:
    """A chart in Vega-Lite, the name of its file, and what a stranger needs to read it."""

    name: str
    title: str
    caption: str
    chart: dict[str, Any]


def plots(record: Record) -> list[Plot]:
    """Every plot of the report that has a point to show."""
    found = [*(_metric(record, metric) for metric in record.metrics), _update_sizes(record)]
    if len({line["lr"] for line in record.steps}) > 1:
        found.append(_learning_rate(record))
    return [plot for plot in found if any(plot.chart["datasets"].values())]


CAPTIONS = {
    "loss": "What training makes small. Validation examples are never trained on: where their loss rises while the "
    "training loss falls, the model learns its examples by heart. Mini-batch: the loss that each step saw, which is "
    "noisy and may be higher, as parts of the model are left out at random while it trains.",
    "accuracy": "The share of examples answered right.",
}


def _metric(record: Record, metric: str) -> Plot:
    share = metric == "accuracy"
    # before the first epoch a share is chance, and would flatten all that follows
    epochs = record.epochs[1:] if share and len(record.epochs) > 2 else record.epochs
    curves = {split: [(line["epoch"], line["metrics"][split][metric]) for line in epochs] for split in record.splits}
    if metric == "loss":
        curves[MINI_BATCH] = [(line["epoch"], line["loss"]) for line in record.steps]
    log = not share and all(y is None or y > 0 for curve in curves.values() for _, y in curve)
    chart = _chart(curves, metric, ".2~%" if share else "~g", log)
    return Plot(metric, metric.capitalize(), CAPTIONS.get(metric, ""), chart)


def _update_sizes(record: Record) -> Plot:
    tensors = record.config["tensors"]
    curves = {name: [(line["epoch"], line["update"][name]) for line in record.steps] for name in tensors}
    caption = (
        "How far one step moves each array of weights: the root mean square of the change over that of the weights. "
        "Around 0.001 is usual; far more is unstable, far less learns slowly."
    )
    return Plot("update-size", "Update size", caption, _chart(curves, "size", ".2~e", log=True))


def _learning_rate(record: Record) -> Plot:
    curves = {"learning rate": [(line["epoch"], line["lr"]) for line in record.steps]}
    caption = f"The {record.config['options']['schedule']} schedule: how long the steps may be, as training goes on."
    return Plot("learning-rate", "Learning rate", caption, _chart(curves, "rate", "~g", log=False))


def _chart(curves: Mapping[str, Curve], field: str, form: str, log: bool) -> dict[str, Any]:
    """Lines over the epochs with a tooltip at the nearest point, and zoom. A log axis leaves out what is not > 0."""
    rows = [
        {"curve": name, "epoch": round(epoch, 2), field: float(f"{y:.4g}")}
        for name in sorted(curves, key=lambda name: name != MINI_BATCH)  # noise is drawn first, below the others
        for epoch, y in curves[name]
        if y is not None and (y > 0 or not log)
    ]
    scale = alt.Scale(type="log") if log else alt.Scale(zero=False)
    scale.nice, scale.padding = False, 8
    near = alt.selection_point(nearest=True, on="pointermove", clear="pointerout", fields=["epoch"], empty=False)
    # the wheel alone scrolls the page
    zoom = alt.selection_interval(bind="scales", zoom="wheel![event.ctrlKey || event.shiftKey]")
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("epoch:Q", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=6)),
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
        legend=alt.Legend(title=None, orient="top", columns=4) if len(names) > 1 else None,
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


def _png(plot: Plot) -> bytes:
    chart = plot.chart | {"width": 640, "height": 360, "title": plot.title}
    config = STYLE | {"background": "white"}
    return vl_convert.vegalite_to_png(chart, vl_version=VEGA_LITE, config=config, scale=2)


# ------------------------------------------------------------------------------------------- page


def warnings(record: Record) -> list[str]:
    """What the reader must know before believing the numbers, in plain words."""
    found = []
    if record.end["status"] != "finished":
        found.append(f"This run did not finish: it {record.end['status']}.")
    return found


def numbers(record: Record) -> Iterator[tuple[str, str, str]]:
    """(name, value, remark) of the figures at the top."""
    last, examples = record.epochs[-1], record.config["examples"]
    for split in reversed(record.splits):
        for metric in reversed(record.metrics):
            yield f"{split} {metric}", shown(metric, last["metrics"][split][metric]), f"{examples[split]:,} examples"
    yield "training time", f"{record.end['seconds']:.1f} s", f"{record.end['step']:,} steps"
    size = sum(math.prod(shape) for shape in record.config["tensors"].values())
    yield "parameters", f"{size:,}", f"{record.config['state_per_parameter']:.3g} bytes of state each"


def tensors(record: Record) -> Iterator[tuple[str, str, str, str]]:
    """(name, shape, parameters, size of the last update written down) of each tensor."""
    update = record.steps[-1]["update"] if record.steps else {}
    for name, shape in record.config["tensors"].items():
        size = f"{update[name]:.2e}" if update.get(name) is not None else "–"
        yield name, " × ".join(map(str, shape)) or "1", f"{math.prod(shape):,}", size


def settings(record: Record) -> Iterator[tuple[str, str]]:
    """(name, value) of the rule, the options and the hyper-parameters that ran."""
    config = record.config
    yield "rule", config["rule"]["about"]
    chosen = {**config["hyper"], **config["options"], **config["hyper"]}
    for name, value in chosen.items():
        if name not in ("task", "rule") and value is not None:
            numbers = value if isinstance(value, list) else [value]
            texts = (f"{x:g}" if isinstance(x, float) else str(x) for x in numbers)
            yield {"lr": "learning rate"}.get(name, name.replace("_", " ")), ", ".join(texts)


def page(record: Record, drawn: Sequence[Plot]) -> str:
    """The report; whatever comes from the run is escaped by the template."""
    # Its stub asks for a snippet; the function takes none for the whole bundle.
    script = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg, unused-ignore]
    return (
        Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(_PAGE)
        .render(
            config=record.config,
            warnings=warnings(record),
            numbers=list(numbers(record)),
            plots=drawn,
            charts={plot.name: plot.chart for plot in drawn},
            style=STYLE,
            settings=list(settings(record)),
            tensors=list(tensors(record)),
            script=script.replace("</script", "<\\/script"),
        )
    )


def write(folder: Path) -> None:
    """Make report.html and a PNG of every plot from the folder's config.json and metrics.jsonl."""
    record = load(folder)
    drawn = plots(record)
    for plot in drawn:
        (folder / f"{plot.name}.png").write_bytes(_png(plot))
    (folder / "report.html").write_text(page(record, drawn), encoding="utf-8")


# The policy lets the page fetch nothing. Vega compiles its expressions, hence 'unsafe-eval'.
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
style-src 'unsafe-inline'; img-src data:">
<title>{{ config.task }} with {{ config.rule.title }} · Adamas</title>
<style>
:root { color-scheme: light dark; --text: #1d2127; --soft: #5d6673; --line: #dfe3e8; --page: #ffffff; --card: #f6f7f9;
  --warn: #9a4b00; --warn-back: #fff4e5; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e6ea; --soft: #9aa4b1; --line: #333a44; --page: #14171b; --card: #1c2026;
    --warn: #ffb866; --warn-back: #33260f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 64rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--page); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
p { margin: .4rem 0; }
.plots + p { margin-top: 1.5rem; }
.soft, figcaption, th, dt { color: var(--soft); }
.warning { color: var(--warn); background: var(--warn-back); padding: .7rem 1rem; border-radius: .5rem; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.6rem, 1fr)); gap: .7rem; margin: 1.2rem 0; }
.numbers div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .7rem; }
.numbers b { display: block; font-size: 1.4rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.numbers span { display: block; font-size: .8rem; }
figure { margin: 0; }
figcaption { font-size: .9rem; margin-top: .3rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 0 2rem; }
.plots > * { min-width: 0; }
.chart { width: 100%; min-height: 300px; touch-action: pan-y; }
.vega-embed { width: 100%; }
body #vg-tooltip-element { color: var(--text); background: var(--card); border-color: var(--line);
  font-family: inherit; }
body #vg-tooltip-element td { border: 0; padding: 0 .3rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: normal; white-space: nowrap; }
td, pre, h1, p { overflow-wrap: anywhere; }
.right { text-align: right; }
.shape, pre span { white-space: nowrap; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem; margin: .5rem 0;
  white-space: pre-wrap; user-select: all; }
</style>
</head>
<body>
<header>
<h1>{{ config.task }}, trained with {{ config.rule.title }}</h1>
<p>{{ config.about }}</p>
<p class="soft">Started {{ config.started }}.</p>
{% for warning in warnings %}
<p class="warning" role="alert">{{ warning }}</p>
{% endfor %}
</header>
<section class="numbers">
{% for name, value, remark in numbers %}
<div><span class="soft">{{ name }}</span><b>{{ value }}</b><span class="soft">{{ remark }}</span></div>
{% endfor %}
</section>
<noscript><p class="warning">The plots need JavaScript; without it, see the PNG files beside this page.</p></noscript>
<section class="plots">
{% for plot in plots %}
<figure>
<h2>{{ plot.title }}</h2>
<div class="chart" id="{{ plot.name }}" role="img" aria-label="{{ plot.title }} over the epochs"></div>
<figcaption>{{ plot.caption }}</figcaption>
</figure>
{% endfor %}
</section>
<p class="soft">An epoch is one pass over all training examples. Point at a curve for its values; drag to move; \
Ctrl and the wheel, or a pinch on a touchpad, zooms; a double click resets.</p>
<section>
<h2>What ran</h2>
<table>
{% for name, value in settings %}
<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
</table>
<h2>Tensors</h2>
<table>
<tr><th scope="col">name</th><th scope="col">shape</th><th scope="col" class="right">parameters</th>\
<th scope="col" class="right">last update</th></tr>
{% for name, shape, size, update in tensors %}
<tr><td>{{ name }}</td><td class="shape">{{ shape }}</td><td class="right">{{ size }}</td>\
<td class="right">{{ update }}</td></tr>
{% endfor %}
</table>
<h2>Where it ran</h2>
<table>
{% for name, value in config.machine.items() %}
<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
<tr><th scope="row">versions</th><td>\
{% for name, version in config.versions.items() %}{{ name }} {{ version }}{{ ", " if not loop.last }}{% endfor %}
</td></tr>
</table>
<h2>Run it again</h2>
<pre>{% for word in config.command.split(" ") %}<span>{{ word }}</span> {% endfor %}</pre>
<p class="soft">Beside this page: <code>metrics.jsonl</code> with every number of the plots, <code>config.json</code> \
with every setting, and the plots as PNG files.</p>
</section>
<script>{{ script | safe }}</script>
<script>
const style = {{ style | tojson }}, charts = {{ charts | tojson }};
style.font = "system-ui, sans-serif";
const options = { renderer: "svg", config: style, actions: false };
for (const [name, chart] of Object.entries(charts)) {
  vegaEmbed("#" + name, chart, options).catch(error => {
    document.getElementById(name).textContent = "This plot cannot be drawn: " + error;
    console.error(error);
  });
}
</script>
</body>
</html>
"""
