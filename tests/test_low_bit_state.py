"""State of 16, 8 and 4 bits on both front ends: shown, saved, resumed, converted, counted, refused."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import cases
import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn
from torch_cases import (
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
from adamas.torch import in_backward

CODECS = ["bfloat16", "int8", "int4"]
LARGE = [(70, 100)]  # 14 blocks, the last of them not full
BLOCKS = 14
#: How far numbers may be from what they are coded as, together, relative to all of them.
NEAR = {"bfloat16": 0.005, "int8": 0.02, "int4": 0.3}

NAMES = ["Adam", "AdamW", "Adam amsgrad", "NAdam", "RAdam", "LAMB", "Prodigy", "Adamax"]
EXCHANGED = ["Adam", "AdamW", "Adam amsgrad", "NAdam", "RAdam", "Adamax"]


def make(name: str, params: Any, library: Callable[[str], Any] = ours, **options: Any) -> Any:
    title, *flags = name.split()
    return library(title)(params, **dict.fromkeys(flags, True), **options)


def through_a_file(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def trained(name: str, steps: int = 3, shapes: Any = LARGE, dtype: Any = torch.float32, **options: Any) -> Any:
    opt = make(name, parameters(shapes, dtype), **options)
    train(opt, gradients(held(opt), steps))
    return opt


def twin(opt: Any, name: str, **options: Any) -> Any:
    return make(name, clones(held(opt)), **options)


def loaded(opt: Any, state: Any) -> list[str]:
    """The warnings of loading a state."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        opt.load_state_dict(state)
    assert all(w.filename == __file__ for w in caught)
    return [str(w.message) for w in caught]


def error(a: Any, b: Any) -> float:
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def check_near(opt: Any, other: Any, codec: str) -> None:
    """All slots of two torch optimizers, in numbers."""
    for mine, given in zip(*(o.state_dict(portable=True)["state"].values() for o in (opt, other)), strict=True):
        assert mine.keys() == given.keys()
        for key, value in given.items():
            assert error(mine[key].double(), value.double()) < NEAR[codec], key
        assert mine["step"] == given["step"] > 0


# ------------------------------------------------------------------------------ shown and resumed


@pytest.mark.parametrize("weights", [None, "stochastic"])
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_is_one_that_never_stopped(name: str, codec: str, weights: str | None) -> None:
    options = {"state": codec, "weights": weights, "seed": 3}
    start = parameters(LARGE, torch.bfloat16 if weights else torch.float32)
    grads = gradients(start, 6)
    whole, half = (make(name, clones(start), **options) for _ in range(2))
    train(whole, grads)
    train(half, grads[:3])
    rest = twin(half, name, **options)
    assert loaded(rest, through_a_file(half.state_dict())) == []
    assert equal_trees(snapshot(rest), snapshot(half))
    train(rest, grads[3:])
    assert equal_trees(snapshot(rest), snapshot(whole))
    assert not equal_trees(snapshot(rest)[1], snapshot(half)[1])


SHOWN = {
    "int8": {
        "exp_avg": ((70, 100), torch.uint8),
        "exp_avg.scale": ((BLOCKS,), torch.float32),
        "exp_avg_sq": ((70, 100), torch.uint8),
        "exp_avg_sq.low": ((BLOCKS,), torch.float32),
        "exp_avg_sq.step": ((BLOCKS,), torch.float32),
    },
    "int4": {
        "exp_avg": ((3500,), torch.uint8),
        "exp_avg.scale": ((BLOCKS,), torch.float32),
        "exp_avg_sq": ((3500,), torch.uint8),
        "exp_avg_sq.low": ((BLOCKS,), torch.float32),
        "exp_avg_sq.step": ((BLOCKS,), torch.float32),
    },
    "bfloat16": {"exp_avg": ((70, 100), torch.bfloat16), "exp_avg_sq": ((70, 100), torch.bfloat16)},
}


