"""PyTorch optimizers, drop-in for ``torch.optim``: change one import.

>>> import torch
>>> from adamas.torch import AdamW
>>> x = torch.nn.Parameter(torch.tensor([5.0, -3.0]))
>>> opt = AdamW([x], lr=0.1)
>>> for _ in range(500):
...     opt.zero_grad()
...     loss = (x * x).sum()
...     loss.backward()
...     opt.step()
>>> bool(loss < 1e-4)
True
"""

from __future__ import annotations

from functools import cache
from typing import Any

from adamas.torch.optimizer import Optimizer
from adamas.torch.table import ROWS

__all__ = ["Optimizer", *ROWS]


@cache
def _class(name: str) -> type[Optimizer]:
    row = ROWS[name]
    body = {"row": row, "__doc__": row.base.doc, "__module__": __name__, "__signature__": row.signature()}
    return type(name, (Optimizer,), body)


def __getattr__(name: str) -> Any:
    if name in ROWS:
        return _class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
