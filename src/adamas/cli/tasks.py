"""``adamas tasks`` and ``adamas find-lr``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adamas.cli.common import app, console, fail


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
    console().print(table)
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
        fail(f"{error.name} is missing; pip install 'adamas[run]' brings what `find-lr` needs", 1)
    except (OSError, TypeError, ValueError) as error:
        fail(error, 2)
    typer.echo(f"{found.lr:.2g}: the loss falls fastest at {found.steepest:.2g} and is lowest at {found.lowest:.2g}")
