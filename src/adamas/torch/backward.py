"""Steps inside ``backward``: each parameter is stepped as soon as its gradient is complete, and the gradient freed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from adamas.torch.base import evaluate
from adamas.torch.engine import Engine, Part
from adamas.torch.optimizer import Optimizer

#: Parameter → a weak reference to the optimizer that steps it, and its hook; another one takes their place.
_HOOKS: Any = WeakIdKeyDictionary()


class InBackward(Optimizer):
    """What ``in_backward`` makes of a class."""

    _alone = True

    def __init__(self, params: Any, accumulate: int, **options: Any) -> None:
        self.accumulate = accumulate
        self._built = False
        super().__init__(params, **options)
        self._begin()

    def _begin(self) -> None:
        """With all groups accepted: hook their parameters."""
        self._passes, self._pass = 0, -1
        self._settled: tuple[Engine, dict[int, Part]] | None = None
        self._built = True
        for group in self.param_groups:
            self._hook(group["params"])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As the optimizer's; the new parameters are stepped in ``backward`` too."""
        super().add_param_group(param_group)
        if self._built:
            self._hook(self.param_groups[-1]["params"])

    def _hook(self, params: list[torch.Tensor]) -> None:
        for p in params:
            if p in _HOOKS:
                _HOOKS.pop(p)[1].remove()
            trained = p.requires_grad
            p.requires_grad_(True)  # else torch takes no hook, and a frozen parameter may be trained later
            hooked: Any = p
            _HOOKS[p] = weakref.ref(self), hooked.register_post_accumulate_grad_hook(self._arrived)
            p.requires_grad_(trained)

    def __reduce__(self) -> Any:
        return _copy, (type(self).__bases__[1],), self.__getstate__()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "accumulate": self.accumulate}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "accumulate" in state:  # a copy of the optimizer, not a state to load
            self._begin()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Only calls the closure, if any, and returns its loss: the steps are made in ``backward``."""
        return evaluate(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As ``torch.optim.Optimizer.zero_grad``; what was accumulated so far is forgotten."""
        super().zero_grad(set_to_none)
        self._passes = 0

    def remove_hooks(self) -> None:
        """Make no more steps in ``backward``."""
        for p in self._own():
            _HOOKS.pop(p)[1].remove()

    def _own(self) -> list[torch.Tensor]:
        """The parameters that this optimizer steps, and no other that was made since."""
        params = (p for group in self.param_groups for p in group["params"])
        return [p for p in params if p in _HOOKS and _HOOKS[p][0]() is self]

    def _arrived(self, p: torch.Tensor) -> None:
        """A gradient is complete: step, if this is the last pass of those to accumulate."""
        current = torch._C._current_graph_task_id()
        if current != self._pass:
            self._pass, self._settled = current, None
            torch.autograd.Variable._execution_engine.queue_callback(self._end)
        if self._passes + 1 >= self.accumulate:
            self._step_one(p)

    def _end(self) -> None:
        """A backward pass is over; after the last, also what had a gradient from an earlier pass alone is stepped."""
        self._passes += 1
        self._opt_called = True  # for learning rate schedulers, which want a step before their own
        if self._passes >= self.accumulate:
            self._passes = 0
            for p in self._own():
                if p.grad is not None:
                    self._step_one(p)
        self._settled = None

    def _step_one(self, p: torch.Tensor) -> None:
        if self._settled is None or id(p) not in self._settled[1]:  # else all was looked at in this pass
            engine = self._ready()
            self._settled = engine, {id(part.leaves[0].p): part for part in engine.parts}
        engine, part_of = self._settled
        if id(p) in part_of:  # it may have been taken out of its group
            self._run(engine, [part_of[id(p)]])
            p.grad = None


@cache
def _class(optimizer: Any) -> type[InBackward]:
    return type(f"{optimizer.__name__}InBackward", (InBackward, optimizer), {"__module__": __name__})


def _copy(optimizer: Any) -> Any:
    """What a copy or a pickle begins with."""
    return object.__new__(_class(optimizer))


def in_backward(model: Any, optimizer: type[Optimizer], *, accumulate: int = 1, **options: Any) -> InBackward:
    """An optimizer whose steps are made inside ``loss.backward()``, so that gradients need no memory together.

    model: a module, or parameters or groups as an optimizer takes them. optimizer: a class such as
    ``adamas.torch.AdamW``. accumulate: backward passes whose gradients are added up before a step; gradients are
    freed in the last of them. options: as the class takes them; learning rate schedulers work as ever.

    A parameter is stepped by the optimizer that was made last, which lives as long as the parameter, or until its
    ``remove_hooks()``. Activation checkpointing must not be reentrant
    (``use_reentrant=False``): its parts count as passes. After an error inside ``backward`` call ``zero_grad()``.

    Raises ValueError for what needs all gradients at once: ``max_grad_norm``, ``nonfinite`` other than "propagate", and
    rules that estimate over all parameters (Prodigy).
    """
    if not (isinstance(optimizer, type) and issubclass(optimizer, Optimizer)):
        raise TypeError(f"optimizer={optimizer!r}: expected a class such as adamas.torch.AdamW")
    if isinstance(accumulate, bool) or not isinstance(accumulate, int) or accumulate < 1:
        raise ValueError(f"accumulate={accumulate!r}: expected a whole number of at least 1")
    if options.get("max_grad_norm") is not None or options.get("nonfinite", "propagate") != "propagate":
        raise ValueError(
            "in_backward: max_grad_norm and nonfinite need all gradients before the first step; leave them out"
        )
    if optimizer.row.base.carry is not None:
        raise ValueError(f"in_backward: {optimizer.__name__} estimates over all parameters together; take another rule")
    params = model.named_parameters() if isinstance(model, nn.Module) else model
    made: Any = optimizer
    return _class(made)(params, accumulate, **options)
