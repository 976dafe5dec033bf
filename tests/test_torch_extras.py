"""What adamas.torch has beside torch.optim: groups, steps in backward, averages, diagnostics; and torch.compile."""

from __future__ import annotations

import copy
import itertools
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo import config as dynamo
from torch._dynamo.utils import counters
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch_cases import (
    DENSE,
    clones,
    equal_trees,
    gradients,
    held,
    one_thread,  # noqa: F401
    ours,
    parameters,
    snapshot,
    theirs,
    train,
    unchanged,
)

import adamas
from adamas.torch import in_backward, param_groups

# -------------------------------------------------------------------------------- param_groups


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.mlp = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.head = nn.Linear(4, 10)


def named(groups: Any) -> dict[str, tuple[Tensor, dict[str, Any]]]:
    """Name → parameter and its group; every name once."""
    pairs = [(name, (p, group)) for group in groups for name, p in group["params"]]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_biases_and_norms_are_not_decayed() -> None:
    """Also the norm that is called "mlp.0.weight"."""
    model = Net()
    found = named(param_groups(model, weight_decay=0.3))
    assert {n: id(p) for n, (p, _) in found.items()} == {n: id(p) for n, p in model.named_parameters()}
    decayed = {name for name, (_, group) in found.items() if group["weight_decay"] == 0.3}
    assert decayed == {name for name, p in model.named_parameters() if p.ndim == 2}
    assert all(group["weight_decay"] == 0 for name, (_, group) in found.items() if name not in decayed)
    assert "blocks.0.mlp.0.weight" not in decayed


@pytest.mark.parametrize("library", [ours, theirs], ids=["adamas", "torch"])
def test_groups_are_an_optimizers(library: Callable[[str], type[Any]]) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    opt = library("AdamW")(param_groups(model, weight_decay=0.5), lr=0.1)
    names = [name for group in opt.param_groups for name in group["param_names"]]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    opt.step()
    for name, p in model.named_parameters():
        factor = 0.95 if p.ndim == 2 else 1.0
        torch.testing.assert_close(p.detach(), before[name] * factor)


def test_layers_have_smaller_steps_the_earlier_they_are() -> None:
    model = Net()
    found = named(param_groups(model, lr=0.1, layer_decay=0.5))
    rates = [
        {group["lr"] for name, (_, group) in found.items() if name.startswith(prefix)}
        for prefix in ("embedding", "blocks.0", "blocks.1", "blocks.2", "head")
    ]
    assert [len(r) for r in rates] == [1] * 5
    assert [r.pop() for r in rates] == pytest.approx([0.1 * 0.5**k for k in (4, 3, 2, 1, 0)])
    assert found["blocks.1.norm1.weight"][1]["weight_decay"] == 0
    assert found["head.weight"][1]["weight_decay"] == 0.01


def test_groups_print_as_a_table() -> None:
    model = Net()
    groups = param_groups(model, lr=0.1, layer_decay=0.5)
    head, *rows = str(groups).splitlines()
    assert len(rows) == len(groups)
    assert "weight_decay" in head
    for row, group in zip(rows, groups, strict=True):
        assert f"{sum(p.numel() for _, p in group['params']):,}" in row.split()
        assert f"{group['lr']:.3g}" in row.split()


def test_frozen_and_tied_parameters_in_groups() -> None:
    model = Net()
    model.head.weight = model.embedding.weight
    model.blocks[0].requires_grad_(False)
    found = named(param_groups(model))
    assert "embedding.weight" in found
    assert not any(name == "head.weight" or name.startswith("blocks.0") for name in found)


def test_words_of_no_decay() -> None:
    model = Net()
    decayed = {
        n for n, (_, group) in named(param_groups(model, no_decay=("embedding",))).items() if group["weight_decay"]
    }
    assert decayed == {n for n, _ in model.named_parameters()} - {"embedding.weight"}
    assert len(param_groups(model, no_decay=())) == 1
    for wrong in ({"no_decay": ("emebdding",)}, {"layer_decay": 0.5}, {"lr": 0.1, "layer_decay": 1.5}):
        with pytest.raises(ValueError, match=next(reversed(wrong))):
            param_groups(model, **wrong)


# --------------------------------------------------------------------------- steps in backward


