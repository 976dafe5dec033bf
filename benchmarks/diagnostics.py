"""What diagnostics cost: a step that is looked at beside one that is not.

    python benchmarks/diagnostics.py

Float32 parameters of three kinds: one large array, the arrays of a small transformer, those of the task digits-mlp.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from common import Quartiles, interleave, normal, parse, parser, report

import adamas

EVERY = 100  # steps to a look, as the docs advise
Shapes = list[tuple[int, ...]]


def transformer(layers: int = 12, width: int = 256, words: int = 8000) -> Shapes:
    """Twelve arrays a layer (two norms, attention, two wide maps, with biases), and six around them."""
    norm, square, wide = [(width,), (width,)], (width, width), (width, 4 * width)
    layer = [*norm, (width, 3 * width), (3 * width,), square, (width,), *norm, wide, wide[1:], wide[::-1], (width,)]
    return [(words, width), (256, width), *layer * layers, *norm, (width, words), (words,)]


SIZES: dict[str, Shapes] = {
    "one array": [(16_000_000,)],
    "a transformer": transformer(),
    "digits-mlp": [(64, 256), (256,), (256, 256), (256,), (256, 10), (10,)],
}
QUICK = SIZES | {"one array": [(100_000,)], "a transformer": transformer(2, 32, 100)}


def measure(rule: str, shapes: Shapes, pairs: int) -> dict[str, list[float]]:
    """Seconds of a step without and with a look at it."""
    grads = [normal(s, i) for i, s in enumerate(shapes)]

    def stepper(every: int | None) -> Callable[[], object]:
        params = [normal(s, 1000 + i) for i, s in enumerate(shapes)]
        optimizer = adamas.optimizer_class(rule)(params, diagnostics_every=every)
        return lambda: optimizer.step(grads)

    inner = max(1, min(200, 2_000_000 // sum(map(math.prod, shapes))))
    return interleave({"step": stepper(None), "looked at": stepper(1)}, pairs, inner)


def main() -> None:
    """Run all sizes."""
    made = parser(__doc__)
    made.add_argument("--rule", default="adamw", help="the rule that steps (default adamw)")
    options: argparse.Namespace = parse(made)
    adamas.set_num_threads(options.threads)
    rows, data = [], {}
    for label, shapes in (QUICK if options.quick else SIZES).items():
        seconds = data[label] = measure(options.rule, shapes, options.pairs)
        step = Quartiles.of(1e3 * s for s in seconds["step"])
        look = Quartiles.of(b / a - 1 for a, b in zip(seconds["step"], seconds["looked at"], strict=True))
        share = f"{100 * look.median / EVERY:.1f}"
        rows.append([label, f"{len(shapes)}", f"{sum(map(math.prod, shapes)):,}", step.text(), look.text(), share])
    columns = ["", "arrays", "elements", "step, ms", "look / step", f"% of {EVERY} steps"]
    report(f"{options.rule}, float32: median (quartiles)", columns, rows, data, options)


if __name__ == "__main__":
    main()
