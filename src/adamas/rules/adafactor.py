"""Adafactor (Shazeer & Stern, 2018, arXiv:1804.04235, Algorithms 4 and 5).

    v ← β₂ v + (1 − β₂) (g² + ε₁)          β₂ = 1 − tᵞ, γ = −0.8
    u ← g / √v
    u ← u / max(1, RMS(u) / d)
    p ← p − max(ε₂, RMS(p)) · min(lr, 1/√t) · u

A matrix keeps only the row and column means of v (the ``factored`` codec); a vector keeps v.
``weight_decay`` (not in the paper) shrinks p by lr·wd a step, as in torch.optim.Adafactor; torch also clamps
by ε₁ where the paper adds it.
"""

from adamas.language import Hyper, Measure, Rule, Slot, Stage, abs2, decoupled, ema, maximum, sqrt, where


def scalars(t, lr, beta2_decay):
    return dict(b2=1 - t**beta2_decay, rho=1 / maximum(1, lr * t**0.5))  # lr·rho = min(lr, 1/√t)


def moments(g, v, b2, eps1):
    return dict(v=ema(b2, v, abs2(g) + eps1))


def step(g, v):
    return where(v <= 0, 0.0, g / sqrt(v))  # row · column of a dead row and a dead column rounds to 0


clip_update = Stage(
    lambda u, u_ms, d: u / maximum(1.0, sqrt(u_ms) / d),
    (Measure("u_ms", lambda u: abs2(u), mean=True),),
    dict(d=Hyper(1.0, 0, open_low=True, doc="largest root mean square of an update before lr (unit-less)")),
)

relative_size = Stage(
    lambda u, p_ms, eps2, rho: u * (maximum(eps2, sqrt(p_ms)) * rho),
    (Measure("p_ms", lambda p: abs2(p), mean=True),),
)

rule = Rule(
    name="adafactor",
    title="Adafactor",
    doc=__doc__,
    hyper=dict(
        lr=1e-2,
        beta2_decay=Hyper(-0.8, high=0, open_high=True, doc="γ, the exponent by which β₂ = 1 − tᵞ nears 1"),
        eps=Hyper((1e-30, 1e-3), 0, doc="ε₁ in units of g², and ε₂, the least RMS(p) in parameter units"),
        weight_decay=0.0,
    ),
    slots=(Slot("v", nonneg=True, projects=True, codec="factored"),),
    scalars=scalars,
    moments=moments,
    step=step,
    after=(clip_update, relative_size, decoupled),
)


def clamped_moments(g, v, b2):
    return dict(v=ema(b2, v, abs2(g)))


def clamped_step(g, v, eps1):
    return g / sqrt(maximum(v, eps1 * eps1))


#: As torch.optim.Adafactor: v is kept above ε₁², where the paper adds ε₁ to g². (torch also divides row · column of a
#: matrix by at least ε₁ where the paper divides by their mean; this does not. They differ where the mean of g² is below
#: ε₁, and there by a factor that the clipping of updates takes away again, unless v is near ε₁².)
clamped = rule.but("adafactor-clamped", "Adafactor", __doc__, moments=clamped_moments, step=clamped_step)
