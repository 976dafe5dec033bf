"""The user's tensors grouped into a few launches, made once and run every step."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from adamas.backends import Array, Backend, Grads, Ints, Launch, dense_strides
from adamas.diagnostics import Observer, Seen
from adamas.gate import Decision, Gate, decide
from adamas.language import call, names_of
from adamas.program import FIRST, GRAD_SCALE
from adamas.state import State

#: Parameter and gradient dtypes that every backend takes.
DTYPES = ("float64", "float32", "float16", "bfloat16", "complex128", "complex64")

#: Launches kept for different sets of present gradients and their dtypes.
KEPT = 8

_NOTHING = np.empty(0)  # stands for a gradient that is not there


@dataclass(frozen=True)
class _Group:
    """Tensors of one launch, by their indices."""

    indices: Ints
    launch: Launch

    def pick(self, grads: Grads) -> Grads:
        """The gradients of this launch."""
        indices = self.indices.tolist()
        odd = frozenset(j for j, i in enumerate(indices) if i in grads.odd) if grads.odd else grads.odd
        return Grads([grads.arrays[i] for i in indices], grads.addresses[self.indices], odd)


@dataclass(frozen=True)
class _Kind:
    """The gradients that a plan is ready for: dtypes (None where there is none), usual strides, bytes, launches."""

    dtypes: tuple[Any, ...]
    strides: tuple[tuple[int, ...], ...]
    sizes: Ints
    alignment: Ints
    groups: tuple[_Group, ...]


class Plan:
    """Runs steps over a state: checks gradients, finds the launches, drives them."""

    def __init__(self, state: State, backend: Backend, group_of: Sequence[int]) -> None:
        self.state, self.backend = state, backend
        self.group_of = np.asarray(group_of, np.int64)
        self.shapes = [t.p.shape for t in state.tensors]
        bounds = sorted(np.lib.array_utils.byte_bounds(t.p) for t in state.tensors if t.p.size)
        self.starts = np.array([start for start, _ in bounds], np.int64)
        self.ends = np.maximum.accumulate(np.array([end for _, end in bounds], np.int64))
        self.kinds: OrderedDict[tuple[Any, ...], _Kind] = OrderedDict()
        self.latest: _Kind | None = None

    # ---- gradients

    def check(self, grads: Sequence[Any]) -> tuple[_Kind, Grads]:
        """The gradients as arrays that share no memory with parameters; nothing of the user's is written."""
        kind, odd = self.latest, []
        if kind is not None and None not in kind.dtypes:
            for i, (g, shape, dtype, strides) in enumerate(
                zip(grads, self.shapes, kind.dtypes, kind.strides, strict=True)
            ):
                if type(g) is not np.ndarray or g.shape != shape or g.dtype is not dtype:
                    break
                if g.strides != strides:
                    odd.append(i)
            else:
                return kind, self._apart(kind, grads, odd)
        arrays = [
            None if g is None else self._gradient(t.name, t.p, g)
            for t, g in zip(self.state.tensors, grads, strict=True)
        ]
        kind = self.find(tuple(None if g is None else g.dtype for g in arrays))
        filled = [_NOTHING if g is None else g for g in arrays]
        odd = [i for i, g in enumerate(arrays) if g is not None and g.strides != kind.strides[i]]
        return kind, self._apart(kind, filled, odd)

    def _apart(self, kind: _Kind, arrays: Sequence[Array], odd: list[int]) -> Grads:
        """Copies of the gradients that no kernel may read: unaligned ones, and those that may share memory with a
        parameter, which the step would change midway.
        """
        at = self.backend.addresses(arrays)
        low, high = at.copy(), at + kind.sizes
        for i in odd:
            low[i], high[i] = np.lib.array_utils.byte_bounds(arrays[i])
        unfit = (at % kind.alignment) != 0
        if len(self.starts):
            last = np.searchsorted(self.starts, high, side="left") - 1  # the last parameter that begins before the end
            unfit |= (last >= 0) & (self.ends[last] > low) & (kind.sizes > 0)
        if not unfit.any():
            return Grads(arrays, at, frozenset(odd))
        copies = set(np.flatnonzero(unfit).tolist())
        arrays = [g.copy("K") if i in copies else g for i, g in enumerate(arrays)]
        odd = [i for i in copies.union(odd) if arrays[i].strides != kind.strides[i]]
        return Grads(arrays, self.backend.addresses(arrays), frozenset(odd))

    @staticmethod
    def _gradient(name: str, p: Array, g: Any) -> Array:
        try:
            array = np.asarray(g)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name}: gradient is no array: {error}") from None
        if array.dtype.name not in DTYPES:
            raise TypeError(f"{name}: gradient of dtype {array.dtype}; expected one of {', '.join(DTYPES)}")
        if array.shape != p.shape:
            raise ValueError(f"{name}: gradient of shape {array.shape} for a parameter of shape {p.shape}")
        if (array.dtype.kind == "c") != (p.dtype.kind == "c"):
            remedy = "g.real" if array.dtype.kind == "c" else "g.astype(complex)"
            raise TypeError(f"{name}: {array.dtype} gradient for a {p.dtype} parameter; pass {remedy} if that is meant")
        if not array.dtype.isnative:
            raise TypeError(f"{name}: gradient in foreign byte order; pass g.astype(g.dtype.newbyteorder('='))")
        return array

    # ---- launches

    def find(self, dtypes: tuple[Any, ...]) -> _Kind:
        """The launches for gradients of these dtypes."""
        if dtypes not in self.kinds:
            self.kinds[dtypes] = self._make(dtypes)
            if len(self.kinds) > KEPT:
                self.kinds.popitem(last=False)
        self.kinds.move_to_end(dtypes)
        self.latest = self.kinds[dtypes]
        return self.latest

    def _make(self, dtypes: tuple[Any, ...]) -> _Kind:
        alike: dict[tuple[Any, ...], list[int]] = {}
        strides, sizes, alignment = [], [], []
        for i, (tensor, codecs, dtype) in enumerate(zip(self.state.tensors, self.state.codecs, dtypes, strict=True)):
            item = 0 if dtype is None else dtype.itemsize
            strides.append(dense_strides(tensor.p.shape, tensor.order, item))
            sizes.append(tensor.p.size * item)
            alignment.append(1 if dtype is None else dtype.alignment)
            if dtype is not None and tensor.p.size:
                alike.setdefault((tuple(c.name for c in codecs.values()), tensor.p.dtype, dtype), []).append(i)
        groups = tuple(_Group(np.array(indices), self._launch(indices, key[2])) for key, indices in alike.items())
        return _Kind(dtypes, tuple(strides), np.array(sizes, np.int64), np.array(alignment, np.int64), groups)

    def _launch(self, indices: Sequence[int], grad_dtype: Any) -> Launch:
        state = self.state
        return self.backend.launch(
            state.rule, state.codecs[indices[0]], [state.tensors[i] for i in indices], grad_dtype
        )

    # ---- a step

    def step(
        self,
        grads: Sequence[Any],
        hyper: Sequence[Mapping[str, float]],
        signs: Sequence[float],
        gate: Gate,
        observer: Observer,
    ) -> Decision:
        """One step with each group's hyper-parameters (as letters) and the sign of its gradients."""
        kind, checked = self.check(grads)
        mine = [group.pick(checked) for group in kind.groups]
        decision = self._decide(gate, kind.groups, mine)
        if not decision.applied:
            self.state.skipped += 1
            return decision
        rows, row_of, fresh = self._rows(hyper, signs, decision.clip)
        observer.count(decision.clip < 1)
        if observer.due(self.state.steps):
            observer.take(self.state.steps + 1, self._observe(kind.groups, mine, rows, row_of))
        carried = self._run(kind.groups, mine, rows, row_of, hyper)
        self._advance(kind.dtypes, fresh, carried)
        return decision

    def _decide(self, gate: Gate, groups: Sequence[_Group], mine: Sequence[Grads]) -> Decision:
        if not gate.needed:
            return Decision()
        square, bad = np.zeros(len(self.shapes)), np.zeros(len(self.shapes))
        for group, grads in zip(groups, mine, strict=True):
            square[group.indices], bad[group.indices] = group.launch.gate(grads)
        return decide(gate, [t.name for t in self.state.tensors], square, bad)

    def _observe(self, groups: Sequence[_Group], mine: Sequence[Grads], rows: Any, row_of: Any) -> list[Seen]:
        """The sums for diagnostics of the step that comes next, launch by launch."""
        return [
            Seen(group.indices, group.launch.observe(grads, rows, row_of[group.indices]))
            for group, grads in zip(groups, mine, strict=True)
        ]

    def _rows(self, hyper: Sequence[Mapping[str, float]], signs: Sequence[float], clip: float) -> tuple[Any, Any, Any]:
        """The distinct rows of scalars, the row of each tensor, and each tensor's new persistent scalars."""
        persistent = [m.name for m in self.state.rule.memory if m.scope == "tensor"]
        # a tensor's scalars depend on its group and its step count, and on what it alone remembers
        keys = np.arange(len(self.shapes)) if persistent else self.group_of * (1 << 40) + self.state.t
        if len(keys) and (keys == keys[0]).all():
            firsts, row_of = np.zeros(1, np.int64), np.zeros(len(keys), np.int64)
        else:
            _, firsts, row_of = np.unique(keys, return_index=True, return_inverse=True)
        rows = [self._row(i, hyper, signs, clip) for i in firsts.tolist()]
        fresh = [{n: row[n] for n in persistent} for row in rows] if persistent else None
        return rows, row_of, fresh

    def _row(
        self, i: int, hyper: Sequence[Mapping[str, float]], signs: Sequence[float], clip: float
    ) -> dict[str, float]:
        group, t = int(self.group_of[i]), int(self.state.t[i]) + 1
        known = {**hyper[group], **self.state.shared, **self.state.own[i]}
        computed = call(self.state.rule.scalars, {**known, "t": t})
        return {**known, **computed, FIRST: float(t == 1), GRAD_SCALE: signs[group] * clip}

    def _run(
        self,
        groups: Sequence[_Group],
        mine: Sequence[Any],
        rows: Any,
        row_of: Any,
        hyper: Sequence[Mapping[str, float]],
    ) -> dict[str, float]:
        """Drive the launches, all of them up to what is summed over all tensors, then to the end."""
        runs = [
            group.launch.step(grads, rows, row_of[group.indices]) for group, grads in zip(groups, mine, strict=True)
        ]
        if not self.state.rule.carry:
            for run in runs:
                next(run, None)
            return {}
        shares = [next(run) for run in runs]
        carried = self._carry(groups, shares, hyper[0]) if runs else {}
        for run in runs:
            with suppress(StopIteration):
                run.send(carried)
        return carried

    def _carry(
        self, groups: Sequence[_Group], shares: Sequence[Mapping[str, Any]], hyper: Mapping[str, float]
    ) -> dict[str, float]:
        rule = self.state.rule
        assert rule.carry
        totals: dict[str, float] = {}
        for name in shares[0]:
            by_tensor = np.zeros(len(self.shapes))
            for group, share in zip(groups, shares, strict=True):
                by_tensor[group.indices] = share[name]
            totals[name] = 0.0
            for x in by_tensor.tolist():  # in the tensors' order, however they are grouped
                totals[name] += x
        known = {k: np.float64(x) for k, x in {**hyper, **self.state.shared, **totals}.items()}
        with np.errstate(all="ignore"):  # float64 follows IEEE where Python's numbers would raise
            new = call(rule.carry, known)
        return {m.name: float(new.get(m.name, self.state.shared[m.name])) for m in rule.memory}

    def _advance(self, dtypes: tuple[Any, ...], fresh: Any, carried: Mapping[str, float]) -> None:
        state = self.state
        if None in dtypes:
            present = np.array([d is not None for d in dtypes])
            state.t += present
        else:
            present = None
            state.t += 1
        state.steps += 1
        state.shared |= carried
        for i, new in enumerate(fresh or ()):
            if present is None or present[i]:
                state.own[i] = new

    def needs_equal(self) -> set[str]:
        """Letters that must be the same in all groups, because scalars of all tensors depend on them."""
        rule = self.state.rule
        return set(names_of(rule.carry)) if rule.carry else set()

    def workspace(self) -> int:
        """Bytes that the launches keep besides parameters and state."""
        return sum(group.launch.workspace() for kind in self.kinds.values() for group in kind.groups)


