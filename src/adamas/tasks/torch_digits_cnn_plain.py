"""``digits-cnn`` without dropout: every step sees all pixels and units."""

from dataclasses import replace
from functools import partial

from adamas.tasks import torch_digits_cnn
from adamas.tasks.torch_digits_cnn import measure
from adamas.tasks.torch_model import functions

network = partial(torch_digits_cnn.network, dropout=(0.0, 0.0))
init, loss, evaluate = functions(network, measure)

task = replace(
    torch_digits_cnn.task,
    name="digits-cnn-plain",
    doc="A small convolutional network, without dropout, learns to read handwritten digits from 8 × 8 pixel images.",
    init=init,
    loss=loss,
    evaluate=evaluate,
)
