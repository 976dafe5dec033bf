"""Where another library's tensors lie in memory, read through DLPack's C interface.

A type with ``__dlpack_c_exchange_api__`` (torch ≥ 2.10) hands out a C function that describes a tensor. Asked from
compiled code that costs some 20 ns a tensor, where Python's own ways to a pointer, a shape, strides and a dtype cost
300: more than the whole step of a small one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from adamas.backends import Ints, kernel_cache
from adamas.backends.cpu_parts import PRELUDE

#: Columns of a table of tensors; then come sizes and strides (in elements), as many of each as the table has dims.
DATA, DEVICE, NDIM, DTYPE, DIMS = range(5)

#: What stands in the first columns where there is no tensor, and where one cannot be described.
NONE, OPAQUE = -1, -2

#: DLDeviceType of the CPU.
CPU = 1

#: Place of ``dltensor_from_py_object_no_sync`` among the words of a DLPackExchangeAPI.
_FUNCTION = 5

_LOOK = '''
load32, load64 = loader("bits32", "objects"), loader("bits64", "objects")


@intrinsic
def describe(typingctx, function, tensor, out):
    """Call int function(PyObject* tensor, DLTensor* out)."""

    def codegen(context, builder, signature, args):
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(I32, [pointer, pointer])
        function, tensor, out = args
        call = builder.inttoptr(function, kind.as_pointer())
        return builder.call(call, [builder.inttoptr(tensor, pointer), builder.inttoptr(out, pointer)])

    return types.int32(types.int64, types.int64, types.int64), codegen


@intrinsic
def forget(typingctx, function):
    """Call void function(void)."""

    def codegen(context, builder, signature, args):
        builder.call(builder.inttoptr(args[0], ir.FunctionType(ir.VoidType(), []).as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@njit
def look(objects, none, function, clear, scratch, out):
    """A row of the table for each object whose pointers lie at that address; the caller holds the GIL."""
    dims = (out.shape[1] - {DIMS}) // 2
    for i in range(len(out)):
        out[i, :] = 0
        tensor = load64(objects, i)
        if tensor == none:
            out[i, :{DIMS}] = {NONE}
            continue
        if describe(function, tensor, scratch) != 0:
            forget(clear)
            out[i, :{DIMS}] = {OPAQUE}
            continue
        ndim = load32(scratch + 16, 0)
        out[i, {DATA}] = load64(scratch, 0) + load64(scratch + 40, 0)
        out[i, {DEVICE}], out[i, {NDIM}], out[i, {DTYPE}] = load64(scratch + 8, 0), ndim, load32(scratch + 20, 0)
        shape, strides = load64(scratch + 24, 0), load64(scratch + 32, 0)
        size = 1
        for d in range(min(ndim, dims)):
            out[i, {DIMS} + d], out[i, {DIMS} + dims + d] = load64(shape, d), load64(strides, d)
            size *= load64(shape, d)
        if size and not out[i, {DATA}]:  # a tensor that stands for one, and has no memory
            out[i, :{DIMS}] = {OPAQUE}


@njit
def compare(table, usual, loose, unlike):
    """Mark the rows that differ from the usual ones where that matters; how many there are."""
    count = 0
    for i in range(table.shape[0]):
        differs = False
        for j in range(table.shape[1]):
            differs |= (table[i, j] != usual[i, j]) & (loose[i, j] == 0)
        unlike[i] = differs
        count += differs
    return count
'''


@cache
def _module() -> Any:
    places = dict(DATA=DATA, DEVICE=DEVICE, NDIM=NDIM, DTYPE=DTYPE, DIMS=DIMS, NONE=NONE, OPAQUE=OPAQUE)
    text = PRELUDE.format(scopes=("objects", "out")) + _LOOK.format(**places)
    look = "void(int64, int64, int64, int64, int64, int64[:, ::1])"
    compare = "int64(int64[:, ::1], int64[:, ::1], boolean[:, ::1], boolean[::1])"
    return kernel_cache.load("dlpack", text, {"look": look, "compare": compare})


class Reader:
    """Describes tensors of one type. Raises TypeError if the type has no such interface.

    A DLTensor is: data (8 bytes), device type and number (4 + 4), ndim (4), dtype code, bits and lanes (1 + 1 + 2),
    pointers to sizes and strides (8 + 8), byte offset (8).
    """

    def __init__(self, kind: type) -> None:
        capsule = getattr(kind, "__dlpack_c_exchange_api__", None)
        if capsule is None:
            raise TypeError(f"{kind.__module__}.{kind.__name__} has no DLPack C interface; take a newer release")
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        table = (ctypes.c_uint64 * (_FUNCTION + 1)).from_address(pointer(capsule, b"dlpack_exchange_api"))
        if table[0] & 0xFFFFFFFF != 1 or not table[_FUNCTION]:
            raise TypeError(f"{kind.__module__}.{kind.__name__}: DLPack {table[0] & 0xFFFFFFFF} is not known here")
        self.function = int(table[_FUNCTION])
        self.clear = int(ctypes.cast(ctypes.pythonapi.PyErr_Clear, ctypes.c_void_p).value or 0)
        self.look = _module().look

    def read(self, tensors: Sequence[Any], dims: int) -> Ints:
        """A table of the tensors (None for none), with room for so many dims."""
        objects = np.fromiter(tensors, object, len(tensors))  # pointers, four times as fast as from ``id``
        out, scratch = np.empty((len(objects), DIMS + 2 * dims), np.int64), np.empty(8, np.int64)
        self.look(objects.ctypes.data, id(None), self.function, self.clear, scratch.ctypes.data, out)
        return out


def unlike(table: Ints, usual: Ints, loose: Any) -> Any:
    """Which tensors do not lie as usual, but for the columns that are ``loose``; None if all do."""
    found = np.empty(len(table), bool)
    return found if _module().compare(table, usual, loose, found) else None