@pytest.mark.parametrize("codec", CODECS)
def test_codes_and_scales_are_shown_and_small_tensors_keep_float32(codec: str) -> None:
    opt = trained("AdamW", shapes=[*LARGE, (63, 65)], state=codec)
    large, small = ({k: (tuple(x.shape), x.dtype) for k, x in opt.state[p].items()} for p in held(opt))
    step = {"step": ((), torch.float32)}
    assert large == step | SHOWN[codec]
    kept = torch.bfloat16 if codec == "bfloat16" else torch.float32
    assert small == step | dict.fromkeys(("exp_avg", "exp_avg_sq"), ((63, 65), kept))


def test_slots_and_groups_have_codecs_of_their_own_and_maxima_keep_float32() -> None:
    a, b, c = parameters(LARGE * 3)
    groups = [
        {"params": [a], "state": {"m": "int4", "v": "int8"}},
        {"params": [b], "state": {"m": "int8", "v": "factored"}},
        {"params": [c], "amsgrad": True},
    ]
    opt = ours("AdamW")(groups, state="int8")
    train(opt, gradients([a, b, c], 2))
    assert [opt.state[p]["exp_avg"].shape for p in (a, b, c)] == [(3500,), (70, 100), (70, 100)]
    assert opt.state[a]["exp_avg_sq"].dtype == torch.uint8
    assert opt.state[b].keys() == {"step", "exp_avg", "exp_avg.scale", "exp_avg_sq.share", "exp_avg_sq.column"}
    assert opt.state[c]["max_exp_avg_sq"].dtype == torch.float32
    again = ours("AdamW")([{**g, "params": clones(g["params"])} for g in groups], state="int8")
    assert loaded(again, through_a_file(opt.state_dict())) == []
    for o in (opt, again):
        train(o, gradients([a, b, c], 2, seed=7))
    assert equal_trees(snapshot(opt), snapshot(again))


# ---------------------------------------------------------------------------------------- features


@pytest.mark.parametrize("codec", CODECS)
def test_a_complex_parameter_is_a_pair_of_reals(codec: str) -> None:
    (z,) = parameters([(50, 60)], torch.complex64)
    x = nn.Parameter(torch.view_as_real(z.detach()).clone())
    ends = []
    for p in (z, x):
        opt = ours("AdamW")([p], state=codec, ema=0.9)
        for g in gradients([z], 4):
            p.grad = g[0] if p is z else torch.view_as_real(g[0])
            opt.step()
        again = ours("AdamW")([p], state=codec, ema=0.9)
        again.load_state_dict(opt.state_dict())
        assert equal_trees(again.state_dict(), opt.state_dict())
        ends.append((p, opt))
    assert torch.equal(torch.view_as_real(z.detach()), x.detach())
    assert all(torch.equal(ends[0][1].state[z][key], ends[1][1].state[x][key]) for key in SHOWN[codec])
    assert ends[0][1].state_dict(portable=True)["state"][0]["exp_avg"].dtype == torch.complex64


@pytest.mark.parametrize("codec", ["int8", "int4"])
def test_state_goes_with_the_order_of_the_axes_in_memory(codec: str) -> None:
    """Codes mean something for one order alone, which a model in another memory format has not."""
    (start,) = parameters([(16, 8, 6, 7)])
    usual, other = (
        nn.Parameter(start.detach().clone(memory_format=f)) for f in (torch.preserve_format, torch.channels_last)
    )
    for p, q in ((usual, other), (other, usual)):
        opt, same, foreign = (ours("AdamW")([x.detach().clone().requires_grad_()], state=codec) for x in (p, p, q))
        train(opt, gradients([p], 3))
        state = through_a_file(opt.state_dict())
        assert ("order" in state["state"][0]) == (p is other)
        assert loaded(same, state) == []
        assert equal_trees(same.state_dict()["state"], state["state"])
        (told,) = loaded(foreign, state)
        assert "memory" in told
        check_near(foreign, opt, codec)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("codec", CODECS)
