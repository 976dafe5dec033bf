"""Rules against independent implementations, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import optax
import pytest
import torch

import adamas

jax.config.update("jax_enable_x64", True)

SHAPES = [(7,), (3, 5), (2, 3, 4), (40, 60)]
STEPS = 60


def start(shapes: list[tuple[int, ...]] = SHAPES) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=s) for s in shapes]


def gradients(shapes: list[tuple[int, ...]] = SHAPES) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(4)
    return [[rng.normal(size=s) * 10 ** rng.uniform(-1, 1) for s in shapes] for _ in range(STEPS)]


def ours(name: str, shapes: list[tuple[int, ...]] = SHAPES, **options: Any) -> list[np.ndarray]:
    params = start(shapes)
    opt = getattr(adamas, name)(params, backend="reference", **options)  # the kernels equal it in every bit
    for grads in gradients(shapes):
        opt.step(grads)
    return params


def with_torch(make: Callable[[list[Any]], Any], shapes: list[tuple[int, ...]] = SHAPES) -> list[np.ndarray]:
    params = [torch.nn.Parameter(torch.from_numpy(p.copy())) for p in start(shapes)]
    opt = make(params)
    for grads in gradients(shapes):
        for p, g in zip(params, grads, strict=True):
            p.grad = torch.from_numpy(g.copy())
        opt.step()
    return [p.detach().numpy() for p in params]


def with_optax(tx: Any, params: list[Any] | None = None, grads: list[list[Any]] | None = None) -> list[np.ndarray]:
    params = start() if params is None else params
    state = tx.init(params)
    for g in gradients() if grads is None else grads:
        updates, state = tx.update(g, state, params)
        params = optax.apply_updates(params, updates)
    return [np.asarray(p) for p in params]


def check(mine: list[np.ndarray], theirs: list[np.ndarray], tolerance: float = 1e-12) -> None:
    for a, b, origin in zip(mine, theirs, start([a.shape for a in mine]), strict=True):
        assert np.abs(a - origin).max() > 1e-3, "nothing moved"
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


TORCH: list[tuple[str, dict[str, Any], Callable[[Any], Any]]] = [
    ("Adam", {}, lambda p: torch.optim.Adam(p)),
    ("Adam", {"weight_decay": 0.1}, lambda p: torch.optim.Adam(p, weight_decay=0.1)),
    ("Adam", {"maximize": True}, lambda p: torch.optim.Adam(p, maximize=True)),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3}, lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.3)),
    ("AMSGrad", {"lr": 0.01}, lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True)),
    ("Adamax", {"weight_decay": 0.1}, lambda p: torch.optim.Adamax(p, weight_decay=0.1)),
    ("NAdam", {"weight_decay": 0.1}, lambda p: torch.optim.NAdam(p, weight_decay=0.1)),
    ("RAdam", {"weight_decay": 0.1}, lambda p: torch.optim.RAdam(p, weight_decay=0.1)),
    ("RAdam", {"betas": (0.9, 0.6)}, lambda p: torch.optim.RAdam(p, betas=(0.9, 0.6))),
]


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    """torch keeps NAdam's product of μ in its default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("name", "options", "make"), TORCH, ids=[f"{n}-{o}" for n, o, _ in TORCH])
def test_torch(name: str, options: dict[str, Any], make: Callable[[Any], Any]) -> None:
    check(ours(name, **options), with_torch(make))


def test_defaults_are_torchs() -> None:
    for name, cls in (("Adam", torch.optim.Adam), ("AdamW", torch.optim.AdamW), ("Adamax", torch.optim.Adamax)):
        theirs = cls([torch.zeros(1, requires_grad=True)]).defaults
        mine = adamas.optimizer_class(name.lower())(np.zeros(1)).param_groups[0]
        for key in ("lr", "betas", "eps", "weight_decay"):
            assert mine[key] == theirs[key], (name, key)


def test_optax_adam_adamw_lamb() -> None:
    check(ours("Adam", lr=1e-2), with_optax(optax.adam(1e-2)))
    check(ours("AdamW", lr=1e-2, weight_decay=0.1), with_optax(optax.adamw(1e-2, weight_decay=0.1)))
    check(ours("LAMB", lr=1e-2, weight_decay=0.1), with_optax(optax.lamb(1e-2, weight_decay=0.1)))


def test_complex_is_optaxs_modulus() -> None:
    rng = np.random.default_rng(0)
    p = rng.normal(size=(5, 3)) + 1j * rng.normal(size=(5, 3))
    grads = [[rng.normal(size=(5, 3)) + 1j * rng.normal(size=(5, 3))] for _ in range(20)]
    mine = [p.copy()]
    opt = adamas.Adam(mine, lr=0.1)
    for g in grads:
        opt.step(g)
    check(mine, with_optax(optax.adam(0.1), [p], grads))
    first = np.zeros(1, complex)
    adamas.Adam(first, lr=1.0, eps=0.0).step(np.array([3 + 4j]))
    np.testing.assert_allclose(first, [-0.6 - 0.8j], rtol=1e-14)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adafactor_is_torchs_where_the_paper_and_torch_agree(weight_decay: float) -> None:
    """Factored state, update clipping, relative size. With ε₁ = 1e-30, adding it and clamping by it are the same."""
    options = {"lr": 0.3, "weight_decay": weight_decay}
    theirs = with_torch(lambda p: torch.optim.Adafactor(p, eps=(1e-30, 1e-3), **options))
    check(ours("Adafactor", **options), theirs)


def test_prodigy_is_the_authors() -> None:
    from prodigyopt import Prodigy

    for options in ({}, {"weight_decay": 0.1, "d_coef": 2.0, "growth_rate": 1.05}):
        theirs = with_torch(lambda p, options=options: Prodigy(p, d0=1e-2, eps=1e-8, **options))
        check(ours("Prodigy", d0=1e-2, **options), theirs, tolerance=1e-9)


def test_mean_is_adam_mini() -> None:
    """One second moment per output neuron of a matrix, and one for a vector."""
    from adam_mini import Adam_mini

    shapes = [(4, 6), (9,)]

    def make(params: list[Any]) -> Any:
        named = zip(["mlp.weight", "gain"], params, strict=True)
        return Adam_mini(named, lr=0.01, weight_decay=0.1, verbose=False, dim=4, n_heads=1)

    theirs = with_torch(make, shapes)
    check(ours("AdamW", shapes, lr=0.01, weight_decay=0.1, state={"v": "mean"}), theirs)


def test_plain_numpy_adam() -> None:
    """Ten lines by hand, as the paper's Algorithm 1."""
    params = start()
    for p, gs in zip(params, zip(*gradients(), strict=True), strict=True):
        m = v = np.zeros_like(p)
        for t, g in enumerate(gs, 1):
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            p -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    check(ours("Adam", lr=0.01), params)
