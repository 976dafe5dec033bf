"""A convolutional network with dropout reads handwritten digits: section 6.3 of the Adam paper in kind.

    h ← pool(max(0, conv(h)))        twice, with 32 and 64 filters of 3 × 3 and the largest of each 2 × 2
    h ← mask · max(0, W h + b)       128 units
    loss = mean of −log softmax(W h + b)[digit]

Kingma & Ba train three stages of 5 × 5 filters on CIFAR-10, with dropout of the inputs and of 1,000 units; an image of
8 × 8 pixels has room for two.
"""

from __future__ import annotations

from typing import Any

from adamas.tasks import Task
from adamas.tasks.digits_mlp import data
from adamas.tasks.torch_model import facts, functions, load, quality

#: Filters of the two stages, units behind them, and the share that a training step leaves out of pixels and units.
FILTERS, UNITS, DROPOUT = (32, 64), 128, (0.1, 0.5)


def network(dropout: tuple[float, float] = DROPOUT) -> Any:
    """The layers that ``logits`` puts together."""
    nn = load().nn
    one, two = FILTERS
    return nn.ModuleDict(
        {
            "conv1": nn.Conv2d(1, one, 3, padding=1),
            "conv2": nn.Conv2d(one, two, 3, padding=1),
            "dense": nn.Linear(4 * two, UNITS),
            "out": nn.Linear(UNITS, 10),
            "some_pixels": nn.Dropout(dropout[0]),
            "some_units": nn.Dropout(dropout[1]),
        }
    )


def logits(layers: Any, pixels: Any) -> Any:
    """From 64 pixels to 10 logits, for each image."""
    f = load().nn.functional
    h = layers["some_pixels"](pixels).unflatten(1, (1, 8, 8))
    for stage in ("conv1", "conv2"):
        h = f.max_pool2d(f.relu(layers[stage](h)), 2)
    h = f.relu(layers["dense"](h.flatten(1)))
    return layers["out"](layers["some_units"](h))


def measure(layers: Any, pixels: Any, digits: Any) -> dict[str, Any]:
    """Cross-entropy and accuracy."""
    return quality(logits(layers, pixels), digits)


init, loss, evaluate = functions(network, measure)

task = Task(
    name="digits-cnn",
    doc="A small convolutional network, with dropout, learns to read handwritten digits from 8 × 8 pixel images.",
    init=init,
    loss=loss,
    evaluate=evaluate,
    data=data,
    lr=6e-3,
    schedule="cosine",
    epochs=50,
    batch_size=64,
    facts=facts,
)
