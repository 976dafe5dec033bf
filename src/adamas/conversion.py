"""Between codecs: what arrays of a state hold, however they were kept, and the same numbers kept otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adamas.backends import Array, Tensor, arithmetic, matrix_of
from adamas.codecs import CODECS, Blocked, Codec, Matrix, Projecting, grids
from adamas.language import Rule
from adamas.state import BFLOAT16, Piece, layout
from adamas.weights import PLAIN

#: What an array of a leaf's state is called in an error.
Label = Callable[[str], str]


@dataclass(frozen=True)
class Found:
    """The slots of one leaf as somebody kept them: arrays that passed the checks, and the codecs that they are of."""

    codecs: dict[str, Codec]
    tensor: Tensor

    def like(self, codecs: Mapping[str, Codec], order: Sequence[int]) -> bool:
        """Whether another state with these codecs means the same by the same bits."""
        shape = self.tensor.p.shape
        blocked = any(isinstance(codec, Blocked) for codec in self.codecs.values())
        return self.codecs == codecs and (not blocked or lie(order, shape) == lie(self.tensor.order, shape))


def lie(order: Sequence[int], shape: Sequence[int]) -> list[int]:
    """An order of axes without those of which nothing is seen in memory."""
    return [axis for axis in order if shape[axis] != 1]


# ---------------------------------------------------------------------------------- finding


def find(
    rule: Rule,
    codecs: Mapping[str, Codec],
    tensor: Tensor,
    arrays: Mapping[str, Array],
    order: Sequence[int],
    label: Label,
    exact: bool,
) -> Found:
    """What arrays, of all slots of the rule, are as a state of a tensor, which has its own in ``codecs``.

    order: in which the axes lay in memory when codes were made. exact: no number may lose digits.
    Raises TypeError or ValueError, calling an array by its label, where nothing can be made of it.
    """
    found: dict[str, Codec] = {}
    for slot in rule.slots:
        found[slot.name] = codec = _codec(rule, slot.name, arrays, tensor.p.shape, label)
        mine = codecs[slot.name]
        if isinstance(codec, Projecting) and mine is not codec:
            raise ValueError(
                f"{label(slot.name)} was kept as {codec.name}, which {mine.name} is not made of; make the state with "
                "state_dict(portable=True), or the optimizer with the same state="
            )
    for name, piece in layout(rule, found, PLAIN, tensor.p.shape, tensor.p.dtype).items():
        head, dot, _ = name.partition(".")
        coded = isinstance(found[head], Blocked)
        check_array(label(name), piece, arrays[name], coded, exact)
        if coded and dot:
            _check_scales(label(name), arrays[name], name.endswith(".step"))
    return Found(found, Tensor(tensor.name, tensor.p, tuple(order), dict(arrays)))


def _codec(rule: Rule, slot: str, arrays: Mapping[str, Array], shape: tuple[int, ...], label: Label) -> Codec:
    """The codec of a slot, told by which arrays there are, and by dtype and shape."""
    parts = {name.partition(".")[2] for name in arrays if name.partition(".")[0] == slot}
    for codec in CODECS.values():
        if isinstance(codec, Projecting) and parts == set(codec.means):
            return codec
    coded = grids(rule.slots, dict.fromkeys((s.name for s in rule.slots), CODECS["int8"]))[slot]
    scales = " and ".join(label(f"{slot}.{scale}") for scale in coded.scales)
    if parts == {""}:
        dtype = arrays[slot].dtype
        if dtype == np.uint8:
            raise ValueError(f"{label(slot)} is uint8, codes, which mean nothing without {scales}")
        return CODECS["bfloat16" if dtype == BFLOAT16 else "float32"]
    if parts != {"", *coded.scales}:
        known = f"{label(slot)}, alone or with {scales}"
        raise ValueError(f"{', '.join(sorted(map(label, arrays)))}: no codec has these arrays; expected {known}")
    if arrays[slot].dtype != np.uint8:
        raise TypeError(f"{label(slot)} is {arrays[slot].dtype}, expected uint8: beside {scales} there are codes")
    return CODECS["int8" if arrays[slot].shape == shape else "int4"]


def check_array(label: str, piece: Piece, given: Array, coded: bool = False, exact: bool = True) -> None:
    """Raise TypeError or ValueError unless the array can be taken for the piece; ``coded``: which is no number."""
    if given.shape != piece.shape:
        raise ValueError(
            f"{label} has shape {given.shape}, expected {piece.shape}; it belongs to another leaf or another state="
        )
    is_complex = given.dtype.kind == "c"
    number = is_complex or given.dtype.kind == "f" or given.dtype == BFLOAT16
    if given.dtype != piece.dtype and (coded or not number or (is_complex and piece.dtype.kind != "c")):
        raise TypeError(f"{label} is {given.dtype}, expected {piece.dtype}")
    if exact and number and not np.can_cast(given.dtype, piece.dtype, "safe"):
        raise ValueError(f"{label} is {given.dtype}, which {piece.dtype} cannot hold exactly")


def _check_scales(label: str, given: Array, whole: bool) -> None:
    wrong = ~((given < 2.0**126) & (given >= 0))
    if whole:
        wrong |= (given != np.trunc(given)) | (given > 2**28)
    if wrong.any():
        expected = "whole numbers" if whole else "numbers below 2¹²⁶"
        raise ValueError(f"{label} holds {given[wrong][0]}, expected {expected} of at least 0")


# ------------------------------------------------------------------------------- converting


def numbers(rule: Rule, codecs: Mapping[str, Codec], tensor: Tensor) -> dict[str, Array]:
    """The number of each element of each slot, in the parameter's shape."""
    from adamas.backends.reference import Value, decode

    shape, order, matrix = tensor.p.shape, tensor.order, matrix_of(rule, codecs, tensor.p.shape)
    out: dict[str, Array] = {}
    for name, flat in decode(tensor, grids(rule.slots, codecs), matrix).items():
        out[name] = flat.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))
    for name, codec in codecs.items():
        if isinstance(codec, Projecting):
            assert matrix
            n, rows, columns = matrix
            lines = {m: (n, 1, columns) if m == "column" else (n, rows, 1) for m in codec.means}
            means = {m: Value(tensor.state[f"{name}.{m}"].reshape(line)) for m, line in lines.items()}
            out[name] = np.broadcast_to(codec.decode(**means).x, matrix).reshape(shape)
        elif name not in out:
            out[name] = tensor.state[name]
    return {name: out[name] for name in codecs}