def test_copies_train_on_alike_and_apart(codec: str, how: Callable[[Any], Any]) -> None:
    start = [nn.Parameter(p.detach().to(torch.bfloat16).t()) for p in parameters(LARGE)]
    named = [("embed.weight", start[0]), ("head", nn.Parameter(start[0].detach().clone()))]
    options = {"state": codec, "state_exclude": "embed.*", "weights": "kahan", "ema": 0.9, "max_grad_norm": 1.0}
    opt = ours("AdamW")(named, **options)
    train(opt, gradients(held(opt), 3))
    other = how(opt)
    assert other.state_exclude == ("embed.*",)
    assert equal_trees(snapshot(other), snapshot(opt))
    before = snapshot(opt)
    train(other, gradients(held(opt), 3, seed=9))
    assert unchanged(opt, before)
    train(opt, gradients(held(opt), 3, seed=9))
    assert equal_trees(snapshot(other), snapshot(opt))


def test_steps_in_backward_are_the_same_steps() -> None:
    torch.manual_seed(0)
    model = nn.Linear(100, 70)
    other = copy.deepcopy(model)
    opt = ours("AdamW")(model.named_parameters(), state="int4")
    inside = in_backward(other, ours("AdamW"), state="int4")
    x = torch.randn(5, 100)
    for _ in range(3):
        for m in (model, other):
            m(x).square().sum().backward()
        opt.step()
        opt.zero_grad()
    assert equal_trees(list(model.parameters()), list(other.parameters()))
    assert equal_trees(inside.state_dict()["state"], opt.state_dict()["state"])
    assert opt.state[model.weight]["exp_avg"].dtype == torch.uint8


def test_closures_late_gradients_and_clipping() -> None:
    a, b = parameters(LARGE * 2)
    opt = ours("Adam")([a, b], state="int8", lr=0.01, max_grad_norm=1.0, nonfinite="skip")

    def closure() -> Any:
        opt.zero_grad()
        loss = a.square().sum() + (b.square().sum() if opt.state else 0.0)
        loss.backward()
        return loss

    first = opt.step(closure)
    assert not opt.state.get(b)
    for _ in range(5):
        last = opt.step(closure)
    assert last < first + float(b.detach().square().sum())
    assert [float(opt.state[p]["step"]) for p in (a, b)] == [6, 5]
    before = snapshot(opt)
    a.grad = torch.full_like(a, float("nan"))
    opt.step()
    assert unchanged(opt, before)


def test_a_state_may_be_edited_in_codes_or_in_numbers() -> None:
    opt = trained("Adam", state="int8")
    (p,) = held(opt)
    p.grad = torch.zeros_like(p)
    entry, half = opt.state[p], opt.state_dict(portable=True)["state"][0]["exp_avg_sq"].sqrt() / 2
    entry["exp_avg"] = entry["exp_avg"].float()
    before = p.detach().clone()
    with pytest.raises(TypeError, match=r"state of parameter 0: exp_avg is float32, expected uint8"):
        opt.step()
    assert torch.equal(p, before)
    del entry["exp_avg.scale"]
    entry["exp_avg"] = half
    opt.step()
    assert entry["exp_avg"].dtype == torch.uint8
    m = opt.state_dict(portable=True)["state"][0]["exp_avg"]
    assert error(m, 0.9 * half) < 0.02


def test_a_group_may_be_given_another_codec_midway() -> None:
    opt = trained("AdamW", state="float32")
    (p,) = held(opt)
    for codec in ("int8", "bfloat16", "int4", "float32"):
        opt.param_groups[0]["state"] = codec
        before = opt.state_dict(portable=True)["state"][0]["exp_avg_sq"]
        p.grad = torch.zeros_like(p)
        opt.step()
        after = opt.state_dict(portable=True)["state"][0]["exp_avg_sq"]
        assert error(after, 0.999 * before) < 0.15
    assert opt.state[p].keys() == {"step", "exp_avg", "exp_avg_sq"}


