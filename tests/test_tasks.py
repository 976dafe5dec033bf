"""Tasks: their data, their gradients, and that a seed decides everything."""

import hashlib
import importlib
import subprocess
import sys

import numpy as np
import pytest

import adamas
from adamas import rules, tasks
from adamas.runner import SCHEDULES
from adamas.tasks import Task
from adamas.tasks.functions import FUNCTIONS

NAMES = list(tasks.REGISTRY)
#: Whose gradients are looked at here: PyTorch's have a file of their own (test_torch_tasks.py), noise has no slope.
SMOOTH = [name for name, module in tasks.REGISTRY.items() if name != "noisy-quadratic" and ".torch_" not in module]


def start(name, seed=0):
    task = tasks.get(name)
    return task, task.init(np.random.default_rng(seed)), task.data() if task.data else {}


def batch_of(data, examples):
    """The first examples, in float64; None of a function."""
    if not data:
        return None
    x, *rest = (a[:examples] for a in data["train"])
    return (x.astype(np.float64), *rest)


@pytest.mark.parametrize("name", NAMES)
def test_is_registered_under_its_name_and_complete(name):
    task, params, data = start(name)
    assert task.name == name
    assert task.schedule in SCHEDULES
    assert task.rule in rules.REGISTRY
    assert task.doc.endswith(".")
    assert next(iter(data), "train") == "train"
    for examples in data.values():
        assert len({len(a) for a in examples}) == 1
    for examples in data.values() or [None]:
        assert "loss" in task.evaluate(params, examples)


def test_every_module_of_a_task_is_registered():
    assert set(FUNCTIONS) <= set(NAMES)
    assert {tasks.get(name).name for name in NAMES} == set(NAMES)


def test_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match="unknown task 'digit-mlp'; did you mean 'digits-mlp'"):
        tasks.get("digit-mlp")


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_the_slopes_of_the_loss(name):
    task, params, data = start(name)
    directions = np.random.default_rng(1)
    params = {k: p + 0.1 * directions.standard_normal(p.shape) for k, p in params.items()}
    batch = batch_of(data, 20)

    def loss(moved):
        return task.loss(moved, batch, np.random.default_rng(2))[0]  # the same dropout each time

    _, grads = task.loss(params, batch, np.random.default_rng(2))
    assert set(grads) == set(params)
    for name_, p in params.items():
        for _ in range(2):
            d = directions.standard_normal(p.shape)
            step = 1e-6 * d
            slope = (loss({**params, name_: p + step}) - loss({**params, name_: p - step})) / 2e-6
            assert slope == pytest.approx(np.sum(grads[name_] * d), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_everything(name):
    one, two = start(name), start(name)
    for split in one[2]:
        for a, b in zip(one[2][split], two[2][split], strict=True):
            np.testing.assert_array_equal(a, b)
    for k, p in one[1].items():
        np.testing.assert_array_equal(p, two[1][k])
    batch = tuple(a[:64] for a in one[2]["train"]) if one[2] else None
    losses = [one[0].loss(one[1], batch, np.random.default_rng(s)) for s in (5, 5)]
    assert losses[0][0] == losses[1][0]
    for k, g in losses[0][1].items():
        np.testing.assert_array_equal(g, losses[1][1][k])


@pytest.mark.parametrize("name", ["digits-mlp", "ackley"])
def test_seeds_differ(name):
    (_, one, _), (_, other, _) = start(name), start(name, seed=1)
    assert any(not np.array_equal(p, other[k]) for k, p in one.items())


# ------------------------------------------------------------------------------------- functions


@pytest.mark.parametrize("name", FUNCTIONS)
def test_minima_are_minima(name):
    function, rng = FUNCTIONS[name], np.random.default_rng(0)
    for minimum in function.minima:
        assert function.value(minimum) == pytest.approx(0, abs=1e-12)
        np.testing.assert_allclose(function.gradient(minimum), 0, atol=1e-6)
        for _ in range(20):
            assert function.value(minimum + 0.01 * rng.standard_normal(minimum.shape)) > 0


@pytest.mark.parametrize("name", ["rosenbrock", "rosenbrock-5d", "beale", "himmelblau", "booth"])
def test_steps_and_rate_reach_a_millionth(name):
    function, task = FUNCTIONS[name], tasks.get(name)
    found = adamas.minimize(function.value, function.start, jac=function.gradient, lr=task.lr, maxiter=task.steps)
    assert found.fun < 1e-6


def test_the_noise_of_the_quadratic_is_unit_noise():
    task, params, _ = start("noisy-quadratic")
    rng = np.random.default_rng(0)
    noise = np.concatenate([task.loss(params, None, rng)[1]["x"] - params["x"] for _ in range(200)])
    assert noise.mean() == pytest.approx(0, abs=0.03)
    assert noise.std() == pytest.approx(1, abs=0.02)


# ------------------------------------------------------------------------------------------ data


def test_passages_are_of_one_chapter_and_of_one_split():
    module = importlib.import_module("adamas.tasks.logreg_topics")
    found = module.passages()
    texts = [text for text, _ in found]
    assert len(set(texts)) == len(texts) > 500
    from pydoc_data.topics import topics

    chapters = [" ".join(topics[chapter].split()) for chapter in module.CHAPTERS]
    for text, label in found[::25]:
        assert [i for i, chapter in enumerate(chapters) if text in chapter] == [label]
    data = module.data()
    assert sum(len(x) for x, _ in data.values()) == len(found)
    for x, labels in data.values():
        assert set(np.unique(x)) == {0, 1}
        assert x.mean() < 0.02
        assert set(labels) == set(range(10))


def test_the_text_s_checksum_is_a_fact():
    (checksum,) = tasks.get("logreg-topics").facts().values()
    assert len(checksum) == len(hashlib.sha256().hexdigest())
    assert tasks.get("digits-mlp").facts() == {}


def test_the_line_s_optimum_is_that_of_least_squares():
    task, params, data = start("line-fit")
    assert task.evaluate({"theta": np.array([58.90281291, 2.72440418])}, data["train"])["distance"] < 1e-8
    assert task.evaluate(params, data["train"])["distance"] > 1


# ----------------------------------------------------------------------------------- one's own

OWN = """
import numpy as np
from adamas.tasks import Task

task = Task(
    name="bowl",
    doc="A bowl.",
    init=lambda rng: {"x": np.full(3, 2.0)},
    loss=lambda params, batch, rng: (float(params["x"] @ params["x"]), {"x": 2 * params["x"]}),
    evaluate=lambda params, examples: {"loss": float(params["x"] @ params["x"])},
    lr=0.1,
    steps=200,
)
other = 3
"""


def test_one_s_own_task_is_found_in_the_current_folder(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    code = "from adamas import tasks; print(tasks.get('mine:task').doc)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "A bowl.\n", done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere_at_all:task", "there is no module 'nowhere_at_all' here"),
        (":task", "expected module:attribute, as in mytask:task"),
        ("json:", "expected module:attribute"),
        (".json:task", "expected module:attribute"),
        ("path/to/json.py:task", "expected module:attribute"),
        ("json.py:task", "expected module:attribute"),
        ("json.nowhere.task:task", "there is no module 'json.nowhere.task' here"),
        ("json:task", "json has no 'task'; make one with adamas.tasks.Task"),
        ("json:dumps", "json has a function, not a Task, as 'dumps'"),
        ("adamas.tasks.line_fit:tsk", "adamas.tasks.line_fit has no 'tsk'; it has task"),
    ],
)
def test_a_task_that_is_none_is_told(name, message):
    with pytest.raises(ValueError, match=message):
        tasks.get(name)


