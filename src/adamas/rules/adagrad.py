"""AdaGrad (Duchi, Hazan & Singer, 2011, JMLR 12:2121), as torch.

    v ← v + g²
    p ← p − lr/(1 + (t − 1) η) · g / (√v + ε)        η: lr_decay

v only grows, so that steps shrink as 1/√t at best. optax begins v at 0.1, torch and this at 0.
"""

from adamas.language import Hyper, Rule, Slot, abs2, l2, sqrt


def scalars(t, lr, lr_decay):
    return dict(size=lr / (1 + (t - 1) * lr_decay))


def moments(g, v):
    return dict(v=v + abs2(g))


def step(g, v, eps):
    return g / (sqrt(v) + eps)


rule = Rule(
    name="adagrad",
    title="Adagrad",
    doc=__doc__,
    hyper=dict(
        lr=1e-2,
        lr_decay=Hyper(0.0, 0, doc="η, by which lr falls as 1/(1 + (t − 1) η)"),
        weight_decay=0.0,
        eps=1e-10,
    ),
    slots=(Slot("v", nonneg=True, projects=True),),
    scalars=scalars,
    before=(l2,),
    moments=moments,
    step=step,
    size="size",
)
