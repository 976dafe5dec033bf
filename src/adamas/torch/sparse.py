"""SparseAdam: Adam for sparse gradients, of embeddings; only rows with a gradient are read and written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from adamas.backends import Grads, Tensor, order_of
from adamas.backends.cpu import CpuLaunch
from adamas.codecs import CODECS
from adamas.language import Rule, call, sqrt
from adamas.program import FIRST, GRAD_SCALE
from adamas.rules import adam
from adamas.torch.base import Base, evaluate
from adamas.torch.memory import array_of, check_parameter, number


def scalars(t: Any, b1: Any, b2: Any) -> dict[str, Any]:
    """√(1 − β₂ᵗ)/(1 − β₁ᵗ)."""
    return dict(c=sqrt(1 - b2**t) / (1 - b1**t))


def step(m: Any, v: Any, eps: Any, c: Any) -> Any:
    """c · m/(√v + ε̂)."""
    return (c * m) / (sqrt(v) + eps)


#: Adam with the paper's ε̂ (the end of its section 2), which stands beside the raw √v, as torch's SparseAdam has it.
RULE: Rule = adam.rule.but("sparse-adam", "SparseAdam", adam.__doc__ or "", scalars=scalars, step=step, before=())

MOMENTS = ("exp_avg", "exp_avg_sq")


class SparseAdam(Base):
    """Adam for parameters with sparse gradients, as torch.optim.SparseAdam.

    ::

        m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²        where there is a gradient
        p ← p − lr · √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε)         there alone

    lr: parameter units per step. eps: units of the gradient. A row without a gradient keeps its moments undiminished.
    Moments are float32 for 16-bit parameters.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: Any = (0.9, 0.999), eps: float = 1e-8, maximize: bool = False
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, maximize=maximize))

    def _check_group(self, i: int) -> None:
        group = self.param_groups[i]
        letters = self._letters(group)
        for name in ("lr", "eps"):
            if not letters[name] > 0:
                raise ValueError(f"{name}={letters[name]}: SparseAdam, as torch's, is made with a positive one")
        for i, p in enumerate(group["params"]):
            if p.layout != torch.strided:
                raise ValueError(f"SparseAdam requires dense parameter tensors; parameter {i} is {p.layout}")
            if p.is_complex():
                raise ValueError(f"SparseAdam does not support complex parameters; parameter {i} is {p.dtype}")
            check_parameter(f"parameter {i}", p)

    def _letters(self, group: dict[str, Any]) -> dict[str, float]:
        if isinstance(group["lr"], torch.Tensor) and group["lr"].numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        values = {name: number(group[name]) for name in ("lr", "betas", "eps")}
        for name, value in values.items():
            RULE.hyper[name].check(name, value)
        return RULE.letters({**values, "weight_decay": 0.0})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As ``torch.optim.Optimizer.load_state_dict``, but by copying, never narrowing to the parameter's dtype."""
        before, after = self._optimizer_load_state_dict_pre_hooks, self._optimizer_load_state_dict_post_hooks
        for hook in before.values():
            state_dict = hook(self, state_dict) or state_dict
        self._optimizer_load_state_dict_pre_hooks = OrderedDict()
        self._optimizer_load_state_dict_post_hooks = OrderedDict()
        try:
            super().load_state_dict(state_dict)
        finally:
            self._optimizer_load_state_dict_pre_hooks, self._optimizer_load_state_dict_post_hooks = before, after
        keys = [key for group in state_dict["param_groups"] for key in group["params"]]
        params = [p for group in self.param_groups for p in group["params"]]
        for key, p in zip(keys, params, strict=True):
            saved = state_dict["state"].get(key, {})
            for name in (name for name in MOMENTS if name in saved):
                wide = torch.promote_types(saved[name].dtype, torch.float32)
                self.state[p][name] = saved[name].detach().to(wide, copy=True)
        for done in after.values():
            done(self)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every row with a gradient; returns the closure's loss.

        Raises RuntimeError for a dense gradient, with nothing changed.
        """
        loss = evaluate(closure)
        for group in self.param_groups:  # all are looked at before the first is changed
            self._letters(group)
            for p in group["params"]:
                if p.grad is not None and p.grad.layout != torch.sparse_coo:
                    raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self._step(p, p.grad.coalesce(), group)
        return loss

    def _step(self, p: torch.Tensor, g: torch.Tensor, group: dict[str, Any]) -> None:
        state, dtype = self.state[p], torch.float64 if p.dtype == torch.float64 else torch.float32
        if not state:
            state.update(step=0, **{name: torch.zeros_like(p, dtype=dtype) for name in MOMENTS})
        state["step"] += 1
        where = tuple(g.indices())
        if g.values().numel() == 0:
            return
        kept = (p, state["exp_avg"], state["exp_avg_sq"])
        rows = [t[where].to(kind).contiguous() for t, kind in zip(kept, (p.dtype, dtype, dtype), strict=True)]
        words, m, v = (array_of(t) for t in rows)
        codecs = dict.fromkeys("mv", CODECS["float32"])
        tensor = Tensor("rows", words, order_of(RULE, codecs, words), {"m": m, "v": v})
        values = array_of(g.values().contiguous())
        launch = CpuLaunch(RULE, codecs, [tensor], values.dtype)
        grads = Grads([values], np.array([values.ctypes.data]))
        letters, t = self._letters(group), state["step"]
        letters |= call(RULE.scalars, {**letters, "t": t})
        letters |= {FIRST: float(t == 1), GRAD_SCALE: -1.0 if group["maximize"] else 1.0}
        for _ in launch.step(grads, [letters], np.zeros(1, np.int64), np.array([t])):
            pass
        for target, new in zip(kept, rows, strict=True):
            target.detach()[where] = new.to(target.dtype)
