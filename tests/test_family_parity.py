"""The rest of the family against independent implementations, in float64, or against the paper's lines in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import optax
import optax.contrib
import pytest
import pytorch_optimizer
import torch
from test_peers import check, gradients, ours, start, with_optax, with_torch

import adamas

Options = dict[str, Any]
BETAS: Options = {"b1": 0.8, "b2": 0.95}
TWO: Options = {"betas": (0.8, 0.95)}


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    """pytorch_optimizer keeps some numbers in torch's default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def decayed(scale_by: Any, wd: float, lr: Any) -> Any:
    """optax's core of a rule, then decay beside it."""
    return optax.chain(scale_by, optax.add_decayed_weights(wd), optax.scale_by_learning_rate(lr))


def halving(t: int) -> float:
    """A learning rate of the step, from 1."""
    return 0.02 * 2.0 ** (-t / 20)


def halving_from_zero(count: Any) -> Any:
    return 0.02 * 2.0 ** (-(count.astype(float) + 1) / 20)  # else float32


def mars_from_the_first_gradient(params: list[Any], **options: Any) -> Any:
    """The peer begins with g₀ = 0, and has ε beside the raw √v: it is next to nothing here."""
    opt = pytorch_optimizer.MARS(params, optimize_1d=True, **options)
    for p, g in zip(params, gradients()[0], strict=True):
        opt.state[p] = {
            "exp_avg": torch.zeros_like(p),
            "exp_avg_sq": torch.zeros_like(p),
            "last_grad": torch.from_numpy(g.copy()),
        }
    return opt


TORCH: list[tuple[str, Options, Callable[[Any], Any]]] = [
    ("SGD", {"lr": 0.01, "weight_decay": 0.1}, lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1)),
    (
        "SGD",
        {"lr": 0.01, "momentum": 0.8, "dampening": 0.3},
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.8, dampening=0.3),
    ),
    (
        "NesterovSGD",
        {"lr": 0.01, "momentum": 0.8, "weight_decay": 0.1},
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.8, weight_decay=0.1, nesterov=True),
    ),
    ("RMSprop", {}, lambda p: torch.optim.RMSprop(p)),
    (
        "RMSprop",
        {"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1},
        lambda p: torch.optim.RMSprop(p, alpha=0.9, eps=1e-3, weight_decay=0.1),
    ),
    ("Adagrad", {}, lambda p: torch.optim.Adagrad(p)),
    (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "eps": 1e-3},
        lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.1, weight_decay=0.1, eps=1e-3),
    ),
    # Its foreach rounds step sizes to float32; decay comes after the step, ours beside it.
    ("LaProp", {}, lambda p: pytorch_optimizer.LaProp(p, foreach=False)),
    ("LaProp", {"lr": 0.01, **TWO}, lambda p: pytorch_optimizer.LaProp(p, lr=0.01, foreach=False, **TWO)),
    (
        "Adan",
        {"lr": 0.01, "weight_decay": 0.1, "betas": (0.9, 0.8, 0.95), "eps": 1e-3},
        lambda p: pytorch_optimizer.Adan(p, lr=0.01, weight_decay=0.1, betas=(0.9, 0.8, 0.95), eps=1e-3),
    ),
    (
        "StableAdamW",
        {"lr": 0.01, "weight_decay": 0.1},
        lambda p: pytorch_optimizer.StableAdamW(p, lr=0.01, weight_decay=0.1),
    ),
    (
        "DAdaptAdam",
        {"d0": 1e-3, "growth_rate": 1.5},
        lambda p: pytorch_optimizer.DAdaptAdam(p, lr=1.0, d0=1e-3, growth_rate=1.5),
    ),
    (
        "DAdaptAdam",
        {"d0": 1e-3, "weight_decay": 0.1, "lr": 0.5, **TWO},
        lambda p: pytorch_optimizer.DAdaptAdam(p, lr=0.5, d0=1e-3, weight_decay=0.1, weight_decouple=True, **TWO),
    ),
    ("MARSAdamW", {"weight_decay": 0.0, "eps": 1e-20}, lambda p: mars_from_the_first_gradient(p, eps=1e-20)),
    (
        "MARSAdamW",
        {"gamma": 0.3, "lr": 0.01, "weight_decay": 0.1, "eps": 1e-20, **TWO},
        lambda p: mars_from_the_first_gradient(p, gamma=0.3, lr=0.01, weight_decay=0.1, eps=1e-20, **TWO),
    ),
]

