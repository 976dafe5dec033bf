"""Time of an AdamW step of adamas.torch beside torch.optim's and other libraries', in one process.

    python benchmarks/torch_step.py               # or only some cases: torch_step.py one bf16

Each contender has its own copies of the same parameters and gradients, and no options but those named. A ratio is
taken pair by pair; "state" is the bytes that the contender keeps in ``opt.state`` for each element.

clip_grad_norm_ scales the gradients in place, so that only its first call finds them too long. But it multiplies them
at every call, if by 1, so that all of its steps cost the same. Adamas writes no gradients, and clips at every step.

Peers that are not installed are passed over. They need not be in .venv, where they might replace its torch; torchao,
HeavyBall and DeepSpeed compile their kernels in their first step, and need a C++ compiler for it:

    pip install --no-deps --target PEERS torchao bitsandbytes heavyball pytorch_optimizer \
        deepspeed einops hjson msgpack ninja psutil py-cpuinfo tqdm
    PYTHONPATH=PEERS python benchmarks/torch_step.py peers low-bit

bitsandbytes-cpu-fork is another bitsandbytes by its module's name, and needs a folder of its own.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from common import Quartiles, interleave, parse, parser, ratio, report
from numpy_step import LARGE, PAUSE
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

import adamas
import adamas.torch
from adamas.doctor import versions

SMALL = ((1000, 4096), (100, 256), (150, 64))  # tensors × elements
MAX_NORM = 1.0
SLOW_PAIRS, SECONDS = 5, 8.0  # a contender too slow for all pairs has as many as take so long, but no fewer than 5

#: Codecs and the targets of their time over that of float32 state, and of bfloat16 weights and state.
STATES, SHORT = {"bfloat16": "", "int8": "≤ 0.70", "int4": "≤ 0.75"}, {"int8": "≤ 1.0", "int4": ""}

Params = list[torch.nn.Parameter]
Shapes = list[tuple[int, ...]]


@dataclass(frozen=True)
class Contender:
    """A name for the table, and what makes the optimizer of parameters that have their gradients.

    One of another library (``distribution``) may not be there, or not work; then the table says so.
    """

    name: str
    make: Callable[[Params], torch.optim.Optimizer]
    distribution: str | None = None


@dataclass(frozen=True)
class Comparison:
    """A contender's time over torch's on tensors of these shapes; ``inner`` steps make one timing."""

    shapes: Shapes
    contender: Contender
    torch: Contender
    target: str = ""
    dtype: torch.dtype = torch.float32
    inner: int = 1


def ours(**options: Any) -> Contender:
    """adamas.torch with these options."""
    named = " ".join(["adamas", *(f"{name}={value}" for name, value in options.items())])
    return Contender(named, lambda params: adamas.torch.AdamW(params, **options))


class Clipped(torch.optim.AdamW):
    """torch's fused AdamW behind torch's clipping."""

    def step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.param_groups[0]["params"], MAX_NORM)
        super().step()


ADAMAS = ours()
FUSED = Contender("fused", lambda params: torch.optim.AdamW(params, fused=True))
DEFAULT = Contender("default", lambda params: torch.optim.AdamW(params))
CLIPPED = Contender("clip, fused", lambda params: Clipped(params, fused=True))

#: Distribution, module and class. pytorch_optimizer's AdamW is torch's.
PEERS = (
    ("deepspeed", "deepspeed.ops.adam", "DeepSpeedCPUAdam"),
    ("torchao", "torchao.optim.adam", "_AdamW"),
    ("torchao", "torchao.optim", "AdamW8bit"),
    ("torchao", "torchao.optim", "AdamW4bit"),
    ("bitsandbytes", "bitsandbytes.optim", "AdamW"),
    ("bitsandbytes", "bitsandbytes.optim", "AdamW8bit"),
    ("bitsandbytes-cpu-fork", "bitsandbytes.optim", "AdamW8bit"),
    ("heavyball", "heavyball", "AdamW"),
    ("pytorch_optimizer", "pytorch_optimizer", "StableAdamW"),
    ("pytorch_optimizer", "pytorch_optimizer", "FlashAdamW"),
)


def peer(distribution: str, module: str, name: str) -> Contender:
    """Another library's optimizer. It has its gradients back at every step, since HeavyBall takes them away."""

    def make(params: Params) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer = getattr(importlib.import_module(module), name)(params)
        grads = [p.grad for p in params]

        def put_back(*_: Any) -> None:
            for p, g in zip(params, grads, strict=True):
                p.grad = g

        optimizer.register_step_pre_hook(put_back)
        return optimizer

    return Contender(f"{distribution} {name}", make, distribution)


