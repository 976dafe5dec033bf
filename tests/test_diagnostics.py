"""What diagnostics say, against plain NumPy; that they never change a step; that every rule has them."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
from pathlib import Path

import cases
import numpy as np
import pytest

import adamas
from adamas import diagnostics
from adamas.diagnostics import Diagnostics, TensorDiagnostics

B1, B2, EPS, LR, DECAY = 0.9, 0.999, 1e-8, 1e-3, 0.1


def watched(rule: str, params: object, **options: object) -> adamas.Optimizer:
    return adamas.optimizer_class(rule)(params, diagnostics_every=1, **options)


# -------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("rule", ["adam", "adamw"])
def test_numbers_of_adam_against_plain_numpy(rule: str, backend: str) -> None:
    rng = np.random.default_rng(0)
    p, m, v = rng.normal(size=(40, 30)), np.zeros((40, 30)), np.zeros((40, 30))
    scale = 10.0 ** rng.uniform(-11, 0, size=p.shape)  # about a quarter of them below eps
    scale[0] = 0
    opt = watched(rule, p, weight_decay=0.0 if rule == "adam" else DECAY, backend=backend)
    for t in range(1, 6):
        g = rng.normal(size=p.shape) * scale
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g**2
        m_hat, v_hat = m / (1 - B1**t), v / (1 - B2**t)
        before = p.copy()
        opt.step(g)
        seen = opt.diagnostics()
        assert (seen.step, seen.clip_rate, list(seen.tensors)) == (t, 0.0, ["params"])
        (found,) = seen.tensors.values()
        ratio = math.sqrt(((p - before) ** 2).mean() / (before**2).mean())
        alive = v > 0
        assert found.update_ratio == pytest.approx(ratio, rel=1e-8)
        assert found.signal_to_noise == pytest.approx((m_hat[alive] ** 2 / v_hat[alive]).mean(), rel=1e-12)
        assert found.eps_share == (np.sqrt(v_hat[alive]) < EPS).mean()
        assert found.lost_share == 0
    assert alive.sum() == 39 * 30
    assert 0.1 < found.eps_share < 0.4


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("lr", [0.3, 2.0**-9, 1e-4, 1e-7, 1e5])
def test_lost_updates_are_those_of_real_casts(dtype: str, lr: float) -> None:
    """Halfway cases, subnormal numbers, overflow and updates of 0 included."""
    p = cases.arrays([(3001,)], dtype, seed=3, spread=4.0)[0]
    p[:900] = np.asarray(2.0 ** np.repeat(np.arange(-12, -6 + 6, 1), 75), p.dtype)
    g = np.ones(3001, np.float32)
    g[::3] = 0
    before = p.copy()
    opt = watched("adam", p, lr=lr, eps=0.0)
    opt.step(g)
    moved = g != 0
    assert opt.diagnostics().tensors["params"].lost_share == (p == before)[moved].mean()


def test_a_complex_number_is_lost_if_both_its_parts_are() -> None:
    p = np.array([1e9 + 1e9j, 1e9 + 1j, 1 + 1e9j, 1 + 1j], np.complex64)
    opt = watched("adam", p, lr=0.1)
    opt.step(np.full(4, 3 + 4j, np.complex64))
    assert opt.diagnostics().tensors["params"].lost_share == 0.25


@pytest.mark.parametrize("rule", ["adam", "adamw", "amsgrad", "lamb"])
def test_signal_and_noise(rule: str) -> None:
    rng = np.random.default_rng(0)
    params = {"signal": np.ones(2000), "noise": np.ones(2000)}
    opt = watched(rule, params, weight_decay=0.0)
    for _ in range(60):
        opt.step({"signal": np.full(2000, 0.3), "noise": rng.normal(size=2000)})
    seen = opt.diagnostics().tensors
    assert seen["signal"].signal_to_noise == pytest.approx(1)
    assert seen["noise"].signal_to_noise == pytest.approx((1 - B1) / (1 + B1), rel=0.2)


@pytest.mark.parametrize("rule", ["adam", "adamw", "amsgrad", "lamb"])
def test_eps_dominates_tiny_gradients(rule: str) -> None:
    """Also those whose square is 0; elements that never had a gradient do not count."""
    params = {"tiny": np.ones(10, np.float32), "usual": np.ones(10, np.float32), "idle": np.ones(10, np.float32)}
    opt = watched(rule, params)
    tiny = np.array([1e-9, 1e-30] * 5, np.float32)
    opt.step({"tiny": tiny, "usual": np.append(np.zeros(5), np.ones(5)), "idle": np.zeros(10)})
    seen = opt.diagnostics().tensors
    assert (seen["tiny"].eps_share, seen["usual"].eps_share, seen["idle"].eps_share) == (1.0, 0.0, None)
    assert seen["idle"].signal_to_noise is None


def test_prodigy_compares_with_d_eps() -> None:
    """√v = d·√(1 − β₂)·|g| at the first step, with d as it was before it grew."""
    p, eps = np.ones(4), 1e-8
    opt = watched("prodigy", p, eps=eps, d0=0.01)
    edge = eps / math.sqrt(1 - B2)
    opt.step(edge * np.array([0.5, 0.99, 1.01, 2.0]))
    found = opt.diagnostics().tensors["params"]
    assert found.eps_share == 0.5
    assert found.signal_to_noise == pytest.approx((1 - B1) ** 2 / (1 - B2))


@pytest.mark.parametrize("rule", ["adamax", "adafactor"])
def test_none_where_a_rule_has_no_such_number(rule: str) -> None:
    opt = watched(rule, np.ones((4, 3)))
    opt.step(np.ones((4, 3)))
    found = opt.diagnostics().tensors["params"]
    assert (found.signal_to_noise, found.eps_share) == (None, None)
    assert found.update_ratio > 0


def test_a_step_by_the_gradient_itself_has_no_signal() -> None:
    from adamas.language import Rule, Slot, abs2, ema, sqrt

    rule = Rule(
        "rms",
        "RMS",
        "",
        dict(lr=0.1, eps=1e-8),
        (Slot("v", nonneg=True),),
        moments=lambda g, v: dict(v=ema(0.9, v, abs2(g))),
        step=lambda g, v, eps: g / (eps + sqrt(v)),
    )
    cls = type("RMS", (adamas.Optimizer,), {"rule": rule, "__signature__": adamas.optimizer.signature_of(rule)})
    opt = cls(np.ones(3), diagnostics_every=1)
    opt.step(np.array([1e-12, 1.0, 1.0]))
    found = opt.diagnostics().tensors["params"]
    assert (found.signal_to_noise, found.eps_share) == (None, pytest.approx(1 / 3))


def test_clip_rate_counts_the_steps_taken() -> None:
    opt = watched("adam", np.ones(2), max_grad_norm=1.0, nonfinite="skip")
    rates = []
    for x in (0.1, 5.0, math.nan, 0.1, 7.0):
        opt.step(np.full(2, x))
        rates.append(opt.diagnostics().clip_rate)
    assert rates == [0, 1 / 2, 1 / 2, 1 / 3, 2 / 4]
    opt.load_state_dict(opt.state_dict())
    opt.step(np.full(2, 7.0))
    assert opt.diagnostics().clip_rate == 1


def test_clipped_and_maximized_steps_are_seen_as_they_are_made() -> None:
    p = np.ones(50)
    opt = watched("adam", p, max_grad_norm=1e-9, maximize=True)
    before = p.copy()
    opt.step(np.arange(50.0))
    found = opt.diagnostics().tensors["params"]
    assert found.update_ratio == pytest.approx(math.sqrt(((p - before) ** 2).mean()))
    assert found.eps_share == 1


# ------------------------------------------------------------------- every rule, codec and dtype


def looks(rule: str, codec: str, dtype: str, backend: str) -> list[Diagnostics]:
    shapes = cases.shapes_of(codec)
    decay = {"weight_decay": 0.1} if "weight_decay" in adamas.rules.get(rule).hyper else {}
    opt = watched(rule, cases.arrays(shapes, dtype, seed=1, spread=0.5), state=codec, backend=backend, **decay)
    seen = []
    for t in range(2):
        opt.step(cases.arrays(shapes, dtype, seed=10 + t, spread=1.0))
        seen.append(opt.diagnostics())
    return seen


#: Every kind of rule with every codec that it can have.
LOOKS = [(r, c, p) for r, c, p, g, _ in cases.cases() if p == g and r in cases.kinds()]


@pytest.mark.parametrize(("rule", "codec", "dtype"), LOOKS)
def test_kernels_see_what_the_reference_sees(rule: str, codec: str, dtype: str) -> None:
    """In every bit: sums are in the same order, and counts need none."""
    ours = looks(rule, codec, dtype, "cpu")
    assert ours == looks(rule, codec, dtype, "reference")
    shapes = cases.shapes_of(codec)
    assert list(ours[0].tensors) == [str(i) for i, shape in enumerate(shapes) if math.prod(shape)]  # 0-d, not empty
    assert all(0 < t.update_ratio < math.inf for t in ours[-1].tensors.values())


@pytest.mark.parametrize("rule", cases.kinds())
def test_a_look_changes_no_bit(rule: str) -> None:
    """Neither of parameters and state, nor with clipping, missing gradients, or gradients that are not finite."""
    shapes = [(7,), (30, 20), (), (3, 0)]
    ours, plain = (cases.arrays(shapes, "bfloat16", seed=1) for _ in range(2))
    seeing = watched(rule, ours, max_grad_norm=1.0)
    blind = adamas.optimizer_class(rule)(plain, max_grad_norm=1.0)
    for t in range(4):
        grads: list = cases.arrays(shapes, "float32", seed=t)
        grads[1][0, :3] = [math.nan, math.inf, -math.inf]
        grads[t % 2] = None
        copies = copy.deepcopy(grads)
        seeing.step(grads)
        blind.step(grads)
        assert set(seeing.diagnostics().tensors) == {str(i) for i in (0, 1, 2) if i != t % 2}
        assert all(x is y is None or cases.same_bits(x, y) for x, y in zip(grads, copies, strict=True))
    assert all(cases.same_bits(a, b) for a, b in zip(ours, plain, strict=True))
    assert cases.same_state(seeing.state_dict(), blind.state_dict())


@pytest.mark.parametrize("rule", ["adamw", "adafactor", "prodigy"])
def test_groups_strides_and_not_finite_gradients(rule: str) -> None:
    found = []
    for backend in ("cpu", "reference"):
        w = np.asfortranarray(cases.arrays([(40, 60)], "float32", seed=1)[0])[::2, ::-3]
        params = {"w": w, "b": np.linspace(1, 2, 9, dtype=np.float16)}
        opt = watched(rule, params, groups={"b": {"lr": 0.5}}, backend=backend)
        g = cases.arrays([(40, 40)], "float32", seed=2)[0].T[::2, ::2]
        g[3, 3] = math.inf
        opt.step({"w": g, "b": np.linspace(-1, 1, 9)})
        found.append(opt.diagnostics())
    assert found[0] == found[1]
    assert list(found[0].tensors) == ["w", "b"]
    assert math.isfinite(found[0].tensors["w"].update_ratio)


# ------------------------------------------------------------------------------ when, and what of


def test_it_looks_at_the_first_step_and_every_third_from_there() -> None:
    opt = adamas.Adam(np.ones(3), diagnostics_every=3)
    steps = []
    for _ in range(8):
        opt.step(np.ones(3))
        steps.append(opt.diagnostics().step)
    assert steps == [1, 1, 1, 4, 4, 4, 7, 7]


def test_without_a_look_the_error_says_what_to_do() -> None:
    opt = adamas.Adam(np.ones(3))
    opt.step(np.ones(3))
    with pytest.raises(RuntimeError, match="make the optimizer with diagnostics_every=100"):
        opt.diagnostics()
    with pytest.raises(RuntimeError, match="call step first"):
        adamas.Adam(np.ones(3), diagnostics_every=10).diagnostics()
    for wrong in (0, -1, 2.0, True, "10"):
        with pytest.raises(ValueError, match=r"diagnostics_every=.*: expected an integer of at least 1, or None"):
            adamas.Adam(np.ones(3), diagnostics_every=wrong)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda opt: pickle.loads(pickle.dumps(opt))])
def test_a_copy_goes_on_looking(how: object) -> None:
    opt = watched("adam", [np.ones(3), np.ones((2, 2))], max_grad_norm=1.0)
    opt.step([np.ones(3), np.ones((2, 2))])
    twin = how(opt)
    assert twin.diagnostics() == opt.diagnostics()
    for each in (opt, twin):
        each.step([np.zeros(3), np.ones((2, 2)) * 0.1])
    assert twin.diagnostics() == opt.diagnostics()
    assert twin.diagnostics().clip_rate == 0.5


def test_a_loaded_state_is_looked_at_anew() -> None:
    opt = adamas.Adam(np.ones(3), diagnostics_every=10)
    for _ in range(4):
        opt.step(np.ones(3))
    saved = opt.state_dict()
    assert not [key for key in saved if "diagnostics" in key]
    opt.load_state_dict(saved)
    with pytest.raises(RuntimeError, match="no diagnostics yet"):
        opt.diagnostics()
    opt.step(np.ones(3))
    assert opt.diagnostics().step == 5


def test_json_has_no_infinities() -> None:
    opt = watched("adamax", {"zero": np.zeros(3), "still": np.zeros(2), "w": np.ones(1)})
    opt.step({"zero": np.ones(3), "still": np.zeros(2), "w": np.ones(1)})
    seen = opt.diagnostics()
    assert seen.tensors["zero"].update_ratio == math.inf
    numbers = json.loads(json.dumps(seen.as_dict(), allow_nan=False))
    assert numbers["clip_rate"] == 0
    nothing = {"signal_to_noise": None, "eps_share": None}
    assert numbers["tensors"] == {
        "zero": {"update_ratio": None, "lost_share": 0.0, **nothing},
        "still": {"update_ratio": None, "lost_share": None, **nothing},
        "w": {"update_ratio": pytest.approx(2e-3), "lost_share": 0.0, **nothing},
    }


def test_warnings_are_sentences() -> None:
    tensors = {
        "fine": TensorDiagnostics(1e-3, 0.1, 0.5, 0.1),
        "none": TensorDiagnostics(math.inf, None, None, None),
        "w2": TensorDiagnostics(1e-3, 0.1, 0.0, 0.37),
        "w1": TensorDiagnostics(math.nan, 0.1, 0.8, None),
        "b": TensorDiagnostics(0.4, 0.1, 0.0, 0.0),
    }
    lost, eps, step = diagnostics.warnings(Diagnostics(1, 0.0, tensors))
    assert lost.startswith("37% of the updates to w2 are lost: its weights round them away;")
    assert eps.startswith("eps dominates 80% of w1's denominators:")
    assert step.startswith("the step on b is 40% of its size:")


def test_the_page_runs() -> None:
    text = (Path(__file__).parents[1] / "docs/diagnostics.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    space: dict = {}
    exec(block, space)
    assert [re.sub(r"\d+%", "…%", s) for s in space["said"]] == [
        "…% of the updates to weight are lost: its weights round them away; keep these weights in a wider dtype"
    ]
