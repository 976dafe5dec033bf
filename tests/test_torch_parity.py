"""adamas.torch against torch.optim: the same options, the same numbers, the same errors."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import cases
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.testing._internal.common_optimizers import ErrorOptimizerInput, optim_db
from torch_cases import (
    DENSE,
    EXCHANGED,
    SHAPES,
    check_agreement,
    default_dtype,
    gradients,
    held,
    one_thread,  # noqa: F401
    ours,
    pair,
    parameters,
    theirs,
    train,
)

import adamas
from adamas.language import Rule
from adamas.optimizer import signature_of
from adamas.rules import REGISTRY

NAMES = [*EXCHANGED, "Adafactor", "SparseAdam"]
INFO = {info.name: info for info in optim_db if info.name in NAMES}
EXACT = {"rtol": 1e-12, "atol": 1e-12}
OPTIONS = ["state", "state_exclude", "max_grad_norm", "nonfinite", "cautious", "clip_update", "decouple_lr"]
OPTIONS += ["weights", "seed", "ema", "diagnostics_every"]


def shapes_of(name: str) -> list[tuple[int, ...]]:
    """torch's Adafactor divides by the number of elements."""
    return [s for s in SHAPES if 0 not in s] if name == "Adafactor" else SHAPES


def configurations(*names: str) -> list[Any]:
    """torch's own table of options, with each of its implementations that runs on a CPU."""
    table = []
    for name in names:
        info = INFO[name]
        flags: list[dict[str, bool]] = [{}]
        flags += [{"foreach": True}] if "foreach" in info.supported_impls else []
        flags += [{"fused": True}] if "cpu" in info.supports_fused_on else []
        for case in info.optim_inputs_func("cpu"):
            for flag in flags:
                label = "-".join([name, case.desc, *flag]).replace(" ", "_")
                table.append(pytest.param(name, {**case.kwargs, **flag}, id=label))
    return table


def run(name: str, options: dict[str, Any], dtype: torch.dtype, steps: int = 100, **tolerance: Any) -> None:
    start = parameters(shapes_of(name), dtype)
    mine, other = pair(name, start, **options)
    grads = gradients(start, steps)
    train(mine, grads)
    train(other, grads)
    check_agreement(mine, other, start, **tolerance)


# ----------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(("name", "options"), configurations(*EXCHANGED, "Adafactor"))
def test_float64(name: str, options: dict[str, Any]) -> None:
    with default_dtype(torch.float64):
        run(name, options, torch.float64, **EXACT)


@pytest.mark.parametrize(("name", "options"), configurations(*EXCHANGED, "Adafactor"))
def test_float32(name: str, options: dict[str, Any]) -> None:
    run(name, options, torch.float32)


@pytest.mark.parametrize(("name", "options"), configurations(*EXCHANGED, "Adafactor"))
def test_first_step_in_bfloat16(name: str, options: dict[str, Any]) -> None:
    """torch keeps state and computes in bfloat16, so only the first step can be compared."""
    start = parameters(shapes_of(name), torch.bfloat16)
    mine, other = pair(name, start, **{**options, "lr": 0.1})
    grads = gradients(start, 1, spread=0.0)
    train(mine, grads)
    train(other, grads)
    for p, q in zip(held(mine), held(other), strict=True):
        torch.testing.assert_close(p, q)
    moves = [(p - origin).abs().flatten() for p, origin in zip(held(mine), start, strict=True)]
    assert torch.cat(moves).mean() > 0.03


@pytest.mark.parametrize(("name", "options"), configurations(*EXCHANGED))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.complex64, {}), (torch.complex128, EXACT)])
def test_complex_is_a_pair_of_reals(
    name: str, options: dict[str, Any], dtype: torch.dtype, tolerance: dict[str, float]
) -> None:
    if options.get("fused"):
        pytest.skip("torch's fused kernels take no complex numbers")
    with default_dtype(torch.float32 if dtype == torch.complex64 else torch.float64):
        run(name, options, dtype, steps=20, **tolerance)