def transformer(layers: int = 12, width: int = 640, words: int = 8000, context: int = 1024) -> Shapes:
    """The tensors of a decoder whose attention and MLP stand side by side behind one norm, as in GPT-J and PaLM."""
    embeddings = [(words, width), (context, width)]
    norm, qkv, proj = (width,), (3 * width, width), (width, width)
    mlp = [(4 * width, width), (width, 4 * width)]
    head = [(width,), (width,), (words,)]  # the last norm's weight and bias, the logits' bias
    return [*embeddings, *[norm, qkv, proj, *mlp] * layers, *head]


def comparisons(quick: bool) -> dict[str, list[Comparison]]:
    """All cases, with their targets; in quick, the tensors are small and the timings short."""
    one = [(1_000_000 if quick else LARGE.size,)]
    model = transformer(2, 64, 100, 32) if quick else transformer()
    many, small, tiny = ([(size,)] * (count // 10 if quick else count) for count, size in SMALL)
    middle = [(256_000 if quick else 16_000_000,)]
    inner = 1 if quick else 20
    stochastic, clipping, bf16 = ours(weights="stochastic"), ours(max_grad_norm=MAX_NORM), torch.bfloat16
    return {
        "one": [Comparison(one, ADAMAS, FUSED, "≤ 1.05"), Comparison(one, ADAMAS, DEFAULT, "≤ 0.12")],
        "model": [Comparison(model, ADAMAS, FUSED, "≤ 1.05"), Comparison(model, ADAMAS, DEFAULT, "≤ 0.12")],
        "many": [Comparison(many, ADAMAS, FUSED, "≤ 0.35", inner=5)],
        "small": [Comparison(small, ADAMAS, FUSED, "≤ 0.25", inner=10 * inner)],
        "overhead": [
            Comparison(tiny, ADAMAS, FUSED, "≤ 150 µs", inner=5 * inner),
            Comparison(tiny, ADAMAS, DEFAULT, "≤ 150 µs", inner=inner),
        ],
        "clip": [Comparison(model, clipping, CLIPPED, "≤ 0.85")],
        "bf16": [Comparison(shapes, stochastic, FUSED, "≤ 1.3", bf16) for shapes in (one, model)],
        "low-bit": [
            *(Comparison(one, ours(state=state), FUSED, target) for state, target in STATES.items()),
            *(Comparison(one, ours(weights="stochastic", state=s), FUSED, t, bf16) for s, t in SHORT.items()),
            *(Comparison(one, peer(*p), FUSED) for p in PEERS if "bit" in p[2]),
        ],
        # Last, since a library may leave threads or settings behind.
        "peers": [Comparison(middle, contender, FUSED) for contender in (ADAMAS, *(peer(*p) for p in PEERS))],
    }


def optimizer_of(contender: Contender, case: Comparison) -> torch.optim.Optimizer:
    """The contender's optimizer on parameters and gradients of its own, the same for all."""
    generator = torch.Generator().manual_seed(0)

    def normal(shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(case.dtype)

    params = [torch.nn.Parameter(normal(shape)) for shape in case.shapes]
    for p in params:
        p.grad = normal(p.shape)
    return contender.make(params)


def size_of(state: Any) -> int:
    """Bytes of all tensors in a nest, those within tensor subclasses included."""
    if isinstance(state, dict):
        return sum(map(size_of, state.values()))
    if isinstance(state, list | tuple):
        return sum(map(size_of, state))
    if is_traceable_wrapper_subclass(state):
        return sum(size_of(getattr(state, name)) for name in state.__tensor_flatten__()[0])
    return state.numel() * state.element_size() if isinstance(state, torch.Tensor) else 0


def affordable(step: Callable[[], object], pairs: int, inner: int) -> int:
    """How many of the pairs there is time for, by the shorter of two steps."""
    step()  # compiles, allocates state
    took = math.inf
    for _ in range(2):
        start = time.perf_counter()
        step()
        took = min(took, time.perf_counter() - start)
    return min(pairs, max(SLOW_PAIRS, int(SECONDS / (inner * took))))


def described(shapes: Shapes) -> str:
    """Tensors and elements."""
    sizes = [math.prod(shape) for shape in shapes]
    return f"{len(sizes)} of {sum(sizes) / 1e6:.1f}M" if len(set(sizes)) > 1 else f"{len(sizes):,} × {sizes[0]:,}"


def duration(seconds: list[float]) -> str:
    """Median and quartiles with a unit."""
    scale, unit = (1e6, "µs") if Quartiles.of(seconds).median < 1e-3 else (1e3, "ms")
    return f"{Quartiles.of(scale * s for s in seconds).text()} {unit}"


def compare(case: Comparison, options: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    """The comparison's cells of the table, and its data."""
    a, b = case.contender.name, case.torch.name
    optimizers = {c.name: optimizer_of(c, case) for c in (case.contender, case.torch)}
    steps = {name: optimizer.step for name, optimizer in optimizers.items()}
    pairs = min(affordable(step, options.pairs, case.inner) for step in steps.values())
    seconds = interleave(steps, pairs, case.inner, options.pause)
    elements = sum(map(math.prod, case.shapes))
    state = {name: size_of(dict(optimizer.state)) / elements for name, optimizer in optimizers.items()}
    cells = [duration(seconds[a]), duration(seconds[b]), ratio(seconds, a, b).text(), case.target]
    return [*cells, f"{state[a]:.2f}", str(pairs)], {"seconds": seconds, "state": state}


def attempt(case: Comparison, options: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    """The same, or why another library's contender did not run; what it has to say otherwise is kept quiet."""
    version = versions(case.contender.distribution)[case.contender.distribution]
    if version == "not installed":
        return [version], {"failed": version}
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            cells, data = compare(case, options)
    except (Exception, SystemExit) as error:  # it may lack another package, a compiler, or support for CPUs
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:100]
        return [reason], {"version": version, "failed": reason}
    finally:
        logging.disable(logging.NOTSET)
    return cells, data | {"version": version}


def main() -> None:
    """Run all cases."""
    made = parser(__doc__)
    made.add_argument("cases", nargs="*", help="only these cases", metavar="CASE")
    made.add_argument("--pause", type=float, default=PAUSE, help=f"seconds of rest before a timing (default {PAUSE})")
    options = parse(made)
    torch.set_num_threads(options.threads)
    adamas.set_num_threads(options.threads)
    cases = comparisons(options.quick)
    if unknown := set(options.cases) - set(cases):
        made.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(cases)}")
    rows, data = [], {}
    for name in options.cases or cases:
        for case in cases[name]:
            run = attempt if case.contender.distribution else compare
            cells, found = run(case, options)
            tensors, a, b = described(case.shapes), case.contender.name, case.torch.name
            rows.append([name, tensors, f"{a} {found.get('version', '')}".rstrip(), b, *cells])
            data[f"{name}: {tensors}: {a} / {b}"] = found
    columns = ["case", "tensors", "contender", "torch", "contender's", "torch's", "ratio", "target", "state", "pairs"]
    report("AdamW, a step: median (quartiles)", columns, rows, data, options)


if __name__ == "__main__":
    main()
