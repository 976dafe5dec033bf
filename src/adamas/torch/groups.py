"""Parameter groups as people write them by hand: no decay for biases and norms, smaller steps for early layers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from torch import nn


class ParamGroups(list[dict[str, Any]]):
    """Parameter groups, for any optimizer; as text, a table of them."""

    def __str__(self) -> str:
        rows = [("group", "lr", "weight_decay", "tensors", "parameters", "such as")]
        for i, group in enumerate(self):
            pairs = group["params"]
            if "param_names" in group:  # an optimizer has taken the group
                pairs = list(zip(group["param_names"], pairs, strict=True))
            size = sum(p.numel() for _, p in pairs)
            lr = f"{group['lr']:.3g}" if "lr" in group else "–"
            rows.append((str(i), lr, f"{group['weight_decay']:g}", str(len(pairs)), f"{size:,}", pairs[0][0]))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def param_groups(
    model: nn.Module,
    weight_decay: float = 1e-2,
    no_decay: Iterable[str] = ("bias", "norm"),
    layer_decay: float | None = None,
    *,
    lr: float | None = None,
) -> ParamGroups:
    """Groups of a model's trainable parameters, with their names; print them to see a table.

    weight_decay: decay of all but the parameters that ``no_decay`` names, which have 0.
    no_decay: words; a parameter is meant if one occurs in its name or in the class name of its module, upper or lower
        case: "norm" means LayerNorm's weights, whatever they are called.
    layer_decay: factor on lr from each layer to the one before it, in (0, 1]. A layer is what shares a name up to its
        first number, in the model's order; what comes before them is the first layer, what comes after the last.
    lr: learning rate of the last layer, in parameter units per step; needed for ``layer_decay``, else left to the
        optimizer.

    Raises ValueError for a word that means no parameter, unless it is one of the defaults, or a factor out of range.
    """
    if layer_decay is not None and (lr is None or not 0 < layer_decay <= 1):
        raise ValueError(
            f"layer_decay={layer_decay!r} with lr={lr!r}: expected a factor in (0, 1], and the lr of the last layer"
        )
    kept = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not kept:
        raise ValueError("the model has no trainable parameter")
    words = (no_decay,) if isinstance(no_decay, str) else tuple(no_decay)
    for word in words:
        if word not in ("bias", "norm") and not any(_means(model, word, name) for name, _ in kept):
            raise ValueError(f"no_decay: {word!r} is in no parameter's name and no module's class name")
    layers = _layers([name for name, _ in kept])
    groups: dict[tuple[int, float], dict[str, Any]] = {}
    for (name, p), layer in zip(kept, layers, strict=True):
        decay = 0.0 if any(_means(model, word, name) for word in words) else weight_decay
        rate = {} if lr is None else {"lr": lr}
        if layer_decay is not None and lr is not None:
            rate = {"lr": lr * layer_decay ** (max(layers) - layer)}
        key = (layer if layer_decay is not None else 0, decay)
        groups.setdefault(key, {"params": [], **rate, "weight_decay": decay})["params"].append((name, p))
    return ParamGroups(groups[key] for key in sorted(groups, key=lambda k: (k[0], -k[1])))


def _means(model: nn.Module, word: str, name: str) -> bool:
    module = model.get_submodule(name.rpartition(".")[0])
    return word.lower() in name.lower() or word.lower() in type(module).__name__.lower()


def _layers(called: list[str]) -> list[int]:
    """The layer of each parameter: 0 for what comes before all numbered names, then one number a layer."""
    prefixes = [match.group() if (match := re.match(r"(?:[^.]*\.)*?\d+(?=\.)", name)) else None for name in called]
    order = {prefix: i for i, prefix in enumerate(dict.fromkeys(p for p in prefixes if p is not None), 1)}
    out, seen = [], False
    for prefix in prefixes:
        seen = seen or prefix is not None
        out.append(order[prefix] if prefix is not None else (len(order) + 1 if seen else 0))
    return out
