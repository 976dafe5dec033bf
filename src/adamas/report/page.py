"""A run as a page that a stranger understands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import vl_convert
from jinja2 import Environment

from adamas import diagnostics
from adamas.report.charts import STYLE, VEGA_LITE, Plot
from adamas.report.record import Record, shown

#: Warnings of one kind that are spelled out; the others are counted.
SPELLED = 5
#: A validation loss this far above its lowest is called out, and a clip rate above this.
OVERFIT, CLIPPED = 0.1, 0.9

#: Diagnostics by tensor as columns of a table: heading, and how to write a value.
COLUMNS = {
    "update_ratio": ("update size", "{:.2e}"),
    "signal_to_noise": ("signal", "{:.2g}"),
    "eps_share": ("eps dominates", "{:.1%}"),
    "lost_share": ("updates lost", "{:.1%}"),
}


def warnings(record: Record) -> list[str]:
    """What the reader must know before believing the numbers, in plain words."""
    return [*_of_the_run(record), *_of_the_loss(record), *_of_the_tensors(record)]


def _of_the_run(record: Record) -> Iterator[str]:
    if record.end["status"] != "finished":
        yield f"This run did not finish: it {record.end['status']}."


def _of_the_loss(record: Record) -> Iterator[str]:
    for split in record.splits:
        losses = [(line["metrics"][split]["loss"], line[record.axis]) for line in record.epochs]
        finite = [(loss, x) for loss, x in losses if loss is not None]
        if len(finite) < 2:
            continue
        (first, _), (last, _), (best, at) = finite[0], finite[-1], min(finite)
        if last >= first:
            yield f"The {split} loss ended no lower than it began ({first:.4g} → {last:.4g}): try a smaller --lr."
        elif split != "train" and record.axis == "epoch" and last - best > OVERFIT * abs(best):
            yield (
                f"The {split} loss ended {(last - best) / abs(best):.0%} above its lowest, which was at epoch {at:g}: "
                "from there on the model learned its examples by heart. Fewer --epochs would have been better."
            )


def _of_the_tensors(record: Record) -> Iterator[str]:
    last = record.diagnostics()
    if last is None:
        return
    found = [f"{text[0].upper()}{text[1:]}." for text in diagnostics.warnings(last)]
    yield from found[:SPELLED]
    if len(found) > SPELLED:
        yield f"There are {len(found) - SPELLED} more such findings: see the table of arrays."
    if last.clip_rate > CLIPPED:
        yield f"{last.clip_rate:.0%} of the steps were clipped: the limit sets the length of the step, not --lr."


def numbers(record: Record) -> Iterator[tuple[str, str, str]]:
    """(name, value, remark) of the figures at the top."""
    last, examples = record.epochs[-1], record.config["examples"]
    for split in reversed(record.splits):
        remark = f"{examples[split]:,} examples" if split in examples else "at the end"
        for metric in reversed(record.metrics):
            yield f"{split} {metric}", shown(metric, last["metrics"][split][metric]), remark
    yield "training time", f"{record.end['seconds']:.1f} s", f"{record.end['step']:,} steps"
    size = sum(math.prod(shape) for shape in record.config["tensors"].values())
    yield "parameters", f"{size:,}", f"{record.config['state_per_parameter']:.3g} bytes of state each"


def tensors(record: Record) -> tuple[list[str], list[list[str]]]:
    """Headings, and a row for each array: name, dtype, shape, parameters, and its last diagnostics."""
    last = record.diagnosed[-1]["diagnostics"]["tensors"] if record.diagnosed else {}
    keys = [key for key in COLUMNS if any(t[key] is not None for t in last.values())]
    rows = []
    for name, shape in record.config["tensors"].items():
        size = " × ".join(map(str, shape)) or "1"
        found = [last.get(name, {}).get(key) for key in keys]
        cells = ["–" if x is None else COLUMNS[key][1].format(x) for key, x in zip(keys, found, strict=True)]
        rows.append([name, record.config["dtypes"][name], size, f"{math.prod(shape):,}", *cells])
    return ["name", "dtype", "shape", "parameters", *(COLUMNS[key][0] for key in keys)], rows


def settings(record: Record) -> Iterator[tuple[str, str]]:
    """(name, value) of the rule, the options, the hyper-parameters that ran, and the facts of the task."""
    config = record.config
    yield "rule", config["rule"]["about"]
    chosen = {**config["hyper"], **config["options"], **config["hyper"]}
    for name, value in chosen.items():
        if name not in ("task", "rule") and value is not None:
            numbers = value if isinstance(value, list) else [value]
            texts = (f"{x:g}" if isinstance(x, float) else str(x) for x in numbers)
            yield {"lr": "learning rate"}.get(name, name.replace("_", " ")), ", ".join(texts)
    yield from config["facts"].items()
    if config["resumed"]:
        yield "resumed after step", ", ".join(map(str, config["resumed"]))


def page(record: Record, drawn: Sequence[Plot]) -> str:
    """The report; whatever comes from the run is escaped by the template."""
    # Its stub asks for a snippet; the function takes none for the whole bundle.
    script = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg, unused-ignore]
    headings, rows = tensors(record)
    words: dict[str, Any] = dict(
        config=record.config,
        axis=record.axis,
        warnings=warnings(record),
        numbers=list(numbers(record)),
        plots=drawn,
        charts={plot.name: plot.chart for plot in drawn},
        style=STYLE,
        settings=list(settings(record)),
        headings=headings,
        rows=rows,
        script=script.replace("</script", "<\\/script"),
    )
    text = files("adamas.report").joinpath("page.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text).render(words)
