"""What ``optimizer.state[p]`` is: a dict that tells when it was changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any


class Entry(dict[str, Any]):
    """A parameter's state. To look for replaced tensors at every step costs as much as a small step.

    changes: a list that gets the name of each method that may have changed something. Copies, pickled ones too, are
    plain dicts.
    """

    def __init__(self, values: Mapping[str, Any], changes: list[str]) -> None:
        super().__init__(values)
        self.changes = changes

    def show(self, values: Mapping[str, Any], changes: list[str]) -> None:
        """Hold other tensors, for another list of changes."""
        if self.changes is not changes:
            self.changes.append("show")  # another optimizer may share this
        self.changes = []  # what follows is no change of the user's
        self.clear()
        self.update(values)
        self.changes = changes

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (dict(self),)


def _telling(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    @wraps(method)
    def tell(self: Entry, *args: Any, **kwargs: Any) -> Any:
        self.changes.append(name)
        return method(self, *args, **kwargs)

    return tell


for _name in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(Entry, _name, _telling(_name))
