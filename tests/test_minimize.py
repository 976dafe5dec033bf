"""``adamas.minimize``: published numbers, the reference's steps, every way to stop."""

import os
import signal
import subprocess
import sys
import time

import numba
import numpy as np
import pytest
from cases import kinds
from scipy import optimize
from scipy.optimize import rosen, rosen_der

import adamas

HOURS = np.array([9.0, 4.9, 1.6, 1.9, 7.9, 2.0, 11.5, 3.9, 1.1, 1.6, 5.1, 8.2, 7.3, 10.4, 11.2])
GRADES = np.array([88.0, 72.3, 66.5, 65.1, 79.5, 60.8, 94.3, 66.7, 65.4, 63.8, 68.4, 82.5, 75.9, 87.8, 85.2])


def beale(x):
    a, b = x
    r = np.array([1.5 - a + a * b, 2.25 - a + a * b**2, 2.625 - a + a * b**3])
    slopes = np.array([[b - 1, a], [b**2 - 1, 2 * a * b], [b**3 - 1, 3 * a * b**2]])
    return r @ r, 2 * r @ slopes


def himmelblau(x):
    a, b = x
    u, v = a**2 + b - 11, a + b**2 - 7
    return u**2 + v**2, np.array([4 * a * u + 2 * v, 2 * u + 4 * b * v])


def booth(x):
    a, b = x
    u, v = a + 2 * b - 7, 2 * a + b - 5
    return u**2 + v**2, np.array([2 * u + 4 * v, 4 * u + 2 * v])


def rosenbrock(x):
    return rosen(x), rosen_der(x)


def line(x, batch):
    hours, grades = batch
    error = x[0] + x[1] * hours - grades
    return 0.5 * (error @ error), np.array([error.sum(), error @ hours])


def bowl(x):
    """½|x|², whose gradient is x."""
    return 0.5 * float(np.sum(x * x)), x


@numba.njit
def compiled_line(x, batch):
    hours, grades = batch
    error = x[0] + x[1] * hours - grades
    return 0.5 * np.sum(error * error), np.array([error.sum(), np.sum(error * hours)])


@numba.njit
def compiled_value(x, a):
    return a * np.sum((x - 1.0) ** 2 * (x + 2.0) ** 2)


@numba.njit
def compiled_slope(x, a):
    return a * (2 * (x - 1.0) * (x + 2.0) ** 2 + 2 * (x - 1.0) ** 2 * (x + 2.0))


# ----------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize(
    ("fun", "start", "lr", "steps"),
    [
        (rosenbrock, (-1.2, 1.0), 0.02, 2874),
        (rosenbrock, (1.3, 0.7, 0.8, 1.9, 1.2), 0.02, 6451),
        (beale, (1.0, 1.0), 0.02, 1001),
        (himmelblau, (-0.27, -0.9), 0.02, 284),
        (booth, (0.0, 0.0), 0.05, 528),
    ],
)
def test_steps_to_a_millionth(fun, start, lr, steps):
    found = adamas.minimize(fun, start, jac=True, lr=lr, history=True)
    assert int(np.flatnonzero(found.history < 1e-6)[0]) == steps
    assert found.success
    assert found.nit + 1 == found.nfev == found.njev == len(found.history)
    assert found.fun == found.history.min() == fun(found.x)[0]
    np.testing.assert_array_equal(found.jac, fun(found.x)[1])
    assert np.abs(found.jac).max() <= 1e-5


@pytest.mark.parametrize(
    ("steps", "theta"),
    [
        (2, (50.19529556, 1.18630197)),
        (3, (50.28820734, 1.25814416)),
        (15, (51.34758781, 2.06758564)),
        (150, (54.81606884, 3.24665752)),
    ],
)
@pytest.mark.parametrize("fun", [line, compiled_line])
def test_a_line_through_grades_one_example_at_a_time(fun, steps, theta):
    found = adamas.minimize(
        fun, (50.0, 1.0), jac=True, data=(HOURS, GRADES), batch_size=1, shuffle=False, maxiter=steps, lr=0.1
    )
    np.testing.assert_allclose(found.x, theta, atol=6e-9, rtol=0)
    assert found.nit == found.nfev == steps
    assert found.success


