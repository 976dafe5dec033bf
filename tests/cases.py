"""The case table: rule × codec × dtypes, over shapes that reach every branch of the kernels."""

from __future__ import annotations

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


def rule_names() -> list[str]:
    """Every registered rule."""
    return list(REGISTRY)


#: Codecs that round at random; they keep real numbers.
ROUNDING = ["bfloat16", "int8", "int4"]

#: Of dtypes, those of real numbers.
REAL = [(p, g) for p, g in DTYPES if not p.startswith("complex")]


def codecs_of(rule: str) -> list[Any]:
    """The choices of ``state`` that a rule allows."""
    projects = any(s.projects for s in REGISTRY[rule].slots)
    return ["float32", *(["factored", "mean"] if projects else []), *ROUNDING]


def cases() -> list[tuple[str, Any, str, str]]:
    """(rule, codec, parameter dtype, gradient dtype): all dtypes with float32; with projecting codecs three are enough,
    with rounding ones one that differs from rule to rule, and all for Adam with codes of 8 bits.
    """
    table: list[tuple[str, Any, str, str]] = []
    for i, rule in enumerate(rule_names()):
        for codec in codecs_of(rule):
            dtypes = DTYPES if codec == "float32" else [DTYPES[0], DTYPES[2], DTYPES[5]]
            if codec in ROUNDING:
                j = (i + 3 * ROUNDING.index(codec)) % len(REAL)
                dtypes = REAL if (rule, codec) == ("adam", "int8") else REAL[j : j + 1]
            table += [(rule, codec, p, g) for p, g in dtypes]
    mixed: list[Any] = [{"m": "int8", "v": "factored"}, {"m": "int4", "v": "mean"}, {"m": "int4"}, {"v": "int8"}]
    return table + [("adamw", codec, *REAL[i]) for i, codec in enumerate(mixed)]


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
