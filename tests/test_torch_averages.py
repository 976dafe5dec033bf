"""eval() and train(): parameters that are averages for a while, in PyTorch."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import adamas
import adamas.torch


def problem(seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[list[torch.nn.Parameter], Any]:
    torch.manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(s).to(dtype)) for s in ((5, 3), (4,), (2, 2))], np.random.default_rng(seed)


def steps(opt: Any, params: Any, rng: Any, count: int) -> None:
    for _ in range(count):
        for p in params[:2]:  # the last one never has a gradient
            p.grad = torch.tensor(rng.normal(size=p.shape)).to(p.dtype)
        opt.step()


def test_schedule_free_has_the_x_of_the_numpy_optimizer() -> None:
    params, rng = problem(dtype=torch.float64)
    mine = [p.detach().numpy().copy() for p in params]
    opt = adamas.torch.ScheduleFreeAdamW(params, lr=0.1, weight_decay=0.1, warmup=3)
    same = adamas.ScheduleFreeAdamW(mine, lr=0.1, weight_decay=0.1, warmup=3)
    for _ in range(7):
        grads = [rng.normal(size=p.shape) for p in params[:2]]
        for p, g in zip(params, grads, strict=False):
            p.grad = torch.tensor(g)
        opt.step()
        same.step([*grads, None])
    y = [p.detach().clone() for p in params]
    opt.eval()
    x = same.eval_params()
    assert all(np.array_equal(p.detach().numpy(), e) for p, e in zip(params, x, strict=True))
    assert not torch.equal(params[0], y[0])
    assert torch.equal(params[2], y[2])
    opt.eval()  # once more changes nothing
    opt.train()
    assert all(map(torch.equal, params, y))
    opt.train()
    assert all(map(torch.equal, params, y))


@pytest.mark.parametrize(("name", "options"), [("ScheduleFreeAdamW", {}), ("AdamW", {"ema": 0.9})])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64])
def test_a_run_saved_in_eval_mode_goes_on_to_the_bit(name: str, options: Any, dtype: torch.dtype) -> None:
    kind = getattr(adamas.torch, name)
    params, rng = problem(dtype=dtype)
    opt = kind(params, lr=0.1, **options)
    steps(opt, params, rng, 4)
    opt.eval()
    file = io.BytesIO()
    torch.save({"model": [p.detach() for p in params], "optimizer": opt.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    later = copy.deepcopy(rng)
    opt.train()
    steps(opt, params, rng, 3)

    others, _ = problem(1, dtype)
    again = kind(others, lr=0.1, **options)
    with torch.no_grad():
        for p, value in zip(others, saved["model"], strict=True):
            p.copy_(value)
    again.load_state_dict(saved["optimizer"])
    with pytest.raises(RuntimeError, match=r"train\(\)"):
        again.step()
    again.train()
    steps(again, others, later, 3)
    assert all(map(torch.equal, params, others))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_made_in_eval_mode_trains_on(copied: Any) -> None:
    params, rng = problem()
    opt = adamas.torch.ScheduleFreeAdamW(params, lr=0.1)
    steps(opt, params, rng, 3)
    y = [p.detach().clone() for p in params]
    opt.eval()
    again = copied(opt)
    again.train()
    assert all(map(torch.equal, again.param_groups[0]["params"], y))
    assert not torch.equal(params[0], y[0])


def test_torchs_sgd_is_taken_over_though_it_counts_no_steps() -> None:
    params, rng = problem(dtype=torch.float64)
    old, options = torch.optim.SGD(params, lr=0.1, momentum=0.9, dampening=0.5), {"lr": 0.1, "momentum": 0.9}
    steps(old, params, rng, 3)
    others = [torch.nn.Parameter(p.detach().clone()) for p in params]
    mine = adamas.torch.SGD(others, **options, dampening=0.5)
    mine.load_state_dict(old.state_dict())
    steps(mine, others, np.random.default_rng(9), 3)
    steps(old, params, np.random.default_rng(9), 3)
    assert all(torch.allclose(p, q, rtol=1e-12) for p, q in zip(params, others, strict=True))


@pytest.mark.parametrize(
    ("name", "options"),
    [("RMSprop", {"momentum": 0.9}), ("RMSprop", {"centered": True}), ("Adagrad", {"initial_accumulator_value": 0.1})],
)
def test_what_torch_has_and_this_has_not_is_refused_also_from_a_file(name: str, options: Any) -> None:
    params, _ = problem()
    with pytest.raises(NotImplementedError, match=f"take torch.optim.{name}"):
        getattr(adamas.torch, name)(params, **options)
    saved = getattr(torch.optim, name)(params, **options).state_dict()
    with pytest.raises(NotImplementedError, match=f"take torch.optim.{name}"):
        getattr(adamas.torch, name)(params).load_state_dict({**saved, "state": {}})


def test_without_averages_eval_and_train_change_nothing() -> None:
    params, rng = problem()
    opt = adamas.torch.AdamW(params)
    steps(opt, params, rng, 1)
    before = [p.detach().clone() for p in params]
    opt.eval()
    assert all(map(torch.equal, params, before))
    steps(opt, params, rng, 1)
    assert not torch.equal(params[0], before[0])


def test_what_is_trained_must_fit_its_parameter() -> None:
    params, rng = problem()
    opt = adamas.torch.ScheduleFreeAdamW(params, lr=0.1)
    steps(opt, params, rng, 1)
    opt.eval()
    saved = copy.deepcopy(opt.state_dict())
    opt.train()
    before = [p.detach().clone() for p in params]
    wrong = ((torch.ones(2), ValueError), (3.0, TypeError), (torch.ones(5, 3, dtype=torch.cfloat), TypeError))
    for bad, error in wrong:
        saved["state"][0]["trained"] = bad
        with pytest.raises(error, match="trained"):
            opt.load_state_dict(saved)
        assert all(map(torch.equal, params, before))