# ---------------------------------------------------------------------------------------- portable


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", EXCHANGED)
def test_torch_goes_on_from_a_portable_state_and_back(name: str, codec: str) -> None:
    opt = trained(name, steps=10, shapes=[*LARGE, (5,)], state=codec, lr=0.01)
    state = opt.state_dict(portable=True)
    assert state["param_groups"][0]["state"] == "float32"
    assert all(x.dtype == torch.float32 for entry in state["state"].values() for k, x in entry.items() if "exp" in k)
    other, exact = make(name, clones(held(opt)), theirs), twin(opt, name)
    other.load_state_dict(through_a_file(state))
    assert loaded(exact, state) == []
    start = clones(held(opt))
    for o in (opt, other, exact):
        train(o, gradients(held(opt), 5, seed=8))
    assert [float(other.state[p]["step"]) for p in held(other)] == [15, 15]
    for p, q, r, origin in zip(held(opt), held(other), held(exact), start, strict=True):
        torch.testing.assert_close(q, r, rtol=1e-5, atol=1e-6)
        assert (p - q).norm() < {"bfloat16": 0.02, "int8": 0.05, "int4": 0.4}[codec] * (q - origin).norm()
    back = make(name, clones(held(other)), state=codec)
    (told,) = loaded(back, other.state_dict())
    assert f"float32 in the file, {codec} here" in told
    check_near(back, exact, codec)


def test_a_portable_state_of_float64_and_means() -> None:
    choice = {"m": "int8", "v": "factored"}
    opt = trained("AdamW", dtype=torch.float64, state=choice)
    (entry,) = opt.state_dict(portable=True)["state"].values()
    assert {k: (x.dtype, tuple(x.shape)) for k, x in entry.items() if k != "step"} == dict.fromkeys(
        ("exp_avg", "exp_avg_sq"), (torch.float64, (70, 100))
    )
    means = opt.state[held(opt)[0]]
    torch.testing.assert_close(entry["exp_avg_sq"], means["exp_avg_sq.share"][:, None] * means["exp_avg_sq.column"])
    back = twin(opt, "AdamW", state=choice)
    assert len(loaded(back, opt.state_dict(portable=True))) == 1
    check_near(back, opt, "int8")
    with pytest.raises(ValueError, match=r"exp_avg_sq was kept as factored.*portable=True"):
        twin(opt, "AdamW").load_state_dict(opt.state_dict())


def test_a_portable_state_is_a_copy_and_heeds_hooks() -> None:
    opt = trained("AdamW", state="float32", ema=0.5)
    state = opt.state_dict(portable=True)
    kept = copy.deepcopy(state)
    train(opt, gradients(held(opt), 2))
    assert equal_trees(state, kept)
    assert state["state"][0].keys() == {"step", "ema", "exp_avg", "exp_avg_sq"}
    opt.register_state_dict_post_hook(lambda o, d: {**d, "note": 1})
    assert opt.state_dict(portable=True)["note"] == 1


# --------------------------------------------------------------------------------------- conversion


@pytest.mark.parametrize("codec", [*CODECS, "float32"])
@pytest.mark.parametrize("source", [*CODECS, "float32"])
def test_any_codec_is_loaded_into_any_other_with_one_warning(source: str, codec: str) -> None:
    opt = trained("AdamW", shapes=LARGE * 2, state=source)
    other = twin(opt, "AdamW", state=codec)
    told = loaded(other, through_a_file(opt.state_dict()))
    if source == codec:
        assert told == []
        assert equal_trees(other.state_dict(), opt.state_dict())
        return
    (text,) = told
    assert f"the state of 2 parameters was {source} in the file, {codec} here" in text
    check_near(other, opt, codec if codec != "float32" else "bfloat16")
    train(other, gradients(held(opt), 2))


