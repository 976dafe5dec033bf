"""``adamas doctor``."""

from __future__ import annotations

import typer

from adamas.cli.common import app, console, fail


@app.command()
def doctor() -> None:
    """Show what this computer offers, time a step, and test every rule against the reference."""
    from adamas import doctor as medic
    from adamas.rules import REGISTRY

    shown = console()
    found = medic.versions("numpy", "numba", "llvmlite", "ml_dtypes")
    machine = medic.machine()
    _line("versions", ", ".join(f"{name} {version}" for name, version in found.items()))
    _line("computer", f"{machine['processor']}, {machine['system']}")
    _line("threads", f"{machine['threads']} ({medic.limits()})")
    try:
        _line("kernels", medic.cache())
    except PermissionError as error:
        fail(f"no kernel can be compiled: {error}", 1)
    with shown.status("timing AdamW"):
        memory, step = medic.bandwidth(REGISTRY["adamw"])
    _line("memory", f"{memory / 1e9:.1f} GB/s, adding one large array to another")
    _line("AdamW", f"{step / 1e9:.1f} GB/s over {medic.SIZE:,} float32 parameters, {step / memory:.0%} of the above")
    ill = []
    for name, rule in REGISTRY.items():
        with shown.status(f"testing {name}"):
            finding = medic.check(rule)
        _line(name, finding or "equals the reference in every bit")
        ill += [name] if finding else []
    if ill:
        fail(f"{', '.join(ill)} cannot be trusted on this computer; please report the lines above", 1)
    typer.echo("All is well.")


def _line(what: str, text: str) -> None:
    typer.echo(f"{what:10} {text}")