@pytest.mark.parametrize("state", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), configurations("SparseAdam"))
def test_sparse_gradients(name: str, options: dict[str, Any], state: str) -> None:
    """Rows that come twice, rows that never come, steps without any, and gradients sparse in every axis."""
    dtype = getattr(torch, state)
    random = torch.Generator().manual_seed(5)
    start = parameters([(7,), (5, 3), (4, 3, 2)], dtype)

    def sparse(p: Tensor, count: int) -> Tensor:
        index = torch.randint(0, len(p) - 1, (1, count), generator=random)
        values = torch.randn(count, *p.shape[1:], generator=random, dtype=dtype)
        g = torch.sparse_coo_tensor(index, values, p.shape)
        return g.to_dense().to_sparse() if count == 4 else g

    grads = [[sparse(p, t % 5) for p in start] for t in range(30)]
    if isinstance(options.get("lr"), Tensor):  # in float32, torch computes the whole step size in float32
        options = {**options, "lr": options["lr"].to(dtype)}
    with default_dtype(dtype):
        mine, other = pair(name, start, **options)
        train(mine, grads)
        train(other, grads)
    check_agreement(mine, other, start, **(EXACT if dtype == torch.float64 else {}))
    for p, origin in zip(held(mine), start, strict=True):
        assert torch.equal(p[-1], origin[-1])


def test_a_sparse_embedding_is_trained() -> None:
    losses = []
    for cls in (ours("SparseAdam"), theirs("SparseAdam")):
        torch.manual_seed(0)
        table = nn.Embedding(10, 4, sparse=True)
        opt = cls(table.parameters(), lr=0.2)
        for step in range(40):
            opt.zero_grad()
            loss = (table(torch.tensor([step % 3, 3, 3])) - 1).square().mean()
            loss.backward()
            opt.step()
        losses.append(loss.detach())
    torch.testing.assert_close(*losses)
    assert losses[0] < 0.2


# ------------------------------------------------------------------- the NumPy front end's bits


def numpy_class(rule: Rule) -> type[adamas.Optimizer]:
    """The NumPy optimizer of a rule, registered or not (torch's Adafactor is a variant of the paper's)."""
    return type(rule.title, (adamas.Optimizer,), {"rule": rule, "__signature__": signature_of(rule)})


def array(x: Tensor) -> np.ndarray:
    x = x.detach().clone()
    return x.view(torch.int16).numpy().view(cases.BF16) if x.dtype == torch.bfloat16 else x.numpy()


def bits() -> list[Any]:
    """Every rule, each kind in two dtypes; one rule with every way to keep 16-bit weights."""
    clipped = {"max_grad_norm": 1.0, "maximize": True, "weight_decay": 0.1}
    table: list[tuple[str, torch.dtype, dict[str, Any]]] = []
    for rule in REGISTRY.values():
        options = {name: x for name, x in clipped.items() if name in rule.hyper or name != "weight_decay"}
        table += [(rule.title, torch.float32, options)]
        if rule.name in cases.kinds():
            large = {"d0": 0.5} if "d0" in rule.hyper else {"lr": 0.1}  # so that bfloat16 weights move
            table += [(rule.title, torch.float32, {}), (rule.title, torch.bfloat16, large)]
    table += [
        ("AdamW", torch.bfloat16, {"weights": m, "seed": 7, "lr": 0.1}) for m in ("stochastic", "kahan", "master")
    ]
    return [pytest.param(*row, id="-".join([row[0], str(row[1]), *row[2]])) for row in table]


