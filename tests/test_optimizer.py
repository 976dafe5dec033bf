"""The NumPy optimizers as a user meets them."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import pydoc
import tracemalloc

import cases
import numpy as np
import pytest

import adamas
from adamas import schedules
from adamas.language import Rule


def test_nests_of_every_kind() -> None:
    params = {"w": np.ones((2, 3)), "layers": [np.ones(4), (np.ones(()), {"b": np.ones(1)})]}
    opt = adamas.Adam(params, lr=0.5, eps=0.0)
    opt.step({"layers": [np.ones(4), (np.ones(()), {"b": -np.ones(1)})], "w": np.ones((2, 3))})
    np.testing.assert_allclose(params["w"], 0.5)
    np.testing.assert_allclose(params["layers"][1][0], 0.5)
    np.testing.assert_allclose(params["layers"][1][1]["b"], 1.5)
    assert list(opt.state_dict()["arrays"]) == ["w", "layers.0", "layers.1.0", "layers.1.1.b"]


@pytest.mark.parametrize("rule", adamas.rules.REGISTRY.values(), ids=lambda r: r.name)
def test_signatures_and_help_show_the_rule(rule: Rule) -> None:
    cls = getattr(adamas, rule.title)
    shown = inspect.signature(cls)
    assert list(shown.parameters)[: 1 + len(rule.hyper)] == ["params", *rule.hyper]
    assert shown.parameters["lr"].default == rule.hyper["lr"].default
    text = pydoc.plain(pydoc.render_doc(cls))
    assert f"class {rule.title}(" in text
    assert "arXiv:" in text or "openreview.net" in text
    for name in rule.hyper:
        assert f"{name} :" in text
    assert rule.title in dir(adamas)


def test_hyper_parameters_by_position() -> None:
    x, y = np.ones(3), np.ones(3)
    adamas.AdamW(x, 0.1, (0.5, 0.6), 1e-3, 0.2).step(np.arange(3.0))
    adamas.AdamW(y, lr=0.1, betas=(0.5, 0.6), eps=1e-3, weight_decay=0.2).step(np.arange(3.0))
    np.testing.assert_array_equal(x, y)


def test_groups_by_name() -> None:
    params = {"a": {"weight": np.ones(2), "bias": np.ones(2)}, "head": {"weight": np.ones(2)}}
    groups = {"*.bias": {"weight_decay": 0.0}, "head.*": {"lr": 0.02, "maximize": True}}
    opt = adamas.AdamW(params, lr=0.01, eps=0.0, weight_decay=1.0, groups=groups)
    assert [g["names"] for g in opt.param_groups] == [["a.weight"], ["a.bias"], ["head.weight"]]
    opt.step({"a": {"weight": np.ones(2), "bias": np.ones(2)}, "head": {"weight": np.ones(2)}})
    np.testing.assert_allclose(params["a"]["bias"], 1 - 0.01)
    np.testing.assert_allclose(params["a"]["weight"], 1 - 0.01 - 0.01)
    np.testing.assert_allclose(params["head"]["weight"], 1 + 0.02 - 0.02)
    opt.param_groups[1]["lr"] = 0.5  # takes effect at the next step
    before = params["a"]["bias"].copy()
    opt.step({"a": {"weight": np.ones(2), "bias": np.ones(2)}, "head": {"weight": np.ones(2)}})
    np.testing.assert_allclose(before - params["a"]["bias"], 0.5)


def test_state_by_slot_and_group() -> None:
    params = {"w": np.ones((6, 8)), "e": np.ones((6, 8)), "b": np.ones(8)}
    opt = adamas.Adam(params, state={"v": "factored"}, groups={"b": {"state": "float32"}, "e": {"state": "mean"}})
    arrays = opt.state_dict()["arrays"]
    assert {k: a.shape for k, a in arrays["w"].items()} == {"m": (6, 8), "v.share": (6,), "v.column": (8,)}
    assert {k: a.shape for k, a in arrays["e"].items()} == {"m": (6, 8), "v.row": (6,)}
    assert {k: a.shape for k, a in arrays["b"].items()} == {"m": (8,), "v": (8,)}


def test_memory_counts_bytes() -> None:
    params = [np.zeros((128, 256), np.float32), np.zeros(64, np.float16)]
    memory = adamas.Adam(params).memory()
    assert memory["parameters"] == 4 * 128 * 256 + 2 * 64
    assert memory["state"] == 8 * (128 * 256 + 64)
    assert memory["state_per_parameter"] == 8
    assert adamas.Adafactor(params[:1]).memory()["state"] == 4 * (128 + 256)


@pytest.mark.parametrize("rule", cases.kinds())
@pytest.mark.parametrize("state", [None, "float32"])
def test_a_step_allocates_next_to_nothing(rule: str, state: str | None) -> None:
    """8 MiB of parameters; a step makes small tables, never a temporary of the parameter's size."""
    params = [np.ones((1024, 1024), np.float32), np.ones((1 << 20) + 1, np.float32)]
    grads = [np.full_like(p, 0.1) for p in params]
    opt = adamas.optimizer_class(rule)(params, state=state, max_grad_norm=1.0)
    opt.step(grads)
    tracemalloc.start()
    opt.step(grads)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 10
    assert opt.memory()["workspace"] < 0.1 * opt.memory()["parameters"]


