"""Section 6 of Adam's paper (Kingma & Ba, 2015, arXiv:1412.6980), remade in kind on data that needs no download."""

from adamas.rules import adam

#: Adam without the bias corrections of its paper's section 3; trials find it as ``adamas.paper:uncorrected``.
uncorrected = adam.rule.but(
    "adam_uncorrected",
    "UncorrectedAdam",
    """Adam without bias corrections (Kingma & Ba, 2015, arXiv:1412.6980, section 6.4): RMSProp with momentum.

    m ← β₁ m + (1 − β₁) g
    v ← β₂ v + (1 − β₂) g²
    p ← p − lr · m / (√v + ε)
    """,
    scalars=lambda: dict(c1=1.0, c2=1.0),
)
