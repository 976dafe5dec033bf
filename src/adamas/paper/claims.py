"""What the paper claims of its figures, each as a test of the losses that were measured here.

A test is made seed by seed: it agrees if all seeds do, disagrees if none does, and is undecided in between.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from adamas.paper.figures import BETA1, BETA2, CORRECTED, NAMES, UNCORRECTED, setting
from adamas.paper.outcomes import Curve, Losses, chosen, ratios, tenth, whole

AGREES, DISAGREES, UNDECIDED, UNMEASURED = "agrees", "disagrees", "undecided", "not measured"

#: Two losses are similar if neither is above the other by more than this factor; else one is clearly lower.
FACTOR = 1.25
#: Of the way from the untrained loss to the lowest of figure 4: who loses a tenth is spoiled, a hundredth is no loss.
SPOILED, EQUAL = 0.1, 0.01
#: The first epochs of figure 3, and the share of all epochs that are its last.
FIRST, LAST = 3, 1 / 3

#: Panel → its losses, of one figure.
Figure = Mapping[str, Losses]


@dataclass(frozen=True)
class Verdict:
    """One of the words above, and the numbers that it rests on."""

    answer: str
    found: str


@dataclass(frozen=True)
class Claim:
    """paper: what the paper says. test: what is looked at here. judge(figure): the verdict; KeyError without losses."""

    figure: int
    paper: str
    test: str
    judge: Callable[[Figure], Verdict]

    def verdict(self, figure: Figure) -> Verdict:
        """What the losses say; "not measured" where some that are needed are missing."""
        try:
            return self.judge(figure)
        except KeyError as missing:
            return Verdict(UNMEASURED, f"no losses of {missing.args[0]}")


def answer(holds: Sequence[bool]) -> str:
    """Whether the claim holds, by what each seed says."""
    return AGREES if all(holds) else UNDECIDED if any(holds) else DISAGREES


def spread(values: Sequence[float]) -> str:
    """The median over the seeds, and the smallest and the largest."""
    low, middle, high = (f"{x:.2f}" for x in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


# ------------------------------------------------------------------ figures 1 to 3: who is faster


def compared(
    panel: str,
    pairs: Sequence[tuple[str, str]],
    figure: Figure,
    *,
    low: float,
    high: float,
    epochs: Callable[[int], slice] = lambda count: slice(None),
) -> Verdict:
    """Whether the first of each pair has a mean loss between low and high times the second's, both at their best lr."""
    words, holds = [], []
    for ours, theirs in pairs:
        a, b = chosen(figure[panel], ours), chosen(figure[panel], theirs)
        found = ratios(a, b, epochs(len(a[0])))
        holds.append([low <= ratio <= high for ratio in found])
        words.append(f"{NAMES[ours]} / {NAMES[theirs]}: {spread(found)}")
    return Verdict(answer([all(seed) for seed in zip(*holds, strict=True)]), "; ".join(words))


def first(count: int) -> slice:
    """The first epochs of figure 3."""
    return slice(FIRST)


def last(count: int) -> slice:
    """Its last epochs."""
    return slice(-max(1, round(count * LAST)), None)


_similar = partial(compared, low=1 / FACTOR, high=FACTOR)
_no_slower = partial(compared, low=0.0, high=FACTOR)
_faster = partial(compared, low=0.0, high=math.nextafter(1, 0))
_clearly_faster = partial(compared, low=0.0, high=1 / FACTOR)


# -------------------------------------------------------------------- figure 4: bias correction


Epoch = Callable[[Curve], int]


def _seeds(figure: Figure) -> range:
    """Of the figure; KeyError if a setting has no losses."""
    every = [figure[setting(b1, b2)][rule] for b1 in BETA1 for b2 in BETA2 for rule in (CORRECTED, UNCORRECTED)]
    return range(min(len(curves) for lrs in every for curves in lrs.values()))


