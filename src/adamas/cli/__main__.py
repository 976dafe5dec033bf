"""``python -m adamas.cli`` is the ``adamas`` command."""

from adamas.cli import app

app()