def network(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)).to(dtype)


def batches(count: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    return [torch.randn(6, 5, generator=random).to(dtype) for _ in range(count)]


def loss_of(model: nn.Module, x: Tensor) -> Tensor:
    return (model(x) - x[:, :2]).square().mean()


def trained_in_backward(cls: type[Any], accumulate: int, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
    model = network(dtype)
    opt = in_backward(model, cls, accumulate=accumulate, **options)
    for i, x in enumerate(batches(12, dtype), 1):
        loss_of(model, x).backward()
        left = [p.grad is not None for p in model.parameters()]
        assert left == [i % accumulate != 0] * len(left)
        opt.step()
        opt.zero_grad(set_to_none=True) if i % accumulate == 0 else None
    return model, opt


def trained_plainly(cls: type[Any], accumulate: int, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
    model = network(dtype)
    opt = cls(model.named_parameters(), **options)
    for i, x in enumerate(batches(12, dtype), 1):
        loss_of(model, x).backward()
        if i % accumulate == 0:
            opt.step()
            opt.zero_grad()
    return model, opt


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("name", [n for n in DENSE if n != "Prodigy"])
def test_steps_in_backward_are_plain_steps(name: str, accumulate: int) -> None:
    """In every bit, with gradients freed after the last of the passes that are added up."""
    mine, other = (f(ours(name), accumulate, torch.float32, lr=0.05) for f in (trained_in_backward, trained_plainly))
    assert equal_trees(snapshot(mine[1]), snapshot(other[1]))
    assert not equal_trees([p.detach() for p in mine[0].parameters()], [p.detach() for p in network().parameters()])


def test_steps_in_backward_with_all_that_goes_with_them() -> None:
    options = {"lr": 0.05, "weights": "stochastic", "ema": 0.9, "seed": 4, "maximize": False, "diagnostics_every": 1}
    mine, other = (f(ours("AdamW"), 2, torch.bfloat16, **options) for f in (trained_in_backward, trained_plainly))
    assert equal_trees(snapshot(mine[1]), snapshot(other[1]))
    assert mine[1].diagnostics().tensors == other[1].diagnostics().tensors


def test_schedules_groups_and_states_of_steps_in_backward() -> None:
    results = []
    for inside in (False, True):
        model = network()
        groups = param_groups(model, weight_decay=0.1)
        opt = in_backward(groups, ours("AdamW"), lr=0.1) if inside else ours("AdamW")(groups, lr=0.1)
        scheduler = lr_scheduler.ExponentialLR(opt, 0.8)
        for i, x in enumerate(batches(10)):
            loss_of(model, x).backward()
            opt.step()
            scheduler.step()
            opt.zero_grad()
            if i == 5:
                opt.load_state_dict(copy.deepcopy(opt.state_dict()))
        results.append(snapshot(opt))
    assert equal_trees(*results)


def test_tied_weights_are_stepped_once_when_complete() -> None:
    results = []
    for inside in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 5))
        model[2].weight = model[0].weight
        opt = in_backward(model, ours("Adam"), lr=0.1) if inside else ours("Adam")(model.named_parameters(), lr=0.1)
        for x in batches(5):
            model(x).square().mean().backward()
            opt.step()
            opt.zero_grad()
        results.append(snapshot(opt))
    assert equal_trees(*results)


def test_parts_of_a_model_that_a_loss_does_not_reach() -> None:
    """A parameter with a gradient from the first of two passes alone is stepped after the second."""
    results = []
    for inside in (False, True):
        a, b = parameters([(3,), (4,)])
        params = [("a", a), ("b", b)]
        opt = in_backward(params, ours("Adam"), accumulate=2, lr=0.1) if inside else ours("Adam")(params, lr=0.1)
        for t in range(6):
            (a.square().sum() if t % 2 else (a.square().sum() + b.square().sum())).backward()
            if t % 2 and not inside:
                opt.step()
                opt.zero_grad()
        assert a.grad is None
        assert b.grad is None
        results.append(snapshot(opt))
    assert equal_trees(*results)


def test_parameters_that_join_later() -> None:
    """Unfrozen, or in a new group."""
    a, b, c = parameters([(3,), (4,), (5,)])
    b.requires_grad_(False)
    opt = in_backward([a, b], ours("Adam"), lr=0.5, eps=0.0)
    b.requires_grad_(True)
    opt.add_param_group({"params": [c]})
    before = [p.detach().clone() for p in (a, b, c)]
    sum(p.sum() for p in (a, b, c)).backward()
    for p, old in zip((a, b, c), before, strict=True):
        torch.testing.assert_close(p.detach(), old - 0.5)
        assert p.grad is None


def test_gradients_are_freed_within_backward() -> None:
    """When the first layer's gradient is made, those of all later layers are gone."""
    model = network()
    in_backward(model, ours("AdamW"))
    left: list[list[bool]] = []
    model[0].weight.register_hook(lambda _: left.append([p.grad is not None for p in model[2:].parameters()]))
    loss_of(model, batches(1)[0]).backward()
    assert left == [[False] * 4]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("AdamW", {"max_grad_norm": 1.0}),
        ("AdamW", {"nonfinite": "skip"}),
        ("AdamW", {"nonfinite": "raise"}),
        ("Prodigy", {}),
        ("AdamW", {"accumulate": 0}),
        ("AdamW", {"accumulate": 1.5}),
    ],
    ids=str,
)
def test_what_needs_all_gradients_is_refused_in_backward(name: str, options: dict[str, Any]) -> None:
    model = network()
    with pytest.raises((ValueError, TypeError)):
        in_backward(model, ours(name), **options)
    before = [p.detach().clone() for p in model.parameters()]
    loss_of(model, batches(1)[0]).backward()  # no hook is left behind
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


