"""``python -m adamas`` is the ``adamas`` command."""

from adamas.cli import app

app()
