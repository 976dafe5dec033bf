"""How parameters are kept: what of a step's result goes into them, and into arrays beside them.

A 16-bit weight cannot take up a change below half a unit in its last place. Three ways keep such changes:
stochastic rounding (right on average, no memory), Kahan compensation (what rounding took away is kept in 16 bits more),
and a float32 master copy. An average of the weights is kept in the same pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adamas.language import absolute, ema, where

#: How 16-bit weights keep small updates.
MODES = (None, "stochastic", "kahan", "master")

#: The scalar that holds the decay of the average, and its letter's place among a step's scalars.
DECAY = "ema_decay"


@dataclass(frozen=True)
class Weights:
    """mode: one of MODES. average: whether an average of the weights is kept."""

    mode: str | None = None
    average: bool = False

    @property
    def arrays(self) -> tuple[str, ...]:
        """The arrays beside the parameter: ``kahan`` in its own dtype, the others in the arithmetic's."""
        return (*([self.mode] if self.mode in ("kahan", "master") else []), *(["ema"] if self.average else []))

    def read(self, p: Any, arrays: Mapping[str, Any], keep: Callable[[Any], Any]) -> Any:
        """The parameter as the rule shall see it; ``keep`` rounds a word as the parameter's dtype does.

        A master copy that does not round to the parameter is out of date: the parameter was changed from outside; so
        is a compensation that no rounding of this parameter can have left.
        """
        if self.mode == "kahan":  # rounding takes away at most 2⁻⁸ of a bfloat16, 2⁻¹¹ of a float16
            return where(absolute(arrays["kahan"]) <= absolute(p) * 2**-8, p + arrays["kahan"], p)
        if self.mode == "master":
            kept = keep(arrays["master"])
            return where((kept >= p) & (p >= kept), arrays["master"], p)
        return p

    def write(
        self, p: Any, arrays: Mapping[str, Any], keep: Callable[[Any], Any], dither: Callable[[Any], Any], env: Any
    ) -> dict[str, Any]:
        """What is stored of the new parameter p: array → word."""
        stored = {"p": p}
        if self.mode == "stochastic":
            stored["p"] = dither(p)
        elif self.mode == "kahan":
            kept = keep(p)
            stored |= {"p": kept, "kahan": p - kept}
        elif self.mode == "master":
            stored["master"] = p
        if self.average:
            stored["ema"] = where(env["first"] > 0, p, ema(env[DECAY], arrays["ema"], p))
        return stored


PLAIN = Weights()