@pytest.mark.parametrize(("title", "dtype", "options"), bits())
def test_bits_are_the_numpy_front_ends(title: str, dtype: torch.dtype, options: dict[str, Any]) -> None:
    start = dict(zip("abcde", parameters(SHAPES, dtype), strict=True))
    mine = ours(title)([(n, nn.Parameter(p.detach().clone())) for n, p in start.items()], **options)
    group = mine.param_groups[0]
    rule = mine.row.rule(group)
    eps = {"eps": (torch.finfo(dtype).eps, 1e-3)} if title == "Adafactor" else {}
    hyper = {n: group[n] for n in rule.hyper} | eps
    other = numpy_class(rule)({n: array(p) for n, p in start.items()}, **{**hyper, **options})
    for row in gradients(held(mine), 10):
        train(mine, [row])
        other.step(dict(zip(start, map(array, row), strict=True)))
    for p, (n, q) in zip(held(mine), other.params.items(), strict=True):
        assert cases.same_bits(array(p), q)
        assert p.numel() == 0 or not torch.equal(p, start[n])
    assert mine.last_step == other.last_step


# ----------------------------------------------------------------------------------- options

CHANGES: dict[str, list[dict[str, Any]]] = {
    "Adam": [{"amsgrad": True}, {"decoupled_weight_decay": True}],
    "AdamW": [{"amsgrad": True}],
    "NAdam": [{"momentum_decay": 0.05}, {"decoupled_weight_decay": True}],
    "RAdam": [{"decoupled_weight_decay": True}],
    "Adafactor": [{"lr": 0.3}, {"beta2_decay": -0.5}, {"eps": (None, 10.0)}, {"d": 2.0}, {"weight_decay": 0.2}],
}
COMMON: list[dict[str, Any]] = [{"lr": 0.02}, {"betas": (0.5, 0.9)}, {"eps": 1e-2}, {"weight_decay": 0.2}]


@pytest.mark.parametrize("name", [*EXCHANGED, "Adafactor"])
def test_groups_override_every_option(name: str) -> None:
    changes = [{}, {"maximize": True}, *([] if name == "Adafactor" else COMMON), *CHANGES.get(name, [])]
    start = parameters([(3, 2)] * len(changes), torch.float64)
    grads = gradients(start[:1], 30)
    grads = [row * len(start) for row in grads]  # so that nothing but the options tells the groups apart
    made = []
    with default_dtype(torch.float64):
        for cls in (ours(name), theirs(name)):
            params = [start[0].detach().clone().requires_grad_() for _ in changes]
            groups = [{"params": [p], **change} for p, change in zip(params, changes, strict=True)]
            made.append(cls(groups, weight_decay=0.1))
            train(made[-1], grads)
    check_agreement(*made, [start[0]] * len(changes), **EXACT)
    results = [p.detach() for p in held(made[0])]
    for i, a in enumerate(results):
        assert not any(torch.equal(a, b) for b in results[:i]), f"{changes[i]} has no effect"


@pytest.mark.parametrize("name", EXCHANGED)
def test_options_changed_between_steps(name: str) -> None:
    start = parameters(dtype=torch.float64)
    grads = gradients(start, 20)
    with default_dtype(torch.float64):
        made = pair(name, start)
        for opt in made:
            train(opt, grads[:10])
            opt.param_groups[0].update(lr=0.05, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.3, maximize=True)
            train(opt, grads[10:])
    check_agreement(*made, start, **EXACT)


@pytest.mark.parametrize("name", EXCHANGED)
def test_tensor_lr(name: str) -> None:
    """Changed in place, as torch's schedulers do it, and replaced."""
    start = parameters(dtype=torch.float64)
    grads = gradients(start, 30)
    with default_dtype(torch.float64):
        mine, other = pair(name, start)
        for opt in (mine, other):
            opt.param_groups[0]["lr"] = lr = torch.tensor(0.02)
            train(opt, grads[:10])
            lr.fill_(0.1)
            train(opt, grads[10:20])
            opt.param_groups[0]["lr"] = torch.tensor([0.03])
            train(opt, grads[20:])
        check_agreement(mine, other, start, **EXACT)
        for cls in (ours(name), theirs(name)):
            assert isinstance(cls(parameters(), lr=torch.tensor(0.5)).param_groups[0]["lr"], Tensor)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_tensor_betas(name: str) -> None:
    start = parameters(dtype=torch.float64)
    grads = gradients(start, 30)
    betas = (torch.tensor([[0.7]], dtype=torch.float64), torch.tensor(0.95, dtype=torch.float64))
    with default_dtype(torch.float64):
        mine, other = pair(name, start, lr=torch.tensor(0.01), betas=betas)
        train(mine, grads)
        train(other, grads)
    check_agreement(mine, other, start, **EXACT)


