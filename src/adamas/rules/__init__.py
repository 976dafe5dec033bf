"""The registry: every rule, in order of growing complexity. A new rule is one file and one line here."""

import difflib
import importlib

from adamas.language import Rule

REGISTRY: dict[str, Rule] = {
    name: importlib.import_module(f"{__name__}.{name}").rule
    for name in (
        "adam",
        "adamw",
        "amsgrad",
        "adamax",
        "lamb",
        "adafactor",
        "prodigy",
    )
}


def get(name: str) -> Rule:
    """The rule of that name, or a ValueError with the nearest one."""
    if name in REGISTRY:
        return REGISTRY[name]
    near = difflib.get_close_matches(name.lower(), REGISTRY, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(REGISTRY)}"
    raise ValueError(f"unknown rule {name!r}{hint}")
