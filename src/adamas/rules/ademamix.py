"""AdEMAMix: Adam with a second, slow momentum (Pagliardini, Ablin & Grangier, 2024, arXiv:2409.03137, Algorithm 1).

    m ← β₁ m + (1 − β₁) g
    s ← β₃(t) s + (1 − β₃(t)) g
    v ← β₂ v + (1 − β₂) g²
    p ← p − lr · ((m / (1 − β₁ᵗ) + α(t) s) / (√(v / (1 − β₂ᵗ)) + ε) + wd · p)

    α(t) = min(1, t/T) α,   ln β₃(t) = ln β₁ ln β₃ / ((1 − t/T) ln β₃ + (t/T) ln β₁) up to t = T, then β₃

T, ``warmup``, is best the length of the run; 0 has α and β₃ from the start. The paper's schedules of α and β₃ may
have two lengths; here they have one.
"""

from adamas.language import Hyper, Rule, Slot, abs2, decoupled, ema, log, maximum, minimum, sqrt


def scalars(t, b1, b2, b3, alpha, warmup):
    done = minimum(t / maximum(warmup, 1.0), 1.0)
    fast, slow = log(maximum(b1, 1e-9)), log(maximum(b3, 1e-9))  # of β = 0, a number
    length = fast / ((1 - done) * slow + done * fast)  # ln β₃(t) / ln β₃
    return dict(c1=1 - b1**t, c2=1 - b2**t, b3_now=b3**length, alpha_now=alpha * done)


def moments(g, m, s, v, b1, b2, b3_now):
    return dict(m=ema(b1, m, g), s=ema(b3_now, s, g), v=ema(b2, v, abs2(g)))


def step(m, s, v, eps, c1, c2, alpha_now):
    return (m / c1 + alpha_now * s) / (sqrt(v / c2) + eps)


rule = Rule(
    name="ademamix",
    title="AdEMAMix",
    doc=__doc__,
    hyper=dict(
        lr=1e-3,
        betas=(0.9, 0.999, 0.9999),
        eps=1e-8,
        weight_decay=0.0,
        alpha=Hyper(5.0, 0, doc="weight of the slow momentum beside the fast one's 1"),
        warmup=Hyper(0.0, 0, doc="T, steps over which alpha and β₃ reach their values"),
    ),
    slots=(Slot("m", root="v"), Slot("s"), Slot("v", nonneg=True, projects=True)),
    scalars=scalars,
    moments=moments,
    step=step,
    after=(decoupled,),
)
