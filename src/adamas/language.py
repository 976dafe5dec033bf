"""The language in which a rule is written: its vocabulary, and the data that a rule is.

A rule is the mathematics of one optimizer and nothing else. Its stages are plain functions that name
what they need (``g``, ``p``, a slot, a hyper-parameter's letter, a scalar) and use the small vocabulary
below. They run on *words*: symbols when a backend compiles them, numbers in the reference.

A scalar is float64 until it meets an element, and is rounded then. An element divided by a scalar is multiplied
by the scalar's reciprocal, taken in float64: where data lie in the cache, divisions are what a step costs.

Glossary of the names that every stage may ask for:

======  =======================================================================================
``p``   the parameter before the step
``g``   its gradient, after the gate's scale and the rule's ``before`` stages
``raw`` the gradient as it was before those stages
``u``   the update so far (``after`` stages only); at the end p ← p − size·u
``t``   the tensor's step count, 1 at its first step (in ``scalars`` only)
``lr``  learning rate: parameter units per step
``b1``  first of ``betas``, and so on; ``wd`` is ``weight_decay``; others under their own name
======  =======================================================================================
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from numbers import Real
from typing import Any

__all__ = [
    "Complex",
    "Expr",
    "Hyper",
    "Measure",
    "Rule",
    "Scalar",
    "Slot",
    "Stage",
    "Word",
    "abs2",
    "absolute",
    "atan2",
    "decoupled",
    "ema",
    "inner",
    "l2",
    "log",
    "maximum",
    "minimum",
    "sign",
    "sqrt",
    "where",
]


# --------------------------------------------------------------------------------------- words


class Word:
    """A value inside a stage. Operators build or compute, as the subclass says in ``apply``."""

    __slots__ = ()
    __array_ufunc__ = None  # a NumPy operand must not swallow a word elementwise

    def apply(self, op: str, *args: Any) -> Any:
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise TypeError("a rule cannot branch on a value: use where(condition, a, b)")

    def __add__(self, other: Any) -> Any:
        return _apply("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return _apply("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return _apply("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _apply("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return _apply("mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _apply("mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _apply("div", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _apply("div", other, self)

    def __pow__(self, other: Any) -> Any:
        return _apply("pow", self, other)

    def __rpow__(self, other: Any) -> Any:
        return _apply("pow", other, self)

    def __neg__(self) -> Any:
        return _apply("neg", self)

    def __gt__(self, other: Any) -> Any:
        return _apply("gt", self, other)

    def __lt__(self, other: Any) -> Any:
        return _apply("gt", other, self)

    def __ge__(self, other: Any) -> Any:
        return _apply("ge", self, other)

    def __le__(self, other: Any) -> Any:
        return _apply("ge", other, self)

    def __and__(self, other: Any) -> Any:
        return _apply("and", self, other)


@dataclass(frozen=True, eq=False, slots=True)
class Complex(Word):
    """A complex word, kept as its two real parts, so that a backend only ever sees real arithmetic."""

    re: Any
    im: Any

    def apply(self, op: str, *args: Any) -> Any:
        if op not in _COMPLEX:
            raise TypeError(f"{op} is not defined for complex parameters: use abs2, absolute, inner or sign")
        return _COMPLEX[op](*args)


def _both(x: Any) -> tuple[Any, Any]:
    return (x.re, x.im) if isinstance(x, Complex) else (x, 0.0)


def _componentwise(op: str) -> Callable[..., Complex]:
    return lambda a, b: Complex(
        *(_apply(op, x, y) if isinstance(y, Word) or y != 0.0 else x for x, y in zip(_both(a), _both(b), strict=True))
    )


def _complex_mul(a: Any, b: Any) -> Complex:
    if not isinstance(b, Complex):
        return Complex(a.re * b, a.im * b)
    if not isinstance(a, Complex):
        return Complex(a * b.re, a * b.im)
    return Complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)


def _complex_div(a: Any, b: Any) -> Complex:
    if isinstance(b, Complex):
        raise TypeError("division by a complex word: divide by a real one, such as absolute(z)")
    return Complex(a.re / b, a.im / b)


def _complex_where(c: Any, a: Any, b: Any) -> Complex:
    (ar, ai), (br, bi) = _both(a), _both(b)
    return Complex(where(c, ar, br), where(c, ai, bi))


def _complex_sign(z: Complex) -> Complex:
    modulus = absolute(z)
    return Complex(*(where(modulus > 0.0, x / modulus, x) for x in (z.re, z.im)))


_COMPLEX: dict[str, Callable[..., Any]] = {
    "add": _componentwise("add"),
    "sub": _componentwise("sub"),
    "mul": _complex_mul,
    "div": _complex_div,
    "neg": lambda z: Complex(-z.re, -z.im),
    "where": _complex_where,
    "abs2": lambda z: z.re * z.re + z.im * z.im,
    "abs": lambda z: sqrt(abs2(z)),
    "sign": _complex_sign,
    "inner": lambda a, b: a.re * b.re + a.im * b.im,
}


@dataclass(frozen=True, eq=False, slots=True)
class Expr(Word):
    """A node of the graph that tracing a stage builds.

    ``element`` tells a value that differs by element from a scalar, which is computed once per tensor in
    float64 and rounded only where it meets an element. ``level`` is the first pass over the memory in
    which the value can be known: a measured sum is known one pass after what it sums.
    """

    op: str  # "input", "const", or a word of the vocabulary
    args: tuple[Any, ...] = ()
    element: bool = False
    level: int = 0
    name: str = ""
    value: float = 0.0

    def apply(self, op: str, *args: Any) -> Expr:
        nodes = tuple(a if isinstance(a, Expr) else Expr("const", value=float(a)) for a in args)
        if op in ("pow", "log") and any(n.element for n in nodes):
            what = "x**y" if op == "pow" else f"{op}(x)"
            raise TypeError(f"{what} is for scalars: an element has no vector form of it; write x * x or sqrt(x)")
        if op == "div" and nodes[0].element and not nodes[1].element:
            return self.apply("mul", nodes[0], self.apply("div", 1.0, nodes[1]))
        return Expr(op, nodes, any(n.element for n in nodes), max(n.level for n in nodes))


# ---------------------------------------------------------------------------------- vocabulary


def _apply(op: str, *args: Any) -> Any:
    for kind in (Complex, Word):
        for a in args:
            if isinstance(a, kind):
                return a.apply(op, *args)
    return _NUMBERS[op](*args)


def _sign(x: float) -> float:
    return 1.0 if x > 0 else -1.0 if x < 0 else x


# Python's own numbers, for `scalars`; everything else is spelled by a backend.
_NUMBERS: dict[str, Callable[..., Any]] = {
    "sqrt": math.sqrt,
    "log": math.log,
    "pow": lambda x, y: x**y,
    "abs": abs,
    "abs2": lambda x: x * x,
    "sign": _sign,
    "where": lambda c, a, b: a if c else b,
    "inner": lambda a, b: a * b,
}


def sqrt(x: Any) -> Any:
    """√x, correctly rounded; NaN below zero."""
    return _apply("sqrt", x)


def log(x: Any) -> Any:
    """The natural logarithm of a scalar."""
    return _apply("log", x)


def absolute(x: Any) -> Any:
    """|x|, the modulus of a complex word."""
    return _apply("abs", x)


def abs2(x: Any) -> Any:
    """|x|²: x·x, or re² + im²; always real."""
    return x * x if isinstance(x, Word) and not isinstance(x, Complex) else _apply("abs2", x)


def inner(a: Any, b: Any) -> Any:
    """Re(conj(a)·b): the real inner product of two elements."""
    return _apply("inner", a, b) if isinstance(a, Complex) else a * b


def sign(x: Any) -> Any:
    """−1, 0 or 1 (NaN for NaN); z/|z| for a complex word."""
    if isinstance(x, Complex) or not isinstance(x, Word):
        return _apply("sign", x)
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, x))


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b; both are evaluated."""
    return _apply("where", condition, a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two real words; NaN if either is NaN; b if they are equal."""
    return where(a > b, a, where(a <= b, b, a + b))


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two real words; NaN if either is NaN; b if they are equal."""
    return where(b > a, a, where(b <= a, b, a + b))


def ema(beta: Any, old: Any, new: Any) -> Any:
    """Exponential moving average, β·old + (1 − β)·new.

    β is a scalar, so 1 − β is taken in float64 before it is rounded: in float32, 1 − 0.999 alone would be
    off by 1.3e-5 of its value.
    """
    return beta * old + (1 - beta) * new


#: atan(q)/q on [0, 1] as a polynomial in q², of the least relative error for its length: 2.4e-9.
_ATAN = (
    0.9999999976306507,
    -0.3333328364162839,
    0.19998266040057297,
    -0.14261933098564997,
    0.10942030660233987,
    -0.08377315497507809,
    0.05755210365471207,
    -0.030804599396347866,
    0.010726945564756386,
    -0.0017539305431064276,
)


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Σ cₖ xᵏ in a tree of pairs (Estrin, 1960), whose short chains of operations keep a vector unit busy."""
    terms: list[Any] = list(coefficients)
    while len(terms) > 1:
        pairs = [a + b * x for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms, x = [*pairs, *terms[2 * len(pairs) :]], x * x
    return terms[0]


def atan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y) for real x ≥ 0, in [−π/2, π/2]; 0 at the origin. Of a complex y, sign(y) times it.

    A polynomial, as no vector unit has an instruction for it: within 2.4e-9 of the angle in float64, relatively, and
    within 3 units in the last place in float32. The angle of two infinities is π/4, as C has it.
    """
    height = absolute(y)
    steep = height > x
    small, large = where(steep, x, height), where(steep, height, x)
    q = where(small >= large, where(large > 0.0, 1.0, large), small / large)  # also of infinities; NaN stays
    angle = q * _polynomial(_ATAN, q * q)
    return sign(y) * where(steep, math.pi / 2 - angle, angle)


# ------------------------------------------------------------------------------- what a rule is


@dataclass(frozen=True)
class Hyper:
    """One hyper-parameter: its default, the interval it must lie in, and a sentence for the docs."""

    default: Any
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    doc: str = ""

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError or TypeError unless every number of ``value`` lies in the interval."""
        many = isinstance(self.default, tuple)
        if many and (not isinstance(value, (tuple, list)) or len(value) != len(self.default)):
            raise TypeError(f"{name}: expected {len(self.default)} numbers, got {value!r}")
        for i, x in enumerate(value if many else (value,)):
            label = f"{name}[{i}]" if many else name
            if isinstance(x, bool) or not isinstance(x, Real):
                raise TypeError(f"{label}: expected a number, got {x!r}")
            if not self._contains(float(x)):
                raise ValueError(f"{label}={float(x):g} is outside {self.interval()}")

    def _contains(self, x: float) -> bool:
        above = x > self.low if self.open_low else x >= self.low
        below = x < self.high if self.open_high else x <= self.high
        return above and below

    def interval(self) -> str:
        """The interval as text, such as ``[0, 1)``."""
        left, right = "(" if self.open_low else "[", ")" if self.open_high else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"


#: Meaning and interval of the hyper-parameters that many rules share; a rule gives the default.
COMMON: dict[str, Hyper] = {
    "lr": Hyper(None, 0, math.inf, open_high=True, doc="learning rate, in parameter units per step"),
    "betas": Hyper(None, 0, 1, open_high=True, doc="decay of the moving averages per step (unit-less)"),
    "eps": Hyper(None, 0, math.inf, open_high=True, doc="added to the denominator, in units of the gradient"),
    "weight_decay": Hyper(None, 0, math.inf, open_high=True, doc="strength of the decay towards zero"),
}

#: The letter under which a stage asks for a front end's name; a tuple's members are numbered from 1.
LETTERS = {"betas": "b", "weight_decay": "wd"}


@dataclass(frozen=True)
class Slot:
    """One piece of state per parameter element.

    init: a number, or a function of ``p`` and/or ``g`` that gives the value before the first step; this ``g`` is raw.
    nonneg: real and never below zero (second moments); otherwise real or complex, as the parameter is.
    projects: a mean of squares, which a projecting codec may reduce to means over rows and columns.
    keeps: an "average", which may be rounded up or down at random; a "maximum", which would never let go of what
        rounding added, so that it may only be rounded up once; or what must stay "exact".
    root: a slot v such that |this| ≤ C·√v whatever the gradients were. Codes keep the quotient then.
    codec: how it is kept unless the user says otherwise; a tensor that the codec cannot hold keeps float32.
    """

    name: str
    init: float | Callable[..., Any] = 0.0
    nonneg: bool = False
    projects: bool = False
    keeps: str = "average"
    root: str = ""
    codec: str = "float32"

    def __post_init__(self) -> None:
        if self.keeps not in ("average", "maximum", "exact"):
            raise ValueError(f"slot {self.name}: keeps={self.keeps!r} is not average, maximum or exact")


@dataclass(frozen=True)
class Scalar:
    """One persistent float64 per tensor, or one for all of them (``scope="global"``).

    init: a number, or a function of hyper-parameters. ``scalars`` sees the old value and may return the new
    one under the same name; ``carry`` may return a new one from what was measured.
    """

    name: str
    init: float | Callable[..., float] = 0.0
    scope: str = "tensor"


@dataclass(frozen=True)
class Measure:
    """A sum (or mean) of an elementwise expression.

    scope: "tensor"; "row" or "column" of the last two dimensions, where a vector is one row; or "global", over all
        tensors, for ``carry`` alone.
    The sum is taken in float64 in a fixed order and skips non-finite terms, so that one bad gradient element
    spoils one parameter element, not a tensor.
    """

    name: str
    of: Callable[..., Any]
    mean: bool = False
    scope: str = "tensor"

    def __post_init__(self) -> None:
        if self.scope not in ("tensor", "row", "column", "global"):
            raise ValueError(f"measure {self.name}: scope={self.scope!r} is not tensor, row, column or global")


@dataclass(frozen=True)
class Stage:
    """A step of the pipeline before the moments (returns a new ``g``) or after the step (a new ``u``)."""

    apply: Callable[..., Any]
    measures: tuple[Measure, ...] = ()
    hyper: Mapping[str, Hyper] = field(default_factory=dict)


#: Weight decay as a term of the loss, wd/2·|p|²: it passes through the moments.
l2 = Stage(lambda g, p, wd: g + wd * p)

#: Weight decay beside the step (Loshchilov & Hutter, 2019, arXiv:1711.05101): p shrinks by lr·wd a step.
decoupled = Stage(lambda u, p, wd: u + wd * p)


@cache
def names_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names that a stage asks for."""
    return tuple(inspect.signature(function).parameters)


def call(function: Callable[..., Any], env: Mapping[str, Any]) -> Any:
    """Call a stage with the names that it asks for."""
    names = names_of(function)
    missing = [name for name in names if name not in env]
    if missing:
        raise ValueError(f"a stage asks for {', '.join(missing)}; known here are {', '.join(sorted(env))}")
    return function(**{name: env[name] for name in names})


def replay(node: Expr, env: Mapping[str, Any]) -> Any:
    """What a traced graph comes to where its inputs are these words."""
    if node.op in ("input", "const"):
        return env[node.name] if node.op == "input" else node.value
    return _apply(node.op, *(replay(a, env) for a in node.args))


def no_scalars() -> dict[str, float]:
    """The scalars of a rule that has none."""
    return {}


@dataclass(frozen=True)
class Rule:
    """One optimizer: slots, scalars and stages. It checks itself when it is made.

    One step runs ``before`` stages, ``moments``, the rule's ``measures``, ``carry``, ``step``, ``after``
    stages; then p ← p − size·u.

    name, title: the name on command lines, the name of the class.
    doc: what, equation, source, as text.
    hyper: front-end name → default (see COMMON) or a Hyper of the rule's own, in the order of the signature.
    slots, memory: the state per element, and the persistent scalars.
    scalars(t, …): float64 scalars of this step; runs on Python numbers, and once on symbols.
    moments(g, …): new values of all slots, and any other values that ``step`` needs, as a dict.
    measures: what is summed after the moments, in order; each may use the ones before it.
    carry(…): new values of global scalars from hyper-parameters, memory and global measures.
    step(…): the update u, from *fresh* slots and *fresh* memory.
    size: the scalar that multiplies u (``lr`` or one of ``scalars``).
    view(p, …): the parameters to evaluate with, where they differ from those to train.
    combines: whether u is a step in units of lr, which stages around it may mask or clip.
    """

    name: str
    title: str
    doc: str
    hyper: Mapping[str, Any]
    slots: tuple[Slot, ...]
    moments: Callable[..., dict[str, Any]]
    step: Callable[..., Any]
    scalars: Callable[..., dict[str, float]] = no_scalars
    before: tuple[Stage, ...] = ()
    after: tuple[Stage, ...] = ()
    memory: tuple[Scalar, ...] = ()
    measures: tuple[Measure, ...] = ()
    carry: Callable[..., dict[str, Any]] | None = None
    size: str = "lr"
    view: Callable[..., Any] | None = None
    combines: bool = True

    def __post_init__(self) -> None:
        full = {name: self._complete(name, h) for name, h in self.hyper.items()}
        for stage in (*self.before, *self.after):
            full |= dict(stage.hyper)
        object.__setattr__(self, "hyper", full)
        self._check_names()

    def _complete(self, name: str, value: Any) -> Hyper:
        if isinstance(value, Hyper):
            return value
        if name not in COMMON:
            raise ValueError(f"rule {self.name}: {name} is not a common hyper-parameter; give it as a Hyper(...)")
        return replace(COMMON[name], default=value)

    def _check_names(self) -> None:
        """Every name that a stage asks for must exist by then; a typing error is found when the rule is made."""
        defaults = self.letters({name: h.default for name, h in self.hyper.items()})
        known = set(defaults) | {m.name for m in self.memory}
        self._ask("scalars", self.scalars, known | {"t"})
        start = {m.name: float(call(m.init, defaults) if callable(m.init) else m.init) for m in self.memory}
        computed = set(call(self.scalars, {**defaults, **start, "t": 1}))
        call(self.scalars, {name: Expr("input", name=name) for name in (*defaults, *start, "t")})  # compiled loops too
        of_all = sorted(computed & {m.name for m in self.memory if m.scope == "global"})
        if of_all:
            raise ValueError(f"rule {self.name}: {of_all[0]} belongs to all tensors; only carry can change it")
        known |= computed
        if self.size not in known:
            raise ValueError(f"rule {self.name}: size={self.size!r} is neither lr nor one of its scalars")
        for slot in self.slots:
            if callable(slot.init):
                self._ask(f"the start of {slot.name}", slot.init, {"p", "g"})
        known |= {"p", "g", "raw", *(s.name for s in self.slots)}
        for stage in self.before:
            known = self._stage("before", stage, known)
        roots = {s.name for s in self.slots if s.nonneg}
        for slot in self.slots:
            if slot.root and slot.root not in roots:
                raise ValueError(f"rule {self.name}: slot {slot.name} names {slot.root!r}, no non-negative slot")
        self._ask("moments", self.moments, known)
        if self.view:
            self._ask("view", self.view, known - {"g", "raw"})
        # what moments returns beside the slots is known only by running it: program.py checks those names
        carries_on = known | {m.name for m in self.measures}
        if self.carry:
            self._ask("carry", self.carry, carries_on - {"p", "g", "raw"} - {s.name for s in self.slots})

    def _stage(self, where_: str, stage: Stage, known: set[str]) -> set[str]:
        for measure in stage.measures:
            self._ask(f"measure {measure.name}", measure.of, known)
            known = known | {measure.name}
        self._ask(where_, stage.apply, known)
        return known

    def _ask(self, what: str, function: Callable[..., Any], known: set[str]) -> None:
        missing = [n for n in names_of(function) if n not in known]
        if missing:
            raise ValueError(f"rule {self.name}: {what} asks for {', '.join(missing)}; it may ask for {sorted(known)}")

    def letters(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Front-end names to the letters of the stages: betas=(0.9, 0.999) → b1=0.9, b2=0.999."""
        out: dict[str, float] = {}
        for name, value in values.items():
            letter = LETTERS.get(name, name)
            if isinstance(value, (tuple, list)):
                out |= {f"{letter}{i}": float(x) for i, x in enumerate(value, 1)}
            else:
                out[letter] = float(value)
        return out

    @property
    def by_line(self) -> bool:
        """Whether some measure is over rows or columns."""
        stages = (*self.before, *self.after)
        every = (*self.measures, *(m for stage in stages for m in stage.measures))
        return any(m.scope in ("row", "column") for m in every)

    def but(self, name: str, title: str, doc: str, **changes: Any) -> Rule:
        """This rule with some fields replaced; ``hyper`` given here is laid over the present one."""
        hyper = {**self.hyper, **changes.pop("hyper", {})}
        return replace(self, name=name, title=title, doc=doc, hyper=hyper, **changes)

    def without(self, *names: str) -> Rule:
        """This rule with fewer hyper-parameters; no stage may ask for them."""
        return replace(self, hyper={name: h for name, h in self.hyper.items() if name not in names})
