"""What a run wrote down, and what there is to say of an array."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adamas import diagnostics
from adamas.diagnostics import Diagnostics, TensorDiagnostics

Line = Mapping[str, Any]
#: (x, y) of each point; None where it is no number.
Curve = Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Measure:
    """A diagnostic that every array has.

    meaning: one sentence, with ``{noise}`` for what gradients of pure noise give. share: of the array's elements, only
    of interest where it is not 0. worst: which of several values is. limit: beyond this it is marked.
    """

    key: str
    title: str
    meaning: str
    share: bool
    worst: Callable[[list[float]], float] = max
    limit: float = math.inf


MEASURES = (
    Measure(
        "update_ratio",
        "Update size",
        "How far one step moves an array, as a share of the array's own size (both as root mean square): about 0.001 "
        "is usual, far more is unstable, far less learns slowly.",
        share=False,
        limit=diagnostics.STEP,
    ),
    Measure(
        "signal_to_noise",
        "Signal in the gradients",
        "How much gradients agree from step to step (the mean of m̂²/v̂): 1 where they stay the same, about {noise:.2g} "
        "where they are nothing but noise.",
        share=False,
        worst=min,
    ),
    Measure(
        "eps_share",
        "Where eps dominates",
        "The share of elements whose gradients are smaller than eps, which then shortens their steps.",
        share=True,
        limit=diagnostics.EPS,
    ),
    Measure(
        "lost_share",
        "Lost updates",
        "The share of updates that change nothing, as the array's dtype cannot hold so small a difference.",
        share=True,
        limit=diagnostics.LOST,
    ),
)


@dataclass(frozen=True)
class Record:
    """The configuration of a run, and the lines of its metrics by kind."""

    config: Mapping[str, Any]
    steps: Sequence[Line]
    epochs: Sequence[Line]
    end: Line

    @property
    def axis(self) -> str:
        """What the plots go over: "epoch", or "step" of a task without data."""
        return str(self.config["axis"])

    @property
    def splits(self) -> list[str]:
        """The sets of examples, the training set first; ["function"] of a task without data."""
        return list(self.config["splits"])

    @property
    def metrics(self) -> list[str]:
        """What was evaluated."""
        return list(self.epochs[-1]["metrics"][self.splits[0]])

    def named(self, split: str, metric: str) -> str:
        """A metric of a split, as it is called; where there is only one split, that needs no name."""
        return f"{split} {metric}" if len(self.splits) > 1 else metric

    def evaluated(self, split: str, metric: str) -> Curve:
        """A metric of a split over the run."""
        return [(line[self.axis], line["metrics"][split].get(metric)) for line in self.epochs]

    @property
    def looks(self) -> list[Line]:
        """The steps at which diagnostics were gathered."""
        return [line for line in self.steps if "diagnostics" in line]

    def diagnosed(self, tensor: str, measure: Measure) -> Curve:
        """A diagnostic of a tensor over the run."""
        found = ((line, line["diagnostics"]["tensors"].get(tensor, {})) for line in self.looks)
        return [(line[self.axis], values.get(measure.key)) for line, values in found]

    def meaning(self, measure: Measure) -> str:
        """What the diagnostic says, for the decay of this run's averages."""
        decay = self.config["hyper"].get("betas", [0.9])[0]
        return measure.meaning.format(noise=(1 - decay) / (1 + decay))

    def last_look(self) -> Diagnostics | None:
        """The last diagnostics that were gathered, if any were."""
        if not self.looks:
            return None
        last = self.looks[-1]
        tensors = {
            name: TensorDiagnostics(
                **{**t, "update_ratio": math.nan if t["update_ratio"] is None else t["update_ratio"]}
            )
            for name, t in last["diagnostics"]["tensors"].items()
        }
        return Diagnostics(last["step"], last["diagnostics"]["clip_rate"], tensors)


def load(folder: Path) -> Record:
    """The record of a run that has ended."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    with (folder / "metrics.jsonl").open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    steps, epochs, ends = ([line for line in lines if line["kind"] == kind] for kind in ("step", "epoch", "end"))
    return Record(config, steps, epochs, ends[-1])


def finite(curve: Curve) -> list[float]:
    """The values of a curve that are numbers."""
    return [y for _, y in curve if y is not None]


def shown(metric: str, value: float | None) -> str:
    """A metric as people read it: a share as a percentage, and words for what is no number."""
    if value is None:
        return "not finite"
    return f"{100 * value:.2f}%" if metric == "accuracy" else f"{value:.4g}"
