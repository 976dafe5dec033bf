"""What other optimizers get wrong in silence: memory, complex numbers, 16 bits, NaN, scaled and sparse gradients."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch_cases import (
    DENSE,
    EXCHANGED,
    clones,
    equal_trees,
    gradients,
    held,
    one_thread,  # noqa: F401
    ours,
    parameters,
    same_bits,
    snapshot,
    theirs,
    train,
    unchanged,
)

from adamas.torch import in_backward

CANARY = 1234.5


# ------------------------------------------------------------------ memory around parameters


class Guarded:
    """A leaf that is a strided view into a larger buffer, whose other elements must stay what they are."""

    def __init__(self, values: Tensor, order: tuple[int, ...], gaps: tuple[int, ...], reach: int = 3) -> None:
        """order: axes from the slowest to the fastest in memory. gaps: of each axis, every so-manieth element."""
        sizes = [values.shape[axis] * gaps[axis] for axis in order]
        self.buffer = torch.full((math.prod(sizes) + 2 * reach,), CANARY, dtype=values.dtype)
        inner = self.buffer[reach : reach + math.prod(sizes)].view(sizes)
        view = inner.permute([order.index(axis) for axis in range(values.ndim)])
        view = view[tuple(slice(None, None, gap) for gap in gaps)]
        view.copy_(values.detach())
        self.leaf = view.detach().requires_grad_()
        assert self.leaf.shape == values.shape
        free = torch.ones(self.buffer.shape, dtype=torch.bool)
        free.as_strided(view.shape, view.stride(), view.storage_offset()).fill_(False)
        self.outside = free

    def check(self) -> None:
        assert (self.buffer[self.outside] == CANARY).all(), "memory outside the parameter was written"


def strided(values: Tensor, order: tuple[int, ...], gaps: tuple[int, ...]) -> Tensor:
    return Guarded(values, order, gaps).leaf.detach()


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Any]]:
    """A shape, and of parameter and gradient the order of the axes and the gaps."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    axes = tuple(range(len(shape)))
    one = st.tuples(st.permutations(axes).map(tuple), st.tuples(*[st.integers(1, 3) for _ in axes]))
    return shape, [draw(one), draw(one)]


@settings(max_examples=60, deadline=None)
@given(layouts())
def test_any_strides_of_parameter_and_gradient(layout: tuple[tuple[int, ...], list[Any]]) -> None:
    """The same bits as contiguous ones, and not a byte beside the parameter."""
    shape, (mine, of_gradient) = layout
    start = parameters([shape])
    plain = ours("AdamW")(clones(start), lr=0.1)
    guarded = Guarded(start[0], *mine)
    opt = ours("AdamW")([guarded.leaf], lr=0.1)
    for (g,) in gradients(start, 3):
        train(plain, [[g]])
        guarded.leaf.grad = strided(g, *of_gradient)
        opt.step()
    assert same_bits(guarded.leaf, held(plain)[0])
    assert not torch.equal(guarded.leaf, start[0])
    guarded.check()


@pytest.mark.parametrize("name", DENSE)
def test_transposed_and_sliced_leaves_of_every_rule(name: str) -> None:
    start = parameters([(6, 8), (5,), (2, 3, 4)])
    plain = ours(name)(clones(start), lr=0.1)
    guards = [
        Guarded(p, order, gaps)
        for p, order, gaps in zip(start, [(1, 0), (0,), (2, 0, 1)], [(2, 3), (4,), (1, 2, 1)], strict=True)
    ]
    opt = ours(name)([g.leaf for g in guards], lr=0.1)
    for row in gradients(start, 4):
        train(plain, [row])
        for guard, g in zip(guards, row, strict=True):
            guard.leaf.grad = g.clone()
        opt.step()
    for guard, p, origin in zip(guards, held(plain), start, strict=True):
        assert same_bits(guard.leaf, p)
        assert not torch.equal(p, origin)
        guard.check()


