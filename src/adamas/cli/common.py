"""What the commands share: the application they belong to, errors, the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NoReturn

try:
    import typer
except ModuleNotFoundError as missing:  # installed without the extra
    raise SystemExit(f"adamas: {missing.name} is missing; pip install 'adamas[run]' brings the command line") from None

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def fail(message: object, code: int) -> NoReturn:
    """Leave with an error in words."""
    typer.echo(f"adamas: {message}", err=True)
    raise typer.Exit(code)


def console() -> Console:
    """The terminal, in which numbers are not coloured."""
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


def dtype_of(name: str) -> Any:
    """A parameter dtype by its name; raises ValueError with the nearest."""
    import ml_dtypes
    import numpy as np

    from adamas.nest import nearest
    from adamas.plan import DTYPES

    if name not in DTYPES:
        raise ValueError(f"unknown dtype {name!r}{nearest(name, DTYPES)}")
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
