"""The language holds rules that are not registered yet, and refuses rules that are not whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cases
import numpy as np
import pytest

import adamas
from adamas import rules
from adamas.codecs import CODECS
from adamas.language import (
    Complex,
    Hyper,
    Measure,
    Rule,
    Scalar,
    Slot,
    Stage,
    abs2,
    absolute,
    decoupled,
    ema,
    maximum,
    minimum,
    sign,
    sqrt,
    where,
)
from adamas.program import trace

FLOAT32 = CODECS["float32"]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Registers a rule for one test and gives its class."""

    def add(rule: Rule) -> Any:
        monkeypatch.setitem(rules.REGISTRY, rule.name, rule)
        adamas.optimizer_class.cache_clear()
        return adamas.optimizer_class(rule.name)

    yield add
    adamas.optimizer_class.cache_clear()


# Schedule-free Adam (arXiv:2405.15682): z and x from p; a persistent weight sum; a view to evaluate with.
def _free_scalars(t: int, lr: float, b2: float, total: float) -> dict[str, float]:
    return dict(c2=1 - b2**t, total=total + lr**2, ck=lr**2 / (total + lr**2))


SCHEDULE_FREE = Rule(
    name="free",
    title="Free",
    doc="Schedule-free Adam, as a test.",
    hyper=dict(lr=0.05, betas=(0.9, 0.999), eps=1e-8),
    slots=(Slot("z", init=lambda p: p), Slot("v", nonneg=True)),
    memory=(Scalar("total"),),
    scalars=_free_scalars,
    moments=lambda g, z, v, b2, c2, lr, eps: _free_moments(g, z, v, b2, c2, lr, eps),
    step=lambda p, h, z_old, b1, ck, lr: ck * (p - z_old) / lr - (b1 * (1 - ck) - 1) * h,
    view=lambda p, z, b1: (p - (1 - b1) * z) / b1,
)


def _free_moments(g: Any, z: Any, v: Any, b2: Any, c2: Any, lr: Any, eps: Any) -> dict[str, Any]:
    v = ema(b2, v, abs2(g))
    h = g / (sqrt(v / c2) + eps)
    return dict(z=z - lr * h, v=v, h=h, z_old=z)


# A rule that starts a slot from the first gradient (as ADOPT) and estimates a scale over each tensor.
FIRST = Rule(
    name="first",
    title="First",
    doc="Starts from its first gradient, as a test.",
    hyper=dict(lr=0.1, betas=(0.5,)),
    slots=(Slot("v", init=lambda g: abs2(g), nonneg=True, projects=True),),
    moments=lambda g, v, b1: dict(v=ema(b1, v, abs2(g))),
    step=lambda g, v: sign(g) * sqrt(v),
    after=(
        Stage(lambda u, top: u / top, (Measure("top", lambda u: absolute(u), mean=True),)),
        Stage(lambda u, again: u * again, (Measure("again", lambda u: abs2(u), mean=True),)),
    ),
)

# NAdam's μ-product in kind: a persistent scalar of each tensor, from step to step.
PRODUCT = Rule(
    name="product",
    title="Product",
    doc="Multiplies up a scalar, as a test.",
    hyper=dict(lr=0.1),
    slots=(Slot("m", init=0.5),),
    memory=(Scalar("mu", init=1.0),),
    scalars=lambda t, mu: dict(mu=mu * (1 - 0.5**t)),
    moments=lambda g, m: dict(m=maximum(minimum(m, 3.0), g)),
    step=lambda m, mu: m * mu,
)


@pytest.mark.parametrize("rule", [SCHEDULE_FREE, FIRST, PRODUCT], ids=lambda r: r.name)
def test_both_backends_run_it_alike(register: Any, rule: Rule) -> None:
    cls = register(rule)
    shapes = [(7,), (600, 3), ()]
    ours, oracle = (cases.arrays(shapes, "float32", seed=1, spread=0.3) for _ in range(2))
    opts = [cls(ours), cls(oracle, backend="reference")]
    for t in range(5):
        grads = cases.arrays(shapes, "float32", seed=t, spread=0.3)
        given = [grads[0], grads[1], None if t == 2 else grads[2]]  # a tensor may fall behind
        for opt in opts:
            opt.step(given)
    assert all(cases.same_bits(a, b) for a, b in zip(ours, oracle, strict=True))
    assert cases.same_state(opts[0].state_dict(), opts[1].state_dict())