def test_only_our_classes_step_in_backward() -> None:
    for wrong in (torch.optim.Adam, "AdamW", ours("Adam")(parameters())):
        with pytest.raises(TypeError, match="class"):
            in_backward(network(), wrong)


# ------------------------------------------------------------------------------------ averages


@pytest.mark.parametrize("name", ["AdamW", "NAdam", "LAMB"])
def test_averages_are_those_of_swa_utils(name: str) -> None:
    model = network(torch.float64)
    opt = ours(name)(model.parameters(), lr=0.05, ema=0.9)
    other = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for x in batches(20, torch.float64):
        opt.zero_grad()
        loss_of(model, x).backward()
        opt.step()
        other.update_parameters(model)
    raw = [p.detach().clone() for p in model.parameters()]
    x = batches(1, torch.float64)[0]
    with opt.averaged():
        for p, q in zip(model.parameters(), other.module.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(model(x), other(x), rtol=1e-12, atol=1e-12)
    assert equal_trees([p.detach() for p in model.parameters()], raw)
    assert not torch.allclose(model(x), other(x), rtol=1e-3)


def test_the_first_average_is_the_first_step() -> None:
    (p,) = parameters([(3,)], torch.float64)
    opt = ours("Adam")([p], lr=0.1, ema=0.75)
    train(opt, gradients([p], 1))
    first = p.detach().clone()
    assert torch.equal(opt.state[p]["ema"], first)
    train(opt, gradients([p], 1, seed=5))
    torch.testing.assert_close(opt.state[p]["ema"], 0.75 * first + 0.25 * p.detach(), rtol=1e-14, atol=0)


def test_averaged_gives_back_even_after_an_error() -> None:
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p], lr=0.1, ema=0.9)
    train(opt, gradients([p], 3))
    before = snapshot(opt)

    def fail() -> None:
        with opt.averaged():
            assert not torch.equal(p, before[0][0])
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        fail()
    assert unchanged(opt, before)


def test_no_step_and_no_second_swap_within_averaged() -> None:
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p], ema=0.9)
    train(opt, gradients([p], 3))
    before = snapshot(opt)
    with opt.averaged():
        with pytest.raises(RuntimeError, match="averaged"):
            opt.step()
        with pytest.raises(RuntimeError, match="averaged"), opt.averaged():
            pass
    assert unchanged(opt, before)
    opt.step()


def test_averaged_needs_ema_and_leaves_what_was_not_stepped() -> None:
    with pytest.raises(RuntimeError, match="ema"), ours("Adam")(parameters()).averaged():
        pass
    a, b = parameters([(3,), (3,)])
    opt = ours("Adam")([a, b], ema=0.9)
    before = b.detach().clone()
    a.grad = torch.ones(3)
    opt.step()
    with opt.averaged():
        assert torch.equal(b, before)


