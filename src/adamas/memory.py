"""What training takes in memory, before anything is built: bytes by part, beside the usual recipes."""

from __future__ import annotations

import json
import math
import pkgutil
import struct
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from adamas import tasks
from adamas.codecs import CODECS, SMALL, Codec, Projecting
from adamas.compose import check_ema
from adamas.language import Rule
from adamas.nest import flatten, nearest
from adamas.plan import DTYPES
from adamas.state import Choice, choose, keeping, state_bytes
from adamas.tasks.torch_model import load
from adamas.weights import MODES, PLAIN

#: The shape that stands for the tensors of a model of which only the size is known.
SQUARE = (4096, 4096)

#: Recipe → bytes of a parameter, and of its gradient and state.
USUAL = {
    "torch AdamW, float32: 4+4+8": (4, 12),
    "torch AdamW, float32 master: 2+2+4+8": (2, 14),
    "torch AdamW, bfloat16: 2+2+4": (2, 6),
}

#: The longest header, in bytes, that the library safetensors reads.
LONGEST_HEADER = 100_000_000

#: Dtypes of a .safetensors file that can be stepped, and their names here.
SAFETENSORS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "C64": "complex64"}


@dataclass(frozen=True)
class Tensor:
    """What is known of a parameter; one that is not ``trained`` has no gradient and no state."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    trained: bool = True
    copies: float = 1  # need not be whole

    @property
    def elements(self) -> float:
        """Elements of all copies."""
        return self.copies * math.prod(self.shape)


@dataclass(frozen=True)
class Account:
    """The bytes of training some tensors with one rule.

    codecs: of each slot of a large matrix.
    parts: parameters, gradients, arrays of the state → bytes. usual: recipe → bytes.
    plain: (tensors, elements) that keep some state in float32 where a large matrix would not.
    apart: how many of these need a group with state="float32".
    left_out: dtype → how many tensors have it and are no parameters therefore.
    """

    rule: Rule
    codecs: Mapping[str, Codec]
    dtypes: tuple[str, ...]
    tensors: int
    parameters: int
    parts: Mapping[str, int]
    usual: Mapping[str, int]
    plain: tuple[int, int]
    apart: int
    left_out: Mapping[str, int]

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(self.parts.values())

    def label(self, part: str) -> str:
        """The part, with what it is kept in."""
        if part in ("parameters", "gradients"):
            return f"{part} ({', '.join(self.dtypes)})"
        if part in self.codecs:  # of a projected slot these are the tensors without rows and columns
            return f"{part} ({'float32' if isinstance(self.codecs[part], Projecting) else self.codecs[part].name})"
        return part

    def notes(self) -> list[str]:
        """Which tensors are kept otherwise, and which are not counted."""
        notes = []
        tensors, elements = self.plain
        if tensors:
            notes.append(
                f"{tensors:,} of {self.tensors:,} tensors, {elements / self.parameters:.2%} of the parameters, keep "
                f"state in float32: they have fewer than {SMALL:,} elements, or a shape or dtype that the codec "
                "cannot hold."
            )
        if self.apart:
            notes.append(f"{self.apart:,} of them must be put into a group with state='float32'.")
        notes += [f"Not counted: {n:,} tensors of {dtype}, no dtype to train in." for dtype, n in self.left_out.items()]
        return notes

    def facts(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "rule": self.rule.name,
            "state": {slot: codec.name for slot, codec in self.codecs.items()},
            "dtypes": list(self.dtypes),
            "tensors": self.tensors,
            "parameters": self.parameters,
            "bytes": dict(self.parts),
            "total": self.total,
            "bytes_per_parameter": self.total / self.parameters,
            "usual": dict(self.usual),
            "float32": {"tensors": self.plain[0], "parameters": self.plain[1], "need_a_group": self.apart},
            "left_out": dict(self.left_out),
        }


def account(
    tensors: Iterable[Tensor],
    rule: Rule,
    state: Choice = None,
    weights: str | None = None,
    dtype: str | None = None,
    ema: bool = False,
) -> Account:
    """What it takes to train these tensors in ``dtype``, or else their own, with gradients of the same.

    ``weights`` are of 16 bits: unless some tensors are so, all are taken as bfloat16. A tensor that cannot be kept as
    asked counts as one in a group with state="float32". Raises ValueError for what no optimizer can be built with.
    """
    check_ema(rule, ema)
    codecs = choose(rule, state, "matrix", SQUARE)
    known, left_out = _known(tensors, dtype, weights)
    parts: dict[str, float] = defaultdict(float)
    usual: dict[str, float] = defaultdict(float)
    plain: list[Tensor] = []
    apart = 0
    for t in known:
        own, alone = _codecs(rule, state, t)
        if t.trained and own != codecs:
            plain.append(t)
            apart += alone
        for part, size in _parts(rule, own, t, weights, ema).items():
            parts[part] += t.copies * size
        for recipe, (itself, beside) in USUAL.items():
            usual[recipe] += t.elements * (itself + beside * t.trained)
    return Account(
        rule=rule,
        codecs=codecs,
        dtypes=tuple(dict.fromkeys(t.dtype for t in known)),
        tensors=len(known),
        parameters=round(sum(t.elements for t in known)),
        parts={part: round(parts[part]) for part in sorted(parts, key=_place(rule))},
        usual={recipe: round(size) for recipe, size in usual.items()},
        plain=(len(plain), round(sum(t.elements for t in plain))),
        apart=apart,
        left_out=left_out,
    )


def _known(tensors: Iterable[Tensor], dtype: str | None, weights: str | None) -> tuple[list[Tensor], dict[str, int]]:
    """The tensors that are parameters, of the dtype that they will have; and how many of which dtype are none."""
    if weights not in MODES:
        raise ValueError(f"unknown weights {weights!r}{nearest(weights, [mode for mode in MODES if mode])}")
    tensors = list(tensors)
    known = [t for t in tensors if t.dtype in DTYPES]
    left_out = Counter(t.dtype for t in tensors if t.dtype not in DTYPES)
    if not sum(t.elements for t in known):
        found = f", only tensors of {', '.join(left_out)}" if left_out else ""
        raise ValueError(f"there are no parameters{found}; expected some of {', '.join(DTYPES)}")
    if weights and dtype and _dtype(dtype).itemsize != 2:
        raise ValueError(f"weights={weights!r} is for parameters of 16 bits, not for {dtype}; take bfloat16")
    if weights and not dtype and all(_dtype(t.dtype).itemsize != 2 for t in known):
        dtype = "bfloat16"
    return [replace(t, dtype=dtype or t.dtype) for t in known], dict(left_out)


def _codecs(rule: Rule, state: Choice, t: Tensor) -> tuple[dict[str, Codec], bool]:
    """The codec of each slot, and whether the tensor needs a group with state="float32" for it."""
    try:
        return choose(rule, state, t.name, t.shape, is_complex=_dtype(t.dtype).kind == "c"), False
    except ValueError:
        return choose(rule, "float32", t.name, t.shape), True


def _parts(rule: Rule, codecs: Mapping[str, Codec], t: Tensor, weights: str | None, ema: bool) -> dict[str, int]:
    """Part → bytes of one copy."""
    dtype = _dtype(t.dtype)
    itself = math.prod(t.shape) * dtype.itemsize
    if not t.trained:
        return {"parameters": itself}
    kept = keeping(weights, ema, np.empty(0, dtype))
    return {"parameters": itself, "gradients": itself, **state_bytes(rule, codecs, kept, t.shape, dtype)}


def _place(rule: Rule) -> Callable[[str], int]:
    """Where a part stands in the table: slots as the rule has them, then what is beside the weights."""
    order = {name: i for i, name in enumerate(["parameters", "gradients", *(s.name for s in rule.slots)])}
    return lambda part: order.get(part.partition(".")[0], len(order))


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def by_codec(rule: Rule) -> dict[str, tuple[list[str], float] | None]:
    """Codec → the slots that it holds, and the state's bytes a parameter then; None where it can hold none."""
    found: dict[str, tuple[list[str], float] | None] = {}
    for name in CODECS:
        try:
            codecs = choose(rule, name, "matrix", SQUARE)
        except ValueError:
            found[name] = None
            continue
        size = sum(state_bytes(rule, codecs, PLAIN, SQUARE, np.float32).values())
        found[name] = [slot for slot, codec in codecs.items() if codec.name == name], size / math.prod(SQUARE)
    return found