@pytest.mark.parametrize("codec", CODECS)
def test_torchs_16_bit_state_is_loaded(codec: str) -> None:
    other = theirs("AdamW")(parameters(LARGE, torch.bfloat16), lr=0.1)
    train(other, gradients(held(other), 3))
    opt = ours("AdamW")(clones(held(other)), state=codec)
    told = loaded(opt, other.state_dict())
    assert len(told) == (codec != "bfloat16")
    for key in ("exp_avg", "exp_avg_sq"):
        value = opt.state_dict(portable=True)["state"][0][key]
        assert error(value, other.state[held(other)[0]][key].float()) < NEAR[codec]


def test_a_warning_that_is_an_error_changes_nothing() -> None:
    opt, other = trained("Adam", state="int8"), trained("Adam", 2, state="int4")
    before = snapshot(other)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="int8 in the file, int4 here"):
            other.load_state_dict(opt.state_dict())
    assert unchanged(other, before)


#: What is wrong → the key, its value made of the right one, words of the error.
WRONG: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "codes cast to float32": ("exp_avg", lambda x: x.float(), "exp_avg is float32, expected uint8"),
    "codes cast to int8": ("exp_avg", lambda x: x.to(torch.int8), "exp_avg is int8"),
    "codes of another shape": ("exp_avg_sq", lambda x: x[:69], r"exp_avg_sq has shape \(69, 100\)"),
    "no codes": ("exp_avg", lambda x: None, "exp_avg is None"),
    "fewer scales": ("exp_avg.scale", lambda x: x[:-1], r"exp_avg.scale has shape \(13,\), expected \(14,\)"),
    "scales cast to bfloat16": ("exp_avg.scale", lambda x: x.bfloat16(), "exp_avg.scale is bfloat16, expected float32"),
    "a NaN among the scales": ("exp_avg.scale", lambda x: x * float("nan"), "exp_avg.scale holds nan, expected"),
    "an infinite lowest number": ("exp_avg_sq.low", lambda x: x + float("inf"), "exp_avg_sq.low holds inf"),
    "a negative step of the grid": ("exp_avg_sq.step", lambda x: -x, "exp_avg_sq.step holds -.*whole"),
    "half a step": ("exp_avg_sq.step", lambda x: x * 0 + 0.5, "exp_avg_sq.step holds 0.5, expected whole"),
    "a negative step count": ("step", lambda x: -x, "step is -3"),
    "no order of axes": ("order", lambda x: torch.tensor([1, 1]), r"order is \[1, 1\]"),
    "a scale too many": ("exp_avg.low", lambda x: torch.ones(14), "exp_avg.low.*no codec"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_makes_no_sense_is_refused_with_everything_as_it_was(wrong: str) -> None:
    key, change, words = WRONG[wrong]
    opt, other = trained("Adam", state="int8"), trained("Adam", 2, state="int8")
    state = copy.deepcopy(opt.state_dict())
    state["state"][0][key] = change(state["state"][0].get(key))
    before = snapshot(other)
    with pytest.raises((ValueError, TypeError), match=f"state of parameter 0: .*{words}"):
        other.load_state_dict(state)
    assert unchanged(other, before)


@pytest.mark.parametrize("key", ["exp_avg", "exp_avg.scale", "exp_avg_sq.low"])
def test_what_lacks_is_refused(key: str) -> None:
    opt = trained("Adam", state="int8")
    state = copy.deepcopy(opt.state_dict())
    del state["state"][0][key]
    with pytest.raises(ValueError, match=key):
        twin(opt, "Adam", state="int8").load_state_dict(state)


def test_a_file_that_torchs_adamw_has_cast_is_told_from_numbers() -> None:
    opt = trained("AdamW", state="int8")
    other = make("AdamW", clones(held(opt)), theirs)
    other.load_state_dict(opt.state_dict())  # takes the codes for numbers of the parameter's dtype
    with pytest.raises(TypeError, match="exp_avg is float32, expected uint8: beside .*exp_avg.scale there are codes"):
        twin(opt, "AdamW", state="int8").load_state_dict(other.state_dict())


# --------------------------------------------------------------------------------------- exclusions


def test_parameters_are_excluded_by_name() -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict({"embed": nn.Embedding(70, 100), "mid": nn.Linear(100, 100), "lm_head": nn.Linear(100, 70)})
    opt = ours("AdamW")(model.named_parameters(), state="int8", state_exclude=("*embed*", "lm_head.*"))
    train(opt, gradients(held(opt), 2))
    codes = {n for n, p in model.named_parameters() if opt.state[p]["exp_avg"].dtype == torch.uint8}
    assert codes == {"mid.weight"}
    assert "state_exclude: ('*embed*', 'lm_head.*')" in repr(opt)
    again = ours("AdamW")(copy.deepcopy(model).named_parameters(), state="int8")
    assert len(loaded(again, opt.state_dict())) == 1
    opt.add_param_group({"params": [("embed.more", nn.Parameter(torch.ones(70, 100)))]})
    train(opt, gradients(held(opt), 1))
    assert opt.state[held(opt)[-1]]["exp_avg"].dtype == torch.float32
    ours("AdamW")(model.named_parameters(), state={"v": "factored"}, state_exclude="*bias")


def test_exclusions_that_mean_nothing_are_refused() -> None:
    (p,) = parameters(LARGE)
    cls = ours("AdamW")
    with pytest.raises(ValueError, match=r"state_exclude=\['embed'\] goes by names.*named_parameters"):
        cls([p], state="int8", state_exclude="embed")
    with pytest.raises(ValueError, match=r"'embed.wieght' matches no parameter; did you mean 'embed.weight'\?"):
        cls([("embed.weight", p)], state="int8", state_exclude=["embed.wieght"])
    for wrong in (3, [3], {"embed": 1}, None):
        with pytest.raises(TypeError, match="state_exclude="):
            cls([("embed.weight", p)], state_exclude=wrong)
        with pytest.raises(TypeError, match="state_exclude="):
            adamas.AdamW({"w": np.ones(3)}, state_exclude=wrong)
    with pytest.raises(TypeError, match="state_exclude is for all groups together"):
        cls([{"params": [p], "state_exclude": "x"}])
    with pytest.raises(ValueError, match=r"'embd' matches no parameter; did you mean 'embed'\?"):
        adamas.AdamW({"embed": np.ones(3)}, state_exclude="embd")


# ------------------------------------------------------------------------------------------- memory


@pytest.mark.parametrize("state", ["float32", "bfloat16", "int8", "int4", {"m": "int8", "v": "factored"}])
def test_memory_is_known_before_the_first_step(state: Any) -> None:
    params = parameters(LARGE, torch.bfloat16)
    frozen = nn.Parameter(torch.ones(2, 5), requires_grad=False)
    opt = ours("AdamW")([*params, frozen], state=state, weights="kahan", ema=0.9)
    before = opt.memory()
    assert before["parameters"] == 2 * 7000 + 40
    assert before["state_per_parameter"] == before["state"] / 7010
    for p in params:
        p.grad = torch.ones_like(p)
    opt.step()
    shown = sum(x.numel() * x.element_size() for key, x in opt.state[params[0]].items() if key != "step")
    after = opt.memory()
    assert after["state"] == before["state"] == shown
    assert after["workspace"] > before["workspace"] == 0


@pytest.mark.parametrize(("codec", "most"), [("int8", 2.13), ("int4", 1.13), ("bfloat16", 4)])
def test_bytes_of_an_element(codec: str, most: float) -> None:
    (p,) = parameters([(512, 100)])
    assert 0.9 * most < ours("AdamW")([p], state=codec).memory()["state_per_parameter"] <= most
    assert adamas.AdamW(np.ones((512, 100), np.float32), state=codec).memory()["state_per_parameter"] <= most


# ------------------------------------------------------------------------------------------- refused

REFUSED: list[tuple[str, tuple[int, ...], Any, str]] = [
    ("AMSGrad", (70, 100), {"w": "int8"}, "slot w of amsgrad is a maximum.*int8.*float32 or bfloat16"),
    ("Adamax", (70, 100), {"n": "int4"}, "slot n of adamax is a maximum.*int4.*float32 or bfloat16"),
    ("Prodigy", (70, 100), {"p0": "bfloat16"}, "slot p0 of prodigy must not be rounded.*float32"),
    ("Adamax", (70, 100), {"n": "factored"}, "slot n of adamax is no mean of squares.*factored.*float32"),
    ("Adam", (7000,), {"v": "factored"}, r"factored needs at least two dimensions, got shape \(7000,\).*state_exclude"),
    ("Adam", (70, 100), "int9", "unknown codec 'int9'; did you mean 'int"),
    ("Adam", (70, 100), {"mm": "int8"}, "adam has no slot 'mm'; did you mean 'm'"),
]


@pytest.mark.parametrize(("name", "shape", "state", "words"), REFUSED)
def test_what_cannot_be_kept_is_refused_when_built(name: str, shape: Any, state: Any, words: str) -> None:
    p = nn.Parameter(torch.ones(shape))
    with pytest.raises(ValueError, match=words):
        ours(name)([p], state=state)
    opt = ours(name)([nn.Parameter(torch.ones(2, 2))])
    with pytest.raises(ValueError, match=words):
        opt.add_param_group({"params": [p], "state": state})
    assert len(opt.param_groups) == 1
    with pytest.raises(ValueError, match=words):
        getattr(adamas, name)(np.ones(shape, np.float32), state=state)


@pytest.mark.parametrize("codec", CODECS)
def test_complex_arrays_are_refused_and_excluded(codec: str) -> None:
    p = {"z": np.ones((70, 100), np.complex64), "x": np.ones((70, 100), np.float32)}
    with pytest.raises(ValueError, match=rf"z: {codec} keeps real numbers.*\(70, 100\) is complex.*state_exclude"):
        adamas.AdamW(p, state=codec)
    opt = adamas.AdamW(p, state=codec, state_exclude="z")
    opt.step({k: np.ones_like(x) for k, x in p.items()})
    arrays = opt.state_dict()["arrays"]
    assert arrays["z"]["m"].dtype == np.complex64
    assert arrays["x"]["m"].dtype != np.float32
    ported = opt.state_dict(portable=True)["arrays"]
    assert ported["z"]["m"].dtype == np.complex64
    assert ported["x"]["m"].dtype == np.float32


# --------------------------------------------------------------------------------------------- NumPy


def numpy_run(state: Any, steps: int = 3, rule: str = "adamw", p: Any = None, **options: Any) -> Any:
    if p is None:
        p = cases.arrays(LARGE, "float32", seed=1, spread=0)[0]
    opt = adamas.optimizer_class(rule)({"w": p, "b": np.ones(5, p.dtype)}, state=state, **options)
    numpy_train(opt, steps)
    return opt


def numpy_train(opt: Any, steps: int, seed: int = 10) -> None:
    for t in range(steps):
        w, b = cases.arrays([*LARGE, (5,)], "float32", seed=seed + t, spread=1)
        opt.step({"w": w, "b": b})


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("rule", ["adamw", "amsgrad", "lamb", "prodigy"])
def test_numpy_runs_resume_bit_for_bit(rule: str, codec: str) -> None:
    start = np.asfortranarray(cases.arrays(LARGE, "float32", seed=1, spread=0)[0])
    opt = numpy_run(codec, rule=rule, p=start)
    twins = [pickle.loads(pickle.dumps(opt)), copy.deepcopy(opt)]
    again = adamas.optimizer_class(rule)({k: x.copy("C") for k, x in opt.params.items()}, state=codec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again.load_state_dict(opt.state_dict())
    for o in (opt, again, *twins):
        numpy_train(o, 3, seed=30)
    for o in (again, *twins):
        assert cases.same_bits(o.params["w"], opt.params["w"])
        assert cases.same_state(o.state_dict(), opt.state_dict())


@pytest.mark.parametrize("codec", [*CODECS, "float32"])
@pytest.mark.parametrize("source", [*CODECS, "float32", "portable"])
def test_numpy_states_are_converted_with_one_warning(source: str, codec: str) -> None:
    """The order of the axes in memory, too, where codes are made anew."""
    start = cases.arrays(LARGE, "float32", seed=1, spread=0)[0]
    opt = numpy_run("int8" if source == "portable" else source, p=np.asfortranarray(start))
    state = opt.state_dict(portable=source == "portable")
    source = "float32" if source == "portable" else source
    other = numpy_run(codec, steps=0)
    told = loaded(other, state)
    assert len(told) == (source != codec)
    for name, given in opt.state_dict(portable=True)["arrays"]["w"].items():
        mine = other.state_dict(portable=True)["arrays"]["w"][name]
        assert error(mine, given) < NEAR[codec if codec != "float32" else "bfloat16"], name
    assert other.t == 3
    numpy_train(other, 1)


def test_what_is_converted_depends_on_nothing_that_was_there_before() -> None:
    state = numpy_run("int4").state_dict(portable=True)
    ends = []
    for steps in (0, 5):
        opt = numpy_run("int8", steps=steps)
        loaded(opt, state)
        ends.append(opt.state_dict()["arrays"])
    assert cases.same_state(*ends)


NUMPY_WRONG: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "codes of float32": ("m", lambda x: x.astype(np.float32), "w: m is float32, expected uint8"),
    "fewer scales": ("m.scale", lambda x: x[1:], r"w: m.scale has shape \(13,\), expected \(14,\)"),
    "scales of float64": ("v.low", lambda x: x.astype(np.float64), "w: v.low is float64, expected float32"),
    "a NaN": ("v.step", lambda x: x * np.nan, "w: v.step holds nan"),
    "a negative scale": ("m.scale", lambda x: -x - 1, "w: m.scale holds -"),
    "a scale too many": ("m.low", lambda x: np.ones(14, np.float32), "w: m.low"),
}


@pytest.mark.parametrize("wrong", NUMPY_WRONG)
def test_numpy_states_that_make_no_sense_are_refused_whole(wrong: str) -> None:
    key, change, words = NUMPY_WRONG[wrong]
    opt = numpy_run("int8")
    state = opt.state_dict()
    numpy_train(opt, 2)
    state["arrays"]["w"][key] = change(state["arrays"]["w"].get(key))
    before = opt.state_dict(), opt.params["w"].copy()
    with pytest.raises((ValueError, TypeError), match=words):
        opt.load_state_dict(state)
    assert cases.same_state(opt.state_dict(), before[0])
    assert cases.same_bits(opt.params["w"], before[1])


def test_numpy_leaves_are_excluded_by_name() -> None:
    p = {"embed": {"w": np.ones(LARGE[0], np.float32)}, "head": np.ones(LARGE[0], np.float32)}
    opt = adamas.AdamW(p, state="int4", state_exclude=["embed.*"])
    arrays = opt.state_dict()["arrays"]
    assert arrays["embed.w"]["m"].dtype == np.float32
    assert arrays["head"]["m"].dtype == np.uint8
    assert pickle.loads(pickle.dumps(opt)).memory()["state"] == opt.memory()["state"]


def test_a_maximum_may_be_bfloat16() -> None:
    opt = numpy_run("bfloat16", rule="amsgrad")
    assert opt.state_dict()["arrays"]["w"]["w"].dtype == ml_dtypes.bfloat16
    assert numpy_run("int8", rule="amsgrad").state_dict()["arrays"]["w"]["w"].dtype == np.float32


def test_the_option_is_documented() -> None:
    for cls in (adamas.AdamW, ours("AdamW")):
        assert all(f'"{codec}"' in cls.__doc__ for codec in CODECS)
        assert "4,096 elements" in cls.__doc__
