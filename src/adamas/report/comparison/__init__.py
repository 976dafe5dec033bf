"""A comparison of rules: its plan, and its results as one HTML page and a table of all runs."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from adamas.report.comparison.outcome import outcomes, verdict
from adamas.report.comparison.page import page
from adamas.report.comparison.plan import Plan
from adamas.trials import Result

__all__ = ["Plan", "verdicts", "write"]


def write(plan: Plan, results: Sequence[Result], folder: Path) -> None:
    """Make report.html and results.csv in the folder."""
    rows = list(_rows(results))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "results.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        table.writerows(rows)
    (folder / "report.html").write_text(page(plan, results), encoding="utf-8")


def verdicts(plan: Plan, results: Sequence[Result]) -> list[str]:
    """A few sentences a task."""
    return [f"{found.name}: {verdict(found)}" for found in outcomes(plan, results)]


def _rows(results: Sequence[Result]) -> Iterator[dict[str, object]]:
    """A run a row, with its metrics at the end."""
    for result in results:
        trial = result.trial
        row: dict[str, object] = dict(task=trial.task, rule=trial.rule, state=trial.state or "", lr=trial.lr)
        row |= dict(seed=trial.seed, status=result.status, steps=result.steps, seconds=result.seconds)
        row |= dict(step_seconds=result.step_seconds, state_bytes=result.state_bytes, params=result.params)
        last = result.metrics[-1] if result.metrics else {}
        yield row | {f"{split} {metric}": x for split, values in last.items() for metric, x in values.items()}
