"""``digits-mlp`` without dropout: its cost is the same at every look."""

from dataclasses import replace
from functools import partial

from adamas.tasks import digits_mlp

task = replace(
    digits_mlp.task,
    name="digits-mlp-plain",
    doc="A small neural network (two hidden layers of 256 units, without dropout) learns to read handwritten digits "
    "from 8 × 8 pixel images.",
    loss=partial(digits_mlp.loss, dropout=(0.0,) * digits_mlp.LAYERS),
)
