"""LAMB (You et al., 2020, arXiv:1904.00962, Algorithm 2, φ the identity).

u ← m̂ / (√v̂ + ε) + wd · p
p ← p − lr · (‖p‖ / ‖u‖) · u          for each tensor; the ratio is 1 where either norm is 0
"""

from adamas.language import Measure, Stage, abs2, decoupled, sqrt, where
from adamas.rules import adam


def trust(u, p_norm2, u_norm2):
    ratio = sqrt(p_norm2) / sqrt(u_norm2)
    return u * where((p_norm2 > 0) & (u_norm2 > 0), ratio, 1.0)


trust_ratio = Stage(trust, (Measure("p_norm2", lambda p: abs2(p)), Measure("u_norm2", lambda u: abs2(u))))

rule = adam.rule.but(
    "lamb", "LAMB", __doc__, hyper=dict(eps=1e-6, weight_decay=0.0), before=(), after=(decoupled, trust_ratio)
)
