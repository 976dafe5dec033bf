"""The remade figures and their verdicts as a page."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adamas import doctor
from adamas.paper import charts
from adamas.paper.claims import AGREES, CLAIMS, DISAGREES, UNDECIDED, UNMEASURED, Claim, Verdict
from adamas.paper.figures import NAMES, Figure, Panel
from adamas.paper.outcomes import Losses, best, losses_of, mean
from adamas.report.charts import Plot
from adamas.report.page import render
from adamas.trials import Result, Trial

BANDS = "Lines are medians over {seeds} seeds, bands go from the lowest to the highest."
CAPTIONS = {
    False: "The cost that was trained on (dropout included), as a mean over each epoch's mini-batches, of each rule at "
    "its best learning rate.",
    True: "The loss of the training examples, by learning rate. A training that diverged, or ended above the loss of "
    "the untrained model, is drawn at that loss.",
}


@dataclass(frozen=True)
class Section:
    """What the page says of one figure."""

    figure: Figure
    plots: list[Plot]
    caption: str
    verdicts: list[tuple[Claim, Verdict]]
    bests: list[tuple[str, ...]]


def sections(figures: Sequence[Figure], results: Mapping[Trial, Result]) -> list[Section]:
    """Plots and verdicts of the figures, from the results of their runs."""
    return [_section(figure, results) for figure in figures]


def _section(figure: Figure, results: Mapping[Trial, Result]) -> Section:
    found = {panel.key: losses_of(panel, figure.seeds, results) for panel in figure.panels}
    evaluated = figure.panels[0].evaluated
    bands = f" {BANDS.format(seeds=figure.seeds)}" if figure.seeds > 1 else " One seed."
    return Section(
        figure,
        [charts.plot(panel, found[panel.key]) for panel in figure.panels if found[panel.key]],
        CAPTIONS[evaluated] + bands,
        [(claim, claim.verdict(found)) for claim in CLAIMS if claim.figure == figure.number],
        [row for panel in figure.panels for row in _bests(panel, found[panel.key]) if not evaluated],
    )


def _bests(panel: Panel, losses: Losses) -> Iterator[tuple[str, ...]]:
    """(plot, rule, best learning rate, those tried, mean loss, last loss)."""
    for rule, curves in losses.items():
        lr, lrs = best(curves), sorted(curves)
        edge = " (at the edge)" if lr in (lrs[0], lrs[-1]) and len(lrs) > 1 else ""
        last = mean(curve[-1] for curve in curves[lr])
        tried = f"{lrs[0]:g} to {lrs[-1]:g}"
        yield panel.title, NAMES[rule], f"{lr:g}{edge}", tried, f"{mean(map(mean, curves[lr])):.3g}", f"{last:.3g}"


def summary(found: Sequence[Section]) -> str:
    """How many of the paper's claims hold here."""
    answers = [verdict.answer for section in found for _, verdict in section.verdicts]
    words = {DISAGREES: "disagree", UNDECIDED: "undecided", UNMEASURED: "not measured"}
    rest = "".join(f", {answers.count(answer)} {word}" for answer, word in words.items() if answer in answers)
    return f"Of the paper's {len(answers)} claims, {answers.count(AGREES)} agree with what was found here{rest}."


def page(found: Sequence[Section], results: Mapping[Trial, Result], command: str) -> str:
    """The report."""
    failed = [result for result in results.values() if result.status.startswith("failed")]
    diverged = sum(result.status.startswith("diverged") for result in results.values())
    minutes = sum(result.seconds for result in results.values()) / 60
    words = dict(
        sections=found,
        summary=summary(found),
        ran=f"{len(results)} runs, {minutes:.0f} min of computing; diverged: {diverged or 'none'}. "
        f"{time.strftime('%Y-%m-%d %H:%M')}.",
        warnings=[f"{len(failed)} runs failed; the first: {failed[0].status[8:]}."] if failed else [],
        machine=doctor.machine(),
        versions=doctor.versions("numpy", "numba", "scikit-learn", "torch"),
        command=command,
    )
    return render("paper.html", [plot for section in found for plot in section.plots], words)
