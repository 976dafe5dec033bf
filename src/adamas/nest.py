"""A nest is an array, or a dict, list or tuple of nests. Leaves are named by their path: ``layers.0.weight``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
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


class Form:
    """The form of a nest: what another nest must look like to have its leaves taken in the same order."""

    def __init__(self, nest: Any, path: tuple[str, ...] = ()) -> None:
        self.path, self.kind = path, type(nest)
        children = _children(nest)
        self.keys = None if children is None else [key for key, _ in children]
        self.children = [Form(child, (*path, str(key))) for key, child in children or ()]
        self.flat = all(child.keys is None for child in self.children)

    def leaves(self, other: Any, what: str) -> list[Any]:
        """The leaves of a nest of this form; raises TypeError or ValueError, calling the nest ``what``."""
        if self.keys is None:
            return [other]
        if not self._fits(other):
            raise self._mismatch(other, what)
        parts = list(other) if isinstance(other, (list, tuple)) else [other[key] for key in self.keys]
        if self.flat:
            return parts
        return [leaf for child, part in zip(self.children, parts, strict=True) for leaf in child.leaves(part, what)]

    def _fits(self, other: Any) -> bool:
        keys = self.keys or []
        if issubclass(self.kind, dict):
            return isinstance(other, dict) and len(other) == len(keys) and all(key in other for key in keys)
        return isinstance(other, (list, tuple)) and len(other) == len(keys)

    def _mismatch(self, other: Any, what: str) -> Exception:
        where = f"{what}, {'.'.join(self.path)}" if self.path else what
        keys = self.keys or []
        if issubclass(self.kind, dict) and isinstance(other, dict):
            missing, extra = [k for k in keys if k not in other], [k for k in other if k not in keys]
            parts = [f"missing {missing}"] * bool(missing) + [f"unexpected {extra}"] * bool(extra)
            return ValueError(f"{where}: {' and '.join(parts)}; expected the keys of the parameters, {keys}")
        if isinstance(other, (list, tuple)) and not issubclass(self.kind, dict):
            return ValueError(f"{where}: expected {len(keys)} entries as in the parameters, got {len(other)}")
        names = self.kind.__name__, type(other).__name__
        return TypeError(f"{where}: expected a {names[0]} as in the parameters, got {names[1]}")


def differences(lacks: Iterable[Any], extra: Iterable[Any]) -> str:
    """``lacks a, b and has an unknown c``, or nothing if both are empty."""
    parts = [(text, sorted(map(str, found))) for text, found in (("lacks", lacks), ("has an unknown", extra))]
    return " and ".join(f"{text} {', '.join(found)}" for text, found in parts if found)


def nearest(word: str, words: Sequence[str]) -> str:
    """``; did you mean 'x'?`` for the closest of the words, or what there is."""
    close = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(words)}"