# ------------------------------------------------------------------------------ options in words


def read_state(text: str | None) -> Choice:
    """``int4`` or ``m=int8,v=factored`` as the optimizers' ``state``."""
    if text is None or "=" not in text:
        return text
    chosen: dict[str, str] = {}
    for pair in text.split(","):
        slot, equals, codec = (word.strip() for word in pair.partition("="))
        if not equals or slot in chosen:
            what = "is given twice" if equals else "names no codec"
            raise ValueError(f"state {text!r}: {slot!r} {what}; expected one codec, or slot=codec,slot=codec")
        chosen[slot] = codec
    return chosen


def of_size(parameters: float) -> list[Tensor]:
    """So many parameters, as parts of square matrices."""
    if not 1 <= parameters < math.inf or parameters != parameters // 1:
        raise ValueError(f"params={parameters:g}: expected a whole number of at least 1, as in 7e9")
    return [Tensor("params", SQUARE, "float32", copies=parameters / math.prod(SQUARE))]


def of_model(name: str) -> list[Tensor]:
    """The tensors of ``module:attribute``, of a task, or of a .safetensors file; ValueError if there are none."""
    if name.endswith(".safetensors"):
        with open(name, "rb") as file:
            return list(_header(file, name))
    if ":" in name:
        return _of(_attribute(name), name)
    if name not in tasks.REGISTRY:
        remedy = "a model is named module:attribute, a file FILE.safetensors"
        raise ValueError(f"unknown task {name!r}{nearest(name, list(tasks.REGISTRY))}; {remedy}")
    return _of(tasks.get(name), name)