def test_channels_last() -> None:
    start = parameters([(4, 3, 5, 5)])
    (grad,) = gradients(start, 1)[0]
    results = []
    for p_last, g_last in itertools.product([False, True], repeat=2):
        kinds = [torch.channels_last if last else torch.contiguous_format for last in (p_last, g_last)]
        p = nn.Parameter(start[0].detach().clone(memory_format=kinds[0]))
        opt = ours("AdamW")([p], lr=0.1)
        for _ in range(3):
            p.grad = grad.clone(memory_format=kinds[1])
            opt.step()
        assert p.is_contiguous(memory_format=kinds[0])
        results.append(p.detach())
    assert all(same_bits(results[0], p) for p in results)
    assert not torch.allclose(results[0], start[0])


def test_expanded_gradients() -> None:
    """The gradient of a sum is one number with strides of 0."""
    (p,) = parameters([(40, 30)])
    before = p.detach().clone()
    p.sum().backward()
    p.grad = torch.ones(()).expand(40, 30)
    assert p.grad.stride() == (0, 0)
    opt = ours("Adam")([p], lr=0.5)
    opt.step()
    torch.testing.assert_close(p, before - 0.5)
    assert p.grad.stride() == (0, 0)
    p.grad = torch.arange(40.0)[:, None].expand(40, 30)
    opt.step()
    assert torch.equal(opt.state[p]["exp_avg"][:, 0], opt.state[p]["exp_avg"][:, 29])
    torch.testing.assert_close(opt.state[p]["exp_avg"][:, 0], 0.09 + 0.1 * torch.arange(40.0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: [torch.ones(3).expand(4, 3).detach().requires_grad_()],
        lambda: (lambda b: [b[:6].detach().requires_grad_(), b[3:].detach().requires_grad_()])(torch.ones(9)),
    ],
    ids=["expanded parameter", "overlapping parameters"],
)
def test_parameters_that_share_elements_are_refused(make: Callable[[], list[Tensor]]) -> None:
    """An element must not be stepped twice."""
    params = make()

    def build_and_step() -> None:
        opt = ours("Adam")(params)
        for p in params:
            p.grad = torch.ones(p.shape)
        opt.step()

    with pytest.raises((ValueError, RuntimeError), match="share|overlap|memory"):
        build_and_step()
    assert all((p == 1).all() for p in params)


def test_neighbours_in_one_buffer_are_stepped_apart() -> None:
    """As of flattened models: views side by side, and interleaved."""
    buffer = torch.arange(12.0)
    params = [buffer[:4], buffer[4:8], buffer[8::2], buffer[9::2]]
    params = [p.detach().requires_grad_() for p in params]
    opt = ours("Adam")(params, lr=0.5)
    for i, p in enumerate(params):
        p.grad = torch.full(p.shape, 1.0 if i % 2 else -1.0)
    opt.step()
    moved = torch.tensor([0.5] * 4 + [-0.5] * 4 + [0.5, -0.5] * 2)
    torch.testing.assert_close(buffer, torch.arange(12.0) + moved)


def test_tied_weights() -> None:
    results = []
    for cls in (ours("AdamW"), theirs("AdamW")):
        torch.manual_seed(0)
        first, last = nn.Linear(4, 4), nn.Linear(4, 4)
        last.weight = first.weight
        model = nn.Sequential(first, nn.Tanh(), last)
        opt = cls(model.named_parameters(), lr=0.05)
        x = torch.randn(8, 4)
        for _ in range(10):
            opt.zero_grad()
            (model(x) - x).square().mean().backward()
            opt.step()
        assert first.weight is last.weight
        results.append([p.detach() for p in model.parameters()])
    assert len(results[0]) == 3
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


# ---------------------------------------------------------------- gradients belong to the user


