"""The NumPy optimizers: one class a rule, made from the registry."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from numbers import Integral, Real
from typing import Any

import numpy as np

from adamas import compose, conversion, nest, noise, rules
from adamas.backends import Backend, Tensor, order_of
from adamas.codecs import CODECS, SMALL, Codec
from adamas.diagnostics import Diagnostics, Observer
from adamas.gate import Decision, Gate
from adamas.language import Rule
from adamas.plan import Plan, check_apart, check_parameter
from adamas.state import Arena, Piece, State, allocate, check_exclude, check_matches, choose, excluded, keeping
from adamas.weights import DECAY

Params = Any
Lr = float | Callable[[int], float]

#: Keyword options of every class, with their defaults.
OPTIONS: dict[str, Any] = {
    "state": None,
    "state_exclude": (),
    "max_grad_norm": None,
    "nonfinite": "propagate",
    "maximize": False,
    **compose.OPTIONS,
    "weights": None,
    "ema": None,
    "seed": 0,
    "groups": None,
    "backend": "cpu",
    "diagnostics_every": None,
}

_DOC = """

Parameters
----------
params : array, or dict, list or tuple nest of arrays
    Changed in place by ``step``. float64, float32, float16, bfloat16 (ml_dtypes), complex64 or complex128,
    of any shape and strides. Arithmetic and state are float64 for float64 and complex128, else float32.
    A complex number is one number here: second moments hold |g|².
{hyper}
state : None, str or dict
    How slots are kept: None as the rule says, a codec's name for every slot that it fits, or slot → codec.
    Slots here: {slots}. Codecs, with the bytes of an element:
    {codecs}.
    Leaves of fewer than {small:,} elements keep float32 instead of int8 and int4. Maxima keep float32, too, which
    "bfloat16" rounds up. Complex leaves cannot be rounded.
state_exclude : str or list of str
    Name patterns of leaves whose state stays float32, such as ``("*embed*", "head.*")``, whatever their group says.
max_grad_norm : float or None
    Largest global 2-norm of all gradients together, in their units; larger ones are scaled down.
nonfinite : "propagate", "skip" or "raise"
    What a NaN or infinite gradient element does: spoil its own parameter element, skip the whole step, or
    raise FloatingPointError with nothing changed.
maximize : bool
    Ascend instead of descend.
cautious : bool
    Leave out what goes against the present gradient, and scale up the rest (arXiv:2411.16085).
clip_update : float or None
    Largest root mean square of a leaf's update before lr; larger ones are scaled down. By group too.
decouple_lr : float, True or None
    Decay of (lr / decouple_lr) · weight_decay a step: fully decoupled from the choice of lr (True: of the lr given
    here), and still zero where lr is. By group too. For rules that decay by lr · weight_decay.
weights : None, "stochastic", "kahan" or "master"
    How 16-bit parameters keep changes below half a unit in their last place, which are lost otherwise: by
    stochastic rounding, a compensation of 2 bytes, or a float32 copy of 4 bytes an element. Wider ones need none.
ema : float or None
    Decay per step of an average of the parameters, kept in the same pass; ``eval_params`` gives it.
seed : int
    Of stochastic rounding: its bits are a hash of seed, leaf name, step and element.
groups : dict or None
    Name pattern → what differs for the leaves that match it (the first pattern wins), such as
    ``{{"*.bias": {{"weight_decay": 0.0}}}}``. Any hyper-parameter, ``maximize`` and ``state``.
backend : "cpu", "reference" or a backend
    Compiled kernels, or plain NumPy.
diagnostics_every : None or int
    Look at the first step and at every so-manieth from there, for ``diagnostics()``: steps 1, 1 + k, 1 + 2k, …
    The steps themselves stay the same in every bit.

Raises
------
TypeError, ValueError
    For an option, value, dtype or shape that cannot be used; nothing has been changed then.
