"""What combines with any rule: cautious masks, clipped updates, decay that does not depend on lr."""

from __future__ import annotations

import pickle
from typing import Any

import cases
import numpy as np
import pytest
import torch

import adamas
import adamas.torch
from adamas import compose, rules

OPTIONS: list[dict[str, Any]] = [
    {"cautious": True},
    {"clip_update": 0.3},
    {"decouple_lr": 1e-2, "weight_decay": 1e-3},
    {"cautious": True, "clip_update": 0.3, "decouple_lr": True, "weight_decay": 1e-3},
]


def run(options: dict[str, Any], name: str = "AdamW", count: int = 6, **more: Any) -> np.ndarray:
    rng = np.random.default_rng(3)
    p = rng.normal(size=(60, 50)).astype(np.float32)
    opt = getattr(adamas, name)(p, **options, **more)
    for _ in range(count):
        opt.step(rng.normal(size=p.shape).astype(np.float32))
    return p


@pytest.mark.parametrize("options", OPTIONS)
def test_kernels_the_reference_and_torch_agree_in_every_bit(options: dict[str, Any]) -> None:
    p = run(options)
    assert cases.same_bits(p, run(options, backend="reference"))
    assert not np.array_equal(p, run({}))
    rng = np.random.default_rng(3)
    x = torch.nn.Parameter(torch.tensor(rng.normal(size=p.shape).astype(np.float32)))
    opt = adamas.torch.AdamW([x], **{"weight_decay": 1e-2, **options})
    for _ in range(6):
        x.grad = torch.tensor(rng.normal(size=p.shape).astype(np.float32))
        opt.step()
    assert cases.same_bits(p, x.detach().numpy())


def test_cautious_is_its_papers_algorithm() -> None:
    rng = np.random.default_rng(0)
    p = rng.normal(size=40)
    plain = p.copy()
    mine, other = adamas.AdamW(p, cautious=True, weight_decay=0.0), adamas.AdamW(plain, weight_decay=0.0)
    for _ in range(8):
        g, before, start = rng.normal(size=40), p.copy(), plain.copy()
        mine.step(g)
        other.step(g)
        update = start - plain
        mask = update * g > 0
        np.testing.assert_allclose(before - p, update * mask / max(mask.mean(), 1e-3), rtol=1e-9)
    assert 0 < mask.sum() < 40


def test_a_nan_is_not_masked_away() -> None:
    p = np.ones(4)
    adamas.AdamW(p, cautious=True).step(np.array([1.0, np.nan, 1.0, 1.0]))
    assert np.isnan(p).tolist() == [False, True, False, False]


def test_a_clipped_update_has_the_root_mean_square_asked_for() -> None:
    p = np.zeros((30, 4))
    opt = adamas.Lion({"a": p, "b": np.zeros(3)}, lr=1.0, clip_update=0.25, groups={"b": {"clip_update": 10.0}})
    opt.step({"a": np.random.default_rng(0).normal(size=p.shape), "b": np.ones(3)})
    assert np.sqrt((p**2).mean()) == pytest.approx(0.25)
    assert opt.params["b"].tolist() == [-1.0] * 3  # a sign is below 10


def test_fully_decoupled_decay_does_not_depend_on_lr() -> None:
    """The share that is lost in 100 steps without a gradient is (1 − wd)¹⁰⁰ whatever lr is, and 0 where lr is 0."""
    for lr in (1e-4, 1e-2):
        p = np.ones(1)
        opt = adamas.AdamW(p, lr=lr, weight_decay=1e-3, decouple_lr=True)
        for _ in range(100):
            opt.step(np.zeros(1))
        assert p[0] == pytest.approx(0.999**100)
        opt.param_groups[0]["lr"] = 0.0
        before = p.copy()
        opt.step(np.ones(1))
        assert p == before
    half = np.ones(1)
    adamas.AdamW(half, lr=lambda t: 0.5, weight_decay=0.1, decouple_lr=1.0).step(np.zeros(1))
    assert half[0] == pytest.approx(0.95)


