"""Tasks whose layers and gradients are PyTorch's: what they share. The arrays and the optimizer stay Adamas's.

PyTorch is imported here alone, and when such a task is run, so that it can be listed without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from adamas.tasks import Batch, Params

#: Examples that are evaluated at a time, which bounds the memory.
PART = 256


def load() -> Any:
    """The package ``torch``; ValueError with the remedy where it is not installed."""
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is missing; pip install 'adamas[torch]' brings what this task needs") from None
    return torch


def facts() -> dict[str, str]:
    """The version of PyTorch, which decides the last bits of a run."""
    return {"PyTorch": load().__version__}


@contextmanager
def _apart(seed: int) -> Iterator[None]:
    """PyTorch with random numbers from this seed, and on one thread, so that it rounds alike on any number of CPUs.
    Its own state is brought back after.
    """
    torch = load()
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


def functions(
    network: Callable[[], Any], measure: Callable[..., dict[str, Any]]
) -> tuple[
    Callable[[np.random.Generator], Params],
    Callable[[Params, Batch, np.random.Generator], tuple[float, Params]],
    Callable[[Params, Batch], dict[str, float]],
]:
    """(init, loss, evaluate) of a task from its layers and what is measured of them.

    network(): the layers, newly initialised; their parameters have the names that PyTorch gives them.
    measure(layers, *batch): metrics of a batch, as means over its examples; "loss" is among them. Its random numbers
        are PyTorch's own, such as those of ``nn.Dropout``.
    """

    @cache
    def measured() -> Any:
        """The layers as a module that measures. It has no memory: a parameter that it is not given is an error."""
        torch = load()
        Module: Any = torch.nn.Module

        class Measured(Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.layers = network()

            def forward(self, *batch: Any) -> dict[str, Any]:
                return measure(self.layers, *batch)

        with torch.device("meta"):
            return Measured()

    def run(tensors: dict[str, Any], batch: Batch, training: bool) -> dict[str, Any]:
        torch = load()
        named = {f"layers.{name}": tensor for name, tensor in tensors.items()}
        examples = tuple(torch.from_numpy(a) for a in batch)
        found: dict[str, Any] = torch.func.functional_call(measured().train(training), named, examples)
        return found

    def init(rng: np.random.Generator) -> Params:
        with _apart(_seed(rng)):
            return {name: p.detach().numpy() for name, p in network().named_parameters()}

    def loss(params: Params, batch: Batch, rng: np.random.Generator) -> tuple[float, Params]:
        torch = load()
        leaves = {name: torch.from_numpy(p).requires_grad_() for name, p in params.items()}
        with _apart(_seed(rng)):
            value = run(leaves, batch, training=True)["loss"]
            grads = torch.autograd.grad(value, list(leaves.values()))
        return value.item(), {name: g.numpy() for name, g in zip(leaves, grads, strict=True)}

    def evaluate(params: Params, examples: Batch) -> dict[str, float]:
        torch = load()
        tensors = {name: torch.from_numpy(p) for name, p in params.items()}
        sums: Counter[str] = Counter()
        total = len(examples[0])
        with torch.no_grad(), _apart(0):  # the same noise at each evaluation: what differs is the model
            for start in range(0, total, PART):
                part = tuple(a[start : start + PART] for a in examples)
                for name, mean in run(tensors, part, training=False).items():
                    sums[name] += len(part[0]) * mean.item()
        return {name: value / total for name, value in sums.items()}

    return init, loss, evaluate


def quality(logits: Any, labels: Any) -> dict[str, Any]:
    """Mean cross-entropy, and the share of labels that are the likeliest class; classes lie along the last axis."""
    logits, labels = logits.flatten(0, -2), labels.flatten()
    return {
        "loss": load().nn.functional.cross_entropy(logits, labels),
        "accuracy": (logits.argmax(dim=1) == labels).double().mean(),
    }
