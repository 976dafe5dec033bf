"""The CPU: kernels made by Numba, one launch for all tensors of a kind, shared out to threads."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from adamas import grids, noise, program, sums
from adamas.backends import (
    Array,
    Floats,
    Grads,
    Ints,
    Steps,
    Tensor,
    arithmetic,
    kernel_cache,
    matrix_of,
    threads,
)
from adamas.backends.cpu_parts import PRELUDE
from adamas.backends.cpu_source import (
    DIMS,
    G_STRIDED,
    MATRICES,
    NDIM,
    P_STRIDED,
    PHASE,
    SEED,
    SIZE,
    Layout,
    generate,
)
from adamas.codecs import Codec
from adamas.language import Rule

#: Below this many elements a second thread costs more than it brings (measured: 40 µs to wake one).
ONE_THREAD = 200_000


def kind(dtype: Any) -> str:
    """The dtype of an array's real words, by name."""
    name: str = np.dtype(dtype).name
    return {"complex64": "float32", "complex128": "float64"}.get(name, name)


@cache
def _load(name: str, text: str, signatures: tuple[tuple[str, str], ...]) -> types.ModuleType:
    return kernel_cache.load(name, text, dict(signatures))


def compiled(name: str, text: str, signatures: Mapping[str, str]) -> types.ModuleType:
    """The compiled module of a text, one a process."""
    return _load(name, text, tuple(signatures.items()))


def module(layout: Layout, name: str) -> types.ModuleType:
    """The compiled module of a layout, one a process."""
    text, signatures = generate(layout)
    return compiled(name, text, signatures)


def source(rule: Rule, codecs: Mapping[str, Codec], p_dtype: Any, g_dtype: Any) -> str:
    """The text of the kernels of a rule, as ``adamas kernel`` prints it."""
    is_complex = np.dtype(p_dtype).kind == "c"
    layout = Layout(program.trace(rule, codecs, is_complex), kind(p_dtype), kind(g_dtype), arithmetic(p_dtype).name)
    return generate(layout)[0]


# --------------------------------------------------------------------------------- addresses

_ADDRESSES = """
load, store = loader("bits64", "objects"), storer("bits64", "out")


@njit(nogil=True)
def addresses(objects, offset, out):
    for i in range(len(objects)):
        out[i] = load(objects[i] + offset, 0)
"""


@cache
def _reader() -> tuple[int, Any]:
    """Where an ndarray object keeps its data pointer, found by looking, and the function that reads it.

    Python's own ways to a pointer cost 1–1.5 µs an array, more than the whole step of a small tensor. Where the
    pointer is not found (another Python), there is no function.
    """
    if sys.implementation.name != "cpython":
        return -1, None
    text = PRELUDE.format(scopes=("objects", "out")) + _ADDRESSES
    read = kernel_cache.load("addresses", text, {"addresses": "void(int64[::1], int64, int64[::1])"}).addresses
    probes = [np.zeros(n) for n in (1, 7, 4096)]
    objects, out = np.array([id(a) for a in probes]), np.zeros(len(probes), np.int64)
    for offset in (16, 32):  # CPython's usual build, and the free-threaded one, whose objects begin with 32 bytes
        read(objects, offset, out)
        if out.tolist() == [a.ctypes.data for a in probes]:
            return offset, read
    return -1, None


def addresses(arrays: Sequence[Array]) -> Ints:
    """Data pointers of plain ndarrays."""
    offset, read = _reader()
    if read is None:
        return np.array([a.ctypes.data for a in arrays], np.int64)
    out = np.empty(len(arrays), np.int64)
    read(np.fromiter(map(id, arrays), np.int64, len(arrays)), offset, out)
    return out


# ------------------------------------------------------------------------------------ tables


def _merge(shape: tuple[int, ...], *strides: tuple[int, ...]) -> tuple[list[int], list[list[int]]]:
    """The same elements in the same order with as few axes as possible (at least one)."""
    sizes: list[int] = []
    merged: list[list[int]] = [[] for _ in strides]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        steps = [s[axis] for s in strides]
        if sizes and all(m[-1] == step * size for m, step in zip(merged, steps, strict=True)):
            sizes[-1] *= size
            for m, step in zip(merged, steps, strict=True):
                m[-1] = step
        else:
            sizes.append(size)
            for m, step in zip(merged, steps, strict=True):
                m.append(step)
    return sizes or [1], [m or [0] for m in merged]


