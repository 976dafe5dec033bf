"""Peak memory of training with low-bit state and 16-bit weights, beside torch's AdamW, each in a process of its own.

    python benchmarks/low_bit_memory.py            # a Markdown table; Linux only, for /proc

The model has four linear layers of 4,096 × 4,096, 67 million parameters, and sees 8 examples a step, so that
activations are nothing. A process first trains a small model of the same kind, which compiles kernels and fills caches;
what it has then is taken off. "training" is the peak of three steps, forward and backward, from the making of the model
on. The last two columns are the peaks of opt.step() over what there was before it: the first makes the state, a later
one should add nothing. "counted" is what `adamas memory` says. All are bytes a parameter.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import adamas.torch
from adamas.doctor import machine, versions
from adamas.memory import Tensor, account
from adamas.rules import get

WIDTH, LAYERS, STEPS = 4096, 4, 3
QUICK = 2048
OURS, PEER = adamas.torch.AdamW, torch.optim.AdamW

#: Name → (optimizer, its options, dtype of the model).
CONTENDERS: dict[str, tuple[Callable[..., Any], dict[str, Any], torch.dtype]] = {
    "adamas, bfloat16, stochastic, int4": (OURS, dict(weights="stochastic", state="int4"), torch.bfloat16),
    "adamas, bfloat16, stochastic, int8": (OURS, dict(weights="stochastic", state="int8"), torch.bfloat16),
    "adamas, bfloat16, kahan, int8": (OURS, dict(weights="kahan", state="int8"), torch.bfloat16),
    "adamas, float32, int4": (OURS, dict(state="int4"), torch.float32),
    "adamas, float32": (OURS, {}, torch.float32),
    "torch, bfloat16, fused": (PEER, dict(fused=True), torch.bfloat16),
    "torch, bfloat16": (PEER, {}, torch.bfloat16),
    "torch, float32, fused": (PEER, dict(fused=True), torch.float32),
    "torch, float32": (PEER, {}, torch.float32),
}


def now(field: str) -> int:
    """VmRSS (what this process has in memory) or VmHWM (its peak), in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def forget_peak() -> None:
    """Let the peak be what there is now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


class Trial:
    """A model, its optimizer, and the peaks met while it is trained."""

    def __init__(self, name: str, width: int) -> None:
        make, options, dtype = CONTENDERS[name]
        layers = (torch.nn.Linear(width, width, bias=False, dtype=dtype) for _ in range(LAYERS))
        self.model = torch.nn.Sequential(*layers)
        self.optimizer = make(self.model.parameters(), lr=1e-4, **options)
        self.x = torch.randn(8, width, dtype=dtype)
        self.peak, self.grown = now("VmHWM"), []

    def train(self) -> None:
        """One training step."""
        self.optimizer.zero_grad()
        self.model(self.x).square().mean().backward()
        self.peak = max(self.peak, now("VmHWM"))
        forget_peak()
        before = now("VmRSS")
        self.optimizer.step()
        self.grown.append(now("VmHWM") - before)
        self.peak = max(self.peak, now("VmHWM"))


def measure(name: str, width: int) -> dict[str, float]:
    """Bytes a parameter of one contender; for a process of its own."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    small = Trial(name, 128)
    for _ in range(STEPS):
        small.train()
    del small
    forget_peak()
    start = now("VmRSS")
    trial = Trial(name, width)
    for _ in range(STEPS):
        trial.train()
    parameters = LAYERS * width * width
    found = {"training": trial.peak - start, "first step": trial.grown[0], "later steps": max(trial.grown[1:])}
    return {what: size / parameters for what, size in found.items()}


def counted(name: str) -> float:
    """Bytes a parameter by ``adamas memory``."""
    _, options, dtype = CONTENDERS[name]
    if name.startswith("torch"):
        return 4.0 * dtype.itemsize
    tensor = Tensor("weight", (WIDTH, WIDTH), str(dtype).removeprefix("torch."))
    found = account([tensor], get("adamw"), options.get("state"), options.get("weights"))
    return found.total / found.parameters


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smaller model: only shows that it runs")
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    width = QUICK if asked.quick else WIDTH
    if asked.one:
        print(json.dumps(measure(asked.one, width)))
        return
    print(f"{LAYERS * width**2:,} parameters; {machine()['processor']}, {machine()['system']};", end=" ")
    print(", ".join(f"{package} {version}" for package, version in versions("torch").items()))
    print("\n| AdamW | counted | training, peak | first step adds | a later step adds |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in CONTENDERS:
        command = [sys.executable, __file__, "--one", name, *(["--quick"] if asked.quick else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        cells = [counted(name), *json.loads(done.stdout).values()]
        print(f"| {name} |", " | ".join(f"{cell:.2f}" for cell in cells), "|", flush=True)


if __name__ == "__main__":
    main()
