"""Lion (Chen et al., 2023, arXiv:2302.06675, Algorithm 2): the sign of a momentum, with one slot.

p ← p − lr · (sign(β₁ m + (1 − β₁) g) + wd · p)
m ← β₂ m + (1 − β₂) g

Every element moves by lr, so that lr should be 3 to 10 times smaller than Adam's, and wd as many times larger.
"""

from adamas.language import Rule, Slot, decoupled, ema, sign


def moments(g, m, b1, b2):
    return dict(m=ema(b2, m, g), mixed=ema(b1, m, g))


def step(mixed):
    return sign(mixed)


rule = Rule(
    name="lion",
    title="Lion",
    doc=__doc__,
    hyper=dict(lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0),
    slots=(Slot("m"),),
    moments=moments,
    step=step,
    after=(decoupled,),
)
