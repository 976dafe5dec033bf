"""How good are the learning rates that find_lr proposes? Final training losses of whole runs, against a grid.

    python benchmarks/find_lr.py

Each task runs as `adamas run` runs it (its own schedule and length), with the proposal and with each rate of a grid
of half decades; losses are medians of the seeds. 1.00 means as good as the best of the grid.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
from common import parse, parser, report

from adamas import runner, tasks

GRID = [float(f"{lr:.2g}") for lr in 10 ** np.arange(-4, 1.1, 0.5)]
#: A loss this small counts as none.
NOTHING = 1e-9


def final(name: str, lr: float, seed: int, quick: bool) -> dict[str, float]:
    """The last loss by split."""
    length = {} if not quick else {"epochs": 2} if tasks.get(name).data else {"steps": 50}
    job = runner.Job(runner.choose(name, lr=lr, seed=seed, **length))
    with np.errstate(all="ignore"):
        job._train(lambda line: None)
    found = {split: metrics["loss"] for split, metrics in job.latest.items()}
    return {split: np.inf if loss is None else loss for split, loss in found.items()}


def row(name: str, seeds: range, quick: bool) -> tuple[list[str], dict[str, Any]]:
    """The proposal, and its loss over the best of the grid, by split."""
    proposals = [runner.propose_lr(name, seed=seed).lr for seed in seeds]
    runs = {lr: [final(name, lr, seed, quick) for seed in seeds] for lr in GRID}
    ours = [final(name, lr, seed, quick) for lr, seed in zip(proposals, seeds, strict=True)]
    ratios, bests = {}, {}
    for split in ours[0]:
        medians = {lr: statistics.median(run[split] for run in found) for lr, found in runs.items()}
        bests[split] = min(medians, key=lambda lr: medians[lr])
        mine = statistics.median(run[split] for run in ours)
        ratios[split] = (mine + NOTHING) / (medians[bests[split]] + NOTHING)
    cells = [
        f"{ratios[s]:.2f} (best at {bests[s]:g})" if s in ratios else "" for s in ("train", "function", "validation")
    ]
    lr = statistics.median(proposals)
    return [name, f"{lr:.2g}", cells[0] or cells[1], cells[2]], {"proposals": proposals, "runs": runs, "ours": ours}


def main() -> None:
    """A row for each task."""
    options = parse(parser(__doc__))
    names = list(tasks.REGISTRY)
    rows = {}
    for name in names:
        rows[name] = row(name, range(1 if options.quick else 3), options.quick)
    columns = ["task", "proposed", "loss / best of the grid", "validation loss / best of the grid"]
    report(
        "Proposed learning rates", columns, [r[0] for r in rows.values()], {n: r[1] for n, r in rows.items()}, options
    )


if __name__ == "__main__":
    main()
