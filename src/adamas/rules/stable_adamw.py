"""StableAdamW: AdamW whose steps shrink where v lags behind (Wortsman et al., 2023, arXiv:2304.13013, Algorithm 2).

    r = √mean(g² / max(v̂, ε²))                        over each tensor
    p ← p − lr / max(1, r) · (m̂ / (√v̂ + ε) + wd · p)

The bias corrections of Adam are the paper's β̂ = β (1 − βᵗ⁻¹)/(1 − βᵗ), written out.
"""

from adamas.language import Measure, Stage, abs2, decoupled, maximum, sqrt
from adamas.rules import adamw

surprise = Measure("r2", lambda g, v, c2, eps: abs2(g) / maximum(v / c2, eps * eps), mean=True)
calmed = Stage(lambda u, r2: u / maximum(1.0, sqrt(r2)))

rule = adamw.rule.but(
    "stable_adamw",
    "StableAdamW",
    __doc__,
    hyper=dict(betas=(0.9, 0.99)),
    measures=(surprise,),
    after=(decoupled, calmed),
)
