"""What the tests of adamas.torch share: the classes, parameters and gradients, and the training of a pair."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

import adamas.torch

#: torch's own whose states are exchanged, and all that take dense gradients.
EXCHANGED = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]
DENSE = [*EXCHANGED, "Adafactor", "AMSGrad", "LAMB", "Prodigy"]

SHAPES: list[tuple[int, ...]] = [(7,), (3, 5), (), (2, 3, 4), (0,)]

Grads = Sequence[Sequence[Tensor | None]]


def ours(name: str) -> type[Any]:
    return getattr(adamas.torch, name)


def theirs(name: str) -> type[Any]:
    return getattr(torch.optim, name)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """torch's threads cost milliseconds a call on tensors of ten elements where cores are scarce."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """torch makes its step counts and products of scalars in the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def parameters(
    shapes: Iterable[tuple[int, ...]] = SHAPES, dtype: torch.dtype = torch.float32, seed: int = 0
) -> list[Parameter]:
    """Numbers of size 0.5 to 1.5 and of either sign, so that relative errors mean something."""
    random = torch.Generator().manual_seed(seed)

    def draw(shape: tuple[int, ...]) -> Tensor:
        x = torch.rand(shape, generator=random, dtype=torch.float64) + 0.5
        return x * (torch.randint(0, 2, shape, generator=random) * 2 - 1)

    return [Parameter(_typed(draw, shape, dtype)) for shape in shapes]


def gradients(params: Iterable[Tensor], steps: int, seed: int = 1, spread: float = 1.0) -> list[list[Tensor]]:
    """Normal numbers whose scale differs by 10**(±spread) from step to step and tensor to tensor."""
    random = torch.Generator().manual_seed(seed)

    def draw(shape: tuple[int, ...]) -> Tensor:
        scale = 10 ** (spread * (2 * torch.rand((), generator=random, dtype=torch.float64) - 1))
        return torch.randn(shape, generator=random, dtype=torch.float64) * scale

    params = list(params)
    return [[_typed(draw, tuple(p.shape), p.dtype) for p in params] for _ in range(steps)]


def _typed(draw: Callable[[tuple[int, ...]], Tensor], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    x = torch.complex(draw(shape), draw(shape)) if dtype.is_complex else draw(shape)
    return x.to(dtype)


def clones(params: Iterable[Tensor]) -> list[Parameter]:
    return [Parameter(p.detach().clone()) for p in params]


def held(optimizer: Optimizer) -> list[Any]:
    """All parameters, in the order of the groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def train(optimizer: Optimizer, grads: Grads, after: Callable[[], object] | None = None) -> None:
    """One step for each row of gradients."""
    for row in grads:
        for p, g in zip(held(optimizer), row, strict=True):
            p.grad = None if g is None else g.clone()
        optimizer.step()
        if after is not None:
            after()


def pair(name: str, params: Iterable[Tensor], **options: Any) -> tuple[Any, Any]:
    """Our optimizer and torch's, over copies of the same parameters."""
    params = list(params)
    return ours(name)(clones(params), **options), theirs(name)(clones(params), **options)


def check_agreement(mine: Optimizer, other: Optimizer, start: Iterable[Tensor], **tolerance: Any) -> None:
    """Parameters and state agree, and the parameters are not where they started."""
    for p, q, origin in zip(held(mine), held(other), start, strict=True):
        torch.testing.assert_close(p, q, **tolerance)
        assert p.numel() == 0 or not torch.equal(p, origin), "nothing moved"
    if not isinstance(other, torch.optim.Adafactor):  # its factors are kept in another form
        check_states(mine, other, **tolerance)


def check_states(mine: Optimizer, other: Optimizer, **tolerance: Any) -> None:
    """What torch keeps of each parameter, ours keeps under the same key."""
    for p, q in zip(held(mine), held(other), strict=True):
        for key, value in other.state[q].items():
            found = torch.as_tensor(mine.state[p][key])  # SparseAdam counts steps in an int
            torch.testing.assert_close(found, torch.as_tensor(value), check_dtype=False, **tolerance)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Equal in every bit, where any NaN equals any other."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    a, b = a.detach(), b.detach()
    if a.is_complex():
        a, b = torch.view_as_real(a), torch.view_as_real(b)
    words = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    equal = a.contiguous().view(words) == b.contiguous().view(words)
    return bool((equal | (a.isnan() & b.isnan())).all())


def equal_trees(a: Any, b: Any) -> bool:
    """Nests of dicts, lists and tuples, equal in every bit of every tensor."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and same_bits(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal_trees(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(equal_trees(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def snapshot(optimizer: Optimizer) -> Any:
    """A copy of everything that a step may change."""
    return copy.deepcopy([[p.detach() for p in held(optimizer)], optimizer.state_dict()])


def unchanged(optimizer: Optimizer, before: Any) -> bool:
    return equal_trees(snapshot(optimizer), before)