def test_a_line_through_all_grades_is_least_squares():
    found = adamas.minimize(line, (50.0, 1.0), args=((HOURS, GRADES),), jac=True, lr=0.1, gtol=0, maxiter=2000)
    np.testing.assert_allclose(found.x, (58.90281291, 2.72440418), atol=6e-9, rtol=0)
    exact = np.linalg.lstsq(np.stack([np.ones(15), HOURS], axis=1), GRADES, rcond=None)[0]
    np.testing.assert_allclose(found.x, exact, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("lr", "mse", "steps"), [(0.1, 0.0488, 4000), (0.01, 0.00502, 8000)])
def test_averages_of_a_noisy_run_are_better_than_its_last_point(lr, mse, steps):
    rng = np.random.default_rng(0)
    runs = 20_000  # independent problems x²/2 in one, which Adam steps alike

    def fun(x):
        return 0.0, x + rng.standard_normal(runs)

    found = adamas.minimize(fun, np.ones(runs), jac=True, noisy=True, lr=lr, maxiter=steps)
    assert np.mean(found.x**2) == pytest.approx(mse, rel=0.04)
    assert np.mean(found.x_average**2) == pytest.approx(5e-4, rel=0.15)


# --------------------------------------------------------------------- the optimizer's own steps


@pytest.mark.parametrize(("rule", "dtype"), [*((rule, np.float64) for rule in kinds()), ("adamw", np.float32)])
def test_steps_are_the_reference_s_in_every_bit(rule, dtype):
    start = {
        "w": np.linspace(-2, 1.7, 15, dtype=dtype).reshape(3, 5),
        "v": np.linspace(1, 2, 35, dtype=dtype).reshape(5, 7),
    }
    target = {"w": dtype(0.3), "v": dtype(-0.2)}

    def slopes(x):
        return {name: (p - target[name]) ** 3 for name, p in x.items()}

    reference = {name: p.copy() for name, p in start.items()}
    optimizer = adamas.optimizer_class(rule)(reference, backend="reference")
    for _ in range(25):
        optimizer.step(slopes(reference))

    seen = []
    found = adamas.minimize(
        lambda x: (0.0, slopes(x)), start, jac=True, rule=rule, maxiter=25, gtol=None, noisy=True,
        callback=lambda xk: seen.append(xk),
    )  # fmt: skip
    for name, p in reference.items():
        np.testing.assert_array_equal(found.x[name], p)
        np.testing.assert_array_equal(seen[-1][name], p)
        assert found.x[name].dtype == dtype


@pytest.mark.parametrize(
    "options",
    [
        dict(rule="adamw", lr=adamas.schedules.cosine(0.1, steps=30, warmup=5), weight_decay=0.1),
        dict(rule="adam", state="factored", betas=(0.8, 0.99)),
        dict(rule="adam", lr=0.01, groups={"b": {"lr": 0.5}}),
        dict(rule="lamb", lr=0.01, groups={"b": {"lr": adamas.schedules.linear(0.5, steps=30)}}),
        dict(rule="adafactor"),
    ],
)
def test_options_are_the_optimizer_s(options):
    start = {"a": np.linspace(-1, 1, 12).reshape(3, 4), "b": np.linspace(1, 2, 8).reshape(2, 4)}
    reference = {name: p.copy() for name, p in start.items()}
    given_ = {k: v for k, v in options.items() if k != "rule"}
    optimizer = adamas.optimizer_class(options["rule"])(reference, backend="reference", **given_)
    for _ in range(20):
        optimizer.step(reference)
    found = adamas.minimize(lambda x: (0.0, x), start, jac=True, maxiter=20, noisy=True, **options)
    for name, p in reference.items():
        np.testing.assert_array_equal(found.x[name], p)


def test_a_limit_of_the_gradient_s_norm_is_the_optimizer_s():
    start = np.linspace(-2, 1.7, 50)
    reference = start.copy()
    optimizer = adamas.Adam(reference, lr=0.1, max_grad_norm=0.5, backend="reference")
    for _ in range(20):
        optimizer.step(reference**3)
    found = adamas.minimize(lambda x: (0.0, x**3), start, jac=True, lr=0.1, max_grad_norm=0.5, maxiter=20, noisy=True)
    np.testing.assert_allclose(found.x, reference, rtol=1e-13)