@pytest.mark.parametrize("name", [*EXCHANGED, "Adafactor"])
def test_parameters_without_gradients_wait(name: str) -> None:
    """Each parameter has its own step count; a gradient of zeros is a gradient."""
    start = parameters(shapes_of(name), torch.float64)
    grads: list[list[Tensor | None]] = [list(row) for row in gradients(start, 12)]
    for t, row in enumerate(grads):
        row[t % 2] = None
        row[2] = torch.zeros_like(start[2])
    with default_dtype(torch.float64):
        mine, other = pair(name, start, weight_decay=0.1)
        train(mine, grads)
        train(other, grads)
    check_agreement(mine, other, start, **EXACT)
    assert [float(mine.state[p]["step"]) for p in held(mine)[:3]] == [6, 6, 12]


# -------------------------------------------------------------------------------- schedulers

SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "Lambda": lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)),
    "Multiplicative": lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.9),
    "Step": lambda o: lr_scheduler.StepLR(o, 7, 0.3),
    "MultiStep": lambda o: lr_scheduler.MultiStepLR(o, [5, 20], 0.3),
    "Constant": lambda o: lr_scheduler.ConstantLR(o, 0.3, 10),
    "Linear": lambda o: lr_scheduler.LinearLR(o, 0.1, total_iters=12),
    "Exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.8),
    "Polynomial": lambda o: lr_scheduler.PolynomialLR(o, 25, 2.0),
    "Cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 20),
    "WarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 8),
    "OneCycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=40),  # moves the first beta as well
    "Cyclic": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.1, step_size_up=6, cycle_momentum=True),
    "Chained": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.3, 4), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "Sequential": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=9), lr_scheduler.CosineAnnealingLR(o, 20)], [10]
    ),
}


@pytest.mark.parametrize("lr", [0.05, torch.tensor(0.05, dtype=torch.float64)], ids=["number", "tensor"])
@pytest.mark.parametrize("schedule", SCHEDULERS)
def test_schedulers(schedule: str, lr: float | Tensor) -> None:
    start = parameters(dtype=torch.float64)
    grads = gradients(start, 30)
    rates: list[list[float]] = []
    with default_dtype(torch.float64), warnings.catch_warnings():
        warnings.simplefilter("error")  # such as "step() has been overridden", and schedulers called before steps
        warnings.filterwarnings("ignore", "Please also save or load")
        made = pair("AdamW", start, lr=lr if isinstance(lr, float) else lr.clone())
        for opt in made:
            if isinstance(lr, Tensor):
                opt.param_groups[0]["lr"] = lr.clone()
            scheduler, seen = SCHEDULERS[schedule](opt), []
            train(
                opt,
                grads,
                after=lambda s=scheduler, o=opt, r=seen: (s.step(), r.append(float(o.param_groups[0]["lr"]))),
            )
            rates.append(seen)
    assert rates[0] == rates[1]
    assert len(set(rates[0])) > 1
    check_agreement(*made, start, **EXACT)