def portable(rule: Rule, codecs: Mapping[str, Codec], tensor: Tensor) -> dict[str, Array]:
    """… as new arrays of the dtype that they are computed with."""
    wide = arithmetic(tensor.p.dtype)
    found = numbers(rule, codecs, tensor).items()
    return {name: np.array(x, np.result_type(wide, np.complex64) if x.dtype.kind == "c" else wide) for name, x in found}


def take(rule: Rule, codecs: Mapping[str, Codec], tensor: Tensor, found: Found) -> None:
    """Take over what was found: bit by bit, or through float32 where it was kept otherwise, and rounded to nearest."""
    with np.errstate(all="ignore"):
        same = found.like(codecs, tensor.order)
        new = found.tensor.state if same else _converted(rule, codecs, tensor, found)
        for name, array in new.items():
            tensor.state[name][...] = array.reshape(tensor.state[name].shape)


def difference(codecs: Mapping[str, Codec], tensor: Tensor, found: Found) -> str:
    """How what was found was kept, and is kept here, in words; nothing if it is the same."""
    for name, codec in codecs.items():
        kinds = [_kind(c, t.state.get(name)) for c, t in ((found.codecs[name], found.tensor), (codec, tensor))]
        if kinds[0] != kinds[1]:
            return f"{kinds[0]} in the file, {kinds[1]} here, as declared by state="
    same = found.like(codecs, tensor.order)
    return "" if same else f"for axes that lay in memory as {found.tensor.order}, here as {tensor.order}"


def _kind(codec: Codec, array: Array | None) -> str:
    return codec.name if isinstance(codec, (Blocked, Projecting)) or array is None else array.dtype.name


def _converted(rule: Rule, codecs: Mapping[str, Codec], tensor: Tensor, found: Found) -> dict[str, Array]:
    """Rounds the slots that are into the tensor's state; returns the arrays of the others."""
    from adamas.backends.reference import encode

    values = numbers(rule, found.codecs, found.tensor)
    rounded, matrix = grids(rule.slots, codecs), matrix_of(rule, codecs, tensor.p.shape)
    coded = {*rounded, *(grid.root for grid in rounded.values() if grid.root)}
    fresh = {name: values[name].astype(np.float32).transpose(tensor.order).ravel() for name in coded}
    for name in (name for name, grid in rounded.items() if "step" in grid.scales):
        tensor.state[f"{name}.step"][...] = 0  # else an earlier grid would be kept as long as it reaches
    encode(tensor, rounded, matrix, fresh, None)
    out: dict[str, Array] = {}
    for name, codec in codecs.items():
        if name in rounded:
            continue
        if found.codecs[name] is codec:
            out |= {key: array for key, array in found.tensor.state.items() if key.partition(".")[0] == name}
        elif isinstance(codec, Projecting):
            out |= {f"{name}.{mean}": line for mean, line in _means(codec, values[name], matrix).items()}
        else:
            out[name] = values[name]
    return out


def _means(codec: Projecting, x: Array, matrix: Matrix | None) -> dict[str, Array]:
    """What a projecting codec keeps of numbers."""
    assert matrix
    if not x.size:
        return {}
    x = np.where(np.isfinite(x), x, 0).astype(np.float64).reshape(matrix)
    row, whole = x.mean(2), x.mean((1, 2))[:, None]
    lines = {"row": row, "column": x.mean(1), "share": np.where(whole > 0, row / whole, 0)}
    return {mean: lines[mean] for mean in codec.means}
