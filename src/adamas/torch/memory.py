"""Tensors as arrays and back, on the same memory, and checks of them.

A complex number is a pair of reals here, as in torch's optimizers.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import torch

from adamas.backends import Array

#: Parameter dtypes that can be stepped.
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex128, torch.complex64)

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def short(dtype: torch.dtype) -> str:
    """A dtype's name."""
    return str(dtype).removeprefix("torch.")


def number(value: Any) -> Any:
    """A hyper-parameter as numbers: of a tensor its value, of a tuple or list that of each member."""
    if isinstance(value, torch.Tensor):
        return value.item()
    return tuple(map(number, value)) if isinstance(value, (tuple, list)) else value


def array_of(tensor: torch.Tensor) -> Array:
    """A tensor's real words: of a complex one with one more axis, of two."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(BFLOAT16)
    return tensor.numpy()


def tensor_of(array: Array, is_complex: bool = False) -> torch.Tensor:
    """The tensor of which this array is the real words."""
    if array.dtype == BFLOAT16:
        tensor = torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    else:
        tensor = torch.from_numpy(array)
    return torch.view_as_complex(tensor) if is_complex else tensor


def check_parameter(name: str, p: torch.Tensor) -> None:
    """Raise TypeError or ValueError, with the remedy, unless the tensor can be stepped in place here."""
    if type(p) not in (torch.Tensor, torch.nn.Parameter):
        raise TypeError(f"{name}: a {type(p).__name__} is no plain tensor; pass the tensor that it wraps")
    if p.device.type != "cpu":
        raise ValueError(f"{name}: on device {p.device}; these optimizers run on the CPU: move the model with .cpu()")
    if p.layout != torch.strided:
        raise TypeError(f"{name}: {p.layout} parameter; pass p.to_dense()")
    if p.dtype not in DTYPES:
        raise TypeError(f"{name}: parameter of dtype {short(p.dtype)}; expected one of {', '.join(map(short, DTYPES))}")
    if p.is_conj() or p.is_neg():
        raise ValueError(f"{name}: a lazily conjugated or negated view; pass p.resolve_conj().resolve_neg()")


def check_gradient(name: str, p: torch.Tensor, g: Any, title: str) -> None:
    """Raise TypeError, ValueError or RuntimeError, with the remedy, unless p can be stepped with g."""
    if g.layout != torch.strided:
        raise RuntimeError(f"{title} does not support sparse gradients ({name}), please consider SparseAdam instead")
    if type(g) not in (torch.Tensor, torch.nn.Parameter):
        raise TypeError(f"{name}: the gradient is a {type(g).__name__}, no plain tensor")
    if g.device != p.device:
        raise ValueError(f"{name}: the gradient is on {g.device}, the parameter on {p.device}")
    if g.shape != p.shape:
        raise ValueError(f"{name}: gradient of shape {tuple(g.shape)} for a parameter of shape {tuple(p.shape)}")
    if g.dtype not in DTYPES or g.is_complex() != p.is_complex():
        raise TypeError(f"{name}: {g.dtype} gradient for a {p.dtype} parameter")
