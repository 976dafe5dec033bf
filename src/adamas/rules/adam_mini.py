"""Adam-mini: AdamW with one v for each output neuron (Zhang et al., 2024, arXiv:2406.16793, Algorithm 1).

    v ← β₂ v + (1 − β₂) mean(g²)          over all weights of one output, the rest of a tensor's first dimension
    p ← AdamW's step with that v

It is AdamW with ``state={"v": "mean"}``. The paper has one v a head for queries and keys; here each of their rows
has its own. A vector has one v.
"""

from dataclasses import replace

from adamas.rules import adamw

m, v = adamw.rule.slots
rule = adamw.rule.but("adam_mini", "AdamMini", __doc__, slots=(m, replace(v, codec="mean")))
