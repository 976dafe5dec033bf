"""What a user changes between two steps, in groups, states or parameters, is noticed at the next."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_cases import (
    EXCHANGED,
    check_agreement,
    check_states,
    clones,
    gradients,
    held,
    one_thread,  # noqa: F401
    ours,
    pair,
    parameters,
    theirs,
    train,
)


def edit_replace(opt: Any, p: Tensor) -> None:
    opt.state[p]["exp_avg"] = torch.full_like(p, 0.5)


def edit_in_place(opt: Any, p: Tensor) -> None:
    opt.state[p]["exp_avg_sq"].mul_(4)


def edit_forget(opt: Any, p: Tensor) -> None:
    del opt.state[p]


def edit_forget_all(opt: Any, p: Tensor) -> None:
    opt.state.clear()


def edit_step(opt: Any, p: Tensor) -> None:
    opt.state[p]["step"] = torch.tensor(100.0)


def edit_step_in_place(opt: Any, p: Tensor) -> None:
    opt.state[p]["step"].fill_(100)


def edit_whole_entry(opt: Any, p: Tensor) -> None:
    opt.state[p] = {k: x.clone() * 2 for k, x in opt.state[p].items()}


def edit_data(opt: Any, p: Tensor) -> None:
    p.data = p.detach() * 2 + 1


def edit_data_layout(opt: Any, p: Tensor) -> None:
    p.data = p.detach().t().contiguous().t() * 2


def edit_parameter(opt: Any, p: Tensor) -> None:
    """A new parameter starts without state; the old one is left alone."""
    opt.param_groups[0]["params"][0] = nn.Parameter(p.detach() + 1)


def edit_parameter_in_place(opt: Any, p: Tensor) -> None:
    with torch.no_grad():
        p.add_(1)


def edit_freeze(opt: Any, p: Tensor) -> None:
    opt.param_groups[0]["params"].pop()
    opt.add_param_group({"params": [nn.Parameter(torch.ones(7, dtype=torch.float64))]})


EDITS = [
    edit_replace,
    edit_in_place,
    edit_forget,
    edit_forget_all,
    edit_step,
    edit_step_in_place,
    edit_whole_entry,
    edit_data,
    edit_data_layout,
    edit_parameter,
    edit_parameter_in_place,
    edit_freeze,
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda f: f.__name__)
def test_edits_between_steps_count_as_in_torch(edit: Callable[[Any, Tensor], None]) -> None:
    start = parameters([(3, 5), (7,)], torch.float64)
    grads = gradients(start, 10)
    made = pair("Adam", start, lr=0.01)
    olds = []
    for opt in made:
        train(opt, grads[:5])
        old = held(opt)[0]
        edit(opt, old)
        olds.append(old.detach().clone())
        train(opt, grads[5:])
        if held(opt)[0] is not old:
            assert torch.equal(old, olds[-1])
    for p, q in zip(held(made[0]), held(made[1]), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
    check_states(*made, rtol=1e-12, atol=1e-12)


def test_a_replaced_tensor_is_not_written_elsewhere() -> None:
    """What was taken out of the state is the user's; what was put in is read, and shows the state from then on."""
    (p,) = parameters([(4,)])
    opt = ours("Adam")([p])
    train(opt, gradients([p], 1))
    old = opt.state[p]["exp_avg"]
    kept = old.clone()
    opt.state[p]["exp_avg"] = torch.zeros(4)
    p.grad = torch.ones(4)
    opt.step()
    assert torch.equal(old, kept)
    torch.testing.assert_close(opt.state[p]["exp_avg"], torch.full((4,), 0.1))


@pytest.mark.parametrize("wrong", [torch.zeros(3), torch.zeros(4, dtype=torch.complex64), "text", None], ids=str)
def test_a_wrong_tensor_put_into_the_state_is_refused(wrong: Any) -> None:
    (p,) = parameters([(4,)])
    opt = ours("Adam")([p])
    train(opt, gradients([p], 1))
    before = p.detach().clone()
    opt.state[p]["exp_avg"] = wrong
    with pytest.raises((ValueError, TypeError), match="exp_avg"):
        opt.step()
    assert torch.equal(p, before)


@pytest.mark.parametrize("name", EXCHANGED)
def test_groups_added_while_training(name: str) -> None:
    start = parameters([(3, 5), (7,), (2,)], torch.float64)
    grads = gradients(start, 15)
    made = []
    for cls in (ours(name), theirs(name)):
        params = clones(start)
        opt = cls(params[:1], lr=0.01)
        train(opt, [row[:1] for row in grads[:5]])
        opt.add_param_group({"params": params[1:2], "lr": 0.1, "weight_decay": 0.2})
        train(opt, [row[:2] for row in grads[5:10]])
        opt.add_param_group({"params": params[2]})
        train(opt, grads[10:])
        made.append(opt)
    check_agreement(*made, start, rtol=1e-6, atol=1e-6)
    assert [float(made[0].state[p]["step"]) for p in held(made[0])] == [15, 10, 5]