def check_parameter(name: str, p: Any) -> None:
    """Raise TypeError or ValueError unless the array can be stepped in place."""
    if not isinstance(p, np.ndarray):
        raise TypeError(f"{name}: a parameter must be a NumPy array, which a step can change; got {type(p).__name__}")
    if p.dtype.name not in DTYPES:
        raise TypeError(f"{name}: parameter of dtype {p.dtype}; expected one of {', '.join(DTYPES)}")
    if not p.dtype.isnative:
        raise TypeError(f"{name}: parameter in foreign byte order; pass p.astype(p.dtype.newbyteorder('='))")
    if not p.flags.writeable:
        raise ValueError(f"{name}: parameter is read-only; pass p.copy()")
    if not p.flags.aligned:
        raise ValueError(f"{name}: parameter is not aligned in memory; pass p.copy()")
    reach = p.itemsize
    for stride, size in sorted((abs(s), n) for s, n in zip(p.strides, p.shape, strict=True) if n > 1):
        if stride < reach and p.size:
            raise ValueError(f"{name}: elements of the parameter share memory (a view over a window); pass p.copy()")
        reach += stride * (size - 1)


def check_apart(names: Sequence[str], arrays: Sequence[Array]) -> None:
    """Raise ValueError if two parameters share memory: one step would change the other."""
    bounds = sorted((*np.lib.array_utils.byte_bounds(p), i) for i, p in enumerate(arrays) if p.size)
    near: list[tuple[int, int]] = []  # (end, index) of those that reach past the present start
    for start, end, i in bounds:
        near = [(e, j) for e, j in near if e > start]
        for _, j in near:
            if np.shares_memory(arrays[j], arrays[i]):
                raise ValueError(f"{names[i]} and {names[j]} share memory; pass one of them, or copy")
        near.append((end, i))