@pytest.mark.parametrize("weights", ["stochastic", "kahan", "master"])
def test_looking_at_averages_does_not_change_training(weights: str) -> None:
    start = parameters([(50,)], torch.bfloat16)
    looked, plain = (ours("AdamW")(clones(start), lr=1e-2, ema=0.9, weights=weights) for _ in range(2))
    for row in gradients(start, 10):
        train(plain, [row])
        train(looked, [row])
        with looked.averaged():
            assert held(looked)[0].dtype == torch.bfloat16
            torch.testing.assert_close(held(looked)[0].float(), plain.state[held(plain)[0]]["ema"], rtol=2**-8, atol=0)
    assert equal_trees(snapshot(looked), snapshot(plain))


# --------------------------------------------------------------------------------- diagnostics


def test_diagnostics_are_those_of_the_numpy_optimizers() -> None:
    start = dict(zip("abc", parameters([(40,), (3, 5), ()]), strict=True))
    params = [(n, nn.Parameter(p.detach().clone())) for n, p in start.items()]
    options = {"lr": 0.01, "max_grad_norm": 1.0, "diagnostics_every": 2}
    mine = ours("AdamW")(params, **options)
    other = adamas.AdamW({n: p.detach().numpy().copy() for n, p in start.items()}, **options)
    for t, row in enumerate(gradients(held(mine), 5), 1):
        train(mine, [row])
        other.step({n: g.numpy() for n, g in zip(start, row, strict=True)})
        assert mine.diagnostics() == other.diagnostics()
        assert mine.diagnostics().step == t - (t + 1) % 2
    assert mine.diagnostics().clip_rate > 0.5
    assert list(mine.diagnostics().tensors) == ["a", "b", "c"]


@pytest.mark.parametrize("name", DENSE)
def test_diagnostics_do_not_change_a_step(name: str) -> None:
    start = parameters([(7,), (3, 5)])
    looked, plain = (ours(name)(clones(start), diagnostics_every=n) for n in (1, None))
    for opt in (looked, plain):
        train(opt, gradients(start, 4))
    assert equal_trees(snapshot(looked), snapshot(plain))
    found = looked.diagnostics().tensors
    assert len(found) == 2
    assert all(t.update_ratio > 0 for t in found.values())


