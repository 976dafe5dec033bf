"""Made by tools/stubs.py from the table of torch's names; not to be edited."""

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor
from torch.optim.optimizer import ParamsT

from adamas.torch.backward import in_backward as in_backward
from adamas.torch.groups import param_groups as param_groups
from adamas.torch.optimizer import Optimizer as Optimizer
from adamas.torch.sparse import SparseAdam as SparseAdam
from adamas.torch.table import ROWS as ROWS

class Adam(Optimizer):
    """Adam (Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 1).

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        p ← p − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

    ``weight_decay`` adds wd·p to the gradient; for decay beside the step take AdamW.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0
        Strength of the decay towards zero.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), v (exp_avg_sq). Codecs, with the bytes of an element:
        "float32" 4, "bfloat16" 2, "int8" 1, "int4" 1/2, "factored" 4/columns + 4/rows, "mean" 4/columns.
        Parameters of fewer than 4,096 elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
        too, which "bfloat16" rounds up.
    state_exclude : str or list of str
        Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
        group says. Parameters must have names (``model.named_parameters()``).
    max_grad_norm : float or None
        Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
    nonfinite : "propagate", "skip" or "raise"
        What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
        raise FloatingPointError with nothing changed.
    weights : None, "stochastic", "kahan" or "master"
        How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
        stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
    seed : int
        Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
    ema : float or None
        Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
    diagnostics_every : None or int
        Look at the first step and at every so-manieth from there, for ``diagnostics()``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an option, value, dtype or shape that cannot be used; nothing has been changed then.
    """
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class AdamW(Optimizer):
    """AdamW: Adam with decay beside the step (Loshchilov & Hutter, 2019, arXiv:1711.05101, Algorithm 2).

        p ← p − lr · (m̂ / (√v̂ + ε) + wd · p)

    The decay is scaled by lr, as in torch.optim.AdamW, whose defaults these are.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0.01
        Strength of the decay towards zero.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), v (exp_avg_sq). Codecs, with the bytes of an element:
        "float32" 4, "bfloat16" 2, "int8" 1, "int4" 1/2, "factored" 4/columns + 4/rows, "mean" 4/columns.
        Parameters of fewer than 4,096 elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
        too, which "bfloat16" rounds up.
    state_exclude : str or list of str
        Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
        group says. Parameters must have names (``model.named_parameters()``).
    max_grad_norm : float or None
        Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
    nonfinite : "propagate", "skip" or "raise"
        What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
        raise FloatingPointError with nothing changed.
    weights : None, "stochastic", "kahan" or "master"
        How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
        stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
    seed : int
        Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
    ema : float or None
        Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
    diagnostics_every : None or int
        Look at the first step and at every so-manieth from there, for ``diagnostics()``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an option, value, dtype or shape that cannot be used; nothing has been changed then.
    """
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class Adamax(Optimizer):
    """AdaMax (Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 2), with torch's ε.

        n ← max(β₂ n, |g| + ε)
        p ← p − lr · (m / (1 − β₁ᵗ)) / n

    The paper has no ε and divides 0 by 0 where every gradient so far was zero. It bounds a step by lr; the
    exact bound is lr·(1 − β₁)/(1 − β₁ᵗ)·Σ (β₁/β₂)ᵏ over k < t, at most 1.0091 lr with these defaults.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.002
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0
        Strength of the decay towards zero.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), n (exp_inf). Codecs, with the bytes of an element:
        "float32" 4, "bfloat16" 2, "int8" 1, "int4" 1/2, "factored" 4/columns + 4/rows, "mean" 4/columns.
        Parameters of fewer than 4,096 elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
        too, which "bfloat16" rounds up.
    state_exclude : str or list of str
        Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
        group says. Parameters must have names (``model.named_parameters()``).
    max_grad_norm : float or None
        Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
    nonfinite : "propagate", "skip" or "raise"
        What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
        raise FloatingPointError with nothing changed.
    weights : None, "stochastic", "kahan" or "master"
        How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
        stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
    seed : int
        Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
    ema : float or None
        Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
    diagnostics_every : None or int
        Look at the first step and at every so-manieth from there, for ``diagnostics()``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an option, value, dtype or shape that cannot be used; nothing has been changed then.
    """
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.002,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class NAdam(Optimizer):
    """NAdam: Adam with Nesterov's momentum, as torch (Dozat, 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ).

        μₜ = β₁ (1 − ½ · 0.96^(t ψ))              ψ: momentum_decay
        M ← M μₜ                                  the product of all μ so far
        p ← p − lr · ((1 − μₜ)/(1 − M) g + μₜ₊₁/(1 − M μₜ₊₁) m) / (√(v / (1 − β₂ᵗ)) + ε)

    optax's NAdam takes a constant μ = β₁, another algorithm.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.002
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0
        Strength of the decay towards zero.
    momentum_decay : default 0.004
        Ψ, how soon the momentum reaches β₁ (per step).
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), v (exp_avg_sq). Codecs, with the bytes of an element:
        "float32" 4, "bfloat16" 2, "int8" 1, "int4" 1/2, "factored" 4/columns + 4/rows, "mean" 4/columns.
        Parameters of fewer than 4,096 elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
        too, which "bfloat16" rounds up.
    state_exclude : str or list of str
        Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
        group says. Parameters must have names (``model.named_parameters()``).
    max_grad_norm : float or None
        Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
    nonfinite : "propagate", "skip" or "raise"
        What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
        raise FloatingPointError with nothing changed.
    weights : None, "stochastic", "kahan" or "master"
        How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
        stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
    seed : int
        Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
    ema : float or None
        Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
    diagnostics_every : None or int
        Look at the first step and at every so-manieth from there, for ``diagnostics()``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an option, value, dtype or shape that cannot be used; nothing has been changed then.
    """
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.002,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0,
        momentum_decay: float = 0.004,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class RAdam(Optimizer):
    """RAdam: Adam whose first steps wait for a trustworthy v (Liu et al., 2020, arXiv:1908.03265, Algorithm 2).

        ρ∞ = 2/(1 − β₂) − 1,   ρ = ρ∞ − 2 t β₂ᵗ/(1 − β₂ᵗ)
        r = √((ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ))
        p ← p − lr · r · m̂ / ((√v + ε) / √(1 − β₂ᵗ))        if ρ > 5
        p ← p − lr · m̂                                      otherwise

    As in torch, ε is added to √v before its bias correction, and the threshold is 5 where the paper has 4.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0
        Strength of the decay towards zero.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), v (exp_avg_sq). Codecs, with the bytes of an element:
        "float32" 4, "bfloat16" 2, "int8" 1, "int4" 1/2, "factored" 4/columns + 4/rows, "mean" 4/columns.
        Parameters of fewer than 4,096 elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
        too, which "bfloat16" rounds up.
    state_exclude : str or list of str
        Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
        group says. Parameters must have names (``model.named_parameters()``).
    max_grad_norm : float or None
        Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
    nonfinite : "propagate", "skip" or "raise"
        What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
        raise FloatingPointError with nothing changed.
    weights : None, "stochastic", "kahan" or "master"
        How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
        stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
    seed : int
        Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
    ema : float or None
        Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
    diagnostics_every : None or int
        Look at the first step and at every so-manieth from there, for ``diagnostics()``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an option, value, dtype or shape that cannot be used; nothing has been changed then.
    """
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class Adafactor(Optimizer):
    """Adafactor (Shazeer & Stern, 2018, arXiv:1804.04235, Algorithms 4 and 5).

        v ← β₂ v + (1 − β₂) (g² + ε₁)          β₂ = 1 − tᵞ, γ = −0.8
        u ← g / √v
        u ← u / max(1, RMS(u) / d)
        p ← p − max(ε₂, RMS(p)) · min(lr, 1/√t) · u

    A matrix keeps only the row and column means of v (the ``factored`` codec); a vector keeps v.
    ``weight_decay`` (not in the paper) shrinks p by lr·wd a step, as in torch.optim.Adafactor; torch also clamps
    by ε₁ where the paper adds it.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.01
        Learning rate, in parameter units per step.
    beta2_decay : default -0.8
        Γ, the exponent by which β₂ = 1 − tᵞ nears 1.
    eps : default (None, 0.001)
        Ε₁ in units of g², and ε₂, the least RMS(p) in parameter units.
    weight_decay : default 0.0
        Strength of the decay towards zero.
    d : default 1.0
        Largest root mean square of an update before lr (unit-less).
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: v (variance). Codecs, with the bytes of an element:
        "float32" 4, "bfloat16" 2, "int8" 1, "int4" 1/2, "factored" 4/columns + 4/rows, "mean" 4/columns.
        Parameters of fewer than 4,096 elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
        too, which "bfloat16" rounds up.
    state_exclude : str or list of str
        Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
        group says. Parameters must have names (``model.named_parameters()``).
    max_grad_norm : float or None
        Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
    nonfinite : "propagate", "skip" or "raise"
        What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
        raise FloatingPointError with nothing changed.
    weights : None, "stochastic", "kahan" or "master"
        How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
        stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
    seed : int
        Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
    ema : float or None
        Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
    diagnostics_every : None or int
        Look at the first step and at every so-manieth from there, for ``diagnostics()``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an option, value, dtype or shape that cannot be used; nothing has been changed then.
    """
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.01,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 0.001),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        state: str | Mapping[str, str] | None = None,
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class AMSGrad(Optimizer):
    """AMSGrad (Reddi, Kale & Kumar, 2018, arXiv:1904.09237, Algorithm 2), with Adam's bias corrections.

        w ← max(w, v)
        p ← p − lr · (m / (1 − β₁ᵗ)) / (√(w / (1 − β₂ᵗ)) + ε)

    The maximum is over the raw v, as in torch; optax takes it over the bias-corrected v, another algorithm.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0.0
        Strength of the decay towards zero.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), v (exp_avg_sq), w (max_exp_avg_sq). Codecs, with the bytes of an element:
        "float32" 4, "bfloat16" 2, "int8" 1, "int4" 1/2, "factored" 4/columns + 4/rows, "mean" 4/columns.
        Parameters of fewer than 4,096 elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
        too, which "bfloat16" rounds up.
    state_exclude : str or list of str
        Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
        group says. Parameters must have names (``model.named_parameters()``).
    max_grad_norm : float or None
        Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
    nonfinite : "propagate", "skip" or "raise"
        What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
        raise FloatingPointError with nothing changed.
    weights : None, "stochastic", "kahan" or "master"
        How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
        stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
    seed : int
        Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
    ema : float or None
        Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
    diagnostics_every : None or int
        Look at the first step and at every so-manieth from there, for ``diagnostics()``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an option, value, dtype or shape that cannot be used; nothing has been changed then.
    """
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class LAMB(Optimizer):
    """LAMB (You et al., 2020, arXiv:1904.00962, Algorithm 2, φ the identity).

    u ← m̂ / (√v̂ + ε) + wd · p
    p ← p − lr · (‖p‖ / ‖u‖) · u          for each tensor; the ratio is 1 where either norm is 0

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-06
        Added to the denominator, in units of the gradient.
    weight_decay : default 0.0
        Strength of the decay towards zero.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), v (exp_avg_sq). Codecs, with the bytes of an element:
        "float32" 4, "bfloat16" 2, "int8" 1, "int4" 1/2, "factored" 4/columns + 4/rows, "mean" 4/columns.
        Parameters of fewer than 4,096 elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
        too, which "bfloat16" rounds up.
    state_exclude : str or list of str
        Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
        group says. Parameters must have names (``model.named_parameters()``).
    max_grad_norm : float or None
        Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
    nonfinite : "propagate", "skip" or "raise"
        What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
        raise FloatingPointError with nothing changed.
    weights : None, "stochastic", "kahan" or "master"
        How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
        stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
    seed : int
        Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
    ema : float or None
        Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
    diagnostics_every : None or int
        Look at the first step and at every so-manieth from there, for ``diagnostics()``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an option, value, dtype or shape that cannot be used; nothing has been changed then.
    """
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-06,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class Prodigy(Optimizer):
    """Prodigy: Adam that estimates its own learning rate (Mishchenko & Defazio, 2024, arXiv:2306.06101, Algorithm 4).

        r ← β₃ r + (d/d₀) k · Σ⟨g, p₀ − p⟩        k = d · lr, β₃ = √β₂
        s ← β₃ s + (d/d₀) k · g
        m ← β₁ m + (1 − β₁) d g
        v ← β₂ v + (1 − β₂) d² g²
        d ← max(d, c · r / Σ|s|)
        p ← p − k · (m / (√v + d ε) + wd · p)      with the k before d grew

    Sums run over all tensors. Leave ``lr`` at 1 and give its schedule there. As the authors' package, which also
    rules that the first growth of d is free and later ones are bounded by ``growth_rate``.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 1.0
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0.0
        Strength of the decay towards zero.
    d0 : default 1e-06
        First estimate of the distance to the solution, in parameter units.
    d_coef : default 1.0
        Factor on that estimate.
    growth_rate : default inf
        Largest growth of the estimate per step.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), v (exp_avg_sq), s (s), p0 (p0). Codecs, with the bytes of an element:
        "float32" 4, "bfloat16" 2, "int8" 1, "int4" 1/2, "factored" 4/columns + 4/rows, "mean" 4/columns.
        Parameters of fewer than 4,096 elements keep float32 instead of int8 and int4. Maxima (amsgrad's) keep float32,
        too, which "bfloat16" rounds up.
    state_exclude : str or list of str
        Name patterns of parameters whose state stays float32, such as ``("*embed*", "lm_head.*")``, whatever their
        group says. Parameters must have names (``model.named_parameters()``).
    max_grad_norm : float or None
        Largest global 2-norm of all gradients together, in their units; larger ones are scaled down within the step.
    nonfinite : "propagate", "skip" or "raise"
        What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
        raise FloatingPointError with nothing changed.
    weights : None, "stochastic", "kahan" or "master"
        How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
        stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. By group too.
    seed : int
        Of stochastic rounding: its bits are a hash of seed, parameter name, step and element. By group too.
    ema : float or None
        Decay per step of an average of the parameters, kept in the same pass; see ``averaged()``.
    diagnostics_every : None or int
        Look at the first step and at every so-manieth from there, for ``diagnostics()``.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        For an option, value, dtype or shape that cannot be used; nothing has been changed then.
    """
    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        d0: float = 1e-06,
        d_coef: float = 1.0,
        growth_rate: float = ...,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...