def test_repr_says_what_it_is() -> None:
    opt = adamas.Adam({"w": np.zeros((2, 3)), "b": np.zeros(3)}, lr=0.5)
    opt.step({"w": np.ones((2, 3)), "b": None})
    text = "Adam(lr=0.5, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0; 2 arrays, 9 parameters, t=1)"
    assert repr(opt) == text


def test_a_schedule_is_any_callable() -> None:
    x, seen = np.zeros(1), []

    def lr(t: int) -> float:
        seen.append(t)
        return 1.0 / t

    opt = adamas.Adam(x, lr=lr, eps=0.0)
    for _ in range(3):
        opt.step(np.ones(1))
    np.testing.assert_allclose(x, -(1 + 1 / 2 + 1 / 3))
    assert sorted(set(seen)) == [1, 2, 3]


def test_schedules() -> None:
    assert [schedules.constant(0.5, warmup=2)(t) for t in (1, 2, 9)] == [0.25, 0.5, 0.5]
    assert [schedules.inverse_sqrt(1.0)(t) for t in (1, 4, 100)] == [1.0, 0.5, 0.1]
    warm = schedules.inverse_sqrt(1.0, warmup=16)
    assert [warm(t) for t in (4, 16, 64)] == [0.25, 1.0, 0.5]
    cosine = schedules.cosine(2.0, steps=110, warmup=10, final=0.1)
    assert [cosine(t) for t in (5, 10, 60, 110, 500)] == pytest.approx([1.0, 2.0, 1.1, 0.2, 0.2])
    linear = schedules.linear(2.0, steps=100)
    assert [linear(t) for t in (0, 50, 100, 101)] == pytest.approx([2.0, 1.0, 0.0, 0.0])
    for make in (lambda: schedules.cosine(1.0, steps=5, warmup=5), lambda: schedules.constant(math.nan)):
        with pytest.raises(ValueError, match=r"steps=5|lr=nan"):
            make()
    assert pickle.loads(pickle.dumps(cosine)) == cosine


@pytest.mark.parametrize("rule", cases.kinds())
@pytest.mark.parametrize("how", ["deepcopy", "pickle", "state_dict"])
def test_a_copy_goes_on_bit_for_bit(rule: str, how: str) -> None:
    shapes = [(7,), (30, 20), ()]
    params = [np.array(p, order="F") for p in cases.arrays(shapes, "float32", seed=1)]
    opt = adamas.optimizer_class(rule)(params, lr=schedules.linear(0.1, 20))
    for t in range(3):
        opt.step(cases.arrays(shapes, "float32", seed=t))
    if how == "state_dict":
        twin = adamas.optimizer_class(rule)([p.copy() for p in params], lr=schedules.linear(0.1, 20))
        twin.load_state_dict(opt.state_dict())
    else:
        twin = copy.deepcopy(opt) if how == "deepcopy" else pickle.loads(pickle.dumps(opt))
    assert all(not np.shares_memory(a, b) for a, b in zip(twin.params, params, strict=True))
    for t in range(3, 6):
        opt.step(cases.arrays(shapes, "float32", seed=t))
        twin.step(cases.arrays(shapes, "float32", seed=t))
    assert all(cases.same_bits(a, b) for a, b in zip(twin.params, params, strict=True))
    assert cases.same_state(opt.state_dict(), twin.state_dict())


