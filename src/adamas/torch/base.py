"""What all optimizers here share with torch's, and how their steps are called."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from itertools import chain
from typing import Any

import torch
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks


class Base(torch.optim.Optimizer):
    """``torch.optim.Optimizer`` whose step, hooks and all, is one graph break: its kernels are compiled already."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As ``torch.optim.Optimizer.add_param_group``; also checks every option and tensor of the group."""
        super().add_param_group(param_group)
        try:
            self._check_group(len(self.param_groups) - 1)
        except BaseException:
            self.param_groups.pop()
            raise

    def _check_group(self, i: int) -> None:
        raise NotImplementedError

    def _patch_step_function(self) -> None:
        kind: Any = type(self)
        if not hasattr(kind.step, "hooked"):
            disable: Any = torch.compiler.disable
            kind.step = disable(_with_hooks(kind.step), reason="steps are compiled already")
            kind.step.hooked = True
        super()._patch_step_function()


def evaluate(closure: Callable[[], Any] | None) -> Any:
    """The closure's loss, None without one."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """As ``torch.optim.Optimizer.profile_hook_step``, but a step is recorded only where a profiler runs.

    Recording it for nobody takes 17 µs, an eighth of a step over 150 small tensors.
    """

    @wraps(step)
    def whole(self: Any, *args: Any, **kwargs: Any) -> Any:
        name = f"Optimizer.step#{type(self).__name__}.step"
        profiled = torch.autograd._profiler_enabled()  # type: ignore[attr-defined]
        with torch.autograd.profiler.record_function(name) if profiled else nullcontext():
            for before in chain(_global_optimizer_pre_hooks.values(), self._optimizer_step_pre_hooks.values()):
                changed = before(self, (self, *args), kwargs)
                if changed is not None:
                    if not isinstance(changed, tuple) or len(changed) != 2:
                        raise RuntimeError(f"a step hook must return None or (args, kwargs), got {changed!r}")
                    (_, *args), kwargs = changed
            out = step(self, *args, **kwargs)
            self._optimizer_step_code()
            for after in chain(self._optimizer_step_post_hooks.values(), _global_optimizer_post_hooks.values()):
                after(self, (self, *args), kwargs)
            return out

    return whole