def test_diagnostics_see_lost_updates() -> None:
    p = nn.Parameter(torch.ones(10, dtype=torch.bfloat16))
    opt = ours("Adam")([p], lr=1e-4, diagnostics_every=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(opt, [[torch.ones_like(p)]])
    assert [t.lost_share for t in opt.diagnostics().tensors.values()] == [1.0]


def test_diagnostics_when_there_are_none() -> None:
    params = parameters()
    with pytest.raises(RuntimeError, match="diagnostics_every"):
        ours("Adam")(params).diagnostics()
    with pytest.raises(RuntimeError, match="step"):
        ours("Adam")(params, diagnostics_every=1).diagnostics()
    with pytest.raises(ValueError, match="diagnostics_every"):
        ours("Adam")(params, diagnostics_every=0)


# ------------------------------------------------------------------------------- torch.compile


def compiled_run(compiling: bool, lr: Callable[[int], float], steps: int) -> tuple[Any, list[int]]:
    """A training step, compiled as a whole; and the number of graphs after each."""
    torch._dynamo.reset()
    counters.clear()
    model = network()
    opt = ours("AdamW")(model.parameters())

    def step(x: Tensor) -> Tensor:
        opt.zero_grad()
        loss = loss_of(model, x)
        loss.backward()
        opt.step()
        return loss

    if compiling:
        step = torch.compile(step, backend="eager")
    graphs = []
    for t, x in enumerate(itertools.islice(itertools.cycle(batches(10)), steps)):
        opt.param_groups[0]["lr"] = lr(t)
        with dynamo.patch(error_on_recompile=t > 1):
            step(x)
        graphs.append(counters["stats"]["unique_graphs"])
    return snapshot(opt), graphs


def test_a_compiled_training_step_is_the_same_in_every_bit() -> None:
    """Through 100 changes of lr nothing is compiled again; the optimizer itself runs outside the graphs."""
    mine, graphs = compiled_run(True, lambda t: 0.1 / (1 + t), steps=102)
    breaks = sum(counters["graph_break"].values())
    other, none = compiled_run(False, lambda t: 0.1 / (1 + t), steps=102)
    assert equal_trees(mine, other)
    assert none[-1] == 0
    assert graphs[1] > 0
    assert graphs[-1] == graphs[1]
    assert breaks <= 3  # at zero_grad and backward, where torch breaks by itself, and at the step


def test_a_compiled_model_is_trained() -> None:
    results = []
    for compiling in (False, True):
        torch._dynamo.reset()
        model = network()
        run = torch.compile(model, backend="eager") if compiling else model
        opt = ours("AdamW")(run.parameters(), lr=0.05)
        for x in batches(5):
            opt.zero_grad()
            loss_of(run, x).backward()
            opt.step()
        results.append(snapshot(opt))
    assert equal_trees(*results)


def test_keys_of_ones_own_stay_in_a_group_and_typing_errors_do_not() -> None:
    p = nn.Parameter(torch.ones(2))
    own = {"lr_scale": 0.5, "name": "head", "decay": 2}
    opt = ours("AdamW")([{"params": [p], **own}])
    assert own.items() <= opt.param_groups[0].items()
    for wrong, text in (("weigth_decay", "did you mean 'weight_decay'"), ("max_grad_norm", "for all groups together")):
        with pytest.raises(TypeError, match=text):
            opt.add_param_group({"params": [nn.Parameter(torch.ones(2))], wrong: 0.1})
    assert len(opt.param_groups) == 1


def test_names_of_numpys_optimizers_are_the_names_here() -> None:
    """One rule, one name, on both sides; and what is no rule is no attribute."""
    import adamas.torch

    for rule in adamas.rules.REGISTRY.values():
        assert ours(rule.title).__name__ == rule.title
        assert rule.title in dir(adamas.torch)
    assert {"SparseAdam", "param_groups", "in_backward"} <= set(dir(adamas.torch))
    with pytest.raises(AttributeError, match="Adamm"):
        adamas.torch.Adamm  # noqa: B018


# --------------------------------------------------------------------- what comes late, or twice


def test_averages_are_of_parameters_that_were_stepped_alone() -> None:
    a, b = (nn.Parameter(torch.ones(3)) for _ in range(2))
    opt = ours("AdamW")([a, b], lr=0.1, ema=0.9, nonfinite="skip")
    a.grad, b.grad = torch.full((3,), float("nan")), torch.ones(3)
    opt.step()  # skipped
    a.grad, b.grad = torch.ones(3), None
    opt.step()
    assert not opt.state.get(b)
    with opt.averaged():
        assert torch.equal(b, torch.ones(3))
    b.grad = torch.ones(3)
    opt.step()
    assert opt.state[b]["step"] == 1
    assert torch.equal(opt.state[b]["ema"], b)


def test_averages_begin_at_the_weights_that_are_loaded_after_the_state() -> None:
    model = nn.Linear(2, 2)
    old = theirs("AdamW")(model.parameters())
    model(torch.ones(2)).sum().backward()
    old.step()
    opt = ours("AdamW")(model.parameters(), ema=0.999, lr=1e-6)
    opt.load_state_dict(old.state_dict())
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(5.0)
    opt.step()
    assert all(torch.allclose(opt.state[p]["ema"], p, atol=1e-3) for p in model.parameters())


def test_averaged_gives_back_when_it_cannot_begin() -> None:
    a, b = (nn.Parameter(torch.ones(2)) for _ in range(2))
    opt = ours("AdamW")([a, b], lr=0.1, ema=0.5)
    for _ in range(2):
        a.grad, b.grad = torch.ones(2), torch.ones(2)
        opt.step()
    before = a.detach().clone()
    b.data = torch.ones(3)
    with pytest.raises(RuntimeError), opt.averaged():
        pass
    assert torch.equal(a, before)
    saved = opt.state_dict()
    b.data = torch.ones(2)
    with opt.averaged(), pytest.raises(RuntimeError, match="inside averaged"):
        opt.load_state_dict(saved)


def test_parameters_that_are_thawed_are_stepped_in_backward() -> None:
    a, b, c = (nn.Parameter(torch.ones(2)) for _ in range(3))
    b.requires_grad_(False)
    opt = in_backward([a, b], ours("Adam"), lr=0.1)
    (a * b).sum().backward()
    assert not opt.state.get(b)
    b.requires_grad_(True)
    opt.add_param_group({"params": [c]})
    (b * c).sum().backward()
    assert [round(p[0].item(), 3) for p in (a, b, c)] == [0.9, 0.9, 0.9]
    assert a.grad is b.grad is c.grad is None


def test_the_optimizer_that_was_made_last_steps_in_backward() -> None:
    p = nn.Parameter(torch.ones(2))
    first = in_backward([p], ours("Adam"), lr=0.1)
    second = in_backward([p], ours("Adam"), lr=0.2)
    p.sum().backward()
    assert p[0].item() == pytest.approx(0.8)
    assert not first.state
    second.remove_hooks()
    p.sum().backward()
    assert p.grad is not None


def test_an_optimizer_that_is_refused_steps_nothing_in_backward() -> None:
    p, q = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match="lr=-1"):
        in_backward([{"params": [p]}, {"params": [q], "lr": -1}], ours("Adam"))
    p.sum().backward()
    assert p[0].item() == 1
    assert p.grad is not None


