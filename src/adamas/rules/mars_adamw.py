"""MARS-AdamW: AdamW on gradients whose variance was reduced (Yuan et al., 2024, arXiv:2411.10438, Algorithm 2).

    c ← g + γ β₁/(1 − β₁) (g − g₀),  g₀ ← g            g₀ = g at the first step
    c ← c / max(1, ‖c‖)                                for each tensor
    p ← AdamW's step with c for g

This is the paper's approximate form, which takes g₀ from the batch before. The authors' package begins with g₀ = 0,
and by default leaves vectors to plain AdamW; this treats every tensor alike.
"""

from adamas.language import Hyper, Measure, Slot, Stage, abs2, maximum, sqrt
from adamas.rules import adam, adamw


def moments(g, raw, m, v, b1, b2):
    return {**adam.moments(g, m, v, b1, b2), "g0": raw}


corrected = Stage(
    lambda g, g0, gamma, b1: g + (gamma * b1 / (1 - b1)) * (g - g0),
    hyper=dict(gamma=Hyper(0.025, 0, doc="γ, the strength of the correction (unit-less)")),
)
to_the_ball = Stage(lambda g, c_norm2: g / maximum(1.0, sqrt(c_norm2)), (Measure("c_norm2", lambda g: abs2(g)),))

rule = adamw.rule.but(
    "mars_adamw",
    "MARSAdamW",
    __doc__,
    hyper=dict(lr=3e-3, betas=(0.95, 0.99), weight_decay=0.0),
    slots=(*adamw.rule.slots, Slot("g0", init=lambda g: g)),
    before=(corrected, to_the_ball),
    moments=moments,
)
