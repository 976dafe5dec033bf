"""What a run wrote down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adamas.diagnostics import Diagnostics, TensorDiagnostics

Line = Mapping[str, Any]


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

    @property
    def diagnosed(self) -> list[Line]:
        """The steps at which diagnostics were gathered."""
        return [line for line in self.steps if "diagnostics" in line]

    def diagnostics(self) -> Diagnostics | None:
        """The last that were gathered, if any were."""
        if not self.diagnosed:
            return None
        last = self.diagnosed[-1]
        tensors = {
            name: TensorDiagnostics(
                **{**t, "update_ratio": float("nan") if t["update_ratio"] is None else t["update_ratio"]}
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


def shown(metric: str, value: float | None) -> str:
    """A metric as people read it: a share as a percentage, and words for what is no number."""
    if value is None:
        return "not finite"
    return f"{100 * value:.2f}%" if metric == "accuracy" else f"{value:.4g}"
