"""Is the step healthy? Numbers of each tensor, read before a step and never written anywhere.

What is summed is in ``program.observed``, over the very step that the rule makes; here sums become shares and ratios,
and those become sentences.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any

from adamas.backends import Floats, Ints

#: Beyond these shares ``warnings`` speaks: of updates lost to rounding; of denominators that eps dominates; and of the
#: root mean square of the weights in a step's (usual are 0.0001 to 0.01).
LOST, EPS, STEP = 0.1, 0.5, 0.1


@dataclass(frozen=True)
class TensorDiagnostics:
    """One tensor at one step.

    update_ratio: root mean square of the step's change, before rounding, over that of the weights before it. Infinite
        or NaN where all weights are 0.
    signal_to_noise: mean of m̂²/v̂, with the bias corrections of the rule if it has any, over the elements with m̂ ≠ 0
        (those that never had a gradient are left out; v̂ = 0 counts as 0): 1 where gradients stay the same, about
        (1 − β₁)/(1 + β₁) where they are noise. v̂ is what the step takes the root of: in AMSGrad the largest so far.
    eps_share: share of the same elements with √v̂ < ε: they move as by momentum alone, not by Adam's rule. In Prodigy
        ε is d·eps.
    lost_share: share of the elements with a change that is not 0 whose weight stays what it was, because the dtype of
        the weights cannot hold the difference.

    None where the rule has no such number (the second and the third: its step is not m̂/(√v̂ + ε)), or no element counts.
    """

    update_ratio: float
    signal_to_noise: float | None
    eps_share: float | None
    lost_share: float | None

    @classmethod
    def of(cls, sums: Mapping[str, float]) -> TensorDiagnostics:
        """From the sums of ``program.observed``."""

        def share(part: str, whole: str) -> float | None:
            return sums[part] / sums[whole] if part in sums and sums[whole] else None

        square = share("change²", "weight²")
        if square is None:
            square = math.inf if sums["change²"] else math.nan
        return cls(math.sqrt(square), share("signal", "alive"), share("eps", "alive"), share("lost", "moves"))


@dataclass(frozen=True)
class Diagnostics:
    """What was seen just before a step.

    step: which, from 1.
    clip_rate: share of the steps taken so far, this one included, whose gradients ``max_grad_norm`` scaled down; since
        the optimizer was made or last loaded a state.
    tensors: of all that had a gradient and are not empty, by name.
    """

    step: int
    clip_rate: float
    tensors: dict[str, TensorDiagnostics]

    def as_dict(self) -> dict[str, Any]:
        """``clip_rate`` and ``tensors`` as JSON has them; what is not finite is None."""
        tensors = {
            name: {k: x if x is None or math.isfinite(x) else None for k, x in asdict(t).items()}
            for name, t in self.tensors.items()
        }
        return {"clip_rate": self.clip_rate, "tensors": tensors}


# ------------------------------------------------------------------------------------ gathering


@dataclass(frozen=True)
class Seen:
    """The sums of one launch: its tensors by index, and what was summed over each."""

    indices: Ints
    sums: Mapping[str, Floats]


@dataclass
class Observer:
    """When to look, and what was seen. Sums are kept as they came: to divide them costs as much as a small step."""

    every: int | None = None
    steps: int = 0  # taken since the start
    clipped: int = 0  # … with gradients scaled down
    latest: tuple[int, float, list[Seen]] | None = None  # step, clip rate, sums

    def __post_init__(self) -> None:
        every = self.every
        if every is not None and (isinstance(every, bool) or not isinstance(every, Integral) or every < 1):
            raise ValueError(f"diagnostics_every={every!r}: expected an integer of at least 1, or None")

    def count(self, clipped: bool) -> None:
        """A step is taken."""
        self.steps += 1
        self.clipped += clipped

    def due(self, steps: int) -> bool:
        """Whether to look at the step after so many."""
        return self.every is not None and (self.latest is None or steps % self.every == 0)

    def take(self, step: int, seen: list[Seen]) -> None:
        """Remember what was seen before that step."""
        self.latest = (step, self.clipped / self.steps, seen)

    def forget(self) -> None:
        """Begin anew, with another state."""
        self.steps, self.clipped, self.latest = 0, 0, None

    def read(self, names: Sequence[str]) -> Diagnostics:
        """What was seen last; raises RuntimeError if nothing was."""
        if self.every is None:
            raise RuntimeError("diagnostics are off: make the optimizer with diagnostics_every=100, say")
        if self.latest is None:
            raise RuntimeError("no diagnostics yet: they are gathered at a step; call step first")
        step, clip_rate, seen = self.latest
        found = {
            i: TensorDiagnostics.of({name: float(x[j]) for name, x in launch.sums.items()})
            for launch in seen
            for j, i in enumerate(launch.indices.tolist())
        }
        return Diagnostics(step, clip_rate, {names[i]: found[i] for i in sorted(found)})


# ------------------------------------------------------------------------------------ sentences


def warnings(diagnostics: Diagnostics) -> list[str]:
    """What should worry, in plain words, with the remedy; thresholds are LOST, EPS and STEP."""
    return [text for name, t in diagnostics.tensors.items() for text in _worries(name, t)]


def _worries(name: str, t: TensorDiagnostics) -> Iterator[str]:
    if t.lost_share is not None and t.lost_share > LOST:
        yield (
            f"{t.lost_share:.0%} of the updates to {name} are lost: its weights round them away; "
            "keep these weights in a wider dtype"
        )
    if t.eps_share is not None and t.eps_share > EPS:
        yield (
            f"eps dominates {t.eps_share:.0%} of {name}'s denominators: its gradients are smaller than eps, "
            "which shrinks the steps; lower eps"
        )
    if STEP < t.update_ratio < math.inf:
        yield f"the step on {name} is {t.update_ratio:.0%} of its size: lower lr, or give it a warm-up"
