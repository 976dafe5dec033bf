"""``adamas.find_lr``: its proposals against grids, its plot, bad input."""

import json

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der
from test_minimize import GRADES, HOURS, beale, booth, bowl, himmelblau, line, rosenbrock

import adamas

GRID = np.geomspace(1e-4, 10, 11)

#: Function, start, and the steps of a run.
PROBLEMS = {
    "rosenbrock": (rosenbrock, (-1.2, 1.0), 4000),
    "beale": (beale, (1.0, 1.0), 2500),
    "himmelblau": (himmelblau, (-0.27, -0.9), 1500),
    "booth": (booth, (0.0, 0.0), 2000),
    "line": (lambda x: line(x, (HOURS, GRADES)), (50.0, 1.0), 2000),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_proposal_ends_within_a_twentieth_of_the_best_of_a_grid(name):
    fun, start, steps = PROBLEMS[name]
    proposed = adamas.find_lr(fun, start, jac=True).lr
    *grid, ours = (adamas.minimize(fun, start, jac=True, lr=lr, maxiter=steps).fun for lr in (*GRID, proposed))
    assert ours <= 1.05 * min(grid) + 1e-9
    assert max(grid) > 1.5 * ours + 1e-3  # and the grid holds rates that are not good


def test_sweeps_differ_by_the_order_of_the_data_and_repeat_with_the_seed():
    kwargs = dict(jac=True, data=(HOURS, GRADES), batch_size=3)
    one, two, other = (adamas.find_lr(line, (50.0, 1.0), seed=seed, **kwargs) for seed in (0, 0, 7))
    assert one.values.shape == one.smoothed.shape == (3, 200)
    assert not np.array_equal(one.values[0], one.values[1])
    np.testing.assert_array_equal(one.values, two.values)
    assert one.lr == two.lr == pytest.approx(np.sqrt(one.steepest * one.lowest))
    assert other.lr == pytest.approx(one.lr, rel=1)


def test_a_sweep_ends_where_it_blows_up():
    found = adamas.find_lr(rosen, [1.0, 2.0], jac=rosen_der, high=1e6)
    (line_,) = found.smoothed
    ends = int(np.argmax(np.isnan(line_)))
    assert 0 < ends < 200
    assert np.isnan(line_[ends:]).all()
    assert found.lr < found.lrs[ends]


def test_the_plot_shows_sweeps_and_proposal():
    found = adamas.find_lr(rosen, [-1.2, 1.0], jac=rosen_der)
    chart = found.plot().to_dict()
    rows = [row for rows in chart["datasets"].values() for row in rows]
    assert {row["lr"] for row in rows if "value" in row} <= set(found.lrs.tolist())
    assert [row["lr"] for row in rows if "text" in row] == [found.lr]
    json.dumps(chart)
    assert repr(found).startswith(f"LrRange(lr={found.lr!r}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(low=0), "expected 0 < low < high"),
        (dict(low=1, high=0.1), "expected 0 < low < high"),
        (dict(steps=5), "expected at least 10"),
        (dict(jac=lambda x: -rosen_der(x)), "does not fall at any learning rate from 1e-06 to 10"),
        (dict(rule="adm"), "did you mean 'adam'"),
        (dict(jac=lambda x: x * np.nan), "sweep 1 of 1 ended at once: After 0 steps the gradient is not finite"),
        (dict(x0=[np.nan]), "x0: element 0 is nan"),
    ],
)
def test_bad_input(changes, message):
    kwargs = dict(x0=[-1.2, 1.0], jac=rosen_der) | changes
    with pytest.raises(ValueError, match=message):
        adamas.find_lr(rosen, kwargs.pop("x0"), **kwargs)


def test_data_that_can_be_read_once_is_told():
    with pytest.raises(ValueError, match="sweep 2 of 3 ended at once: .* data gave no more batches"):
        adamas.find_lr(lambda x, batch: bowl(x), [1.0], jac=True, data=(i for i in range(200)))
