"""Adam-atan2: no ε, and steps that do not depend on the gradients' scale (Everett et al., 2024, arXiv:2407.05872).

    m, v as Adam
    p ← p − lr · (a · atan2(m / (1 − β₁ᵗ), b √(v / (1 − β₂ᵗ))) + wd · p)

A step is at most lr·a·π/2. Where |m̂| is small beside √v̂ it is AdamW's times a/b; a = 4/π makes the step of a
constant gradient 1. The paper has a = b = 1; a = 1.27 is customary since.
"""

import math

from adamas.language import Hyper, atan2, decoupled, sqrt
from adamas.rules import adam


def step(m, v, a, b, c1, c2):
    return a * atan2(m / c1, b * sqrt(v / c2))


rule = adam.rule.but(
    "adam_atan2",
    "AdamAtan2",
    __doc__,
    hyper=dict(
        a=Hyper(4 / math.pi, 0, open_low=True, doc="factor on the angle (unit-less)"),
        b=Hyper(1.0, 0, open_low=True, doc="factor on √v̂ (unit-less)"),
    ),
    step=step,
    before=(),
    after=(decoupled,),
).without("eps")
