"""A network of two hidden layers with dropout reads handwritten digits: section 6.2 of the Adam paper in kind.

    h ← mask · max(0, W h + b)       twice, 256 units each
    loss = mean of −log softmax(W h + b)[digit]

Kingma & Ba train 1,000 units a layer on MNIST; scikit-learn's 1,797 digits of 8 × 8 pixels need no download.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from adamas.tasks import Array, Batch, Params, Task
from adamas.tasks.softmax import cross_entropy, quality

WIDTHS = (64, 256, 256, 10)
LAYERS = len(WIDTHS) - 1
#: Share of the inputs of each layer that a training step leaves out.
DROPOUT = (0.1, 0.3, 0.3)


def data() -> Mapping[str, tuple[Array, ...]]:
    """Pixels in [0, 1] and digits: 1,347 images to train, 450 to validate, each digit with its share in both."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, digits = load_digits(return_X_y=True)
    pixels = (pixels / 16).astype(np.float32)
    parts = train_test_split(pixels, digits, test_size=450, stratify=digits, random_state=0)
    return {"train": (parts[0], parts[2]), "validation": (parts[1], parts[3])}


def init(rng: np.random.Generator) -> Params:
    """Weights of variance 2/inputs (He et al., 2015), which keeps the scale through the layers; biases zero."""
    params: Params = {}
    for i, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS), 1):
        weights = rng.standard_normal((inputs, outputs), dtype=np.float32)
        params[f"w{i}"] = weights * np.float32(math.sqrt(2 / inputs))
        params[f"b{i}"] = np.zeros(outputs, np.float32)
    return params


def _forward(params: Params, pixels: Array, masks: list[Array]) -> tuple[list[Array], Array]:
    """The inputs of each layer as it saw them, and the logits; without masks nothing is left out."""
    inputs: list[Array] = []
    x = pixels
    for i in range(LAYERS):
        h = np.maximum(x, 0) if i else x
        inputs.append(h * masks[i] if masks else h)
        x = inputs[i] @ params[f"w{i + 1}"] + params[f"b{i + 1}"]
    return inputs, x


def _masks(
    rng: np.random.Generator, examples: int, dtype: np.dtype, dropout: tuple[float, ...] = DROPOUT
) -> list[Array]:
    """0 where an input is left out, else 1/(share kept), so that the mean of an input is what it was."""
    kept = [rng.random((examples, width), dtype=np.float32) >= p for width, p in zip(WIDTHS, dropout, strict=False)]
    return [mask / dtype.type(1 - p) for mask, p in zip(kept, dropout, strict=True)]


def loss(
    params: Params, batch: Batch, rng: np.random.Generator, dropout: tuple[float, ...] = DROPOUT
) -> tuple[float, Params]:
    """Mean cross-entropy under dropout, and its gradients by backpropagation."""
    pixels, digits = batch
    masks = _masks(rng, len(digits), pixels.dtype, dropout)
    inputs, logits = _forward(params, pixels, masks)
    value, dz = cross_entropy(logits, digits)
    grads: Params = {}
    for i in reversed(range(LAYERS)):
        grads[f"w{i + 1}"], grads[f"b{i + 1}"] = inputs[i].T @ dz, dz.sum(axis=0)
        if i:
            dz = (dz @ params[f"w{i + 1}"].T) * masks[i] * (inputs[i] > 0)
    return value, grads


def evaluate(params: Params, examples: Batch) -> dict[str, float]:
    """Mean cross-entropy and the share of digits read right, with the whole network."""
    pixels, digits = examples
    return quality(_forward(params, pixels, [])[1], digits)


task = Task(
    name="digits-mlp",
    doc="A small neural network (two hidden layers of 256 units, with dropout) learns to read handwritten digits "
    "from 8 × 8 pixel images.",
    rule="adam",
    lr=2e-3,
    schedule="cosine",
    epochs=40,
    batch_size=64,
    seed=0,
    data=data,
    init=init,
    loss=loss,
    evaluate=evaluate,
)
