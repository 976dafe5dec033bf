"""State dicts of adamas.torch: exchanged with torch.optim, saved, loaded, copied, edited, refused."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import SWALR, AveragedModel
from torch_cases import (
    DENSE,
    EXCHANGED,
    SHAPES,
    check_agreement,
    check_states,
    clones,
    equal_trees,
    gradients,
    held,
    one_thread,  # noqa: F401
    ours,
    pair,
    parameters,
    same_bits,
    snapshot,
    theirs,
    train,
    unchanged,
)

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in EXCHANGED),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {"amsgrad": True}),
    ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("RAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
]
IDS = [f"{name}-{'-'.join(options)}".strip("-") for name, options in VARIANTS]


def through_a_file(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# ------------------------------------------------------------------------------- exchange


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("direction", ["from torch", "to torch"])
@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_training_goes_on_in_the_other_library(
    name: str, options: dict[str, Any], direction: str, dtype: torch.dtype
) -> None:
    start = parameters(dtype=dtype)
    grads = gradients(start, 40)
    first, second = (theirs(name), ours(name)) if direction == "from torch" else (ours(name), theirs(name))
    whole = theirs(name)(clones(start), lr=0.01, **options)
    train(whole, grads)
    half = first(clones(start), lr=0.01, **options)
    train(half, grads[:20])
    rest = second(clones(held(half)), lr=0.5)  # the file's options win, as in torch
    rest.load_state_dict(through_a_file(half.state_dict()))
    train(rest, grads[20:])
    assert rest.param_groups[0]["lr"] == 0.01
    for p, q, origin in zip(held(rest), held(whole), start, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-6)
        assert p.numel() == 0 or not torch.allclose(p, origin)
    mine, other = (rest, whole) if direction == "from torch" else (whole, rest)
    check_states(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("direction", ["from torch", "to torch"])
def test_sparse_training_goes_on_in_the_other_library(direction: str) -> None:
    (start,) = parameters([(6, 2)])
    random = torch.Generator().manual_seed(2)
    grads = [
        [(torch.randn(6, 2, generator=random) * (torch.arange(6) % 4 == t % 4)[:, None]).to_sparse(1)]
        for t in range(20)
    ]
    order = [theirs("SparseAdam"), ours("SparseAdam")]
    first, second = order if direction == "from torch" else order[::-1]
    whole, half = theirs("SparseAdam")(clones([start]), lr=0.01), first(clones([start]), lr=0.01)
    train(whole, grads)
    train(half, grads[:10])
    rest = second(clones(held(half)))
    rest.load_state_dict(through_a_file(half.state_dict()))
    train(rest, grads[10:])
    torch.testing.assert_close(held(rest)[0], held(whole)[0], rtol=1e-6, atol=1e-6)
    assert not torch.allclose(held(rest)[0], start)


@pytest.mark.parametrize("flags", [{"foreach": True}, {"fused": True}], ids=str)
def test_files_of_torchs_faster_implementations_load(flags: dict[str, bool]) -> None:
    start = parameters()
    other = theirs("AdamW")(clones(start), **flags)
    train(other, gradients(start, 3))
    mine = ours("AdamW")(clones(held(other)))
    mine.load_state_dict(other.state_dict())
    for opt in (mine, other):
        train(opt, gradients(start, 3, seed=7))
    check_agreement(mine, other, start)


@pytest.mark.parametrize("name", EXCHANGED)
def test_files_of_older_torch_load(name: str) -> None:
    """Steps were plain numbers once, and options came one by one."""
    start = parameters()
    other = theirs(name)(clones(start))
    train(other, gradients(start, 3))
    state = copy.deepcopy(other.state_dict())
    for entry in state["state"].values():
        entry["step"] = int(entry["step"])
    for later in ("foreach", "fused", "maximize", "capturable", "differentiable", "decoupled_weight_decay"):
        state["param_groups"][0].pop(later, None)
    mine = ours(name)(clones(held(other)))
    mine.load_state_dict(state)
    for opt in (mine, other):
        train(opt, gradients(start, 3, seed=7))
    check_agreement(mine, other, start)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64])
@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_state_has_torchs_keys_shapes_and_dtypes(name: str, options: dict[str, Any], dtype: torch.dtype) -> None:
    start = parameters(dtype=dtype)
    mine, other = pair(name, start, **options)
    assert len(mine.state_dict()["state"]) == 0
    for opt in (mine, other):
        train(opt, gradients(start, 1))
    for p, q in zip(held(mine), held(other), strict=True):
        a, b = mine.state[p], other.state[q]
        assert list(a) == list(b)
        assert {k: x.shape for k, x in a.items()} == {k: x.shape for k, x in b.items()}
        scalars = {k for k, x in b.items() if x.ndim == 0 and k in ("step", "mu_product")}
        assert {k: x.dtype for k, x in a.items() if k not in scalars} == {
            k: x.dtype for k, x in b.items() if k not in scalars
        }
        assert a["step"].dtype == torch.float32
    a, b = mine.state_dict(), other.state_dict()
    assert a.keys() == b.keys()
    assert a["state"].keys() == b["state"].keys()
    assert a["param_groups"][0]["params"] == b["param_groups"][0]["params"]
    assert a["param_groups"][0].keys() >= b["param_groups"][0].keys()


def test_state_is_empty_before_the_first_gradient() -> None:
    a, b = parameters([(2,), (3,)])
    opt = ours("Adam")([a, b])
    assert len(opt.state) == 0
    a.grad = torch.ones(2)
    opt.step()
    assert set(opt.state[a]) == {"step", "exp_avg", "exp_avg_sq"}
    assert not opt.state.get(b)


def test_state_follows_every_step() -> None:
    """The tensors in opt.state are the state, not a copy that was made once."""
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p])
    for t in range(1, 4):
        p.grad = torch.full((3,), float(t))
        opt.step()
        assert float(opt.state[p]["step"]) == t
    average = (0.1 * 0.81 * 1 + 0.1 * 0.9 * 2 + 0.1 * 3) * torch.ones(3)
    torch.testing.assert_close(opt.state[p]["exp_avg"], average)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_state_of_16_bit_parameters_is_float32(dtype: torch.dtype) -> None:
    (p,) = parameters([(4,)], dtype)
    opt = ours("AdamW")([p], weights="kahan", ema=0.9)
    train(opt, gradients([p], 1))
    kinds = {k: x.dtype for k, x in opt.state[p].items()}
    assert kinds == {
        "exp_avg": torch.float32,
        "exp_avg_sq": torch.float32,
        "step": torch.float32,
        "kahan": dtype,
        "ema": torch.float32,
    }
    (p,) = parameters([(4,)], dtype)
    opt = ours("AdamW")([p], weights="master")
    train(opt, gradients([p], 1))
    assert opt.state[p]["master"].dtype == torch.float32
    assert torch.equal(opt.state[p]["master"].to(dtype), p)


# -------------------------------------------------------------------------------- loading

WEIGHTS: list[dict[str, Any]] = [{}, {"weights": "stochastic", "seed": 3}, {"weights": "kahan"}, {"weights": "master"}]


@pytest.mark.parametrize("options", WEIGHTS, ids=lambda o: str(o.get("weights")))
def test_a_bfloat16_run_is_resumed_bit_for_bit(options: dict[str, Any]) -> None:
    """State stays float32 through the file, so nothing is lost (torch casts it to bfloat16)."""
    start = parameters([(40,), (3, 5)], torch.bfloat16)
    grads = gradients(start, 30)
    options = {**options, "lr": 1e-3, "ema": 0.9}
    whole = ours("AdamW")(clones(start), **options)
    half = ours("AdamW")(clones(start), **options)
    train(whole, grads)
    train(half, grads[:15])
    state = through_a_file(half.state_dict())
    rest = ours("AdamW")(clones(held(half)), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        rest.load_state_dict(state)
    assert equal_trees(snapshot(rest), snapshot(half))
    train(rest, grads[15:])
    assert equal_trees(snapshot(rest), snapshot(whole))
    assert not equal_trees(snapshot(rest), snapshot(half))


@pytest.mark.parametrize("name", DENSE)
def test_every_rule_is_resumed_bit_for_bit(name: str) -> None:
    start = parameters([(7,), (3, 5), ()])
    grads = gradients(start, 12)
    whole, half = (ours(name)(clones(start)) for _ in range(2))
    train(whole, grads)
    train(half, grads[:6])
    rest = ours(name)(clones(held(half)))
    rest.load_state_dict(through_a_file(half.state_dict()))
    train(rest, grads[6:])
    assert equal_trees(snapshot(rest), snapshot(whole))
    assert not equal_trees(snapshot(rest)[0], snapshot(half)[0])


def test_loading_copies() -> None:
    """Neither the file's tensors nor the other optimizer's are changed by what comes after."""
    start = parameters()
    first = ours("Adam")(clones(start))
    train(first, gradients(start, 2))
    state = first.state_dict()
    before = copy.deepcopy(state)
    second = ours("Adam")(clones(start))
    second.load_state_dict(state)
    train(second, gradients(start, 3))
    assert equal_trees(state, before)
    assert equal_trees(first.state_dict(), before)
    second.param_groups[0]["lr"] = 7.0
    assert state["param_groups"][0]["lr"] == first.param_groups[0]["lr"] == 1e-3


def test_the_declared_dtype_wins_over_the_files_with_one_warning() -> None:
    """torch keeps a bfloat16 parameter's state in bfloat16; here it is float32, and that is said."""
    start = parameters(dtype=torch.bfloat16)
    other = theirs("AdamW")(clones(start), lr=0.1)
    train(other, gradients(start, 3))
    mine = ours("AdamW")(clones(held(other)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mine.load_state_dict(through_a_file(other.state_dict()))
        train(mine, gradients(start, 1))
    told = [str(w.message) for w in caught if issubclass(w.category, UserWarning) and "bfloat16" in str(w.message)]
    assert len(told) == 1
    for p, q in zip(held(mine), held(other), strict=True):
        assert mine.state[p]["exp_avg"].dtype == torch.float32
        assert float(mine.state[p]["step"]) == 4 == float(other.state[q]["step"]) + 1


def test_widened_state_has_the_files_values() -> None:
    start = parameters(dtype=torch.bfloat16)
    other = theirs("Adam")(clones(start), lr=0.1)
    train(other, gradients(start, 3))
    mine = ours("Adam")(clones(held(other)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine.load_state_dict(other.state_dict())
    for key in ("exp_avg", "exp_avg_sq"):
        for a, b in zip(mine.state_dict()["state"].values(), other.state_dict()["state"].values(), strict=True):
            assert same_bits(a[key], b[key].float())


def named(order: str, start: dict[str, Tensor], **options: Any) -> Any:
    return ours("AdamW")([(n, nn.Parameter(start[n].clone())) for n in order], **options)


def by_name(opt: Any) -> dict[str, Any]:
    pairs = [(n, p) for group in opt.param_groups for n, p in zip(group["param_names"], group["params"], strict=True)]
    return dict(pairs)


def test_state_is_matched_by_name_where_both_have_names() -> None:
    """All of one shape, so that no shape could tell a swap."""
    start = dict(zip("abc", parameters([(4,)] * 3), strict=True))
    first, second = named("abc", start), named("cab", start)
    train(first, gradients(held(first), 5))
    second.load_state_dict(through_a_file(first.state_dict()))
    assert second.param_groups[0]["param_names"] == ["c", "a", "b"]
    a, b = by_name(first), by_name(second)
    for n in "abc":
        assert equal_trees(first.state[a[n]], second.state[b[n]])
    values = [first.state[a[n]]["exp_avg"] for n in "abc"]
    assert not torch.equal(values[0], values[1])


def test_state_is_matched_by_place_where_names_lack() -> None:
    start = parameters([(4,)] * 2)
    first = ours("AdamW")(list(zip("ab", clones(start), strict=True)))
    second = ours("AdamW")(clones(start))
    train(first, gradients(start, 5))
    second.load_state_dict(first.state_dict())
    for p, q in zip(held(first), held(second), strict=True):
        assert equal_trees(first.state[p], second.state[q])


def test_other_names_are_refused() -> None:
    start = dict(zip("abx", parameters([(4,)] * 3), strict=True))
    first, second = named("ab", start), named("ax", start)
    train(first, gradients(held(first), 2))
    train(second, gradients(held(second), 1))
    before = snapshot(second)
    with pytest.raises((ValueError, KeyError), match="x|b"):
        second.load_state_dict(first.state_dict())
    assert unchanged(second, before)


def test_options_come_with_the_state() -> None:
    start = parameters()
    first = ours("NAdam")(clones(start), lr=0.3, betas=(0.5, 0.6), momentum_decay=0.2, maximize=True)
    train(first, gradients(start, 2))
    second = ours("NAdam")(clones(held(first)))
    second.load_state_dict(first.state_dict())
    for opt in (first, second):
        train(opt, gradients(start, 3, seed=9))
    assert equal_trees(snapshot(first), snapshot(second))


# --------------------------------------------------------------------------- copies and processes


def copy_by_pickle(x: Any) -> Any:
    return pickle.loads(pickle.dumps(x))


COPIES: list[Callable[[Any], Any]] = [copy.deepcopy, copy_by_pickle]
RICH: dict[str, Any] = {
    "max_grad_norm": 1.0,
    "nonfinite": "skip",
    "ema": 0.9,
    "diagnostics_every": 2,
    "weights": "stochastic",
}


@pytest.mark.parametrize("how", COPIES, ids=["deepcopy", "pickle"])
@pytest.mark.parametrize(("name", "options"), [*((n, {}) for n in DENSE), ("AdamW", RICH)], ids=[*DENSE, "rich"])
def test_copies_train_on_alike_and_apart(name: str, options: dict[str, Any], how: Callable[[Any], Any]) -> None:
    start = parameters([(7,), (3, 5)], torch.bfloat16 if options else torch.float32)
    grads = gradients(start, 10)
    opt = ours(name)(clones(start), **options)
    train(opt, grads[:4])
    other = how(opt)
    assert type(other) is type(opt)
    assert equal_trees(snapshot(other), snapshot(opt))
    before = snapshot(opt)
    train(other, grads[4:])
    assert unchanged(opt, before)
    train(opt, grads[4:])
    assert equal_trees(snapshot(other), snapshot(opt))
    assert not unchanged(opt, before)
    assert other.last_step == opt.last_step
    if options:
        assert opt.last_step.clip < 1
        held(other)[0].grad = torch.full((7,), torch.nan, dtype=torch.bfloat16)
        before = snapshot(other)
        other.step()
        assert unchanged(other, before)
        assert (other.skipped_steps, opt.skipped_steps) == (1, 0)


def test_a_copy_before_the_first_step() -> None:
    start = parameters()
    opt = ours("NAdam")(clones(start), lr=0.1, max_grad_norm=1.0)
    other = copy.deepcopy(opt)
    for o in (opt, other):
        train(o, gradients(start, 3))
    assert equal_trees(snapshot(other), snapshot(opt))
    assert other.last_step.clip < 1


@pytest.mark.parametrize("how", COPIES, ids=["deepcopy", "pickle"])
def test_a_model_and_its_optimizer_are_copied_together(how: Callable[[Any], Any]) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    opt = ours("AdamW")(model.named_parameters(), lr=0.1)
    x = torch.randn(5, 3)

    def fit(model: nn.Module, opt: Any) -> list[Tensor]:
        for _ in range(3):
            opt.zero_grad()
            model(x).square().sum().backward()
            opt.step()
        return [p.detach().clone() for p in model.parameters()]

    fit(model, opt)
    model2, opt2 = how((model, opt))
    assert all(p is q for p, q in zip(model2.parameters(), held(opt2), strict=True))
    frozen = [p.detach().clone() for p in model.parameters()]
    assert not equal_trees(fit(model2, opt2), frozen)
    assert equal_trees([p.detach() for p in model.parameters()], frozen)
    assert equal_trees(fit(model, opt), [p.detach() for p in model2.parameters()])


RESUME = """
import sys, torch, adamas.torch
given = torch.load(sys.argv[1], weights_only=True)
params = [("w", torch.nn.Parameter(given["params"][0])), ("b", torch.nn.Parameter(given["params"][1]))]
opt = adamas.torch.AdamW(params, weights="stochastic", seed=5)
opt.load_state_dict(given["state"])
for row in given["grads"]:
    for (_, p), g in zip(params, row):
        p.grad = g
    opt.step()
torch.save([p.detach() for _, p in params], sys.argv[2])
"""


def test_another_process_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    """The noise of stochastic rounding included: it comes from seed, name and step."""
    start = parameters([(50,), (3,)], torch.bfloat16)
    grads = gradients(start, 8)
    opt = ours("AdamW")(list(zip("wb", clones(start), strict=True)), weights="stochastic", seed=5)
    train(opt, grads[:4])
    given = {"params": [p.detach() for p in held(opt)], "state": opt.state_dict(), "grads": grads[4:]}
    torch.save(given, tmp_path / "given")
    subprocess.run([sys.executable, "-c", RESUME, tmp_path / "given", tmp_path / "found"], check=True, timeout=120)
    train(opt, grads[4:])
    assert equal_trees(torch.load(tmp_path / "found"), [p.detach() for p in held(opt)])


# ------------------------------------------------------------------------------- swa_utils


def test_swa_utils() -> None:
    found = []
    for cls in (ours("AdamW"), theirs("AdamW")):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        x = torch.randn(8, 3)
        opt = cls(model.parameters(), lr=0.1)
        averaged, schedule = AveragedModel(model), SWALR(opt, swa_lr=0.01, anneal_epochs=5)
        for _ in range(15):
            opt.zero_grad()
            model(x).square().sum().backward()
            opt.step()
            schedule.step()
            averaged.update_parameters(model)
        assert opt.param_groups[0]["lr"] == pytest.approx(0.01)
        found.append([*averaged.module.parameters(), *model.parameters()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)
    assert not torch.allclose(found[0][0], found[0][2])


# ----------------------------------------------------------------------------------- hooks


def test_state_dict_hooks() -> None:
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p])
    train(opt, gradients([p], 1))
    log: list[str] = []
    opt.register_state_dict_pre_hook(lambda o: log.append(f"save {o is opt}"))
    opt.register_state_dict_post_hook(lambda o, d: {**d, "note": 1})
    opt.register_load_state_dict_pre_hook(lambda o, d: (log.append(f"load {d['note']}"), {**d, "note": 2})[1])
    opt.register_load_state_dict_post_hook(lambda o: log.append(f"loaded {float(o.state[p]['step'])}"))
    state = copy.deepcopy(opt.state_dict())
    assert state["note"] == 1
    train(opt, gradients([p], 2))
    opt.load_state_dict(state)
    assert log == ["save True", "load 1", "loaded 1.0"]
    assert state["note"] == 1


def test_a_load_hook_may_rename() -> None:
    """The use that torch's documentation gives for it."""
    (p,) = parameters([(3,)])
    opt = ours("Adam")([p])
    train(opt, gradients([p], 3))
    state = copy.deepcopy(opt.state_dict())
    state["state"] = {"old": state["state"].pop(0)}

    def rename(opt: Any, state: dict[str, Any]) -> dict[str, Any]:
        return {**state, "state": {0: state["state"]["old"]}}

    other = ours("Adam")(clones([p]))
    other.register_load_state_dict_pre_hook(rename)
    other.load_state_dict(state)
    assert equal_trees(other.state_dict(), opt.state_dict())


# ---------------------------------------------------------------------------- what is refused


def without(key: str) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        del state["state"][0][key]

    return change


def replaced(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        state["state"][1][key] = value

    return change


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no groups": lambda s: s.pop("param_groups"),
    "no state": lambda s: s.pop("state"),
    "fewer groups": lambda s: s["param_groups"].clear(),
    "more groups": lambda s: s["param_groups"].append(copy.deepcopy(s["param_groups"][0])),
    "fewer parameters": lambda s: s["param_groups"][0]["params"].pop(),
    "lacks exp_avg": without("exp_avg"),
    "lacks step": without("step"),
    "another shape": replaced("exp_avg", torch.zeros(4, 5)),
    "broadcastable shape": replaced("exp_avg", torch.zeros(1)),
    "complex": replaced("exp_avg_sq", torch.zeros(3, 5, dtype=torch.complex64)),
    "integers": replaced("exp_avg_sq", torch.zeros(3, 5, dtype=torch.int8)),
    "text": replaced("exp_avg", "nothing"),
    "negative step": replaced("step", torch.tensor(-3.0)),
    "step and a half": replaced("step", torch.tensor(1.5)),
    "NaN step": replaced("step", torch.tensor(float("nan"))),
    "other rule": replaced("exp_inf", torch.zeros(3, 5)),
    "wrong lr": lambda s: s["param_groups"][0].update(lr=-1.0),
    "wrong betas": lambda s: s["param_groups"][0].update(betas=(0.9, 1.5)),
    "lr is text": lambda s: s["param_groups"][0].update(lr="fast"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_state_dicts_are_refused_with_everything_as_it_was(wrong: str) -> None:
    start = parameters([(7,), (3, 5)])
    first, second = (ours("Adam")(clones(start)) for _ in range(2))
    train(first, gradients(start, 3))
    train(second, gradients(start, 2, seed=5))
    state = copy.deepcopy(first.state_dict())
    WRONG[wrong](state)
    before, group = snapshot(second), dict(second.param_groups[0])
    with pytest.raises((ValueError, TypeError, KeyError)):
        second.load_state_dict(state)
    assert unchanged(second, before)
    assert second.param_groups[0] == group
    twin = ours("Adam")(clones(start))
    for opt, seed, steps in ((twin, 5, 2), (twin, 6, 2), (second, 6, 2)):
        train(opt, gradients(start, steps, seed=seed))
    assert equal_trees(snapshot(second), snapshot(twin))


@pytest.mark.parametrize("junk", [None, 3, [], {}, "state"], ids=str)
def test_what_is_no_state_dict_is_refused(junk: Any) -> None:
    opt = ours("Adam")(parameters(SHAPES))
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        opt.load_state_dict(junk)


def test_equal_names_in_two_groups_are_told_apart_by_place() -> None:
    def make(actor: nn.Module, critic: nn.Module) -> Any:
        groups = [{"params": actor.named_parameters(), "lr": 0.5}, {"params": critic.named_parameters(), "lr": 0.1}]
        return ours("AdamW")(groups, weights="stochastic")

    nets = [nn.Linear(2, 2, dtype=torch.bfloat16) for _ in range(2)]
    opt = make(*nets)
    for scale, p in enumerate(itertools.chain(*(net.parameters() for net in nets)), 1):
        p.grad = torch.full_like(p, scale)
    opt.step()
    again = make(*(nn.Linear(2, 2, dtype=torch.bfloat16) for _ in range(2)))
    again.load_state_dict(opt.state_dict())
    assert [group["lr"] for group in again.param_groups] == [0.5, 0.1]
    found = [entry["exp_avg"].max().item() for entry in again.state.values()]
    assert found == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("name", ["LAMB", "Adamax", "Prodigy", "Adafactor"])
def test_flags_that_a_name_has_not_choose_no_other_rule(name: str) -> None:
    """The groups of torch's AdamW say amsgrad=… and decoupled_weight_decay=True."""
    groups = theirs("AdamW")([nn.Parameter(torch.ones(3, 3))], amsgrad=True).param_groups
    flagged, plain = nn.Parameter(torch.ones(3, 3)), nn.Parameter(torch.ones(3, 3))
    options = {k: v for k, v in ours(name)([plain]).defaults.items() if k in ("lr", "betas", "eps", "weight_decay")}
    steps = [ours(name)([{**groups[0], **options, "params": [flagged]}]), ours(name)([plain])]
    for p, opt in zip((flagged, plain), steps, strict=True):
        p.grad = torch.full_like(p, 0.5)
        opt.step()
    assert torch.equal(flagged, plain)
    assert steps[0].state[flagged].keys() == steps[1].state[plain].keys()


def test_a_warning_that_is_an_error_leaves_everything_as_it_was() -> None:
    p, q = nn.Parameter(torch.ones(3, dtype=torch.bfloat16)), nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    old, opt = theirs("Adam")([p]), ours("Adam")([q], lr=0.5)
    p.grad = torch.ones_like(p)
    old.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="bfloat16 in the file, float32 here"):
            opt.load_state_dict(old.state_dict())
    assert not opt.state
    assert opt.param_groups[0]["lr"] == 0.5
    with pytest.warns(UserWarning, match="float32 here") as told:
        opt.load_state_dict(old.state_dict())
    assert [warning.filename for warning in told] == [__file__]


def test_what_is_not_kept_here_is_told() -> None:
    p = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    opt = ours("Adam")([p], weights="master", ema=0.9)
    p.grad = torch.ones_like(p)
    opt.step()
    with pytest.warns(UserWarning, match="ema, master, which is not kept here"):
        ours("Adam")([nn.Parameter(p.detach().clone())]).load_state_dict(opt.state_dict())


def test_sparse_adam_resumes_16_bit_parameters_with_moments_of_its_own() -> None:
    def step(p: Tensor, opt: Any) -> None:
        p.grad = torch.sparse_coo_tensor([[0, 2]], torch.full((2, 8), 0.3), (4, 8), check_invariants=True).to(p.dtype)
        opt.step()

    p = nn.Parameter(torch.ones(4, 8, dtype=torch.bfloat16))
    opt = ours("SparseAdam")([p], lr=0.1)
    step(p, opt)
    q = nn.Parameter(p.detach().clone())
    again = ours("SparseAdam")([q], lr=0.1)
    saved = opt.state_dict()
    again.load_state_dict(saved)
    assert again.state[q]["exp_avg"].dtype == torch.float32
    before = saved["state"][0]["exp_avg"].clone()
    step(q, again)
    assert torch.equal(saved["state"][0]["exp_avg"], before)
    step(p, opt)
    assert torch.equal(p, q)


def test_sparse_adam_widens_what_it_loads_and_heeds_hooks() -> None:
    p = nn.Parameter(torch.ones(4, 2, dtype=torch.bfloat16))
    old = theirs("SparseAdam")([p])
    p.grad = torch.sparse_coo_tensor([[1]], torch.ones(1, 2), (4, 2), check_invariants=True).to(p.dtype)
    old.step()
    q = nn.Parameter(p.detach().clone())
    opt = ours("SparseAdam")([q])
    told = []

    def halve(optimizer: Any, state: dict[str, Any]) -> dict[str, Any]:
        state = copy.deepcopy(state)
        state["state"][0]["exp_avg"] /= 2
        return state

    opt.register_load_state_dict_pre_hook(halve)
    opt.register_load_state_dict_post_hook(lambda optimizer: told.append(optimizer.state[q]["exp_avg"].dtype))
    opt.load_state_dict(old.state_dict())
    assert told == [torch.float32]
    assert opt.state[q]["exp_avg_sq"].dtype == torch.float32
    assert torch.equal(opt.state[q]["exp_avg"], old.state[p]["exp_avg"].float() / 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex128])
def test_empty_parameters_are_saved(dtype: torch.dtype) -> None:
    params = [
        nn.Parameter(torch.ones(n, dtype=kind)) for n, kind in ((2, torch.float64), (0, dtype), (2, torch.float64))
    ]
    opt = ours("AdamW")(params, weights="kahan")
    for p in params:
        p.grad = torch.zeros_like(p)
    opt.step()
    again = ours("AdamW")(params, weights="kahan")
    again.load_state_dict(through_a_file(opt.state_dict()))
    assert again.state[params[1]]["step"] == 1
