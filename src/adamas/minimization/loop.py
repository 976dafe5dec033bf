"""Evaluate, look, step, until there is a reason to stop: in Python, or wholly compiled for a compiled function."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count as count_from
from itertools import islice, repeat
from typing import Any

import numpy as np

from adamas.backends.cpu import ONE_THREAD
from adamas.backends.cpu_loop import FLOATS, INTS, MAXITER, RUNNING, TOLD, Loop, monitor
from adamas.backends.reference import evaluate
from adamas.codecs import grids
from adamas.minimization.driver import SHAPE, driver
from adamas.minimization.problem import Array, Batches, Objective, jitted
from adamas.optimizer import optimizer_class

#: Reasons to stop that come from outside of the compiled code.
CALLBACK, TIME, INTERRUPT, SEEN_ALL, RAN_OUT = range(TOLD, TOLD + 5)

#: Steps between two looks at the clock, the schedule and the keyboard, at most; and the seconds they should take.
MOST, PAUSE = 1 << 16, 0.05
#: Values of a noisy run without epochs that count as one.
WINDOW = 100

#: What a callback is told: the point, its value, the steps made.
Callback = Callable[[Array, float, int], bool]


@dataclass(frozen=True)
class Stop:
    """When to stop and what to keep; see ``minimize``."""

    maxiter: int
    epochs: int | None
    gtol: float | None
    ftol: float | None
    patience: int
    time_limit: float | None
    noisy: bool
    average: str | None
    average_decay: float
    average_start: int
    history: bool


@dataclass(frozen=True)
class _End:
    """In place of a batch: there are no more, and why."""

    reason: int


class Search:
    """One minimisation: the vector x, the optimizer that steps it, and the tables of the compiled loop."""

    def __init__(
        self,
        objective: Objective,
        bounds: tuple[Array, Array] | None,
        batches: Batches | None,
        stop: Stop,
        rule: str,
        options: Mapping[str, Any],
    ) -> None:
        self.objective, self.batches, self.stop = objective, batches, stop
        self.variables = objective.variables
        self.x = self.variables.start.copy()
        self.optimizer = optimizer_class(rule)(self.variables.user(self.x), **options)
        self.ints, self.floats = np.zeros(len(INTS), np.int64), np.zeros(len(FLOATS))
        n, dtype = self.x.size, self.x.dtype
        self.vectors = {"x": self.x, "best": self.x.copy(), "average": np.zeros(n)}
        self.vectors |= {"slope": np.zeros(n, dtype), "best_slope": np.zeros(n, dtype)}
        if bounds is not None:
            self.vectors |= {"lower": bounds[0], "upper": bounds[1]}
        for name, vector in self.vectors.items():
            self.ints[INTS[name]] = vector.ctypes.data
        self._fill()
        self.values: list[Array] = []
        self.evaluations, self.latest = 0, float("nan")
        self.compiled: Any = None
        self.by_tensor = False  # whether each tensor has scalars of its own
        self.advance = self._stepper()

    def _fill(self) -> None:
        stop, batches = self.stop, self.batches
        counts = dict(
            size=self.x.size,
            maxiter=stop.maxiter,
            noisy=stop.noisy,
            window=((batches and batches.length) or WINDOW) if stop.noisy else 1,
            patience=stop.patience,
            averaging=stop.average is not None,
            average_from=stop.average_start,
        )
        numbers = dict(
            gtol=-1.0 if stop.gtol is None else stop.gtol,
            ftol=-1.0 if stop.ftol is None else stop.ftol,
            best_top=-1.0,  # until there is a best
            decay=stop.average_decay if stop.average == "ema" else -1.0,
            max_norm=self.optimizer.gate.max_grad_norm or 0.0,
        )
        for name, count in counts.items():
            self.ints[INTS[name]] = count
        for name, number in numbers.items():
            self.floats[FLOATS[name]] = number

    @property
    def k(self) -> int:
        """Steps made."""
        return int(self.ints[INTS["step"]])

    def number(self, name: str) -> float:
        """One of the numbers that the loop keeps."""
        return float(self.floats[FLOATS[name]])

    def value(self) -> float:
        """The value at the best point; at x0 if that was the first that is not finite."""
        return self.number("best_value") if self.number("best_top") >= 0 else self.latest

    def mean(self) -> float:
        """The mean of the last whole window of values; of what there is before the first is full."""
        seen = int(self.ints[INTS["seen"]])
        whole = self.evaluations - seen > 0
        return self.number("value") if whole else self.number("sum") / seen if seen else self.latest

    def average(self) -> Array:
        """The average of the iterates, or the rule's own; where none has been taken yet, x."""
        if self.stop.average is None:
            return self._own_average() if self.k else self.x.copy()
        count = self.k - self.stop.average_start
        if count <= 0:
            return self.x.copy()
        lacks = self.stop.average_decay**count if self.stop.average == "ema" else 0.0
        return np.asarray(self.vectors["average"] / (1 - lacks), self.x.dtype)

    def _own_average(self) -> Array:
        """The parameters that the rule would evaluate with; the optimizer itself does not know of compiled steps."""
        optimizer, state = self.optimizer, self.optimizer._state
        letters = optimizer._letters()
        views = [
            evaluate(optimizer.rule, codecs, tensor, optimizer._plan.known(i, letters)).ravel()
            for i, (codecs, tensor) in enumerate(zip(state.codecs, state.tensors, strict=True))
        ]
        return np.concatenate(views)

    def _stepper(self) -> Callable[[Array, float, int], int]:
        """``advance``: compiled as one where one kernel steps all, else around the optimizer's own step and threads."""
        state = self.optimizer._state
        kinds = {tuple(c.name for c in codecs.values()) for codecs in state.codecs}
        rounded = any(grids(self.optimizer.rule.slots, codecs) for codecs in state.codecs)  # needs each step's number
        if len(kinds) > 1 or self.x.size >= ONE_THREAD or rounded:
            return self._around(monitor(self.x.dtype.name))
        letters = self.optimizer._letters()
        rows = [self.optimizer._plan.known(i, letters) for i in range(len(state.tensors))]
        self.by_tensor = len(letters) > 1 or bool(state.own)
        self.compiled = Loop(
            self.optimizer.rule, state.codecs[0], state.tensors, rows if self.by_tensor else rows[:1], self.ints
        )
        return partial(self.compiled.advance, self.ints, self.floats)

    def _around(self, watch: Any) -> Callable[[Array, float, int], int]:
        def advance(g: Array, value: float, told: int) -> int:
            reason = int(watch.observe(self.ints, self.floats, g, value, told))
            if reason:
                return reason
            self.optimizer.step(self.variables.user(g))
            return int(watch.settle(self.ints, self.floats))

        return advance

    # ---- the run

    def run(self, callback: Callback | None, watch: Callable[[int, float], None] | None) -> int:
        """Until there is a reason to stop; which."""
        begin = time.perf_counter()
        some = self._jitted() if self._compiles(callback) else self._python(callback)
        count, reason = 1, RUNNING
        try:
            while not reason:
                started = time.perf_counter()
                reason = self._stretch(some, max(1, min(count, self.stop.maxiter - self.k + 1)))
                now = time.perf_counter()
                count = min(2 * count, MOST) if now - started < PAUSE / 2 else max(1, count // 2)
                if not reason and self.stop.time_limit is not None and now - begin > self.stop.time_limit:
                    reason = TIME
                if watch:
                    watch(self.k, self.latest)
        except KeyboardInterrupt:
            reason = INTERRUPT
        return reason

    def _stretch(self, some: Callable[[int], int], count: int) -> int:
        """At most ``count`` steps, for which values have room and learning rates are known."""
        k, groups = self.k, self.optimizer.param_groups
        values = np.full(count + 1, np.nan)
        table = np.empty((count + 1, len(groups)))
        for j, lr in enumerate(group["lr"] for group in groups):
            table[:, j] = [lr(k + i + 1) for i in range(count + 1)] if callable(lr) else lr
        if not (table >= 0).all():
            raise ValueError(f"lr: the schedule gives {table.min()}; expected a number of at least 0")
        if self.by_tensor:
            table = np.ascontiguousarray(table[:, self.optimizer._plan.group_of])
        self.ints[INTS["base"]] = k
        self.ints[INTS["values"]], self.ints[INTS["rates"]] = values.ctypes.data, table.ctypes.data
        before = self.evaluations
        try:
            return some(count)
        finally:
            if self.evaluations > before:
                self.latest = float(values[self.evaluations - before - 1])
                if self.stop.history:
                    self.values.append(values[: self.evaluations - before])

    # ---- in Python

    def _stream(self) -> Iterator[Any]:
        """A batch for each evaluation; where there are none left, an ``_End``."""
        if self.batches is None:
            yield from repeat(None)
            return
        for epoch in count_from(1):
            begun = self.evaluations
            yield from self.batches
            if self.evaluations == begun:
                yield _End(RAN_OUT)
            if epoch == self.stop.epochs:
                yield _End(SEEN_ALL)

    def _python(self, callback: Callback | None) -> Callable[[int], int]:
        at, advance, noisy = self.objective.at, self.advance, self.stop.noisy
        stream = self._stream()

        def some(count: int) -> int:
            for batch in islice(stream, count):
                if type(batch) is _End:
                    return batch.reason
                value, g = at(self.x, batch)
                self.evaluations += 1
                told = RUNNING
                if callback is not None and not noisy and self.k and callback(self.x, value, self.k):
                    told = CALLBACK
                reason = advance(g, value, told)
                if callback is not None and noisy and reason in (RUNNING, MAXITER):
                    reason = CALLBACK if callback(self.x, value, self.k) else reason
                if reason:
                    return int(reason)
            return RUNNING

        return some

    # ---- compiled

    def _compiles(self, callback: Callback | None) -> bool:
        """Whether the whole loop can be compiled: nothing in it is Python's."""
        objective, batches = self.objective, self.batches
        return (
            self.compiled is not None
            and callback is None
            and jitted(objective.fun)
            and (objective.jac is True or jitted(objective.jac))
            and self.variables.bare
            and self.variables.shapes[0] != ()
            and (batches is None or batches.arrays is not None)
        )

    def _jitted(self) -> Callable[[int], int]:
        objective, batches = self.objective, self.batches
        width = len(batches.arrays) if batches and batches.arrays else 0
        tuples = batches is not None and isinstance(batches.data, tuple)
        shape = self.variables.shapes[0]
        drive = driver(self.compiled.advance, objective.jac is True, width, tuples)
        jac = objective.fun if objective.jac is True else objective.jac
        given, g = np.zeros_like(self.x), np.zeros_like(self.x)
        epoch = self._epochs()

        def some(count: int) -> int:
            arrays, row, size, left = next(epoch)
            seen, reason = drive(
                objective.fun, jac, objective.args, arrays, self.ints, self.floats, self.x, given, given.reshape(shape),
                g, min(count, left), row, size,
            )  # fmt: skip
            if reason == SHAPE:
                raise ValueError(f"jac: the gradient has another shape than x0, {shape}")
            self.evaluations += seen
            return int(reason)

        return some

    def _epochs(self) -> Iterator[tuple[tuple[Array, ...], int, int, int]]:
        """(arrays of the epoch, next row, rows of a batch, batches left) before each stretch."""
        if self.batches is None:
            while True:
                yield (), 0, 0, MOST
        while True:
            arrays, begun = self.batches.epoch(), self.evaluations
            while (done := self.evaluations - begun) < (self.batches.length or 0):
                size = self.batches.batch_size
                yield arrays, done * size, size, (self.batches.length or 0) - done
