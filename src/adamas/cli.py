"""The command line. What a command needs, it imports itself."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

try:
    import typer
except ModuleNotFoundError as missing:  # installed without the extra
    raise SystemExit(f"adamas: {missing.name} is missing; pip install 'adamas[run]' brings the command line") from None

if TYPE_CHECKING:
    from rich.console import Console

    from adamas.language import Rule
    from adamas.memory import Account
    from adamas.runner import Job, Outcome

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _fail(message: object, code: int) -> NoReturn:
    typer.echo(f"adamas: {message}", err=True)
    raise typer.Exit(code)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        import adamas

        typer.echo(f"adamas {adamas.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Adam, complete: train a task, look at the rules and their kernels, check this computer."""


# ------------------------------------------------------------------------------------------- run


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
        _fail(f"{error.name} is missing; pip install 'adamas[run]' brings what `run` needs", 1)
    except (OSError, TypeError, ValueError) as error:
        _fail(error, 2)
    out = Path(out) if out else runner.default_folder(options)
    try:
        with run_folder.appearing(out) as folder:
            outcome = _train(job, folder)
    except OSError as error:
        _fail(f"{error}; nothing was written", 1)
    _tell(job, outcome, out)


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
        _fail(f"--resume goes on as the run was begun; leave {', '.join(other)} out (epochs or steps may grow)", 2)
    try:
        with run_folder.reopened(folder) as here:
            job = runner.Job.resume(here, **given)
            job.rewind(here)
            outcome = _train(job, here)
    except (OSError, TypeError, ValueError) as error:
        _fail(error, 1)
    _tell(job, outcome, folder)


def _tell(job: Job, outcome: Outcome, out: Path) -> None:
    """What became of a run; leaves with an error if it did not finish."""
    typer.echo(f"{job.task.name} with {job.rule.name}: {_news(outcome.metrics)}")
    typer.echo(f"Report: {out / 'report.html'}")
    if outcome.status.startswith("interrupted"):
        typer.echo(f"To go on: adamas run --resume {out}")
    if outcome.status != "finished":
        _fail(outcome.status, 1)


@app.command()
def tasks() -> None:
    """List what `adamas run` can train."""
    from rich.table import Table

    from adamas.tasks import REGISTRY, get

    table = Table(box=None, pad_edge=False)
    table.add_column("task", no_wrap=True)
    table.add_column("what it is")
    table.add_column("trained on", max_width=14)
    for heading in ("rule", "lr", "schedule"):
        table.add_column(heading, no_wrap=True)
    for name in REGISTRY:
        task = get(name)
        examples = f"{len(task.data()['train'][0])} examples" if task.data else ""
        trained = f"{examples}, {task.epochs} epochs" if examples else f"a function, {task.steps} steps"
        table.add_row(name, task.doc, trained, task.rule, f"{task.lr:g}", task.schedule)
    _console().print(table)
    typer.echo("\nYour own: adamas run module:attribute, where that is an adamas.tasks.Task.")


@app.command("find-lr")
def find_lr(
    task: Annotated[str, typer.Argument(help="A name of `adamas tasks`, or your own as module:attribute.")],
    rule: Annotated[str | None, typer.Option(help="Optimizer; `adamas rules` lists them.")] = None,
    seed: Annotated[int, typer.Option(help="Of starting values, order of examples and dropout.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw the test into this file: .html, .png or .svg.")] = None,
) -> None:
    """Propose a learning rate for a task by a short run in which it grows."""
    try:
        from adamas import runner

        found = runner.propose_lr(task, rule, seed)
        if plot is not None:
            found.plot().save(str(plot), **({"inline": True} if plot.suffix == ".html" else {}))
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is missing; pip install 'adamas[run]' brings what `find-lr` needs", 1)
    except (OSError, TypeError, ValueError) as error:
        _fail(error, 2)
    typer.echo(f"{found.lr:.2g}: the loss falls fastest at {found.steepest:.2g} and is lowest at {found.lowest:.2g}")


