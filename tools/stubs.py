"""Write src/adamas/__init__.pyi and src/adamas/torch/__init__.pyi, so that editors show the classes that are made.

``python tools/stubs.py`` writes them; ``python tools/stubs.py --check`` fails if one is out of date.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import adamas.torch
from adamas.language import Hyper
from adamas.optimizer import CLASSES, OPTIONS, optimizer_class, signature_of
from adamas.torch import ROWS

SOURCE = Path(__file__).parents[1] / "src/adamas"

HEAD = '''\
"""Made by tools/stubs.py from the registry of rules; not to be edited."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from adamas import rules as rules
from adamas import schedules as schedules
from adamas.backends import Backend
from adamas.backends.threads import get_num_threads as get_num_threads
from adamas.backends.threads import set_num_threads as set_num_threads
from adamas.minimization import minimize as minimize
from adamas.minimization.lr_range import LrRange as LrRange
from adamas.minimization.lr_range import find_lr as find_lr
from adamas.optimizer import Optimizer as Optimizer
from adamas.optimizer import optimizer_class as optimizer_class

__version__: str
'''

TYPES = {
    "state": "str | Mapping[str, str] | None",
    "state_exclude": "str | Sequence[str]",
    "max_grad_norm": "float | None",
    "nonfinite": 'Literal["propagate", "skip", "raise"]',
    "maximize": "bool",
    "cautious": "bool",
    "clip_update": "float | None",
    "decouple_lr": "float | Literal[True] | None",
    "weights": 'Literal["stochastic", "kahan", "master"] | None',
    "ema": "float | None",
    "seed": "int",
    "groups": "Mapping[str, Mapping[str, Any]] | None",
    "backend": "str | Backend",
    "diagnostics_every": "int | None",
}


def _type(name: str, hyper: Hyper) -> str:
    if isinstance(hyper.default, tuple):
        return f"tuple[{', '.join(['float'] * len(hyper.default))}]"
    return "float | Callable[[int], float]" if name == "lr" else "float"


def _default(value: object) -> str:
    return f"{value!r}".replace("'", '"') if value != float("inf") else "..."


def _class(title: str, rule_name: str) -> str:
    cls = optimizer_class(rule_name)
    hyper = [f"{n}: {_type(n, h)} = {_default(h.default)}," for n, h in cls.rule.hyper.items()]
    options = [f"{n}: {TYPES[n]} = {_default(d)}," for n, d in OPTIONS.items()]
    assert list(signature_of(cls.rule).parameters) == ["params", *cls.rule.hyper, *OPTIONS]
    doc = (cls.__doc__ or "").strip()
    body = [f'"""{doc}\n"""', "def __init__("]
    body += [f"    {line}" for line in ("self,", "params: Any,", *hyper, "*,", *options)]
    body += [") -> None: ..."]
    return f"class {title}(Optimizer):\n" + textwrap.indent("\n".join(body), "    ", lambda line: bool(line.strip()))


TORCH_HEAD = '''\
"""Made by tools/stubs.py from the table of torch's names; not to be edited."""

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor
from torch.optim.optimizer import ParamsT

from adamas.torch.backward import in_backward as in_backward
from adamas.torch.groups import param_groups as param_groups
from adamas.torch.optimizer import Optimizer as Optimizer
from adamas.torch.sparse import SparseAdam as SparseAdam
from adamas.torch.table import ROWS as ROWS
'''

TORCH_TYPES = TYPES | {
    "params": "ParamsT",
    "lr": "float | Tensor",
    "foreach": "bool | None",
    "fused": "bool | None",
    **dict.fromkeys(("amsgrad", "capturable", "decoupled_weight_decay", "differentiable", "maximize"), "bool"),
}


def _torch_type(name: str, default: object) -> str:
    if name in TORCH_TYPES:
        return TORCH_TYPES[name]
    if name == "betas" and isinstance(default, tuple):
        return f"tuple[{', '.join(['float | Tensor'] * len(default))}]"
    kinds = ["float | None" if x is None else "float" for x in default] if isinstance(default, tuple) else []
    return f"tuple[{', '.join(kinds)}]" if kinds else "float"


def _torch_class(name: str) -> str:
    lines, keywords = ["self,"], False
    for p in ROWS[name].signature().parameters.values():
        if p.kind is p.KEYWORD_ONLY and not keywords:
            lines, keywords = [*lines, "*,"], True
        default = "" if p.default is p.empty else f" = {_default(p.default)}"
        lines.append(f"{p.name}: {_torch_type(p.name, p.default)}{default},")
    doc = (getattr(adamas.torch, name).__doc__ or "").strip()
    body = [f'"""{doc}\n"""', "def __init__(", *(f"    {line}" for line in lines), ") -> None: ..."]
    return f"class {name}(Optimizer):\n" + textwrap.indent("\n".join(body), "    ", lambda line: bool(line.strip()))


def stubs() -> dict[Path, str]:
    """File → its text."""
    classes = [_class(title, name) for title, name in CLASSES.items()]
    in_torch = [_torch_class(name) for name in ROWS]
    return {
        SOURCE / "__init__.pyi": "\n\n".join((HEAD, *classes)).replace("\n\n\n", "\n\n") + "\n",
        SOURCE / "torch/__init__.pyi": "\n\n".join((TORCH_HEAD, *in_torch)).replace("\n\n\n", "\n\n") + "\n",
    }


def main() -> None:
    """Write or check."""
    for path, text in stubs().items():
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} is out of date: run `make format`")


if __name__ == "__main__":
    main()
