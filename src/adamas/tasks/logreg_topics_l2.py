"""``logreg-topics`` without dropout, with an L2 penalty: −log p(chapter | words) + λ/2·|w|².

The passages can be told apart by their words without an error, so that without either the loss would fall to 0 as the
weights grew for ever.
"""

from dataclasses import replace

import numpy as np

from adamas.tasks import Batch, Params, logreg_topics
from adamas.tasks.softmax import regression

#: λ
PENALTY = 1e-4

_, _likelihood, _quality = regression(logreg_topics.WORDS, len(logreg_topics.CHAPTERS))


def _penalty(params: Params) -> float:
    return PENALTY / 2 * float(np.sum(params["w"] ** 2))


def loss(params: Params, batch: Batch, rng: np.random.Generator) -> tuple[float, Params]:
    """The penalised mean cross-entropy and its gradients."""
    value, grads = _likelihood(params, batch, rng)
    return value + _penalty(params), {**grads, "w": grads["w"] + grads["w"].dtype.type(PENALTY) * params["w"]}


def evaluate(params: Params, examples: Batch) -> dict[str, float]:
    """The same loss, and the share of passages whose chapter is the likeliest."""
    found = _quality(params, examples)
    return {**found, "loss": found["loss"] + _penalty(params)}


task = replace(
    logreg_topics.task,
    name="logreg-topics-l2",
    doc="Logistic regression, with an L2 penalty, learns from the words of a passage which of ten chapters of Python's "
    "manual it is from.",
    loss=loss,
    evaluate=evaluate,
)
