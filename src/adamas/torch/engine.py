"""A torch optimizer's parameters as states and plans: made when first needed, and anew when the user changed something.

What the user sees, ``optimizer.param_groups`` and ``optimizer.state``, is the truth; the arrays behind it are shared
with the kernels. Each step begins by looking whether everything still is what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, count
from operator import is_
from typing import Any

import numpy as np
import torch

from adamas.backends import Ints
from adamas.backends.cpu import Cpu
from adamas.backends.dlpack import DATA, DIMS, NDIM, Reader, unlike
from adamas.diagnostics import Observer
from adamas.plan import NOTHING, Plan, Ready, check_apart
from adamas.state import Arena, State
from adamas.torch.entry import Entry
from adamas.torch.leaf import Leaf, check_count
from adamas.torch.making import make_leaf
from adamas.torch.memory import array_of, check_gradient
from adamas.torch.table import FLAGS, STORED, Row

Group = dict[str, Any]


@cache
def reader() -> Reader:
    """What tells where tensors lie."""
    return Reader(torch.Tensor)


def settings(group: Group) -> list[Any]:
    """Copies of what a group cannot change without new arrays or another rule, and how many parameters it has."""
    values = (dict(x) if isinstance(x, Mapping) else x for x in map(group.get, (*FLAGS, *STORED)))
    return [len(group["params"]), list(group.get("param_names", ())), *values]


def named(groups: Sequence[Group]) -> bool:
    """Whether every parameter has a name of its own."""
    called = [name for group in groups for name in group.get("param_names", ())]
    return len(set(called)) == len(called) == sum(len(group["params"]) for group in groups)


def names(groups: Sequence[Group]) -> list[list[str]]:
    """What each parameter of each group is called: as the user says if that is unique, else by its place among all."""
    if named(groups):
        return [list(group.get("param_names", ())) for group in groups]
    place = count()
    return [[f"parameter {next(place)}" for _ in group["params"]] for group in groups]


class Part:
    """Parameters of one rule: their state, their plan, and the step counts that the user sees."""

    def __init__(
        self,
        members: Sequence[Leaf],
        start: int,
        kinds: Sequence[int],
        letters: Sequence[Mapping[str, float]],
        every: int | None,
    ) -> None:
        self.leaves, self.span = list(members), slice(start, start + len(members))
        rule = members[0].rule
        self.state = state = State(rule, [m.tensor for m in members], [m.codecs for m in members])
        state.start([letters[kind] for kind in kinds])
        for i, m in enumerate(members):
            count = m.shown["step"].item()
            check_count(f"state of {m.name}: step", count)
            state.t[i] = int(count)
        state.steps = int(state.t.max(initial=0))
        for name, values in state.own.items():
            values[:] = [float(m.shown[name]) if t else x for m, t, x in zip(members, state.t, values, strict=True)]
        self.steps = state.t.astype(np.float32)
        for name, values in {"step": self.steps, **state.own}.items():
            for i, m in enumerate(members):
                m.shown[name] = torch.from_numpy(values[i : i + 1].reshape(()))
        self.plan = Plan(state, Cpu(), kinds, array_of)
        self.kind = self.plan.find(tuple(m.tensor.p.dtype for m in members))
        self.observer = Observer(every)
        self.fresh = [i for i, t in enumerate(state.t) if not t]  # those that the user does not see yet

    def take_edits(self) -> None:
        """Heed step counts that were changed in ``optimizer.state``; float32 tells them exactly up to 2²⁴."""
        if (self.steps != self.state.t.astype(np.float32)).any():
            for m, t in zip(self.leaves, self.steps.tolist(), strict=True):
                check_count(f"state of {m.name}: step", t)
            self.state.t[:] = self.steps


class Engine:
    """All parameters that have a state or a gradient, in parts of one rule each."""

    def __init__(self, optimizer: Any, before: Engine | None) -> None:
        self.row: Row = optimizer.row
        self.groups: list[Group] = optimizer.param_groups
        self.flat, self.settings = self._parameters(), [settings(group) for group in self.groups]
        found = self._leaves(optimizer, {} if before is None else {id(m.p): m for m in before.leaves})
        check_apart([m.name for m in found], [m.tensor.p for m in found])
        #: Parameters of one group and dtype share their hyper-parameters' letters.
        self.kinds = list(dict.fromkeys((m.group, m.p.dtype) for m in found))
        letters = optimizer._letters(self.kinds)
        sets: dict[Any, list[Leaf]] = {}
        for i, m in enumerate(found):
            sets.setdefault((m.rule.name, i if optimizer._alone else None), []).append(m)
        self.parts: list[Part] = []
        for members in sets.values():
            start = self.parts[-1].span.stop if self.parts else 0
            kinds = [self.kinds.index((m.group, m.p.dtype)) for m in members]
            self.parts.append(Part(members, start, kinds, letters, optimizer._every(members)))
        self.leaves: list[Leaf] = list(chain.from_iterable(part.leaves for part in self.parts))
        active = {id(m.p) for m in self.leaves}
        self.resting = [p for p in self.flat if id(p) not in active]
        self._look()
        self.changed: list[str] = []
        self._show(optimizer, [m for m in self.leaves if optimizer.state.get(m.p)])

    def _parameters(self) -> list[torch.Tensor]:
        return [p for group in self.groups for p in group["params"]]

    def _leaves(self, optimizer: Any, before: Mapping[int, Leaf]) -> list[Leaf]:
        found, arena = [], Arena()
        for i, (group, called) in enumerate(zip(self.groups, names(self.groups), strict=True)):
            for p, name in zip(group["params"], called, strict=True):
                entry = optimizer.state.get(p, {})
                if not entry and p.grad is None and not (optimizer._alone and p.requires_grad):
                    continue
                old = before.get(id(p)) or optimizer._loaded.get(id(p))
                how = optimizer._kept(group, name)
                if old is None or not old.fits(name, self.row.rule(group), how, entry):
                    old = make_leaf(self.row, p, name, i, how, optimizer.ema is not None, entry, arena)
                if old.average_begins:
                    old.shown["ema"].copy_(p.detach())
                    old.average_begins = False
                old.group = i
                found.append(old)
        return found

    def _look(self) -> None:
        """Remember how parameters lie in memory, and how their gradients usually will."""
        self.p = [m.p for m in self.leaves]
        self.dims = max((p.dim() for p in self.p), default=0)
        # their gradients may be lazily conjugated or negated and lie as usual; others that are have gaps
        self.lazy = [i for i, p in enumerate(self.p) if p.is_complex() or p.numel() == 1]
        self.places = reader().read(self.p, self.dims)
        self.usual = self.places.copy()
        for row, m in zip(self.usual, self.leaves, strict=True):
            row[DIMS + self.dims : DIMS + self.dims + m.p.dim()] = m.usual_strides()
        sizes = self.usual[:, DIMS : DIMS + self.dims]
        there = np.arange(self.dims) < self.usual[:, NDIM, None]
        empty = ((sizes == 0) & there).any(axis=1, keepdims=True)
        self.exact = np.zeros(self.usual.shape, bool)
        self.loose = self.exact.copy()  # the address, and strides by which no element is reached
        self.loose[:, DATA] = True
        self.loose[:, DIMS + self.dims :] = (sizes == 1) | empty

    # ---- what the user sees

    def _show(self, optimizer: Any, some: Iterable[Leaf]) -> None:
        """Put parameters' states where the user sees them, and remember what stands there."""
        for m in some:
            entry = optimizer.state.get(m.p)
            if isinstance(entry, Entry):  # the user may hold it
                entry.show(m.shown, self.changed)
            else:
                optimizer.state[m.p] = Entry(m.shown, self.changed)
        self.values = list(optimizer.state.values())

    def publish(self, optimizer: Any, parts: Iterable[Part]) -> None:
        """Bring what the user sees up to date. A parameter that was never stepped shows nothing, as in torch; so
        a first step that fails or is skipped leaves nothing behind.
        """
        for part in parts:
            part.steps[:] = part.state.t
            begun = [i for i in part.fresh if part.state.t[i]]
            if begun:
                self._show(optimizer, [part.leaves[i] for i in begun])
                part.fresh = [i for i in part.fresh if not part.state.t[i]]

    def current(self, optimizer: Any) -> bool:
        """Whether parameters, groups and state are what they were when this was made."""
        flat = self._parameters()
        return (
            self.groups is optimizer.param_groups
            and len(flat) == len(self.flat)
            and all(map(is_, flat, self.flat))
            and [settings(group) for group in self.groups] == self.settings
            and len(optimizer.state) == len(self.values)
            and all(map(is_, optimizer.state.values(), self.values))
            and not self.changed
            and not any(optimizer.state.get(part.leaves[i].p) for part in self.parts for i in part.fresh)
            and all(p.grad is None for p in self.resting)
            and unlike(reader().read(self.p, self.dims), self.places, self.exact) is None
        )

    # ---- gradients

    def read(self, part: Part) -> Ready:
        """The gradients of a part, checked; raises RuntimeError, TypeError or ValueError for one of no use."""
        grads: list[Any] = [p.grad for p in self.p[part.span]]
        for i in self.lazy:
            j = i - part.span.start
            if 0 <= j < len(grads) and grads[j] is not None:
                grads[j] = grads[j].resolve_conj().resolve_neg()
        table = reader().read(grads, self.dims)
        odd = unlike(table, self.usual[part.span], self.loose[part.span])
        at = table[:, DATA].copy()
        if odd is None:
            return part.plan.ready(part.kind, grads, at, ())
        return self._read_odd(part, grads, at, np.flatnonzero(odd).tolist())

    def _read_odd(self, part: Part, grads: list[Any], at: Ints, others: list[int]) -> Ready:
        """… of which some are missing, or of another dtype, or do not lie in memory as usual."""
        dtypes: list[Any] = [m.tensor.p.dtype for m in part.leaves]
        present = np.ones(len(grads), bool)
        for i in others:
            m, g = part.leaves[i], grads[i]
            if g is None:
                grads[i], at[i], present[i] = NOTHING, 0, False
                continue
            check_gradient(m.name, m.p, g, self.row.title)
            grads[i] = array_of(g)
            at[i], dtypes[i] = grads[i].ctypes.data, grads[i].dtype
        kind = part.plan.find(tuple(dtypes))
        odd = [i for i in others if present[i] and grads[i].strides != kind.strides[i]]
        return part.plan.ready(kind, grads, at, odd, None if present.all() else present)
