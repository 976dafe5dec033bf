"""A variational autoencoder of handwritten digits: the model of section 6.4 of the Adam paper in kind.

    h = softplus(W x + b),   μ = W h + b,   log σ² = W h + b         the encoder, of 500 units
    z = μ + σ · noise                                                50 normal latent variables
    x̂ = sigmoid(W softplus(W z + b) + b)                             the decoder, of 500 units
    loss = mean of −log p(x | z) + KL(N(μ, σ²) ‖ N(0, 1))            in nats an image

Pixels are probabilities of ink, so −log p is their cross-entropy with x̂. Kingma & Ba show with such a model that
without the bias correction training becomes unstable as β₂ nears 1, most of all in its first epochs and at large rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adamas.tasks import Array, Task, digits_mlp
from adamas.tasks.torch_model import facts, functions, load

PIXELS, UNITS, LATENT = 64, 500, 50


def data() -> Mapping[str, tuple[Array, ...]]:
    """The images of the digits, without their labels."""
    return {split: (pixels,) for split, (pixels, _) in digits_mlp.data().items()}


def network() -> Any:
    """The encoder, to μ and log σ², and the decoder, to logits."""
    nn = load().nn
    return nn.ModuleDict(
        {
            "encoder": nn.Sequential(nn.Linear(PIXELS, UNITS), nn.Softplus(), nn.Linear(UNITS, 2 * LATENT)),
            "decoder": nn.Sequential(nn.Linear(LATENT, UNITS), nn.Softplus(), nn.Linear(UNITS, PIXELS)),
        }
    )


def measure(layers: Any, pixels: Any) -> dict[str, Any]:
    """The negative evidence lower bound, from one sample an image, and the two terms it is the sum of."""
    torch = load()
    mean, log_variance = layers["encoder"](pixels).chunk(2, dim=1)
    sample = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    logits = layers["decoder"](sample)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, pixels, reduction="sum")
    divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2
    terms = {"reconstruction": cross_entropy / len(pixels), "divergence": divergence / len(pixels)}
    return {"loss": sum(terms.values()), **terms}


init, loss, evaluate = functions(network, measure)

task = Task(
    name="digits-vae",
    doc="A variational autoencoder learns to draw handwritten digits of 8 × 8 pixels from 50 numbers each.",
    init=init,
    loss=loss,
    evaluate=evaluate,
    data=data,
    lr=2e-3,
    epochs=100,
    batch_size=64,
    facts=facts,
)
