"""AMSGrad (Reddi, Kale & Kumar, 2018, arXiv:1904.09237, Algorithm 2), with Adam's bias corrections.

    w ← max(w, v)
    p ← p − lr · (m / (1 − β₁ᵗ)) / (√(w / (1 − β₂ᵗ)) + ε)

The maximum is over the raw v, as in torch; optax takes it over the bias-corrected v, another algorithm.
"""

from adamas.language import Rule, Slot, abs2, ema, l2, maximum, sqrt
from adamas.rules import adam


def moments(g, m, v, w, b1, b2):
    v = ema(b2, v, abs2(g))
    return dict(m=ema(b1, m, g), v=v, w=maximum(w, v))


def step(m, w, eps, c1, c2):
    return (m / c1) / (sqrt(w / c2) + eps)


rule = Rule(
    name="amsgrad",
    title="AMSGrad",
    doc=__doc__,
    hyper=dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0),
    slots=(
        Slot("m", root="v"),
        Slot("v", nonneg=True, projects=True),
        Slot("w", nonneg=True, keeps="maximum"),
    ),
    scalars=adam.scalars,
    before=(l2,),
    moments=moments,
    step=step,
)
