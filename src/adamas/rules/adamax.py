"""AdaMax (Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 2), with torch's ε.

    n ← max(β₂ n, |g| + ε)
    p ← p − lr · (m / (1 − β₁ᵗ)) / n

The paper has no ε and divides 0 by 0 where every gradient so far was zero. It bounds a step by lr; the
exact bound is lr·(1 − β₁)/(1 − β₁ᵗ)·Σ (β₁/β₂)ᵏ over k < t, at most 1.0091 lr with these defaults.
"""

from adamas.language import Rule, Slot, absolute, ema, l2, maximum


def scalars(t, b1):
    return dict(c1=1 - b1**t)


def moments(g, m, n, b1, b2, eps):
    return dict(m=ema(b1, m, g), n=maximum(b2 * n, absolute(g) + eps))


def step(m, n, c1):
    return (m / c1) / n


rule = Rule(
    name="adamax",
    title="Adamax",
    doc=__doc__,
    hyper=dict(lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0),
    slots=(Slot("m"), Slot("n", nonneg=True, keeps="maximum")),
    scalars=scalars,
    before=(l2,),
    moments=moments,
    step=step,
)
