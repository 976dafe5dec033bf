"""What the reader must know before believing the numbers, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from adamas import diagnostics
from adamas.diagnostics import LOST, TensorDiagnostics
from adamas.report.record import MEASURES, Record, finite

#: Warnings of arrays that are spelled out; the others are counted.
SPELLED = 3
#: A validation loss this far above its lowest is called out, as a share of the lowest; a training loss, as a share of
#: all that it fell, since one that fell to 1e-13 may well go back to 1e-12.
OVERFIT, ROSE = 0.2, 0.1
#: … and a share of steps with clipped gradients above this.
CLIPPED = 0.9


def warnings(record: Record) -> list[str]:
    """All that there is to warn of, the most important first."""
    return [*_of_the_end(record), *_of_the_loss(record), *_of_overfitting(record), *_of_the_arrays(record)]


def _of_the_end(record: Record) -> Iterator[str]:
    status = record.end["status"]
    if status != "finished":
        resume = "; adamas run --resume, with the folder of this page, goes on" if status.startswith("inter") else ""
        yield f"This run did not finish. {_sentence(status + resume)}"


def _of_the_loss(record: Record) -> Iterator[str]:
    curve = [(y, x) for x, y in record.evaluated(record.splits[0], "loss") if y is not None]
    if len(curve) < 2:
        return
    (first, _), (last, _), (best, at) = curve[0], curve[-1], min(curve)
    loss = f"The {record.named(record.splits[0], 'loss')}"
    calmer = (
        "a smaller --lr"
        if record.config["options"]["schedule"] in ("cosine", "linear")
        else ("a smaller --lr, or one that falls (--schedule cosine)")
    )
    if best >= first:
        yield f"{loss} never fell below its start ({first:.4g}; at the end {last:.4g}): try a smaller --lr."
    elif last - best > ROSE * (first - best):
        yield f"{loss} rose again, from {best:.4g} at {record.axis} {at:g} to {last:.4g} at the end: try {calmer}."


def _of_overfitting(record: Record) -> Iterator[str]:
    """Of examples that are not trained on, whose loss rises while that of the others falls."""
    trained = dict(record.evaluated(record.splits[0], "loss"))
    for split in record.splits[1:]:
        curve = [(y, x) for x, y in record.evaluated(split, "loss") if y is not None]
        if not curve:
            continue
        (last, end), (best, at) = curve[-1], min(curve)
        before, after = trained[at], trained[end]
        learns = before is not None and after is not None and after < before
        if learns and last - best > OVERFIT * abs(best):
            yield (
                f"The {split} loss ended at {last:.4g}, well above its lowest, {best:.4g} at epoch {at:g}, while the "
                f"{record.splits[0]} loss fell: since then the model learned its examples by heart. Fewer --epochs "
                "would have done better."
            )


def _of_the_arrays(record: Record) -> Iterator[str]:
    look = record.last_look()
    if look is None:
        return
    worst_first = sorted(look.tensors.items(), key=lambda item: -_badness(item[1]))
    found = diagnostics.warnings(replace(look, tensors=dict(worst_first))) + list(_lost_before(record))
    yield from map(_sentence, found[:SPELLED])
    if len(found) > SPELLED:
        yield f"More findings like these, marked in the table of arrays: {len(found) - SPELLED}."
    if look.clip_rate > CLIPPED:
        yield (
            f"The gradients of {look.clip_rate:.0%} of the steps were clipped, so that hardly any had its own length: "
            "raise max_grad_norm, or leave it out."
        )


def _badness(tensor: TensorDiagnostics) -> float:
    """How far beyond its limit the worst of an array's values is."""
    values: list[tuple[float | None, float]] = [(getattr(tensor, measure.key), measure.limit) for measure in MEASURES]
    return max((x / limit for x, limit in values if x is not None and not math.isnan(x)), default=0.0)


def _lost_before(record: Record) -> Iterator[str]:
    """Of updates that were lost in the middle of the run, but no longer at its end."""
    (measure,) = (measure for measure in MEASURES if measure.key == "lost_share")
    for name in record.config["tensors"]:
        lost = finite(record.diagnosed(name, measure))
        if lost and max(lost) > LOST >= lost[-1]:
            yield f"up to {max(lost):.0%} of the updates to {name} were lost during the run, though not at its end"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
