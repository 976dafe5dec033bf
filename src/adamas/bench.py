"""The time of a step of each rule under each codec, beside AdamW's in the same minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adamas import doctor
from adamas.backends import threads
from adamas.memory import by_codec
from adamas.optimizer import optimizer_class
from adamas.rules import get
from adamas.state import choose
from adamas.tasks.torch_model import load

Step = Callable[[], object]

BASE, STATE = "adamw", "float32"  # what everything is compared with
FUSED = "torch AdamW, fused"

#: Seconds before each timing: torch's threads spin for some milliseconds after a step, on cores that the next needs.
PAUSE = 0.02


@dataclass(frozen=True)
class Timing:
    """A step of one rule with one codec over so many parameters.

    seconds: of the fastest step. base: of the fastest of float32 AdamW in the same rounds.
    moved: bytes a parameter that the rule declares to read and write.
    """

    rule: str
    state: str
    parameters: int
    seconds: float
    base: float
    moved: float

    @property
    def ms(self) -> float:
        """Milliseconds of a step."""
        return 1e3 * self.seconds

    @property
    def rate(self) -> float:
        """GB/s of the declared bytes."""
        return 1e-9 * self.moved * self.parameters / self.seconds

    @property
    def ratio(self) -> float:
        """Time over that of float32 AdamW."""
        return self.seconds / self.base


def shape_of(size: float) -> tuple[int, int]:
    """The matrix that has about so many elements; ValueError if it would have none."""
    if not 1 <= size < math.inf:
        raise ValueError(f"size={size:g}: expected a number of parameters of at least 1, as in 4e6")
    rows = math.isqrt(int(size))
    return rows, int(size) // rows


def cells(rules: Sequence[str], states: Sequence[str]) -> list[tuple[str, str]]:
    """Each rule with each codec that holds at least one of its slots; ValueError for an unknown name, or for none."""
    for state in states:
        choose(get(BASE), state, "params", (64, 64))  # names the nearest codec
    found = [(rule, state) for rule in rules for state in states if by_codec(get(rule))[state]]
    if not found:
        raise ValueError(f"{', '.join(states)} can hold no slot of {', '.join(rules)}; float32 can")
    return found


def measure(rule: str, state: str, shape: tuple[int, int], rounds: int) -> Timing:
    """Time the rule's step and AdamW's in turns."""
    moved = doctor.bytes_moved(get(rule), choose(get(rule), state, "params", shape))
    seconds, base = _in_turns(_stepper(rule, state, shape), _stepper(BASE, STATE, shape), rounds)
    return Timing(rule, state, math.prod(shape), seconds, base, moved)


def torch_fused(shape: tuple[int, int], rounds: int) -> Timing | None:
    """The same of torch's fused AdamW, with as many threads; None where torch is not installed."""
    try:
        torch: Any = load()
    except ValueError:
        return None
    p = torch.nn.Parameter(torch.from_numpy(_normal(shape, 0)))
    p.grad = torch.from_numpy(_normal(shape, 1))
    before = torch.get_num_threads()
    torch.set_num_threads(threads.get_num_threads())
    try:
        step = torch.optim.AdamW([p], fused=True).step
        seconds, base = _in_turns(step, _stepper(BASE, STATE, shape), rounds)
    finally:
        torch.set_num_threads(before)
    return Timing(FUSED, STATE, math.prod(shape), seconds, base, doctor.bytes_moved(get(BASE)))


def _stepper(rule: str, state: str, shape: tuple[int, int]) -> Step:
    optimizer, g = optimizer_class(rule)(_normal(shape, 0), state=state), _normal(shape, 1)
    return lambda: optimizer.step(g)


def _normal(shape: tuple[int, int], seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def _in_turns(one: Step, other: Step, rounds: int) -> tuple[float, float]:
    """The fewest seconds of either, after a step that compiles and touches the memory."""
    one(), other()
    taken: dict[Step, list[float]] = {one: [], other: []}
    for i in range(rounds):
        for step in (one, other) if i % 2 else (other, one):
            time.sleep(PAUSE)
            begin = time.perf_counter()
            step()
            taken[step].append(time.perf_counter() - begin)
    return min(taken[one]), min(taken[other])