def test_schedule_free_is_its_paper(register: Any) -> None:
    """Against the three sequences of the paper, written out: z steps, x averages, y = β₁x + (1 − β₁)z is trained."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=11)
    z, x, v = y.copy(), y.copy(), np.zeros(11)
    p = y.copy()
    opt = register(SCHEDULE_FREE)(p)
    np.testing.assert_array_equal(opt.eval_params(), p)
    for t in range(1, 31):
        g = rng.normal(size=11)
        opt.step(g)
        v = 0.999 * v + 0.001 * g * g
        z = z - 0.05 * g / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        x = (1 - 1 / t) * x + z / t
        np.testing.assert_allclose(p, 0.9 * x + 0.1 * z, rtol=1e-10)
        np.testing.assert_allclose(opt.eval_params(), x, rtol=1e-10)


# Sums over rows and columns, of the gradient and of the update, the second over what the first has scaled.
LINES = Rule(
    name="lines",
    title="Lines",
    doc="Normalises rows, then columns, as a test.",
    hyper=dict(lr=0.1),
    slots=(Slot("m"),),
    moments=lambda g, m: dict(m=ema(0.5, m, g)),
    step=lambda m: m,
    before=(Stage(lambda g, top: g / (sqrt(top) + 1.0), (Measure("top", lambda g: abs2(g), True, "column"),)),),
    after=(Stage(lambda u, norm: u / (sqrt(norm) + 0.1), (Measure("norm", lambda u: abs2(u), scope="row"),)),),
)


@pytest.mark.parametrize("shapes", [[(7,), (3, 5), (2, 3, 4)], [(600, 70), (3, 1100), (2, 40, 520), (70_001,)]])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_sums_over_rows_and_columns(register: Any, shapes: list[tuple[int, ...]], dtype: str) -> None:
    cls = register(LINES)
    ours, oracle = (cases.arrays(shapes, dtype, seed=1, spread=0.3) for _ in range(2))
    opts = [cls(ours), cls(oracle, backend="reference")]
    for t in range(3):
        for opt in opts:
            opt.step(cases.arrays(shapes, dtype, seed=t, spread=0.3))
    assert all(cases.same_bits(a, b) for a, b in zip(ours, oracle, strict=True))
    assert cases.same_state(opts[0].state_dict(), opts[1].state_dict())
    assert trace(LINES, {"m": FLOAT32}, False).passes == 3


def test_sums_over_rows_and_columns_by_hand(register: Any) -> None:
    g = np.random.default_rng(0).normal(size=(4, 6))
    p = np.zeros((4, 6))
    register(LINES)(p, lr=1.0).step(g)
    u = 0.5 * g / (np.sqrt((g**2).mean(0)) + 1)
    np.testing.assert_allclose(p, -u / (np.sqrt((u**2).sum(1, keepdims=True)) + 0.1), rtol=1e-12)


def test_a_sum_that_nobody_uses_does_no_harm(register: Any) -> None:
    """A pass that sums runs again where a sum is not finite, so it must never be the one that writes."""
    rule = replace(PRODUCT, name="unused", title="Unused", measures=(Measure("idle", lambda g: abs2(g)),))
    given = [np.array([1.0, np.nan, 2.0]), np.array([3.0, 4.0, np.inf])]
    p, q = (np.zeros(3) for _ in range(2))
    for x, cls in ((p, register(rule)), (q, register(PRODUCT))):
        opt = cls(x)
        for g in given:
            opt.step(g)
    assert cases.same_bits(p, q)


def test_scalars_persist_by_tensor(register: Any) -> None:
    params = [np.zeros(1), np.zeros(1)]
    opt = register(PRODUCT)(params)
    for grads in ([1.0, 1.0], [1.0, None], [1.0, None]):
        opt.step([None if g is None else np.array([g]) for g in grads])
    assert opt.state_dict()["own"] == {"0": {"mu": 0.5 * 0.75 * 0.875}, "1": {"mu": 0.5}}
    np.testing.assert_allclose(params[1], -0.1 * 1.0 * 0.5)  # max(min(0.5, 3), 1) · μ


def test_passes_follow_from_what_depends_on_what() -> None:
    def passes(name: str, codec: str = "float32") -> int:
        rule = rules.get(name)
        return trace(rule, {s.name: CODECS[codec if s.projects else "float32"] for s in rule.slots}, False).passes

    assert [passes(n) for n in ("adam", "adamw", "amsgrad", "adamax")] == [1, 1, 1, 1]
    assert passes("lamb") == 2  # both norms in one
    assert (passes("adafactor"), passes("adafactor", "factored")) == (2, 3)
    assert passes("prodigy") == 2
    assert passes("adam", "factored") == passes("adam", "mean") == 2
    assert trace(FIRST, {"v": FLOAT32}, False).passes == 3  # the second mean is over what the first one scales


def test_projecting_shows_the_step_the_means() -> None:
    """One step of Adam with a factored v, by hand; a fused stage would divide by √g² instead."""
    g = np.abs(np.random.default_rng(0).normal(size=(3, 4))) + 0.1
    p = np.zeros((3, 4))
    adamas.Adam(p, lr=1.0, eps=0.0, state="factored").step(g)
    g2 = g**2
    expected = -g / np.sqrt(np.outer(g2.mean(1), g2.mean(0)) / g2.mean())
    np.testing.assert_allclose(p, expected, rtol=1e-12)


def test_vocabulary_on_plain_numbers_and_complex() -> None:
    assert (sqrt(4.0), absolute(-2.0), abs2(-3.0), sign(-5.0), sign(0.0)) == (2.0, 2.0, 9.0, -1.0, 0.0)
    assert (where(True, 1.0, 2.0), maximum(1.0, 2.0), minimum(1.0, 2.0)) == (1.0, 2.0, 1.0)
    z = Complex(3.0, 4.0)
    assert (abs2(z), absolute(z)) == (25.0, 5.0)
    assert (sign(z).re, sign(z).im) == (0.6, 0.8)
    with pytest.raises(TypeError, match="gt is not defined for complex"):
        maximum(z, 1.0)


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("asks for zeta", dict(step=lambda m, v, zeta: m), "zeta"),
    ("a scalar that is not", dict(size="k"), "size='k'"),
    ("an unknown hyper-parameter", dict(hyper=dict(tau=0.1)), "tau is not a common"),
    ("moments without v", dict(moments=lambda g, m, v: dict(m=g)), "returned no new v"),
    ("a shared scalar", dict(memory=(Scalar("c1", scope="global"),)), "only carry can change it"),
    ("a branch", dict(step=lambda m, v: m if v > 0 else -m), "use where"),
    ("a complex measure", dict(after=(Stage(lambda u, s: u, (Measure("s", lambda u: u),)),)), "is complex"),
]


@pytest.mark.parametrize(("what", "changes", "message"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_broken_rule_says_what_is_wrong(what: str, changes: dict[str, Any], message: str) -> None:
    def make() -> None:
        trace(rules.get("adam").but("broken", "Broken", "", **changes), {"m": FLOAT32, "v": FLOAT32}, True)

    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_hyper_checks_its_interval() -> None:
    h = Hyper((0.9, 0.999), 0, 1, open_high=True)
    h.check("betas", (0.0, 0.5))
    for bad in ((0.9, 1.0), (-0.1, 0.5), (float("nan"), 0.5)):
        with pytest.raises(ValueError, match=r"betas\[.\]=.* is outside \[0, 1\)"):
            h.check("betas", bad)
    with pytest.raises(TypeError, match="expected 2 numbers"):
        h.check("betas", 0.9)


def test_a_measure_checks_its_scope() -> None:
    with pytest.raises(ValueError, match="norm: scope='rows' is not tensor, row, column or global"):
        Measure("norm", lambda u: u, scope="rows")


def test_but_keeps_the_original() -> None:
    adam = rules.get("adam")
    changed = adam.but("x", "X", "", hyper=dict(lr=0.5), after=(decoupled,))
    assert (changed.hyper["lr"].default, adam.hyper["lr"].default) == (0.5, 1e-3)
    assert replace(changed, name="adam", title="Adam").slots == adam.slots


def test_a_rules_names_do_not_meet_the_kernels(register: Any) -> None:
    """Slots, scalars and hyper-parameters may be called as the kernel's own variables are."""
    words = ("n", "first", "total", "lane", "i", "row", "mean", "p_at", "m_load")
    rule = Rule(
        name="names",
        title="Names",
        doc="Badly named, as a test.",
        hyper=dict(lr=0.1, tensor=Hyper(0.5), start=Hyper(0.25)),
        slots=tuple(Slot(w) for w in words),
        scalars=lambda t: dict(stop=1.0 / t, scratch=2.0),
        moments=_named_moments(words),
        step=lambda n, lane, start, stop, scratch: (n + start * lane) * stop * scratch,
    )
    ours, oracle = (np.ones((90, 20), np.float32)[::2, ::3] for _ in range(2))
    cls = register(rule)
    for params, backend in ((ours, "cpu"), (oracle, "reference")):
        opt = cls(params, backend=backend)
        for t in range(3):
            opt.step(cases.arrays([params.shape], "float32", seed=t)[0])
    assert cases.same_bits(ours, oracle)


