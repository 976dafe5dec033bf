"""Tasks: their data, their gradients, and that a seed decides everything."""

import importlib

import numpy as np
import pytest

from adamas import tasks
from adamas.runner import SCHEDULES

NAMES = list(tasks.REGISTRY)


def start(name, seed=0):
    task = tasks.get(name)
    return task, task.init(np.random.default_rng(seed)), task.data()


@pytest.mark.parametrize("name", NAMES)
def test_is_registered_under_its_name_and_complete(name):
    task, params, data = start(name)
    assert task.name == name
    assert task.schedule in SCHEDULES
    assert next(iter(data)) == "train"
    assert task.doc.endswith(".")
    for examples in data.values():
        assert len({len(a) for a in examples}) == 1
        assert "loss" in task.evaluate(params, examples)


def test_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match="unknown task 'digit-mlp'; did you mean 'digits-mlp'"):
        tasks.get("digit-mlp")


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_the_slopes_of_the_loss(name):
    task, params, data = start(name)
    params = {k: p.astype(np.float64) for k, p in params.items()}
    x, *rest = (a[:20] for a in data["train"])
    batch = (x.astype(np.float64), *rest)
    directions = np.random.default_rng(1)

    def loss(moved):
        return task.loss(moved, batch, np.random.default_rng(2))[0]  # the same dropout each time

    _, grads = task.loss(params, batch, np.random.default_rng(2))
    assert set(grads) == set(params)
    for name_, p in params.items():
        for _ in range(2):
            d = directions.standard_normal(p.shape)
            step = 1e-6 * d
            slope = (loss({**params, name_: p + step}) - loss({**params, name_: p - step})) / 2e-6
            assert slope == pytest.approx(np.sum(grads[name_] * d), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_everything(name):
    one, two, other = start(name), start(name), start(name, seed=1)
    for split in one[2]:
        for a, b in zip(one[2][split], two[2][split], strict=True):
            np.testing.assert_array_equal(a, b)
    for k, p in one[1].items():
        assert p.dtype == np.float32
        np.testing.assert_array_equal(p, two[1][k])
    assert any(not np.array_equal(p, other[1][k]) for k, p in one[1].items())
    batch = tuple(a[:64] for a in one[2]["train"])
    losses = [one[0].loss(one[1], batch, np.random.default_rng(s))[0] for s in (5, 5, 6)]
    assert losses[0] == losses[1] != losses[2]


def test_digits_are_split_without_overlap_and_each_digit_with_its_share():
    data = tasks.get("digits-mlp").data()
    (train, train_digits), (validation, validation_digits) = data["train"], data["validation"]
    assert train.shape == (1347, 64)
    assert validation.shape == (450, 64)
    assert train.dtype == np.float32
    assert train.min() == 0
    assert train.max() == 1
    np.testing.assert_allclose(np.bincount(validation_digits) / 450, np.bincount(train_digits) / 1347, atol=2e-3)


def test_evaluation_leaves_nothing_out():
    task, params, data = start("digits-mlp")
    module = importlib.import_module(tasks.REGISTRY["digits-mlp"])
    x, digits = data["validation"]
    h = x
    for i in range(1, module.LAYERS + 1):
        h = h @ params[f"w{i}"] + params[f"b{i}"]
        h = np.maximum(h, 0) if i < module.LAYERS else h
    p = np.exp(h) / np.exp(h).sum(axis=1, keepdims=True)
    metrics = task.evaluate(params, (x, digits))
    assert metrics["loss"] == pytest.approx(-np.log(p[np.arange(450), digits]).mean(), rel=1e-5)
    assert metrics["accuracy"] == (h.argmax(axis=1) == digits).mean()


def test_dropout_keeps_the_mean():
    module = importlib.import_module(tasks.REGISTRY["digits-mlp"])
    masks = module._masks(np.random.default_rng(0), 4000, np.dtype(np.float32))
    for mask, share in zip(masks, module.DROPOUT, strict=True):
        assert mask.mean() == pytest.approx(1, abs=0.01)
        assert (mask == 0).mean() == pytest.approx(share, abs=0.01)
