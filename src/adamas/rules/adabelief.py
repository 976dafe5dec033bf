"""AdaBelief (Zhuang et al., 2020, arXiv:2010.07468, Algorithm 2): steps are long where gradients are as foreseen.

    m ← β₁ m + (1 − β₁) g
    s ← β₂ s + (1 − β₂) (g − m)² + ε
    p ← p − lr · (m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + ε)        then p shrinks by lr·wd

ε stands in both places, as in the paper and in optax. The authors' package also rectifies as RAdam; this does not.
"""

from adamas.language import Rule, Slot, abs2, decoupled, ema, sqrt
from adamas.rules import adam


def moments(g, m, s, b1, b2, eps):
    m = ema(b1, m, g)
    return dict(m=m, s=ema(b2, s, abs2(g - m)) + eps)


def step(m, s, eps, c1, c2):
    return (m / c1) / (sqrt(s / c2) + eps)


rule = Rule(
    name="adabelief",
    title="AdaBelief",
    doc=__doc__,
    hyper=dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-16, weight_decay=0.0),
    slots=(Slot("m"), Slot("s", nonneg=True, projects=True)),
    scalars=adam.scalars,
    moments=moments,
    step=step,
    after=(decoupled,),
)
