"""What the paper's figures 1 to 4 show, and the training runs that remake them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from adamas.trials import Trial

#: Rule → its name in the paper; the last is Adam without bias corrections.
NAMES = {
    "adam": "Adam",
    "adagrad": "AdaGrad",
    "nesterov": "SGD-Nesterov",
    "rmsprop": "RMSProp",
    "adamas.paper:uncorrected": "Adam without bias correction",
}
CORRECTED, UNCORRECTED = "adam", "adamas.paper:uncorrected"


@dataclass(frozen=True)
class Panel:
    """A plot of a figure: a task, and the rules that are tried on it at each of their learning rates.

    key, title: its name in claims, and its heading. lrs: rule → learning rates.
    options: what the runs have beside the task's own choice. evaluated: whether its loss is that of the training
    examples after each epoch, instead of the mini-batches' on the way.
    """

    key: str
    title: str
    task: str
    epochs: int
    lrs: Mapping[str, tuple[float, ...]]
    options: tuple[tuple[str, Any], ...] = ()
    evaluated: bool = False

    def trials(self, rule: str, lr: float, seeds: int) -> list[Trial]:
        """The runs of one rule at one learning rate."""
        options = (("epochs", self.epochs), *self.options)
        return [Trial(self.task, rule, lr, seed, options=options) for seed in range(seeds)]

    def every(self, seeds: int) -> Iterator[Trial]:
        """All runs."""
        for rule, lrs in self.lrs.items():
            for lr in lrs:
                yield from self.trials(rule, lr, seeds)


@dataclass(frozen=True)
class Figure:
    """A figure of the paper, in kind.

    paper: what the paper did; here: what was done instead. needs: what must be installed beside Adamas.
    seeds: of each setting, at most.
    """

    number: int
    title: str
    paper: str
    here: str
    panels: tuple[Panel, ...]
    needs: tuple[str, ...] = ()
    seeds: int = 3


def grid(centre: float, steps: int = 3) -> tuple[float, ...]:
    """Learning rates four to a decade, as many on either side of the centre."""
    return tuple(float(f"{centre * 10 ** (k / 4):.3g}") for k in range(-steps, steps + 1))


def _grids(**centres: float) -> dict[str, tuple[float, ...]]:
    return {rule: grid(centre) for rule, centre in centres.items()}


CONSTANT = (("schedule", "constant"),)
#: Of the network without dropout, whose loss would else fall to 0; the paper's has a weight decay, too.
DECAYING = (*CONSTANT, ("weight_decay", 1e-4))

#: Figure 4's settings. A training is read off after a tenth of its epochs, too.
BETA1, BETA2, LOG_LR = (0.0, 0.9), (0.99, 0.999, 0.9999), (-5, -4, -3, -2, -1)
VAE_EPOCHS = 100


def setting(b1: float, b2: float) -> str:
    """The key of a panel of figure 4."""
    return f"4 β₁={b1:g} β₂={b2:g}"


def _settings() -> Iterator[Panel]:
    lrs = tuple(10.0**e for e in LOG_LR)
    for b1, b2 in itertools.product(BETA1, BETA2):
        yield Panel(
            setting(b1, b2),
            f"β₁ = {b1:g}, β₂ = {b2:g}",
            "digits-vae",
            VAE_EPOCHS,
            {CORRECTED: lrs, UNCORRECTED: lrs},
            (*CONSTANT, ("betas", (b1, b2))),
            evaluated=True,
        )


FIGURES = (
    Figure(
        1,
        "Logistic regression",
        "MNIST's 60,000 images, and IMDB's film reviews as bags of 10,000 words under 50% dropout noise; mini-batches "
        "of 128, learning rate α/√t.",
        "1,347 of scikit-learn's digits of 8 × 8 pixels, and 529 passages of Python's manual as bags of 4,000 words, "
        "labelled with their chapter, under 50% dropout noise; the same mini-batches and schedule. The paper "
        "tells of the runs without noise in words alone; here they have an L2 penalty of 0.0001/2 · |w|², since these "
        "passages can be told apart without an error.",
        (
            Panel("1 dense", "Dense: digits", "logreg-digits", 40, _grids(adam=1, adagrad=1, nesterov=3.16)),
            Panel(
                "1 sparse",
                "Sparse: bags of words, with dropout noise",
                "logreg-topics",
                100,
                _grids(adam=0.316, adagrad=0.562, nesterov=5.62, rmsprop=0.0562),
            ),
            Panel(
                "1 sparse, no dropout",
                "Sparse: bags of words, without dropout noise",
                "logreg-topics-l2",
                100,
                _grids(adam=0.178, adagrad=0.316, nesterov=3.16, rmsprop=0.0316),
            ),
        ),
    ),
    Figure(
        2,
        "Networks of two hidden layers",
        "MNIST, two hidden layers of 1,000 rectified units, weight decay, mini-batches of 128. With dropout: "
        "AdaGrad, RMSProp, SGD with Nesterov momentum, AdaDelta and Adam; without: Adam and the sum-of-functions "
        "method (SFO).",
        "Scikit-learn's digits, layers of 256 units, weight decay 0.0001 as a term of the gradient, mini-batches of "
        "64, constant learning rates. AdaDelta and SFO are left out, as Adamas does not have them; without dropout the "
        "other rules stand in SFO's place, and no claim is tested.",
        (
            Panel(
                "2 dropout",
                "With dropout",
                "digits-mlp",
                100,
                _grids(adam=3.16e-3, adagrad=0.0316, nesterov=0.0562, rmsprop=1.78e-3),
                DECAYING,
            ),
            Panel(
                "2 no dropout",
                "Without dropout",
                "digits-mlp-plain",
                40,
                _grids(adam=3.16e-3, adagrad=0.0562, nesterov=0.178, rmsprop=3.16e-3),
                DECAYING,
            ),
        ),
    ),
    Figure(
        3,
        "Convolutional networks",
        "CIFAR-10, three stages of 5 × 5 filters (64, 64, 128) and 1,000 units, whitened images, mini-batches of 128, "
        "45 epochs, with and without dropout of inputs and units.",
        "Scikit-learn's digits, two stages of 3 × 3 filters (32, 64) and 128 units, mini-batches of 64, constant "
        "learning rates.",
        (
            Panel(
                "3 dropout", "With dropout", "digits-cnn", 15, _grids(adam=5.62e-3, adagrad=0.0316, nesterov=0.0562),
                CONSTANT,
            ),
            Panel(
                "3 no dropout",
                "Without dropout",
                "digits-cnn-plain",
                15,
                _grids(adam=0.01, adagrad=0.0316, nesterov=0.0562),
                CONSTANT,
            ),
        ),
        ("torch",),
    ),
    Figure(
        4,
        "The bias correction, in a variational autoencoder",
        "A hidden layer of 500 softplus units and 50 latent variables, on MNIST: the loss after 10 and after 100 "
        "epochs, with and without bias correction, for β₁ of 0 and 0.9, β₂ of 0.99, 0.999 and 0.9999, and learning "
        "rates from 10⁻⁵ to 10⁻¹.",
        "The same model and settings on scikit-learn's digits, in mini-batches of 64: with 22 steps an epoch "
        "instead of hundreds, all of the training lies within the memory of β₂ = 0.9999, which is 10,000 steps.",
        tuple(_settings()),
        ("torch",),
        seeds=2,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much is run: seeds of each setting at most, a divisor of the epochs, and which of the learning rates."""

    seeds: int = 3
    shorter: int = 1
    thinner: int = 1

    def of(self, figure: Figure) -> Figure:
        """The figure at this size; learning rates keep their middle."""
        return replace(figure, panels=tuple(map(self._panel, figure.panels)), seeds=min(self.seeds, figure.seeds))

    def _panel(self, panel: Panel) -> Panel:
        lrs = {rule: values[len(values) // 2 % self.thinner :: self.thinner] for rule, values in panel.lrs.items()}
        return replace(panel, lrs=lrs, epochs=math.ceil(panel.epochs / self.shorter))


FULL, QUICK = Size(), Size(seeds=1, shorter=10, thinner=2)