@pytest.mark.parametrize("name", EXCHANGED)
def test_torchs_own_sets_of_schedulers(name: str) -> None:
    for makers in INFO[name].scheduler_inputs:
        start = parameters(dtype=torch.float64)
        grads = gradients(start, 30)
        with default_dtype(torch.float64), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = pair(name, start, lr=0.01)
            for opt in made:
                schedulers = [make(opt) for make in makers]

                def advance(schedulers: list[Any] = schedulers) -> None:
                    for s in schedulers:
                        s.step(*([1.0] if isinstance(s, lr_scheduler.ReduceLROnPlateau) else []))

                train(opt, grads, after=advance)
        assert made[0].param_groups[0]["lr"] == made[1].param_groups[0]["lr"]
        check_agreement(*made, start, **EXACT)


def test_a_plateau_lowers_lr() -> None:
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(opt, patience=2, factor=0.1)
    steps = []
    for _ in range(8):
        before = p.detach().clone()
        p.grad = torch.ones(3)
        opt.step()
        steps.append(float((before - p.detach()).mean()))
        scheduler.step(1.0)
    torch.testing.assert_close(steps, [1.0] * 4 + [0.1] * 3 + [0.01], rtol=1e-5, atol=1e-6)


# -------------------------------------------------------------------------- closures and hooks


@pytest.mark.parametrize("name", [*DENSE])
def test_closures(name: str) -> None:
    (p,) = parameters([(3,)])
    opt = ours(name)([p])
    calls = []

    def closure() -> Tensor:
        calls.append(torch.is_grad_enabled())
        opt.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    before = p.detach().clone()
    with torch.no_grad():
        loss = opt.step(closure)
    assert calls == [True]
    torch.testing.assert_close(loss, before.square().sum())
    assert (p.abs() < before.abs()).all()
    assert opt.step() is None


def test_training_equals_torchs_on_a_model() -> None:
    """A network, weight decay by group, a scheduler, and a loss that falls."""
    histories = []
    for cls in (ours("AdamW"), theirs("AdamW")):
        torch.manual_seed(0)
        x = torch.randn(64, 5)
        model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
        weights, biases = [model[0].weight, model[2].weight], [model[0].bias, model[2].bias]
        opt = cls([{"params": weights, "weight_decay": 0.1}, {"params": biases, "weight_decay": 0.0}], lr=0.05)
        scheduler = lr_scheduler.CosineAnnealingLR(opt, 60)
        losses = []
        for _ in range(60):
            opt.zero_grad()
            loss = (model(x) - x.sum(1, keepdim=True).sin()).square().mean()
            loss.backward()
            opt.step()
            scheduler.step()
            losses.append(loss.detach())
        histories.append(torch.stack(losses))
    torch.testing.assert_close(*histories, rtol=1e-3, atol=1e-4)
    assert histories[0][-1] < 0.2 * histories[0][0]


@pytest.fixture
def global_hooks() -> Iterator[list[str]]:
    log: list[str] = []
    handles = [
        register_optimizer_step_pre_hook(lambda *_: log.append("global pre")),
        register_optimizer_step_post_hook(lambda *_: log.append("global post")),
    ]
    yield log
    for handle in handles:
        handle.remove()


def test_step_hooks(global_hooks: list[str]) -> None:
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p], lr=0.5)
    before = p.detach().clone()
    pre = opt.register_step_pre_hook(lambda o, *_: global_hooks.append(f"pre {o is opt} {torch.equal(p, before)}"))
    opt.register_step_post_hook(lambda o, *_: global_hooks.append(f"post {o is opt} {torch.equal(p, before)}"))
    p.grad = torch.ones(3)
    opt.step()
    assert global_hooks == ["global pre", "pre True True", "post True False", "global post"]
    pre.remove()
    global_hooks.clear()
    opt.step()
    assert global_hooks == ["global pre", "post True False", "global post"]


def test_a_pre_hook_may_hand_over_a_closure() -> None:
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p])
    opt.register_step_pre_hook(lambda o, args, kwargs: ((*args, lambda: 42.0), kwargs))
    assert opt.step() == 42.0


