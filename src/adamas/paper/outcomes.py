"""Training losses by panel, rule, learning rate and seed, read from the results of the runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from adamas.paper.figures import Panel
from adamas.trials import Result, Trial

#: The loss epoch by epoch; infinite from where it was no number any more.
Curve = tuple[float, ...]
#: Rule → learning rate → a curve a seed.
Losses = Mapping[str, Mapping[float, tuple[Curve, ...]]]

#: Losses below are taken for this in logarithms: float32 resolves no smaller ones.
SMALLEST = 1e-7


def training(result: Result) -> Curve:
    """The cost that was trained on, dropout and all: the mean of each epoch's mini-batches."""
    epochs: dict[int, list[float]] = {}
    for step, loss in result.curve:
        epochs.setdefault(math.ceil(step / result.epoch), []).append(math.inf if loss is None else loss)
    means = [sum(losses) / len(losses) for _, losses in sorted(epochs.items())]
    return _whole(means, dict(result.trial.options)["epochs"])


def evaluated(result: Result) -> Curve:
    """The loss of the training examples, before the first epoch and after each."""
    found = [metrics["train"]["loss"] for metrics in result.metrics]
    return _whole([math.inf if loss is None else loss for loss in found], dict(result.trial.options)["epochs"] + 1)


def _whole(losses: Sequence[float], length: int) -> Curve:
    """The curve up to the first loss that is no number, and infinite from there, also where the run broke off."""
    good = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))
    return (*losses[:good], *[math.inf] * (length - good))


def losses_of(panel: Panel, seeds: int, results: Mapping[Trial, Result]) -> Losses:
    """The losses of a panel; learning rates of which a run failed, or is missing, are left out."""
    curve = evaluated if panel.evaluated else training
    found: dict[str, dict[float, tuple[Curve, ...]]] = {}
    for rule, lrs in panel.lrs.items():
        for lr in lrs:
            runs = [results.get(trial) for trial in panel.trials(rule, lr, seeds)]
            done = [run for run in runs if run is not None and not run.status.startswith("failed")]
            if len(done) == len(runs):
                found.setdefault(rule, {})[lr] = tuple(map(curve, done))
    return found


def mean(curve: Iterable[float]) -> float:
    """The geometric mean of the losses: the height of a curve on a logarithmic axis. The lower, the faster."""
    logarithms = [math.log(max(loss, SMALLEST)) for loss in curve]
    return math.exp(sum(logarithms) / len(logarithms))


def best(curves: Mapping[float, Sequence[Curve]]) -> float:
    """The learning rate whose curves are lowest, as a geometric mean over epochs and seeds."""
    return min(curves, key=lambda lr: mean(map(mean, curves[lr])))


def chosen(losses: Losses, rule: str) -> tuple[Curve, ...]:
    """The curves of a rule at its best learning rate, one a seed."""
    return losses[rule][best(losses[rule])]


def ratios(ours: Sequence[Curve], theirs: Sequence[Curve], epochs: slice = slice(None)) -> list[float]:
    """Our mean loss over theirs, seed by seed; below 1, ours is the faster."""
    return [mean(a[epochs]) / mean(b[epochs]) for a, b in zip(ours, theirs, strict=True)]


def tenth(curve: Curve) -> int:
    """The epoch after a tenth of the training, of a curve that begins before the first."""
    return max(1, (len(curve) - 1) // 10)


def whole(curve: Curve) -> int:
    """The last epoch of such a curve."""
    return len(curve) - 1
