"""Codes of 8 and 4 bits: where they lie, that they are right on average, and what they must never do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import arrays, same_bits, same_state
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas
import adamas.torch as torch_optimizers
from adamas import grids, noise
from adamas.codecs import CODECS, Blocked

SIZE = 1200  # two blocks and a part of one
KEY = noise.key(3, "w")
#: Of blocks that were never coded.
FRESH = np.zeros(3, np.float32)
BITS = ["int8", "int4"]


def codec(name: str) -> Blocked:
    found = CODECS[name]
    assert isinstance(found, Blocked)
    return found


def normal(seed: int, spread: float) -> np.ndarray:
    """Numbers whose scale differs by 10**(±spread)."""
    return arrays([(SIZE,)], "float32", seed, spread)[0]


def logarithmic(x: np.ndarray, name: str, t: int = 1) -> np.ndarray:
    """Numbers ≥ 0 as they come back."""
    blocks = grids.Blocks.cut(x.size, None)
    return grids.from_logarithmic(*grids.logarithmic(x, blocks.dither(KEY, 0, t), codec(name), blocks, FRESH), blocks)


def square(x: np.ndarray, name: str, t: int = 1) -> np.ndarray:
    """Signed numbers as they come back."""
    blocks = grids.Blocks.cut(x.size, None)
    codes, scale = grids.square(x, blocks.dither(KEY, 0, t), codec(name), blocks)
    return grids.from_square(codes, scale, codec(name), blocks)


def quotient(x: np.ndarray, v: np.ndarray, kept: np.ndarray, name: str, t: int = 1) -> np.ndarray:
    """Signed numbers beside v as they come back beside what was kept of v."""
    blocks = grids.Blocks.cut(x.size, None)
    codes, scale = grids.quotient(x, v, blocks.dither(KEY, 0, t), codec(name), blocks)
    return grids.from_quotient(codes, kept, scale, codec(name), blocks)


@pytest.mark.parametrize("name", BITS)
@given(seed=st.integers(0, 999), spread=st.sampled_from([0.0, 1.0, 3.0]))
def test_logarithmic_codes_are_neighbours(name: str, seed: int, spread: float) -> None:
    """Within a step of the float's logarithm, where the range is not cut; never zero, never above the largest."""
    x = normal(seed, spread) ** 2
    found = logarithmic(x, name)
    for part in (slice(0, 512), slice(512, 1024), slice(1024, SIZE)):
        high = x[part].max()
        low = max(x[part].min(), high / 2 ** codec(name).binades)
        reach = np.float32(high).view(np.int32) - np.float32(low).view(np.int32)
        step = (reach / (codec(name).last - 2) + 1) * (1 + 1 / grids.SLACK)
        off = found[part].view(np.int32) - np.maximum(x[part], low).view(np.int32)
        assert (np.abs(off) <= step * 1.01).all()
        assert (found[part] > 0).all()


@pytest.mark.parametrize("name", BITS)
def test_zero_is_zero_and_nothing_else_is(name: str) -> None:
    x = np.zeros(SIZE, np.float32)
    assert (logarithmic(x, name) == 0).all()
    x[600:700] = normal(1, 1.0)[600:700] ** 2
    found = logarithmic(x, name)
    assert (found[:512] == 0).all()
    assert (found[600:700] > 0).all()
    assert (found[x == 0] == 0).all()
    for kept in (square(x, name), quotient(x, x, found, name)):
        assert (kept[x == 0] == 0).all()


@pytest.mark.parametrize("name", BITS)
@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 99))
def test_rounding_is_right_on_average(name: str, seed: int) -> None:
    """The mean of n roundings is within 4·LSB·√(f(1 − f)/n): of the quotient, of the square, of v's logarithm."""
    n, x = 128, normal(seed, 0.5)
    v = normal(seed + 1, 0.5) ** 2
    blocks, code = grids.Blocks.cut(SIZE, None), codec(name)
    dithers = [blocks.dither(KEY, 0, t) for t in range(1, n + 1)]
    r = x / grids.near(v)
    codes = np.array([grids.quotient(x, v, u, code, blocks)[0] for u in dithers], np.float64) - code.middle
    scale = grids.quotient(x, v, dithers[0], code, blocks)[1][blocks.of].astype(np.float64)
    _within(codes, r / scale, n)
    codes = np.array([grids.square(x, u, code, blocks)[0] for u in dithers], np.float64) - code.middle
    unit = grids.square(x, dithers[0], code, blocks)[1][blocks.of].astype(np.float64)
    z = np.sqrt(np.abs(x) / unit)
    low, high = np.floor(z) ** 2, (np.floor(z) + 1) ** 2
    _within((codes * np.abs(codes) - np.sign(x) * low) / (high - low), np.sign(x) * (z * z - low) / (high - low), n)
    _, floor, step = grids.logarithmic(v, dithers[0], code, blocks, FRESH)
    height = v.view(np.int32).astype(np.int64) - floor.view(np.int32)[blocks.of]
    exact = np.clip(height / step[blocks.of].astype(np.float64), 0, None) + 1
    _within(np.array([grids.logarithmic(v, u, code, blocks, FRESH)[0] for u in dithers], np.float64), exact, n)


