"""``adamas bench``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from adamas.cli.common import app, console, fail

if TYPE_CHECKING:
    from adamas.bench import Timing

#: Columns of a terminal that the names of rules take, and the three numbers of a codec.
NAMES, NUMBERS = 19, 15


@app.command()
def bench(
    rules: Annotated[list[str] | None, typer.Argument(help="Optimizers [all]; `adamas rules` lists them.")] = None,
    states: Annotated[str, typer.Option(help="How the state is kept.")] = "float32,bfloat16,int8,int4",
    size: Annotated[float, typer.Option(help="Parameters, in one matrix.")] = 4e6,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads [all that this process may use].")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timings of each, of which the fastest counts.")] = 7,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Time a step of each rule under each codec, beside AdamW's in the same minutes."""
    from rich.console import Console
    from rich.progress import track

    import adamas
    from adamas import bench as timer
    from adamas.rules import REGISTRY

    before = adamas.get_num_threads()
    adamas.set_num_threads(threads or before)
    try:
        shape, names = timer.shape_of(size), list(dict.fromkeys(s.strip() for s in states.split(",")))
        cells, found = timer.cells(rules or list(REGISTRY), names), []
        shown = Console(stderr=True)
        for rule, state in track(cells, "timing", console=shown, transient=True, disable=not shown.is_terminal):
            found.append(timer.measure(rule, state, shape, rounds))
        found += filter(None, [timer.torch_fused(shape, rounds)])
        if as_csv:
            _print_csv(found)
        else:
            _show(found, names, shape)
    except (MemoryError, ValueError) as error:
        fail(error, 2)
    finally:
        adamas.set_num_threads(before)


def _print_csv(found: list[Timing]) -> None:
    typer.echo("rule,state,parameters,ms,bytes,GB/s,ratio")
    for t in found:
        typer.echo(f'"{t.rule}",{t.state},{t.parameters},{t.ms:.6g},{t.moved:g},{t.rate:.4g},{t.ratio:.4g}')


def _show(found: list[Timing], states: list[str], shape: tuple[int, int]) -> None:
    """A row a rule, and as many codecs beside each other as the terminal has room for."""
    from rich.table import Table

    import adamas
    from adamas.doctor import machine

    shown, cells = console(), {(t.rule, t.state): t for t in found}
    many = max(1, (shown.width - NAMES) // NUMBERS)
    for some in (states[i : i + many] for i in range(0, len(states), many)):
        table = Table("rule", box=None, pad_edge=False, padding=(0, 1, 0, 0))
        for state in some:
            table.add_column(f"{state}\n  ms GB/s    ×", justify="right", no_wrap=True)
        for rule in dict.fromkeys(t.rule for t in found):
            table.add_row(rule, *(_numbers(cells.get((rule, state))) for state in some))
        shown.print(table)
        typer.echo()
    facts = machine()
    typer.echo(
        f"{facts['processor']}, {adamas.get_num_threads()} threads, {shape[0]:,} × {shape[1]:,} float32 parameters.\n"
        "Milliseconds of the fastest step, GB/s of the bytes that the rule declares to read and write, and the\n"
        "time over that of float32 AdamW in the same rounds, which is what other machines may be compared by."
    )


def _numbers(t: Timing | None) -> str:
    return " ".join(f"{_short(x):>4}" for x in (t.ms, t.rate, t.ratio)) if t else "—"


def _short(x: float) -> str:
    """Three digits of a number, in four characters if it is below 10,000."""
    return f"{x:.{2 if x < 10 else 1 if x < 100 else 0}f}"