OPTAX: list[tuple[str, Options, Any]] = [
    ("AdaBelief", {}, optax.adabelief(1e-3)),
    (
        "AdaBelief",
        {"lr": halving, "weight_decay": 0.1, "eps": 1e-4, **TWO},
        decayed(optax.scale_by_belief(**BETAS, eps=1e-4, eps_root=1e-4), 0.1, halving_from_zero),
    ),
    ("Lion", {}, optax.lion(1e-4, weight_decay=0.0)),
    ("Lion", {"lr": halving, "weight_decay": 0.1, **TWO}, optax.lion(halving_from_zero, **BETAS, weight_decay=0.1)),
    ("AMSGradOptax", {"lr": 0.01}, optax.amsgrad(0.01)),
    (
        "AMSGradOptax",
        {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-3, **TWO},
        optax.chain(optax.add_decayed_weights(0.1), optax.amsgrad(0.01, **BETAS, eps=1e-3)),
    ),
    # optax weighs Adan's differences by 1 − β₂ where the paper and its authors' package have β₂: the same at a half.
    ("Adan", {"betas": (0.9, 0.5, 0.95)}, optax.adan(1e-3, b1=0.9, b2=0.5, b3=0.95, eps_root=0.0)),
    ("ADOPT", {}, optax.contrib.adopt(1e-3)),
    (
        "ADOPT",
        {"lr": halving, "weight_decay": 0.1, "eps": 0.1, **TWO},
        decayed(optax.contrib.scale_by_adopt(**BETAS, eps=0.1), 0.1, halving_from_zero),
    ),
    ("AdEMAMix", {}, optax.contrib.ademamix(1e-3)),
    (
        "AdEMAMix",
        {"lr": 0.01, "betas": (0.8, 0.95, 0.99), "alpha": 3.0, "weight_decay": 0.1, "eps": 1e-3},
        optax.contrib.ademamix(0.01, **BETAS, b3=0.99, alpha=3.0, weight_decay=0.1, eps=1e-3),
    ),
    (
        "ScheduleFreeAdamW",
        {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-3, **TWO},
        optax.contrib.schedule_free_adamw(0.01, **BETAS, weight_decay=0.1, eps=1e-3),
    ),
]


@pytest.mark.parametrize(("name", "options", "make"), TORCH, ids=[f"{n}-{o}" for n, o, _ in TORCH])
def test_torch_and_pytorch_optimizer(name: str, options: Options, make: Callable[[Any], Any]) -> None:
    # pytorch_optimizer adds 1e-15 to these two's v, which tells where g was near 0; the papers' lines below do not.
    tolerance = 5e-5 if name in ("LaProp", "MARSAdamW") else 1e-10
    check(ours(name, **options), with_torch(make), tolerance)


@pytest.mark.parametrize(("name", "options", "tx"), OPTAX, ids=[f"{n}-{list(o)}" for n, o, _ in OPTAX])
def test_optax(name: str, options: Options, tx: Any) -> None:
    check(ours(name, **options), with_optax(tx), tolerance=1e-10)


def test_lazy_adam_is_torchs_sparse_adam() -> None:
    """Row by row, where a row is all zero or nowhere zero."""
    rng = np.random.default_rng(0)
    mine = rng.normal(size=(8, 3))
    theirs = torch.nn.Parameter(torch.from_numpy(mine.copy()))
    a = adamas.LazyAdam(mine, lr=0.01, **TWO, eps=1e-3)
    b = torch.optim.SparseAdam([theirs], lr=0.01, **TWO, eps=1e-3)
    for _ in range(30):
        g = rng.normal(size=(8, 3)) * (rng.random((8, 1)) < 0.4)
        a.step(g)
        theirs.grad = torch.from_numpy(g).to_sparse(1)
        b.step()
    np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-12)


# ------------------------------------------------------------------------- the paper's lines, for one tensor


def yogi(p: np.ndarray, gs: list[np.ndarray], lr: float, wd: float) -> None:
    m, v = np.zeros_like(p), np.full_like(p, 1e-6)
    for t, g in enumerate(gs, 1):
        m = 0.8 * m + 0.2 * g
        v = v - 0.05 * np.sign(v - g**2) * g**2
        p -= lr * (m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3) + wd * p)


def adan(p: np.ndarray, gs: list[np.ndarray], lr: float, wd: float) -> None:
    """βs of what is taken in, as the paper prints them: 0.1, 0.3 and 0.05."""
    m, d, n, old = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p), gs[0]
    for t, g in enumerate(gs, 1):
        m = (1 - 0.1) * m + 0.1 * g
        d = (1 - 0.3) * d + 0.3 * (g - old)
        n = (1 - 0.05) * n + 0.05 * (g + (1 - 0.3) * (g - old)) ** 2
        u = m / (1 - 0.9**t) + 0.7 * d / (1 - 0.7**t)
        p[...] = (p - lr * u / (np.sqrt(n / (1 - 0.95**t)) + 1e-8)) / (1 + lr * wd)
        old = g


