"""What theory says of the family's younger rules: bounds, invariances, and what they become in the limit."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from test_theory import steps_of

import adamas
from adamas import rules
from adamas.backends.reference import Value
from adamas.language import atan2

SHAPES = [(7,), (6, 5)]


def run(name: str, steps: int = 20, scale: float = 1.0, dtype: Any = np.float64, **options: Any) -> list[np.ndarray]:
    """Where the same random gradients, times a scale, lead a rule; the kernels equal the reference in every bit."""
    rng = np.random.default_rng(1)
    params = [rng.normal(size=s).astype(dtype) for s in SHAPES]
    opt = getattr(adamas, name)(params, backend="reference", **options)
    for _ in range(steps):
        opt.step([(scale * rng.normal(size=s)).astype(dtype) for s in SHAPES])
    return params


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def arrays(opt: Any) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = opt.state_dict()["arrays"]["params"]
    return found


# --------------------------------------------------------------------------------- signs and angles


def test_lion_steps_exactly_lr() -> None:
    """Whatever the gradients; whole numbers around 0 are exact."""
    gradients = list(np.random.default_rng(0).standard_cauchy(30))
    assert set(np.abs(steps_of("Lion", gradients))) == {1.0}
    np.testing.assert_array_equal(steps_of("Lion", [3.0, -1.0, -1.0]), [-1, 1, 1])  # by hand, as m is 0.03, 0.0197


@pytest.mark.parametrize("name", ["Lion", "AdamAtan2"])
@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_gradient_scale_changes_no_bit(name: str, scale: float) -> None:
    assert same(run(name), run(name, scale=scale))
    assert not same(run("Adam", eps=1e-8), run("Adam", eps=1e-8, scale=2.0**-40))


def test_adam_atan2_is_bounded_by_a_right_angle() -> None:
    """Which Adam's step exceeds many times where a gradient breaks a silence."""
    gradients = [1e-6] * 200 + [1e3] + [1e-6] * 5
    steps = np.abs(steps_of("AdamAtan2", gradients, a=1.5, betas=(0.1, 0.999)))
    assert 0.9 * 1.5 * math.pi / 2 < steps.max() <= 1.5 * math.pi / 2
    assert np.abs(steps_of("Adam", gradients, betas=(0.1, 0.999))).max() > 10


