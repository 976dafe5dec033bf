"""The gate, and gradients and parameters that lie anywhere in memory: under, over and between each other."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas

RULES = pytest.mark.parametrize("rule", cases.kinds())
BACKENDS = pytest.mark.parametrize("backend", ["cpu", "reference"])
#: Rules whose elements know nothing of each other.
ELEMENTWISE = [
    name
    for name, rule in adamas.rules.REGISTRY.items()
    if not (rule.measures or any(s.measures for s in (*rule.before, *rule.after)))
    and all(s.codec == "float32" for s in rule.slots)
]
#: 1e30 is finite, but its square is not, in float32.
BAD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf, "too large": 1e30}
SHAPES = {"w": (5, 7), "b": (9,)}


def draw(seed: int, dtype: Any = np.float32) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


def make(rule: str, p: Any, **options: Any) -> Any:
    return adamas.optimizer_class(rule)(p, **options)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(cases.same_bits(a[k], b[k]) for k in a)


# ------------------------------------------------------------------------------- non-finite gradients


@RULES
@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_a_refused_step_leaves_no_trace(rule: str, policy: str) -> None:
    p, q = draw(0), draw(0)
    opt, clean = (make(rule, x, nonfinite=policy) for x in (p, q))
    for o in (opt, clean):
        o.step(draw(1))
        o.step({**draw(2), "b": None})
    for i, bad in enumerate(BAD.values(), 1):
        before, state = copy.deepcopy(p), opt.state_dict()
        g = draw(3)
        g["w"][2, 3] = bad
        if policy == "raise":
            with pytest.raises(FloatingPointError, match=r"w \(1 elements\).*nonfinite=\"skip\""):
                opt.step(g)
        else:
            decision = opt.step(g)
            assert not decision.applied
            assert opt.last_step is decision
            state["skipped"] = opt.skipped_steps
            assert opt.skipped_steps == i
        assert same(p, before)
        assert cases.same_state(opt.state_dict(), state)
        assert opt.t == 2
    for o in (opt, clean):
        assert o.step(draw(4)).applied
    assert same(p, q), "a refused step left a trace"


def test_every_leaf_with_a_bad_gradient_is_named() -> None:
    g = draw(1)
    g["w"][:2] = np.nan
    g["b"][0] = np.inf
    with pytest.raises(FloatingPointError, match=r"w \(14 elements\), b \(1 elements\)"):
        make("adam", draw(0), nonfinite="raise").step(g)


def test_a_nan_parameter_is_no_matter_for_the_gate() -> None:
    p = draw(0)
    p["w"][0, 0] = np.nan
    assert make("adam", p, nonfinite="raise").step(draw(1)).applied
    assert np.isfinite(p["b"]).all()


CHOICES = [(rule, None) for rule in cases.kinds()]
CHOICES += [("adam", "factored"), ("adam", "mean"), ("adafactor", "float32"), ("adafactor", "mean")]


@BACKENDS
@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize(("rule", "state"), CHOICES, ids=str)
def test_a_bad_gradient_element_is_worth_zero_to_all_others(
    rule: str, state: str | None, clip: float | None, backend: str
) -> None:
    """At its step, all other elements move as if it were 0, in every bit: in sums, means, norm and update."""
    for name, bad in BAD.items():
        if clip and name == "too large":
            continue  # finite: it is part of the norm
        results = []
        for x in (bad, 0.0):
            w, g = draw(0)["w"], draw(1)["w"]
            g[2, 3] = x
            opt = make(rule, w, state=state, max_grad_norm=clip, backend=backend)
            decision = opt.step(g)
            assert decision.applied
            arrays = opt.state_dict()["arrays"]["params"]
            own = [w, *(a for a in arrays.values() if a.shape == w.shape)]
            for a in own:
                a[2, 3] = 0
            means = [a for a in arrays.values() if a.shape != w.shape]
            results.append((decision, opt.state_dict()["shared"], own + means))
        assert results[0][:2] == results[1][:2]
        for a, b in zip(results[0][2], results[1][2], strict=True):
            assert cases.same_bits(a, b)


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize(("rule", "state"), CHOICES, ids=str)
def test_a_bad_gradient_element_is_lost_alone_for_ever(rule: str, state: str | None, clip: float | None) -> None:
    for bad in BAD.values():
        p = draw(0)
        options = {} if state == "factored" else {"state": state}
        if state == "factored":
            options = {"groups": {"w": {"state": state}}}
        opt = make(rule, p, max_grad_norm=clip, **options)
        for t in range(6):
            g = draw(1 + t)
            if t == 1:
                g["w"][2, 3] = bad
            opt.step(g)
        lost = ~np.isfinite(p["w"])
        assert not lost[np.arange(35).reshape(5, 7) != 17].any()
        assert np.isfinite(p["b"]).all()
        for leaf in opt.state_dict()["arrays"].values():
            for array in leaf.values():
                assert (~np.isfinite(array)).sum() <= 1
        assert all(np.isfinite(x) for x in opt.state_dict()["shared"].values())


@pytest.mark.parametrize("rule", ELEMENTWISE)
def test_an_elementwise_rule_never_sees_its_neighbour(rule: str) -> None:
    runs = []
    for bad in (*BAD.values(), 0.25):
        p = draw(0)
        opt = make(rule, p)
        for t in range(6):
            g = draw(1 + t)
            if t == 1:
                g["w"][2, 3] = bad
            opt.step(g)
        p["w"][2, 3] = 0
        runs.append(p)
    assert all(same(runs[-1], p) for p in runs)


def test_a_leaf_of_bad_gradients_alone_leaves_the_others_unclipped_by_it() -> None:
    p, q = draw(0), draw(0)
    bad = {**draw(1), "w": np.full(SHAPES["w"], np.nan, np.float32)}
    a = make("adam", p, max_grad_norm=0.5).step(bad)
    b = make("adam", q, max_grad_norm=0.5).step({**draw(1), "w": None})
    assert a == b
    assert cases.same_bits(p["b"], q["b"])
    assert np.isnan(p["w"]).all()


# ------------------------------------------------------------------------------------- clipping

LEAF_DTYPES = {"a": "float32", "b": "float64", "c": "bfloat16", "d": "complex64"}


def mixed(seed: int, dtypes: dict[str, str]) -> dict[str, np.ndarray]:
    return {
        name: cases.arrays([(11, 3)], dtype, seed + i, spread=0.5)[0] for i, (name, dtype) in enumerate(dtypes.items())
    }


@BACKENDS
@pytest.mark.parametrize("limit", [1e-3, 1.0, 1e9, np.inf])
def test_clipping_is_torchs_formula_over_all_leaves(limit: float, backend: str) -> None:
    g = mixed(5, LEAF_DTYPES)
    norm = np.sqrt(sum((np.abs(x.astype(np.complex128)) ** 2).sum() for x in g.values()))
    decision = make("adam", mixed(0, LEAF_DTYPES), max_grad_norm=limit, backend=backend).step(g)
    assert decision.applied
    assert decision.norm == pytest.approx(norm, rel=1e-12)
    assert decision.clip == min(1.0, limit / (decision.norm + 1e-6))


@BACKENDS
def test_clipping_is_a_multiplication_of_the_gradients(backend: str) -> None:
    dtypes = {"a": "float32", "b": "float64", "d": "complex64"}
    p, q, g = mixed(0, dtypes), mixed(0, dtypes), mixed(5, dtypes)
    clip = make("adam", p, max_grad_norm=1.0, backend=backend).step(g).clip
    assert clip < 1
    make("adam", q, backend=backend).step({k: x * x.real.dtype.type(clip) for k, x in g.items()})
    assert same(p, q)


def test_an_absent_gradient_has_no_norm() -> None:
    a = make("adam", draw(0), max_grad_norm=1.0).step({**draw(1), "b": None})
    b = make("adam", draw(0)["w"], max_grad_norm=1.0).step(draw(1)["w"])
    assert a == b
    assert make("adam", draw(0), max_grad_norm=1.0, nonfinite="raise").step({"w": None, "b": None}).norm == 0


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_norm_does_not_depend_on_the_backend(order: Any) -> None:
    g = cases.arrays([(700, 130)], "float64", 3)[0]
    norms = {
        make("adam", np.zeros(g.shape, order=order), max_grad_norm=1.0, backend=b).step(g).norm
        for b in ("cpu", "reference")
    }
    assert len(norms) == 1


# ------------------------------------------------------------------------------------- aliasing

LONG = 70_001  # three items, many blocks


@BACKENDS
@pytest.mark.parametrize("rule", ["adam", "lamb", "prodigy"])
@pytest.mark.parametrize("view", ["itself", "reversed", "shifted", "every other", "repeated"])
def test_a_gradient_may_be_a_view_of_its_parameter(rule: str, view: str, backend: str) -> None:
    results = []
    for copied in (True, False):
        buffer = np.cos(np.arange(2 * LONG, dtype=np.float32))
        p = buffer[:LONG]
        g = {
            "itself": p,
            "reversed": p[::-1],
            "shifted": buffer[1 : LONG + 1],
            "every other": buffer[::2],
            "repeated": np.broadcast_to(p[5:6], (LONG,)),
        }[view]
        opt = make(rule, p, lr=0.1, backend=backend)
        for _ in range(3):
            opt.step(g.copy() if copied else g)
        results.append(p.copy())
    assert cases.same_bits(*results)


@BACKENDS
def test_a_gradient_may_be_the_transposed_parameter(backend: str) -> None:
    p = cases.arrays([(300, 300)], "float32", 0)[0]
    q = p.copy()
    a, b = make("adam", p, lr=0.1, backend=backend), make("adam", q, lr=0.1, backend=backend)
    for _ in range(3):
        a.step(p.T)
        b.step(q.T.copy())
    assert cases.same_bits(p, q)


@BACKENDS
@pytest.mark.parametrize("rule", ["adam", "lamb"])
def test_the_bilinear_game(rule: str, backend: str) -> None:
    """x·y: the gradient of each player is the other player."""
    start = cases.arrays([(LONG,), (LONG,)], "float32", 0)
    players, copies = [x.copy() for x in start], [x.copy() for x in start]
    game, oracle = (make(rule, p, lr=0.1, backend=backend) for p in (players, copies))
    for _ in range(3):
        game.step([players[1], players[0]])
        oracle.step([copies[1].copy(), copies[0].copy()])
    assert all(map(cases.same_bits, players, copies))


@BACKENDS
@pytest.mark.parametrize("turned", [False, True])
def test_the_bilinear_game_of_two_dtypes(turned: bool, backend: str) -> None:
    """Each dtype is a launch of its own: the first must not change what the second reads."""
    results = []
    for copied in (True, False):
        players: list[np.ndarray] = [np.linspace(1, 2, 1000, dtype=d) for d in (np.float32, np.float64)]
        players = players[::-1] if turned else players
        opt = make("adam", players, lr=0.1, backend=backend)
        for _ in range(3):
            opt.step([g.copy() if copied else g for g in reversed(players)])
        results.append(players)
    assert all(map(cases.same_bits, *results))


@BACKENDS
def test_a_gradient_may_be_part_of_a_complex_parameter(backend: str) -> None:
    results = []
    for copied in (True, False):
        z = cases.arrays([(LONG,)], "complex64", 0)[0]
        x = np.zeros(LONG, np.float32)
        opt = make("adam", [z, x], lr=0.1, backend=backend)
        for _ in range(3):
            opt.step([z.copy(), z.imag.copy()] if copied else [z, z.imag])
        results.append((z, x))
    assert all(map(cases.same_bits, *results))


@BACKENDS
@pytest.mark.parametrize("rule", ["adam", "lamb"])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_gradients_are_neither_written_nor_kept(rule: str, layout: str, backend: str) -> None:
    g = np.cos(np.arange(2000, dtype=np.float32)).reshape(40, 50)
    g = {"C": g, "F": np.asfortranarray(g), "strided": g[::2, ::5]}[layout]
    before = g.tobytes()
    for writeable in (True, False):
        g.flags.writeable = writeable
        opt = make(rule, np.ones(g.shape, np.float32), max_grad_norm=1.0, backend=backend)
        count = sys.getrefcount(g)
        opt.step(g)
        opt.step(g)
        assert sys.getrefcount(g) == count, "a gradient is kept"
    assert g.tobytes() == before


# ------------------------------------------------------------------------------------- layouts

#: name → shape of the buffer, the view of it
LAYOUTS: dict[str, tuple[tuple[int, ...], Callable[[np.ndarray], np.ndarray]]] = {
    "C": ((43, 29), lambda x: x),
    "F": ((29, 43), lambda x: x.T),
    "rows": ((90, 29), lambda x: x[3:89:2]),
    "columns": ((43, 90), lambda x: x[:, 2:89:3]),
    "transposed columns": ((29, 90), lambda x: x[:, 2:88:2].T),
    "reversed": ((43, 29), lambda x: x[::-1, ::-1]),
    "half reversed": ((43, 60), lambda x: x[:, 58:0:-2]),
    "inside": ((50, 3, 40), lambda x: x[4:47, 1, 7:36]),
    "split axes": ((2, 50, 40), lambda x: x[1, 4:47, 7:36]),
}


def fill(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return cases.arrays([shape], dtype, seed=3, spread=0.5)[0]


def guarded(shape: tuple[int, ...], view: Callable[[np.ndarray], np.ndarray], dtype: str) -> Any:
    """A view of a buffer of noise, the buffer, and which of the buffer's elements are not the view's."""
    buffer = fill(shape, dtype)
    guard = np.ones(shape, bool)
    view(guard)[...] = False
    return view(buffer), buffer, guard


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_parameters_and_gradients_of_any_layout_step_as_dense_ones(layout: str, dtype: str) -> None:
    p, buffer, guard = guarded(*LAYOUTS[layout], dtype)
    start, kept = p.copy("C"), buffer[guard]
    values = cases.arrays([p.shape], dtype, seed=4, spread=0.5)[0]
    for shape, view in LAYOUTS.values():
        p[...] = start
        dense = start.copy()
        g, g_buffer, _ = guarded(shape, view, dtype)
        g[...] = values
        g_before = g_buffer.tobytes()
        a, b = make("adam", p, lr=0.1), make("adam", dense, lr=0.1)
        for _ in range(2):
            a.step(g)
            b.step(values)
        assert cases.same_bits(p, dense)
        assert g_buffer.tobytes() == g_before
    assert buffer[guard].tobytes() == kept.tobytes(), "memory beside the parameter was written"


@RULES
@pytest.mark.parametrize("layout", ["F", "rows", "transposed columns", "half reversed"])
def test_every_rule_equals_the_reference_in_any_layout(layout: str, rule: str) -> None:
    """Large values, so that one that ends up in the wrong place does harm."""
    shape, view = LAYOUTS[layout]
    (p, buffer, guard), (q, _, _) = (guarded(shape, view, "float32") for _ in range(2))
    kept = buffer[guard]
    a, b = make(rule, p, max_grad_norm=1e6), make(rule, q, max_grad_norm=1e6, backend="reference")
    for t in range(3):
        g = 1e4 * cases.arrays([p.shape], "float32", seed=t, spread=0.5)[0]
        assert a.step(g) == b.step(g)
    assert cases.same_bits(p, q)
    assert cases.same_state(a.state_dict(), b.state_dict())
    assert buffer[guard].tobytes() == kept.tobytes()


def test_fields_of_records_are_strided_by_odd_steps() -> None:
    """A complex128 every 24 bytes, a float32 every 12; the other fields stay."""
    records = np.zeros(2000, [("z", "c16"), ("guard", "f8")])
    small = np.zeros(2000, [("x", "f4"), ("guard", "f4"), ("y", "f4")])
    for array in (records, small):
        array["guard"] = np.arange(2000)
    p = {"z": records["z"], "x": small["x"], "y": small["y"]}
    q = {name: x.copy() for name, x in p.items()}
    g = {name: cases.arrays([(2000,)], x.dtype.name, 1)[0] for name, x in p.items()}
    make("adam", p).step(g)
    make("adam", q).step(g)
    assert same(p, q)
    assert (records["guard"] == np.arange(2000)).all()
    assert (small["guard"] == np.arange(2000)).all()


def test_gradients_may_be_unaligned_also_after_aligned_ones() -> None:
    p = np.zeros(1000)
    q = p.copy()
    values = np.cos(np.arange(1000.0))
    unaligned = np.zeros(8001, np.uint8)[1:].view(np.float64)
    unaligned[...] = values
    a, b = make("adam", p), make("adam", q)
    for g in (values, unaligned, unaligned[::-1][::-1], values):
        a.step(g)
        b.step(values)
    assert cases.same_bits(p, q)


SHAPES_WITHOUT_BULK = [(), (0,), (3, 0, 2), (1,), (1, 1, 1), (1, 5, 1), (5, 1), (1,) * 20 + (3,) + (1,) * 11]


@RULES
@pytest.mark.parametrize("shape", SHAPES_WITHOUT_BULK, ids=lambda s: f"{len(s)}d" if len(s) > 3 else str(s))
def test_empty_scalar_and_thin_shapes(rule: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    start, g = rng.normal(size=shape).astype(np.float32), rng.normal(size=shape).astype(np.float32)
    start, g = np.asarray(start), np.asarray(g)
    p, q = start.copy(), start.copy()
    with_other, other = {"p": p, "other": np.ones(3, np.float32)}, np.ones(3, np.float32)
    a, b = make(rule, with_other), make(rule, {"p": q, "other": other}, backend="reference")
    for _ in range(2):
        for opt in (a, b):
            opt.step({"p": g, "other": g.sum() * other})
    assert cases.same_bits(p, q)
    assert cases.same_bits(with_other["other"], other)
    assert cases.same_state(a.state_dict(), b.state_dict())


def test_strides_of_axes_of_one_element_mean_nothing() -> None:
    strided = np.lib.stride_tricks.as_strided
    buffer = np.cos(np.arange(100.0))
    p = strided(buffer[10:], (1, 5, 1), (-7, 16, 10_000))
    q = p.copy()
    g = strided(np.sin(np.arange(100.0)), (1, 5, 1), (3, 8, -5))
    guard = np.delete(buffer, slice(10, 20, 2)).copy()
    for opt in (make("adam", p), make("adam", q)):
        opt.step(g)
    assert cases.same_bits(p, q)
    assert (np.delete(buffer, slice(10, 20, 2)) == guard).all()


@st.composite
def views(draw: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A random slicing and transposition of a (12, 9, 10) buffer to shape (4, 3, 2)."""
    order = draw(st.permutations(range(3)))
    cuts: list[Any] = [slice(None)] * 3
    for axis, size in zip(order, (4, 3, 2), strict=True):
        step = draw(st.integers(1, (12, 9, 10)[axis] // size))
        first = draw(st.integers(0, (12, 9, 10)[axis] - (size - 1) * step - 1))
        cut = slice(first, first + (size - 1) * step + 1, step)
        cuts[axis] = cut if draw(st.booleans()) else slice(cut.stop - 1, first - 1 if first else None, -step)
    return lambda x: x[tuple(cuts)].transpose(order)


@settings(max_examples=80, deadline=None)
@given(views(), views(), st.booleans())
def test_random_views_of_one_buffer(of_p: Any, of_g: Any, shared: bool) -> None:
    """The gradient may even lie in the parameter's own buffer."""
    buffer = fill((12, 9, 10), "float64")
    p, g = of_p(buffer), of_g(buffer if shared else buffer.copy())
    assert p.shape == g.shape == (4, 3, 2)
    guard = np.ones(buffer.shape, bool)
    of_p(guard)[...] = False
    kept, q = buffer[guard], p.copy("C")
    a, b = make("adam", p, lr=0.1), make("adam", q, lr=0.1, backend="reference")
    for _ in range(2):
        b.step(g.copy())
        a.step(g)
    assert cases.same_bits(p, q)
    assert (buffer[guard] == kept).all()


# ------------------------------------------------------------------------------------- no gradient


@RULES
@BACKENDS
def test_a_leaf_without_a_gradient_stands_still_with_its_own_count(rule: str, backend: str) -> None:
    p = draw(0)
    opt = make(rule, p, lr=0.1, backend=backend)
    alone = {name: x.copy() for name, x in draw(0).items()}
    single = {name: make(rule, x, lr=0.1, backend=backend) for name, x in alone.items()}
    present = [("w", "b"), ("w",), (), ("b",), ("w", "b"), ("b",)]
    for t, names in enumerate(present):
        g = draw(1 + t)
        before, state = copy.deepcopy(p), opt.state_dict()
        opt.step({name: g[name] if name in names else None for name in p})
        for name in p:
            if name in names:
                single[name].step(g[name])
            else:
                assert cases.same_bits(p[name], before[name])
                assert cases.same_state(opt.state_dict()["arrays"][name], state["arrays"][name])
        if rule != "prodigy":  # its sums run over all leaves
            assert same(p, alone)
    assert opt.state_dict()["t"] == {"w": 3, "b": 4}
    assert opt.t == len(present)


def test_a_step_without_any_gradient() -> None:
    p = np.ones(3)
    opt = make("adam", p)
    opt.step(None)
    opt.step(np.ones(3))
    assert opt.t == 2
    assert opt.state_dict()["t"] == {"params": 1}
    assert p == pytest.approx(np.full(3, 1 - 1e-3))


def test_many_patterns_of_absent_gradients() -> None:
    """More than the plan keeps launches for."""
    p, q = [np.ones(4) for _ in range(5)], [np.ones(4) for _ in range(5)]
    opt, single = make("adam", p), [make("adam", x) for x in q]
    for bits in [*range(1, 32), *range(31, 0, -1)]:
        g = [np.full(4, 1.0 + i) if bits >> i & 1 else None for i in range(5)]
        opt.step(g)
        for o, x in zip(single, g, strict=True):
            if x is not None:
                o.step(x)
    assert all(map(cases.same_bits, p, q))
