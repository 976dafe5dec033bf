"""What users bring themselves, named as ``module:attribute``: tasks and rules."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def find(name: str, kind: type[T]) -> T:
    """The object of that name, from a module in the current folder or wherever Python finds it, as ``python -m`` does.

    Raises ValueError, with the remedy, where there is none of that kind.
    """
    module_name, _, attribute = name.partition(":")
    what, word = f"{kind.__name__.lower()} {name!r}", kind.__name__
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]) or module_name.endswith(".py"):
        example = f"my{word.lower()}"
        raise ValueError(
            f"{what}: expected module:attribute, as in {example}:{word.lower()} for the one in {example}.py"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise ValueError(f"{what}: {module_name} needs {error.name}, which is not installed") from None
        raise ValueError(f"{what}: there is no module {module_name!r} here ({here}) or installed") from None
    thing = getattr(module, attribute, None)
    if isinstance(thing, kind):
        return thing
    found = [key for key, value in vars(module).items() if isinstance(value, kind)]
    remedy = f"it has {', '.join(found)}" if found else f"make one with {kind.__module__}.{word}(...)"
    has = "has no" if thing is None else f"has a {type(thing).__name__}, not a {word}, as"
    raise ValueError(f"{what}: {module_name} {has} {attribute!r}; {remedy}")
