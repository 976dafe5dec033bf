"""The registry: every rule, beside its kin. A new rule is one file and one line here."""

import importlib

from adamas import own
from adamas.language import Rule
from adamas.nest import nearest

REGISTRY: dict[str, Rule] = {
    name: importlib.import_module(f"{__name__}.{name}").rule
    for name in (
        "adam",
        "adamw",
        "amsgrad",
        "amsgrad_optax",
        "adamax",
        "nadam",
        "radam",
        "adabelief",
        "yogi",
        "laprop",
        "adopt",
        "adan",
        "ademamix",
        "mars_adamw",
        "adam_atan2",
        "stable_adamw",
        "lamb",
        "lion",
        "adam_mini",
        "adafactor",
        "lazy_adam",
        "schedule_free",
        "dadapt_adam",
        "prodigy",
        "sgd",
        "nesterov",
        "rmsprop",
        "adagrad",
    )
}


def get(name: str) -> Rule:
    """The rule of that name, or a user's own as ``module:attribute``; ValueError if there is none."""
    if ":" in name:
        return own.find(name, Rule)
    if name in REGISTRY:
        return REGISTRY[name]
    raise ValueError(f"unknown rule {name!r}{nearest(name.lower(), list(REGISTRY))}")
