"""The parameters to evaluate with, where they are not those that are trained: averages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from adamas.backends.reference import evaluate
from adamas.torch.making import TRAINED
from adamas.torch.memory import tensor_of

#: Parameters that hold averages for a while, each with what it was.
Swap = list[tuple[torch.Tensor, torch.Tensor]]


def _averages(optimizer: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Every parameter that was stepped, with its average: the rule's own, else what ``ema`` keeps."""
    if optimizer.row.base.view is None:
        params = (p for group in optimizer.param_groups for p in group["params"])
        yield from ((p, optimizer.state[p]["ema"]) for p in params if "ema" in optimizer.state.get(p, {}))
        return
    engine = optimizer._ready()
    letters = optimizer._letters(engine.kinds)
    for part in engine.parts:
        for i, leaf in enumerate(part.leaves):
            if part.state.t[i]:
                array = evaluate(leaf.rule, leaf.codecs, leaf.tensor, part.plan.known(i, letters))
                yield leaf.p, tensor_of(array, leaf.p.is_complex())


@torch.no_grad()
def swap(optimizer: Any) -> Swap:
    """Give the parameters their averages; returns what they were."""
    found = list(_averages(optimizer))
    trained = [(p, p.detach().clone()) for p, _ in found]
    try:
        for p, average in found:
            p.copy_(average)
    except BaseException:
        back(trained)
        raise
    return trained


@torch.no_grad()
def back(swapped: Swap) -> None:
    """Make the parameters what they were, to the bit."""
    for p, value in swapped:
        p.copy_(value)


def take(entries: Mapping[Any, Any], keys: Mapping[Any, torch.Tensor]) -> Swap | None:
    """What is trained, of a state that was saved while the parameters were averages; None of any other.

    Raises TypeError or ValueError unless it fits the parameter.
    """
    found = {key: entry[TRAINED] for key, entry in entries.items() if key in keys and TRAINED in entry}
    for key, value in found.items():
        if not isinstance(value, torch.Tensor) or value.is_complex() != keys[key].is_complex():
            raise TypeError(f"{TRAINED} in the state of parameter {key} is no tensor as the parameter is")
        if value.shape != keys[key].shape:
            raise ValueError(f"{TRAINED} has shape {tuple(value.shape)}, expected {tuple(keys[key].shape)}")
    return [(keys[key], value.detach().to(keys[key].dtype, copy=True)) for key, value in found.items()] or None


def mark(swapped: Swap, state: dict[Any, Any], keys: Sequence[tuple[torch.Tensor, Any]]) -> None:
    """Put what is trained into a state to be saved, in which each parameter has its key."""
    values = {id(p): value for p, value in swapped}
    for p, key in keys:
        if id(p) in values:
            state[key] = {**state[key], TRAINED: values[id(p)]}
