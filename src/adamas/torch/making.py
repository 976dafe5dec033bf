"""A parameter's arrays, made for its first step, or from a state: of a file, of the user's, of another codec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from adamas import conversion, noise
from adamas.backends import Array, Tensor, order_of
from adamas.codecs import Blocked
from adamas.nest import differences
from adamas.state import Arena, allocate, keeping
from adamas.torch.leaf import Leaf, check, check_count
from adamas.torch.memory import DTYPES, array_of, short, tensor_of
from adamas.torch.table import Row

#: What stands beside a weight; without it in a file it begins anew.
BESIDE = ("kahan", "master", "ema")

#: How the axes lay in memory when codes were made, if not in C order: blocks are cut along it.
ORDER = "order"

#: The trained value of a parameter that was an average when its state was saved.
TRAINED = "trained"

#: Numbers that torch has no complex ones of: they are shown in pairs, as codes are.
UNPAIRED = (torch.uint8, torch.bfloat16)


def make_leaf(
    row: Row,
    p: torch.Tensor,
    name: str,
    group: int,
    settings: Mapping[str, Any],
    average: bool,
    entry: Mapping[str, Any],
    arena: Arena,
) -> Leaf:
    """A parameter's arrays, holding what ``entry`` says: a state as torch keeps it, or nothing before the first step.

    Raises as ``check`` does, and TypeError or ValueError if the state is none of this rule and shape.
    """
    rule, array, codecs = check(row, p, name, settings)
    weights = keeping(settings["weights"], average, array)
    order = order_of(rule, codecs, array)
    arrays = allocate(rule, codecs, weights, array, order, arena)
    leaf = Leaf(
        p, name, group, rule, codecs, Tensor(name, array, order, arrays, weights, noise.key(settings["seed"], name))
    )
    leaf.shown["step"] = torch.zeros((), dtype=torch.float32)
    leaf.shown |= {name: torch.zeros((), dtype=torch.float64) for name in leaf.remembers}
    leaf.shown |= {row.key(key): _shown(leaf, a) for key, a in arrays.items()}
    usual = conversion.lie(order, array.shape) == conversion.lie(range(array.ndim), array.shape)
    if not usual and any(isinstance(codec, Blocked) for codec in codecs.values()):
        leaf.shown[ORDER] = torch.tensor(order)
    if entry:
        _take_over(row, leaf, entry)
    return leaf


def portable(row: Row, leaf: Leaf) -> dict[str, torch.Tensor]:
    """A leaf's state with every slot as one number an element."""
    slots = conversion.portable(leaf.rule, leaf.codecs, leaf.tensor)
    others = {"step", *leaf.remembers, *BESIDE}
    kept = {key: value for key, value in leaf.begun().items() if key in others}
    return kept | {row.key(name): _shown(leaf, array) for name, array in slots.items()}


def _shown(leaf: Leaf, array: Array) -> torch.Tensor:
    """The tensor that shows an array: of complex numbers, if it has one for each of a complex parameter's."""
    words = leaf.tensor.p
    return tensor_of(array, leaf.p.is_complex() and array.dtype == words.dtype and array.shape == words.shape)


def _what(leaf: Leaf, key: str) -> str:
    return f"state of {leaf.name}: {key}"


def _take_over(row: Row, leaf: Leaf, entry: Mapping[str, Any]) -> None:
    if row.title == "SGD" and "step" not in entry:  # torch's has no need to count
        entry = {"step": torch.ones(()), **entry}
    slots = {row.key(slot.name): slot.name for slot in leaf.rule.slots}
    heads = {key: str(key).partition(".")[0] for key in entry}
    parts = {key: head for key, head in heads.items() if head in slots}
    there = {parts.get(key, key) for key in entry}
    scalars, free = {"step", *leaf.remembers}, {*BESIDE, ORDER, TRAINED}
    found = differences({*scalars, *slots} - there, there - {*scalars, *slots, *free})
    if found:
        known = ", ".join(leaf.shown)
        raise ValueError(f"state of {leaf.name}: it {found}; {leaf.rule.title} as set here keeps {known}")
    leaf.dropped = [key for key in BESIDE if key in entry and key not in leaf.shown]
    leaf.average_begins = "ema" in leaf.shown and "ema" not in entry
    for key in entry.keys() & leaf.shown.keys() & {*scalars, *BESIDE}:
        _copy(leaf, key, leaf.shown[key], entry[key])
    arrays = {slots[head] + key.removeprefix(head): _words(leaf, key, entry[key]) for key, head in parts.items()}
    given = conversion.find(
        leaf.rule,
        leaf.codecs,
        leaf.tensor,
        arrays,
        _order(leaf, entry.get(ORDER)),
        lambda name: _what(leaf, row.key(name)),
        exact=False,
    )
    conversion.take(leaf.rule, leaf.codecs, leaf.tensor, given)
    leaf.converted = conversion.difference(leaf.codecs, leaf.tensor, given) or leaf.converted


def _words(leaf: Leaf, key: str, value: Any) -> Array:
    """A slot's tensor as an array."""
    what, is_complex = _what(leaf, key), leaf.p.is_complex() and "." not in key
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{what} is {value!r}, expected a tensor")
    if value.dtype not in (*DTYPES, torch.uint8):
        raise TypeError(f"{what} is {short(value.dtype)}, expected numbers or codes")
    if value.is_complex() != (is_complex and value.dtype not in UNPAIRED):
        raise ValueError(f"{what} is {short(value.dtype)}, for a parameter that is {short(leaf.p.dtype)}")
    array, shape = array_of(value.cpu()), leaf.tensor.p.shape
    return array.reshape(shape) if array.size == 1 and not shape else array


def _order(leaf: Leaf, value: Any) -> list[int]:
    """The order of the axes that a state was made for."""
    axes = list(range(leaf.tensor.p.ndim))
    order = axes if value is None else torch.as_tensor(value).tolist()
    if not isinstance(order, list) or sorted(order) != axes:
        raise ValueError(f"{_what(leaf, ORDER)} is {order}, expected an order of the axes {axes}")
    return [int(axis) for axis in order]


def _copy(leaf: Leaf, key: str, target: torch.Tensor, value: Any) -> None:
    """One number, or an array beside a weight."""
    what, is_array = _what(leaf, key), key in BESIDE
    if not is_array and isinstance(value, (int, float)):
        value = torch.tensor(value, dtype=torch.float64)  # older torch kept step counts as numbers
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{what} is {value!r}, expected a tensor")
    value = value.detach()
    if value.shape != target.shape and not (value.numel() == 1 and target.dim() == 0):
        raise ValueError(f"{what} has shape {tuple(value.shape)}, expected {tuple(target.shape)}")
    if key == "step":
        check_count(what, value.item())
    if is_array and not (value.is_floating_point() or value.is_complex()):
        raise TypeError(f"{what} is {short(value.dtype)}, expected {short(target.dtype)}")
    if value.is_complex() != target.is_complex():
        raise ValueError(f"{what} is {short(value.dtype)}, expected {short(target.dtype)}")
    target.copy_(value.reshape(target.shape))
    if is_array and value.dtype != target.dtype:
        leaf.converted = f"{short(value.dtype)} in the file, {short(target.dtype)} here"
