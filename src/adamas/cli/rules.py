"""``adamas rules`` and ``adamas kernel``."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from adamas.cli.common import app, console, dtype_of, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adamas.language import Rule

#: Columns of a terminal in which the list of rules is one table.
WIDE = 120


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
    """A row a rule; on a narrow terminal in two tables."""
    from adamas import doctor
    from adamas.codecs import CODECS
    from adamas.memory import SQUARE
    from adamas.rules import REGISTRY

    facts = ["rule", "class", "source", "slots", "passes", "bytes\nmoved"]
    rows = []
    for name, rule in REGISTRY.items():
        slots = ", ".join(s.name for s in rule.slots)
        passes, moved = doctor.program(rule).passes, doctor.bytes_moved(rule)
        rows.append([name, rule.title, _source(rule.doc), slots, str(passes), f"{moved:g}", *_kept(rule)])
    if console().width >= WIDE:
        _table([*facts, *CODECS], rows)
    else:
        _table(facts, [row[: len(facts)] for row in rows])
        typer.echo()
        _table(["state=", *CODECS], [[row[0], *row[len(facts) :]] for row in rows])
    chosen = [f"{name}'s {s.name} {s.codec}" for name, r in REGISTRY.items() for s in r.slots if s.codec != "float32"]
    typer.echo(
        "\nBytes a parameter: what a step moves in its passes, all in float32, and the state under each codec, of a\n"
        f"matrix of {SQUARE[0]:,} × {SQUARE[1]:,} (—: it holds no slot). Codecs without brackets are recommended.\n"
        f"Where none is asked for, state is float32, only {' and '.join(chosen)}."
    )
    _cautions()
    typer.echo("Quality under codecs was measured with AdamW alone: docs/low-bit.md.")


def _table(headings: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        if heading in ("rule", "class", "state=", "slots"):
            table.add_column(heading, no_wrap=True)
        elif heading == "source":
            table.add_column(heading, width=16)
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console().print(table)


def _kept(rule: Rule) -> Iterator[str]:
    """Bytes of state under each codec, in brackets where that is neither the rule's own nor without a caution."""
    from adamas.codecs import CODECS
    from adamas.memory import by_codec

    own = {slot.codec for slot in rule.slots}
    for name, found in by_codec(rule).items():
        size = f"{found[1]:.2f}" if found else "—"
        yield f"({size})" if found and CODECS[name].caution and name not in own else size


def _cautions() -> None:
    """Say which codecs are not recommended, and for what."""
    from adamas.codecs import CODECS

    for codec in CODECS.values():
        if codec.caution:
            typer.echo(f"Not recommended: {codec.name} for {codec.caution}.")


def _source(doc: str) -> str:
    """The paper, or else authors and year, which a rule's first line gives in brackets."""
    line = doc.strip().partition("\n")[0]
    found = re.search(r"arXiv:[\d.]*\d", line) or re.search(r"(?<=\()[^()]*?\d{4}\b", line)
    return found[0] if found else ""


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
