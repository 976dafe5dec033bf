"""``load_state_dict``: what a file says about each parameter, matched, checked and copied."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from adamas import compose
from adamas.nest import differences
from adamas.state import Arena
from adamas.torch.averages import take
from adamas.torch.engine import Group, named, names
from adamas.torch.leaf import Leaf
from adamas.torch.making import make_leaf
from adamas.torch.table import NO_OPS

#: What a group keeps as declared, whatever a file says: how it stores and computes, never what.
DECLARED = ("state", "weights", *compose.HYPER, *NO_OPS)

#: A group of the file, and the keys of its parameters in the order in which the group here has them.
Match = tuple[Group, list[Any]]


def load(optimizer: Any, state_dict: Any) -> None:
    """See ``Optimizer.load_state_dict``."""
    if optimizer._swap is not None:
        raise RuntimeError(
            "after eval(), or inside averaged(), the parameters are averages: call train() before loading"
        )
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"expected a state_dict, got {type(state_dict).__name__}")
    state_dict = dict(state_dict)  # a hook may change it, as torch's may
    for hook in optimizer._optimizer_load_state_dict_pre_hooks.values():
        state_dict = hook(optimizer, state_dict) or state_dict
    if not {"state", "param_groups"} <= state_dict.keys():
        raise ValueError("not a state_dict of an optimizer: it lacks state or param_groups")
    mine = optimizer.param_groups
    matches = _match(mine, deepcopy(state_dict["param_groups"]))
    groups = [_merge(optimizer, group, theirs) for group, (theirs, _) in zip(mine, matches, strict=True)]
    optimizer.param_groups = groups
    try:
        for i in range(len(groups)):
            optimizer._check_group(i)
        made = _leaves(optimizer, [keys for _, keys in matches], state_dict["state"])
    finally:
        optimizer.param_groups = mine
    keys = {
        key: p
        for group, (_, called) in zip(mine, matches, strict=True)
        for key, p in zip(called, group["params"], strict=True)
    }
    swapped = take(state_dict["state"], keys)
    state: defaultdict[Any, Any] = defaultdict(dict, {m.p: m.begun() for m in made})
    state |= {key: deepcopy(value) for key, value in state_dict["state"].items() if key not in keys}
    _tell(made)  # before anything is changed, as a warning may be an error
    optimizer.__setstate__({"state": state, "param_groups": groups})
    optimizer._loaded = {id(m.p): m for m in made}
    optimizer._swap = swapped
    for hook in optimizer._optimizer_load_state_dict_post_hooks.values():
        hook(optimizer)


def _match(mine: Sequence[Group], saved: Sequence[Group]) -> list[Match]:
    if len(mine) != len(saved):
        raise ValueError(
            f"loaded state dict has a different number of parameter groups: {len(saved)}, expected {len(mine)}"
        )
    if named(mine) and named(saved):
        return _match_names(mine, saved)
    for i, (group, theirs) in enumerate(zip(mine, saved, strict=True)):
        if len(group["params"]) != len(theirs["params"]):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                f"group {i} has {len(theirs['params'])} parameters, expected {len(group['params'])}"
            )
    return [(theirs, list(theirs["params"])) for theirs in saved]


def _match_names(mine: Sequence[Group], saved: Sequence[Group]) -> list[Match]:
    key_of = {n: k for theirs in saved for n, k in zip(theirs["param_names"], theirs["params"], strict=True)}
    wanted = {n for group in mine for n in group["param_names"]}
    found = differences(wanted - key_of.keys(), key_of.keys() - wanted)
    if found:
        raise ValueError(f"loaded state dict {found}")
    sets = [frozenset(theirs["param_names"]) for theirs in saved]
    matches = []
    for i, group in enumerate(mine):
        here = frozenset(group["param_names"])
        if here not in sets:
            raise ValueError(f"loaded state dict groups other parameters together than group {i} does")
        matches.append((saved[sets.index(here)], [key_of[n] for n in group["param_names"]]))
    return matches


def _merge(optimizer: Any, mine: Group, theirs: Group) -> Group:
    kept = {name: mine[name] for name in ("params", "param_names", *DECLARED) if name in mine}
    return {**mine, **theirs, **kept, **optimizer.row.decided}


def _leaves(optimizer: Any, keys: Sequence[Sequence[Any]], state: Mapping[Any, Any]) -> list[Leaf]:
    """The parameters of which the file has a state, with that state in arrays of their own."""
    groups, made, arena = optimizer.param_groups, [], Arena()
    for i, (group, called) in enumerate(zip(groups, names(groups), strict=True)):
        for p, name, key in zip(group["params"], called, keys[i], strict=True):
            if state.get(key):
                how, average = optimizer._kept(group, name), optimizer.ema is not None
                made.append(make_leaf(optimizer.row, p, name, i, how, average, state[key], arena))
    return made


def _tell(made: Sequence[Leaf]) -> None:
    converted = [m for m in made if m.converted]
    if converted:
        warnings.warn(
            f"the state of {len(converted)} parameters was {converted[0].converted}; it was converted",
            UserWarning,
            stacklevel=4,
        )
    dropped = sorted({key for m in made for key in m.dropped})
    if dropped:
        warnings.warn(f"the state has {', '.join(dropped)}, which is not kept here", UserWarning, stacklevel=4)
