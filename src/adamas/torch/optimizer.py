"""The PyTorch optimizers: ``torch.optim.Optimizer`` subclasses, one a row of the table."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import compress
from typing import Any

import numpy as np
import torch
from torch.autograd.graph import increment_version

from adamas import compose
from adamas.diagnostics import LOST, Diagnostics, Observer
from adamas.gate import Decision, Gate, decide
from adamas.optimizer import bind, check_flag, check_keeping
from adamas.plan import Ready
from adamas.state import Arena, check_exclude, check_matches, check_roots, choose, excluded, keeping, state_bytes
from adamas.torch import checkpoint
from adamas.torch.averages import Swap, back, mark, swap
from adamas.torch.base import Base, evaluate
from adamas.torch.engine import Engine, Group, Part, named, names
from adamas.torch.entry import Entry
from adamas.torch.leaf import Leaf, check
from adamas.torch.making import make_leaf, portable
from adamas.torch.memory import number
from adamas.torch.table import BY_GROUP, FLAGS, OPTIONS, Row
from adamas.weights import DECAY

#: Every so many steps 16-bit weights without a mode are looked at, until a warning was given.
LOOK_EVERY = 100


class Optimizer(Base):
    """Base of the optimizers over tensors; see the classes of the table, such as ``adamas.torch.AdamW``."""

    row: Row
    _alone = False  # whether each parameter is stepped by itself

    def __init__(self, params: Any, *args: Any, **kwargs: Any) -> None:
        options = bind(type(self), params, args, kwargs)
        self.gate = Gate(options.pop("max_grad_norm"), options.pop("nonfinite"))
        self._ema: float | None = options.pop("ema")
        self._every_step: int | None = options.pop("diagnostics_every")
        self._exclude = check_exclude(options.pop("state_exclude"))
        check_keeping(self._ema, options["seed"])
        compose.check_ema(self.row.base, self._ema is not None)
        compose.check(options)
        self._compose(compose.in_use(options))
        del options["cautious"]
        Observer(self._every_step)  # checks it
        #: What became of the latest step.
        self.last_step: Decision | None = None
        #: Steps not taken, for gradients that were not finite.
        self.skipped_steps = 0
        self._warned = False
        self._forget()
        super().__init__(params, {**options, **self.row.decided})
        check_matches(self._exclude, [name for called in names(self.param_groups) for name in called])

    def _compose(self, used: frozenset[str]) -> None:
        self._used = used
        self.row = replace(type(self).row, used=used)

    def _forget(self) -> None:
        self._engine: Engine | None = None
        self._loaded: dict[int, Leaf] = {}
        self._checked: Any = None
        self._swap: Swap | None = None

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """With fused=True, as in torch: GradScaler hands over scale and verdict instead of rewriting the gradients."""
        return all(group.get("fused") for group in self.param_groups)

    def __repr__(self) -> str:
        whole = {name: getattr(self, name) for name in OPTIONS if name not in BY_GROUP}
        lines = "".join(f"\n    {name}: {value}" for name, value in whole.items() if value != OPTIONS[name])
        return super().__repr__().removesuffix("\n)") + f"{lines}\n)"

    # ---- options of all groups together

    @property
    def max_grad_norm(self) -> float | None:
        """Largest global norm of the gradients; may be changed between steps, as ``nonfinite`` may."""
        return self.gate.max_grad_norm

    @max_grad_norm.setter
    def max_grad_norm(self, value: float | None) -> None:
        self.gate = Gate(value, self.gate.nonfinite)

    @property
    def nonfinite(self) -> str:
        """What becomes of a step whose gradients are not finite."""
        return self.gate.nonfinite

    @nonfinite.setter
    def nonfinite(self, value: str) -> None:
        self.gate = Gate(self.gate.max_grad_norm, value)

    @property
    def ema(self) -> float | None:
        """Decay of the averages; chosen when the optimizer is made."""
        return self._ema

    @property
    def cautious(self) -> bool:
        """Whether what goes against the gradient is left out; chosen when the optimizer is made."""
        return "cautious" in self._used

    @property
    def state_exclude(self) -> tuple[str, ...]:
        """Patterns of the names whose state stays float32; chosen when the optimizer is made."""
        return self._exclude

    @property
    def diagnostics_every(self) -> int | None:
        """How often diagnostics are gathered; chosen when the optimizer is made."""
        return self._every_step

    # ---- groups and hyper-parameters

    def _kept(self, group: Group, name: str) -> Group:
        """How a parameter of the group is kept."""
        return {**group, "state": "float32"} if excluded(name, self._exclude) else group

    def _check_keys(self, group: Mapping[str, Any]) -> None:
        """Refuse what looks like a typing error; other keys are the user's own, as with torch."""
        known = [*self.defaults, "params", "param_names", "initial_lr", *(m.name for m in self.row.base.memory)]
        for name in map(str, group):
            if name in OPTIONS and name not in BY_GROUP:
                raise TypeError(f"{name} is for all groups together: pass it to {type(self).__name__}, not in a group")
            close = [] if name in known else difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if close:
                raise TypeError(f"a group of {type(self).__name__} has no option {name!r}; did you mean {close[0]!r}?")

    def _check_group(self, i: int) -> None:
        """Raise TypeError, ValueError or RuntimeError unless the group can be stepped as it says."""
        group = self.param_groups[i]
        self._check_keys(group)
        self._check_flags(group)
        compose.settle(group, self._used)
        ids = [id(p) for p in group["params"]]
        if len(set(ids)) < len(ids):
            raise ValueError("a parameter stands twice in one group: it would be stepped twice")
        if self._exclude and not named(self.param_groups):
            raise ValueError(
                f"state_exclude={list(self._exclude)} goes by names, which these parameters have not, or not each its "
                "own: make the optimizer from model.named_parameters()"
            )
        letters = self._letters(list({(i, p.dtype): None for p in group["params"]}) or [(i, torch.float32)])[0]
        for p, name in zip(group["params"], names(self.param_groups)[i], strict=True):
            rule, _, codecs = check(self.row, p, name, self._kept(group, name))
            check_roots(rule, codecs, letters, name)
        choose(self.row.rule(group), group["state"], "", (1, 1))  # also where a group holds no parameter
        keeping(group["weights"], False, np.empty(0))
        check_keeping(None, group["seed"])

    def _check_flags(self, group: Mapping[str, Any]) -> None:
        title = type(self).__name__
        lr, betas = group["lr"], group.get("betas")
        if group.get("fused") and group.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        if group.get("fused") and group.get("differentiable"):
            raise RuntimeError("`fused` does not support `differentiable`")
        for name, value in (("lr", lr), *((f"betas[{j}]", b) for j, b in enumerate(betas or ()))):
            if isinstance(value, torch.Tensor):
                if group.get("foreach") and not group.get("capturable"):
                    raise ValueError(f"{name} as a Tensor is not supported for capturable=False and foreach=True")
                if value.numel() != 1:
                    raise ValueError(f"{name}: a tensor of {value.numel()} elements, expected one of 1 element")
        if betas is not None and len({isinstance(b, torch.Tensor) for b in betas}) > 1:
            raise ValueError("betas must be either both floats or both Tensors")
        if group.get("nesterov") and not (group["momentum"] > 0 and group["dampening"] == 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        for name, value in self.row.neutral.items():
            if group.get(name, value) != value:
                raise NotImplementedError(
                    f"{title}: {name}={group[name]!r} is not to be had; take torch.optim.{title} for it"
                )
        if group.get("differentiable"):
            raise NotImplementedError(f"{title}: differentiable=True is not to be had; take torch.optim.{title} for it")
        if group.get("capturable"):
            raise NotImplementedError(
                f"{title}: capturable=True is for CUDA graphs, and these parameters are on the CPU"
            )
        for name in ("maximize", *FLAGS):
            check_flag(name, group.get(name, False))

    def _letters(self, kinds: Sequence[tuple[int, torch.dtype]]) -> list[dict[str, float]]:
        """The hyper-parameters of groups and dtypes at the coming step, as letters; raises if one is out of range."""
        hyper = self.row.hyper
        current = [[number(self.param_groups[i][name]) for name in hyper] + [dtype] for i, dtype in kinds]
        if self._checked is None or self._checked[0] != current:
            letters = [self._letters_of(i, values) for (i, _), values in zip(kinds, current, strict=True)]
            self._checked = (current, letters)
        out: list[dict[str, float]] = self._checked[1]
        return out

    def _letters_of(self, i: int, values: list[Any]) -> dict[str, float]:
        rule, dtype = self.row.base, values[-1]
        named = dict(zip(self.row.hyper, values, strict=False))
        if isinstance(named.get("eps"), tuple) and named["eps"][0] is None:
            named["eps"] = (torch.finfo(dtype).eps, *named["eps"][1:])
        for name, value in named.items():
            try:
                self.row.hyper[name].check(name, value)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{type(self).__name__}, group {i}: {error}") from None
        return rule.letters(named) | ({} if self.ema is None else {DECAY: self.ema})

    # ---- a step

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step, in place: p ← p − lr·u, for every parameter with a gradient.

        closure: reevaluates the model and returns the loss, which is returned. ``last_step`` then tells the gradients'
        norm (if the gate measured it), the clip factor, and whether the step was applied.

        Raises RuntimeError, TypeError or ValueError for a gradient or hyper-parameter that cannot be used, and
        FloatingPointError as ``nonfinite="raise"`` says; then nothing has been changed.
        """
        loss = evaluate(closure)
        engine = self._ready()
        self._run(engine, engine.parts)
        return loss

    def _ready(self) -> Engine:
        if self._swap is not None:
            raise RuntimeError(
                "after eval(), or inside averaged(), the parameters are averages: call train() before a step"
            )
        if self._engine is None or not self._engine.current(self):
            self._engine = Engine(self, self._engine)
        return self._engine

    def _run(self, engine: Engine, parts: Sequence[Part]) -> None:
        """A step of these parts together."""
        for group in self.param_groups:
            check_flag("maximize", group.get("maximize", False))
        letters = self._letters(engine.kinds)
        for part in parts:
            self._before(part, letters)
        ready = [engine.read(part) for part in parts]
        scale = getattr(self, "grad_scale", None)
        scale = 1.0 if scale is None else float(scale)
        self.last_step = decision = self._decide(parts, ready, scale)
        if not decision.applied:
            self.skipped_steps += 1
            return
        signs = [-1.0 if self.param_groups[i].get("maximize") else 1.0 for i, _ in engine.kinds]
        factors = [sign * decision.clip / scale for sign in signs]
        for part, mine in zip(parts, ready, strict=True):
            part.plan.advance(mine, letters, factors, part.observer, decision.clip < 1)
            stepped = engine.p[part.span]
            if mine.present is not None:
                stepped = list(compress(stepped, mine.present))
            increment_version(stepped)  # autograd must notice that they changed
            for name, value in part.state.shared.items():
                for group in self.param_groups:
                    group[name] = value
        engine.publish(self, parts)
        self._loaded = {}
        if not self._warned and any(part.observer.every for part in parts):
            self._warn_of_lost_updates(parts)

    def _before(self, part: Part, letters: Sequence[Mapping[str, float]]) -> None:
        """Heed what the user may have changed: step counts, and scalars of all tensors, which stand in the groups."""
        part.take_edits()
        for name in part.state.shared:
            part.state.shared[name] = float(self.param_groups[0].get(name, part.state.shared[name]))
        part.plan.check_equal(letters)

    def _decide(self, parts: Sequence[Part], ready: Sequence[Ready], scale: float) -> Decision:
        found_inf = getattr(self, "found_inf", None)
        if found_inf is not None and float(found_inf) > 0:
            return Decision(applied=False)
        if not self.gate.needed or not parts:
            return Decision()
        measured = [part.plan.measure(mine) for part, mine in zip(parts, ready, strict=True)]
        square, bad = (np.concatenate(sums) for sums in zip(*measured, strict=True))
        return decide(self.gate, [m.name for part in parts for m in part.leaves], square, bad, scale)

    # ---- looking

    def _every(self, members: Sequence[Leaf]) -> int | None:
        """How often a part is looked at: as the user says, else for a while where 16-bit weights may stand still."""
        watch = self.diagnostics_every is None and not self._warned and any(_stands_still(m) for m in members)
        return LOOK_EVERY if watch else self.diagnostics_every

    def _warn_of_lost_updates(self, parts: Sequence[Part]) -> None:
        lost = moves = 0.0
        for part in parts:
            if part.observer.latest is None or part.observer.latest[0] != part.state.steps:
                continue
            for seen in part.observer.latest[2]:
                here = [_stands_still(part.leaves[i]) for i in seen.indices.tolist()]
                lost, moves = lost + float(seen.sums["lost"][here].sum()), moves + float(seen.sums["moves"][here].sum())
        if moves and lost > LOST * moves:
            self._warned = True
            warnings.warn(
                f"{lost / moves:.0%} of the updates to 16-bit parameters are lost: they are below half a unit in the "
                "weights' last place; make the optimizer with weights='stochastic' (or 'kahan', 'master'), or raise lr",
                UserWarning,
                stacklevel=6,
            )
            if self.diagnostics_every is None:
                for part in parts:
                    part.observer.every = None

    def diagnostics(self) -> Diagnostics:
        """What was seen at the last step that was looked at; see ``diagnostics_every``.

        Raises RuntimeError if there is nothing to show.
        """
        if self.diagnostics_every is None:
            raise RuntimeError("diagnostics are off: make the optimizer with diagnostics_every=100, say")
        parts = [part for part in (self._engine.parts if self._engine else []) if part.observer.latest]
        if not parts:
            raise RuntimeError("no diagnostics yet: they are gathered at a step; call step first")
        seen = [part.observer.read([m.name for m in part.leaves]) for part in parts]
        tensors = {name: found for d in seen for name, found in d.tensors.items()}
        return Diagnostics(seen[0].step, seen[0].clip_rate, tensors)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the context, parameters are averages, as after ``eval()``; afterwards what they were.

        Parameters that were never stepped stay as they are. Raises RuntimeError if there are no averages.
        """
        if not self._averages:
            raise RuntimeError("no averages are kept: make the optimizer with ema=0.999, say")
        if self._swap is not None:
            raise RuntimeError("already after eval(), or inside averaged()")
        self.eval()
        try:
            yield
        finally:
            self.train()

    @property
    def _averages(self) -> bool:
        return self.ema is not None or self.row.base.view is not None

    def eval(self) -> None:
        """Make the parameters those to evaluate with, and to keep, until ``train()``.

        They are the rule's own average (schedule-free's x), else that of ``ema``, else what they are. A ``state_dict``
        of this time also holds what is trained, so that a run is resumed to the bit. What is written to the parameters
        meanwhile is lost at ``train()``.
        """
        if self._averages and self._swap is None:
            self._swap = swap(self)

    def train(self) -> None:
        """Make the parameters those that are trained again, to the bit."""
        if self._swap is not None:
            back(self._swap)
            self._swap = None

    # ---- state

    def memory(self) -> dict[str, float]:
        """Bytes: of the parameters, of the state, of tables and buffers; and state bytes per parameter element.

        The state is counted as it will be when every parameter that requires a gradient was stepped; tables and
        buffers as they are now.
        """
        parameters = state = elements = 0
        for group, called in zip(self.param_groups, names(self.param_groups), strict=True):
            for p, name in zip(group["params"], called, strict=True):
                parameters, elements = parameters + p.numel() * p.element_size(), elements + p.numel()
                if p.requires_grad or self.state.get(p):
                    rule, array, codecs = check(self.row, p, name, self._kept(group, name))
                    weights = keeping(group["weights"], self.ema is not None, array)
                    state += sum(state_bytes(rule, codecs, weights, array.shape, array.dtype).values())
        return {
            "parameters": parameters,
            "state": state,
            "workspace": sum(part.plan.workspace() for part in self._engine.parts) if self._engine else 0,
            "state_per_parameter": state / elements if elements else 0.0,
        }

    def state_dict(self, portable: bool = False) -> dict[str, Any]:
        """As ``torch.optim.Optimizer.state_dict``: with references to the state's tensors, in plain dicts.

        portable: with every slot as one number an element, float32 (float64 for float64 parameters), whatever codec it
            is kept in, so that torch's optimizer of the same name loads it. Else codes and scales are saved as they
            are, and a run is resumed to the bit.
        """
        out: dict[str, Any] = super().state_dict()
        if isinstance(out.get("state"), dict):
            ported = self._ported() if portable else {}
            mine = {id(v): ported.get(id(v), v) for v in self.state.values()}
            out["state"] = {k: mine.get(id(v), v) for k, v in out["state"].items()}
            out["state"] = {k: dict(v) if isinstance(v, Entry) else v for k, v in out["state"].items()}
            if self._swap is not None:
                keys = (key for group in out["param_groups"] for key in group["params"])
                params = (p for group in self.param_groups for p in group["params"])
                mark(self._swap, out["state"], list(zip(params, keys, strict=True)))
        if portable:
            out["param_groups"] = [{**group, "state": "float32"} for group in out["param_groups"]]
        return out

    def _ported(self) -> dict[int, dict[str, Any]]:
        """What every state is in numbers, by its identity."""
        out = {}
        for i, (group, called) in enumerate(zip(self.param_groups, names(self.param_groups), strict=True)):
            for p, name in zip(group["params"], called, strict=True):
                entry = self.state.get(p)
                if entry:
                    how = self._kept(group, name)
                    leaf = make_leaf(self.row, p, name, i, how, self.ema is not None, entry, Arena())
                    out[id(entry)] = portable(self.row, leaf)
        return out

    def load_state_dict(self, state_dict: Any) -> None:
        """Take over a ``state_dict`` of this class or of torch's of the same name, by copying.

        Parameters are matched by name where both sides have names, else by place. What a group declares here as
        ``state`` and ``weights`` stays; everything else of a group is restored. State that was kept in other codecs,
        or dtypes, is converted, rounded to nearest, with a warning. Raises ValueError, TypeError or
        RuntimeError, with nothing changed, if it does not fit.
        """
        checkpoint.load(self, state_dict)

    def __getstate__(self) -> dict[str, Any]:
        mine = ("gate", "_used", "_swap", "_ema", "_exclude", "_every_step", "last_step", "skipped_steps", "_warned")
        return {**super().__getstate__(), **{name: getattr(self, name) for name in mine}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._compose(self._used)
        self._forget()
        self._swap = state.get("_swap")


def _stands_still(m: Leaf) -> bool:
    """Whether rounding can take a weight's whole change."""
    return m.tensor.p.dtype.itemsize == 2 and m.tensor.weights.mode is None
