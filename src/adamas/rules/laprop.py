"""LaProp: gradients are divided before they are averaged (Ziyin, Wang & Ueda, 2020, arXiv:2002.04839, Algorithm 1).

    v ← β₂ v + (1 − β₂) g²
    m ← β₁ m + (1 − β₁) g / (√(v / (1 − β₂ᵗ)) + ε)
    p ← p − lr · (m / (1 − β₁ᵗ) + wd · p)

β₁ and β₂ may be chosen apart: whatever they are, a step is an average of g/√v̂. The authors' package puts lr into
m, which differs where lr changes.
"""

from adamas.language import Rule, Slot, abs2, decoupled, ema, sqrt
from adamas.rules import adam


def moments(g, m, v, b1, b2, eps, c2):
    v = ema(b2, v, abs2(g))
    return dict(m=ema(b1, m, g / (sqrt(v / c2) + eps)), v=v)


def step(m, c1):
    return m / c1


rule = Rule(
    name="laprop",
    title="LaProp",
    doc=__doc__,
    hyper=dict(lr=4e-4, betas=(0.9, 0.999), eps=1e-15, weight_decay=0.0),
    slots=(Slot("m"), Slot("v", nonneg=True)),
    scalars=adam.scalars,
    moments=moments,
    step=step,
    after=(decoupled,),
)
