"""The reference: a rule run as it is written, on whole NumPy arrays. No compiler, no passes; the oracle.

In float64 it is the oracle for error; in float32 the compiled kernels equal it in every bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adamas import grids, noise, sums
from adamas.backends import Array, Floats, Grads, Ints, Steps, Tensor, arithmetic, matrix_of
from adamas.codecs import Codec, Grid, Matrix, Projecting
from adamas.codecs import grids as grids_of
from adamas.language import Complex, Measure, Rule, Word, call
from adamas.program import observed

_OPS: dict[str, Any] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "sqrt": np.sqrt,
    "log": np.log,
    "abs": np.absolute,
    "where": np.where,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.logical_and,
}


def _finite(x: Array) -> Floats:
    return np.where(np.isfinite(x), x, 0).astype(np.float64)


class Value(Word):
    """A float64 scalar, or an array of elements; a scalar is rounded when it meets elements."""

    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x if isinstance(x, np.ndarray) else np.float64(x)

    def apply(self, op: str, *args: Any) -> Value:
        xs = [a.x if isinstance(a, Value) else np.float64(a) for a in args]
        if op == "div" and isinstance(xs[0], np.ndarray) and not isinstance(xs[1], np.ndarray):
            op, xs[1] = "mul", 1 / xs[1]
        elements = [x.dtype for x in xs if isinstance(x, np.ndarray) and x.dtype != bool]
        if elements:
            xs = [x if isinstance(x, (np.ndarray, np.bool)) else elements[0].type(x) for x in xs]
        result = _OPS[op](*xs)
        out = Value.__new__(Value)
        out.x = result if any(isinstance(x, np.ndarray) for x in xs) else result[()]
        return out


# ------------------------------------------------------------------------------------- sums


def _fold(lanes: Floats) -> Floats:
    while lanes.shape[-1] > 1:
        half = lanes.shape[-1] // 2
        lanes = lanes[..., :half] + lanes[..., half:]
    return lanes[..., 0]


def _in_order(x: Floats, axis: int) -> Floats:
    total = np.zeros(x.shape[:axis] + x.shape[axis + 1 :])
    for i in range(x.shape[axis]):
        total = total + x.take(i, axis)
    return total


def _padded(x: Floats, multiple: int) -> Floats:
    """The last axis filled with zeros up to a multiple, then split in two."""
    short = -x.shape[-1] % multiple
    x = np.concatenate([x, np.zeros((*x.shape[:-1], short))], axis=-1)
    return x.reshape(*x.shape[:-1], -1, multiple)


def _item(x: Floats) -> Floats:
    """The sum of one item: a row of x is a row of the tensor, or the whole item if rows do not matter."""
    columns = x.shape[-1]
    if columns < sums.BLOCK:  # several rows to a block
        x = _padded(x.reshape(1, -1), max(1, sums.BLOCK // columns) * columns)
    else:
        x = _padded(x, sums.BLOCK)
    lanes = _in_order(x.reshape(-1, x.shape[-1]), 0)
    return _fold(np.concatenate([lanes, np.zeros(sums.BLOCK - lanes.size)]))


def total(x: Floats, matrix: Matrix | None) -> float:
    """The sum over a tensor, in the order that ``sums`` lays down."""
    if x.size == 0:
        return 0.0
    if matrix is None:
        items = [_item(x[None, a:b]) for a, b in sums.flat_items(x.size)]
    else:
        rows = x.reshape(-1, matrix[2])
        items = [_item(rows[a:b]) for a, b in sums.matrix_items(matrix)]
    return float(_in_order(np.array(items), 0))


def row_sums(x: Floats) -> Floats:
    """The sum over the last axis."""
    return _fold(_in_order(_padded(x, sums.row_lanes(x.shape[-1])), x.ndim - 1))


def column_sums(x: Floats, matrix: Matrix) -> Floats:
    """The sum over the rows of each matrix."""
    part = sums.rows_per_part(matrix)
    cuts = [_in_order(x[:, a : a + part], 1) for a in range(0, matrix[1], part)]
    return _in_order(np.stack(cuts), 0)


# ------------------------------------------------------------------------------------- steps


class ReferenceLaunch:
    """Tensors stepped one after the other; see backends.Launch."""

    def __init__(self, rule: Rule, codecs: Mapping[str, Codec], tensors: Sequence[Tensor], dtype: Any) -> None:
        self.rule, self.codecs, self.tensors, self.dtype = rule, codecs, tensors, dtype

    def gate(self, grads: Grads) -> tuple[Floats, Floats]:
        square, bad = np.zeros(len(self.tensors)), np.zeros(len(self.tensors))
        for i, (tensor, g) in enumerate(zip(self.tensors, grads.arrays, strict=True)):
            if grads.present is not None and not grads.present[i]:
                continue
            g = g.transpose(tensor.order)
            words = [w.astype(np.float64) for w in _real_words(np.ascontiguousarray(g).ravel())]
            g2 = words[0] * words[0] if len(words) == 1 else words[0] * words[0] + words[1] * words[1]
            limit = float(np.finfo(arithmetic(tensor.p.dtype)).max)
            square[i] = total(np.where(np.isfinite(g2), g2, 0.0), None)
            bad[i] = total(np.where(g2 <= limit, 0.0, 1.0), None)
        return square, bad

    def step(self, grads: Grads, rows: Sequence[Mapping[str, float]], row_of: Ints, t: Ints) -> Steps:
        runs = self.runs(grads, rows, row_of)
        for i, run in runs.items():
            run.t = int(t[i])
        with np.errstate(all="ignore"):
            for run in runs.values():
                run.measure_all()
        carried: Mapping[str, float] = {}
        if self.rule.carry:
            names = [m.name for m in self.rule.measures if m.scope == "global"]
            none = dict.fromkeys(names, 0.0)
            partial = [runs[i].partial if i in runs else none for i in range(len(self.tensors))]
            carried = yield {n: np.array([p[n] for p in partial]) for n in names}
        with np.errstate(all="ignore"):
            for run in runs.values():
                run.write(carried)

    def runs(self, grads: Grads, rows: Sequence[Mapping[str, float]], row_of: Ints) -> dict[int, _Step]:
        """The steps of the tensors that have a gradient."""
        return {
            i: _Step(self, t, g, rows[row_of[i]])
            for i, (t, g) in enumerate(zip(self.tensors, grads.arrays, strict=True))
            if grads.present is None or grads.present[i]
        }

    def observe(self, grads: Grads, rows: Sequence[Mapping[str, float]], row_of: Ints) -> Mapping[str, Floats]:
        with np.errstate(all="ignore"):
            seen = {i: run.observe() for i, run in self.runs(grads, rows, row_of).items()}
        names = next(iter(seen.values()), {})
        return {n: np.array([seen[i][n] if i in seen else 0.0 for i in range(len(self.tensors))]) for n in names}

    def workspace(self) -> int:
        return 0


def _real_words(x: Array) -> list[Array]:
    return [x.real, x.imag] if x.dtype.kind == "c" else [x]


class _Step:
    """One step of one tensor, as the rule tells it."""

    def __init__(self, launch: ReferenceLaunch, tensor: Tensor, g: Array, scalars: Mapping[str, float]) -> None:
        self.rule, self.codecs, self.tensor, self.dtype = launch.rule, launch.codecs, tensor, launch.dtype
        self.matrix = matrix_of(launch.rule, launch.codecs, tensor.p.shape)
        self.order = tensor.order
        self.grids = grids_of(self.rule.slots, self.codecs)
        self.env: dict[str, Any] = {name: Value(x) for name, x in scalars.items()}
        self.t = 0
        weights = tensor.weights
        self.beside = {name: self.word(tensor.state[name]) for name in weights.arrays}
        p = weights.read(self.word(tensor.p), self.beside, self.keep)
        self.env |= {"p": p, "g": self.word(g) * self.env["grad_scale"]}
        self.partial: dict[str, float] = {}
        self.stored: dict[str, Any] = {}

    def word(self, x: Array) -> Any:
        """An element array in the arithmetic dtype: flat as it lies in memory, or (matrices, rows, columns)."""
        x = np.ascontiguousarray(x.transpose(self.order)).reshape(self.matrix or -1)
        words = [Value(w.astype(self.dtype)) for w in _real_words(x)]
        return words[0] if len(words) == 1 else Complex(*words)

    def keep(self, x: Value) -> Value:
        return Value(x.x.astype(self.tensor.p.real.dtype).astype(self.dtype))

    def dither(self, x: Value) -> Value:
        blocks = grids.Blocks.cut(x.x.size, self.matrix)
        u = blocks.dither(self.tensor.key, noise.SLOTS - 1, self.t).reshape(x.x.shape)
        return Value(noise.dither(np.asarray(x.x, np.float32), u, self.tensor.p.dtype).astype(self.dtype))

    def measure(self, m: Measure) -> None:
        x = self.full(call(m.of, self.env))
        if m.scope in ("row", "column"):
            self.env[m.name] = self.spread(m.scope, self.line(x, m.scope, m.mean))
            return
        value = total(_finite(x), self.matrix)
        if m.mean:
            value = float(np.float64(value) / np.float64(self.tensor.p.size))
        self.env[m.name] = Value(value)
        if m.scope == "global":
            self.partial[m.name] = value

    def full(self, value: Any) -> Array:
        """One number an element, also of what differs only by row or column, or not at all."""
        p = self.env["p"]
        return np.broadcast_to(value.x, (p.re if isinstance(p, Complex) else p).x.shape)

    def line(self, x: Array, scope: str, mean: bool) -> Array:
        """Sums or means over rows or columns, or the share of each row, in the arithmetic dtype."""
        assert self.matrix
        _, rows, columns = self.matrix
        if scope == "column":
            sums_, count = column_sums(_finite(x), self.matrix), rows
        else:
            sums_, count = row_sums(_finite(x)), columns
        sums_ = sums_ / np.float64(count) if mean else sums_
        if scope == "share":
            matrix = _in_order(sums_, 1)[:, None] / np.float64(rows)
            sums_ = np.where(matrix > 0, sums_ / matrix, 0.0)
        return sums_.astype(self.dtype)

    def spread(self, scope: str, line: Array) -> Value:
        """A number per row or column, in the form of the matrix."""
        assert self.matrix
        n, rows, columns = self.matrix
        return Value(line.reshape((n, 1, columns) if scope == "column" else (n, rows, 1)))

    def decode(self, codec: Projecting, means: Mapping[str, Array]) -> Any:
        return codec.decode(**{m: self.spread(m, means[m]) for m in codec.means})

    def project(self, codec: Projecting, fresh: Value) -> dict[str, Array]:
        return {m: self.line(np.asarray(fresh.x), m, True) for m in codec.means}

    def stage(self, target: str, stage: Any) -> None:
        for m in stage.measures:
            self.measure(m)
        self.env[target] = call(stage.apply, self.env)

    def load(self) -> None:
        """The slots as they were kept, or as they start."""
        env, state = self.env, self.tensor.state
        decoded = decode(self.tensor, self.grids, self.matrix)
        for slot in self.rule.slots:
            codec = self.codecs[slot.name]
            if callable(slot.init) and env["first"].x > 0:
                env[slot.name] = call(slot.init, env)
            elif slot.name in decoded:
                env[slot.name] = Value(decoded[slot.name].astype(self.dtype).reshape(self.matrix or -1))
            elif isinstance(codec, Projecting):
                env[slot.name] = self.decode(codec, {m: state[f"{slot.name}.{m}"] for m in codec.means})
            else:
                env[slot.name] = self.word(state[slot.name])

    def measure_all(self) -> None:
        """Everything up to what may have to be summed over all tensors; writes nothing."""
        rule, env = self.rule, self.env
        env["raw"] = env["g"]
        self.load()
        for stage in rule.before:
            self.stage("g", stage)
        fresh = call(rule.moments, env)
        self.stored = {s.name: fresh[s.name] for s in rule.slots if not isinstance(self.codecs[s.name], Projecting)}
        env |= fresh
        for slot in rule.slots:
            codec = self.codecs[slot.name]
            if isinstance(codec, Projecting):
                means = self.project(codec, fresh[slot.name])
                self.stored |= {f"{slot.name}.{m}": x for m, x in means.items()}
                env[slot.name] = self.decode(codec, means)
        for m in rule.measures:
            self.measure(m)

    def update(self) -> None:
        """The update u."""
        self.env["u"] = call(self.rule.step, self.env)
        for stage in self.rule.after:
            self.stage("u", stage)

    def observe(self) -> dict[str, float]:
        """The sums for diagnostics; writes nothing."""
        self.measure_all()
        self.update()
        words = observed(self.rule, self.env, self.keep if self.tensor.weights.mode is None else lambda x: x)
        return {name: total(_finite(self.full(word)), self.matrix) for name, word in words.items()}

    def write(self, carried: Mapping[str, float]) -> None:
        """The rest of the step: update, parameter, state."""
        env = self.env
        env |= {name: Value(x) for name, x in carried.items()}
        self.update()
        new = env["p"] - env[self.rule.size] * env["u"]
        kept = self.tensor.weights.write(new, self.beside, self.keep, self.dither, env)
        self.store(self.tensor.p, kept.pop("p"))
        fresh = {name: self.full(self.stored.pop(name)).astype(np.float32).ravel() for name in self.grids}
        roots = {g.root for g in self.grids.values()} & self.stored.keys()
        fresh |= {name: self.full(self.stored[name]).astype(np.float32).ravel() for name in roots}
        encode(self.tensor, self.grids, self.matrix, fresh, self.t)
        for name, value in {**kept, **self.stored}.items():
            self.store(self.tensor.state[name], value)

    def store(self, target: Array, value: Any) -> None:
        if isinstance(value, Complex):
            self.store(target.real, value.re)
            self.store(target.imag, value.im)
        elif isinstance(value, Value):
            target = target.transpose(self.order)
            target[...] = np.broadcast_to(value.x, self.matrix or (target.size,)).reshape(target.shape)
        else:
            target[...] = value.reshape(target.shape)


# ------------------------------------------------------------------------------------- codes


def decode(tensor: Tensor, kept: Mapping[str, Grid], matrix: Matrix | None) -> dict[str, Array]:
    """The numbers of rounded slots, in float32, flat as they lie in memory."""
    if not kept or not tensor.p.size:
        return {name: np.zeros(0, np.float32) for name in kept}
    state, blocks = tensor.state, grids.Blocks.cut(tensor.p.size, matrix)
    out: dict[str, Array] = {}

    def flat(name: str) -> Array:
        grid, array = kept.get(name), state[name]
        if grid and grid.kind not in ("dithered", "upward") and grid.codec.bits == 4:
            return grids.unpack(array, blocks, tensor.p.size)
        return np.ascontiguousarray(array.transpose(tensor.order)).ravel()

    for name, grid in sorted(kept.items(), key=lambda item: bool(item[1].root)):  # roots first
        scales = [state[f"{name}.{scale}"] for scale in grid.scales]
        if grid.kind == "logarithmic":
            out[name] = grids.from_logarithmic(flat(name), scales[0], scales[1], blocks)
        elif grid.kind == "square":
            out[name] = grids.from_square(flat(name), scales[0], grid.codec, blocks)
        elif grid.kind == "quotient":
            v = out[grid.root] if grid.root in out else flat(grid.root).astype(np.float32)
            out[name] = grids.from_quotient(flat(name), v, scales[0], grid.codec, blocks)
        else:
            out[name] = flat(name).astype(np.float32)
    return out


def encode(
    tensor: Tensor, kept: Mapping[str, Grid], matrix: Matrix | None, fresh: Mapping[str, Array], t: int | None
) -> None:
    """Round fresh numbers, flat float32 arrays, into a tensor's state: at random as step t does, or to nearest."""
    if not kept or not tensor.p.size:
        return
    blocks = grids.Blocks.cut(tensor.p.size, matrix)
    for name, grid in kept.items():
        array, x, codec = tensor.state[name], fresh[name], grid.codec
        u = np.full(x.size, 1.5, np.float32) if t is None else blocks.dither(tensor.key, grid.place, t)
        if grid.kind in ("dithered", "upward"):
            value = grids.upward(x) if grid.kind == "upward" else noise.dither(x, u, "bfloat16")
            target = array.transpose(tensor.order)
            target[...] = value.reshape(target.shape)
            continue
        if grid.kind == "logarithmic":
            codes, *scales = grids.logarithmic(x, u, codec, blocks, tensor.state[f"{name}.step"])
        elif grid.kind == "square":
            codes, *scales = grids.square(x, u, codec, blocks)
        else:
            codes, *scales = grids.quotient(x, fresh[grid.root], u, codec, blocks)
        if codec.bits == 4:
            array[...] = grids.pack(codes, blocks)
        else:
            target = array.transpose(tensor.order)
            target[...] = codes.reshape(target.shape)
        for scale, values in zip(grid.scales, scales, strict=True):
            tensor.state[f"{name}.{scale}"][...] = values


