"""How parameters are kept: stochastic rounding, compensation, master copies, averages, on every backend alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import BF16, arrays, dtype_of, same_bits, same_state
from hypothesis import given
from hypothesis import strategies as st

import adamas
from adamas import grids, noise

MODES = ["stochastic", "kahan", "master"]
SHAPES = [(), (0,), (513,), (70_001,), (130, 600)]


def run(dtype: str, rule: str, backend: str, state: Any = None, steps: int = 4, **options: Any) -> Any:
    params = arrays(SHAPES if state is None else [(130, 600)], dtype, seed=1, spread=3.0)
    opt = adamas.optimizer_class(rule)(params, state=state, backend=backend, **options)
    for t in range(steps):
        opt.step(arrays([p.shape for p in params], dtype, seed=10 + t, spread=1.0))
    return params, opt


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("rule", "state"), [("adamw", None), ("adamw", "factored")])
def test_kernels_equal_the_reference_in_every_bit(mode: str, dtype: str, rule: str, state: Any) -> None:
    ours, opt = run(dtype, rule, "cpu", state, weights=mode, ema=0.9, seed=3)
    oracle, expected = run(dtype, rule, "reference", state, weights=mode, ema=0.9, seed=3)
    assert all(same_bits(a, b) for a, b in zip(ours, oracle, strict=True))
    assert same_state(opt.state_dict(), expected.state_dict())


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_an_average_of_wide_parameters_is_the_reference_s_too(dtype: str) -> None:
    _, opt = run(dtype, "adam", "cpu", ema=0.9)
    _, expected = run(dtype, "adam", "reference", ema=0.9)
    assert same_state(opt.state_dict(), expected.state_dict())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("mode", MODES)
def test_small_steps_arrive(mode: str, dtype: str) -> None:
    """200 steps of 1e-3 down from 1: to 0.8, within a rounding, or within the noise of so many roundings."""
    p = np.ones(4096, dtype_of(dtype))
    opt = adamas.AdamW(p, weight_decay=0, weights=mode)
    for _ in range(200):
        opt.step(np.ones(4096, np.float32).astype(p.dtype))
    found = p.astype(np.float64)
    unit = 2.0**-8 if dtype == "bfloat16" else 2.0**-11  # of the numbers from 0.5 to 1
    if mode == "stochastic":
        spread = np.sqrt(200 / 4) * unit
        assert abs(found.mean() - 0.8) < 4 * spread / np.sqrt(p.size)
        assert 0 < found.std() < spread
    else:
        assert np.abs(found - 0.8).max() <= unit


def test_without_a_mode_bfloat16_stands_still() -> None:
    p = np.ones(8, BF16)
    opt = adamas.AdamW(p, weight_decay=0, diagnostics_every=1)
    for _ in range(20):
        opt.step(np.ones(8, BF16))
    assert (p == 1).all()
    (seen,) = opt.diagnostics().tensors.values()
    assert seen.lost_share == 1.0


@pytest.mark.parametrize("mode", ["kahan", "master"])
def test_a_parameter_changed_from_outside_is_the_new_start(mode: str) -> None:
    p = np.full(8, 100.0, BF16)
    opt = adamas.AdamW(p, lr=1e-2, weight_decay=0, weights=mode)
    for _ in range(5):
        opt.step(np.ones(8, BF16))
    p[...] = 0.5
    opt.step(np.zeros(8, BF16))
    assert np.abs(p.astype(float) - 0.49).max() < 0.01


@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_finite_stays_in_its_element(mode: str) -> None:
    p = np.ones(64, np.float16)
    opt = adamas.AdamW(p, weights=mode)
    g = np.ones(64, np.float16)
    g[7] = np.nan
    for _ in range(3):
        opt.step(g)
    assert np.isnan(p).tolist() == np.isnan(g).tolist()
    p[7] = 1.0
    assert np.isfinite(p).all()


def test_bits_depend_on_seed_name_and_step_alone() -> None:
    def go(seed: int, names: str, steps: int, threads: int | None = None) -> dict[str, np.ndarray]:
        params = {name: np.ones(100_000, BF16) for name in names}
        opt = adamas.Adam(params, weights="stochastic", seed=seed)
        adamas.set_num_threads(threads)
        for _ in range(steps):
            opt.step({name: np.ones(100_000, BF16) for name in names})
        adamas.set_num_threads(None)
        return params

    first = go(0, "ab", 2)
    assert same_bits(first["a"], go(0, "ca", 2, threads=3)["a"])
    assert not same_bits(first["a"], first["b"])
    assert not same_bits(first["a"], go(1, "ab", 2)["a"])


def test_resumed_rounding_goes_on_in_the_same_bits() -> None:
    params, opt = run("bfloat16", "adam", "cpu", weights="stochastic", steps=3)
    again = [p.copy() for p in params]
    other = adamas.Adam(again, weights="stochastic")
    other.load_state_dict(opt.state_dict())
    for t in range(3):
        grads = arrays(SHAPES, "bfloat16", seed=t)
        opt.step(grads)
        other.step(grads)
    assert all(same_bits(a, b) for a, b in zip(params, again, strict=True))


# ------------------------------------------------------------------------------------ the bits


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@given(value=st.floats(-60000, 60000, width=32), key=st.integers(0, 2**64 - 1))
def test_rounding_is_to_a_neighbour_and_right_on_average(dtype: str, value: float, key: int) -> None:
    n, kind = 4096, dtype_of(dtype)
    x = np.full(n, value, np.float32)
    found = noise.dither(x, grids.Blocks.cut(n, None).dither(key, noise.SLOTS - 1, 1), kind)
    kept = found.astype(kind)
    assert (kept.astype(np.float32) == found).all()
    near = kind.type(value)
    other = np.nextafter(near, kind.type(-np.inf if float(near) > value else np.inf))
    low, high = sorted((float(near), float(other)))
    assert set(found.tolist()) <= ({low, high} if float(near) != value else {value})
    share = (value - low) / (high - low)
    error = abs(float(found.astype(np.float64).mean()) - value) / (high - low)
    assert error <= 5 * np.sqrt(share * (1 - share) / n) + 2**-12


def test_dither_is_even_and_unlike() -> None:
    """Over elements, over slots, over steps; and over the steps of one element more even than chance."""
    blocks, key, n = grids.Blocks.cut(1 << 16, None), noise.key(0, "w"), 1 << 16

    def bits(slot: int, t: int) -> np.ndarray:
        return blocks.dither(key, slot, t).view(np.uint32) & np.uint32(0x7FFFFF)

    one = bits(0, 1)
    for other in (bits(1, 1), bits(0, 2)):
        for place in range(23):
            ones = int(((one >> np.uint32(place)) & np.uint32(1)).sum())
            same = int((~((one ^ other) >> np.uint32(place)) & np.uint32(1)).sum())
            assert abs(ones - n // 2) < 5 * 128
            assert place < 20 or other is not bits(0, 2) or abs(same - n // 2) < 5 * 128
    top = one.astype(np.float64)
    assert abs(np.corrcoef(top[:-1], top[1:])[0, 1]) < 5 / 256
    assert len(np.unique(one)) > 0.99 * n
    u = np.array([blocks.dither(key, 0, t)[:512] - 1 for t in range(1, 1001)], np.float64)
    for f in (0.001, 0.03, 0.5):  # how often u is below f: independent numbers would spread by √(1000·f·(1 − f))
        assert np.std((u < f).sum(axis=0) - 1000 * f) < 0.6 * np.sqrt(1000 * f * (1 - f))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"weights": "kahn"}, ValueError, "weights='kahn': expected one of None, 'stochastic'"),
        ({"ema": 1.0}, ValueError, r"ema=1.0: expected a decay in \[0, 1\)"),
        ({"ema": True}, ValueError, "ema=True"),
        ({"seed": 0.5}, TypeError, "seed=0.5: expected an integer"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        adamas.Adam(np.zeros(3), **options)


def test_eval_params_are_the_average() -> None:
    p = np.zeros(3)
    opt = adamas.Adam(p, lr=0.1, ema=0.5)
    seen = []
    for _ in range(5):
        opt.step(np.ones(3))
        seen.append(p.copy())
    average = seen[0]
    for x in seen[1:]:
        average = 0.5 * average + 0.5 * x
    np.testing.assert_allclose(opt.eval_params(), average, rtol=1e-14)