def test_gradients_made_in_a_pre_hook_are_used() -> None:
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p], lr=0.5)
    opt.register_step_pre_hook(lambda *_: setattr(p, "grad", torch.ones(3)))
    before = p.detach().clone()
    opt.step()
    torch.testing.assert_close(p, before - 0.5)


def test_zero_grad() -> None:
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p])
    p.grad = torch.ones(3)
    opt.zero_grad(set_to_none=False)
    assert torch.equal(p.grad, torch.zeros(3))
    opt.zero_grad()
    assert p.grad is None


# ------------------------------------------------------------------- names, signatures, errors


def test_named_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    shown = [cls(model.named_parameters()).param_groups[0]["param_names"] for cls in (ours("AdamW"), theirs("AdamW"))]
    assert shown[0] == shown[1] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    groups = [{"params": list(m.named_parameters(prefix)), "lr": 0.5} for prefix, m in zip("ab", model, strict=True)]
    opt = ours("AdamW")(groups)
    assert [g["param_names"] for g in opt.param_groups] == [["a.weight", "a.bias"], ["b.weight", "b.bias"]]
    assert all(isinstance(p, nn.Parameter) for p in held(opt))


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_torchs_with_our_options_after(name: str) -> None:
    def shape(cls: type[Any]) -> list[tuple[str, Any, Any]]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(cls).parameters.values()]

    mine, other = shape(ours(name)), shape(theirs(name))
    assert mine[: len(other)] == other
    more = mine[len(other) :]
    assert [n for n, _, _ in more] == ([] if name == "SparseAdam" else OPTIONS)
    assert all(kind == inspect.Parameter.KEYWORD_ONLY for _, kind, _ in more)
    state = None if name == "Adafactor" else "float32"  # None: as the rule says, which is factored
    assert [d for _, _, d in more] in ([], [state, (), None, "propagate", False, None, None, None, 0, None, None])


@pytest.mark.parametrize("name", ["AMSGrad", "LAMB", "Prodigy"])
def test_signatures_of_rules_that_torch_lacks(name: str) -> None:
    shown = inspect.signature(ours(name)).parameters
    hyper = list(getattr(adamas, name).rule.hyper)
    flags = ["maximize", "foreach", "capturable", "differentiable", "fused"]
    assert list(shown) == ["params", *hyper, *flags, *OPTIONS]
    assert {n for n, p in shown.items() if p.kind == inspect.Parameter.KEYWORD_ONLY} == {*flags, *OPTIONS}
    numpys = inspect.signature(getattr(adamas, name)).parameters
    assert [shown[n].default for n in hyper] == [numpys[n].default for n in hyper]


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_torchs(name: str) -> None:
    mine, other = (cls(parameters()) for cls in (ours(name), theirs(name)))
    assert {k: mine.defaults.get(k, "missing") for k in other.defaults} == other.defaults
    assert {k: mine.param_groups[0].get(k, "missing") for k in other.defaults} == other.defaults
    assert isinstance(mine, torch.optim.Optimizer)
    assert type(mine).__name__ == name


@pytest.mark.parametrize("name", EXCHANGED)
def test_arguments_by_position(name: str) -> None:
    values = {"NAdam": (0.1, (0.5, 0.6), 1e-3, 0.2, 0.05, True), "RAdam": (0.1, (0.5, 0.6), 1e-3, 0.2, True)}
    args = values.get(name, (0.1, (0.5, 0.6), 1e-3, 0.2, True))
    start = parameters()
    made = [cls([p.detach().clone().requires_grad_() for p in start], *args) for cls in (ours(name), theirs(name))]
    for opt in made:
        train(opt, gradients(start, 10))
    check_agreement(*made, start)


