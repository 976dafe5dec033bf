"""What all optimizers here share with torch's, and how they differ for ``torch.compile``."""

from __future__ import annotations

from typing import Any

import torch


class Base(torch.optim.Optimizer):
    """``torch.optim.Optimizer`` whose step, hooks and all, is one graph break: its kernels are compiled already."""

    def _patch_step_function(self) -> None:
        super()._patch_step_function()  # adds the hooks
        kind: Any = type(self)
        if not hasattr(kind.step, "whole"):
            disable: Any = torch.compiler.disable
            kind.step = disable(kind.step, reason="steps are compiled already")
            kind.step.whole = True
