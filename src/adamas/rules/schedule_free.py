"""Schedule-Free AdamW: averaging instead of a schedule (Defazio et al., 2024, arXiv:2405.15682, Algorithm 1).

    n = g / (√(v / (1 − β₂ᵗ)) + ε) + wd · y
    z ← z − γ n                                        γ = lr · min(1, t/T),  T: warmup
    x ← (1 − c) x + c z                                c = γ̂² / Σ γ̂²,  γ̂ the largest γ so far
    y = (1 − β₁) z + β₁ x

p is y while training: gradients are taken there. x is what to evaluate with and to keep: ``eval_params()`` here,
``optimizer.eval()`` in PyTorch. lr stays constant; it is 1 to 10 times Adam's. As the authors' package, whose ``r``
is 0 and ``weight_lr_power`` 2. β₁ must not be 0: x could not be had from y and z.
"""

from adamas.language import Hyper, Rule, Scalar, Slot, abs2, ema, maximum, minimum, sqrt


def scalars(t, lr, b2, warmup, top, weights):
    size = lr * minimum(t / maximum(warmup, 1.0), 1.0)
    top = maximum(top, size)
    weights = weights + top * top
    c = top * top / maximum(weights, 1e-300)
    return dict(size=size, top=top, weights=weights, c=c, c2=1 - b2**t, whole=1.0)


def moments(g, p, z, v, b2, eps, wd, size, c2):
    v = ema(b2, v, abs2(g))
    n = g / (sqrt(v / c2) + eps) + wd * p
    return dict(z=z - size * n, v=v, n=n, apart=p - z)


def step(n, apart, b1, size, c):
    return c * apart + (size * (1 - b1 * (1 - c))) * n


rule = Rule(
    name="schedule_free",
    title="ScheduleFreeAdamW",
    doc=__doc__,
    hyper=dict(
        lr=2.5e-3,
        betas=Hyper((0.9, 0.999), 0, 1, open_low=True, open_high=True, doc="β₁ between z and x, β₂ of v (unit-less)"),
        eps=1e-8,
        weight_decay=0.0,
        warmup=Hyper(0.0, 0, doc="T, steps over which lr reaches its value"),
    ),
    slots=(Slot("z", init=lambda p: p, keeps="exact"), Slot("v", nonneg=True)),
    memory=(Scalar("top"), Scalar("weights")),
    scalars=scalars,
    moments=moments,
    step=step,
    size="whole",  # n has lr already
    combines=False,
    view=lambda p, z, b1: z + (p - z) / b1,
)
