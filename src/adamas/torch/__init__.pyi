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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class SGD(Optimizer):
    """SGD with momentum (Polyak, 1964), as torch: the momentum begins at the first gradient, and ``dampening`` is 0.

        m ← μ m + (1 − τ) g          m ← g at the first step; τ: dampening
        p ← p − lr · m

    ``weight_decay`` adds wd·p to the gradient. Without momentum, the default, m is the
    gradient, and is kept all the same.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    momentum : default 0
        Μ, the share of the momentum that a step keeps.
    dampening : default 0
        Τ, what is taken off the gradient's share (unit-less).
    weight_decay : default 0
        Strength of the decay towards zero.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (momentum_buffer). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: float = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class RMSprop(Optimizer):
    """RMSProp (Tieleman & Hinton, 2012, lecture 6e of their course "Neural networks for machine learning"), as torch.

    v ← α v + (1 − α) g²
    p ← p − lr · g / (√v + ε)

    v begins at zero and is not corrected for it: the first steps are up to 1/√(1 − α) times lr. ``weight_decay`` adds
    wd·p to the gradient.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.01
        Learning rate, in parameter units per step.
    alpha : default 0.99
        Decay of the mean of squares per step (unit-less).
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
        Slots: v (square_avg). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        alpha: float = 0.99,
        eps: float = 1e-08,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: float = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class Adagrad(Optimizer):
    """AdaGrad (Duchi, Hazan & Singer, 2011, JMLR 12:2121), as torch.

        v ← v + g²
        p ← p − lr/(1 + (t − 1) η) · g / (√v + ε)        η: lr_decay

    v only grows, so that steps shrink as 1/√t at best. optax begins v at 0.1, torch and this at 0.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.01
        Learning rate, in parameter units per step.
    lr_decay : default 0
        Η, by which lr falls as 1/(1 + (t − 1) η).
    weight_decay : default 0
        Strength of the decay towards zero.
    eps : default 1e-10
        Added to the denominator, in units of the gradient.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: v (sum). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        state: str | Mapping[str, str] | None = "float32",
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class AMSGradOptax(Optimizer):
    """AMSGrad as optax has it (after Reddi, Kale & Kumar, 2018, arXiv:1904.09237): a maximum of bias-corrected v.

        w ← max(w, v / (1 − β₂ᵗ))
        p ← p − lr · (m / (1 − β₁ᵗ)) / (√w + ε)

    torch and ``amsgrad`` take it over the raw v, another algorithm: there the first gradients do not count for more.

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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class AdaBelief(Optimizer):
    """AdaBelief (Zhuang et al., 2020, arXiv:2010.07468, Algorithm 2): steps are long where gradients are as foreseen.

        m ← β₁ m + (1 − β₁) g
        s ← β₂ s + (1 − β₂) (g − m)² + ε
        p ← p − lr · (m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + ε)        then p shrinks by lr·wd

    ε stands in both places, as in the paper and in optax. The authors' package also rectifies as RAdam; this does not.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-16
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
        Slots: m (exp_avg), s (s). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        eps: float = 1e-16,
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class Yogi(Optimizer):
    """Yogi (Zaheer et al., 2018, NeurIPS "Adaptive methods for nonconvex optimization", Algorithm 2): v changes slowly.

        m ← β₁ m + (1 − β₁) g
        v ← v − (1 − β₂) sign(v − g²) g²
        p ← p − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)        then p shrinks by lr·wd

    v begins at 1e-6. The bias corrections are not in the paper's algorithm; optax has them, and begins m at 1e-6, too.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.01
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 0.001
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 0.001,
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class LaProp(Optimizer):
    """LaProp: gradients are divided before they are averaged (Ziyin, Wang & Ueda, 2020, arXiv:2002.04839, Algorithm 1).

        v ← β₂ v + (1 − β₂) g²
        m ← β₁ m + (1 − β₁) g / (√(v / (1 − β₂ᵗ)) + ε)
        p ← p − lr · (m / (1 − β₁ᵗ) + wd · p)

    β₁ and β₂ may be chosen apart: whatever they are, a step is an average of g/√v̂. The authors' package puts lr into
    m, which differs where lr changes.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.0004
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-15
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        lr: float | Tensor = 0.0004,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-15,
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class ADOPT(Optimizer):
    """ADOPT: Adam that converges with any β₂ (Taniguchi et al., 2024, arXiv:2411.02853, Algorithm 2).

    n ← g / max(√v, ε), of a modulus of at most (t − 1)^¼        v of the steps before, so that it knows no g
    m ← β₁ m + (1 − β₁) n
    v ← β₂ v + (1 − β₂) g²                                       v = g² at the first step, where m stays 0
    p ← p − lr · (m + wd · p)

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.9999)
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.9999),
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class Adan(Optimizer):
    """Adan: Nesterov's momentum from differences of gradients (Xie et al., 2022, arXiv:2208.06677, Algorithm 1).

        δ ← g − g₀,  g₀ ← g                              δ is 0 at the first step
        m ← β₁ m + (1 − β₁) g
        d ← β₂ d + (1 − β₂) δ
        v ← β₃ v + (1 − β₃) (g + β₂ δ)²
        p ← (p − lr · (m̂ + β₂ d̂) / (√v̂ + ε)) / (1 + lr wd)

    As the authors' package: βs are what is kept (the paper's are what is taken in), and each average is corrected by
    its own 1 − βᵗ. optax decays beside the step instead of dividing, and weighs δ and d̂ by 1 − β₂ instead of β₂.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.98, 0.92, 0.99)
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
        Slots: m (exp_avg), d (d), v (exp_avg_sq), g0 (g0). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        betas: tuple[float | Tensor, float | Tensor, float | Tensor] = (0.98, 0.92, 0.99),
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class AdEMAMix(Optimizer):
    """AdEMAMix: Adam with a second, slow momentum (Pagliardini, Ablin & Grangier, 2024, arXiv:2409.03137, Algorithm 1).

        m ← β₁ m + (1 − β₁) g
        s ← β₃(t) s + (1 − β₃(t)) g
        v ← β₂ v + (1 − β₂) g²
        p ← p − lr · ((m / (1 − β₁ᵗ) + α(t) s) / (√(v / (1 − β₂ᵗ)) + ε) + wd · p)

        α(t) = min(1, t/T) α,   ln β₃(t) = ln β₁ ln β₃ / ((1 − t/T) ln β₃ + (t/T) ln β₁) up to t = T, then β₃

    T, ``warmup``, is best the length of the run; 0 has α and β₃ from the start. The paper's schedules of α and β₃ may
    have two lengths; here they have one.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999, 0.9999)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0.0
        Strength of the decay towards zero.
    alpha : default 5.0
        Weight of the slow momentum beside the fast one's 1.
    warmup : default 0.0
        T, steps over which alpha and β₃ reach their values.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), s (s), v (exp_avg_sq). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        betas: tuple[float | Tensor, float | Tensor, float | Tensor] = (0.9, 0.999, 0.9999),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        alpha: float = 5.0,
        warmup: float = 0.0,
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class MARSAdamW(Optimizer):
    """MARS-AdamW: AdamW on gradients whose variance was reduced (Yuan et al., 2024, arXiv:2411.10438, Algorithm 2).

        c ← g + γ β₁/(1 − β₁) (g − g₀),  g₀ ← g            g₀ = g at the first step
        c ← c / max(1, ‖c‖)                                for each tensor
        p ← AdamW's step with c for g

    This is the paper's approximate form, which takes g₀ from the batch before. The authors' package begins with g₀ = 0,
    and by default leaves vectors to plain AdamW; this treats every tensor alike.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.003
        Learning rate, in parameter units per step.
    betas : default (0.95, 0.99)
        Decay of the moving averages per step (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0.0
        Strength of the decay towards zero.
    gamma : default 0.025
        Γ, the strength of the correction (unit-less).
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), v (exp_avg_sq), g0 (g0). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        lr: float | Tensor = 0.003,
        betas: tuple[float | Tensor, float | Tensor] = (0.95, 0.99),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        gamma: float = 0.025,
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class AdamAtan2(Optimizer):
    """Adam-atan2: no ε, and steps that do not depend on the gradients' scale (Everett et al., 2024, arXiv:2407.05872).

        m, v as Adam
        p ← p − lr · (a · atan2(m / (1 − β₁ᵗ), b √(v / (1 − β₂ᵗ))) + wd · p)

    A step is at most lr·a·π/2. Where |m̂| is small beside √v̂ it is AdamW's times a/b; a = 4/π makes the step of a
    constant gradient 1. The paper has a = b = 1; a = 1.27 is customary since.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Decay of the moving averages per step (unit-less).
    weight_decay : default 0.0
        Strength of the decay towards zero.
    a : default 1.2732395447351628
        Factor on the angle (unit-less).
    b : default 1.0
        Factor on √v̂ (unit-less).
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        weight_decay: float = 0.0,
        a: float = 1.2732395447351628,
        b: float = 1.0,
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class StableAdamW(Optimizer):
    """StableAdamW: AdamW whose steps shrink where v lags behind (Wortsman et al., 2023, arXiv:2304.13013, Algorithm 2).

        r = √mean(g² / max(v̂, ε²))                        over each tensor
        p ← p − lr / max(1, r) · (m̂ / (√v̂ + ε) + wd · p)

    The bias corrections of Adam are the paper's β̂ = β (1 − βᵗ⁻¹)/(1 − βᵗ), written out.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.99)
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.99),
        eps: float = 1e-08,
        weight_decay: float = 0.01,
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class Lion(Optimizer):
    """Lion (Chen et al., 2023, arXiv:2302.06675, Algorithm 2): the sign of a momentum, with one slot.

    p ← p − lr · (sign(β₁ m + (1 − β₁) g) + wd · p)
    m ← β₂ m + (1 − β₂) g

    Every element moves by lr, so that lr should be 3 to 10 times smaller than Adam's, and wd as many times larger.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.0001
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.99)
        Decay of the moving averages per step (unit-less).
    weight_decay : default 0.0
        Strength of the decay towards zero.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        lr: float | Tensor = 0.0001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.99),
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class AdamMini(Optimizer):
    """Adam-mini: AdamW with one v for each output neuron (Zhang et al., 2024, arXiv:2406.16793, Algorithm 1).

        v ← β₂ v + (1 − β₂) mean(g²)          over all weights of one output, the rest of a tensor's first dimension
        p ← AdamW's step with that v

    It is AdamW with ``state={"v": "mean"}``. The paper has one v a head for queries and keys; here each of their rows
    has its own. A vector has one v.

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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        state: str | Mapping[str, str] | None = None,
        state_exclude: str | Sequence[str] = (),
        max_grad_norm: float | None = None,
        nonfinite: Literal["propagate", "skip", "raise"] = "propagate",
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class LazyAdam(Optimizer):
    """Lazy Adam: elements whose gradient is exactly zero rest, moments and all (as torch's SparseAdam does for rows).

        m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²            where g ≠ 0
        p ← p − lr · √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε)           there alone

    For gradients that are zero where there was no data, such as those of embeddings. t counts the tensor's steps, so
    that a rare element is corrected less than it should be. ε beside the raw √v: Kingma & Ba, 2015, arXiv:1412.6980,
    end of section 2.

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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class ScheduleFreeAdamW(Optimizer):
    """Schedule-Free AdamW: averaging instead of a schedule (Defazio et al., 2024, arXiv:2405.15682, Algorithm 1).

        n = g / (√(v / (1 − β₂ᵗ)) + ε) + wd · y
        z ← z − γ n                                        γ = lr · min(1, t/T),  T: warmup
        x ← (1 − c) x + c z                                c = γ̂² / Σ γ̂²,  γ̂ the largest γ so far
        y = (1 − β₁) z + β₁ x

    p is y while training: gradients are taken there. x is what to evaluate with and to keep: ``eval_params()`` here,
    ``optimizer.eval()`` in PyTorch. lr stays constant; it is 1 to 10 times Adam's. As the authors' package, whose ``r``
    is 0 and ``weight_lr_power`` 2. β₁ must not be 0: x could not be had from y and z.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.0025
        Learning rate, in parameter units per step.
    betas : default (0.9, 0.999)
        Β₁ between z and x, β₂ of v (unit-less).
    eps : default 1e-08
        Added to the denominator, in units of the gradient.
    weight_decay : default 0.0
        Strength of the decay towards zero.
    warmup : default 0.0
        T, steps over which lr reaches its value.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: z (z), v (exp_avg_sq). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        lr: float | Tensor = 0.0025,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        warmup: float = 0.0,
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class DAdaptAdam(Optimizer):
    """D-Adaptation: Adam that estimates its own lr (Defazio & Mishchenko, 2023, arXiv:2301.07733, Algorithm 5).

        k = d · lr
        r ← √β₂ r + (1 − √β₂) Σ k ⟨g, s / (√v + ε)⟩      with the s and v of the step before
        m ← β₁ m + (1 − β₁) k g
        v ← β₂ v + (1 − β₂) g²
        s ← √β₂ s + (1 − √β₂) k g
        d ← max(d, min(r / ((1 − √β₂) Σ|s|), d · growth_rate))
        p ← p − m / (√v + ε) − k · wd · p

    Sums run over all tensors. Leave ``lr`` at 1 and give its schedule there. As the authors' package, without its
    optional bias correction.

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
    growth_rate : default inf
        Largest growth of the estimate per step.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (exp_avg), v (exp_avg_sq), s (s). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...

