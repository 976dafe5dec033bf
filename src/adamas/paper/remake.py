"""From a choice of figures to a folder with a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from adamas.paper.figures import FIGURES, FULL, Figure, Size
from adamas.paper.page import Section, page, sections
from adamas.tasks import torch_model
from adamas.trials import Result, Trial, measure

TRIALS, VERDICTS, REPORT = FILES = ("trials", "verdicts.json", "report.html")


def pick(numbers: Sequence[int], size: Size = FULL) -> list[Figure]:
    """The figures of these numbers at a size; ValueError if there is none, or what it needs is not installed."""
    known = {figure.number: figure for figure in FIGURES}
    if not numbers or not set(numbers) <= set(known):
        raise ValueError(f"figures={list(numbers)}: expected some of {', '.join(map(str, known))}")
    picked = [known[number] for number in sorted(set(numbers))]
    if any("torch" in figure.needs for figure in picked):
        torch_model.load()
    return [size.of(figure) for figure in picked]


def trials(figures: Sequence[Figure]) -> list[Trial]:
    """All runs of the figures, each once."""
    return list(dict.fromkeys(t for f in figures for panel in f.panels for t in panel.every(f.seeds)))


def remake(
    figures: Sequence[Figure],
    folder: Path,
    command: str,
    jobs: int | None = None,
    watch: Callable[[Result], None] | None = None,
) -> list[Section]:
    """Measure what the folder does not hold yet, and write verdicts.json and report.html there."""
    results = {result.trial: result for result in measure(trials(figures), folder / TRIALS, jobs, watch)}
    found = sections(figures, results)
    verdicts = [_plain(section) for section in found]
    text = json.dumps([row for rows in verdicts for row in rows], indent=2, ensure_ascii=False)
    (folder / VERDICTS).write_text(text + "\n", encoding="utf-8")
    (folder / REPORT).write_text(page(found, results, command), encoding="utf-8")
    return found


def _plain(section: Section) -> list[Mapping[str, object]]:
    return [
        {
            "figure": claim.figure,
            "claim": claim.paper,
            "test": claim.test,
            "verdict": verdict.answer,
            "found": verdict.found,
        }
        for claim, verdict in section.verdicts
    ]