class Reference:
    """NumPy alone; ``dtype`` chooses another arithmetic than the parameters' own."""

    name = "reference"

    def __init__(self, dtype: Any = None) -> None:
        self.dtype = dtype

    def launch(
        self, rule: Rule, codecs: Mapping[str, Codec], tensors: Sequence[Tensor], grad_dtype: Any
    ) -> ReferenceLaunch:
        dtype = np.dtype(self.dtype) if self.dtype else arithmetic(tensors[0].p.dtype)
        return ReferenceLaunch(rule, codecs, tensors, dtype)

    def addresses(self, arrays: Sequence[Array]) -> Ints:
        return np.array([a.ctypes.data for a in arrays], np.int64)


def evaluate(rule: Rule, codecs: Mapping[str, Codec], tensor: Tensor, scalars: Mapping[str, float]) -> Array:
    """The rule's evaluation view of one parameter, as a new array."""
    assert rule.view
    launch = ReferenceLaunch(rule, codecs, [tensor], arithmetic(tensor.p.dtype))
    step = _Step(launch, tensor, tensor.p, {**scalars, "grad_scale": 1.0, "first": 0.0})
    step.load()
    out = np.empty_like(tensor.p)
    with np.errstate(all="ignore"):
        step.store(out, call(rule.view, step.env))
    return out
