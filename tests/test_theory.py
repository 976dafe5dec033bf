"""What Adam must do whatever the code looks like: the bounds and invariances of docs/theory.md."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas

GRADIENTS = st.lists(st.floats(-1e3, 1e3).filter(lambda g: abs(g) > 1e-3), min_size=1, max_size=30)


def steps_of(cls: str, gradients: list[float], **options: object) -> np.ndarray:
    """The steps taken from 0 in one dimension, in units of lr."""
    x = np.zeros(1)
    opt = getattr(adamas, cls)(x, lr=1.0, **options)
    out = []
    for g in gradients:
        before = x[0]
        opt.step(np.array([g]))
        out.append(x[0] - before)
    return np.array(out)


@pytest.mark.parametrize("cls", ["Adam", "AMSGrad", "Adamax"])
@given(g=st.floats(1e-3, 1e6), sign=st.sampled_from([-1.0, 1.0]))
@settings(deadline=None, max_examples=20)
def test_first_step_is_lr_against_the_gradient(cls: str, g: float, sign: float) -> None:
    assert steps_of(cls, [sign * g], eps=0.0)[0] == pytest.approx(-sign, rel=1e-12)


def test_constant_gradient_steps_lr() -> None:
    np.testing.assert_allclose(steps_of("Adam", [-3.7] * 200, eps=0.0), 1.0, rtol=1e-10)


def test_alternating_gradient_steps_a_nineteenth() -> None:
    """The average of ±1 settles at ±(1 − β₁)/(1 + β₁) = 0.05263."""
    last = steps_of("Adam", [1.0, -1.0] * 2000, eps=0.0)[-1]
    assert last == pytest.approx(0.1 / 1.9, rel=1e-4)  # against the last gradient, which was −1


@pytest.mark.parametrize("cls", ["Adam", "AMSGrad", "Adamax"])
@given(gradients=GRADIENTS, power=st.sampled_from([-20, 20]))
@settings(deadline=None, max_examples=25)
def test_gradient_scale_changes_nothing(cls: str, gradients: list[float], power: int) -> None:
    """In no bit at eps = 0: a power of two is exact."""
    scaled = [g * 2.0**power for g in gradients]
    assert steps_of(cls, gradients, eps=0.0).tobytes() == steps_of(cls, scaled, eps=0.0).tobytes()


def bound(t: int, b1: float = 0.9, b2: float = 0.999) -> float:
    tail = sum((b1**2 / b2) ** k for k in range(t))
    return (1 - b1) / math.sqrt(1 - b2) * math.sqrt(1 - b2**t) / (1 - b1**t) * math.sqrt(tail)


@pytest.mark.parametrize(("t", "known"), [(1, 1.0), (2, 1.00136), (10, 1.0431), (100, 2.2434), (1000, 5.7812)])
def test_largest_step_is_attained(t: int, known: float) -> None:
    """Cauchy–Schwarz is tight for g_i = (β₁/β₂)^(t − i); the paper's bound, 3.162 lr, is exceeded at t = 1000."""
    gradients = [(0.9 / 0.999) ** (t - i) for i in range(1, t + 1)]
    last = -steps_of("Adam", gradients, eps=0.0)[-1]
    assert last == pytest.approx(bound(t), rel=1e-9)
    assert last == pytest.approx(known, rel=5e-5)


@given(gradients=GRADIENTS)
@settings(deadline=None, max_examples=50)
def test_no_step_exceeds_the_bound(gradients: list[float]) -> None:
    for t, step in enumerate(steps_of("Adam", gradients), 1):
        assert abs(step) <= bound(t) * (1 + 1e-12)


def adamax_bound(t: int, b1: float = 0.9, b2: float = 0.999) -> float:
    return (1 - b1) / (1 - b1**t) * sum((b1 / b2) ** k for k in range(t))


@given(gradients=GRADIENTS)
@settings(deadline=None, max_examples=50)
def test_adamax_steps_about_lr_at_most(gradients: list[float]) -> None:
    for t, step in enumerate(steps_of("Adamax", gradients), 1):
        assert abs(step) <= adamax_bound(t) * (1 + 1e-12)


def test_adamax_attains_its_bound() -> None:
    """Gradients that shrink like β₂ᵗ exceed the paper's bound of lr, by 0.9%."""
    gradients = [0.999**t for t in range(300)]
    last = -steps_of("Adamax", gradients, eps=0.0)[-1]
    assert last == pytest.approx(adamax_bound(300), rel=1e-9)
    assert last == pytest.approx(1.00909, rel=1e-5)


@pytest.mark.parametrize("wd", [1e-4, 1e-2, 1.0])
def test_decoupled_decay_alone_is_geometric(wd: float) -> None:
    x = np.array([1.0, -2.0])
    opt = adamas.AdamW(x, lr=0.01, weight_decay=wd)
    for t in range(1, 101):
        opt.step(np.zeros(2))
        np.testing.assert_allclose(x, np.array([1.0, -2.0]) * (1 - 0.01 * wd) ** t, rtol=1e-12)


def test_bias_correction_makes_the_averages_unbiased() -> None:
    """E[m̂] = E[g] and E[v̂] = E[g²] from the first step on (the paper's section 3)."""
    rng = np.random.default_rng(0)
    x = np.zeros(200_000)
    opt = adamas.Adam(x, lr=0.0)
    for t in range(1, 6):
        opt.step(2 + rng.normal(size=x.size))
        state = opt.state_dict()["arrays"]["params"]
        assert state["m"].mean() / (1 - 0.9**t) == pytest.approx(2, abs=0.02)
        assert state["v"].mean() / (1 - 0.999**t) == pytest.approx(5, abs=0.1)


def test_lamb_steps_a_share_of_the_norm() -> None:
    """‖p − p'‖ = lr·‖p‖ for every tensor, whatever its gradient's scale."""
    rng = np.random.default_rng(1)
    params = [rng.normal(size=(9, 4)), 100 * rng.normal(size=30)]
    before = [p.copy() for p in params]
    adamas.LAMB(params, lr=0.01).step([1e-3 * rng.normal(size=(9, 4)), rng.normal(size=30)])
    for p, old in zip(params, before, strict=True):
        assert np.linalg.norm(p - old) == pytest.approx(0.01 * np.linalg.norm(old), rel=1e-12)


def test_adafactor_bounds_the_update() -> None:
    """RMS of a step ≤ d · max(ε₂, RMS(p)) · lr, even after a gradient 1000 times larger than usual."""
    p = np.ones((20, 30))
    opt = adamas.Adafactor(p, lr=1e-2)
    rng = np.random.default_rng(2)
    for t in range(30):
        old = p.copy()
        opt.step(rng.normal(size=p.shape) * (1000 if t == 20 else 1))
        rms = np.sqrt(np.mean((p - old) ** 2)) / np.sqrt(np.mean(old**2))
        assert rms <= 1e-2 * (1 + 1e-12)
        assert rms > 5e-3 or t > 20  # v remembers the large gradient
