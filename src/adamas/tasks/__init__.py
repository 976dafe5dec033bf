"""Small real problems to train on. A new task is one file and one line here; your own needs no line."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adamas import own
from adamas.nest import nearest

Array = npt.NDArray[Any]
Params = dict[str, Array]

#: Arrays with one entry an example, such as (inputs, labels); None in a task that has no data.
Batch = Any


#: How long a run is unless the task says otherwise: with data, and of a function.
WITH_DATA, FUNCTION = {"epochs": 10, "batch_size": 32}, {"steps": 1000}


def _no_facts() -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Task:
    """What is trained, on what, and how well it went; it knows no optimizer. It checks itself when it is made.

    name, doc: the name in reports, and one sentence for people who have never heard of it.
    init(rng): the parameters before the first step, arrays by name.
    loss(params, batch, rng): the loss of a mini-batch and its gradients; rng serves dropout, noise and the like.
    evaluate(params, examples): metric → value; "loss" is among them, and "accuracy" is a share of 1.
    data(): split → arrays with one entry an example, the same at every call; "train" is trained on, the others are
        evaluated. Without data the task is a function: batch and examples are None.
    rule, lr, schedule, seed: what a run uses unless told otherwise. epochs, batch_size: the same, of a task with data
        (10 and 32 if left out); steps: of a function (1000). The others stay None.
    facts(): what a run should write down besides, such as the checksum of what it read.
    """

    name: str
    doc: str
    init: Callable[[np.random.Generator], Params]
    loss: Callable[[Params, Batch, np.random.Generator], tuple[float, Params]]
    evaluate: Callable[[Params, Batch], Mapping[str, float]]
    data: Callable[[], Mapping[str, tuple[Array, ...]]] | None = None
    rule: str = "adam"
    lr: float = 1e-3
    schedule: str = "constant"
    epochs: int | None = None
    batch_size: int | None = None
    steps: int | None = None
    seed: int = 0
    facts: Callable[[], Mapping[str, str]] = _no_facts

    def __post_init__(self) -> None:
        for name in ("name", "doc"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise TypeError(f"Task: {name}={getattr(self, name)!r}: expected words")
        for name in ("init", "loss", "evaluate", "facts", *(["data"] if self.data is not None else [])):
            if not callable(getattr(self, name)):
                raise TypeError(f"task {self.name}: {name}={getattr(self, name)!r}: expected a function")
        own, other = (WITH_DATA, FUNCTION) if self.data else (FUNCTION, WITH_DATA)
        for name in other:
            if getattr(self, name) is not None:
                what = "a task with data" if self.data else "a function, without data,"
                raise ValueError(f"task {self.name}: {name}={getattr(self, name)!r}: {what} has {' and '.join(own)}")
        for name, default in own.items():
            value = default if getattr(self, name) is None else getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"task {self.name}: {name}={value!r}: expected a whole number of at least 1")
            object.__setattr__(self, name, value)  # the one way into a frozen dataclass


#: Task → the module that holds it, as ``task`` or in its table ``TASKS``; imported only when asked for.
REGISTRY = {
    "logreg-digits": "adamas.tasks.logreg_digits",
    "logreg-topics": "adamas.tasks.logreg_topics",
    "logreg-topics-l2": "adamas.tasks.logreg_topics_l2",
    "digits-mlp": "adamas.tasks.digits_mlp",
    "digits-mlp-plain": "adamas.tasks.digits_mlp_plain",
    "digits-cnn": "adamas.tasks.torch_digits_cnn",
    "digits-cnn-plain": "adamas.tasks.torch_digits_cnn_plain",
    "digits-vae": "adamas.tasks.torch_digits_vae",
    "char-transformer": "adamas.tasks.torch_char_transformer",
    "line-fit": "adamas.tasks.line_fit",
    "rosenbrock": "adamas.tasks.functions",
    "rosenbrock-5d": "adamas.tasks.functions",
    "beale": "adamas.tasks.functions",
    "himmelblau": "adamas.tasks.functions",
    "booth": "adamas.tasks.functions",
    "ackley": "adamas.tasks.functions",
    "rastrigin": "adamas.tasks.functions",
    "noisy-quadratic": "adamas.tasks.functions",
}


def get(name: str) -> Task:
    """The task of that name, or the user's own as ``module:attribute``; ValueError if there is none."""
    if ":" in name:
        return own.find(name, Task)
    if name not in REGISTRY:
        raise ValueError(f"unknown task {name!r}{nearest(name, list(REGISTRY))}; your own is named module:attribute")
    module = importlib.import_module(REGISTRY[name])
    task = module.TASKS[name] if hasattr(module, "TASKS") else module.task
    assert isinstance(task, Task)
    return task