@pytest.mark.parametrize(
    ("rule", "start"),
    [("adam", {"many": np.ones(300_000)}), ("adafactor", {"matrix": np.ones((6, 4)), "vector": np.ones(5)})],
)
def test_what_takes_threads_or_several_kernels_is_stepped_by_the_optimizer(rule, start):
    reference = {name: p.copy() for name, p in start.items()}
    optimizer = adamas.optimizer_class(rule)(reference, lr=0.1)
    for _ in range(5):
        optimizer.step(reference)
    found = adamas.minimize(lambda x: (0.0, x), start, jac=True, rule=rule, lr=0.1, maxiter=5, noisy=True)
    for name, p in reference.items():
        np.testing.assert_array_equal(found.x[name], p)


# ---------------------------------------------------------------------------------- compiled runs


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
@pytest.mark.parametrize("bounds", [None, (0.1, 0.9)])
def test_a_compiled_run_is_the_python_run_in_every_bit(shape, bounds):
    start = np.linspace(0.2, 0.8, int(np.prod(shape))).reshape(shape)
    box = bounds and optimize.Bounds(*bounds)
    kwargs = dict(args=(0.5,), bounds=box, lr=0.05, history=True, average="polyak", average_start=3)
    both = [
        adamas.minimize(compiled_value, start, jac=compiled_slope, **kwargs),
        adamas.minimize(lambda x, a: compiled_value(x, a), start, jac=lambda x, a: compiled_slope(x, a), **kwargs),
    ]
    for name in ("x", "fun", "jac", "nit", "nfev", "njev", "status", "message", "history", "x_average"):
        np.testing.assert_array_equal(both[0][name], both[1][name])
    np.testing.assert_allclose(both[0].x, np.full(shape, 0.9 if bounds else 1.0), atol=1e-4)


@pytest.mark.parametrize("data", [(HOURS, GRADES), np.stack([HOURS, GRADES], axis=1)], ids=["tuple", "array"])
def test_compiled_mini_batches_are_python_s_in_every_bit(data):
    @numba.njit
    def rows(x, batch):
        value, slope = 0.0, np.zeros(2)
        for i in range(len(batch)):
            error = x[0] + x[1] * batch[i, 0] - batch[i, 1]
            value += 0.5 * error * error
            slope += error * np.array([1.0, batch[i, 0]])
        return value, slope

    fun = compiled_line if isinstance(data, tuple) else rows
    kwargs = dict(jac=True, data=data, batch_size=4, seed=3, epochs=30, lr=0.1, history=True)
    a = adamas.minimize(fun, (50.0, 1.0), **kwargs)
    b = adamas.minimize(lambda x, batch: fun(x, batch), (50.0, 1.0), **kwargs)
    for name in ("x", "fun", "nit", "nfev", "history", "x_average", "message"):
        np.testing.assert_array_equal(a[name], b[name])
    assert a.nit == 30 * 4


def test_a_compiled_function_cannot_change_x():
    @numba.njit
    def spoils(x):
        value, slope = np.sum(x * x), 2 * x
        x[:] = 1e9
        return value, slope

    found = adamas.minimize(spoils, [3.0, -2.0], jac=True, lr=0.1)
    assert found.success
    assert np.abs(found.x).max() < 1e-4


def test_a_compiled_gradient_of_another_shape_is_refused():
    @numba.njit
    def wrong(x):
        return 0.0, np.zeros(3)

    with pytest.raises(ValueError, match="the gradient has another shape than x0"):
        adamas.minimize(wrong, [1.0, 2.0], jac=True)


# ------------------------------------------------------------------------------------- ways to stop


def test_all_steps_made_is_no_success_if_something_was_tested():
    tested = adamas.minimize(bowl, [1.0], jac=True, maxiter=3)
    assert (tested.success, tested.status, tested.nit, tested.nfev) == (False, 1, 3, 4)
    assert tested.message == "All 3 steps were made, and no test of convergence was met."
    untested = adamas.minimize(bowl, [1.0], jac=True, maxiter=3, noisy=True)
    assert (untested.success, untested.status, untested.nit, untested.nfev) == (True, 1, 3, 3)


def test_no_step_is_a_look_at_the_start():
    found = adamas.minimize(bowl, [2.0], jac=True, maxiter=0)
    assert (found.nit, found.nfev, found.fun, found.x.tolist()) == (0, 1, 2.0, [2.0])
    found = adamas.minimize(bowl, [0.0], jac=True)
    assert (found.success, found.nit) == (True, 0)


