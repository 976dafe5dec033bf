"""Adam (Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 1).

    m ← β₁ m + (1 − β₁) g
    v ← β₂ v + (1 − β₂) g²
    p ← p − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

``weight_decay`` adds wd·p to the gradient; for decay beside the step take AdamW.
"""

from adamas.language import Rule, Slot, abs2, ema, l2, sqrt


def scalars(t, b1, b2):
    return dict(c1=1 - b1**t, c2=1 - b2**t)  # what the averages, begun at zero, still lack


def moments(g, m, v, b1, b2):
    return dict(m=ema(b1, m, g), v=ema(b2, v, abs2(g)))


def step(m, v, eps, c1, c2):
    return (m / c1) / (sqrt(v / c2) + eps)


rule = Rule(
    name="adam",
    title="Adam",
    doc=__doc__,
    hyper=dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0),
    slots=(Slot("m", root="v"), Slot("v", nonneg=True, projects=True)),
    scalars=scalars,
    before=(l2,),
    moments=moments,
    step=step,
)
