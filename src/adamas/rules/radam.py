"""RAdam: Adam whose first steps wait for a trustworthy v (Liu et al., 2020, arXiv:1908.03265, Algorithm 2).

    ρ∞ = 2/(1 − β₂) − 1,   ρ = ρ∞ − 2 t β₂ᵗ/(1 − β₂ᵗ)
    r = √((ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ))
    p ← p − lr · r · m̂ / ((√v + ε) / √(1 − β₂ᵗ))        if ρ > 5
    p ← p − lr · m̂                                      otherwise

As in torch, ε is added to √v before its bias correction, and the threshold is 5 where the paper has 4.
"""

from adamas.language import maximum, sqrt, where
from adamas.rules import adam


def scalars(t, b1, b2):
    c2 = 1 - b2**t
    most = 2 / (1 - b2) - 1
    rho = most - 2 * t * b2**t / c2
    r2 = (rho - 4) * (rho - 2) * most / (maximum((most - 4) * (most - 2), 1) * maximum(rho, 1))  # 1: where r rests
    return dict(c1=1 - b1**t, trusted=where(rho > 5, 1.0, 0.0), r=sqrt(maximum(r2, 0)) * sqrt(c2))


def step(m, v, eps, c1, r, trusted):
    return (m / c1) * where(trusted > 0, r / (sqrt(v) + eps), 1.0)


rule = adam.rule.but("radam", "RAdam", __doc__, scalars=scalars, step=step)
