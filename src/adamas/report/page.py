"""A run as a page that a stranger understands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import vl_convert
from jinja2 import Environment, FunctionLoader

from adamas.report.cautions import warnings
from adamas.report.charts import STYLE, VEGA_LITE, Plot
from adamas.report.record import MEASURES, Measure, Record, finite, shown


@dataclass(frozen=True)
class Cell:
    """A value in the table of arrays, and whether it is beyond its limit."""

    text: str
    bad: bool = False


def page(record: Record, drawn: Sequence[Plot]) -> str:
    """The report; whatever comes from the run is escaped by the template."""
    measures = _measured(record)
    words: dict[str, Any] = dict(
        config=record.config,
        axis=record.axis,
        ran=_ran(record),
        warnings=warnings(record),
        numbers=list(_numbers(record)),
        plots=drawn,
        settings=list(_settings(record)),
        measures=[(measure.title, record.meaning(measure)) for measure in measures],
        arrays=list(_arrays(record, measures)),
    )
    return render("page.html", drawn, words)


def render(template: str, drawn: Iterable[Plot], words: Mapping[str, Any]) -> str:
    """A template of this package, made from base.html, with the words and what draws the plots."""
    # Its stub asks for a snippet; the function takes none for the whole bundle.
    script = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg, unused-ignore]
    drawing = dict(
        charts={plot.name: plot.chart for plot in drawn},
        style=STYLE,
        script=script.replace("</script", "<\\/script"),
    )
    loader = FunctionLoader(lambda name: files("adamas.report").joinpath(name).read_text(encoding="utf-8"))
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader)
    return environment.get_template(template).render({**words, **drawing})


def _ran(record: Record) -> str:
    """How far the run came, in a sentence."""
    done, steps = record.end["step"], record.config["steps"]
    far = (
        f"Finished: {done:,} steps"
        if record.end["status"] == "finished"
        else f"Not finished: {done:,} of {steps:,} steps"
    )
    if record.axis == "epoch":
        epochs = record.epochs[-1]["epoch"]
        far += f" ({epochs:g} {'epoch' if epochs == 1 else 'epochs'})"
    return f"{far} in {record.end['seconds']:.1f} s. Started {record.config['started']}."


def _numbers(record: Record) -> Iterator[tuple[str, str, str]]:
    """(name, value, remark) of the figures at the top."""
    last, examples = record.epochs[-1]["metrics"], record.config["examples"]
    for split in reversed(record.splits):
        remark = f"{examples[split]:,} examples" if split in examples else "at the end"
        for metric in reversed(record.metrics):
            yield record.named(split, metric), shown(metric, last[split].get(metric)), remark
    yield "time", f"{record.end['seconds']:.1f} s", f"{record.end['step']:,} steps"
    size = sum(math.prod(shape) for shape in record.config["tensors"].values())
    yield "parameters", f"{size:,}", f"{record.config['state_per_parameter']:.3g} bytes of state each"


def _settings(record: Record) -> Iterator[tuple[str, str]]:
    """(name, value) of the rule, the options, the hyper-parameters that ran, and the facts of the task."""
    config = record.config
    yield "rule", config["rule"]["about"]
    for name, value in {**config["hyper"], **config["options"], **config["hyper"]}.items():
        if name not in ("task", "rule", "hyper") and value is not None:
            numbers = value if isinstance(value, list) else [value]
            texts = (f"{x:g}" if isinstance(x, float) else str(x) for x in numbers)
            yield {"lr": "learning rate"}.get(name, name.replace("_", " ")), ", ".join(texts)
    yield from config["facts"].items()
    if config["resumed"]:
        yield "resumed after step", ", ".join(map(str, config["resumed"]))


def _measured(record: Record) -> list[Measure]:
    """The diagnostics that the rule has."""
    return [m for m in MEASURES if any(finite(record.diagnosed(name, m)) for name in record.config["tensors"])]


def _arrays(record: Record, measures: Sequence[Measure]) -> Iterator[tuple[str, list[str], list[Cell]]]:
    """Of each array: its name; dtype, shape and parameters; and the last and the worst value of each diagnostic."""
    for name, shape in record.config["tensors"].items():
        facts = [record.config["dtypes"][name], " × ".join(map(str, shape)) or "1", f"{math.prod(shape):,}"]
        cells = []
        for measure in measures:
            values = finite(record.diagnosed(name, measure))
            cells += [_cell(measure, x) for x in (values[-1], measure.worst(values))] if values else [Cell("–")] * 2
        yield name, facts, cells


def _cell(measure: Measure, value: float) -> Cell:
    return Cell(f"{value:.1%}" if measure.share else f"{value:.2g}", value > measure.limit)