def hard(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    ends = [0.0, tiny, 5 * tiny, np.finfo(dtype).tiny, 1e-20, 1e20, huge, np.inf]
    size = np.array([*ends, *np.geomspace(1e-6, 1e6, 301), *np.linspace(0.9, 1.1, 99)], dtype)
    y, x = np.meshgrid(np.concatenate([size, -size]), size)
    return y.ravel(), x.ravel()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_atan2_is_cs(dtype: Any) -> None:
    y, x = hard(dtype)
    with np.errstate(all="ignore"):  # ∞/∞ in the branch not taken
        got = atan2(Value(y), Value(x)).x
    want = np.array([math.atan2(b, a) for b, a in zip(y.tolist(), x.tolist(), strict=True)])
    assert got.dtype == dtype
    # The smallest angles are rounded to denormals, in float32 sooner than in C's double.
    error = np.abs(got - want) - np.finfo(dtype).smallest_subnormal
    bound = 2.4e-9 * np.abs(want) if dtype is np.float64 else 3 * np.spacing(np.abs(want).astype(dtype))
    assert np.all(error <= bound), (error / np.maximum(np.abs(want), 1e-300)).max()


def test_atan2_of_nan_and_of_complex() -> None:
    nan = np.array([np.nan, 1.0, np.nan, np.nan])  # beside itself moved on by one
    with np.errstate(all="ignore"):
        assert np.isnan(atan2(Value(nan), Value(np.roll(nan, 1))).x).all()
    z = np.array([3 + 4j, -1j, 0j])
    p = np.zeros(3, complex)
    adamas.AdamAtan2(p, lr=1.0, a=1.0, betas=(0.0, 0.0)).step(z)  # m̂ = g, √v̂ = |g|: 45° along −g
    np.testing.assert_allclose(p, -math.pi / 4 * np.array([0.6 + 0.8j, -1j, 0]), rtol=1e-8, atol=0)


# --------------------------------------------------------------------- what v is made of, and when it counts


def test_adopt_rests_at_the_first_step_and_clips_by_the_fourth_root() -> None:
    steps = steps_of("ADOPT", [0.5, 1e6, -0.5e3], betas=(0.0, 0.9))
    v = 0.9 * 0.5**2 + 0.1 * 1e12
    np.testing.assert_allclose(steps, [0, -1, 0.5e3 / v**0.5], rtol=1e-9)
    rng = np.random.default_rng(0)
    wild = np.abs(steps_of("ADOPT", list(rng.standard_cauchy(300)), betas=(0.0, 0.99)))
    limit = np.arange(300) ** 0.25
    assert np.all(wild <= limit * (1 + 1e-12))
    assert np.any(wild[1:] > 0.999 * limit[1:])


def test_adan_sees_no_difference_at_the_first_step() -> None:
    x = np.zeros(3)
    opt = adamas.Adan(x, lr=1.0)
    opt.step(np.array([1.0, -2.0, 1e3]))
    assert not arrays(opt)["d"].any()
    np.testing.assert_allclose(x, [-1, 1, -1], rtol=1e-7)
    opt.step(np.array([2.0, -2.0, 1e3]))
    np.testing.assert_allclose(arrays(opt)["d"], [0.08, 0, 0], rtol=1e-12)


def test_adabelief_strides_where_gradients_are_as_foreseen() -> None:
    constant = [1.0] * 100
    assert abs(steps_of("AdaBelief", constant)[-1]) > 3 * abs(steps_of("Adam", constant)[-1])


def test_yogi_changes_v_by_a_share_of_the_gradients_square_at_most() -> None:
    rng = np.random.default_rng(0)
    x = np.zeros(50)
    opt = adamas.Yogi(x, betas=(0.9, 0.99))
    old = np.full(50, 1e-6)
    for t in range(60):
        g = rng.normal(size=50) * (10 if t < 30 else 0.1)
        opt.step(g)
        v = arrays(opt)["v"].copy()
        np.testing.assert_allclose(np.abs(v - old), 0.01 * g**2, rtol=1e-9, atol=1e-14)
        assert np.all((v > old) == (old < g**2))
        old = v


def test_amsgrad_optax_never_steps_longer_for_a_fading_memory() -> None:
    """Its denominator only grows, and counts from the first gradient on."""
    x = np.zeros(1)
    opt = adamas.AMSGradOptax(x, lr=1.0)
    seen = []
    for g in [1.0, 0.1, 3.0, 0.01, 0.01]:
        opt.step(np.array([g]))
        seen.append(arrays(opt)["w"][0])
    assert seen[0] == pytest.approx(1, rel=1e-12)
    assert all(a <= b for a, b in pairwise(seen))


def test_laprop_without_momentum_is_adam() -> None:
    options: dict[str, Any] = {"betas": (0.0, 0.99), "eps": 1e-8, "lr": 0.01}
    for a, b in zip(run("LaProp", **options), run("AdamW", weight_decay=0.0, **options), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


# ----------------------------------------------------------------------------- AdamW, as a limit of others


def test_ademamix_without_its_slow_momentum_is_adamw() -> None:
    assert same(run("AdEMAMix", alpha=0.0, weight_decay=0.1), run("AdamW", weight_decay=0.1))


def test_ademamix_warms_up_from_adamw() -> None:
    def at(t: float) -> tuple[float, float]:
        found = rules.get("ademamix").scalars(t=t, b1=0.9, b2=0.999, b3=0.9999, alpha=5.0, warmup=1000.0)
        return found["b3_now"], found["alpha_now"]

    assert at(1e-9) == pytest.approx((0.9, 0.0), abs=1e-9)
    assert at(1000) == at(5000) == pytest.approx((0.9999, 5.0), rel=1e-12)
    # Averages grow longer linearly: β's half-life is halfway at T/2 (the paper's appendix).
    assert math.log(0.5) / math.log(at(500)[0]) == pytest.approx(
        (math.log(0.5) / math.log(0.9) + math.log(0.5) / math.log(0.9999)) / 2, rel=1e-9
    )


def test_mars_without_correction_is_adamw_on_gradients_within_the_ball() -> None:
    options: dict[str, Any] = {"lr": 0.01, "betas": (0.9, 0.99), "weight_decay": 0.1, "scale": 0.01}
    assert same(run("MARSAdamW", gamma=0.0, **options), run("AdamW", **options))
    assert not same(run("MARSAdamW", gamma=0.1, **options), run("AdamW", **options))


def test_mars_knows_no_scale_beyond_the_ball() -> None:
    first, second = (run("MARSAdamW", scale=s, steps=5) for s in (1e3, 1e6))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_stable_adamw_is_adamw_until_v_lags() -> None:
    calm, wild = [1.0, 0.9, 0.8, 0.7], [1.0, 0.9, 0.8, 100.0]
    options: dict[str, Any] = {"betas": (0.9, 0.99), "weight_decay": 0.1}
    # v̂ ≥ g² to rounding at the first step, where both are g².
    np.testing.assert_allclose(steps_of("StableAdamW", calm, **options), steps_of("AdamW", calm, **options), rtol=1e-12)
    a, b = steps_of("StableAdamW", wild, **options), steps_of("AdamW", wild, **options)
    assert abs(a[3]) < 0.6 * abs(b[3])


def test_adam_mini_is_adamw_with_a_mean_of_v() -> None:
    assert same(run("AdamMini", weight_decay=0.1), run("AdamW", weight_decay=0.1, state={"v": "mean"}))
    assert not same(run("AdamMini", weight_decay=0.1), run("AdamW", weight_decay=0.1))


# ------------------------------------------------------------------------- no learning rate, or no schedule


@pytest.mark.parametrize("name", ["DAdaptAdam", "Prodigy"])
def test_d_never_falls_and_finds_its_size(name: str) -> None:
    """From 1e-6 on a quadratic whose solution lies 1 away in each coordinate, which is found."""
    curvature = np.linspace(0.5, 2, 10)
    x = np.ones(10)
    opt = getattr(adamas, name)(x, d0=1e-6)
    seen = [1e-6]
    for _ in range(2000):
        opt.step(curvature * x)
        seen.append(opt.state_dict()["shared"]["d"])
    assert np.all(np.diff(seen) >= 0)
    assert 1e-3 < seen[-1] < 3
    assert np.abs(x).max() < 0.1


def test_schedule_free_averages_z() -> None:
    """x is the mean of all z weighted by γ̂², and y lies between."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=6)
    opt = adamas.ScheduleFreeAdamW(y, lr=0.1, warmup=5, betas=(0.9, 0.99))
    total, weights = np.zeros(6), 0.0
    for t in range(1, 21):
        opt.step(rng.normal(size=6) + y)
        weight = (0.1 * min(1, t / 5)) ** 2
        z = arrays(opt)["z"]
        total, weights = total + weight * z, weights + weight
        x = opt.eval_params()
        np.testing.assert_allclose(x, total / weights, rtol=1e-10)
        np.testing.assert_allclose(y, 0.1 * z + 0.9 * x, rtol=1e-10)


# ------------------------------------------------------------------------------------- sparse, and the old ones


def test_lazy_adam_rests_where_the_gradient_is_zero() -> None:
    x = np.ones(4)
    opt = adamas.LazyAdam(x, lr=0.1)
    opt.step(np.array([1.0, 1.0, 1.0, 0.0]))
    old = [x.copy(), *(a.copy() for a in arrays(opt).values())]
    opt.step(np.array([0.0, -0.0, np.nan, 0.0]))
    new = [x, *arrays(opt).values()]
    for a, b in zip(old, new, strict=True):
        assert np.array_equal(a[[0, 1, 3]], b[[0, 1, 3]])
    assert np.isnan(x[2])
    assert x[0] < x[3] == 1.0


def test_sgd_begins_at_the_gradient() -> None:
    """m = g at first, whatever is dampened; then Polyak's and Nesterov's steps differ by one look ahead."""
    np.testing.assert_allclose(steps_of("SGD", [2.0, 2.0], momentum=0.5, dampening=0.25), [-2, -2.5], rtol=1e-14)
    np.testing.assert_allclose(steps_of("NesterovSGD", [2.0, 2.0], momentum=0.5), [-3, -3.5], rtol=1e-14)


def test_adagrad_shrinks_as_the_root_of_t() -> None:
    np.testing.assert_allclose(steps_of("Adagrad", [3.0] * 50), -1 / np.sqrt(np.arange(1, 51)), rtol=1e-9)


def test_rmsprop_is_not_corrected() -> None:
    assert steps_of("RMSprop", [5.0], alpha=0.96)[0] == pytest.approx(-5, rel=2e-8)
    assert steps_of("RMSprop", [5.0] * 2000, alpha=0.96)[-1] == pytest.approx(-1, rel=1e-8)