class Kernel:
    """One compiled program over given tensors: its tables, its buffers, its passes."""

    def __init__(
        self, layout: Layout, name: str, tensors: Sequence[Tensor], rule: Rule, codecs: Mapping[str, Codec]
    ) -> None:
        self.layout, self.tensors, self.name = layout, tensors, name
        matrices = [matrix_of(rule, codecs, t.p.shape) if layout.matrix else None for t in tensors]
        cuts = [
            sums.flat_items(t.p.size) if m is None else sums.matrix_items(m)
            for t, m in zip(tensors, matrices, strict=True)
        ]
        self.items = np.cumsum([0, *(len(c) for c in cuts)])
        tensor = np.repeat(np.arange(len(tensors)), np.diff(self.items))
        counts = [_before(c, m) for c, m in zip(cuts, matrices, strict=True)]
        columns = [tensor, np.concatenate(cuts), np.concatenate(counts)]
        self.work = np.ascontiguousarray(np.column_stack(columns), dtype=np.int64)
        self.partial = np.zeros((len(self.work), max(1, len(layout.totals))))
        self.totals = np.zeros((len(tensors), max(1, len(layout.totals))))
        dims = max((t.p.ndim for t in tensors), default=1) or 1
        self.table = np.zeros((len(tensors), DIMS + 3 * dims), np.int64)
        for i, (t, m) in enumerate(zip(tensors, matrices, strict=True)):
            self.table[i, SIZE], self.table[i, SEED] = t.p.size, np.uint64(t.key).astype(np.int64)
            if m:
                part = sums.rows_per_part(m)
                self.table[i, MATRICES : MATRICES + 6] = (*m, min(part, m[1]), sums.parts(m), sums.row_lanes(m[2]))
            self.strides(i, None)
        self.modules: dict[tuple[bool, bool], types.ModuleType] = {}
        self.code()
        self.pointers = np.zeros((len(tensors), len(layout.pointers)), np.int64)
        self.buffers = self.allocate(matrices)
        self.shares_for, self.scratch = 0, list[Array]()
        self.odd: frozenset[int] = frozenset()
        self.all = (self.work, self.items, self.table[:, MATRICES].copy())
        self.present: Any = None  # see only

    def only(self, present: Any) -> None:
        """Work on some tensors alone, or on all again: the others have no items, and no rows or columns."""
        if present is self.present or (
            present is not None and self.present is not None and np.array_equal(present, self.present)
        ):
            return
        self.present = present
        self.work, self.items, self.table[:, MATRICES] = self.all
        if present is not None:
            self.work = np.ascontiguousarray(self.work[present[self.work[:, 0]]])
            self.items = np.cumsum([0, *(np.diff(self.items) * present)])
            self.table[:, MATRICES] *= present
        self.shares_for = 0

    def code(self, careful: bool = False) -> types.ModuleType:
        """The compiled passes for how the tensors lie by now, with sums that leave out what is not finite or not."""
        key = (self.layout.strided, careful)
        if key not in self.modules:
            self.modules[key] = module(replace(self.layout, careful=careful), self.name)
        return self.modules[key]

    def allocate(self, matrices: Sequence[Any]) -> list[Array]:
        """Point at parameters and state; allocate fresh means and sums of rows and columns (small: see sums)."""
        buffers: list[Array] = []
        dtype = np.dtype(self.layout.arithmetic)
        for i, (t, m) in enumerate(zip(self.tensors, matrices, strict=True)):
            for j, name in enumerate(self.layout.pointers):
                if name == "g":
                    continue
                array = {"p": t.p}.get(name, t.state.get(name))
                if array is None:
                    count, rows, columns = m
                    size = count * (columns if ".column" in name else rows)
                    if name.endswith("+"):
                        array = np.zeros(size * (sums.parts(m) if ".column" in name else 1))
                    else:
                        array = np.zeros(size, dtype)
                    buffers.append(array)
                self.pointers[i, j] = array.ctypes.data
        return buffers

    def strides(self, i: int, g: Array | None) -> None:
        """Fill in how tensor i and its gradient lie in memory; no gradient stands for a contiguous one."""
        p, order, row = self.tensors[i].p, self.tensors[i].order, self.table[i]
        shape = tuple(p.shape[a] for a in order)
        p_strides = tuple(p.strides[a] for a in order)
        g_strides = tuple(g.strides[a] for a in order) if g is not None else None
        item = 0 if g is None else g.itemsize
        row[P_STRIDED] = not _contiguous(shape, p_strides, p.itemsize)
        row[G_STRIDED] = g_strides is not None and not _contiguous(shape, g_strides, item)
        if not self.layout.strided and (row[P_STRIDED] or row[G_STRIDED]):
            self.layout = replace(self.layout, strided=True)
        sizes, (ps, gs) = _merge(shape, p_strides, g_strides or p_strides)
        dims = (len(row) - DIMS) // 3
        row[NDIM] = len(sizes)
        for at, values in ((0, sizes), (dims, ps), (2 * dims, gs)):
            row[DIMS + at : DIMS + at + len(values)] = values

    def share(self) -> None:
        """Cut the work into contiguous shares of about the same number of elements, one a thread."""
        n = threads.get_num_threads()
        if n == self.shares_for:
            return
        columns = self.table[self.work[:, 0], MATRICES + 2] if self.layout.matrix else 1
        lengths = np.cumsum((self.work[:, 2] - self.work[:, 1]) * columns)
        total = int(lengths[-1]) if len(lengths) else 0
        shares = 1 if total < ONE_THREAD else max(1, min(n, len(self.work)))
        inner = np.searchsorted(lengths, np.arange(1, shares) * (total / shares), side="left") + 1
        self.bounds = [0, *inner.tolist(), len(self.work)]
        while len(self.scratch) < shares:
            self.scratch.append(self.buffer())
        self.scratch_at = [-(-s.ctypes.data // 64) * 64 for s in self.scratch]
        self.shares_for = n

    def buffer(self) -> Array:
        """A thread's scratch, from the first multiple of 64 bytes on, with the table of places in it."""
        memory = np.empty(self.layout.scratch[""] + 64, np.uint8)
        at = -memory.ctypes.data % 64 + self.layout.scratch["places"]
        memory[at : at + grids.PLACES.nbytes] = grids.PLACES.view(np.uint8)
        return memory

    def workspace(self) -> int:
        """Bytes of tables and buffers."""
        tables = (self.work, self.partial, self.totals, self.table, self.pointers, *self.scratch, *self.buffers)
        return sum(a.nbytes for a in tables)

    def run(self, k: int, rows: Floats, row_of: Ints) -> None:
        """Pass k, and what follows it.

        Sums are first taken over everything, and anew without what is not finite if they come out so: a test
        for each element makes a pass of LAMB slower by a tenth, and gradients are finite nearly always.
        """
        if not self.run_with(self.code(), k, rows, row_of):
            self.run_with(self.code(careful=True), k, rows, row_of)

    def run_with(self, module: types.ModuleType, k: int, rows: Floats, row_of: Ints) -> bool:
        """Pass k of a module; whether its sums are finite."""
        kernel, bounds, at = getattr(module, f"pass_{k}"), self.bounds, self.scratch_at

        def task(i: int) -> None:
            kernel(
                self.pointers, self.table, self.work, row_of, rows, self.totals, self.partial,
                at[i], bounds[i], bounds[i + 1],
            )  # fmt: skip

        threads.run(task, len(bounds) - 1)
        if not self.layout.program.sums[k]:
            return True
        finish = getattr(module, f"finish_{k}")
        return bool(finish(self.pointers, self.table, self.items, self.partial, self.totals))


def _before(items: Ints, matrix: Any) -> Ints:
    """The blocks of a tensor that lie before each item, and the bytes of their packed codes."""
    if matrix is None:
        return np.column_stack([items[:, 0] // sums.BLOCK, items[:, 0] // 2])
    columns, span = matrix[2], sums.span(matrix[2])
    rows = items[:, 1] - items[:, 0]
    blocks, octets = np.zeros(len(items), np.int64), np.zeros(len(items), np.int64)
    for times, width in ((rows // span, np.full(len(items), span * columns)), (1, rows % span * columns)):
        blocks += times * -(-width // sums.BLOCK)
        octets += times * (width // sums.BLOCK * (sums.BLOCK // 2) + (width % sums.BLOCK + 1) // 2)
    before: Ints = np.stack([np.cumsum(x) - x for x in (blocks, octets)], axis=1)
    return before


def _contiguous(shape: tuple[int, ...], strides: tuple[int, ...], item: int) -> bool:
    sizes, (steps,) = _merge(shape, strides)
    return len(sizes) == 1 and (sizes[0] == 1 or steps[0] == item)


def scalar_table(rows: Sequence[Mapping[str, float]], columns: Sequence[str]) -> Floats:
    """The scalars of each row as the kernels read them."""
    return np.array([[row.get(name, 0.0) for name in columns] for row in rows], np.float64)


class CpuLaunch:
    """Tensors of one kind; see backends.Launch."""

    def __init__(self, rule: Rule, codecs: Mapping[str, Codec], tensors: Sequence[Tensor], grad_dtype: Any) -> None:
        p_dtype = tensors[0].p.dtype
        self.weights = tensors[0].weights
        traced = program.trace(rule, codecs, p_dtype.kind == "c", self.weights)
        self.layout = Layout(traced, kind(p_dtype), kind(grad_dtype), arithmetic(p_dtype).name)
        self.rule, self.codecs = rule, codecs
        self.kernel = Kernel(self.layout, rule.name, tensors, rule, codecs)
        self.gate_kernel: Kernel | None = None
        self.observing_kernel: Kernel | None = None
        self.tensors = tensors

    def place(self, kernel: Kernel, grads: Grads) -> None:
        """Point the kernel at this step's gradients."""
        kernel.only(grads.present)
        kernel.pointers[:, kernel.layout.pointers.index("g")] = grads.addresses
        if grads.odd or kernel.odd:
            for i in grads.odd | kernel.odd:
                kernel.strides(i, grads.arrays[i] if i in grads.odd else None)
            kernel.odd = grads.odd
        kernel.share()

    def gate(self, grads: Grads) -> tuple[Floats, Floats]:
        if self.gate_kernel is None:
            limit = float(np.finfo(self.layout.arithmetic).max)
            layout = Layout(
                program.gate(self.layout.program.is_complex, limit), self.layout.p_kind, self.layout.g_kind, "float64"
            )
            self.gate_kernel = Kernel(layout, "gate", self.tensors, self.rule, self.codecs)
        kernel = self.gate_kernel
        self.place(kernel, grads)
        kernel.run(0, np.zeros((1, 1)), np.zeros(len(self.tensors), np.int64))
        return kernel.totals[:, 0].copy(), kernel.totals[:, 1].copy()

    def observe(self, grads: Grads, rows: Sequence[Mapping[str, float]], row_of: Ints) -> Mapping[str, Floats]:
        if self.observing_kernel is None:
            traced = program.observe(self.rule, self.codecs, self.layout.program.is_complex, self.weights)
            layout = Layout(traced, self.layout.p_kind, self.layout.g_kind, self.layout.arithmetic)
            name = f"{self.rule.name}-diagnostics"
            self.observing_kernel = Kernel(layout, name, self.tensors, self.rule, self.codecs)
        kernel = self.observing_kernel
        self.place(kernel, grads)
        table = scalar_table(rows, kernel.layout.columns)
        for k in range(kernel.layout.program.passes):
            kernel.run(k, table, row_of)
        totals, start = kernel.totals.copy(), len(program.OBSERVED)
        names = enumerate(kernel.layout.totals)
        return {name[start:]: totals[:, j] for j, name in names if name.startswith(program.OBSERVED)}

    def step(self, grads: Grads, rows: Sequence[Mapping[str, float]], row_of: Ints, t: Ints) -> Steps:
        kernel, traced, columns = self.kernel, self.layout.program, self.layout.columns
        self.place(kernel, grads)
        kernel.table[:, PHASE] = t * noise.GOLDEN % 2**32
        table = scalar_table(rows, columns)
        for k in range(traced.passes):
            kernel.run(k, table, row_of)
            if k == traced.carry_pass:
                names = [s.name for sums_ in traced.sums for s in sums_ if s.scope == "global"]
                carried = yield {n: kernel.totals[:, self.layout.totals.index(n)].copy() for n in names}
                for name, value in carried.items():
                    table[:, columns.index(f"carry:{name}")] = value
        if traced.means:
            kernel.code().commit(kernel.pointers, kernel.table)

    def workspace(self) -> int:
        return sum(k.workspace() for k in (self.kernel, self.gate_kernel, self.observing_kernel) if k)


class Cpu:
    """Numba kernels; the default. Raises PermissionError if ``ADAMAS_CACHE_DIR`` can be written by others."""

    name = "cpu"

    def __init__(self) -> None:
        kernel_cache.usable(kernel_cache.folder())

    def launch(self, rule: Rule, codecs: Mapping[str, Codec], tensors: Sequence[Tensor], grad_dtype: Any) -> CpuLaunch:
        return CpuLaunch(rule, codecs, tensors, grad_dtype)

    def addresses(self, arrays: Sequence[Array]) -> Ints:
        return addresses(arrays)
