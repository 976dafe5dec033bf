"""A transformer reads Python's manual letter by letter, and learns to say which comes next.

    h ← h + attention(norm(h))                 twice, 128 wide, with 4 heads that see what came before
    h ← h + W gelu(W norm(h) + b) + b
    loss = mean of −log softmax(W norm(h) + b)[next character], in nats a character

The text is that of ``help()``, which every Python carries as ``pydoc_data.topics``. Its chapters repeat each other, so
each paragraph is taken once, and every tenth of them is for validation.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from adamas.tasks import Array, Batch, Params, Task, torch_model
from adamas.tasks.torch_model import functions, load, quality

#: Of ASCII; others are read as question marks.
CHARACTERS = 128
#: Characters that an example has, numbers that a character becomes, and layers of so many heads.
CONTEXT, WIDTH, LAYERS, HEADS = 64, 128, 2, 4
#: One paragraph in so many is for validation.
SHARE = 10
#: Windows that an evaluation reads, at most about: all of them would cost it a third of an epoch.
EVALUATED = 1000


def paragraphs() -> list[str]:
    """Each paragraph of the manual once, in the order of the text."""
    from pydoc_data.topics import topics  # type: ignore[import-not-found, unused-ignore]

    found = (part.strip("\n") for chapter in topics.values() for part in re.split(r"\n\s*\n", chapter))
    return list(dict.fromkeys(found))


def facts() -> dict[str, str]:
    """The text differs between versions of Python, so its checksum belongs to a result."""
    text = "\n\n".join(paragraphs())
    return {"SHA-256 of the text": hashlib.sha256(text.encode()).hexdigest(), **torch_model.facts()}


@cache
def data() -> Mapping[str, tuple[Array, ...]]:
    """Windows of text, which overlap in one character: the last of each is only asked for."""
    found = paragraphs()
    training = [text for i, text in enumerate(found) if i % SHARE]

    def windows(part: list[str]) -> tuple[Array]:
        codes = np.frombuffer("\n\n".join(part).encode("ascii", "replace"), np.uint8)
        return (np.lib.stride_tricks.sliding_window_view(codes, CONTEXT + 1)[::CONTEXT].copy(),)

    return {"train": windows(training), "validation": windows(found[::SHARE])}


def network() -> Any:
    """The layers that ``logits`` puts together."""
    nn = load().nn

    def block() -> Any:
        wide = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))
        look = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH))
        return nn.ModuleDict({"look": look, "gather": nn.Linear(WIDTH, WIDTH), "think": wide})

    return nn.ModuleDict(
        {
            "characters": nn.Embedding(CHARACTERS, WIDTH),
            "places": nn.Embedding(CONTEXT, WIDTH),
            "blocks": nn.ModuleList(block() for _ in range(LAYERS)),
            "next": nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CHARACTERS)),
        }
    )


def logits(layers: Any, codes: Any) -> Any:
    """What may come after each character, given those before: (examples, characters, CHARACTERS)."""
    attention = load().nn.functional.scaled_dot_product_attention
    h = layers["characters"](codes) + layers["places"].weight[: codes.shape[1]]
    for block in layers["blocks"]:
        queries, keys, values = block["look"](h).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        seen = attention(queries, keys, values, is_causal=True)
        h = h + block["gather"](seen.transpose(1, 2).flatten(2))
        h = h + block["think"](h)
    return layers["next"](h)


def measure(layers: Any, windows: Any) -> dict[str, Any]:
    """Cross-entropy, in nats a character, and the share of characters foretold."""
    codes = windows.long()
    return quality(logits(layers, codes[:, :-1]), codes[:, 1:])


init, loss, _evaluate = functions(network, measure)


def evaluate(params: Params, examples: Batch) -> dict[str, float]:
    """The same of the windows, or of evenly spread ones where there are many."""
    (windows,) = examples
    return _evaluate(params, (windows[:: -(-len(windows) // EVALUATED)],))


task = Task(
    name="char-transformer",
    doc="A small transformer reads Python's manual and learns to foretell its next character.",
    init=init,
    loss=loss,
    evaluate=evaluate,
    data=data,
    rule="adamw",
    lr=4e-3,
    schedule="cosine",
    epochs=5,
    batch_size=16,
    facts=facts,
)
