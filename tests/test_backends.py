"""The compiled kernels against the reference, in every bit; the reference in float32 against itself in float64."""

from __future__ import annotations

import platform
import re
from typing import Any

import cases
import numpy as np
import pytest
import torch

import adamas
import adamas.torch
from adamas import rules
from adamas.backends import cpu
from adamas.backends.cpu_source import KERNEL
from adamas.backends.reference import Reference
from adamas.codecs import CODECS
from adamas.optimizer import signature_of
from adamas.torch.memory import array_of

STEPS = 4


def run(rule: str, codec: Any, p: str, g: str, backend: object, **options: object) -> tuple[list, dict]:
    shapes = cases.shapes_of(codec)
    params = cases.arrays(shapes, p, seed=1, spread=0.5)
    if any(name == "weight_decay" for name in adamas.rules.get(rule).hyper):
        options = {"weight_decay": 0.1, **options}
    opt = adamas.optimizer_class(rule)(params, state=codec, backend=backend, **options)
    for t in range(STEPS):
        opt.step(cases.arrays(shapes, g, seed=10 + t, spread=1.0))
    return params, opt.state_dict()


@pytest.mark.parametrize("case", cases.cases(), ids=lambda case: "-".join(map(str, case)))
def test_kernels_equal_the_reference_in_every_bit(case: cases.Case) -> None:
    rule, codec, p, g, front = case
    if front == "torch":
        in_torch(rule, codec, p)
        return
    ours, state = run(rule, codec, p, g, "cpu")
    oracle, expected = run(rule, codec, p, g, "reference")
    for a, b in zip(ours, oracle, strict=True):
        assert cases.same_bits(a, b), f"parameters of shape {a.shape} differ"
    assert cases.same_state(state, expected)


def in_torch(rule: str, codec: Any, dtype: str) -> None:
    """The class of PyTorch with the rule's name, beside the reference on the real words of the same tensors."""
    shapes, title = cases.shapes_of(codec), adamas.rules.get(rule).title
    params = [torch_of(a) for a in cases.arrays(shapes, dtype, seed=1, spread=0.5)]
    words = {f"{i}": array_of(p).copy() for i, p in enumerate(params)}
    named = [(name, torch.nn.Parameter(p)) for name, p in zip(words, params, strict=True)]
    decay = {"weight_decay": 0.1} if "weight_decay" in adamas.rules.get(rule).hyper else {}
    mine = getattr(adamas.torch, title)(named, state=codec, **decay)
    group = mine.param_groups[0]
    meant = mine.row.rule(group)  # torch's Adafactor, say, is not the paper's
    hyper = {name: group[name] for name in meant.hyper}
    if rule == "adafactor":
        hyper["eps"] = (torch.finfo(params[0].dtype).eps, 1e-3)
    kind = type(title, (adamas.Optimizer,), {"rule": meant, "__signature__": signature_of(meant)})
    oracle = kind(words, state=codec, backend="reference", **hyper)
    for t in range(STEPS):
        grads = [torch_of(a) for a in cases.arrays(shapes, dtype, seed=10 + t, spread=1.0)]
        for (_, p), g in zip(named, grads, strict=True):
            p.grad = g
        mine.step()
        oracle.step(dict(zip(words, map(array_of, grads), strict=True)))
    for name, p in named:
        assert cases.same_bits(array_of(p), words[name]), f"parameters of shape {tuple(p.shape)} differ"


def torch_of(array: np.ndarray) -> torch.Tensor:
    """The tensor with an array's numbers."""
    if array.dtype == cases.BF16:
        return torch.tensor(array.view(np.int16)).view(torch.bfloat16)
    return torch.tensor(array)


@pytest.mark.parametrize("rule", cases.rule_names())
def test_clipping_and_maximize_are_the_same_in_both(rule: str) -> None:
    options = {"max_grad_norm": 1.0, "maximize": True, "nonfinite": "skip"}
    ours, state = run(rule, "float32", "float32", "float32", "cpu", **options)
    oracle, expected = run(rule, "float32", "float32", "float32", "reference", **options)
    assert all(cases.same_bits(a, b) for a, b in zip(ours, oracle, strict=True))
    assert cases.same_state(state, expected)


