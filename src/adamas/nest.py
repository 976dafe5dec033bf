"""A nest is an array, or a dict, list or tuple of nests. Leaves are named by their path: ``layers.0.weight``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

#: The name of the one leaf of a bare array.
BARE = "params"


def _children(nest: Any) -> list[tuple[Any, Any]] | None:
    """(key, child) of a dict, list or tuple; None for a leaf."""
    if isinstance(nest, dict):
        return list(nest.items())
    if isinstance(nest, (list, tuple)):
        return list(enumerate(nest))
    return None


def _walk(nest: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    children = _children(nest)
    if children is None:
        yield ".".join(path) or BARE, nest
        return
    for key, child in children:
        yield from _walk(child, (*path, str(key)))


def flatten(nest: Any) -> dict[str, Any]:
    """Leaves by name, in order; raises ValueError if two paths give one name."""
    leaves: dict[str, Any] = {}
    for name, leaf in _walk(nest, ()):
        if name in leaves:
            raise ValueError(f"two leaves are named {name!r}; use keys that differ as text and hold no dots")
        leaves[name] = leaf
    return leaves


def rebuild(nest: Any, leaves: Iterator[Any]) -> Any:
    """A nest of the same form with other leaves."""
    children = _children(nest)
    if children is None:
        return next(leaves)
    parts = [rebuild(child, leaves) for _, child in children]
    if isinstance(nest, dict):
        return dict(zip(nest, parts, strict=True))
    return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)


def match(nest: Any, other: Any, out: list[Any], path: tuple[str, ...] = ()) -> None:
    """Append to ``out`` the leaves of ``other``, which must have the form of ``nest``, in the order of ``nest``."""
    if isinstance(nest, dict):
        if not isinstance(other, dict) or len(other) != len(nest) or any(key not in other for key in nest):
            raise _mismatch(nest, other, path)
        pairs: Any = ((key, child, other[key]) for key, child in nest.items())
    elif isinstance(nest, (list, tuple)):
        if not isinstance(other, (list, tuple)) or len(other) != len(nest):
            raise _mismatch(nest, other, path)
        pairs = zip(range(len(nest)), nest, other, strict=True)
    else:
        out.append(other)
        return
    for key, child, twin in pairs:
        if isinstance(child, (dict, list, tuple)):
            match(child, twin, out, (*path, str(key)))
        else:
            out.append(twin)


def _mismatch(nest: Any, other: Any, path: tuple[str, ...]) -> Exception:
    where = ".".join(path) or "the gradients"
    if isinstance(nest, dict) and isinstance(other, dict):
        missing, extra = [k for k in nest if k not in other], [k for k in other if k not in nest]
        text = f"missing {missing}" if missing else ""
        text += f"{' and ' if missing and extra else ''}unexpected {extra}" if extra else ""
        return ValueError(f"{where}: {text}; gradients need the keys of the parameters, {list(nest)}")
    if isinstance(other, Sequence) and isinstance(nest, Sequence):
        return ValueError(f"{where}: expected {len(nest)} entries as in the parameters, got {len(other)}")
    kinds = type(nest).__name__, type(other).__name__
    return TypeError(f"{where}: expected a {kinds[0]} as in the parameters, got {kinds[1]}")


def nearest(word: str, words: Sequence[str]) -> str:
    """``; did you mean 'x'?`` for the closest of the words, or what there is."""
    close = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(words)}"
