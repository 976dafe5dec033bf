"""``adamas rules`` and ``adamas kernel``."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from adamas.cli.common import app, console, dtype_of, fail

if TYPE_CHECKING:
    from adamas.language import Rule


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
        fail(error, 2)
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
    console().print(table)
    typer.echo(f"\nOf a float32 matrix of {SQUARE[0]:,} × {SQUARE[1]:,}; other slots are kept as the rule says.")
    _cautions()


def _list_rules() -> None:
    from rich.table import Table

    from adamas import doctor
    from adamas.codecs import CODECS
    from adamas.memory import SQUARE, by_codec
    from adamas.rules import REGISTRY

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("rule", "class"):
        table.add_column(heading, no_wrap=True)
    table.add_column("source", width=16)
    table.add_column("slots")
    for heading in ("state\nbytes", "passes", "bytes\nmoved"):
        table.add_column(heading, justify="right", max_width=9)
    for name, rule in REGISTRY.items():
        slots = ", ".join(s.name for s in rule.slots)
        passes, moved = doctor.program(rule).passes, doctor.bytes_moved(rule)
        table.add_row(name, rule.title, _source(rule.doc), slots, doctor.state_bytes(rule), str(passes), str(moved))
    console().print(table)
    typer.echo("\nState, passes over the memory and bytes moved by a step are per parameter, all in float32.\n")
    table = Table("state=", box=None, pad_edge=False)
    for codec in CODECS:
        table.add_column(codec, justify="right")
    for name, rule in REGISTRY.items():
        held = by_codec(rule)
        table.add_row(name, *(f"{found[1]:.2f}" if (found := held[codec]) else "—" for codec in CODECS))
    console().print(table)
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
        text = source(chosen, codecs, dtype_of(dtype), dtype_of(grad_dtype or dtype))
    except ValueError as error:
        fail(error, 2)
    if sys.stdout.isatty():
        from rich.syntax import Syntax

        console().print(Syntax(text, "python", background_color="default"))
    else:
        typer.echo(text, nl=False)