def _within(codes: np.ndarray, exact: np.ndarray, n: int) -> None:
    fraction = exact - np.floor(exact)
    error = np.abs(codes.mean(axis=0) - exact)
    assert (error <= 4 * np.sqrt(fraction * (1 - fraction) / n) + 2 / n).all()


@pytest.mark.parametrize("name", BITS)
def test_a_root_that_was_rounded_does_not_make_the_quotient_grow(name: str) -> None:
    """|m|/√v as it comes back is within a code of what it was, although v was rounded by much more."""
    v = normal(5, 2.0) ** 2
    x = normal(6, 0.0) * np.sqrt(v)
    kept = logarithmic(v, name)
    assert (np.abs(np.log2(kept / v)) > 0.04).any()
    came, was = quotient(x, v, kept, name) / grids.near(kept), x / grids.near(v)
    blocks = grids.Blocks.cut(SIZE, None)
    largest = np.maximum.reduceat(np.abs(was), blocks.starts)[blocks.of]
    assert (np.abs(came - was) <= largest / (codec(name).middle - 1) * 1.02).all()


@pytest.mark.parametrize("name", BITS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_one_element(name: str, bad: float) -> None:
    """The rest of its block is coded as if it were the block's next largest, and the element itself is a number."""
    x, v = normal(7, 1.0), normal(8, 1.0) ** 2
    spoilt, spoilt_v = x.copy(), v.copy()
    spoilt[700], spoilt_v[700] = bad, abs(bad)
    x[700], v[700] = 0, np.median(v)
    rest = np.arange(SIZE) != 700
    for found, plain in (
        (square(spoilt, name), square(x, name)),
        (logarithmic(spoilt_v, name), logarithmic(v, name)),
        (quotient(spoilt, spoilt_v, v, name), quotient(x, v, v, name)),
    ):
        assert np.array_equal(found[rest], plain[rest])
        assert np.isfinite(found).all()


@given(size=st.integers(1, 1300), seed=st.integers(0, 99))
def test_packing_keeps_every_code(size: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 16, size, dtype=np.uint8)
    blocks = grids.Blocks.cut(size, None)
    packed = grids.pack(codes, blocks)
    assert packed.size == grids.packed_size(blocks.starts, size) == -(-size // 2)
    assert np.array_equal(grids.unpack(packed, blocks, size), codes)


@pytest.mark.parametrize(("name", "spread", "share"), [("int8", 2.0, 0.01), ("int4", 0.25, 0.01), ("int4", 1.0, 0.04)])
def test_an_average_fed_a_constant_settles_at_it(name: str, spread: float, share: float) -> None:
    """β₂ = 0.999, squares that spread over so many powers of ten, of those two codes above the least."""
    rng = np.random.default_rng(0)
    truth = (10 ** rng.uniform(-spread, spread, 1024)).astype(np.float32)
    blocks, x, seen, step = grids.Blocks.cut(1024, None), truth.copy(), np.zeros(1024), np.zeros(2, np.float32)
    for t in range(1, 4001):
        fresh = np.float32(0.999) * x + np.float32(0.001) * truth
        codes, low, step = grids.logarithmic(fresh, blocks.dither(KEY, 0, t), codec(name), blocks, step)
        x = grids.from_logarithmic(codes, low, step, blocks)
        seen += x if t > 1000 else 0
    floor = np.minimum.reduceat(truth, blocks.starts)[blocks.of]
    inside = (truth > 2 * floor) & (truth < np.maximum.reduceat(truth, blocks.starts)[blocks.of] / 1.001)
    assert np.mean(seen[inside] / 3000 / truth[inside]) == pytest.approx(1, abs=share)


#: Spread in powers of ten → largest error of int8 and of int4, as shares of the whole change of the parameters.
ERRORS = {0: (0.016, 0.19), 1: (0.027, 0.48), 2: (0.06, 0.60), 4: (0.30, 0.75)}


@pytest.mark.parametrize("spread", ERRORS)
def test_a_run_stays_near_that_of_float32(spread: int) -> None:
    """200 steps, a steady direction and noise, scales that spread within each block; steps that do not explode."""
    ends: dict[Any, Any] = {}
    for state in ("float32", *BITS):
        rng = np.random.default_rng(0)
        steady, scale = 0.3 * rng.standard_normal((32, 1024)), 10 ** (rng.random((32, 1024)) * spread - 1 - spread)
        p, largest = np.zeros((32, 1024), np.float32), 0.0
        opt = adamas.Adam(p, lr=1e-3, eps=1e-12, state=state)
        for _ in range(200):
            before = p.copy()
            opt.step(((steady + rng.standard_normal(p.shape)) * scale).astype(np.float32))
            largest = max(largest, float(np.abs(p - before).max()))
        ends[state] = p, largest
    exact, top = ends["float32"]
    for state, bound, step in zip(BITS, ERRORS[spread], (1.1, 1.6), strict=True):
        p, largest = ends[state]
        assert np.linalg.norm(p - exact) <= bound * np.linalg.norm(exact)
        assert largest <= step * top


@pytest.mark.parametrize("state", ["bfloat16", *BITS])
@pytest.mark.parametrize("rule", ["adam", "lamb"])
def test_to_look_changes_nothing(rule: str, state: str) -> None:
    """Diagnostics run the step's own code, and must not code what it has not computed."""
    ends = []
    for every in (None, 1):
        p = arrays([(70, 80)], "float32", 1)[0]
        opt = adamas.optimizer_class(rule)(p, state=state, diagnostics_every=every)
        for t in range(3):
            opt.step(arrays([(70, 80)], "float32", t)[0])
        ends.append((p, opt.state_dict()["arrays"]))
    assert same_bits(ends[0][0], ends[1][0])
    assert same_state(ends[0][1], ends[1][1])


@pytest.mark.parametrize("state", BITS)
def test_a_function_is_minimised_as_the_optimizer_would(state: str) -> None:
    """The compiled loop knows no step numbers to round by, and leaves such states to the optimizer's own step."""
    target = np.linspace(-1, 1, 5000)
    result = adamas.minimize(
        lambda x: ((x - target) ** 2).sum(),
        np.zeros(5000),
        jac=lambda x: 2 * (x - target),
        lr=0.05,
        maxiter=60,
        state=state,
    )
    x = np.zeros(5000)
    opt = adamas.Adam(x, lr=0.05, state=state)
    for _ in range(60):
        opt.step(2 * (x - target))
    assert ((result.x - target) ** 2).sum() <= ((x - target) ** 2).sum() * 1.01


@pytest.mark.parametrize("state", BITS)
def test_one_huge_gradient_spoils_one_element(state: str) -> None:
    """Its square overflows beside a finite m, and their quotient must not become the block's measure."""
    p, rng = np.zeros(5000, np.float32), np.random.default_rng(0)
    opt = adamas.Adam(p, lr=1e-3, state=state)
    for t in range(100):
        g, before = rng.standard_normal(5000).astype(np.float32), p.copy()
        g[7] = 1e30 if t == 20 else g[7]
        opt.step(g)
        assert np.abs(p - before).max() <= 1.3e-3


@pytest.mark.parametrize("state", BITS)
def test_an_m_that_outlives_v_is_refused(state: str) -> None:
    with pytest.raises(ValueError, match=r"w: betas=\(0.9, 0.5\) forget v sooner than m"):
        adamas.Adam({"w": np.zeros(5000)}, betas=(0.9, 0.5), state=state)
    with pytest.raises(ValueError, match=r"betas=\(0.9, 0.5\) forget v sooner than m"):
        torch_optimizers.Adam([torch.zeros(5000, requires_grad=True)], betas=(0.9, 0.5), state=state)
    adamas.Adam({"w": np.zeros(5000)}, betas=(0.9, 0.5), state={"m": state, "v": "mean"})
