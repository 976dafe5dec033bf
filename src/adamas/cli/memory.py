"""``adamas memory``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from adamas.cli.common import app, console, dtype_of, fail

if TYPE_CHECKING:
    from adamas.memory import Account


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
        fail("which model? Give module:attribute, a task, a .safetensors file, or --params 7e9 instead", 2)
    try:
        chosen, choice = get(rule), bytes_of.read_state(state)
        own = str(dtype_of(dtype)) if dtype else None
        tensors = bytes_of.of_model(model) if model is not None else bytes_of.of_size(params or 0)
        found = bytes_of.account(tensors, chosen, choice, weights, own, ema)
    except (OSError, TypeError, ValueError) as error:
        fail(error, 2)
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
    console().print(table)
    for note in account.notes():
        typer.echo(f"\n{note}")
