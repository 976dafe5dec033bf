"""What papers reproach Adam with, reproduced in small, and what mends it; docs/faults.md tells it in words."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from test_docs import run

import adamas

Array = np.ndarray[Any, np.dtype[np.float64]]


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("faults.md")


# ------------------------------------------------- rare large gradients: Reddi et al., 2018, arXiv:1904.09237


def reddi(cls: str, c: float, steps: int = 12_000, **options: Any) -> tuple[float, float]:
    """Slopes c, −1, −1, c, … over [−1, 1], where −1 is best: the last point, and the average regret."""
    x, g, regret = np.zeros(1), np.zeros(1), 0.0
    size = 0.9 * np.sqrt(1 - beta2(c))  # theorem 1: α < √(1 − β₂)
    optimizer = getattr(adamas, cls)(x, lr=lambda t: size / np.sqrt(t), **options)
    for t in range(1, steps + 1):
        g[0] = c if t % 3 == 1 else -1.0
        regret += g[0] * (x[0] + 1)
        optimizer.step(g)
        np.clip(x, -1, 1, out=x)
    return float(x[0]), regret / steps


def beta2(c: float) -> float:
    return 1 / (1 + c**2)


@pytest.mark.parametrize(("c", "known"), [(3.0, 0.673), (10.0, 5.34)])
def test_adam_goes_to_the_worst_point_and_amsgrad_to_the_best(c: float, known: float) -> None:
    betas = (0.0, beta2(c))
    end, regret = reddi("Adam", c, betas=betas)
    assert end == 1.0
    assert regret == pytest.approx(known, abs=3e-3)
    end, regret = reddi("AMSGrad", c, betas=betas)
    assert end < -0.99
    assert regret < 0.02


@pytest.mark.parametrize("c", [3.0, 10.0])
def test_a_longer_memory_mends_adam_itself(c: float) -> None:
    end, regret = reddi("Adam", c, steps=3000, betas=(0.0, 0.999))
    assert end < -0.97
    assert regret < 0.05


OPTIONS: dict[str, dict[str, Any]] = {"RMSprop": dict(alpha=0.1), "SGD": dict(momentum=0.0), "Adagrad": {}}


@pytest.mark.parametrize(
    "cls", ["AdamW", "Adamax", "NAdam", "AdaBelief", "LaProp", "AdamAtan2", "StableAdamW", "Lion", "RMSprop"]
)
def test_what_divides_by_or_forgets_the_rare_gradient_fails_alike(cls: str) -> None:
    options = OPTIONS.get(cls) or dict(betas=(0.0, beta2(3.0)), weight_decay=0.0)
    end, _ = reddi(cls, 3.0, steps=3000, **options)
    assert end == 1.0


@pytest.mark.parametrize("cls", ["AMSGradOptax", "Yogi", "ADOPT", "SGD", "Adagrad"])
def test_what_remembers_it_or_does_not_divide_by_it_escapes(cls: str) -> None:
    options = OPTIONS.get(cls, dict(betas=(0.0, beta2(3.0))))
    end, _ = reddi(cls, 3.0, steps=3000, **options)
    assert end < -0.96


# --------------------------------------------------- any β₂: Taniguchi et al., 2024, arXiv:2411.02853


def taniguchi(rule: str, b2: float, k: int = 10, steps: int = 100_000, runs: int = 20) -> Array:
    """Slopes k² with probability 1/k, else −k, over [−1, 1]: their mean is 1, so −1 is best. Where each run ends."""
    rare = np.random.default_rng(0).random((steps + 1, runs)) < 1 / k
    slopes = iter(np.where(rare, float(k * k), -float(k)))
    return adamas.minimize(
        lambda x: (0.0, next(slopes)),
        np.zeros(runs),
        jac=True,
        bounds=[(-1, 1)] * runs,
        rule=rule,
        betas=(0.9, b2),
        lr=lambda t: 0.01 / (1 + 0.01 * t) ** 0.5,
        maxiter=steps,
        noisy=True,
    ).x


def test_adam_needs_a_large_beta2_and_adopt_takes_any() -> None:
    betas = (0.1, 0.5, 0.9, 0.99, 0.999)
    adam = {b2: taniguchi("adam", b2) for b2 in betas}
    adopt = {b2: taniguchi("adopt", b2) for b2 in betas}
    for b2 in betas[:3]:
        assert adam[b2].mean() > 0.98
        assert adam[b2].min() > 0.9
    for b2 in betas[3:]:
        assert adam[b2].mean() < -0.9
    for b2 in betas:
        assert adopt[b2].mean() < -0.966
        assert adopt[b2].max() < -0.9


# ----------------------------------------------------- decay: Loshchilov & Hutter, 2019, arXiv:1711.05101


def decayed(cls: str, steps: int, wd: float, scale: float = 0.0, lr: float = 0.01, **options: Any) -> float:
    """The mean of parameters that begin at 1 and have gradients of pure noise of that scale, in pairs that cancel."""
    x, rng = np.ones(1000), np.random.default_rng(0)
    optimizer = getattr(adamas, cls)(x, lr=lr, weight_decay=wd, **options)
    for _ in range(steps):
        half = scale * rng.normal(size=500)
        optimizer.step(np.concatenate([half, -half]))
    return float(x.mean())


@pytest.mark.parametrize(("wd", "known"), [(1e-4, 0.99990), (1e-2, 0.99005), (1.0, 0.36603)])
def test_l2_in_the_gradient_decays_alike_whatever_its_weight(wd: float, known: float) -> None:
    assert decayed("AdamW", 100, wd) == pytest.approx(known, abs=1e-5)
    assert decayed("Adam", 100, wd) == pytest.approx(0.2245, abs=1e-4)


def test_the_gradients_scale_weakens_l2_and_not_decoupled_decay() -> None:
    for scale in (1.0, 100.0):
        assert decayed("AdamW", 200, 0.1, scale) == pytest.approx(0.999**200, abs=1e-5)
    assert decayed("Adam", 200, 0.1, 1.0) == pytest.approx(0.819, abs=2e-3)
    assert decayed("Adam", 200, 0.1, 100.0) == pytest.approx(0.998, abs=1e-3)


def test_fully_decoupled_decay_is_a_share_a_step_whatever_lr() -> None:
    for lr in (1e-4, 1e-2):
        assert decayed("AdamW", 100, 1e-3, lr=lr, decouple_lr=True) == pytest.approx(0.999**100, rel=1e-9)
    assert decayed("AdamW", 100, 1e-3, lr=0.0, decouple_lr=1e-3) == 1.0
    half = decayed("AdamW", 100, 1e-3, lr=lambda t: 0.005, decouple_lr=0.01)  # a schedule still scales it
    assert half == pytest.approx(0.9995**100, rel=1e-9)


# ------------------------------------------- generalisation: Wilson et al., 2017, arXiv:1705.08292, section 3.3


def wilson(rng: np.random.Generator, count: int, width: int, first: int) -> tuple[Array, Array]:
    """Examples and labels: the label, twice 1, and 1 (label +1) or 5 (label −1) features that no other example has."""
    y = np.where(rng.random(count) < 0.6, 1.0, -1.0)
    a = np.zeros((count, width))
    a[:, 0], a[:, 1:3] = y, 1
    for i, label in enumerate(y):
        at = 3 + 5 * (first + i)
        a[i, at : at + (1 if label > 0 else 5)] = 1
    return a, y


def least_squares(cls: str, lr: float, **options: Any) -> tuple[float, float, float]:
    """Mean squared error of training, share of errors on new examples, share of the minority among them."""
    rng, width = np.random.default_rng(3), 3 + 5 * 300
    (a, y), (new, labels) = wilson(rng, 100, width, 0), wilson(rng, 200, width, 100)
    seen = slice(3 + 5 * 100)  # what no training example has gets no gradient
    w = np.zeros(width)
    part = w[seen]
    optimizer = getattr(adamas, cls)(part, lr=adamas.schedules.linear(lr, steps=2000), **options)
    for _ in range(2000):
        optimizer.step(a[:, seen].T @ (a[:, seen] @ part - y) / 50)
    assert y.mean() > 0
    return float(np.mean((a @ w - y) ** 2)), float(np.mean((new @ w) * labels <= 0)), float(np.mean(labels < 0))


@pytest.mark.parametrize(
    ("cls", "lr", "options"),
    [
        ("Adam", 0.01, {}),
        ("AdamW", 0.01, {}),
        ("AdamW", 0.01, dict(weight_decay=1.0)),
        ("AMSGrad", 0.01, {}),
        ("RMSprop", 0.001, {}),
        ("Adagrad", 0.1, {}),
    ],
)
def test_steps_of_one_size_for_all_features_fit_and_do_not_generalise(cls, lr, options) -> None:
    loss, wrong, minority = least_squares(cls, lr, **options)
    assert loss < 1e-3
    assert wrong == minority > 0.3


@pytest.mark.parametrize(
    ("cls", "lr", "options"), [("SGD", 0.01, {}), ("NesterovSGD", 0.01, {}), ("Adam", 0.01, dict(weight_decay=0.01))]
)
def test_steps_along_the_gradient_and_a_penalty_generalise(cls, lr, options) -> None:
    loss, wrong, _ = least_squares(cls, lr, **options)
    assert loss < 1e-3
    assert wrong == 0


# ------------------------------------------------------------------------------------- poor minima


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return importlib.import_module("poor_minima")


def test_the_benchmarks_functions_have_these_gradients_and_minima(bench: ModuleType) -> None:
    for name, f in bench.FUNCTIONS.items():
        x = f.starts(50, np.random.default_rng(0))
        for i, e in enumerate(1e-5 * np.eye(f.dimension)):
            slope = (f.value(x + e) - f.value(x - e)) / 2e-5
            np.testing.assert_allclose(f.gradient(x)[:, i], slope, rtol=1e-5, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(f.gradient(f.minima), 0, atol=1e-3, err_msg=name)
        assert f.found(f.minima) == 1
        assert f.value(f.minima).max() < f.value(f.starts(10_000, np.random.default_rng(1))).min() + 1e-6, name


def test_wide_steps_and_noise_leave_dents_that_small_steps_stay_in(bench: ModuleType) -> None:
    ackley = bench.FUNCTIONS["Ackley, 2"]
    starts = ackley.starts(200, np.random.default_rng(5))

    def share(lr: float, noise: float) -> float:
        return ackley.found(bench.descend("Adam", ackley, starts, lr, steps=500, noise=noise))

    assert share(0.01, 0.0) < 0.1
    assert 0.1 < share(1.0, 0.0) < 0.4
    assert share(1.0, ackley.noise()) > 0.7


def test_no_start_is_lost_where_all_minima_are_global(bench: ModuleType) -> None:
    himmelblau = bench.FUNCTIONS["Himmelblau, 2"]
    for rule, lr in (("Adam", 0.1), ("AMSGrad", 0.1), ("SGD", 0.001)):
        ends = bench.descend(rule, himmelblau, himmelblau.starts(50, np.random.default_rng(6)), lr, steps=500)
        assert himmelblau.found(ends) == 1
    assert bench.lbfgs(himmelblau, count=10) == 1
