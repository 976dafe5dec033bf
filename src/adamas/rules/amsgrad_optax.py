"""AMSGrad as optax has it (after Reddi, Kale & Kumar, 2018, arXiv:1904.09237): a maximum of bias-corrected v.

    w ← max(w, v / (1 − β₂ᵗ))
    p ← p − lr · (m / (1 − β₁ᵗ)) / (√w + ε)

torch and ``amsgrad`` take it over the raw v, another algorithm: there the first gradients do not count for more.
"""

from adamas.language import abs2, ema, maximum, sqrt
from adamas.rules import amsgrad


def moments(g, m, v, w, b1, b2, c2):
    v = ema(b2, v, abs2(g))
    return dict(m=ema(b1, m, g), v=v, w=maximum(w, v / c2))


def step(m, w, eps, c1):
    return (m / c1) / (sqrt(w) + eps)


rule = amsgrad.rule.but("amsgrad_optax", "AMSGradOptax", __doc__, moments=moments, step=step)
