"""``adamas paper``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adamas.cli.common import app, console, fail

if TYPE_CHECKING:
    from adamas.paper.figures import Figure
    from adamas.paper.page import Section


@app.command()
def paper(
    figures: Annotated[str, typer.Option(help="Which, with commas between; 3 and 4 need PyTorch.")] = "1,2,3,4",
    quick: Annotated[bool, typer.Option("--quick", help="One seed and short runs: a look, no finding.")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs at a time [the CPUs].")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; it goes on with what it holds [runs/paper-TIME].")
    ] = None,
) -> None:
    """Remake figures 1 to 4 of Adam's paper in kind, and test its claims; writes a report."""
    try:
        from adamas import run_folder
        from adamas.paper.figures import FULL, QUICK
        from adamas.paper.remake import pick

        picked = pick(_numbers(figures), QUICK if quick else FULL)
        folder = _checked(out) if out else run_folder.default("paper")
        folder.mkdir(parents=True, exist_ok=True)
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing; pip install 'adamas[run]' brings what `paper` needs", 1)
    except (OSError, ValueError) as error:
        fail(error, 2)
    command = f"adamas paper --figures {figures.replace(' ', '')}{' --quick' if quick else ''}"
    try:
        found = _remade(picked, folder, command, jobs)
    except KeyboardInterrupt:
        typer.echo(f"To go on: {command} --out {shlex.quote(str(folder))}")
        fail("interrupted; what was done is kept", 1)
    _tell(found, folder)


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ValueError(f"--figures {text}: expected numbers with commas between, such as 1,4") from None


def _checked(out: Path) -> Path:
    """A folder that is new, or holds what this command wrote."""
    from adamas.paper.remake import FILES

    others = [path.name for path in out.iterdir() if path.name not in FILES] if out.exists() else []
    if others:
        raise ValueError(f"{out} holds {others[0]}, which is not of this command; name a new folder")
    return out


def _remade(picked: list[Figure], folder: Path, command: str, jobs: int | None) -> list[Section]:
    """The figures, with a progress bar while their runs are made."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from adamas.paper.remake import remake, trials
    from adamas.trials import Result, missing

    every = trials(picked)
    todo = len(missing(every, folder / "trials"))
    done = f"; {len(every) - todo} are done already" if todo < len(every) else ""
    typer.echo(f"{len(every)} runs{done}. After Ctrl-C, --out {folder} goes on.")
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[news]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console()) as progress:
        bar = progress.add_task("", total=todo, news="")

        def watch(result: Result) -> None:
            trial = result.trial
            progress.update(bar, advance=1, news=f"{trial.task}, {trial.rule.rpartition(':')[2]}, lr {trial.lr:g}")

        return remake(picked, folder, command, jobs, watch)


def _tell(found: list[Section], folder: Path) -> None:
    """The verdicts, and where the report is."""
    from rich.table import Table

    from adamas.paper.claims import UNMEASURED
    from adamas.paper.page import summary

    table = Table(box=None, pad_edge=False)
    table.add_column("figure", justify="right")
    table.add_column("the paper's claim")
    table.add_column("here", no_wrap=True)
    rows = [row for section in found for row in section.verdicts]
    for claim, verdict in rows:
        table.add_row(str(claim.figure), claim.paper, verdict.answer)
    console().print(table)
    typer.echo(f"\n{summary(found)}\nReport: {folder / 'report.html'}")
    if any(verdict.answer == UNMEASURED for _, verdict in rows):
        fail(f"some runs failed; the report says why, and --out {folder} tries them again", 1)
