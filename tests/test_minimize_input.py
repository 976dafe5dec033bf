"""What ``adamas.minimize`` takes: every form of variables, gradients, data and bounds; and what it refuses."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from scipy.optimize import rosen, rosen_der
from test_minimize import bowl, rosenbrock

import adamas

# ------------------------------------------------------------------------------------ forms of input


class Pair(NamedTuple):
    left: np.ndarray
    right: np.ndarray


@pytest.mark.parametrize(
    "start",
    [
        3.0,
        [1.0, 2.0],
        [1, 2],
        [[1.0, 2.0], [3.0, 4.0]],
        (1.0, 2.0),
        np.ones((2, 3, 1)),
        np.array(2.0),
        {"w": np.ones((2, 2)), "b": np.array(1.0)},
        {"a": 1.0, "b": [1.0, 2.0]},
        [np.ones(2), {"x": np.ones(3)}],
        Pair(np.ones(2), np.ones((1, 2))),
    ],
    ids=str,
)
def test_x_comes_back_in_the_form_of_x0(start):
    def leaves(x):
        if isinstance(x, dict):
            return [leaf for part in x.values() for leaf in leaves(part)]
        if isinstance(x, (list, tuple)):
            return [leaf for part in x for leaf in leaves(part)]
        return [x]

    def fun(x):
        assert type(x) is type(found_form)
        return sum(0.5 * float(np.sum(a * a)) for a in leaves(x))

    nested = isinstance(start, dict) or (
        isinstance(start, (list, tuple)) and any(isinstance(part, np.ndarray) for part in start)
    )
    found_form = start if nested else np.asarray(start)
    found = adamas.minimize(fun, start, lr=0.05)
    assert found.success
    assert type(found.x) is type(found_form)
    for a, b, c in zip(leaves(found.x), leaves(found_form), leaves(found.jac), strict=True):
        assert a.shape == np.shape(b) == c.shape
        assert np.abs(a).max() < 1e-4


def test_what_fun_gets_is_its_own():
    kept = []

    def fun(x):
        kept.append(x)
        x[...] = 7.0
        return 0.0, np.ones(2)

    start = np.array([1.0, 2.0])
    found = adamas.minimize(fun, start, jac=True, maxiter=3)
    assert start.tolist() == [1.0, 2.0]
    assert all((x == 7).all() for x in kept)
    assert found.x.max() <= 2


@pytest.mark.parametrize("jac", [None, "2-point", "3-point", "cs"])
def test_differences_are_scipy_s(jac):
    calls = itertools.count()

    def fun(x):
        next(calls)
        return rosen(x)

    found = adamas.minimize(fun, [-1.2, 1.0], jac=jac, lr=0.02, bounds=[(-2, 0.5), (-2, 2)])
    assert found.nfev == next(calls)
    per_step = {"3-point": 5, "cs": 3}.get(jac, 3)
    assert found.nfev == per_step * found.njev
    np.testing.assert_allclose(found.x, [0.5, 0.25], atol=1e-5)


def _read_only(g):
    g = g.copy()
    g.flags.writeable = False
    return g


def _unaligned(g):
    return np.frombuffer(b"x" + g.tobytes(), np.uint8)[1:].view(g.dtype).reshape(g.shape)


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
@pytest.mark.parametrize(
    "made",
    [
        _read_only,
        _unaligned,
        lambda g: np.repeat(g, 2, axis=-1)[..., ::2],
        lambda g: g.astype(">f8"),
        lambda g: g.astype(np.float32),
        lambda g: g.tolist(),
        np.asfortranarray,
        lambda g: g.view(np.ma.MaskedArray),
    ],
    ids=["read-only", "unaligned", "strided", "big-endian", "float32", "list", "fortran", "subclass"],
)
def test_a_gradient_may_be_any_array_of_numbers(shape, made):
    start = np.linspace(-1, 2, 6).reshape(shape)
    plain = adamas.minimize(lambda x: (0.0, np.sign(x)), start, jac=True, noisy=True, maxiter=10)
    other = adamas.minimize(lambda x: (0.0, made(np.sign(x))), start, jac=True, noisy=True, maxiter=10)
    np.testing.assert_array_equal(plain.x, other.x)


def test_jac_and_args_and_values_of_size_one():
    found = adamas.minimize(
        lambda x, a, b: np.array([a * np.sum((x - b) ** 2)]), [1.0, 2.0], (3.0, 0.5), lr=0.05,
        jac=lambda x, a, b: [2 * a * (x[0] - b), 2 * a * (x[1] - b)],
    )  # fmt: skip
    np.testing.assert_allclose(found.x, 0.5, atol=1e-5)


def test_data_reaches_fun_as_it_was_given():
    seen = []

    def fun(x, batch, scale):
        seen.append(batch)
        return float(np.sum(x * scale)), np.ones(1)

    array = np.arange(7)
    adamas.minimize(fun, [1.0], (2.0,), jac=True, data=array, batch_size=3, epochs=2, seed=5)
    assert [len(batch) for batch in seen] == [3, 3, 1] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert sorted(first) == sorted(second) == list(range(7))
    assert first.tolist() != second.tolist()
    again = [*seen]
    seen.clear()
    adamas.minimize(fun, [1.0], (2.0,), jac=True, data=array, batch_size=3, epochs=2, seed=5)
    assert all((a == b).all() for a, b in zip(again, seen, strict=True))
    seen.clear()
    adamas.minimize(fun, [1.0], (2.0,), jac=True, data=["one", "two"], epochs=3)
    assert seen == ["one", "two"] * 3


def test_data_that_runs_out_says_so():
    def fun(x, batch):
        return 0.0, x

    found = adamas.minimize(fun, [1.0], jac=True, data=(i for i in range(4)), epochs=3)
    assert (found.nit, found.success, found.status) == (4, False, 6)
    assert "pass what can be iterated anew" in found.message

    class Forever:
        def __iter__(self):
            return itertools.count()

    found = adamas.minimize(fun, [1.0], jac=True, data=Forever(), maxiter=500)
    assert (found.nit, found.success) == (500, True)

    class Anew:
        def __iter__(self):
            return iter(range(4))

    found = adamas.minimize(fun, [1.0], jac=True, data=Anew(), epochs=3)
    assert (found.nit, found.success, found.message) == (12, True, "All 3 epochs were seen.")


@pytest.mark.parametrize("average", ["ema", "polyak"])
def test_averages_are_of_the_iterates(average):
    points = []
    found = adamas.minimize(
        bowl, [1.0, -3.0], jac=True, lr=0.1, maxiter=30, noisy=True, average=average, average_decay=0.9,
        average_start=10, callback=points.append,
    )  # fmt: skip
    weights = 0.9 ** np.arange(19, -1, -1) if average == "ema" else np.ones(20)
    np.testing.assert_allclose(found.x_average, np.average(points[10:], axis=0, weights=weights), rtol=1e-12)


@pytest.mark.parametrize(
    "bounds",
    [[(0.5, None), (None, 0.2)], optimize.Bounds([0.5, -np.inf], [np.inf, 0.2]), optimize.Bounds(ub=[2, 0.2], lb=0)],
)
def test_bounds_hold_at_every_evaluation(bounds):
    low, high = (np.broadcast_to(bounds.lb, 2)[0] if isinstance(bounds, optimize.Bounds) else 0.5), 0.2

    def fun(x):
        assert x[0] >= low
        assert x[1] <= high
        return rosenbrock(x)

    found = adamas.minimize(fun, [1.0, 0.0], jac=True, bounds=bounds, lr=0.02)
    assert found.success
    theirs = optimize.minimize(rosen, [1.0, 0.0], jac=rosen_der, bounds=bounds, method="L-BFGS-B")
    np.testing.assert_allclose(found.x, theirs.x, atol=1e-5)


def test_bounds_of_leaves_by_name():
    start = {"w": np.ones((2, 2)), "b": np.ones(3)}
    found = adamas.minimize(
        lambda x: (0.0, {"w": np.ones((2, 2)), "b": np.ones(3)}), start, jac=True, lr=0.5, noisy=True, maxiter=20,
        bounds={"w": (np.array([[0.0, 0.5]]), None)},
    )  # fmt: skip
    assert found.x["w"].tolist() == [[0.0, 0.5], [0.0, 0.5]]
    assert (found.x["b"] < -5).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_quadratic_in_a_box_ends_at_the_projected_minimum(data):
    n = data.draw(st.integers(1, 5))
    numbers = st.floats(-3, 3, width=32)
    centre, low, width, at = (np.array(data.draw(st.lists(numbers, min_size=n, max_size=n))) for _ in range(4))
    high = low + np.abs(width)
    start = np.clip(at, low, high)
    found = adamas.minimize(
        lambda x: (float(np.sum((x - centre) ** 2)), 2 * (x - centre)), start, jac=True, lr=0.1,
        bounds=optimize.Bounds(low, high),
    )  # fmt: skip
    assert found.success
    np.testing.assert_allclose(found.x, np.clip(centre, low, high), atol=1e-5)


def test_progress_and_history_change_nothing(capsys):
    plain = adamas.minimize(rosenbrock, [-1.2, 1.0], jac=True, lr=0.02, maxiter=300)
    shown = adamas.minimize(rosenbrock, [-1.2, 1.0], jac=True, lr=0.02, maxiter=300, progress=True, history=True)
    np.testing.assert_array_equal(plain.x, shown.x)
    assert "history" not in plain
    assert "300/300" in capsys.readouterr().out


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (dict(x0=[1.0, np.nan]), ValueError, "x0: element 1 is nan; start from finite numbers"),
        (dict(x0={"a": np.array([np.inf])}), ValueError, "x0, a: element 0 is inf"),
        (
            dict(x0=np.array([1, 2])),
            TypeError,
            "x0: dtype int64; expected float64 or float32: pass x0.astype\\(float\\)",
        ),
        (dict(x0=np.array([1j])), TypeError, "dtype complex128; .*: pass real and imaginary parts"),
        (dict(x0=np.ones(2, np.float16)), TypeError, "dtype float16"),
        (dict(x0=["a"]), TypeError, "x0: dtype"),
        (dict(x0=[[1.0], [1.0, 2.0]]), ValueError, "x0: no array can be made of it"),
        (dict(x0=[]), ValueError, "x0 is empty"),
        (dict(fun=3), TypeError, "fun=3: expected a function"),
        (dict(jac="4-point"), ValueError, "jac='4-point': expected a function, True, None or one of 2-point"),
        (dict(jac=lambda x: x[:1]), ValueError, "jac: the gradient: shape \\(1,\\); expected \\(2,\\), that of x0"),
        (dict(jac=lambda x: x * 1j), TypeError, "jac: the gradient: dtype complex128"),
        (dict(fun=lambda x: x), ValueError, "fun must return a real number"),
        (dict(fun=lambda x: 1.0, jac=True), TypeError, "jac=True: fun must return \\(value, gradient\\), got float"),
        (dict(bounds=[(0, 1)]), ValueError, "a \\(lowest, highest\\) pair for each of the 2 variables"),
        (dict(bounds=[(2, None), (None, None)]), ValueError, "x0 is outside of them: variable 0 is 1"),
        (dict(bounds=[(None, None), (3, 1)]), ValueError, "variable 1, 3 … 1 holds no number"),
        (dict(bounds=optimize.Bounds([0, 0, 0], [3, 3, 3])), ValueError, "do not fit the shape of x0"),
        (dict(bounds={"parms": (0, 1)}), ValueError, "x0 has no 'parms'; did you mean 'params'?"),
        (dict(data=np.zeros(0)), ValueError, "data is empty"),
        (dict(data=[]), ValueError, "data is empty"),
        (dict(data=(np.zeros(3), np.zeros(2))), ValueError, "the arrays hold \\[3, 2\\] examples"),
        (dict(data=3), TypeError, "data: expected an array, a tuple of arrays, or an iterable"),
        (dict(data=[1], batch_size=3), ValueError, "leave batch_size out"),
        (dict(data=np.zeros(3), batch_size=0), ValueError, "batch_size=0: expected an integer of at least 1"),
        (dict(batch_size=3), ValueError, "batch_size and epochs need data"),
        (dict(callback=3), TypeError, "callback=3: expected a function"),
        (dict(rule="adm"), ValueError, "unknown rule 'adm'; did you mean 'adam'?"),
        (dict(lr=-1.0), ValueError, "lr=-1 is outside"),
        (dict(betas=(0.9, 1.0)), ValueError, "betas\\[1\\]=1 is outside"),
        (dict(lr=lambda t: -1.0 if t > 5 else 0.1), ValueError, "-1"),
        (dict(maxiters=5), TypeError, "no option 'maxiters'; did you mean 'maxiter'?"),
        (dict(beta=0.5), TypeError, "no option 'beta'; did you mean 'betas'?"),
        (dict(maxiter=-1), ValueError, "maxiter=-1: expected an integer from 0"),
        (dict(maxiter=2.5), ValueError, "maxiter=2.5: expected an integer"),
        (dict(gtol=-1), ValueError, "gtol=-1: expected a number from 0"),
        (dict(gtol=np.nan), ValueError, "gtol=nan"),
        (dict(average="mean"), ValueError, "average='mean': expected 'ema', 'polyak' or None"),
        (dict(average_decay=1.0), ValueError, "average_decay=1.0"),
        (dict(backend="reference"), TypeError, "no option 'backend'"),
    ],
)
def test_bad_input_is_told_by_name_and_remedy(changes, error, message):
    kwargs = dict(fun=rosen, x0=[1.0, 2.0], jac=rosen_der) | changes
    if "data" in changes:
        kwargs |= dict(fun=lambda x, batch: 0.0, jac=None)
    with pytest.raises(error, match=message):
        adamas.minimize(kwargs.pop("fun"), kwargs.pop("x0"), **kwargs)