"""


def backend_of(choice: str | Backend) -> Backend:
    """A backend by its name; a compiler is imported only when its backend is asked for."""
    if not isinstance(choice, str):
        if not hasattr(choice, "launch"):
            raise TypeError(f"backend={choice!r}: expected 'cpu', 'reference' or a backend")
        return choice
    if choice == "cpu":
        from adamas.backends.cpu import Cpu

        return Cpu()
    if choice == "reference":
        from adamas.backends.reference import Reference

        return Reference()
    raise ValueError(f"unknown backend {choice!r}{nest.nearest(choice, ['cpu', 'reference'])}")


def check_keeping(ema: Any, seed: Any) -> None:
    """Raise TypeError or ValueError unless these are a decay, or None, and a seed."""
    if ema is not None and (isinstance(ema, bool) or not isinstance(ema, Real) or not 0 <= float(ema) < 1):
        raise ValueError(f"ema={ema!r}: expected a decay in [0, 1), or None")
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise TypeError(f"seed={seed!r}: expected an integer")


def bind(cls: type, params: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What a class is called with, but ``params``, by its signature; raises TypeError with the nearest name."""
    signature = inspect.signature(cls)
    for name in kwargs:
        if name not in signature.parameters:
            known = [n for n in signature.parameters if n != "params"]
            raise TypeError(f"{cls.__name__}() has no option {name!r}{nest.nearest(name, known)}")
    bound = signature.bind(params, *args, **kwargs)
    bound.apply_defaults()
    return {name: value for name, value in bound.arguments.items() if name != "params"}


def check_flag(name: str, value: Any) -> None:
    """Raise TypeError unless it is True or False."""
    if not isinstance(value, (bool, np.bool)):
        raise TypeError(f"{name}={value!r}: expected True or False")


