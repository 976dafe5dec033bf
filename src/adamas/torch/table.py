"""What a name means in PyTorch: its signature there, and the rule that it asks for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from adamas import compose, rules
from adamas.language import Hyper, Rule, decoupled
from adamas.rules import adafactor

#: Slot → its name in ``optimizer.state[p]``, which is torch's.
KEYS = {"m": "exp_avg", "v": "exp_avg_sq", "w": "max_exp_avg_sq", "n": "exp_inf"}

#: Keyword options that every class has beside torch's, with their defaults.
OPTIONS: dict[str, Any] = {
    "state": "float32",
    "state_exclude": (),
    "max_grad_norm": None,
    "nonfinite": "propagate",
    **compose.OPTIONS,
    "weights": None,
    "seed": 0,
    "ema": None,
    "diagnostics_every": None,
}

#: Names in the state that are torch's for one rule.
OWN_KEYS = {"nesterov": {"m": "momentum_buffer"}}

#: Options that choose another rule.
FLAGS = ("amsgrad", "decoupled_weight_decay", "nesterov")

#: Options that say how a group is kept.
STORED = ("state", "weights", "seed")

#: Options that each group may have its own of; the others are for all groups together.
BY_GROUP = (*STORED, *compose.HYPER)

#: Options that change how torch computes, never what.
NO_OPS = ("foreach", "fused", "capturable", "differentiable")


def _decoupled(rule: Rule) -> Rule:
    """The rule with decay beside the step; of Adam, AdamW."""
    if rule.name == "adam":
        return rules.get("adamw")
    return rule.but(f"{rule.name}w", f"{rule.title}W", rule.doc, before=(), after=(decoupled,))


@dataclass(frozen=True)
class Row:
    """title: the class's name. base: the rule without flags. like: a function with the signature.

    decided: options of torch's that the name itself decides. keys: names in the state where they differ from KEYS.
    used: the options in use that put stages around the rule. neutral: options of torch's with the one value that they
    can have here.
    """

    title: str
    base: Rule
    like: Callable[..., Any] | inspect.Signature
    decided: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    neutral: Mapping[str, Any] = field(default_factory=dict)

    def rule(self, group: Mapping[str, Any]) -> Rule:
        """The rule of a parameter group, by those of its flags that the name has."""
        flags = {flag for flag in FLAGS if flag in self.options and group.get(flag)}
        other = flags & {"amsgrad", "nesterov"}
        rule = rules.get(*other) if other else self.base
        return compose.composed(_decoupled(rule) if "decoupled_weight_decay" in flags else rule, self.used)

    @property
    def hyper(self) -> dict[str, Hyper]:
        """What a group has a value of for each step."""
        return dict(self.base.hyper) | {name: h for name, h in compose.HYPER.items() if name in self.used}

    @cached_property
    def options(self) -> frozenset[str]:
        """The options that a group has."""
        return frozenset(self.decided) | self.signature().parameters.keys()

    def key(self, array: str) -> str:
        """The name of an array in ``optimizer.state[p]``: of slot m, of a mean of one or its scales, as v.row."""
        slot, dot, mean = array.partition(".")
        return {**KEYS, **self.keys}.get(slot, slot) + dot + mean

    def signature(self) -> inspect.Signature:
        """torch's signature, then our own options as keywords."""
        theirs = self.like if isinstance(self.like, inspect.Signature) else inspect.signature(self.like)
        defaults = {**OPTIONS, "state": "float32" if all(s.codec == "float32" for s in self.base.slots) else None}
        kind = inspect.Parameter.KEYWORD_ONLY
        ours = [inspect.Parameter(name, kind, default=default) for name, default in defaults.items()]
        return theirs.replace(parameters=[*theirs.parameters.values(), *ours])


def _own(rule: Rule) -> Row:
    """A rule that torch has not: its hyper-parameters, then what torch's classes have as keywords."""
    kind = inspect.Parameter
    hyper = [kind(name, kind.POSITIONAL_OR_KEYWORD, default=h.default) for name, h in rule.hyper.items()]
    flags = {"maximize": False, "foreach": None, "capturable": False, "differentiable": False, "fused": None}
    others = [kind(name, kind.KEYWORD_ONLY, default=default) for name, default in flags.items()]
    like = inspect.Signature([kind("params", kind.POSITIONAL_OR_KEYWORD), *hyper, *others])
    return Row(rule.title, rule, like, keys=OWN_KEYS.get(rule.name, {}))


_TORCH = (
    Row(
        "Adam",
        rules.get("adam"),
        lambda params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None,
        maximize=False, capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False: None,
    ),
    Row(
        "AdamW",
        rules.get("adam"),
        lambda params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
        foreach=None, capturable=False, differentiable=False, fused=None: None,
        decided={"decoupled_weight_decay": True},
    ),
    Row(
        "Adamax",
        rules.get("adamax"),
        lambda params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False,
        differentiable=False, capturable=False: None,
    ),
    Row(
        "NAdam",
        rules.get("nadam"),
        lambda params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
        decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False, differentiable=False: None,
    ),
    Row(
        "RAdam",
        rules.get("radam"),
        lambda params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False: None,
    ),
    Row(
        "Adafactor",
        adafactor.clamped,
        lambda params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *, foreach=None,
        maximize=False: None,
        keys={"v": "variance"},
    ),
    Row(
        "SGD",
        rules.get("sgd"),
        lambda params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False,
        foreach=None, differentiable=False, fused=None: None,
        keys={"m": "momentum_buffer"},
    ),
    Row(
        "RMSprop",
        rules.get("rmsprop"),
        lambda params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False,
        foreach=None, maximize=False, differentiable=False: None,
        keys={"v": "square_avg"},
        neutral={"momentum": 0, "centered": False},
    ),
    Row(
        "Adagrad",
        rules.get("adagrad"),
        lambda params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *,
        maximize=False, differentiable=False, fused=None: None,
        keys={"v": "sum"},
        neutral={"initial_accumulator_value": 0},
    ),
)  # fmt: skip

#: Class name → its row: torch's names, then every other rule of the registry.
ROWS: dict[str, Row] = {row.title: row for row in _TORCH}
ROWS |= {rule.title: _own(rule) for rule in rules.REGISTRY.values() if rule.title not in ROWS}
