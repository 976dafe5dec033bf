"""SGD with Nesterov's momentum (Nesterov, 1983, as Sutskever et al., 2013, write it), as torch's ``nesterov=True``.

m ← μ m + g                  m ← g at the first step
p ← p − lr · (g + μ m)
"""

from adamas.language import Hyper
from adamas.rules import sgd


def scalars(t, momentum):
    return sgd.scalars(t, momentum, 0.0)


def step(g, m, momentum):
    return g + momentum * m


rule = sgd.rule.but(
    "nesterov",
    "NesterovSGD",
    __doc__,
    hyper=dict(momentum=Hyper(0.9, 0, 1, open_high=True, doc="μ, the share of the momentum that a step keeps")),
    scalars=scalars,
    step=step,
).without("dampening")