def raised(make: Callable[[], Any]) -> type[BaseException] | None:
    """What a call raises; a warning counts as raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            make()
        except Exception as error:
            return type(error)
    return None


def errors() -> list[Any]:
    cases: list[tuple[str, ErrorOptimizerInput]] = [
        (name, e) for name in NAMES for e in INFO[name].optim_error_inputs_func("cpu", torch.float32)
    ]
    return [pytest.param(name, e, id=f"{name}-{e.optimizer_error_input.desc}".replace(" ", "_")) for name, e in cases]


@pytest.mark.parametrize(("name", "case"), errors())
def test_torchs_own_erroneous_inputs(name: str, case: ErrorOptimizerInput) -> None:
    given = case.optimizer_error_input
    params = given.params if given.params is not None else [nn.Parameter(torch.randn(2, 3))]

    def build_and_step() -> None:
        ours(name)(params, **given.kwargs).step()

    found = raised(build_and_step)
    assert found is not None
    assert issubclass(found, case.error_type)


ILLEGAL: list[tuple[str, dict[str, Any]]] = [
    *[(name, {"lr": -0.1}) for name in NAMES],
    *[(name, {"eps": -1e-8}) for name in EXCHANGED],
    *[(name, {"betas": (-0.1, 0.9)}) for name in EXCHANGED],
    *[(name, {"betas": (0.9, 1.0)}) for name in EXCHANGED],
    *[(name, {"weight_decay": -0.1}) for name in [*EXCHANGED, "Adafactor"]],
    *[(name, {"fused": True, "foreach": True}) for name in ("Adam", "AdamW")],
    *[(name, {"fused": True, "differentiable": True}) for name in ("Adam", "AdamW")],
    *[(name, {"no_such_option": 1}) for name in NAMES],
    ("SparseAdam", {"eps": 0.0}),
    ("SparseAdam", {"lr": 0.0}),
    ("Adafactor", {"eps": (None, -1.0)}),
]


@pytest.mark.parametrize(("name", "options"), ILLEGAL, ids=[f"{n}-{o}" for n, o in ILLEGAL])
def test_illegal_options_raise_what_torch_raises(name: str, options: dict[str, Any]) -> None:
    found, expected = (raised(lambda cls=cls: cls(parameters(), **options)) for cls in (ours(name), theirs(name)))
    assert expected is not None
    assert found is not None
    assert issubclass(found, expected)


@pytest.mark.parametrize("flag", ["capturable", "differentiable"])
@pytest.mark.parametrize("name", [n for n in DENSE if n != "Adafactor"])
def test_what_cannot_be_had_is_refused_when_built(name: str, flag: str) -> None:
    with pytest.raises((ValueError, RuntimeError, NotImplementedError), match=flag):
        ours(name)(parameters(), **{flag: True})


@pytest.mark.parametrize(
    "make",
    [
        list,
        lambda: [1.0],
        lambda: [torch.ones(2, requires_grad=True) * 2],
        lambda: [{"lr": 0.1}],
        lambda: 3,
        lambda: [{"params": set(parameters())}],
    ],
    ids=["empty", "number", "not a leaf", "group without params", "no iterable", "set"],
)
def test_wrong_parameters_raise_what_torch_raises(make: Callable[[], Any]) -> None:
    found, expected = (raised(lambda cls=cls: cls(make())) for cls in (ours("Adam"), theirs("Adam")))
    assert expected is not None
    assert found is not None
    assert issubclass(found, expected)


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"betas": (0.9, 2.0)}, {"weight_decay": -1.0}, {"state": "int3"}])
def test_a_wrong_option_of_a_group_is_refused(wrong: dict[str, Any]) -> None:
    a, b = parameters([(2,), (3,)])
    a.grad, b.grad = torch.ones(2), torch.ones(3)
    before = a.detach().clone(), b.detach().clone()
    with pytest.raises(ValueError, match=next(iter(wrong)) + "|int3"):
        ours("Adam")([{"params": [a]}, {"params": [b], **wrong}]).step()
    assert torch.equal(a, before[0])
    assert torch.equal(b, before[1])
