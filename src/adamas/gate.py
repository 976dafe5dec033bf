"""What is decided about a whole step before anything is written: clipping by global norm, non-finite gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

from adamas.backends import Floats

POLICIES = ("propagate", "skip", "raise")


@dataclass(frozen=True)
class Gate:
    """How to decide.

    max_grad_norm: largest global 2-norm of the gradients, in their units; None does not clip.
    nonfinite: "propagate" steps all the same and loses the offending elements alone; "skip" leaves
        parameters, state and step counts as they are; "raise" does so and raises FloatingPointError.
    """

    max_grad_norm: float | None = None
    nonfinite: str = "propagate"

    def __post_init__(self) -> None:
        if self.nonfinite not in POLICIES:
            raise ValueError(f"nonfinite={self.nonfinite!r}: expected one of {', '.join(POLICIES)}")
        limit = self.max_grad_norm
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, Real) or not limit > 0):
            raise ValueError(f"max_grad_norm={limit!r}: expected a positive number, or None")

    @property
    def needed(self) -> bool:
        """Whether the gradients must be read before the step."""
        return self.max_grad_norm is not None or self.nonfinite != "propagate"


@dataclass(frozen=True)
class Decision:
    """What became of a step.

    norm: global norm of the finite gradient elements, in the gradient's units; None if it was not measured.
    clip: the factor on the gradients, 1 if they were not clipped.
    applied: False if the step was skipped.
    """

    norm: float | None = None
    clip: float = 1.0
    applied: bool = True


def decide(gate: Gate, names: Sequence[str], square: Floats, bad: Floats, scale: float = 1.0) -> Decision:
    """From Σ|g|² and the number of non-finite |g|² of each tensor; raises FloatingPointError if so asked.

    scale: by what the gradients were multiplied, so that the norm is that of the true ones.
    """
    total = 0.0
    for x in square.tolist():  # in order, so that the sum is the same on every machine
        total += x
    norm = math.sqrt(total) / scale
    if not bad.any() and math.isfinite(norm):
        return Decision(norm, _clip(gate, norm))
    if gate.nonfinite == "raise":
        worst = [f"{name} ({int(n)} elements)" for name, n in zip(names, bad, strict=True) if n]
        worst = worst or ["the sum of all |g|²"]
        raise FloatingPointError(
            f"non-finite gradients (or squares beyond the arithmetic's range) in {', '.join(worst)}; "
            'nothing was changed; use nonfinite="skip" to go on without such steps'
        )
    if gate.nonfinite == "skip":
        return Decision(norm, 1.0, applied=False)
    return Decision(norm, _clip(gate, norm))


def _clip(gate: Gate, norm: float) -> float:
    return 1.0 if gate.max_grad_norm is None else min(1.0, float(gate.max_grad_norm) / (norm + 1e-6))
