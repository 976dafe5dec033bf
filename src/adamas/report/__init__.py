"""A run's folder as one HTML page that needs no network, and as PNG plots.

The page is made from config.json and metrics.jsonl alone, so that it can be made again from any finished folder.
"""

from __future__ import annotations

from pathlib import Path

from adamas.report.cautions import warnings
from adamas.report.charts import plots, png
from adamas.report.page import page
from adamas.report.record import load, shown

__all__ = ["load", "plots", "shown", "warnings", "write"]


def write(folder: Path) -> None:
    """Make report.html and a PNG of every plot from the folder's config.json and metrics.jsonl."""
    record = load(folder)
    drawn = plots(record)
    for plot in drawn:
        (folder / f"{plot.name}.png").write_bytes(png(plot))
    (folder / "report.html").write_text(page(record, drawn), encoding="utf-8")
