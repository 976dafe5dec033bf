"""SGD with momentum (Polyak, 1964), as torch: the momentum begins at the first gradient, and ``dampening`` is 0.

    m ← μ m + (1 − τ) g          m ← g at the first step; τ: dampening
    p ← p − lr · m

``weight_decay`` adds wd·p to the gradient. Without momentum, the default, m is the
gradient, and is kept all the same.
"""

from adamas.language import Hyper, Rule, Slot, l2, where


def scalars(t, momentum, dampening):
    first = t <= 1
    return dict(old=where(first, 0.0, momentum), new=where(first, 1.0, 1 - dampening))


def moments(g, m, old, new):
    return dict(m=old * m + new * g)


def step(m):
    return m


rule = Rule(
    name="sgd",
    title="SGD",
    doc=__doc__,
    hyper=dict(
        lr=1e-3,
        momentum=Hyper(0.0, 0, 1, open_high=True, doc="μ, the share of the momentum that a step keeps"),
        dampening=Hyper(0.0, 0, 1, doc="τ, what is taken off the gradient's share (unit-less)"),
        weight_decay=0.0,
    ),
    slots=(Slot("m"),),
    scalars=scalars,
    before=(l2,),
    moments=moments,
    step=step,
)