@pytest.mark.parametrize("name", DENSE)
def test_gradients_are_never_written(name: str) -> None:
    start = parameters([(7,), (3, 5)])
    opt = ours(name)(start, max_grad_norm=0.1, nonfinite="skip", maximize=True, weight_decay=0.1)
    for row in gradients(start, 2):
        for p, g in zip(start, row, strict=True):
            p.grad = g
        before = [g.clone() for g in row]
        opt.step()
        assert opt.last_step.clip < 1
        for p, g, old in zip(start, row, before, strict=True):
            assert p.grad is g
            assert same_bits(g, old)


@pytest.mark.parametrize("name", [*DENSE, "in_backward"])
def test_autograd_notices_a_step_between_forward_and_backward(name: str) -> None:
    """What backward needs has been overwritten; its result would be wrong without a word."""
    a, b = parameters([(3,), (3,)])
    early, late = (a * b).sum(), (a * b).sum()
    opt = in_backward([a, b], ours("Adam")) if name == "in_backward" else ours(name)([a, b])
    early.backward()
    opt.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        late.backward()


# ------------------------------------------------------------------------- complex, amsgrad, eps


@pytest.mark.parametrize("name", [n for n in DENSE if n != "Adafactor"])
def test_the_imaginary_part_is_trained(name: str) -> None:
    p = nn.Parameter(torch.tensor([3 + 4j, -2 + 1j, 1 - 5j]))
    opt = ours(name)([p], lr=0.1, **({"d0": 1.0} if name == "Prodigy" else {}))
    before = p.detach().clone()
    for _ in range(150):
        opt.zero_grad()
        p.abs().square().sum().backward()
        opt.step()
    assert (p.real.abs() < 0.9 * before.real.abs()).all()
    assert (p.imag.abs() < 0.9 * before.imag.abs()).all()


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_amsgrad_is_honoured(name: str) -> None:
    """One large gradient is remembered for ever by AMSGrad, and by Adam only for a while."""
    start = parameters([(5,)], torch.float64)
    grads = [[torch.full((5,), 100.0 if t == 0 else 1.0, dtype=torch.float64)] for t in range(30)]
    options = {"betas": (0.5, 0.5), "lr": 0.1, "weight_decay": 0.0}
    adam, amsgrad, own = (
        ours(n)(clones(start), **options, **more)
        for n, more in ((name, {}), (name, {"amsgrad": True}), ("AMSGrad", {}))
    )
    other = theirs(name)(clones(start), amsgrad=True, **options)
    for opt in (adam, amsgrad, own, other):
        train(opt, grads)
    torch.testing.assert_close(held(amsgrad)[0], held(other)[0], rtol=1e-6, atol=1e-6)
    assert same_bits(held(amsgrad)[0], held(own)[0])
    assert (held(adam)[0] < held(amsgrad)[0] - 0.5).all()
    assert "max_exp_avg_sq" in amsgrad.state[held(amsgrad)[0]]


def test_eps_stands_beside_the_corrected_root() -> None:
    """With g = 1e-7 the first step is 10/11 of lr; an "epsilon hat" would make it 0.03 of lr."""
    p = nn.Parameter(torch.zeros(3))
    p.grad = torch.full((3,), 1e-7)
    ours("Adam")([p], lr=1e-2).step()
    torch.testing.assert_close(p, torch.full((3,), -1e-2 / 1.1), rtol=1e-5, atol=0)


def test_decay_of_adamw_is_beside_the_step() -> None:
    """Of a parameter without gradient signal only the decay is left: p (1 − lr·wd) each step."""
    p = nn.Parameter(torch.ones(3, dtype=torch.float64))
    opt = ours("AdamW")([p], lr=0.1)
    for _ in range(5):
        p.grad = torch.zeros_like(p)
        opt.step()
    torch.testing.assert_close(p, torch.full_like(p, (1 - 0.1 * 1e-2) ** 5), rtol=1e-14, atol=0)


# ---------------------------------------------------------------------------------- 16 bits

LAST = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}  # the last place of numbers from 0.5 to 1


