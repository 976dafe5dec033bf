"""The case table: rule × codec × dtypes × front end, over shapes that reach every branch of the kernels."""

from __future__ import annotations

import os
from itertools import combinations
from typing import Any

import ml_dtypes
import numpy as np

from adamas.rules import REGISTRY

BF16 = np.dtype(ml_dtypes.bfloat16)

#: Empty, 0-d, one block, several blocks, several items; matrices narrower and wider than a block.
VECTORS = [(), (0,), (7,), (513,), (70_001,)]
MATRICES = [(3, 5), (2, 3, 4), (0, 4), (130, 600), (1, 2000), (700, 100)]

#: (parameters, gradients)
DTYPES = [
    ("float32", "float32"),
    ("float64", "float64"),
    ("complex64", "complex64"),
    ("complex128", "complex128"),
    ("float16", "float16"),
    ("bfloat16", "bfloat16"),
    ("float32", "bfloat16"),
    ("bfloat16", "float32"),
    ("float32", "float64"),
]


#: Who holds the parameters.
FRONTS = ("numpy", "torch")


#: Whether to run everything that there is: every case of the table, and every rule where one of each kind will do.
FULL = bool(os.environ.get("ADAMAS_TEST_FULL"))


def rule_names() -> list[str]:
    """Every registered rule."""
    return list(REGISTRY)


def kinds() -> list[str]:
    """A rule for each thing that a rule can have: maxima, memory, sums before and after, starts from p or g, …"""
    few = "adam amsgrad adamax nadam lamb adafactor prodigy mars_adamw schedule_free adam_atan2 lazy_adam"
    return rule_names() if FULL else few.split()


#: Codecs that round at random; they keep real numbers.
ROUNDING = ["bfloat16", "int8", "int4"]

#: Of dtypes, those of real numbers.
REAL = [(p, g) for p, g in DTYPES if not p.startswith("complex")]


def codecs_of(rule: str) -> list[Any]:
    """The choices of ``state`` that a rule allows."""
    projects = any(s.projects for s in REGISTRY[rule].slots)
    return ["float32", *(["factored", "mean"] if projects else []), *ROUNDING]


#: (rule, codec, parameters, gradients, front end)
Case = tuple[str, Any, str, str, str]


def fits(rule: str, codec: Any, p: str, g: str, front: str) -> bool:
    """Whether there is such a case: numbers that are rounded are real, and torch's gradients are as its parameters.

    Gradients of another dtype are for one rule of each kind.
    """
    if codec not in codecs_of(rule) or (p != g and rule not in kinds()):
        return False
    if p.startswith("complex") and codec != "float32" and (codec in ROUNDING or front == "torch"):
        return False
    return front == "numpy" or p == g


def cases(full: bool = FULL) -> list[Case]:
    """Rule × codec × dtypes × front end: all of them, or as many as are needed for every pair of two of these."""
    every = [
        (rule, codec, p, g, front)
        for rule in rule_names()
        for codec in codecs_of(rule)
        for p, g in DTYPES
        for front in FRONTS
        if fits(rule, codec, p, g, front)
    ]
    mixed: list[Any] = [{"m": "int8", "v": "factored"}, {"m": "int4", "v": "mean"}, {"m": "int4"}, {"v": "int8"}]
    more = [("adamw", codec, *REAL[i], "numpy") for i, codec in enumerate(mixed)]
    return (every if full else pairwise(every)) + more


def pairs_of(case: Case) -> set[tuple[Any, ...]]:
    """The pairs that a case holds; its two dtypes are one thing."""
    rule, codec, p, g, front = case
    parts = [("rule", rule), ("codec", codec), ("dtypes", p, g), ("front", front)]
    return set(combinations(parts, 2))


def pairwise(every: list[Case]) -> list[Case]:
    """Cases that hold every pair which the whole list holds, chosen one by one for the pairs that are still missing.

    Rules come in turn, so that the choice for a rule stays what it was when another is added after it.
    """
    missing = set().union(*map(pairs_of, every))
    chosen = []
    for rule in dict.fromkeys(case[0] for case in every):
        mine = [case for case in every if case[0] == rule]
        while any(("rule", rule) in pair for pair in missing):
            best = max(mine, key=lambda case: len(pairs_of(case) & missing))
            chosen.append(best)
            missing -= pairs_of(best)
    return chosen


def dtype_of(name: str) -> np.dtype[Any]:
    """A dtype by name, bfloat16 included."""
    return BF16 if name == "bfloat16" else np.dtype(name)


def arrays(shapes: list[tuple[int, ...]], dtype: str, seed: int, spread: float = 2.0) -> list[np.ndarray]:
    """Normal numbers whose scale differs by 10**(±spread) from element to element."""
    rng = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...]) -> Any:
        return rng.normal(size=shape) * 10 ** rng.uniform(-spread, spread, size=shape)

    def one(shape: tuple[int, ...]) -> np.ndarray:
        x = draw(shape) + 1j * draw(shape) if dtype.startswith("complex") else draw(shape)
        return np.asarray(x).astype(dtype_of(dtype))

    return [one(s) for s in shapes]


def shapes_of(codec: Any) -> list[tuple[int, ...]]:
    """Shapes that the codec can hold."""
    return MATRICES if codec == "factored" or "factored" in getattr(codec, "values", list)() else VECTORS + MATRICES


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal in every bit, where any NaN equals any other."""
    words = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind == "c":
        return same_bits(a.real.copy(), b.real.copy()) and same_bits(a.imag.copy(), b.imag.copy())
    kind = words[a.dtype.itemsize]
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return bool(((a.view(kind) == b.view(kind)) | (np.isnan(a) & np.isnan(b))).all())


def same_state(a: Any, b: Any) -> bool:
    """Two state dicts, equal in every bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_state(a[k], b[k]) for k in a)
    return same_bits(a, b) if isinstance(a, np.ndarray) else a == b
