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

from adamas.codecs import SMALL
from adamas.optimizer import codec_list
from adamas.torch.backward import in_backward
from adamas.torch.groups import param_groups
from adamas.torch.optimizer import Optimizer
from adamas.torch.sparse import SparseAdam
from adamas.torch.table import ROWS, Row

__all__ = ["Optimizer", "SparseAdam", "in_backward", "param_groups", *ROWS]


_DOC = """

Parameters
----------
params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
    float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
    and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
{hyper}
foreach, fused
    Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
    leave unscaling and overflows to the step, as torch's fused optimizers do.
capturable, differentiable
    True raises NotImplementedError.
state : None, str or dict
    How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
    Slots: {slots}. Codecs, with the bytes of an element:
    {codecs}.
    Parameters of fewer than {small:,} elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
    too, which "bfloat16" rounds up.
state_exclude : str or list of str
    Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
    group says. Parameters must have names (``model.named_parameters()``).
max_grad_norm : float or None
    Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
nonfinite : "propagate", "skip" or "raise"
    What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
    raise FloatingPointError with nothing changed.
cautious : bool
    Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
clip_update : float or None
    Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
decouple_lr : float, True or None
    Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
    here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
weights : None, "stochastic", "kahan" or "master"
    How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
    stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
seed : int
    Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
ema : float or None
    Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
diagnostics_every : None or int
    Look at the first step and at every so-manieth from there, for ``diagnostics()``.

Raises
------
TypeError, ValueError, RuntimeError
    For an option, value, dtype or shape that cannot be used; nothing has been changed then.
"""


def _documentation(row: Row) -> str:
    rule = row.rule(row.decided)
    hyper = (
        f"{name} : default {row.signature().parameters[name].default}\n    {h.doc[:1].upper()}{h.doc[1:]}."
        for name, h in rule.hyper.items()
    )
    slots = ", ".join(f"{s.name} ({row.key(s.name)})" for s in rule.slots)
    return rule.doc.strip() + _DOC.format(hyper="\n".join(hyper), slots=slots, codecs=codec_list(), small=SMALL)


@cache
def _class(name: str) -> type[Optimizer]:
    row = ROWS[name]
    body = {"row": row, "__doc__": _documentation(row), "__module__": __name__, "__signature__": row.signature()}
    return type(name, (Optimizer,), body)


def __getattr__(name: str) -> Any:
    if name in ROWS:
        return _class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