def _losses(figure: Figure, b1: float, b2: float, rule: str, epoch: Epoch, seed: int) -> dict[float, float]:
    """Learning rate → the loss at an epoch; at most the untrained one."""
    curves = {lr: curves[seed] for lr, curves in figure[setting(b1, b2)][rule].items()}
    return {lr: min(curve[epoch(curve)], curve[0]) for lr, curve in curves.items()}


def _way(figure: Figure, epoch: Epoch, seed: int) -> float:
    """From the untrained loss to the lowest at that epoch."""
    every = [curves[seed] for rules in figure.values() for lrs in rules.values() for curves in lrs.values()]
    return every[0][0] - min(curve[epoch(curve)] for curve in every)


def spoiled(figure: Figure, b2: float, epoch: Epoch, seed: int) -> float:
    """The share of β₁ and learning rates at which a training without correction lost a tenth of the way by it."""
    way, worse = _way(figure, epoch, seed), []
    for b1 in BETA1:
        right, wrong = (_losses(figure, b1, b2, rule, epoch, seed) for rule in (CORRECTED, UNCORRECTED))
        worse += [wrong[lr] - right[lr] > SPOILED * way for lr in right if lr in wrong]
    return sum(worse) / len(worse)


def _unstable(figure: Figure) -> Verdict:
    seeds = _seeds(figure)
    shares = {b2: [spoiled(figure, b2, tenth, seed) for seed in seeds] for b2 in BETA2}
    found = "; ".join(f"β₂ = {b2:g}: {spread(share)}" for b2, share in shares.items())
    return Verdict(answer([shares[BETA2[-1]][seed] > shares[BETA2[0]][seed] for seed in seeds]), found)


def _at_first(figure: Figure) -> Verdict:
    seeds = _seeds(figure)
    early, late = ([spoiled(figure, BETA2[-1], epoch, seed) for seed in seeds] for epoch in (tenth, whole))
    found = f"after a tenth of the epochs: {spread(early)}; after all: {spread(late)}"
    return Verdict(answer([a > b for a, b in zip(early, late, strict=True)]), found)


def lowest(figure: Figure, seed: int) -> tuple[float, float, str, float]:
    """(β₁, β₂, rule, learning rate) of the lowest loss at the end."""
    every = {
        (b1, b2, rule, lr): loss
        for b1 in BETA1
        for b2 in BETA2
        for rule in (CORRECTED, UNCORRECTED)
        for lr, loss in _losses(figure, b1, b2, rule, whole, seed).items()
    }
    return min(every, key=lambda key: every[key])


def _best(figure: Figure) -> Verdict:
    winners = [lowest(figure, seed) for seed in _seeds(figure)]
    words = dict.fromkeys(
        f"β₁ = {b1:g}, β₂ = {b2:g}, {'with' if rule == CORRECTED else 'without'} correction, lr {lr:g}"
        for b1, b2, rule, lr in winners
    )
    return Verdict(answer([b2 > BETA2[0] and rule == CORRECTED for _, b2, rule, _ in winners]), "; ".join(words))


def _behind(figure: Figure, b1: float, b2: float, seed: int) -> float:
    """By how much of the way the best corrected training is above the best uncorrected one, at the worse epoch."""
    behind = []
    for epoch in (tenth, whole):
        right, wrong = (min(_losses(figure, b1, b2, rule, epoch, seed).values()) for rule in (CORRECTED, UNCORRECTED))
        behind.append((right - wrong) / _way(figure, epoch, seed))
    return max(behind)


def _never_worse(figure: Figure) -> Verdict:
    worst = [max(_behind(figure, b1, b2, seed) for b1 in BETA1 for b2 in BETA2) for seed in _seeds(figure)]
    return Verdict(
        answer([x <= EQUAL for x in worst]), f"share of the way behind, at the worst setting: {spread(worst)}"
    )


# ------------------------------------------------------------------------------------- the claims


