"""ADOPT: Adam that converges with any β₂ (Taniguchi et al., 2024, arXiv:2411.02853, Algorithm 2).

n ← g / max(√v, ε), of a modulus of at most (t − 1)^¼        v of the steps before, so that it knows no g
m ← β₁ m + (1 − β₁) n
v ← β₂ v + (1 − β₂) g²                                       v = g² at the first step, where m stays 0
p ← p − lr · (m + wd · p)
"""

from adamas.language import Rule, Slot, abs2, absolute, decoupled, ema, maximum, sign, sqrt, where


def scalars(t):
    return dict(most=(t - 1) ** 0.25)


def moments(g, m, v, b1, b2, eps, most):
    n = g / maximum(sqrt(v), eps)
    return dict(m=ema(b1, m, where(absolute(n) > most, most * sign(n), n)), v=ema(b2, v, abs2(g)))


def step(m):
    return m


rule = Rule(
    name="adopt",
    title="ADOPT",
    doc=__doc__,
    hyper=dict(lr=1e-3, betas=(0.9, 0.9999), eps=1e-6, weight_decay=0.0),
    slots=(Slot("m"), Slot("v", init=lambda g: abs2(g), nonneg=True, projects=True)),
    scalars=scalars,
    moments=moments,
    step=step,
    after=(decoupled,),
)