def run_down(dtype: torch.dtype, lr: float, weights: str | None, count: int = 4096) -> tuple[Any, Tensor]:
    """200 steps of lr from 1."""
    p = nn.Parameter(torch.ones(count, dtype=dtype))
    opt = ours("AdamW")([p], lr=lr, weight_decay=0.0, weights=weights)
    for _ in range(200):
        p.grad = torch.ones_like(p)
        opt.step()
    return opt, p.detach().double()


@pytest.mark.parametrize(("dtype", "lr"), [(torch.bfloat16, 1e-3), (torch.float16, 1e-4)], ids=["bfloat16", "float16"])
@pytest.mark.parametrize("weights", ["kahan", "master"])
def test_16_bit_weights_move_by_the_whole_of_small_steps(weights: str, dtype: torch.dtype, lr: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt, p = run_down(dtype, lr, weights, count=8)
    assert ((p - (1 - 200 * lr)).abs() <= LAST[dtype]).all()
    (entry,) = opt.state.values()
    exact = entry["master"].double() if weights == "master" else p + entry["kahan"].double()
    torch.testing.assert_close(exact, torch.full_like(p, 1 - 200 * lr), rtol=0, atol=200 * lr * 1e-3)


@pytest.mark.parametrize(("dtype", "lr"), [(torch.bfloat16, 1e-3), (torch.float16, 1e-4)], ids=["bfloat16", "float16"])
def test_stochastic_rounding_is_right_on_average(dtype: torch.dtype, lr: float) -> None:
    """Each step is rounded up or down, and the mean is the step. 200 coins would scatter; these are even in time."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, p = run_down(dtype, lr, "stochastic")
    share = lr / LAST[dtype]
    scatter = LAST[dtype] * math.sqrt(200 * share * (1 - share))
    assert abs(float(p.mean()) - (1 - 200 * lr)) < 5 * scatter / math.sqrt(p.numel())
    assert 0 < float(p.std()) < 0.3 * scatter
    assert (p - (1 - 200 * lr)).abs().max() < 2 * scatter


def test_16_bit_weights_that_stand_still_are_told_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        a, b = (nn.Parameter(torch.ones(8, dtype=torch.bfloat16)) for _ in range(2))
        opt = ours("AdamW")([a, b], lr=1e-3, weight_decay=0.0)
        for _ in range(400):
            a.grad, b.grad = torch.ones_like(a), torch.ones_like(b)
            opt.step()
    assert (a == 1).all()
    told = [w for w in caught if issubclass(w.category, UserWarning)]
    assert len(told) == 1
    assert "stochastic" in str(told[0].message)
    assert told[0].filename == __file__


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_weights_that_move_are_not_told(dtype: torch.dtype) -> None:
    p = nn.Parameter(torch.zeros(64, dtype=dtype))
    opt = ours("AdamW")([p], lr=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(120):
            p.grad = torch.ones_like(p)
            opt.step()


@pytest.mark.parametrize("weights", ["stochastic", "kahan", "master"])
def test_wide_weights_need_no_mode(weights: str) -> None:
    start = parameters([(7,), (3, 5)])
    plain, kept = (ours("AdamW")(clones(start), lr=0.1, weights=mode) for mode in (None, weights))
    for opt in (plain, kept):
        train(opt, gradients(start, 5))
    assert equal_trees(snapshot(plain)[0], snapshot(kept)[0])
    assert list(kept.state[held(kept)[0]]) == list(plain.state[held(plain)[0]])


def test_weights_by_group() -> None:
    params = [nn.Parameter(torch.ones(8, dtype=torch.bfloat16)) for _ in range(3)]
    groups = [{"params": [p], "weights": w} for p, w in zip(params, ["kahan", "master", None], strict=True)]
    opt = ours("AdamW")(groups, lr=1e-3, weight_decay=0.0)
    for _ in range(50):
        for p in params:
            p.grad = torch.ones_like(p)
        opt.step()
    assert [p[0].item() < 0.96 for p in params] == [True, True, False]
    assert [{"kahan", "master"} & set(opt.state[p]) for p in params] == [{"kahan"}, {"master"}, set()]


def test_stochastic_noise_follows_the_seed() -> None:
    found = []
    for seed in (0, 0, 1):
        p = nn.Parameter(torch.ones(500, dtype=torch.bfloat16))
        opt = ours("Adam")([p], weights="stochastic", seed=seed)
        train(opt, [[torch.ones_like(p)]] * 20)
        found.append(p.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_two_parameters_are_not_rounded_alike() -> None:
    params = [nn.Parameter(torch.ones(500, dtype=torch.bfloat16)) for _ in range(2)]
    opt = ours("Adam")(params, weights="stochastic")
    train(opt, [[torch.ones_like(p) for p in params]] * 20)
    assert not torch.equal(*params)


@pytest.mark.parametrize("weights", ["nearest", "float32", 1, True])
def test_unknown_ways_to_keep_weights_are_refused(weights: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="weights"):
        ours("Adam")(parameters([(3,)]), weights=weights)


@pytest.mark.parametrize("name", DENSE)
def test_float16_with_the_usual_eps(name: str) -> None:
    """1e-8 is 0 in float16, and the smallest float16 squared is 0 even in float32's reach of half precision."""
    tiny = 2.0**-24
    g = torch.tensor([0.0, tiny, -tiny, 1e-4, 60000.0], dtype=torch.float16)
    p = nn.Parameter(torch.full((5,), 0.5, dtype=torch.float16))
    opt = ours(name)([p], lr=0.1, **({} if name in ("Adafactor", "Prodigy") else {"eps": 1e-8}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            p.grad = g.clone()
            opt.step()
    assert p.isfinite().all()
    assert all(x.isfinite().all() for x in opt.state[p].values() if isinstance(x, Tensor))
    assert name == "Prodigy" or p[4] < 0.5
    assert name not in EXCHANGED or p[0] == 0.5 or name == "AdamW"


# ------------------------------------------------------------------------------------- NaN


@pytest.mark.parametrize("name", DENSE)
def test_one_nan_costs_one_element(name: str) -> None:
    start = parameters([(30,), (4, 6)])
    clean, hurt = (ours(name)(clones(start), lr=0.1) for _ in range(2))
    for t, row in enumerate(gradients(start, 8)):
        train(clean, [row])
        if t == 2:
            row = [g.clone() for g in row]
            row[0][3], row[1][2, 1] = torch.nan, torch.inf
        train(hurt, [row])
    whole = name in ("Adafactor", "LAMB", "Prodigy")  # their sums lack an element from then on
    for p, q, origin, lost in zip(held(hurt), held(clean), start, [(3,), (2, 1)], strict=True):
        others = torch.ones(p.shape, dtype=torch.bool)
        others[lost] = False
        assert not p[lost].isfinite()
        assert p[others].isfinite().all()
        assert whole or torch.equal(p[others], q[others])
        if name != "Prodigy":  # whose first steps are of 1e-6
            assert (p[others] != origin[others]).all()


# ------------------------------------------------------------------------------------ the gate


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", ["AdamW", "NAdam", "Adafactor", "Prodigy"])
def test_a_skipped_step_changes_nothing(name: str, bad: float) -> None:
    start = parameters([(7,), (3, 5)])
    opt = ours(name)(start, nonfinite="skip", lr=0.1, ema=0.9)
    wrong = gradients(start, 1, seed=3)[0]
    wrong[1][1, 1] = bad
    train(opt, [wrong])
    assert len(opt.state) == 0
    train(opt, gradients(start, 3))
    assert opt.last_step.applied
    before = snapshot(opt)
    train(opt, [wrong])
    assert unchanged(opt, before)
    assert not opt.last_step.applied
    assert opt.skipped_steps == 2
    train(opt, gradients(start, 1, seed=4))
    assert opt.last_step.applied
    assert not unchanged(opt, before)
    assert opt.skipped_steps == 2


def test_a_skipped_step_leaves_no_trace_in_what_comes_after() -> None:
    start = parameters([(7,)], torch.bfloat16)
    smooth, bumpy = (ours("NAdam")(clones(start), nonfinite="skip", weights="stochastic", lr=0.1) for _ in range(2))
    bad = torch.full((7,), torch.nan, dtype=torch.bfloat16)
    for row in gradients(start, 5):
        train(smooth, [row])
        train(bumpy, [row, [bad]])
    assert equal_trees(snapshot(smooth), snapshot(bumpy))
    assert bumpy.skipped_steps == 5


def test_nonfinite_raise() -> None:
    start = dict(zip("ab", parameters([(7,), (3, 5)]), strict=True))
    opt = ours("AdamW")(list(start.items()), nonfinite="raise", lr=0.1)
    train(opt, gradients(held(opt), 2))
    before, last = snapshot(opt), opt.last_step
    start["b"].grad[2, 2] = torch.nan
    with pytest.raises(FloatingPointError, match="b"):
        opt.step()
    assert unchanged(opt, before)
    assert opt.last_step in (last, None) or not opt.last_step.applied
    train(opt, gradients(held(opt), 1))
    assert not unchanged(opt, before)


@pytest.mark.parametrize(
    "options", [{"nonfinite": "ignore"}, {"max_grad_norm": -1.0}, {"max_grad_norm": "1"}, {"ema": 1.5}]
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        ours("AdamW")(parameters([(3,)]), **options)


@pytest.mark.parametrize("dtypes", [[torch.float64], [torch.float32, torch.bfloat16], [torch.complex128]], ids=str)
@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_clipping_is_clip_grad_norm_before_the_step(limit: float, dtypes: list[torch.dtype]) -> None:
    start = [p for dtype in dtypes for p in parameters([(7,), (3, 5)], dtype)]
    exact = 1e-12 if len(dtypes) == 1 else 1e-2  # torch rounds the norms of bfloat16 gradients to bfloat16
    grads = gradients(start, 5)
    mine = ours("Adam")(clones(start), lr=0.1, max_grad_norm=limit)
    plain = (theirs if len(dtypes) == 1 else ours)("Adam")(clones(start), lr=0.1)  # torch computes in bfloat16
    for row in grads:
        train(mine, [row])
        for p, g in zip(held(plain), row, strict=True):
            p.grad = g.clone()
        norm = nn.utils.clip_grad_norm_(held(plain), limit)
        plain.step()
        assert mine.last_step.norm == pytest.approx(float(norm), rel=exact)
        assert mine.last_step.clip == pytest.approx(min(1.0, limit / (mine.last_step.norm + 1e-6)))
        assert (mine.last_step.clip < 1) == (limit < 1)
    for p, q, origin in zip(held(mine), held(plain), start, strict=True):
        torch.testing.assert_close(p, q, rtol=exact, atol=exact / 10)
        assert not torch.equal(p, origin)


def test_clipping_spans_groups_and_dtypes() -> None:
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    opt = ours("Adam")([{"params": [a]}, {"params": [b], "lr": 0.5, "weights": "master"}], max_grad_norm=1.0)
    a.grad, b.grad = torch.full((1,), 3.0), torch.full((1,), 4.0, dtype=torch.bfloat16)
    opt.step()
    assert opt.last_step.norm == pytest.approx(5.0)
    torch.testing.assert_close(opt.state[a]["exp_avg"], torch.tensor([0.06]), rtol=1e-5, atol=0)
    torch.testing.assert_close(opt.state[b]["exp_avg"], torch.tensor([0.08]), rtol=1e-5, atol=0)


# ------------------------------------------------------------------------------- GradScaler


def scaled_run(
    name: str, cls: type[Any], unscale: bool, bad: int | None, limit: float | None = None, **options: Any
) -> tuple[list[Tensor], list[float], Any]:
    """Six steps on a model in float32 under a gradient scaler; at step ``bad`` the loss is infinite."""
    torch.manual_seed(0)
    model, x = nn.Linear(4, 3), torch.randn(8, 4)
    opt = cls(model.parameters(), lr=0.05, **options)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)
    scales = []
    for t in range(6):
        opt.zero_grad()
        loss = model(x).square().mean() * (torch.inf if t == bad else 1.0)
        scaler.scale(loss).backward()
        if unscale:
            scaler.unscale_(opt)
            if limit is not None:
                nn.utils.clip_grad_norm_(model.parameters(), limit)
        before = snapshot(opt) if t == bad else None
        scaler.step(opt)
        if before is not None:
            assert unchanged(opt, before)
        scaler.update()
        scales.append(scaler.get_scale())
    return [p.detach() for p in model.parameters()], scales, opt


@pytest.mark.parametrize("bad", [None, 0, 3])
@pytest.mark.parametrize("unscale", [False, True])
@pytest.mark.parametrize(("name", "options"), [("AdamW", {}), ("AdamW", {"fused": True}), ("NAdam", {})], ids=str)
def test_grad_scaler(name: str, options: dict[str, bool], unscale: bool, bad: int | None) -> None:
    """With fused=True, as in torch, the scaler leaves scale and verdict to the step."""
    mine, scales, opt = scaled_run(name, ours(name), unscale, bad, **options)
    other, expected, _ = scaled_run(name, theirs(name), unscale, bad)
    assert scales == expected
    assert (max(scales[1:]) == 2.0**12) == (bad is None)
    for p, q in zip(mine, other, strict=True):
        torch.testing.assert_close(p, q)
    (step,) = {float(entry["step"]) for entry in opt.state.values()}
    assert step == (6 if bad is None else 5)
    assert not options or opt.skipped_steps == (bad is not None)
    assert not hasattr(opt, "grad_scale")


@pytest.mark.parametrize("unscale", [False, True])
@pytest.mark.parametrize("fused", [None, True])
def test_clipping_is_in_the_units_of_unscaled_gradients(fused: bool | None, unscale: bool) -> None:
    mine, _, opt = scaled_run("AdamW", ours("AdamW"), unscale, None, max_grad_norm=0.1, fused=fused)
    other, _, _ = scaled_run("AdamW", theirs("AdamW"), True, None, limit=0.1)
    for p, q in zip(mine, other, strict=True):
        torch.testing.assert_close(p, q)
    assert opt.last_step.clip < 1
    assert opt.last_step.norm == pytest.approx(0.1 / opt.last_step.clip, rel=1e-4)


def test_a_scaler_leaves_the_gradients_of_a_fused_step_alone() -> None:
    p = nn.Parameter(torch.ones(3))
    opt = ours("Adam")([p], lr=0.5, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(p.sum()).backward()
    scaler.step(opt)
    assert torch.equal(p.grad, torch.full((3,), 1024.0))
    torch.testing.assert_close(p, torch.full((3,), 0.5))
    torch.testing.assert_close(opt.state[p]["exp_avg"], torch.full((3,), 0.1))


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("name", DENSE)
def test_sparse_gradients_are_refused_with_nothing_changed(name: str) -> None:
    start = parameters([(7,), (4, 4)])
    opt = ours(name)(start)
    train(opt, gradients(start, 2))
    before = snapshot(opt)
    start[1].grad = torch.eye(4).to_sparse()
    with pytest.raises(RuntimeError, match="sparse"):
        opt.step()
    assert unchanged(opt, before)


def test_sparse_adam_refuses_dense_gradients_with_nothing_changed() -> None:
    start = parameters([(4, 3), (4, 3)])
    opt = ours("SparseAdam")(start)
    sparse, dense = torch.eye(4)[:, :3].to_sparse(), torch.ones(4, 3)
    train(opt, [[sparse, sparse]])
    before = snapshot(opt)
    with pytest.raises(RuntimeError, match="dense"):
        train(opt, [[sparse, dense]])
    assert unchanged(opt, before)


@pytest.mark.parametrize("name", DENSE)
def test_other_devices_are_refused_when_built(name: str) -> None:
    with pytest.raises((ValueError, TypeError, RuntimeError), match="meta"):
        ours(name)([nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3, device="meta"))])


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.float8_e4m3fn, torch.complex32], ids=str)
def test_dtypes_that_cannot_be_stepped_are_refused_when_built(dtype: torch.dtype) -> None:
    p = torch.ones(3).to(dtype)
    with pytest.raises((ValueError, TypeError), match=str(dtype).removeprefix("torch.")):
        ours("AdamW")([p])


