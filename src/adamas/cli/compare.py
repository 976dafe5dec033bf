"""``adamas compare``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adamas.cli.common import app, console, fail

if TYPE_CHECKING:
    from adamas.report.comparison import Plan
    from adamas.trials import Result


@app.command()
def compare(
    tasks: Annotated[list[str] | None, typer.Argument(help="Names of `adamas tasks`, or module:attribute.")] = None,
    rules: Annotated[str | None, typer.Option(help="Rules, with commas between [adam,adamw].")] = None,
    lrs: Annotated[str | None, typer.Option(help="Learning rates [three decades around each rule's own].")] = None,
    seeds: Annotated[int | None, typer.Option(help="How many seeds [3].")] = None,
    states: Annotated[str | None, typer.Option(help="Ways to keep state, such as float32,int8.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Times that all examples are seen.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples in a mini-batch.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps, of a task that is a function.")] = None,
    schedule: Annotated[str | None, typer.Option(help="constant, inverse-sqrt, cosine or linear.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs at a time [the CPUs].")] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the results [runs/compare-TASKS-TIME].")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on in this folder; options that are given replace the earlier ones.")
    ] = None,
) -> None:
    """Compare rules on tasks, each at its best learning rate, over several seeds, and write a report."""
    given: dict[str, Any] = dict(
        tasks=tasks or None, rules=_words(rules), states=_states(states), seeds=seeds, epochs=epochs,
        batch_size=batch_size, steps=steps, schedule=schedule,
    )  # fmt: skip
    try:
        from adamas.report.comparison import Plan

        given["lrs"] = _rates(lrs)
        given = {name: tuple(x) if isinstance(x, list) else x for name, x in given.items() if x is not None}
        folder = _folder(out, resume, given)
        if resume is None and not tasks:
            raise ValueError("which tasks? `adamas tasks` lists them")
        plan = Plan(**given) if resume is None else Plan.load(folder, given)
        plan.check()
        folder.mkdir(parents=True, exist_ok=True)
        plan.save(folder)
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing; pip install 'adamas[run]' brings what `compare` needs", 1)
    except (OSError, TypeError, ValueError) as error:
        fail(error, 2)
    _compare(plan, folder, jobs)


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _states(text: str | None) -> list[str | None] | None:
    return None if text is None else [None if word == "default" else word for word in _words(text) or ()]


def _rates(text: str | None) -> list[float] | None:
    try:
        return None if text is None else [float(word) for word in _words(text) or ()]
    except ValueError:
        raise ValueError(f"--lrs {text}: expected numbers with commas between, such as 1e-4,1e-3") from None


def _folder(out: Path | None, resume: Path | None, given: dict[str, Any]) -> Path:
    from adamas import run_folder

    if out is not None and resume is not None:
        raise ValueError("--resume goes on in the folder that it names; leave --out out")
    if resume is not None:
        return resume
    if out is None:
        return run_folder.default("compare-" + "-".join(task.partition(":")[0] for task in given.get("tasks", ())))
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty; --resume {out} goes on with the comparison in it")
    return out


def _compare(plan: Plan, folder: Path, jobs: int | None) -> None:
    from adamas.report import comparison
    from adamas.trials import missing

    trials = plan.trials()
    todo = len(missing(trials, folder / "trials"))
    typer.echo(f"{plan.describe()}" + (f"; {len(trials) - todo} are done already" if todo < len(trials) else ""))
    try:
        results = _measured(plan, folder, todo, jobs)
        comparison.write(plan, results, folder)
    except KeyboardInterrupt:
        typer.echo(f"To go on: adamas compare --resume {folder}")
        fail("interrupted; what was done is kept", 1)
    except OSError as error:  # a full disk, say
        fail(f"{error}; what was done is kept, and --resume {folder} goes on", 1)
    for words in comparison.verdicts(plan, results):
        typer.echo(words)
    typer.echo(f"Report: {folder / 'report.html'}")
    failed = sum(result.status.startswith("failed") for result in results)
    if failed:
        fail(f"{failed} of {len(results)} runs failed; the report says why, and --resume {folder} tries again", 1)


def _measured(plan: Plan, folder: Path, todo: int, jobs: int | None) -> list[Result]:
    """All results, with a progress bar while they come; after the first few it is said how long the rest takes."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from adamas import get_num_threads
    from adamas.trials import measure

    jobs = jobs or get_num_threads()
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[news]}"), TimeRemainingColumn())
    with Progress(*columns, console=console()) as progress:
        bar = progress.add_task("", total=todo, news="")
        times: list[float] = []

        def watch(result: Result) -> None:
            times.append(time.perf_counter())
            trial, done = result.trial, len(times)
            progress.update(bar, completed=done, news=f"{trial.task}, {trial.rule}, lr {trial.lr:g}")
            if done == max(3 * jobs, todo // 20) < todo:  # the first of each process had kernels to load
                seconds = (times[-1] - times[jobs - 1]) / (done - jobs) * (todo - done)
                progress.console.print(f"About {_span(seconds)} to go; after Ctrl-C, --resume {folder} goes on")

        return measure(plan.trials(), folder / "trials", jobs, watch)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