class Optimizer:
    """Base of the optimizers over NumPy arrays; see the classes made from the rules, such as ``adamas.Adam``."""

    rule: Rule

    def __init__(self, params: Params, *args: Any, **kwargs: Any) -> None:
        options = bind(type(self), params, args, kwargs)
        self.params = params
        self.gate = Gate(options.pop("max_grad_norm"), options.pop("nonfinite"))
        self._observer = Observer(options.pop("diagnostics_every"))
        self._backend = options.pop("backend")
        self._weights, self._ema, self._seed = (options.pop(name) for name in ("weights", "ema", "seed"))
        check_keeping(self._ema, self._seed)
        compose.check_ema(self.rule, self._ema is not None)
        self._compose({name: options.pop(name) for name in compose.OPTIONS}, options)
        self._exclude = check_exclude(options.pop("state_exclude"))
        leaves = nest.flatten(params)
        for name, p in leaves.items():
            check_parameter(name, p)
        check_apart(list(leaves), list(leaves.values()))
        check_matches(self._exclude, list(leaves))
        #: Hyper-parameters by group, the default group first; change them between steps as you like.
        self.param_groups = self._split(list(leaves), options.pop("groups"), options)
        self.last_step: Decision | None = None
        self._build(leaves)

    # ---- construction

    def _compose(self, extras: dict[str, Any], options: dict[str, Any]) -> None:
        """Put the stages that were asked for around the rule, and their values beside its hyper-parameters."""
        compose.check(extras)
        self._used = compose.in_use(extras)
        self.rule = compose.composed(type(self).rule, self._used)
        options.update({name: extras[name] for name in compose.HYPER if name in self._used})

    def _split(self, names: list[str], patterns: Any, base: dict[str, Any]) -> list[dict[str, Any]]:
        """The default group and one for each pattern; every leaf is in one of them."""
        if patterns is not None and not isinstance(patterns, Mapping):
            raise TypeError(f"groups: expected a dict of name pattern → options, got {patterns!r}")
        left, out = list(names), []
        for pattern, changes in (patterns or {}).items():
            if not isinstance(pattern, str) or not isinstance(changes, Mapping):
                raise TypeError(f"groups: expected name pattern → dict of options, got {pattern!r}: {changes!r}")
            unknown = [k for k in changes if k not in base]
            if unknown:
                raise TypeError(f"groups[{pattern!r}]: no option {unknown[0]!r}{nest.nearest(unknown[0], list(base))}")
            mine = [n for n in left if n == pattern or fnmatchcase(n, pattern)]
            if not mine:
                raise ValueError(f"groups: {pattern!r} matches no leaf{nest.nearest(pattern, left or names)}")
            left = [n for n in left if n not in mine]
            out.append({"names": mine, **base, **changes})
        groups = [{"names": left, **base}, *out]
        for group in groups:
            compose.settle(group, self._used)
        return groups

    def _build(self, leaves: Mapping[str, Any], orders: Mapping[str, Any] | None = None) -> None:
        """State and plan for these leaves, with the axes in given orders or as the parameters lie in memory."""
        group_of = {name: i for i, group in enumerate(self.param_groups) for name in group["names"]}
        choices = ["float32" if excluded(n, self._exclude) else self.param_groups[group_of[n]]["state"] for n in leaves]
        codecs = [
            choose(self.rule, choice, n, p.shape, is_complex=p.dtype.kind == "c")
            for choice, (n, p) in zip(choices, leaves.items(), strict=True)
        ]
        for group in self.param_groups:
            choose(self.rule, group["state"], "", (1, 1))  # also where a group holds no leaf
            check_flag("maximize", group["maximize"])
        tensors, arena = [], Arena()
        for (name, p), mine in zip(leaves.items(), codecs, strict=True):
            order = tuple(orders[name]) if orders else order_of(self.rule, mine, p)
            weights = keeping(self._weights, self._ema is not None, p)
            arrays = allocate(self.rule, mine, weights, p, order, arena)
            tensors.append(Tensor(name, p, order, arrays, weights, noise.key(self._seed, name)))
        self._form = nest.Form(self.params)
        self._state = State(self.rule, tensors, codecs)
        groups = [group_of[name] for name in leaves]
        self._plan = Plan(self._state, backend_of(self._backend), groups)
        self._checked: Any = None
        self._fixed = [([*group["names"]], group["state"]) for group in self.param_groups]
        letters = self._letters()
        self._state.start([letters[g] for g in groups])

    # ---- hyper-parameters

    def _letters(self) -> list[dict[str, float]]:
        """Each group's hyper-parameters of the coming step as letters; raises if one is out of its interval."""
        keys = {"names", "state", "maximize", *self.rule.hyper}
        if any(group.keys() != keys for group in self.param_groups):
            raise ValueError(f"param_groups: expected dicts with {', '.join(sorted(keys))}")
        if [(group["names"], group["state"]) for group in self.param_groups] != self._fixed:
            raise ValueError("param_groups: names and state are fixed; make a new optimizer with other groups=")
        current = [[self._now(k, group[k]) for k in self.rule.hyper] for group in self.param_groups]
        if self._checked is None or self._checked[0] != current:
            letters = [self._check(i, values) for i, values in enumerate(current)]
            self._plan.check_equal(letters)
            self._checked = (current, letters)
        out: list[dict[str, float]] = self._checked[1]
        return out

    def _now(self, name: str, value: Any) -> Any:
        if name == "lr" and callable(value):
            return value(self._state.steps + 1)
        value = value.tolist() if isinstance(value, np.ndarray) else value
        return tuple(value) if isinstance(value, list) else value  # a copy, so that a change in it is seen

    def _check(self, i: int, values: list[Any]) -> dict[str, float]:
        named = dict(zip(self.rule.hyper, values, strict=True))
        for name, value in named.items():
            try:
                self.rule.hyper[name].check(name, value)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{type(self).__name__}, group {i}: {error}") from None
        return self.rule.letters(named) | ({DECAY: self._ema} if self._ema is not None else {})

    # ---- what users call

    @property
    def t(self) -> int:
        """Steps taken; a skipped step does not count."""
        return self._state.steps

    @property
    def skipped_steps(self) -> int:
        """Steps not taken because a gradient was not finite (``nonfinite="skip"``)."""
        return self._state.skipped

    def step(self, grads: Any) -> Decision:
        """One step, in place: p ← p − lr·u.

        grads: a nest of the parameters' form, with arrays of their shapes, or None where there is no gradient
            (that leaf is left alone and its step count stands). Never written, never kept.

        Returns what became of the step: its gradient norm (if measured), clip factor, applied or skipped.
        Raises TypeError or ValueError for a wrong form, shape, dtype or hyper-parameter, FloatingPointError as
        ``nonfinite="raise"`` says; then nothing has been changed.
        """
        leaves = self._form.leaves(grads, "the gradients")
        for tensor, p in zip(self._state.tensors, self._form.leaves(self.params, "the parameters"), strict=True):
            if tensor.p is not p:
                raise ValueError(
                    f"{tensor.name}: params now holds another array than when the optimizer was made; "
                    "change arrays in place (p[...] = x), or make a new optimizer"
                )
        for group in self.param_groups:
            check_flag("maximize", group["maximize"])
        signs = [-1.0 if group["maximize"] else 1.0 for group in self.param_groups]
        self.last_step = self._plan.step(leaves, self._letters(), signs, self.gate, self._observer)
        return self.last_step

    def diagnostics(self) -> Diagnostics:
        """What was seen at the last step that was looked at; see ``diagnostics_every``.

        Raises RuntimeError if there is nothing to show.
        """
        return self._observer.read([t.name for t in self._state.tensors])

    def eval_params(self) -> Any:
        """The parameters to evaluate with, as new arrays: with ``ema`` their average, else for most rules a copy."""
        from adamas.backends.reference import evaluate

        letters = self._letters()
        views = []
        for i, tensor in enumerate(self._state.tensors):
            started = self._state.t[i] > 0
            if started and self.rule.view is not None:
                views.append(evaluate(self.rule, self._state.codecs[i], tensor, self._plan.known(i, letters)))
            elif started and self._ema is not None:
                views.append(tensor.state["ema"].astype(tensor.p.dtype))
            else:
                views.append(tensor.p.copy())
        return nest.rebuild(self.params, iter(views))

    def memory(self) -> dict[str, float]:
        """Bytes: of the parameters, of the state, of tables and buffers; and state bytes per parameter element."""
        tensors = self._state.tensors
        elements = sum(t.p.size for t in tensors)
        return {
            "parameters": sum(t.p.nbytes for t in tensors),
            "state": self._state.bytes(),
            "workspace": self._plan.workspace(),
            "state_per_parameter": self._state.bytes() / elements if elements else 0.0,
        }

    def state_dict(self, portable: bool = False) -> dict[str, Any]:
        """State, step counts and hyper-parameters, as copies; a learning-rate schedule is not in it.

        portable: with every slot as one number an element, float32 (float64 for float64 parameters), whatever codec it
            is kept in. Else codes and scales are saved as they are, and a run is resumed to the bit.
        """
        groups = [
            {**{k: None if callable(v) else v for k, v in group.items()}, "names": [*group["names"]]}
            for group in self.param_groups
        ]
        out = {**self._state.export(), "param_groups": groups}
        if portable:
            out["param_groups"] = [{**group, "state": "float32"} for group in groups]
            for tensor, codecs in zip(self._state.tensors, self._state.codecs, strict=True):
                beside = {name: tensor.state[name].copy() for name in tensor.weights.arrays}
                out["arrays"][tensor.name] = beside | conversion.portable(self.rule, codecs, tensor)
        return out

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a ``state_dict``: leaves are matched by name, arrays copied, hyper-parameters restored.

        State that was kept in other codecs is converted, rounded to nearest, with a warning. A callable ``lr`` of
        this optimizer stays and goes on from the restored step count; so do ``clip_update`` and ``decouple_lr``.
        Raises ValueError or TypeError, with nothing changed, if names, shapes, dtypes or rule do not fit.
        """
        saved = self._saved_groups(state_dict)
        if [sorted(g["names"]) for g in saved] != [sorted(g["names"]) for g in self.param_groups]:
            raise ValueError("param_groups: the groups of the state hold other leaves than those of this optimizer")
        for i, group in enumerate(saved):
            group = {**group, **{name: self.param_groups[i][name] for name in compose.HYPER if name in self._used}}
            self._check(i, [1.0 if k == "lr" and group[k] is None else group[k] for k in self.rule.hyper])
            check_flag("maximize", group["maximize"])
        self._state.check(state_dict)
        self._take(state_dict)
        for mine, theirs in zip(self.param_groups, saved, strict=True):
            for name in type(self).rule.hyper:
                if theirs[name] is not None and not callable(mine[name]):
                    mine[name] = theirs[name]
            mine["maximize"] = theirs["maximize"]
        self._observer.forget()

    def _take(self, saved: Mapping[str, Any]) -> None:
        """Take over all arrays, counts and scalars of an export."""
        tensors, codecs = self._state.tensors, self._state.codecs
        found = [self._find(t, c, saved) for t, c in zip(tensors, codecs, strict=True)]
        other = [i for i, f in enumerate(found) if f.codecs != codecs[i]]
        if other:  # before anything is changed, as a warning may be an error
            kinds = conversion.difference(codecs[other[0]], tensors[other[0]], found[other[0]])
            warnings.warn(f"the state of {len(other)} leaves was {kinds}; it was converted", UserWarning, stacklevel=3)
        orders = {t.name: t.order if i in other else saved["order"][t.name] for i, t in enumerate(tensors)}
        if any(list(t.order) != list(orders[t.name]) for t in tensors):
            self._build(nest.flatten(self.params), orders)
        for tensor, mine, theirs in zip(self._state.tensors, self._state.codecs, found, strict=True):
            conversion.take(self.rule, mine, tensor, theirs)
            for name in tensor.weights.arrays:
                tensor.state[name][...] = saved["arrays"][tensor.name][name]
        self._state.restore(saved)

    def _find(self, tensor: Tensor, codecs: Mapping[str, Codec], saved: Mapping[str, Any]) -> conversion.Found:
        """What an export has of a leaf."""
        arrays = {str(name): np.asarray(a) for name, a in saved["arrays"][tensor.name].items()}
        for name in tensor.weights.arrays:
            mine = tensor.state[name]
            conversion.check_array(f"{tensor.name}: {name}", Piece(mine.shape, mine.dtype), arrays.pop(name))
        order = saved["order"][tensor.name]
        return conversion.find(self.rule, codecs, tensor, arrays, order, f"{tensor.name}: {{}}".format, exact=True)

    def _saved_groups(self, state_dict: Any) -> list[Mapping[str, Any]]:
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"expected a state_dict, got {type(state_dict).__name__}")
        groups = state_dict.get("param_groups")
        needed = {"names", "maximize", *type(self).rule.hyper}
        if not isinstance(groups, list) or not all(isinstance(g, Mapping) and needed <= set(g) for g in groups):
            raise ValueError(f"param_groups: expected a list of dicts with {', '.join(sorted(needed))}")
        return groups

    def __getstate__(self) -> dict[str, Any]:
        kept = {k: v for k, v in self.__dict__.items() if k not in ("_plan", "_state", "_form", "_checked", "rule")}
        return {**kept, "saved": self._state.export()}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        saved = kept.pop("saved")
        self.__dict__.update(kept)
        self.rule = compose.composed(type(self).rule, self._used)
        self._build(nest.flatten(self.params), saved["order"])
        self._take(saved)

    def __repr__(self) -> str:
        group = self.param_groups[0]
        hyper = ", ".join(f"{k}={group[k]!r}" for k in self.rule.hyper) + ", cautious=True" * ("cautious" in self._used)
        tensors = self._state.tensors
        arrays = f"{len(tensors)} array{'s' * (len(tensors) != 1)}"
        size = f"{sum(t.p.size for t in tensors):,} parameters"
        more = f", {len(self.param_groups)} groups" if len(self.param_groups) > 1 else ""
        return f"{type(self).__name__}({hyper}; {arrays}, {size}{more}, t={self.t})"


# ------------------------------------------------------------------------------------ classes


def signature_of(rule: Rule) -> inspect.Signature:
    """params, the rule's hyper-parameters, then the options as keywords."""
    kind = inspect.Parameter
    hyper = [kind(n, kind.POSITIONAL_OR_KEYWORD, default=h.default) for n, h in rule.hyper.items()]
    options = [kind(n, kind.KEYWORD_ONLY, default=d) for n, d in OPTIONS.items()]
    return inspect.Signature([kind("params", kind.POSITIONAL_OR_KEYWORD), *hyper, *options])