def laprop(p: np.ndarray, gs: list[np.ndarray], lr: float, wd: float) -> None:
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gs, 1):
        v = 0.95 * v + 0.05 * g**2
        m = 0.8 * m + 0.2 * g / (np.sqrt(v / (1 - 0.95**t)) + 1e-15)
        p -= lr * (m / (1 - 0.8**t) + wd * p)


def ademamix(p: np.ndarray, gs: list[np.ndarray], lr: float, wd: float) -> None:
    """With its schedules, over 40 of 60 steps."""
    m, s, v = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gs, 1):
        w = t / 40
        b3 = np.exp(np.log(0.8) * np.log(0.999) / ((1 - w) * np.log(0.999) + w * np.log(0.8))) if w < 1 else 0.999
        m, s, v = 0.8 * m + 0.2 * g, b3 * s + (1 - b3) * g, 0.95 * v + 0.05 * g**2
        u = (m / (1 - 0.8**t) + min(w, 1) * 4.0 * s) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8)
        p -= lr * (u + wd * p)


def adam_atan2(p: np.ndarray, gs: list[np.ndarray], lr: float, wd: float) -> None:
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gs, 1):
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        p -= lr * (1.5 * np.arctan2(m / (1 - 0.8**t), 0.5 * np.sqrt(v / (1 - 0.95**t))) + wd * p)


def mars(p: np.ndarray, gs: list[np.ndarray], lr: float, wd: float) -> None:
    m, v, old = np.zeros_like(p), np.zeros_like(p), gs[0]
    for t, g in enumerate(gs, 1):
        c = g + 0.1 * 0.8 / 0.2 * (g - old)
        c = c / max(1, np.linalg.norm(c))
        m, v, old = 0.8 * m + 0.2 * c, 0.95 * v + 0.05 * c**2, g
        p -= lr * (m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8) + wd * p)


def schedule_free(p: np.ndarray, gs: list[np.ndarray], lr: float, wd: float) -> None:
    """x, y and z each kept, with a warm-up of 10 steps; p ends as y."""
    x, z, v, weights = p.copy(), p.copy(), np.zeros_like(p), 0.0
    for t, g in enumerate(gs, 1):
        y, size = 0.2 * z + 0.8 * x, lr * min(1, t / 10)
        v = 0.95 * v + 0.05 * g**2
        z = z - size * (g / (np.sqrt(v / (1 - 0.95**t)) + 1e-8) + wd * y)
        weights += size**2
        x = x + size**2 / weights * (z - x)
    p[...] = 0.2 * z + 0.8 * x


#: rule, its options, the paper's lines, and the tolerance: atan2 is a polynomial, within 2.4e-9.
PAPERS: list[tuple[str, Options, Callable[..., None], float]] = [
    ("Yogi", TWO, yogi, 1e-10),
    ("Adan", {"betas": (0.9, 0.7, 0.95)}, adan, 1e-10),
    ("LaProp", TWO, laprop, 1e-10),
    ("AdEMAMix", {"betas": (0.8, 0.95, 0.999), "alpha": 4.0, "warmup": 40.0}, ademamix, 1e-10),
    ("AdamAtan2", {"a": 1.5, "b": 0.5, **TWO}, adam_atan2, 1e-8),
    ("MARSAdamW", {"gamma": 0.1, **TWO}, mars, 1e-10),
    ("ScheduleFreeAdamW", {"warmup": 10.0, **TWO}, schedule_free, 1e-10),
]


@pytest.mark.parametrize("wd", [0.0, 0.1])
@pytest.mark.parametrize(("name", "options", "paper", "tolerance"), PAPERS, ids=[n for n, *_ in PAPERS])
def test_the_papers_lines(name: str, options: Options, paper: Callable[..., None], tolerance: float, wd: float) -> None:
    params = start()
    for p, gs in zip(params, zip(*gradients(), strict=True), strict=True):
        paper(p, list(gs), 0.02, wd)
    check(ours(name, lr=0.02, weight_decay=wd, **options), params, tolerance)


def test_yogi_is_optaxs_from_the_same_start() -> None:
    """optax begins m at 1e-6 as v; without momentum nothing is left of it."""
    tx = decayed(optax.scale_by_yogi(b1=0.0, b2=0.95), 0.1, halving_from_zero)
    check(ours("Yogi", lr=halving, betas=(0.0, 0.95), weight_decay=0.1), with_optax(tx), 1e-10)


def test_dadapt_is_optaxs_without_its_bias_correction() -> None:
    """Which optax always has; a schedule takes it out."""

    def uncorrected(count: Any) -> Any:
        return (1 - 0.8 ** (count + 1)) / (1 - 0.95 ** (count + 1)) ** 0.5

    tx = optax.contrib.dadapt_adamw(uncorrected, (0.8, 0.95), estim_lr0=1e-3, weight_decay=0.1)
    check(ours("DAdaptAdam", d0=1e-3, weight_decay=0.1, **TWO), with_optax(tx), 1e-10)