def _named_moments(words: tuple[str, ...]) -> Any:
    body = ", ".join(f"{w}=tensor * {w} + (1 - tensor) * g" for w in words)
    return eval(f"lambda g, tensor, {', '.join(words)}: dict({body})")


# ---------------------------------------------------------------------------- scalars as code


@pytest.mark.parametrize("groups", [None, {"b": {"decay": 0.1, "lr": 0.3}}])
def test_scalars_with_memory_are_the_same_in_a_compiled_loop(register: Any, groups: Any) -> None:
    """A product that each tensor carries on, powers, roots, comparisons: all that scalars may do."""

    def scalars(t: Any, lr: Any, b1: Any, product: Any, decay: Any) -> dict[str, Any]:
        mu = b1 * (1 - 0.5 * 0.96 ** (t * decay))
        late = where(t > 3, sqrt(1 - b1**t), maximum(0.5, 1 / (t + 1)))
        return dict(mu=mu, product=product * mu, late=late, size=lr * late / (1 - product * mu))

    rule = Rule(
        name="carries",
        title="Carries",
        doc="Carries a product on, as a test.",
        hyper=dict(lr=0.1, betas=(0.9, 0.999), decay=Hyper(0.4)),
        slots=(Slot("m"),),
        memory=(Scalar("product", init=1.0),),
        scalars=scalars,
        moments=lambda g, m, mu: dict(m=ema(mu, m, g)),
        step=lambda m, late: m * late,
        size="size",
    )
    cls = register(rule)
    start = {"a": np.linspace(-1, 1, 7), "b": np.linspace(1, 2, 12).reshape(3, 4)}
    oracle = {name: p.copy() for name, p in start.items()}
    optimizer = cls(oracle, backend="reference", groups=groups)
    for _ in range(9):
        optimizer.step(oracle)
    found = adamas.minimize(lambda x: (0.0, x), start, jac=True, rule="carries", noisy=True, maxiter=9, groups=groups)
    for name, p in oracle.items():
        assert cases.same_bits(found.x[name], p)


def test_scalars_that_branch_are_refused_when_the_rule_is_made() -> None:
    with pytest.raises(TypeError, match="a rule cannot branch on a value: use where"):
        rules.get("adam").but("x", "X", "", scalars=lambda t, b1, b2: dict(c1=1.0 if t > 5 else 0.5, c2=1.0))


def test_an_element_has_no_power() -> None:
    rule = rules.get("adam").but("x", "X", "", step=lambda m, v: m / v**0.5)
    with pytest.raises(TypeError, match=r"x\*\*y is for scalars"):
        trace(rule, {"m": FLOAT32, "v": FLOAT32}, False)
