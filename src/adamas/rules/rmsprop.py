"""RMSProp (Tieleman & Hinton, 2012, lecture 6e of their course "Neural networks for machine learning"), as torch.

v ← α v + (1 − α) g²
p ← p − lr · g / (√v + ε)

v begins at zero and is not corrected for it: the first steps are up to 1/√(1 − α) times lr. ``weight_decay`` adds
wd·p to the gradient.
"""

from adamas.language import Hyper, Rule, Slot, abs2, ema, l2, sqrt


def moments(g, v, alpha):
    return dict(v=ema(alpha, v, abs2(g)))


def step(g, v, eps):
    return g / (sqrt(v) + eps)


rule = Rule(
    name="rmsprop",
    title="RMSprop",
    doc=__doc__,
    hyper=dict(
        lr=1e-2,
        alpha=Hyper(0.99, 0, 1, open_high=True, doc="decay of the mean of squares per step (unit-less)"),
        eps=1e-8,
        weight_decay=0.0,
    ),
    slots=(Slot("v", nonneg=True, projects=True),),
    before=(l2,),
    moments=moments,
    step=step,
)
