"""Adan: Nesterov's momentum from differences of gradients (Xie et al., 2022, arXiv:2208.06677, Algorithm 1).

    δ ← g − g₀,  g₀ ← g                              δ is 0 at the first step
    m ← β₁ m + (1 − β₁) g
    d ← β₂ d + (1 − β₂) δ
    v ← β₃ v + (1 − β₃) (g + β₂ δ)²
    p ← (p − lr · (m̂ + β₂ d̂) / (√v̂ + ε)) / (1 + lr wd)

As the authors' package: βs are what is kept (the paper's are what is taken in), and each average is corrected by
its own 1 − βᵗ. optax decays beside the step instead of dividing, and weighs δ and d̂ by 1 − β₂ instead of β₂.
"""

from adamas.language import Rule, Slot, Stage, abs2, ema, sqrt

#: Decay as the proximal step of wd/2·|p|²: p − lr·u is divided by 1 + lr·wd.
proximal = Stage(lambda u, p, lr, wd: (u + wd * p) / (1 + lr * wd))


def scalars(t, b1, b2, b3):
    return dict(c1=1 - b1**t, c2=1 - b2**t, c3=1 - b3**t)


def moments(g, g0, m, d, v, b1, b2, b3):
    delta = g - g0
    return dict(m=ema(b1, m, g), d=ema(b2, d, delta), v=ema(b3, v, abs2(g + b2 * delta)), g0=g)


def step(m, d, v, b2, eps, c1, c2, c3):
    return (m / c1 + b2 * (d / c2)) / (sqrt(v / c3) + eps)


rule = Rule(
    name="adan",
    title="Adan",
    doc=__doc__,
    hyper=dict(lr=1e-3, betas=(0.98, 0.92, 0.99), eps=1e-8, weight_decay=0.0),
    slots=(Slot("m"), Slot("d"), Slot("v", nonneg=True, projects=True), Slot("g0", init=lambda g: g)),
    scalars=scalars,
    moments=moments,
    step=step,
    after=(proximal,),
)
