"""Small real problems to train on. A new task is one file and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adamas.nest import nearest

Array = npt.NDArray[Any]
Params = dict[str, Array]

#: Arrays with one entry an example, such as (inputs, labels).
Batch = tuple[Array, ...]


@dataclass(frozen=True)
class Task:
    """What is trained, on what, and how well it went; it knows no optimizer.

    name, doc: the name on command lines, and one sentence for people who have never heard of it.
    rule, lr, schedule, epochs, batch_size, seed: what a run uses unless told otherwise.
    data(): split → examples; "train" is trained on, the others are evaluated. The same at every call.
    init(rng): the parameters before the first step.
    loss(params, batch, rng): the loss of a mini-batch and its gradients; rng serves dropout and the like.
    evaluate(params, examples): metric → value; "loss" is among them, and "accuracy" is a share of 1.
    """

    name: str
    doc: str
    rule: str
    lr: float
    schedule: str
    epochs: int
    batch_size: int
    seed: int
    data: Callable[[], Mapping[str, Batch]]
    init: Callable[[np.random.Generator], Params]
    loss: Callable[[Params, Batch, np.random.Generator], tuple[float, Params]]
    evaluate: Callable[[Params, Batch], dict[str, float]]


#: Task → the module that holds it as ``task``; imported only when asked for.
REGISTRY = {
    "digits-mlp": "adamas.tasks.digits_mlp",
}


def get(name: str) -> Task:
    """The task of that name, or a ValueError with the nearest one."""
    if name not in REGISTRY:
        raise ValueError(f"unknown task {name!r}{nearest(name, list(REGISTRY))}")
    task = importlib.import_module(REGISTRY[name]).task
    assert isinstance(task, Task)
    return task