def test_each_group_has_its_own_reference_lr() -> None:
    params = {"a": np.ones(1), "b": np.ones(1)}
    opt = adamas.AdamW(params, lr=1e-3, weight_decay=0.1, decouple_lr=True, groups={"b": {"lr": 1e-1}})
    opt.step({"a": np.zeros(1), "b": np.zeros(1)})
    assert params["a"][0] == params["b"][0] == pytest.approx(0.9)
    x, y = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    groups = [{"params": [x]}, {"params": [y], "lr": 0.1}]
    theirs = adamas.torch.AdamW(groups, lr=1e-3, weight_decay=0.1, decouple_lr=True)
    torch.optim.lr_scheduler.LambdaLR(theirs, lambda t: 0.5)
    x.grad, y.grad = torch.zeros(1), torch.zeros(1)
    theirs.step()
    assert x.item() == y.item() == pytest.approx(0.95)


def test_options_survive_pickle_and_state_dict() -> None:
    rng = np.random.default_rng(1)
    p = rng.normal(size=9)
    opt = adamas.AdamW(p, cautious=True, clip_update=0.5, decouple_lr=True)
    opt.step(rng.normal(size=9))
    again = pickle.loads(pickle.dumps(opt))
    g = rng.normal(size=9)
    opt.step(g)
    again.step(g)
    assert np.array_equal(p, again.params)
    assert again.param_groups[0]["decouple_lr"] == 1e-3
    x = torch.nn.Parameter(torch.ones(3))
    theirs = adamas.torch.AdamW([x], cautious=True, clip_update=0.5)
    twin = pickle.loads(pickle.dumps(theirs))
    assert twin.cautious
    assert "cautious: True" in repr(twin)
    theirs.load_state_dict(torch.optim.AdamW([x]).state_dict())
    assert theirs.param_groups[0]["clip_update"] == 0.5
    opt.load_state_dict(adamas.AdamW(p.copy(), lr=0.3).state_dict())  # what is declared here stays
    assert (opt.param_groups[0]["lr"], opt.param_groups[0]["clip_update"]) == (0.3, 0.5)
    assert "cautious=True" in repr(opt)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Adam", {"decouple_lr": 1e-3}, "AdamW"),
    ("LAMB", {"decouple_lr": 1e-3}, "AdamW"),
    ("Prodigy", {"decouple_lr": 1e-3}, "AdamW"),
    ("ScheduleFreeAdamW", {"cautious": True}, "cautious"),
    ("DAdaptAdam", {"clip_update": 1.0}, "clip_update"),
    ("AdamW", {"clip_update": 0.0}, "outside"),
    ("AdamW", {"decouple_lr": -1.0}, "outside"),
    ("AdamW", {"decouple_lr": True, "lr": 0.0}, "lr is 0"),
    ("LAMB", {"clip_update": 0.1}, "by itself"),
    ("ScheduleFreeAdamW", {"ema": 0.9}, "average of its own"),
    ("AdamW", {"cautious": 1}, "True or False"),
]


@pytest.mark.parametrize(("name", "options", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    for make in (
        lambda: getattr(adamas, name)(np.ones(2), **options),
        lambda: getattr(adamas.torch, name)([torch.nn.Parameter(torch.ones(2))], **options),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            make()


def test_a_schedule_needs_a_reference_lr_and_a_group_the_optimizers_option() -> None:
    with pytest.raises(ValueError, match="largest value"):
        adamas.AdamW(np.ones(2), lr=lambda t: 0.1, decouple_lr=True)
    x = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match="give clip_update to the optimizer"):
        adamas.torch.AdamW([{"params": [x], "clip_update": 0.5}])


@pytest.mark.parametrize("name", [n for n, rule in rules.REGISTRY.items() if rule.combines])
def test_every_rule_that_combines_descends_with_cautious_clipped_updates(name: str) -> None:
    p = np.ones((4, 3))
    options: dict[str, Any] = {"d0": 0.1} if "d0" in rules.get(name).hyper else {"lr": 0.05}
    if not any(stage.measures for stage in rules.get(name).after):
        options["clip_update"] = 0.7
    opt = adamas.optimizer_class(name)(p, cautious=True, backend="reference", **options)
    for _ in range(20):
        opt.step(2 * p)
    assert (p**2).sum() < 0.95 * 12


def test_without_options_a_rule_is_itself() -> None:
    rule = rules.get("adamw")
    assert compose.composed(rule, frozenset()) is rule