def test_ftol_waits_for_patience():
    found = adamas.minimize(bowl, [1.0], jac=True, lr=0.1, ftol=1e-3, patience=7, gtol=None, history=True)
    assert (found.success, found.status) == (True, 4)
    assert "for 7 steps the value has not fallen by more than ftol=0.001" in found.message
    mark, stale = np.inf, 0
    for k, value in enumerate(found.history):
        mark, stale = (value, 0) if value < mark - 1e-3 * max(1, abs(mark)) or k == 0 else (mark, stale + 1)
        assert (stale == 7) == (k == found.nit)


def test_ftol_of_mini_batches_is_by_epoch():
    found = adamas.minimize(
        line, (50.0, 1.0), jac=True, data=(HOURS, GRADES), batch_size=5, seed=0, epochs=500, lr=0.1, ftol=1e-2
    )
    assert found.status == 4
    assert "for 5 epochs" in found.message
    assert found.nfev % 3 == 0  # an epoch is three batches
    assert found.nfev < 1500


def test_a_time_limit_ends_a_slow_run():
    def slow(x):
        time.sleep(0.01)
        return bowl(x)

    found = adamas.minimize(slow, [1.0], jac=True, time_limit=0.2, gtol=0)
    assert (found.status, found.success) == (2, False)
    assert "time limit of 0.2 s" in found.message
    assert 0 < found.nit <= 40  # of a hundredth of a second each
    assert found.fun < 0.5


def test_stop_iteration_of_a_callback_ends_a_run():
    seen = []

    def callback(xk):
        seen.append(xk)
        if len(seen) == 4:
            raise StopIteration

    found = adamas.minimize(bowl, [1.0, 2.0], jac=True, lr=0.1, callback=callback)
    assert (found.nit, found.status, found.success) == (4, 99, False)
    np.testing.assert_array_equal(found.x, seen[-1])
    noisy = adamas.minimize(bowl, [1.0, 2.0], jac=True, lr=0.1, callback=callback, noisy=True, maxiter=9)
    assert noisy.nit == 9  # it is past its fourth call


def test_a_callback_is_told_the_value_or_the_point():
    told = []
    adamas.minimize(
        bowl, [1.0, 2.0], jac=True, lr=0.1, maxiter=3,
        callback=lambda intermediate_result: told.append(intermediate_result),
    )  # fmt: skip
    assert [r.nit for r in told] == [1, 2, 3]
    assert all(r.fun == bowl(r.x)[0] for r in told)


def test_what_a_callback_raises_is_raised():
    def callback(xk):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        adamas.minimize(bowl, [1.0], jac=True, callback=callback)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["value", "gradient"])
def test_what_is_not_finite_ends_with_the_best_finite_point(noisy, bad, where):
    points = []

    def fun(x):
        points.append(x)
        value, slope = bowl(x)
        if len(points) == 6:
            return (bad, slope) if where == "value" else (value, np.array([slope[0], bad]))
        return value, slope

    found = adamas.minimize(fun, [1.0, -1.0], jac=True, lr=0.1, noisy=noisy, history=True, maxiter=100)
    assert (found.success, found.status, found.nit, found.nfev) == (False, 3, 5, 6)
    assert "not finite: try a smaller lr" in found.message
    np.testing.assert_array_equal(found.x, points[4])
    assert len(found.history) == 6
    if where == "value":
        assert str(bad) in found.message
        np.testing.assert_equal(found.history[-1], bad)


def test_a_start_that_is_not_finite_says_so():
    found = adamas.minimize(lambda x: (np.nan, x), [1.0], jac=True)
    assert (found.success, found.nit, found.nfev) == (False, 0, 1)
    assert found.message == "After 0 steps the value is nan, which is not finite: start elsewhere."
    assert found.x.tolist() == [1.0]
    assert np.isnan(found.fun)


def test_ctrl_c_keeps_what_is_found(tmp_path):
    code = (
        "import adamas, time\n"
        "def fun(x):\n"
        "    print('.', flush=True)\n"
        "    time.sleep(0.02)\n"
        "    return float(x @ x), 2 * x\n"
        "found = adamas.minimize(fun, [3.0], jac=True, lr=0.1, gtol=0)\n"
        "print(found.status, found.success, found.nit > 3, found.fun < 9, found.message)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    for _ in range(10):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGINT)
    out = child.communicate(timeout=60)[0]
    assert "5 False True True Interrupted after" in out
