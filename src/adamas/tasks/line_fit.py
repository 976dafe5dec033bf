"""A line through the grades of fifteen students: least squares, which has an exact answer to compare with.

    f(hours) = θ₀ + θ₁ · hours        loss = ½ Σ (f − grade)²

The data are those of a lecture at Cornell University; the line of least squares is θ = (58.90281291, 2.72440418).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from adamas.tasks import Array, Batch, Params, Task

HOURS = np.array([9.0, 4.9, 1.6, 1.9, 7.9, 2.0, 11.5, 3.9, 1.1, 1.6, 5.1, 8.2, 7.3, 10.4, 11.2])
GRADES = np.array([88.0, 72.3, 66.5, 65.1, 79.5, 60.8, 94.3, 66.7, 65.4, 63.8, 68.4, 82.5, 75.9, 87.8, 85.2])


def data() -> Mapping[str, tuple[Array, ...]]:
    """Hours of study and grades."""
    return {"train": (HOURS, GRADES)}


def init(rng: np.random.Generator) -> Params:
    """A line that is not far off."""
    return {"theta": np.array([50.0, 1.0])}


def loss(params: Params, batch: Batch, rng: np.random.Generator) -> tuple[float, Params]:
    """Half the sum of squared errors, and its slopes by intercept and gradient of the line."""
    hours, grades = batch
    error = params["theta"][0] + params["theta"][1] * hours - grades
    return float(error @ error) / 2, {"theta": np.array([error.sum(), error @ hours])}


def evaluate(params: Params, examples: Batch) -> dict[str, float]:
    """The loss over all, and the distance of θ from the line of least squares."""
    hours, grades = examples
    exact = np.linalg.lstsq(np.stack([np.ones_like(hours), hours], axis=1), grades, rcond=None)[0]
    value = loss(params, examples, np.random.default_rng(0))[0]
    return {"loss": value, "distance": float(np.linalg.norm(params["theta"] - exact))}


task = Task(
    name="line-fit",
    doc="A straight line is fitted to the hours that fifteen students studied and the grades that they got.",
    init=init,
    loss=loss,
    evaluate=evaluate,
    data=data,
    lr=0.1,
    epochs=2000,
    batch_size=15,
)