def _documentation(rule: Rule) -> str:
    lines = []
    for name, h in rule.hyper.items():
        kind = f"{len(h.default)} floats" if isinstance(h.default, tuple) else "float"
        schedule = " or callable (step number, from 1) → float" if name == "lr" else ""
        lines.append(
            f"{name} : {kind}{schedule}, default {h.default}\n    {h.doc[:1].upper()}{h.doc[1:]}, in {h.interval()}."
        )
    slots = ", ".join(f"{s.name} ({s.codec})" for s in rule.slots) or "none"
    return rule.doc.strip() + _DOC.format(hyper="\n".join(lines), slots=slots, codecs=codec_list(), small=SMALL)


def codec_list() -> str:
    """Every codec with the bytes of an element, as docstrings have it."""
    return ", ".join(f'"{codec.name}" {codec.bytes_doc}' for codec in CODECS.values())


@cache
def optimizer_class(name: str) -> type[Optimizer]:
    """The class of a rule, by the rule's name; raises ValueError with the nearest name if there is none."""
    rule = rules.get(name)
    body = {
        "rule": rule,
        "__doc__": _documentation(rule),
        "__module__": "adamas",
        "__signature__": signature_of(rule),
    }
    return type(rule.title, (Optimizer,), body)


#: Class name → rule name.
CLASSES = {rule.title: name for name, rule in rules.REGISTRY.items()}