@pytest.mark.parametrize(("rule", "codec"), [("adam", "float32"), ("adafactor", "factored"), ("prodigy", "mean")])
def test_tensors_without_a_gradient_rest(rule: str, codec: str) -> None:
    """Other ones at every step; those that rest keep every bit, and a step count of their own."""
    shapes = cases.shapes_of(codec)
    runs = []
    for backend in ("cpu", "reference"):
        params = cases.arrays(shapes, "float32", seed=1, spread=0.5)
        opt = adamas.optimizer_class(rule)(params, state=codec, backend=backend, max_grad_norm=3.0, diagnostics_every=1)
        rng = np.random.default_rng(5)
        for t in range(6):
            grads = cases.arrays(shapes, "float32", seed=10 + t, spread=1.0)
            there = rng.random(len(grads)) < 0.5
            before, old = [p.copy() for p in params], opt.state_dict()
            opt.step([g if here else None for g, here in zip(grads, there, strict=True)])
            for name, here, p, was in zip(old["t"], there, params, before, strict=True):
                if not here:
                    assert cases.same_bits(p, was)
                    assert cases.same_state(opt.state_dict()["arrays"][name], old["arrays"][name])
            sized = {name for name, here, p in zip(old["t"], there, params, strict=True) if here and p.size}
            assert set(opt.diagnostics().tensors) == sized
        runs.append((params, opt.state_dict()))
    assert 0 < min(runs[0][1]["t"].values()) < max(runs[0][1]["t"].values())
    assert all(cases.same_bits(a, b) for a, b in zip(runs[0][0], runs[1][0], strict=True))
    assert cases.same_state(runs[0][1], runs[1][1])


@pytest.mark.parametrize("rule", cases.rule_names())
def test_float32_stays_close_to_float64(rule: str) -> None:
    start = cases.arrays([(64, 33)], "float32", seed=2, spread=0)[0]
    single, double = start.copy(), start.copy()
    a = adamas.optimizer_class(rule)(single)
    b = adamas.optimizer_class(rule)(double, backend=Reference(np.float64))
    for t in range(20):
        g = cases.arrays([(64, 33)], "float32", seed=50 + t, spread=0)[0]
        a.step(g)
        b.step(g)
    moved = np.abs(double - start).max()
    assert moved > 0
    assert np.abs(single - double).max() < 2e-4 * moved + 4 * np.finfo(np.float32).eps * np.abs(start).max()


@pytest.mark.parametrize("rule", cases.rule_names())
def test_every_rule_descends(rule: str) -> None:
    """|x|² from a start of ones; ascends under maximize. A flipped sign fails both."""
    options = {"d0": 0.1} if "d0" in rules.get(rule).hyper else {"lr": 0.05}
    down, up = np.ones((4, 3)), np.ones((4, 3))
    for x, maximize in ((down, False), (up, True)):
        opt = adamas.optimizer_class(rule)(x, maximize=maximize, backend="reference", **options)
        for _ in range(20):
            opt.step(2 * x)
    assert (down**2).sum() < 0.9 * 12
    assert (up**2).sum() > 1.1 * 12


LAYOUTS = {
    "fortran": lambda a: np.asfortranarray(a),
    "axes swapped": lambda a: np.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1),
    "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
}


@pytest.mark.parametrize("g_layout", LAYOUTS)
@pytest.mark.parametrize("p_layout", LAYOUTS)
@pytest.mark.parametrize(("rule", "codec"), [("lamb", "float32"), ("adafactor", "factored"), ("adam", "mean")])
def test_memory_layout_is_the_users_own_affair(rule: str, codec: str, p_layout: str, g_layout: str) -> None:
    shapes = [(30, 41), (5, 6, 7)]
    ours, oracle = ([LAYOUTS[p_layout](a) for a in cases.arrays(shapes, "float32", seed=1)] for _ in range(2))
    plain = cases.arrays(shapes, "float32", seed=1)
    opts = [
        adamas.optimizer_class(rule)(p, state=codec, backend=b, max_grad_norm=1.0)
        for p, b in ((ours, "cpu"), (oracle, "reference"), (plain, "cpu"))
    ]
    for t in range(3):
        grads = cases.arrays(shapes, "float32", seed=t)
        for opt in opts:
            opt.step([LAYOUTS[g_layout](g) for g in grads])
    for a, b, c in zip(ours, oracle, plain, strict=True):
        assert cases.same_bits(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-5)  # norms are summed in another order
    assert cases.same_state(opts[0].state_dict(), opts[1].state_dict())


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 assembly")
@pytest.mark.parametrize("rule", ["adamw", "amsgrad", "lamb"])
def test_the_inner_loop_is_vector_code(rule: str) -> None:
    """At the processor's full width, although four or five arrays might overlap for all that a compiler knows."""
    from llvmlite import binding

    source = cpu.source(adamas.rules.get(rule), dict.fromkeys("mvw", CODECS["float32"]), np.float32, np.float32)
    space: dict = {}
    exec(compile(source, rule, "exec"), space)
    space["pass_0"].compile(KERNEL)
    (assembly,) = space["pass_0"].inspect_asm().values()
    width = "zmm" if binding.get_host_cpu_features().get("avx512f") else "ymm"
    if rule == "lamb":  # its sums are float64, and one vector of those is half a vector of float32
        width = "[xyz]mm"
    assert re.search(rf"vsqrtps\s.*%{width}", assembly)
    assert re.search(rf"vdivps\s.*%{width}", assembly)