def test_what_one_s_own_task_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / "lacking.py").write_text("import nowhere_at_all")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(ValueError, match="lacking needs nowhere_at_all, which is not installed"):
        tasks.get("lacking:task")


@pytest.mark.parametrize(
    ("changes", "length"),
    [
        ({}, (None, None, 1000)),
        (dict(steps=5), (None, None, 5)),
        (dict(data=dict), (10, 32, None)),
        (dict(data=dict, epochs=5), (5, 32, None)),
    ],
)
def test_a_task_has_the_length_of_its_kind(changes, length):
    task = Task("bowl", "A bowl.", init=len, loss=len, evaluate=len, **changes)
    assert (task.epochs, task.batch_size, task.steps) == length


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(epochs=3), "task bowl: epochs=3: a function, without data, has steps"),
        (dict(batch_size=3), "batch_size=3: a function, without data, has steps"),
        (dict(data=dict, steps=3), "steps=3: a task with data has epochs and batch_size"),
        (dict(steps=0), "steps=0: expected a whole number of at least 1"),
        (dict(data=dict, epochs=2.5), "epochs=2.5: expected a whole number"),
        (dict(steps=True), "steps=True: expected a whole number"),
    ],
)
def test_a_length_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Task("bowl", "A bowl.", init=len, loss=len, evaluate=len, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(name=""), "name=''"),
        (dict(doc=None), "doc=None"),
        (dict(loss=3), "loss=3: expected a function"),
        (dict(data=3), "data=3"),
    ],
)
def test_a_task_checks_itself(changes, message):
    good = dict(name="bowl", doc="A bowl.", init=len, loss=len, evaluate=len)
    with pytest.raises(TypeError, match=message):
        Task(**{**good, **changes})


# ---------------------------------------------------------------------------------- digits-mlp


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