def test_a_model_moved_to_another_device_is_refused_at_the_step() -> None:
    opt = ours("Adam")(parameters([(2,)]))
    moved = nn.Parameter(torch.ones(2, device="meta"))
    moved.grad = torch.zeros_like(moved)
    opt.param_groups[0]["params"][0] = moved
    with pytest.raises((ValueError, TypeError, RuntimeError), match="meta"):
        opt.step()


def test_a_gradient_that_does_not_fit_is_refused_with_nothing_changed() -> None:
    """torch refuses most such gradients at once; memory replaced under a parameter is where they come from."""
    start = parameters([(4,), (3,)])
    opt = ours("Adam")(start)
    train(opt, gradients(start, 1))
    before = snapshot(opt)
    kept = start[1].data
    start[1].data = torch.ones(5)
    with pytest.raises((ValueError, RuntimeError)):
        opt.step()
    start[1].data = kept
    assert unchanged(opt, before)


def test_lazily_conjugated_and_negated_gradients() -> None:
    """Their bits in memory are of another number. torch refuses the first in a step; autograd hands out both."""
    start = parameters([(4,)], torch.complex128)
    plain, lazy = (ours("Adam")(clones(start), lr=0.1) for _ in range(2))
    for (g,) in gradients(start, 3):
        train(plain, [[g.conj().resolve_conj()]])
        held(lazy)[0].grad = g.conj()
        lazy.step()
    assert equal_trees(snapshot(plain), snapshot(lazy))
    (p,) = parameters([(4,)], torch.float64)
    before = p.detach().clone()
    p.grad = torch.ones(4, dtype=torch.complex128).mul(1j).conj().imag
    assert p.grad.is_neg()
    ours("Adam")([p], lr=0.1).step()
    torch.testing.assert_close(p, before + 0.1)


def test_a_single_number_whose_gradient_is_lazily_negated() -> None:
    """Of one element no strides tell it apart from any other gradient."""
    p = nn.Parameter(torch.tensor(0.5))
    z = torch.complex(torch.zeros(()), p)
    (z.conj() * (1 - 2j)).real.backward()
    assert p.grad is not None
    assert p.grad.item() == -2
    ours("AdamW")([p], lr=0.1, weight_decay=0).step()
    assert p.item() == pytest.approx(0.6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sparse_adam_of_16_bit_parameters(dtype: torch.dtype) -> None:
    """Its moments are float32, so the memory of one is not that of the other."""
    small, wide = nn.Parameter(torch.ones(40, 64, dtype=dtype)), nn.Parameter(torch.ones(40, 64))
    optimizers = [ours("SparseAdam")([p], lr=0.1) for p in (small, wide)]
    for step in range(5):
        for p, opt in zip((small, wide), optimizers, strict=True):
            values = torch.full((2, 64), 1.0 + step, dtype=p.dtype)
            p.grad = torch.sparse_coo_tensor([[0, 7]], values, p.shape, check_invariants=True)
            opt.step()
    assert torch.allclose(small.float(), wide, atol=0.02)
    assert (wide[[0, 7]] < 0.7).all()
