"""What combines with a rule: cautious masks, clipping of updates, and decay that does not depend on lr."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from adamas.language import Hyper, Measure, Rule, Stage, abs2, decoupled, inner, maximum, sqrt, where

#: Options of every front end, with their defaults. ``cautious`` is for all parameters, the others have values by group.
OPTIONS: dict[str, Any] = {"cautious": False, "clip_update": None, "decouple_lr": None}

#: The options that are hyper-parameters once they are in use.
HYPER = {
    "clip_update": Hyper(1.0, 0, open_low=True, doc="largest root mean square of a tensor's update before lr"),
    "decouple_lr": Hyper(1.0, 0, open_low=True, doc="lr at which a step takes the share weight_decay off p"),
}


def _opposed(u: Any, g: Any) -> Any:
    return inner(u, g) <= 0  # false for NaN, which has to be seen


#: Only what goes down the present gradient is done, scaled up as much as was left out (Liang et al., 2024,
#: arXiv:2411.16085, Algorithm 1).
cautious = Stage(
    lambda u, g, aligned: where(_opposed(u, g), 0.0, u) / maximum(aligned, 1e-3),
    (Measure("aligned", lambda u, g: where(_opposed(u, g), 0.0, 1.0), mean=True),),
)

#: The root mean square of a tensor's update is at most so much (Shazeer & Stern, 2018, arXiv:1804.04235, section 6).
clipped = Stage(
    lambda u, update_ms, clip_update: u / maximum(1.0, sqrt(update_ms) / clip_update),
    (Measure("update_ms", lambda u: abs2(u), mean=True),),
    {"clip_update": HYPER["clip_update"]},
)

#: Decay of (lr / decouple_lr) · wd a step, as Loshchilov & Hutter, 2019, arXiv:1711.05101, Algorithm 2, has it.
fully_decoupled = Stage(
    lambda u, p, wd, decouple_lr: u + (wd / decouple_lr) * p, hyper={"decouple_lr": HYPER["decouple_lr"]}
)


def check(options: Mapping[str, Any]) -> None:
    """Raise TypeError unless ``cautious`` is True or False; values are checked as hyper-parameters."""
    if not isinstance(options["cautious"], bool):
        raise TypeError(f"cautious={options['cautious']!r}: expected True or False")


def check_ema(rule: Rule, wanted: bool) -> None:
    """Raise ValueError for an average of the parameters beside the rule's own."""
    if wanted and rule.view is not None:
        raise ValueError(f"{rule.title} evaluates at an average of its own; leave ema out")


def in_use(options: Mapping[str, Any]) -> frozenset[str]:
    """Those of the options that are not at their defaults."""
    return frozenset(name for name, default in OPTIONS.items() if options[name] is not default)


def composed(rule: Rule, used: frozenset[str]) -> Rule:
    """The rule with these options; raises ValueError, with the remedy, where one makes no sense."""
    after = rule.after
    if used and not rule.combines:
        raise ValueError(f"{rule.title}: its update is no step of lr, so {', '.join(sorted(used))} cannot be had")
    if "clip_update" in used and any(stage.measures for stage in rule.after):
        raise ValueError(f"{rule.title}: it scales each tensor's update by itself; leave clip_update out")
    if "decouple_lr" in used:
        if not after or after[-1] is not decoupled or rule.size != "lr":
            raise ValueError(
                f"{rule.title} with decouple_lr: it has no decay of lr·weight_decay as its last stage; take a rule "
                "that has, such as AdamW, or leave decouple_lr out"
            )
        after = (*after[:-1], fully_decoupled)
    around = [stage for name, stage in (("cautious", cautious), ("clip_update", clipped)) if name in used]
    return rule.but(rule.name, rule.title, rule.doc, after=(*around, *after)) if used else rule


def settle(group: dict[str, Any], used: frozenset[str]) -> None:
    """Put numbers for True and None: the group's initial lr, no limit. Raises ValueError for what cannot be used."""
    for name in HYPER:
        if name not in used and group.get(name) is not None:
            raise ValueError(f"{name}={group[name]!r} in a group: give {name} to the optimizer, too; groups may differ")
    if "decouple_lr" in used and group["decouple_lr"] is True:
        lr = group.get("initial_lr", group["lr"])
        if callable(lr) or not lr:
            what = "a schedule" if callable(lr) else "0"
            raise ValueError(f"decouple_lr=True and lr is {what}: pass its largest value, as decouple_lr=1e-3")
        group["decouple_lr"] = float(lr)
    if "clip_update" in used and group["clip_update"] is None:
        group["clip_update"] = math.inf
