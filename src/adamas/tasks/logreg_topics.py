"""Logistic regression on sparse bags of words: the second half of section 6.1 of the Adam paper in kind.

The text is that of ``help()``: chapters of Python's language reference, which every Python carries as
``pydoc_data.topics``. It is cut into passages (paragraphs), and the label of a passage is *which of ten chapters it
comes from*. A feature says whether a word occurs in the passage: most features of a passage are 0. Kingma & Ba
train on 10,000 words of film reviews, half of them left out at random in each step, as here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache

import numpy as np

from adamas.tasks import Array, Task
from adamas.tasks.softmax import regression

CHAPTERS = (
    "assignment", "attribute-access", "comparisons", "compound", "debugger", "execmodel", "formatstrings", "import",
    "string-methods", "types",
)  # fmt: skip
#: Letters of a passage at least; words that are features at most, the most frequent of the training passages.
SHORTEST, WORDS = 80, 4000
#: One passage in so many is for validation.
SHARE = 4


def _topics() -> Mapping[str, str]:
    from pydoc_data.topics import topics  # type: ignore[import-not-found, unused-ignore]

    return {chapter: topics[chapter] for chapter in CHAPTERS}


def facts() -> dict[str, str]:
    """The text differs between versions of Python, so its checksum belongs to a result."""
    text = json.dumps(_topics(), sort_keys=True)
    return {"SHA-256 of the text": hashlib.sha256(text.encode()).hexdigest()}


def passages() -> list[tuple[str, int]]:
    """(text, chapter) of each passage that stands in one chapter only, in the order of the text."""
    found: dict[str, set[int]] = {}
    for label, chapter in enumerate(_topics().values()):
        for passage in re.split(r"\n\s*\n", chapter):
            text = " ".join(passage.split())
            if len(text) >= SHORTEST:
                found.setdefault(text, set()).add(label)
    return [(text, labels.pop()) for text, labels in found.items() if len(labels) == 1]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z_]{2,}", text.lower()))


@cache
def data() -> Mapping[str, tuple[Array, ...]]:
    """Bags of words and chapters; every fourth passage is for validation, and chooses no word."""
    found = passages()
    training = [passage for i, passage in enumerate(found) if i % SHARE]
    counts = Counter(word for text, _ in training for word in sorted(_words(text)))
    column = {word: i for i, (word, _) in enumerate(counts.most_common(WORDS))}

    def bags(part: list[tuple[str, int]]) -> tuple[Array, ...]:
        x = np.zeros((len(part), WORDS), np.float32)
        for row, (text, _) in enumerate(part):
            x[row, [column[word] for word in _words(text) if word in column]] = 1
        return x, np.array([label for _, label in part])

    return {"train": bags(training), "validation": bags(found[::SHARE])}


init, loss, evaluate = regression(WORDS, len(CHAPTERS), dropout=0.5)

task = Task(
    name="logreg-topics",
    doc="Logistic regression learns from the words of a passage which of ten chapters of Python's manual it is from.",
    init=init,
    loss=loss,
    evaluate=evaluate,
    data=data,
    lr=0.02,
    schedule="inverse-sqrt",
    epochs=40,
    batch_size=128,
    facts=facts,
)
