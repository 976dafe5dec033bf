"""D-Adaptation: Adam that estimates its own lr (Defazio & Mishchenko, 2023, arXiv:2301.07733, Algorithm 5).

    k = d · lr
    r ← √β₂ r + (1 − √β₂) Σ k ⟨g, s / (√v + ε)⟩      with the s and v of the step before
    m ← β₁ m + (1 − β₁) k g
    v ← β₂ v + (1 − β₂) g²
    s ← √β₂ s + (1 − √β₂) k g
    d ← max(d, min(r / ((1 − √β₂) Σ|s|), d · growth_rate))
    p ← p − m / (√v + ε) − k · wd · p

Sums run over all tensors. Leave ``lr`` at 1 and give its schedule there. As the authors' package, without its
optional bias correction.
"""

from adamas.language import (
    Measure,
    Rule,
    Scalar,
    Slot,
    Stage,
    abs2,
    absolute,
    ema,
    inner,
    maximum,
    minimum,
    sqrt,
    where,
)
from adamas.rules import prodigy


def scalars(lr, b2, d):
    return dict(k=d * lr, b3=sqrt(b2), whole=1.0)


def moments(g, m, v, s, b1, b2, b3, k, eps):
    ahead = s / (sqrt(v) + eps)
    return dict(m=ema(b1, m, k * g), v=ema(b2, v, abs2(g)), s=ema(b3, s, k * g), ahead=ahead)


def carry(r, d, b2, growth_rate, slope, distance):
    b3 = sqrt(b2)
    r = ema(b3, r, slope)
    hat = where(distance > 0, r / ((1 - b3) * distance), d)
    return dict(r=r, d=maximum(d, minimum(hat, d * growth_rate)))


def step(m, v, eps):
    return m / (sqrt(v) + eps)


rule = Rule(
    name="dadapt_adam",
    title="DAdaptAdam",
    doc=__doc__,
    hyper=dict(
        lr=1.0,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
        d0=prodigy.rule.hyper["d0"],
        growth_rate=prodigy.rule.hyper["growth_rate"],
    ),
    slots=(Slot("m"), Slot("v", nonneg=True, projects=True), Slot("s")),
    memory=(Scalar("d", init=lambda d0: d0, scope="global"), Scalar("r", scope="global")),
    scalars=scalars,
    moments=moments,
    measures=(
        Measure("slope", lambda g, ahead, k: k * inner(g, ahead), scope="global"),
        Measure("distance", lambda s: absolute(s), scope="global"),
    ),
    carry=carry,
    step=step,
    size="whole",  # k is in m already
    combines=False,
    after=(Stage(lambda u, p, wd, k: u + (k * wd) * p),),
)
