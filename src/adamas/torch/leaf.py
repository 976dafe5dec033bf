"""One parameter with its arrays: what the kernels read and write, and what the user sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any

import torch

from adamas import noise
from adamas.backends import Array, Tensor, dense_strides
from adamas.codecs import Codec, Projecting
from adamas.language import Rule
from adamas.plan import overlaps
from adamas.state import choose, keeping
from adamas.torch.memory import array_of, check_parameter
from adamas.torch.table import Row


@dataclass(eq=False)
class Leaf:
    """A parameter of one group.

    shown: what ``optimizer.state[p]`` holds: tensors on the memory of the arrays, the step count, persistent scalars.
    converted, dropped: of what it was loaded from: how it was kept if not as here, and what is not kept here.
    average_begins: whether the average is yet to begin at the parameter, which may still be loaded itself.
    """

    p: torch.Tensor
    name: str
    group: int
    rule: Rule
    codecs: dict[str, Codec]
    tensor: Tensor
    shown: dict[str, torch.Tensor] = field(default_factory=dict)
    converted: str = ""
    dropped: list[str] = field(default_factory=list)
    average_begins: bool = False

    @property
    def remembers(self) -> list[str]:
        """The rule's persistent scalars of a tensor."""
        return [m.name for m in self.rule.memory if m.scope == "tensor"]

    def begun(self) -> dict[str, torch.Tensor]:
        """What is shown before the next step: an average that is yet to begin is not."""
        return {key: t for key, t in self.shown.items() if not (key == "ema" and self.average_begins)}

    def usual_strides(self) -> tuple[int, ...]:
        """How a gradient without gaps lies in memory beside the state, in elements."""
        strides = dense_strides(self.tensor.p.shape, self.tensor.order, 1)
        return tuple(s // 2 for s in strides[:-1]) if self.p.is_complex() else strides

    def fits(self, name: str, rule: Rule, settings: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
        """Whether this still is the parameter where it was, with these settings and these tensors as its state."""
        array, mine = array_of(self.p), self.tensor.p
        where = [(a.ctypes.data, a.shape, a.strides, a.dtype) for a in (array, mine)]
        return (
            where[0] == where[1]
            and (self.name, self.rule.name) == (name, rule.name)
            and self.codecs == codecs_of(rule, settings, name, mine.shape)
            and self.tensor.weights == keeping(settings["weights"], self.tensor.weights.average, mine)
            and self.tensor.key == noise.key(settings["seed"], name)
            and entry.keys() == self.begun().keys()
            and all(map(is_, entry.values(), (self.shown[key] for key in entry)))
        )


def codecs_of(rule: Rule, settings: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> dict[str, Codec]:
    """The codec of each slot; raises ValueError, with the remedy, where one does not fit."""
    remedy = "put it into a group with state='float32', or name it in state_exclude="
    return choose(rule, settings["state"], name, shape, remedy)


def check(row: Row, p: torch.Tensor, name: str, settings: Mapping[str, Any]) -> tuple[Rule, Array, dict[str, Codec]]:
    """The rule of a parameter, its real words, and the codecs of its slots.

    Raises TypeError, ValueError or RuntimeError, with the remedy, if it cannot be stepped so.
    """
    check_parameter(name, p)
    rule, array = row.rule(settings), array_of(p)
    if overlaps(array):
        raise ValueError(f"{name}: elements of the parameter share memory (an expanded view); pass p.clone()")
    codecs = codecs_of(rule, settings, name, array.shape)
    if p.is_complex() and any(isinstance(codec, Projecting) for codec in codecs.values()):
        raise RuntimeError(f"{name}: {row.title} with state={settings['state']!r} does not support complex parameters")
    return rule, array, codecs


def check_count(what: str, count: float) -> None:
    """Raise ValueError unless it is a step count."""
    if not (count >= 0 and count == count // 1):
        raise ValueError(f"{what} is {count}, expected a whole number of at least 0")
