"""Yogi (Zaheer et al., 2018, NeurIPS "Adaptive methods for nonconvex optimization", Algorithm 2): v changes slowly.

    m ← β₁ m + (1 − β₁) g
    v ← v − (1 − β₂) sign(v − g²) g²
    p ← p − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)        then p shrinks by lr·wd

v begins at 1e-6. The bias corrections are not in the paper's algorithm; optax has them, and begins m at 1e-6, too.
"""

from adamas.language import Rule, Slot, abs2, decoupled, ema, where
from adamas.rules import adam


def moments(g, m, v, b1, b2):
    square = abs2(g)
    change = (1 - b2) * square
    return dict(m=ema(b1, m, g), v=where(v > square, v - change, where(square > v, v + change, v)))


rule = Rule(
    name="yogi",
    title="Yogi",
    doc=__doc__,
    hyper=dict(lr=1e-2, betas=(0.9, 0.999), eps=1e-3, weight_decay=0.0),
    slots=(Slot("m"), Slot("v", init=1e-6, nonneg=True)),
    scalars=adam.scalars,
    moments=moments,
    step=adam.step,
    after=(decoupled,),
)