def test_state_is_matched_by_name_and_never_aliased() -> None:
    first = {"a": np.ones(3), "b": np.full(3, 5.0)}
    opt = adamas.Adam(first, lr=0.1)
    opt.step({"a": np.ones(3), "b": -np.ones(3)})
    saved = opt.state_dict()
    other = adamas.Adam({"b": first["b"].copy(), "a": first["a"].copy()})
    other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] == 0.1
    np.testing.assert_array_equal(other.state_dict()["arrays"]["b"]["m"], saved["arrays"]["b"]["m"])
    saved["arrays"]["b"]["m"][:] = 99
    assert other.state_dict()["arrays"]["b"]["m"].max() < 1


def test_float16_with_a_tiny_eps_makes_no_nan() -> None:
    x = np.ones(3, np.float16)
    opt = adamas.Adam(x)
    for _ in range(3):
        opt.step(np.array([0, 1e-7, 1], np.float16))
    assert np.isfinite(x).all()
    assert x[0] == 1
    assert x[2] < 1


def test_clipping_is_over_all_tensors() -> None:
    """Plain descent direction shows it: AdaMax's m is (1 − β₁) times the clipped gradient after one step."""
    params = {"a": np.zeros(2), "b": np.zeros(1, np.float32)}
    opt = adamas.Adam(params, max_grad_norm=1.0)
    decision = opt.step({"a": np.array([3.0, 0.0]), "b": np.array([4.0], np.float32)})
    assert decision.norm == 5.0
    assert decision.clip == pytest.approx(1 / (5 + 1e-6), rel=1e-15)
    assert opt.last_step is decision
    m = opt.state_dict()["arrays"]
    np.testing.assert_allclose(m["a"]["m"], [0.1 * 3 / 5, 0], rtol=1e-6)
    np.testing.assert_allclose(m["b"]["m"], [0.1 * 4 / 5], rtol=1e-6)


def test_an_array_that_was_replaced_is_noticed() -> None:
    params = {"w": np.ones(3), "b": np.ones(1)}
    opt = adamas.Adam(params)
    opt.step({"w": np.ones(3), "b": np.ones(1)})
    params["w"] = params["w"] * 2  # a new array, which no step would ever change
    before = params["b"].copy()
    with pytest.raises(ValueError, match=r"w: params now holds another array.*in place"):
        opt.step({"w": np.ones(3), "b": np.ones(1)})
    np.testing.assert_array_equal(params["b"], before)


def test_unaligned_gradients_are_stepped_from_a_copy() -> None:
    x, y = np.ones(100, np.float32), np.ones(100, np.float32)
    a, b = adamas.Adam(x), adamas.Adam(y)
    for t in range(3):
        g = cases.arrays([(100,)], "float32", seed=t)[0]
        odd = np.frombuffer(b"!" + g.tobytes(), np.uint8)[1:].view(np.float32)
        assert not odd.flags.aligned
        a.step(g)
        b.step(odd)
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("policy", ["skip", "raise"])
def test_a_norm_beyond_float64_counts_as_non_finite(policy: str) -> None:
    """Each |g|² is finite, their sum is not: to clip by it would make every gradient 0."""
    x = [np.ones(1), np.ones(1)]
    opt = adamas.Adam(x, max_grad_norm=1.0, nonfinite=policy)
    grads = [np.array([1.2e154]), np.array([1.2e154])]
    if policy == "skip":
        assert not opt.step(grads).applied
    else:
        with pytest.raises(FloatingPointError, match="the sum of all"):
            opt.step(grads)
    np.testing.assert_array_equal(x, 1)


def test_groups_keep_their_keys() -> None:
    opt = adamas.Adam(np.ones(1))
    opt.param_groups[0]["learning_rate"] = 0.1
    with pytest.raises(ValueError, match="param_groups: expected dicts with betas, eps, lr"):
        opt.step(np.ones(1))
    for change in (lambda g: g[0].update(state="mean"), lambda g: g.append(dict(g[0])), lambda g: g[0]["names"].pop()):
        opt = adamas.Adam(np.ones(1))
        change(opt.param_groups)
        with pytest.raises(ValueError, match="names and state are fixed"):
            opt.step(np.ones(1))
