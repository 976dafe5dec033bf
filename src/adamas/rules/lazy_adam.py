"""Lazy Adam: elements whose gradient is exactly zero rest, moments and all (as torch's SparseAdam does for rows).

    m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²            where g ≠ 0
    p ← p − lr · √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε)           there alone

For gradients that are zero where there was no data, such as those of embeddings. t counts the tensor's steps, so
that a rare element is corrected less than it should be. ε beside the raw √v: Kingma & Ba, 2015, arXiv:1412.6980,
end of section 2.
"""

from dataclasses import replace

from adamas.language import absolute, sqrt, where
from adamas.rules import adam


def scalars(t, b1, b2):
    return dict(c=sqrt(1 - b2**t) / (1 - b1**t))


def moments(g, m, v, b1, b2):
    fresh = adam.moments(g, m, v, b1, b2)
    rests = absolute(g) <= 0  # false for NaN
    return dict(m=where(rests, m, fresh["m"]), v=where(rests, v, fresh["v"]))


def step(g, m, v, eps, c):
    return where(absolute(g) <= 0, 0.0, (c * m) / (sqrt(v) + eps))


m, v = adam.rule.slots
v = replace(v, projects=False)  # some elements of a row rest
rule = adam.rule.but(
    "lazy_adam", "LazyAdam", __doc__, scalars=scalars, moments=moments, step=step, before=(), slots=(m, v)
).without("weight_decay")
