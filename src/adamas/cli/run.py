"""``adamas run``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adamas.cli.common import app, console, fail

if TYPE_CHECKING:
    from adamas.runner import Job, Outcome


@app.command()
def run(
    task: Annotated[
        str | None, typer.Argument(help="What to train: a name of `adamas tasks`, or your own as module:attribute.")
    ] = None,
    rule: Annotated[str | None, typer.Option(help="Optimizer; `adamas rules` lists them.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate at its peak.")] = None,
    schedule: Annotated[str | None, typer.Option(help="constant, inverse-sqrt, cosine or linear.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Times that all examples are seen.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples in a mini-batch.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps, of a task that is a function.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of starting values, order of examples and dropout.")] = None,
    state: Annotated[str | None, typer.Option(help="How the optimizer's state is kept, such as float32.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="As the rule says; see `adamas rules RULE`.")] = None,
    betas: Annotated[str | None, typer.Option(help="Decay of the moving averages, such as 0.9,0.999.")] = None,
    hyper: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other hyper-parameter of the rule.")
    ] = None,
    max_grad_norm: Annotated[float | None, typer.Option(help="Scale gradients of a larger global norm down.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with these options; the command line wins.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder, as it was left.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of a step.")] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the results [runs/TASK-RULE-TIME].")] = None,
) -> None:
    """Train a task and write a report, plots and metrics. The task chooses what is not given."""
    given: dict[str, Any] = dict(
        task=task, rule=rule, lr=lr, schedule=schedule, epochs=epochs, batch_size=batch_size, steps=steps, seed=seed,
        state=state, weight_decay=weight_decay, max_grad_norm=max_grad_norm, threads=threads, out=out,
    )  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    try:
        from adamas import run_folder, runner, set_num_threads

        given |= _hyper([*(hyper or []), *([f"betas={betas}"] if betas else [])])
        if resume is not None:
            set_num_threads(given.pop("threads", None))
            _resume(resume, config, given)
            return
        asked = _asked(config, given)
        set_num_threads(asked.pop("threads", None))
        out = asked.pop("out", None)
        options = runner.choose(**asked)
        job = runner.Job(options)
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing; pip install 'adamas[run]' brings what `run` needs", 1)
    except (OSError, TypeError, ValueError) as error:
        fail(error, 2)
    out = Path(out) if out else runner.default_folder(options)
    try:
        with run_folder.appearing(out) as folder:
            outcome = _train(job, folder)
    except OSError as error:
        fail(f"{error}; nothing was written", 1)
    _tell(job, outcome, out)


def _hyper(words: list[str]) -> dict[str, float | tuple[float, ...]]:
    """Hyper-parameters from words such as ``betas=0.9,0.999``."""
    from adamas.runner import KINDS

    found: dict[str, float | tuple[float, ...]] = {}
    for word in words:
        name, _, text = word.partition("=")
        try:
            numbers = tuple(float(part) for part in text.split(","))
        except ValueError:
            raise ValueError(f"{word!r}: expected NAME=VALUE with a number, or several with commas between") from None
        if name in KINDS:
            raise ValueError(f"--set {word}: {name} has an option of its own, --{name.replace('_', '-')}")
        found[name] = numbers if len(numbers) > 1 else numbers[0]
    return found


def _asked(config: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """The options of the file and the command line."""
    from adamas import runner

    asked = {**(runner.read(config) if config else {}), **given}
    if "task" not in asked:
        raise ValueError("which task? `adamas tasks` lists them")
    if asked.get("threads", 1) < 1:
        raise ValueError(f"threads={asked['threads']}: expected at least 1")
    return asked


def _resume(folder: Path, config: Path | None, given: dict[str, Any]) -> None:
    """Go on with a run; whatever fails, its folder stays."""
    from adamas import run_folder, runner

    other = [name for name in given if name not in ("epochs", "steps")]
    other += ["config"] * (config is not None)
    if other:
        fail(f"--resume goes on as the run was begun; leave {', '.join(other)} out (epochs or steps may grow)", 2)
    try:
        with run_folder.reopened(folder) as here:
            job = runner.Job.resume(here, **given)
            job.rewind(here)
            outcome = _train(job, here)
    except (OSError, TypeError, ValueError) as error:
        fail(error, 1)
    _tell(job, outcome, folder)


def _tell(job: Job, outcome: Outcome, out: Path) -> None:
    """What became of a run; leaves with an error if it did not finish."""
    typer.echo(f"{job.task.name} with {job.rule.name}: {_news(outcome.metrics)}")
    typer.echo(f"Report: {out / 'report.html'}")
    if outcome.status.startswith("interrupted"):
        typer.echo(f"To go on: adamas run --resume {out}")
    if outcome.status != "finished":
        fail(outcome.status, 1)


def _train(job: Job, folder: Path) -> Outcome:
    """Run the job beside a progress bar that shows the latest metrics."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[news]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console()) as progress:
        bar = progress.add_task(job.task.name, total=job.steps, completed=job.optimizer.t, news="")

        def watch(line: Mapping[str, Any]) -> None:
            progress.update(bar, completed=line["step"])
            if line["kind"] == "epoch":
                progress.update(bar, news=_news(line["metrics"]))

        return job.run(folder, watch)


def _news(metrics: Mapping[str, Mapping[str, float | None]]) -> str:
    """The metrics of the examples that the model was not trained on."""
    from adamas.report import shown

    split, values = list(metrics.items())[-1]
    return f"{split} " + ", ".join(f"{name} {shown(name, value)}" for name, value in values.items())