def test_a_parameter_unfrozen_while_training() -> None:
    start = parameters([(3,), (4,)], torch.float64)
    grads: list[list[Tensor | None]] = [list(row) for row in gradients(start, 10)]
    for row in grads[:5]:
        row[1] = None
    made = pair("AdamW", start)
    for opt in made:
        held(opt)[1].requires_grad_(False)
        train(opt, grads[:5])
        held(opt)[1].requires_grad_(True)
        train(opt, grads[5:])
    check_agreement(*made, start, rtol=1e-12, atol=1e-12)


def test_a_module_moved_to_another_dtype_trains_on() -> None:
    """model.double() replaces the memory of the parameters under the optimizer."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    opt = ours("Adam")(model.parameters(), lr=0.1)
    for dtype in (torch.float32, torch.float64):
        model.to(dtype)
        opt.zero_grad()
        before = model.weight.detach().clone()
        model(torch.ones(1, 3, dtype=dtype)).sum().backward()
        opt.step()
        torch.testing.assert_close(model.weight, before - 0.1, rtol=1e-5, atol=1e-5)


def test_a_parameter_that_moves_to_another_group_is_stepped_as_that_one() -> None:
    a, b, c = (nn.Parameter(torch.ones(2)) for _ in range(3))
    opt = ours("Adam")([{"params": [a, b], "lr": 0.1}, {"params": [c], "lr": 0.01}])
    for step in range(2):
        for p in (a, b, c):
            p.grad = torch.ones_like(p)
        if step:
            opt.param_groups[1]["params"].insert(0, opt.param_groups[0]["params"].pop())
        opt.step()
    assert torch.allclose(torch.stack([a, b, c]), torch.tensor([[0.8], [0.89], [0.98]]).expand(3, 2), atol=1e-5)


def test_options_of_the_whole_may_change_or_refuse_to() -> None:
    p = nn.Parameter(torch.ones(3))
    opt = ours("AdamW")([p], ema=0.9)
    opt.max_grad_norm, opt.nonfinite = 0.5, "skip"
    p.grad = torch.full_like(p, float("nan"))
    opt.step()
    assert opt.skipped_steps == 1
    p.grad = torch.ones_like(p)
    opt.step()
    assert opt.last_step.clip == pytest.approx(0.5 / 3**0.5, rel=1e-5)
    with pytest.raises(ValueError, match="nonfinite='never'"):
        opt.nonfinite = "never"
    for name in ("ema", "diagnostics_every"):
        with pytest.raises(AttributeError):
            setattr(opt, name, 1)


def test_a_reference_to_a_state_outlives_a_new_parameter() -> None:
    a, b = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    opt = ours("Adam")([a, b])
    a.grad = torch.ones_like(a)
    opt.step()
    held = opt.state[a]
    b.grad = torch.ones_like(b)
    opt.step()
    assert held is opt.state[a]
    assert held["step"] == 2
    held["exp_avg"] = torch.full((3,), 5.0)
    opt.step()
    assert held["exp_avg"].max().item() == pytest.approx(4.6)


def test_a_state_that_is_given_before_the_first_step_is_heeded() -> None:
    p = nn.Parameter(torch.ones(3))
    opt = ours("Adam")([p], nonfinite="skip")
    entry = opt.state[p]
    p.grad = torch.full_like(p, float("nan"))
    opt.step()
    entry |= {"step": torch.tensor(3.0), "exp_avg": torch.ones(3), "exp_avg_sq": torch.ones(3)}
    p.grad = torch.ones_like(p)
    opt.step()
    assert opt.state[p]["step"] == 4
    assert opt.state[p]["exp_avg"].max().item() == pytest.approx(1.0)


@pytest.mark.parametrize("count", [float("nan"), -1.0, 2.5])
def test_a_step_count_that_is_none_is_refused(count: float) -> None:
    p = nn.Parameter(torch.ones(3))
    opt = ours("Adam")([p])
    p.grad = torch.ones_like(p)
    opt.step()
    before = p.detach().clone()
    opt.state[p]["step"].fill_(count)
    with pytest.raises(ValueError, match="step is .*, expected a whole number"):
        opt.step()
    assert torch.equal(p, before)


def test_two_optimizers_may_share_a_state() -> None:
    """As a shallow copy does."""
    ends = []
    for library in (ours, theirs):
        p = nn.Parameter(torch.ones(2, dtype=torch.float64))
        opt = library("Adam")([p], lr=0.1)
        shared = None
        for i, x in enumerate((1.0, 2.0, -3.0, 1.0, -2.0)):
            p.grad = torch.full_like(p, x)
            (shared if shared is not None and i % 2 else opt).step()
            shared = shared or copy.copy(opt)
        ends.append((p, opt.state[p]["exp_avg"], opt.state[p]["step"]))
    assert ends[0][2] == ends[1][2] == 5
    assert all(torch.allclose(mine, other, rtol=1e-12) for mine, other in zip(ends[0][:2], ends[1][:2], strict=True))


def test_a_codec_that_is_set_later_and_does_not_fit_is_refused_with_torchs_remedy() -> None:
    p = nn.Parameter(torch.ones(3))
    opt = ours("Adam")([p])
    p.grad = torch.ones(3)
    opt.step()
    opt.param_groups[0]["state"] = "factored"
    with pytest.raises(ValueError, match="parameter 0: factored needs .* put it into a group with state='float32'"):
        opt.step()
    opt.param_groups[0]["state"] = "float32"
    opt.step()
    assert opt.state[p]["step"] == 2
