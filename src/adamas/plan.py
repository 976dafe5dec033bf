"""The user's tensors grouped into a few launches, made once and run every step."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adamas.backends import Array, Backend, Floats, Grads, Ints, Launch, dense_strides
from adamas.diagnostics import Observer, Seen
from adamas.gate import Decision, Gate, decide
from adamas.language import call, names_of
from adamas.program import FIRST, GRAD_SCALE
from adamas.state import State, check_roots

#: Parameter and gradient dtypes that every backend takes.
DTYPES = ("float64", "float32", "float16", "bfloat16", "complex128", "complex64")

#: Launches kept for different dtypes of gradients.
KEPT = 8

#: Stands for a gradient that is not there.
NOTHING = np.empty(0)


@dataclass(frozen=True)
class _Group:
    """Tensors of one launch, by their indices."""

    indices: Ints
    launch: Launch

    def pick(self, grads: Grads) -> Grads:
        """The gradients of this launch."""
        if len(self.indices) == len(grads.addresses):
            return grads
        indices = self.indices.tolist()
        odd = frozenset(j for j, i in enumerate(indices) if i in grads.odd) if grads.odd else grads.odd
        present = None if grads.present is None else grads.present[self.indices]
        return Grads([grads.arrays[i] for i in indices], grads.addresses[self.indices], odd, present)


@dataclass(frozen=True)
class Kind:
    """The gradients that a plan is ready for: dtypes, usual strides, bytes, launches.

    unaligned: the bits of an address that must not be set.
    """

    dtypes: tuple[Any, ...]
    strides: tuple[tuple[int, ...], ...]
    sizes: Ints
    unaligned: Ints
    groups: tuple[_Group, ...]


@dataclass(frozen=True)
class Ready:
    """The gradients of one step, checked and sorted into the launches of their kind."""

    kind: Kind
    grads: list[Grads]
    present: npt.NDArray[np.bool] | None


class Plan:
    """Runs steps over a state: checks gradients, finds the launches, drives them."""

    def __init__(
        self, state: State, backend: Backend, group_of: Sequence[int], view: Callable[[Any], Array] = np.asarray
    ) -> None:
        """``view`` makes an array of a gradient that was given to ``ready`` as something else."""
        self.state, self.backend, self.view = state, backend, view
        self.group_of = np.asarray(group_of, np.int64)
        self.shapes = [t.p.shape for t in state.tensors]
        bounds = sorted(np.lib.array_utils.byte_bounds(t.p) for t in state.tensors if t.p.size)
        # where parameters begin, after a place before all memory, and where the memory of it and of those before ends
        self.starts = np.array([-1, *(start for start, _ in bounds)], np.int64)
        self.ends = np.maximum.accumulate(np.array([-1, *(end for _, end in bounds)], np.int64))
        self.kinds: OrderedDict[tuple[Any, ...], Kind] = OrderedDict()
        self.latest: Kind | None = None
        self.alike: tuple[Ints, Ints, Ints] | None = None  # see _alike

    # ---- gradients

    def check(self, grads: Sequence[Any]) -> Ready:
        """Arrays as the gradients of a step; nothing of the user's is written."""
        kind, odd = self.latest, []
        if kind is not None:
            for i, (g, shape, dtype, strides) in enumerate(
                zip(grads, self.shapes, kind.dtypes, kind.strides, strict=True)
            ):
                if type(g) is not np.ndarray or g.shape != shape or g.dtype is not dtype:
                    break
                if g.strides != strides:
                    odd.append(i)
            else:
                return self.ready(kind, grads, self.backend.addresses(grads), odd)
        arrays = [
            None if g is None else self._gradient(t.name, t.p, g)
            for t, g in zip(self.state.tensors, grads, strict=True)
        ]
        usual = [t.p.dtype for t in self.state.tensors] if kind is None else kind.dtypes
        kind = self.find(tuple(d if g is None else g.dtype for g, d in zip(arrays, usual, strict=True)))
        filled = [NOTHING if g is None else g for g in arrays]
        odd = [i for i, g in enumerate(arrays) if g is not None and g.strides != kind.strides[i]]
        present = np.array([g is not None for g in arrays])
        return self.ready(kind, filled, self.backend.addresses(filled), odd, None if present.all() else present)

    def ready(self, kind: Kind, arrays: Sequence[Any], at: Ints, odd: Sequence[int], present: Any = None) -> Ready:
        """Gradients of a kind that begin at these addresses, sorted into launches; those in ``odd`` are arrays with
        other strides than the kind's. Copied first are those that no kernel may read: unaligned ones, and those
        that may share memory with a parameter, which the step would change midway.
        """
        grads = self._apart(kind, arrays, at, odd, present)
        return Ready(kind, [group.pick(grads) for group in kind.groups], present)

    def _apart(self, kind: Kind, arrays: Sequence[Any], at: Ints, odd: Sequence[int], present: Any) -> Grads:
        low, high = at, at + (kind.sizes if present is None else kind.sizes * present)
        for i in odd:
            low = at.copy() if low is at else low
            low[i], high[i] = np.lib.array_utils.byte_bounds(arrays[i])
        last = self.starts.searchsorted(high) - 1  # the last parameter that begins before the end
        unfit = (self.ends[last] > low) | ((at & kind.unaligned) != 0)
        if not unfit.any():
            return Grads(arrays, at, frozenset(odd), present)
        copies = set(np.flatnonzero(unfit).tolist())
        arrays = [self.view(g).copy("K") if i in copies else g for i, g in enumerate(arrays)]
        at = at.copy()
        for i in copies:
            at[i] = arrays[i].ctypes.data
        odd = [i for i in copies.union(odd) if arrays[i].strides != kind.strides[i]]
        return Grads(arrays, at, frozenset(odd), present)

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

    def find(self, dtypes: tuple[Any, ...]) -> Kind:
        """The launches for gradients of these dtypes."""
        if dtypes not in self.kinds:
            self.kinds[dtypes] = self._make(dtypes)
            if len(self.kinds) > KEPT:
                self.kinds.popitem(last=False)
        self.kinds.move_to_end(dtypes)
        self.latest = self.kinds[dtypes]
        return self.latest

    def _make(self, dtypes: tuple[Any, ...]) -> Kind:
        alike: dict[tuple[Any, ...], list[int]] = {}
        strides, sizes, unaligned = [], [], []
        for i, (tensor, codecs, dtype) in enumerate(zip(self.state.tensors, self.state.codecs, dtypes, strict=True)):
            strides.append(dense_strides(tensor.p.shape, tensor.order, dtype.itemsize))
            sizes.append(tensor.p.size * dtype.itemsize)
            unaligned.append(dtype.alignment - 1)
            if tensor.p.size:
                key = (dtype, tensor.p.dtype, tuple(c.name for c in codecs.values()), tensor.weights)
                alike.setdefault(key, []).append(i)
        groups = tuple(_Group(np.array(indices), self._launch(indices, key[0])) for key, indices in alike.items())
        return Kind(dtypes, tuple(strides), np.array(sizes, np.int64), np.array(unaligned, np.int64), groups)

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
        ready = self.check(grads)
        names = [t.name for t in self.state.tensors]
        decision = decide(gate, names, *self.measure(ready)) if gate.needed else Decision()
        if not decision.applied:
            self.state.skipped += 1
            return decision
        self.advance(ready, hyper, [sign * decision.clip for sign in signs], observer, decision.clip < 1)
        return decision

    def measure(self, ready: Ready) -> tuple[Floats, Floats]:
        """What the gate asks for, of each tensor: Σ|g|² of what is finite, and how many |g|² are not."""
        square, bad = np.zeros(len(self.shapes)), np.zeros(len(self.shapes))
        for group, grads in zip(ready.kind.groups, ready.grads, strict=True):
            square[group.indices], bad[group.indices] = group.launch.gate(grads)
        return square, bad

    def advance(
        self,
        ready: Ready,
        hyper: Sequence[Mapping[str, float]],
        factors: Sequence[float],
        observer: Observer,
        clipped: bool = False,
    ) -> None:
        """One step, with each group's hyper-parameters (as letters) and the factor on its gradients."""
        groups, mine = ready.kind.groups, ready.grads
        rows, row_of, fresh = self._rows(hyper, factors)
        observer.count(clipped)
        if observer.due(self.state.steps):
            observer.take(self.state.steps + 1, self._observe(groups, mine, rows, row_of))
        carried = self._run(groups, mine, rows, row_of, hyper)
        self._advance(ready.present, row_of, fresh, carried)

    def _observe(self, groups: Sequence[_Group], mine: Sequence[Grads], rows: Any, row_of: Any) -> list[Seen]:
        """The sums for diagnostics of the step that comes next, launch by launch."""
        seen = []
        for group, grads in zip(groups, mine, strict=True):
            sums = group.launch.observe(grads, rows, row_of[group.indices])
            there = slice(None) if grads.present is None else grads.present
            seen.append(Seen(group.indices[there], {name: x[there] for name, x in sums.items()}))
        return seen

    def _alike(self) -> tuple[Ints, Ints]:
        """The first tensor of each set that shares its scalars, and the set of each tensor.

        Scalars depend on a tensor's group, its step count, and what it alone remembers. As long as no tensor rests,
        and nothing is remembered, the sets are those of the step before.
        """
        state = self.state
        age = state.t - state.t[:1]
        if self.alike is None or state.own or not np.array_equal(age, self.alike[0]):
            keys = np.stack([self.group_of, state.t, *(x.view(np.int64) for x in state.own.values())])
            if (keys == keys[:, :1]).all():
                self.alike = age, np.zeros(min(1, len(age)), np.int64), np.zeros(len(age), np.int64)
            else:
                self.alike = age, *np.unique(keys, axis=1, return_index=True, return_inverse=True)[1:]
        return self.alike[1:]

    def _rows(
        self, hyper: Sequence[Mapping[str, float]], factors: Sequence[float]
    ) -> tuple[list[dict[str, float]], Ints, dict[str, Floats]]:
        """The distinct rows of scalars, the row of each tensor, and each row's new persistent scalars."""
        firsts, row_of = self._alike()
        rows = [self._row(i, hyper, factors) for i in firsts.tolist()]
        return rows, row_of, {name: np.array([row[name] for row in rows]) for name in self.state.own}

    def _row(self, i: int, hyper: Sequence[Mapping[str, float]], factors: Sequence[float]) -> dict[str, float]:
        known, t = self.known(i, hyper), int(self.state.t[i]) + 1
        computed = call(self.state.rule.scalars, {**known, "t": t})
        return {**known, **computed, FIRST: float(t == 1), GRAD_SCALE: factors[int(self.group_of[i])]}

    def known(self, i: int, hyper: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """The letters of a tensor's group, and what persists of its scalars."""
        return {**hyper[int(self.group_of[i])], **self.state.known(i)}

    def _run(
        self,
        groups: Sequence[_Group],
        mine: Sequence[Any],
        rows: Any,
        row_of: Any,
        hyper: Sequence[Mapping[str, float]],
    ) -> dict[str, float]:
        """Drive the launches, all of them up to what is summed over all tensors, then to the end."""
        t = self.state.t + 1
        runs = [
            group.launch.step(grads, rows, row_of[group.indices], t[group.indices])
            for group, grads in zip(groups, mine, strict=True)
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

    def _advance(self, present: Any, row_of: Ints, fresh: Mapping[str, Floats], carried: Mapping[str, float]) -> None:
        state = self.state
        state.t += 1 if present is None else present
        state.steps += 1
        state.shared |= carried
        for name, new in fresh.items():
            np.copyto(state.own[name], new[row_of], where=True if present is None else present)

    def check_equal(self, hyper: Sequence[Mapping[str, float]]) -> None:
        """Raise ValueError if letters differ between groups on which scalars of all tensors depend, or fit no codec."""
        rule = self.state.rule
        if any(letters.get("b1", 0.0) ** 2 >= letters.get("b2", 1.0) for letters in hyper):
            for tensor, codecs, i in zip(self.state.tensors, self.state.codecs, self.group_of.tolist(), strict=True):
                check_roots(rule, codecs, hyper[i], tensor.name)
        if rule.carry is None:
            return
        groups = [hyper[i] for i in set(self.group_of.tolist())]
        for name in names_of(rule.carry):
            values = {group[name] for group in groups if name in group}
            if len(values) > 1:
                raise ValueError(f"{rule.name} estimates over all groups: {name} must not differ, got {values}")

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
    if overlaps(p):
        raise ValueError(f"{name}: elements of the parameter share memory (a view over a window); pass p.copy()")


def overlaps(p: Array) -> bool:
    """Whether elements of one array may share memory."""
    reach = p.itemsize
    for stride, size in sorted((abs(s), n) for s, n in zip(p.strides, p.shape, strict=True) if n > 1):
        if stride < reach and p.size:
            return True
        reach += stride * (size - 1)
    return False


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