class NesterovSGD(Optimizer):
    """SGD with Nesterov's momentum (Nesterov, 1983, as Sutskever et al., 2013, write it), as torch's ``nesterov=True``.

    m ← μ m + g                  m ← g at the first step
    p ← p − lr · (g + μ m)

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor), or of dicts of options with them as "params"
        float64, float32, float16, bfloat16, complex64 or complex128 on the CPU, of any shape and strides. Arithmetic
        and state are float64 for float64 and complex128, else float32. A complex number is a pair of real ones here.
    lr : default 0.001
        Learning rate, in parameter units per step.
    momentum : default 0.9
        Μ, the share of the momentum that a step keeps.
    weight_decay : default 0.0
        Strength of the decay towards zero.
    foreach, fused
        Accepted where torch.optim has them. All parameters are stepped in one launch anyhow; fused=True lets GradScaler
        leave unscaling and overflows to the step, as torch's fused optimizers do.
    capturable, differentiable
        True raises NotImplementedError.
    state : None, str or dict
        How slots are kept: a codec's name, or slot → codec; None as the rule says. By group too.
        Slots: m (momentum_buffer). Codecs, with the bytes of an element:
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
    cautious : bool
        Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
    clip_update : float or None
        Largest root mean square of a parameter's update before lr; larger ones are scaled down. By group too.
    decouple_lr : float, True or None
        Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
        here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
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
        momentum: float = 0.9,
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
        cautious: bool = False,
        clip_update: float | None = None,
        decouple_lr: float | Literal[True] | None = None,
        weights: Literal["stochastic", "kahan", "master"] | None = None,
        seed: int = 0,
        ema: float | None = None,
        diagnostics_every: int | None = None,
    ) -> None: ...
