"""Prodigy: Adam that estimates its own learning rate (Mishchenko & Defazio, 2024, arXiv:2306.06101, Algorithm 4).

    r ← β₃ r + (d/d₀) k · Σ⟨g, p₀ − p⟩        k = d · lr, β₃ = √β₂
    s ← β₃ s + (d/d₀) k · g
    m ← β₁ m + (1 − β₁) d g
    v ← β₂ v + (1 − β₂) d² g²
    d ← max(d, c · r / Σ|s|)
    p ← p − k · (m / (√v + d ε) + wd · p)      with the k before d grew

Sums run over all tensors. Leave ``lr`` at 1 and give its schedule there. As the authors' package, which also
rules that the first growth of d is free and later ones are bounded by ``growth_rate``.
"""

import math

from adamas.language import (
    Hyper,
    Measure,
    Rule,
    Scalar,
    Slot,
    abs2,
    absolute,
    decoupled,
    ema,
    inner,
    maximum,
    minimum,
    sqrt,
    where,
)


def scalars(lr, b2, d, d0):
    return dict(k=d * lr, b3=sqrt(b2), w=d / d0 * (d * lr))


def moments(g, m, v, s, p0, b1, b2, b3, d, w):
    return dict(m=ema(b1, m, d * g), v=ema(b2, v, abs2(d * g)), s=b3 * s + w * g, p0=p0)


def carry(r, d, d_max, b2, d0, d_coef, growth_rate, slope, distance):
    r = sqrt(b2) * r + slope
    hat = where(distance > 0, d_coef * r / distance, d)
    d_max = maximum(d_max, hat)
    return dict(r=r, d_max=d_max, d=minimum(d_max, where(d > d0, d, maximum(d, hat)) * growth_rate))


def step(m, v, d, eps):
    return m / (sqrt(v) + d * eps)


rule = Rule(
    name="prodigy",
    title="Prodigy",
    doc=__doc__,
    hyper=dict(
        lr=1.0,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
        d0=Hyper(1e-6, 0, open_low=True, doc="first estimate of the distance to the solution, in parameter units"),
        d_coef=Hyper(1.0, 0, open_low=True, doc="factor on that estimate"),
        growth_rate=Hyper(math.inf, 1, doc="largest growth of the estimate per step"),
    ),
    slots=(
        Slot("m", root="v"),
        Slot("v", nonneg=True, projects=True),
        Slot("s"),
        Slot("p0", init=lambda p: p, keeps="exact"),
    ),
    memory=(
        Scalar("d", init=lambda d0: d0, scope="global"),
        Scalar("d_max", init=lambda d0: d0, scope="global"),
        Scalar("r", scope="global"),
    ),
    scalars=scalars,
    moments=moments,
    measures=(
        Measure("slope", lambda g, p0, p, w: w * inner(g, p0 - p), scope="global"),
        Measure("distance", lambda s: absolute(s), scope="global"),
    ),
    carry=carry,
    step=step,
    size="k",
    after=(decoupled,),
)