def _sparse(panel: str, noise: str) -> tuple[Claim, ...]:
    return (
        Claim(
            1,
            f"Sparse features, {noise} dropout noise: AdaGrad outperforms SGD-Nesterov by a large margin.",
            f"Mean loss lower by a factor of {FACTOR:g} or more.",
            partial(_clearly_faster, panel, [("adagrad", "nesterov")]),
        ),
        Claim(
            1,
            f"Sparse features, {noise} dropout noise: Adam converges as fast as AdaGrad.",
            f"Mean loss above AdaGrad's by a factor of {FACTOR:g} at most.",
            partial(_no_slower, panel, [("adam", "adagrad")]),
        ),
    )


def _convolutional(panel: str, how: str) -> tuple[Claim, ...]:
    return (
        Claim(
            3,
            f"{how} dropout: Adam and AdaGrad make rapid progress in the initial stage.",
            f"Mean loss of the first {FIRST} epochs above SGD-Nesterov's by a factor of {FACTOR:g} at most.",
            partial(_no_slower, panel, [("adam", "nesterov"), ("adagrad", "nesterov")], epochs=first),
        ),
        Claim(
            3,
            f"{how} dropout: Adam and SGD eventually converge considerably faster than AdaGrad.",
            f"Mean loss of the last third of the epochs lower than AdaGrad's by a factor of {FACTOR:g} or more.",
            partial(_clearly_faster, panel, [("adam", "adagrad"), ("nesterov", "adagrad")], epochs=last),
        ),
        Claim(
            3,
            f"{how} dropout: Adam shows a marginal improvement over SGD with momentum.",
            "Mean loss lower than that of SGD-Nesterov.",
            partial(_faster, panel, [("adam", "nesterov")]),
        ),
    )


CLAIMS = (
    Claim(
        1,
        "Dense features: Adam converges similarly to SGD-Nesterov.",
        f"Mean losses within a factor of {FACTOR:g} of each other.",
        partial(_similar, "1 dense", [("adam", "nesterov")]),
    ),
    Claim(
        1,
        "Dense features: both converge faster than AdaGrad.",
        "Mean loss lower than AdaGrad's.",
        partial(_faster, "1 dense", [("adam", "adagrad"), ("nesterov", "adagrad")]),
    ),
    *_sparse("1 sparse", "with"),
    *_sparse("1 sparse, no dropout", "without"),
    Claim(
        2,
        "With dropout: Adam converges faster than the other first-order methods.",
        "Mean loss lower than that of each other rule.",
        partial(_faster, "2 dropout", [("adam", "adagrad"), ("adam", "rmsprop"), ("adam", "nesterov")]),
    ),
    *_convolutional("3 dropout", "With"),
    *_convolutional("3 no dropout", "Without"),
    Claim(
        4,
        "Without bias correction, training becomes unstable where β₂ is close to 1.",
        "After a tenth of the epochs, the share of β₁ and learning rates at which leaving the correction out cost more "
        f"than {SPOILED:.0%} of the way from the untrained loss to the lowest is larger at β₂ = {BETA2[-1]:g} than at "
        f"{BETA2[0]:g}.",
        _unstable,
    ),
    Claim(
        4,
        "This is so especially in the first few epochs.",
        f"That share, at β₂ = {BETA2[-1]:g}, is larger after a tenth of the epochs than after all.",
        _at_first,
    ),
    Claim(
        4,
        "The best results are those with small 1 − β₂ and bias correction.",
        f"The lowest loss of all settings after all epochs has β₂ above {BETA2[0]:g} and bias correction.",
        _best,
    ),
    Claim(
        4,
        "Adam performs equally well or better than RMSProp (no correction), whatever the hyper-parameters.",
        f"For every β₁ and β₂, with the best learning rate of each: behind by at most {EQUAL:.0%} of that way, after a "
        "tenth of the epochs and after all.",
        _never_worse,
    ),
)