def _train(job: Job, folder: Path) -> Outcome:
    """Run the job beside a progress bar that shows the latest metrics."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[news]}"))
    with Progress(*columns, TimeRemainingColumn(), console=_console()) as progress:
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


# ------------------------------------------------------------------------------- rules and kernels


@app.command()
def rules(rule: Annotated[str | None, typer.Argument(help="Show one rule's equations and options.")] = None) -> None:
    """List the optimizers, or explain one."""
    from adamas.rules import get

    if rule is None:
        _list_rules()
        return
    try:
        chosen = get(rule)
    except ValueError as error:
        _fail(error, 2)
    typer.echo(f"{chosen.doc.strip()}\n\nadamas.{chosen.title}(params, …)")
    for name, hyper in chosen.hyper.items():
        typer.echo(f"    {name} = {hyper.default}, in {hyper.interval()}: {hyper.doc}")
    _list_codecs(chosen)


def _list_codecs(rule: Rule) -> None:
    """What the rule's state takes under each codec, and which slots that holds."""
    from rich.table import Table

    from adamas.memory import SQUARE, by_codec

    table = Table("state=", box=None, pad_edge=False)
    table.add_column("bytes a parameter", justify="right")
    table.add_column("slots kept so")
    for name, found in by_codec(rule).items():
        slots, size = found or ([], 0)
        table.add_row(name, f"{size:.2f}" if found else "—", ", ".join(slots) or "none can be")
    typer.echo()
    _console().print(table)
    typer.echo(f"\nOf a float32 matrix of {SQUARE[0]:,} × {SQUARE[1]:,}; other slots are kept as the rule says.")
    _cautions()


def _list_rules() -> None:
    from rich.table import Table

    from adamas import doctor
    from adamas.codecs import CODECS
    from adamas.memory import SQUARE, by_codec
    from adamas.rules import REGISTRY

    table = Table("rule", "class", box=None, pad_edge=False)
    table.add_column("source", width=16)
    table.add_column("slots")
    for heading in ("state\nbytes", "passes", "bytes\nmoved"):
        table.add_column(heading, justify="right", max_width=11)
    for name, rule in REGISTRY.items():
        slots = ", ".join(s.name for s in rule.slots)
        passes, moved = doctor.program(rule).passes, doctor.bytes_moved(rule)
        table.add_row(name, rule.title, _source(rule.doc), slots, doctor.state_bytes(rule), str(passes), str(moved))
    _console().print(table)
    typer.echo("\nState, passes over the memory and bytes moved by a step are per parameter, all in float32.\n")
    found = {name: by_codec(rule) for name, rule in REGISTRY.items()}
    table = Table("state=", box=None, pad_edge=False)
    for name in found:
        table.add_column(name, justify="right")
    for codec in CODECS:
        sizes = (f"{held[1]:.2f}" if held else "—" for held in (by[codec] for by in found.values()))
        table.add_row(codec, *sizes)
    _console().print(table)
    typer.echo(f"\nBytes of state a parameter, of a matrix of {SQUARE[0]:,} × {SQUARE[1]:,}; —: it holds no slot.")
    _cautions()


def _cautions() -> None:
    """Say which codecs are not recommended, and for what."""
    from adamas.codecs import CODECS

    for codec in CODECS.values():
        if codec.caution:
            typer.echo(f"Not recommended: {codec.name} for {codec.caution}.")


def _source(doc: str) -> str:
    """Authors, year and paper, which a rule's first line gives in brackets."""
    found = re.search(r"\((.*?arXiv:[\d.]+)", doc)
    return found[1] if found else ""


@app.command()
def kernel(
    rule: Annotated[str, typer.Argument(help="Optimizer; `adamas rules` lists them.")],
    state: Annotated[str | None, typer.Option(help="How the state is kept, such as float32.")] = None,
    dtype: Annotated[str, typer.Option(help="Of the parameters.")] = "float32",
    grad_dtype: Annotated[str | None, typer.Option(help="Of the gradients [that of the parameters].")] = None,
) -> None:
    """Print the source of a rule's compiled kernels for the CPU."""
    from adamas.backends.cpu import source
    from adamas.codecs import SMALL
    from adamas.rules import get
    from adamas.state import choose

    try:
        chosen = get(rule)
        codecs = choose(chosen, state, "params", (SMALL, SMALL))
        text = source(chosen, codecs, _dtype(dtype), _dtype(grad_dtype or dtype))
    except ValueError as error:
        _fail(error, 2)
    if sys.stdout.isatty():
        from rich.syntax import Syntax

        _console().print(Syntax(text, "python", background_color="default"))
    else:
        typer.echo(text, nl=False)


