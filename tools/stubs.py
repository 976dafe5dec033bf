"""Write src/adamas/__init__.pyi, so that editors show the classes that are made from the registry.

``python tools/stubs.py`` writes it; ``python tools/stubs.py --check`` fails if it is out of date.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from adamas.language import Hyper
from adamas.optimizer import CLASSES, OPTIONS, optimizer_class, signature_of

STUB = Path(__file__).parents[1] / "src/adamas/__init__.pyi"

HEAD = '''\
"""Made by tools/stubs.py from the registry of rules; not to be edited."""

from collections.abc import Callable, Mapping
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
    "max_grad_norm": "float | None",
    "nonfinite": 'Literal["propagate", "skip", "raise"]',
    "maximize": "bool",
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


def text() -> str:
    """The stub."""
    return HEAD + "\n" + "\n\n".join(_class(title, name) for title, name in CLASSES.items()) + "\n"


def main() -> None:
    """Write or check."""
    if "--check" in sys.argv:
        if not STUB.exists() or STUB.read_text(encoding="utf-8") != text():
            sys.exit(f"{STUB} is out of date: run `make format`")
    else:
        STUB.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
