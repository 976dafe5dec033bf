"""NAdam: Adam with Nesterov's momentum, as torch (Dozat, 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ).

    μₜ = β₁ (1 − ½ · 0.96^(t ψ))              ψ: momentum_decay
    M ← M μₜ                                  the product of all μ so far
    p ← p − lr · ((1 − μₜ)/(1 − M) g + μₜ₊₁/(1 − M μₜ₊₁) m) / (√(v / (1 − β₂ᵗ)) + ε)

optax's NAdam takes a constant μ = β₁, another algorithm.
"""

from adamas.language import Hyper, Scalar, sqrt
from adamas.rules import adam


def scalars(t, b1, b2, momentum_decay, mu_product):
    mu, after = (b1 * (1 - 0.5 * 0.96 ** (k * momentum_decay)) for k in (t, t + 1))
    product = mu_product * mu
    now, soon = (1 - mu) / (1 - product), after / (1 - product * after)
    return dict(c2=1 - b2**t, mu_product=product, now=now, soon=soon)


def step(g, m, v, eps, c2, now, soon):
    return (now * g + soon * m) / (sqrt(v / c2) + eps)


rule = adam.rule.but(
    "nadam",
    "NAdam",
    __doc__,
    hyper=dict(
        lr=2e-3,
        momentum_decay=Hyper(4e-3, 0, doc="ψ, how soon the momentum reaches β₁ (per step)"),
    ),
    memory=(Scalar("mu_product", init=1.0),),
    scalars=scalars,
    step=step,
)