def _dtype(name: str) -> Any:
    """A parameter dtype by its name; raises ValueError with the nearest."""
    import ml_dtypes
    import numpy as np

    from adamas.nest import nearest
    from adamas.plan import DTYPES

    if name not in DTYPES:
        raise ValueError(f"unknown dtype {name!r}{nearest(name, DTYPES)}")
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


# ---------------------------------------------------------------------------------------- memory


@app.command()
def memory(
    model: Annotated[
        str | None,
        typer.Argument(help="module:attribute of a torch.nn.Module or arrays, a task's name, or a .safetensors file."),
    ] = None,
    params: Annotated[float | None, typer.Option(help="Instead of a model: how many parameters, such as 7e9.")] = None,
    rule: Annotated[str, typer.Option(help="Optimizer; `adamas rules` lists them.")] = "adamw",
    state: Annotated[str | None, typer.Option(help="How the state is kept: int4, or m=int8,v=factored.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="How 16-bit parameters are kept: stochastic, kahan or master.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="Of parameters and gradients; else the model's, or bfloat16 with --weights.")
    ] = None,
    ema: Annotated[bool, typer.Option("--ema", help="Keep an average of the parameters.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Tell what training a model takes in memory, beside the usual recipes, before anything is built."""
    import json

    from adamas import memory as bytes_of
    from adamas.rules import get

    if (model is None) == (params is None):
        _fail("which model? Give module:attribute, a task, a .safetensors file, or --params 7e9 instead", 2)
    try:
        chosen, choice = get(rule), bytes_of.read_state(state)
        own = str(_dtype(dtype)) if dtype else None
        tensors = bytes_of.of_model(model) if model is not None else bytes_of.of_size(params or 0)
        found = bytes_of.account(tensors, chosen, choice, weights, own, ema)
    except (OSError, TypeError, ValueError) as error:
        _fail(error, 2)
    if as_json:
        typer.echo(json.dumps(found.facts(), indent=2))
    else:
        _show_account(found)


def _show_account(account: Account) -> None:
    from rich.table import Table

    table = Table(f"{account.parameters:,} parameters, {account.rule.name}", box=None, pad_edge=False)
    for heading in ("bytes", "GB", "bytes a\nparameter"):
        table.add_column(heading, justify="right", no_wrap=True)

    def add(what: str, size: int) -> None:
        table.add_row(what, f"{size:,}", f"{size / 1e9:,.3f}", f"{size / account.parameters:.3f}")

    for part, size in account.parts.items():
        add(account.label(part), size)
    add("total", account.total)
    table.add_row()
    for recipe, size in account.usual.items():
        add(recipe, size)
    _console().print(table)
    for note in account.notes():
        typer.echo(f"\n{note}")


# ---------------------------------------------------------------------------------------- doctor


@app.command()
def doctor() -> None:
    """Show what this computer offers, time a step, and test every rule against the reference."""
    from adamas import doctor as medic
    from adamas.rules import REGISTRY

    console = _console()
    found = medic.versions("numpy", "numba", "llvmlite", "ml_dtypes")
    machine = medic.machine()
    _line("versions", ", ".join(f"{name} {version}" for name, version in found.items()))
    _line("computer", f"{machine['processor']}, {machine['system']}")
    _line("threads", f"{machine['threads']} ({medic.limits()})")
    try:
        _line("kernels", medic.cache())
    except PermissionError as error:
        _fail(f"no kernel can be compiled: {error}", 1)
    with console.status("timing AdamW"):
        memory, step = medic.bandwidth(REGISTRY["adamw"])
    _line("memory", f"{memory / 1e9:.1f} GB/s, adding one large array to another")
    _line("AdamW", f"{step / 1e9:.1f} GB/s over {medic.SIZE:,} float32 parameters, {step / memory:.0%} of the above")
    ill = []
    for name, rule in REGISTRY.items():
        with console.status(f"testing {name}"):
            finding = medic.check(rule)
        _line(name, finding or "equals the reference in every bit")
        ill += [name] if finding else []
    if ill:
        _fail(f"{', '.join(ill)} cannot be trusted on this computer; please report the lines above", 1)
    typer.echo("All is well.")


def _line(what: str, text: str) -> None:
    typer.echo(f"{what:10} {text}")


if __name__ == "__main__":
    app()
