"""AdamW: Adam with decay beside the step (Loshchilov & Hutter, 2019, arXiv:1711.05101, Algorithm 2).

    p ← p − lr · (m̂ / (√v̂ + ε) + wd · p)

The decay is scaled by lr, as in torch.optim.AdamW, whose defaults these are.
"""

from adamas.language import decoupled
from adamas.rules import adam

rule = adam.rule.but("adamw", "AdamW", __doc__, hyper=dict(weight_decay=1e-2), before=(), after=(decoupled,))