# -------------------------------------------------------------------------------------- a model


def _attribute(name: str) -> Any:
    """What a module in the current folder, or wherever Python finds it, calls so."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return pkgutil.resolve_name(name)
    except ModuleNotFoundError as error:
        raise ValueError(f"model {name!r}: there is no module {error.name!r} here ({here}) or installed") from None
    except AttributeError:
        module, _, attribute = name.partition(":")
        known = [key for key in vars(pkgutil.resolve_name(module)) if not key.startswith("_")]
        raise ValueError(f"model {name!r}: {module} has no {attribute!r}{nearest(attribute, known)}") from None
    except ValueError:
        raise ValueError(f"model {name!r}: expected module:attribute, as in mymodel:Network") from None


def _of(model: Any, name: str) -> list[Tensor]:
    if isinstance(model, tasks.Task):
        model = model.init(np.random.default_rng(0))
    elif callable(model) and (isinstance(model, type) or not hasattr(model, "named_parameters")):
        try:
            with _meta():
                model = model()
        except Exception as error:  # the user's code
            raise ValueError(f"model {name!r}: calling it without arguments raised {error!r}") from error
    leaves = dict(model.named_parameters()) if hasattr(model, "named_parameters") else flatten(model)
    return [_tensor(leaf, x, name) for leaf, x in leaves.items()]


def _meta() -> AbstractContextManager[Any]:
    """Where torch is installed, its tensors are made without memory."""
    try:
        found: AbstractContextManager[Any] = load().device("meta")
    except ValueError:
        return nullcontext()
    return found


def _tensor(leaf: str, x: Any, model: str) -> Tensor:
    try:
        shape, dtype = tuple(map(int, x.shape)), getattr(x.dtype, "name", None) or str(x.dtype).removeprefix("torch.")
    except (AttributeError, RuntimeError):  # torch raises the latter for a lazy layer
        raise ValueError(
            f"model {model!r}: {leaf} is a {type(x).__name__} without shape or dtype; "
            "expected a torch.nn.Module, a function that makes one, or a dict of arrays"
        ) from None
    if dtype.startswith("complex") and not isinstance(x, np.ndarray):  # torch's are pairs of reals here
        shape, dtype = (*shape, 2), {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)
    return Tensor(leaf, shape, dtype, bool(getattr(x, "requires_grad", True)))


# ------------------------------------------------------------------------- a .safetensors file


def _header(file: BinaryIO, name: str) -> Iterator[Tensor]:
    """The tensors that the header tells of; nothing else is read."""
    whole = file.seek(0, 2)
    file.seek(0)
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= length <= min(whole - 8, LONGEST_HEADER):
        raise ValueError(
            f"{name} is no .safetensors file, or damaged: its header has {length:,} bytes, the file {whole:,} "
            f"(a header has at most {LONGEST_HEADER:,})"
        )
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is damaged: its header is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise ValueError(f"{name} is damaged: its header is a {type(header).__name__}, expected a dict of tensors")
    for leaf, entry in header.items():
        if leaf == "__metadata__":
            continue
        tensor = _entry(leaf, entry, whole - 8 - length)
        if tensor is None:
            raise ValueError(f"{name} is damaged: its header says {str(entry)[:100]!r} of {leaf!r}")
        yield tensor


def _entry(leaf: str, entry: Any, data: int) -> Tensor | None:
    """A tensor that lies within so many bytes of data; None if what is said of it cannot be."""
    try:
        kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        return None
    numbers = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in [*shape, begin, end])
    if not isinstance(kind, str) or not numbers or not begin <= end <= data:
        return None
    dtype = SAFETENSORS.get(kind, kind)
    if dtype in DTYPES and math.prod(shape) * _dtype(dtype).itemsize != end - begin:
        return None
    return Tensor(leaf, tuple(shape), dtype)
