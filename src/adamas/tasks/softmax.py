"""Classes as probabilities, p = softmax(z), and logistic regression on them: what several tasks share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adamas.tasks import Array, Batch, Params


def log_softmax(logits: Array) -> Array:
    """log p of each class, a row an example."""
    z = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


def cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """The mean of −log p[label], and its slope by the logits."""
    each = np.arange(len(labels))
    log_p = log_softmax(logits)
    slope = np.exp(log_p)
    slope[each, labels] -= 1
    return float(-log_p[each, labels].mean()), slope / len(labels)


def quality(logits: Array, labels: Array) -> dict[str, float]:
    """Mean cross-entropy, and the share of examples whose likeliest class is the right one."""
    log_p = log_softmax(logits)
    return {
        "loss": float(-log_p[np.arange(len(labels)), labels].mean()),
        "accuracy": float((log_p.argmax(axis=1) == labels).mean()),
    }


def regression(
    features: int, classes: int, dropout: float = 0.0
) -> tuple[
    Callable[[np.random.Generator], Params],
    Callable[[Params, Batch, np.random.Generator], tuple[float, Params]],
    Callable[[Params, Batch], dict[str, float]],
]:
    """(init, loss, evaluate) of p = softmax(x W + b), begun at zero; training leaves out a share of the features."""

    def init(rng: np.random.Generator) -> Params:
        return {"w": np.zeros((features, classes), np.float32), "b": np.zeros(classes, np.float32)}

    def loss(params: Params, batch: Batch, rng: np.random.Generator) -> tuple[float, Params]:
        x, labels = batch
        if dropout:
            kept = rng.random(x.shape, dtype=np.float32) >= dropout
            x = x * kept * x.dtype.type(1 / (1 - dropout))
        value, slope = cross_entropy(x @ params["w"] + params["b"], labels)
        return value, {"w": x.T @ slope, "b": slope.sum(axis=0)}

    def evaluate(params: Params, examples: Batch) -> dict[str, float]:
        x, labels = examples
        return quality(x @ params["w"] + params["b"], labels)

    return init, loss, evaluate
