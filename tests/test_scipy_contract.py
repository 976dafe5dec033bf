"""SciPy's own tests of a method of ``minimize``, run on ours."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from scipy import optimize

import adamas

# In a process of its own, since SciPy's tests carry markers that this suite does not know. They ask for the method's
# name, and give a hess to all, which is refused.
THEIRS = """
import adamas
from scipy.optimize.tests import test_optimize as theirs

class Method(str):
    def __call__(self, *args, hess=None, **kwargs):
        return adamas.minimize(*args, **{"maxiter": 500, **kwargs})  # one of theirs bears 6,000 evaluations

def simple():
    case = theirs.TestOptimizeSimple()
    case.setup_method()
    return case

method = Method("adamas")
simple().test_minimize_callback_copies_array(method)
simple().test_no_increase(method)
simple().test_respect_maxiter(method)
simple().test_duplicate_evaluations(method)
for interface in (0, 1, 2):
    simple().test_callback_stopiteration(method, interface)
theirs.test_minimize_with_scalar(lambda fun, x0, **kwargs: adamas.minimize(fun, x0, lr=0.5, **kwargs))
print("passed")
"""


@pytest.mark.skipif(
    importlib.util.find_spec("scipy.optimize.tests") is None, reason="this SciPy comes without its tests"
)
def test_scipy_s_own_tests_of_a_method_pass():
    done = subprocess.run([sys.executable, "-c", THEIRS], capture_output=True, text=True)
    assert done.stdout == "passed\n", done.stderr


def test_the_documentation_s_example_of_a_method_of_one_s_own():
    start = [1.35, 0.9, 0.8, 1.1, 1.2]
    found = optimize.minimize(optimize.rosen, start, method=adamas.minimize, options={"lr": 0.02})
    np.testing.assert_allclose(found.x, 1.0, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("jac", [None, True, "2-point", optimize.rosen_der])
@pytest.mark.parametrize("bounds", [None, [(0, 2), (None, 3)], optimize.Bounds([0, -np.inf], [2, 3])])
def test_through_scipy_as_without_it(jac, bounds):
    def fun(x, scale):
        value = scale * optimize.rosen(x)
        return (value, scale * optimize.rosen_der(x)) if jac is True else value

    def slope(x, scale):
        return scale * optimize.rosen_der(x)

    kwargs = dict(args=(0.5,), jac=slope if callable(jac) else jac, bounds=bounds)
    options = dict(lr=0.02, maxiter=50)
    a = optimize.minimize(fun, [0.5, 1.0], method=adamas.minimize, options=options, **kwargs)
    b = adamas.minimize(fun, [0.5, 1.0], **options, **kwargs)
    np.testing.assert_array_equal(a.x, b.x)
    assert (a.fun, a.nit, a.status, a.message) == (b.fun, b.nit, b.status, b.message)
    assert isinstance(a, optimize.OptimizeResult)


def test_tol_is_of_use():
    loose, tight = (
        optimize.minimize(
            optimize.rosen, [0, 0], jac=optimize.rosen_der, method=adamas.minimize, tol=tol, options=dict(lr=0.02)
        )
        for tol in (1e-1, 1e-6)
    )
    assert loose.success
    assert tight.success
    assert loose.nit < tight.nit
    assert np.abs(tight.jac).max() <= 1e-6 < np.abs(loose.jac).max() <= 1e-1


@pytest.mark.parametrize(
    ("name", "value"),
    [("hess", optimize.rosen_hess), ("hessp", lambda x, p: p), ("constraints", {"type": "eq", "fun": lambda x: x[0]})],
)
def test_what_adam_has_no_use_for_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}: Adam uses gradients and bounds only"):
        optimize.minimize(optimize.rosen, [0, 0], method=adamas.minimize, **{name: value})