def test_after_an_error_in_backward_passes_are_counted_anew() -> None:
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(context: Any, g: Tensor) -> Tensor:
            raise OSError("no")

    p = nn.Parameter(torch.ones(2))
    opt = in_backward([p], ours("Adam"), accumulate=2, lr=0.1)
    p.sum().backward()
    with pytest.raises(OSError, match="no"):
        Fails.apply(p).sum().backward()
    opt.zero_grad()
    for expected in (1.0, 0.9):
        p.sum().backward()
        assert p[0].item() == pytest.approx(expected)


def test_diagnostics_in_backward_of_what_was_reached() -> None:
    a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    opt = in_backward([("a", a), ("b", b)], ours("Adam"), diagnostics_every=1)
    a.sum().backward()
    assert set(opt.diagnostics().tensors) == {"a"}


def test_steps_in_backward_are_copied_and_pickled() -> None:
    model = nn.Linear(2, 2)
    opt = in_backward(model, ours("Adam"), lr=0.1)
    model(torch.ones(2)).sum().backward()
    for again, copied in (copy.deepcopy((model, opt)), pickle.loads(pickle.dumps((model, opt)))):
        again(torch.ones(2)).sum().backward()
        assert copied.state[again.weight]["step"] == 2
        assert opt.state[model.weight]["step"] == 1


def test_averages_that_are_yet_to_begin_are_not_shown() -> None:
    p, q = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    old, opt = theirs("AdamW")([p]), ours("AdamW")([q], ema=0.9)
    p.grad = torch.ones(3)
    old.step()
    opt.load_state_dict(old.state_dict())
    assert "ema" not in opt.state_dict()["state"][0]
    with opt.averaged():
        assert torch.equal(q, torch.ones(3))
    q.data = torch.full((3,), 2.0)
    q.grad = torch.zeros(3)
    opt.step()
    assert opt.state[q]["ema"].min() > 1.9


def test_an_older_optimizer_does_not_disturb_a_newer_one_in_backward() -> None:
    a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    first = in_backward([a, b], ours("Adam"), lr=0.1)
    in_backward([b], ours("Adam"), lr=0.01, accumulate=2)
    (a + b).sum().backward()
    assert a[0].item() == pytest.approx(0.9)
    assert b[0].item() == 1
    first.remove_hooks()
    (a + b).sum().backward()
    assert a[0].item() == pytest.approx(0.9)
    assert b[0].item() == pytest.approx(0.99)


def test_an_optimizer_that_is_refused_takes_no_hooks_from_another() -> None:
    p, q = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    in_backward([p], ours("Adam"), lr=0.1)
    with pytest.raises(ValueError, match="lr=-1"):
        in_backward([{"params": [p]}, {"params": [q], "lr": -1}], ours("Adam"))
    p.sum().backward()
    assert p[0].item() == pytest.approx(0.9)
