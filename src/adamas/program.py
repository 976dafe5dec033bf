"""Rule × codecs, traced into a program: passes over the memory, each a graph of elementwise real arithmetic.

A program knows no backend and no tensor. Pass k reads; the last pass also writes. What is measured in pass k is
known from pass k + 1 on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adamas.codecs import Codec, Grid, Projecting, grids
from adamas.language import (
    Complex,
    Expr,
    Measure,
    Rule,
    Slot,
    Stage,
    abs2,
    absolute,
    call,
    names_of,
    replay,
    sqrt,
    where,
)
from adamas.weights import DECAY, PLAIN, Weights

#: Scalars that the plan gives to every program beside the rule's own.
GRAD_SCALE, FIRST = "grad_scale", "first"


#: What the names of the sums for diagnostics begin with: no measure of a rule has such a name.
OBSERVED = "observed "

#: Words that make a condition of words.
CONDITIONS = ("gt", "ge", "and")

#: Scopes of sums over rows and columns; the share of a row is its mean over that of its matrix.
LINES = ("row", "share", "column")


@dataclass(frozen=True)
class Sum:
    """One reduction of the finite values: ``scope`` is "tensor", "global" or one of LINES.

    Of a condition, the number of elements where it holds: exact in any order, hence free to be counted in registers.
    """

    name: str
    scope: str
    mean: bool
    value: Expr

    @property
    def counts(self) -> bool:
        """Whether it is the number of a tensor's elements where a condition holds."""
        return self.value.op in CONDITIONS and self.scope not in LINES


@dataclass(frozen=True)
class Program:
    """The passes of one rule with given codecs, for real or complex parameters.

    arrays: the element arrays it touches ("p", "g", then stored slots), with the number of real words of an
        element: 2 where it is complex.
    means: the kept means, as "v.row".
    scalars: names of the columns of the scalar table, in order.
    sums: for each pass, what it measures.
    carried: the scalars that ``carry`` may change after pass ``carry_pass`` (−1 where there is no carry).
    writes: array → its new real words, in the last pass.
    grids: how those arrays are rounded that do not keep every number as it is.
    """

    title: str
    is_complex: bool
    arrays: Mapping[str, int]
    means: tuple[str, ...]
    scalars: tuple[str, ...]
    sums: tuple[tuple[Sum, ...], ...]
    carried: tuple[str, ...]
    carry_pass: int
    writes: Mapping[str, tuple[Expr, ...]]
    grids: Mapping[str, Grid]

    @property
    def scales(self) -> tuple[str, ...]:
        """The numbers kept for each block, as "v.low"."""
        return tuple(f"{name}.{scale}" for name, grid in self.grids.items() for scale in grid.scales)

    @property
    def passes(self) -> int:
        """Passes over the memory, the writing one included."""
        return len(self.sums)

    @property
    def lines(self) -> tuple[Sum, ...]:
        """The sums over rows and columns, named as "v.row"."""
        return tuple(s for here in self.sums for s in here if s.scope in LINES)

    def outputs(self, k: int) -> tuple[Expr, ...]:
        """Everything that pass k computes."""
        written = tuple(w for words in self.writes.values() for w in words) if k == self.passes - 1 else ()
        return tuple(s.value for s in self.sums[k]) + written

    def reads(self, k: int) -> tuple[str, ...]:
        """The arrays that pass k reads."""
        used = {n.name.split(":")[0] for n in nodes(self.outputs(k)) if n.op == "input"}
        used |= {grid.root for name, grid in self.grids.items() if name in used}
        return tuple(a for a in self.arrays if a in used)


def nodes(outputs: tuple[Expr, ...]) -> list[Expr]:
    """All nodes below the outputs, each once, operands first."""
    seen: dict[int, Expr] = {}
    stack = [(node, False) for node in reversed(outputs)]
    while stack:
        node, ready = stack.pop()
        if id(node) in seen:
            continue
        if ready:
            seen[id(node)] = node
        else:
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(node.args))
    return list(seen.values())


def _parts(x: Any) -> tuple[Any, ...]:
    return (x.re, x.im) if isinstance(x, Complex) else (x,)


def _words(value: Any) -> tuple[Expr, ...]:
    return tuple(p if isinstance(p, Expr) else Expr("const", value=float(p)) for p in _parts(value))


def keep(x: Expr) -> Expr:
    """A word as the parameter's dtype keeps it, rounded to nearest."""
    return x.apply("keep", x)


def dither(x: Expr) -> Expr:
    """… rounded up or down at random, by bits that differ from element to element."""
    return x.apply("dither", x)


class _Tracer:
    """Runs a rule's stages on symbols, in the order of one step."""

    def __init__(self, rule: Rule, codecs: Mapping[str, Codec], is_complex: bool, weights: Weights) -> None:
        self.rule, self.codecs, self.is_complex, self.weights = rule, codecs, is_complex, weights
        self.arrays: dict[str, int] = {}
        self.means: list[str] = []
        self.scalars: list[str] = []
        self.sums: list[Sum] = []
        self.env: dict[str, Any] = {}
        self.beside: dict[str, Any] = {}

    def array(self, name: str, real: bool = False) -> Any:
        self.arrays[name] = 1 if real or not self.is_complex else 2
        words = [Expr("input", (), True, 0, f"{name}:{i}") for i in range(self.arrays[name])]
        return words[0] if len(words) == 1 else Complex(*words)

    def scalar(self, name: str) -> Expr:
        self.scalars.append(name)
        return Expr("input", name=name)

    def stage(self, target: str, stage: Stage) -> None:
        for m in stage.measures:
            self.measure(m)
        self.env[target] = call(stage.apply, self.env)

    def measure(self, m: Measure) -> None:
        value = _words(call(m.of, self.env))
        if len(value) != 1:
            raise TypeError(f"rule {self.rule.name}: measure {m.name} is complex; sum abs2 or inner of it")
        known = self.sum(f"{m.name}.{m.scope}" if m.scope in LINES else m.name, m.scope, m.mean, value[0])
        if m.scope != "global":  # sums over all tensors are for `carry` alone
            self.env[m.name] = known

    def sum(self, name: str, scope: str, mean: bool, value: Expr) -> Expr:
        self.sums.append(Sum(name, scope, mean, value))
        return Expr("input", (), scope not in ("tensor", "global"), value.level + 1, f"sum:{name}")

    def load(self, slot: Slot) -> Any:
        codec = self.codecs[slot.name]
        if isinstance(codec, Projecting):
            self.means += [f"{slot.name}.{m}" for m in codec.means]
            value = codec.decode(**{m: Expr("input", (), True, 0, f"{slot.name}.{m}") for m in codec.means})
        else:
            value = self.array(slot.name, slot.nonneg)
        return where(self.env[FIRST] > 0, call(slot.init, self.env), value) if callable(slot.init) else value

    def project(self, slot: Slot, fresh: Any) -> Any:
        codec = self.codecs[slot.name]
        if not isinstance(codec, Projecting):
            return fresh
        (value,) = _words(fresh)
        return codec.decode(**{m: self.sum(f"{slot.name}.{m}", m, True, value) for m in codec.means})

    def moments(self) -> dict[str, tuple[Expr, ...]]:
        """Run the moments; the environment then holds what the step may see; returns what is to be stored."""
        rule, env = self.rule, self.env
        fresh = call(rule.moments, env)
        missing = [s.name for s in rule.slots if s.name not in fresh]
        if missing:
            raise ValueError(f"rule {rule.name}: moments returned no new {', '.join(missing)}")
        for slot in rule.slots:
            if len(_words(fresh[slot.name])) > 1 and slot.nonneg:
                raise TypeError(f"rule {rule.name}: slot {slot.name} is declared real and became complex")
        stored = {s.name: _words(fresh[s.name]) for s in rule.slots if s.name in self.arrays}
        env |= fresh
        env |= {s.name: self.project(s, fresh[s.name]) for s in rule.slots}
        return stored

    def carry(self) -> int:
        """Make ``carry``'s results visible to the step, one pass after the last global sum."""
        if self.rule.carry is None:
            return -1
        last = max(s.value.level for s in self.sums if s.scope == "global")
        for m in self.rule.memory:
            self.env[m.name] = Expr("input", (), False, last + 1, f"carry:{m.name}")
        return last

    def begin(self) -> dict[str, tuple[Expr, ...]]:
        """Everything up to what may have to be summed over all tensors; returns what is to be stored."""
        rule, env = self.rule, self.env
        defaults = rule.letters({name: h.default for name, h in rule.hyper.items()})
        starts = {m.name: float(call(m.init, defaults) if callable(m.init) else m.init) for m in rule.memory}
        computed = call(rule.scalars, {**defaults, **starts, "t": 1})
        decay = [DECAY] if self.weights.average else []
        for name in dict.fromkeys((GRAD_SCALE, FIRST, *defaults, *starts, *computed, *decay)):
            env[name] = self.scalar(name)
        p, g = self.array("p"), self.array("g")
        self.beside = {name: self.array(name) for name in self.weights.arrays}
        env |= {"p": self.weights.read(p, self.beside, keep), "g": g * env[GRAD_SCALE]}
        env["raw"] = env["g"]
        env |= {s.name: self.load(s) for s in rule.slots}
        for stage in rule.before:
            self.stage("g", stage)
        stored = self.moments()
        for m in rule.measures:
            self.measure(m)
        return stored

    def update(self) -> None:
        """The rest: the update u."""
        self.env["u"] = call(self.rule.step, self.env)
        for stage in self.rule.after:
            self.stage("u", stage)

    def run(self) -> Program:
        stored = self.begin()
        carry_pass = self.carry()
        self.update()
        new = self.env["p"] - self.env[self.rule.size] * self.env["u"]
        kept = self.weights.write(new, self.beside, keep, dither, self.env)
        writes = {**{name: _words(value) for name, value in kept.items()}, **stored}
        passes = 1 + max(max(w.level for words in writes.values() for w in words), carry_pass)
        passes = max([passes, *(s.value.level + 2 for s in self.sums)])  # a pass that sums may run twice: it writes not
        return self.program(passes, carry_pass, writes)

    def observe(self) -> Program:
        self.begin()
        self.sums = [s for s in self.sums if s.scope != "global"]  # they serve ``carry``, which does not run
        self.update()
        rounds = keep if self.weights.mode is None else lambda x: x
        for name, value in observed(self.rule, self.env, rounds).items():
            self.sum(f"{OBSERVED}{name}", "tensor", False, value)
        return self.program(1 + max(s.value.level for s in self.sums), -1, {})

    def program(self, passes: int, carry_pass: int, writes: Mapping[str, tuple[Expr, ...]]) -> Program:
        return Program(
            self.rule.title,
            self.is_complex,
            self.arrays,
            tuple(self.means),
            tuple(self.scalars),
            tuple(tuple(s for s in self.sums if s.value.level == k) for k in range(passes)),
            tuple(m.name for m in self.rule.memory) if carry_pass >= 0 else (),
            carry_pass,
            writes,
            grids(self.rule.slots, self.codecs),
        )


def gate(is_complex: bool, limit: float) -> Program:
    """One pass over the gradients: Σ|g|² over finite terms, and how many |g|² exceed the limit or are NaN."""
    words = [Expr("input", (), True, 0, f"g:{i}") for i in range(2 if is_complex else 1)]
    g2 = abs2(Complex(*words) if is_complex else words[0])
    sums = (
        Sum("square", "tensor", False, g2),
        Sum("bad", "tensor", False, where(g2 <= limit, 0.0, 1.0)),
    )
    return Program("The gate", is_complex, {"g": len(words)}, (), (), (sums,), (), -1, {}, {})


def denominator(rule: Rule) -> tuple[Expr, Expr, Expr] | None:
    """(m̂, v̂, ε) where the rule's step is m̂ / (√v̂ + ε) with a scalar ε, as graphs over the names of its step.

    Read off the step itself, so that diagnostics cannot disagree with it about bias corrections or what ε is.
    """
    letters = rule.letters({name: h.default for name, h in rule.hyper.items()})
    memory = [m.name for m in rule.memory]
    known = {*letters, *memory, *scalars(rule), *(m.name for m in rule.measures if m.scope == "tensor")}
    step = call(rule.step, {name: Expr("input", (), name not in known, 0, name) for name in names_of(rule.step)})
    for node in nodes(_words(step)):
        if node.op == "div" and node.args[1].op == "add":
            for root, eps in (node.args[1].args, node.args[1].args[::-1]):
                if root.op == "sqrt" and not eps.element:
                    return node.args[0], root.args[0], eps
    return None


def observed(rule: Rule, env: Mapping[str, Any], keep: Callable[[Any], Any]) -> dict[str, Any]:
    """What diagnostics sum over a tensor, as words: numbers, and conditions to be counted.

    env: all that a step knows at its end. keep: a real word as the parameter's dtype keeps it.
    """
    p, change = env["p"], env[rule.size] * env["u"]
    moves = absolute(change) > 0
    lost = moves
    for old, new in zip(_parts(p), _parts(p - change), strict=True):
        kept = keep(new)
        lost = lost & (kept >= old) & (kept <= old)
    found = {"weight²": abs2(p), "change²": abs2(change), "moves": moves, "lost": lost}
    graphs = denominator(rule)
    if graphs is None:
        return found
    mean, square, eps = (replay(graph, env) for graph in graphs)
    alive, root = absolute(mean) > 0, sqrt(square)
    found |= {"alive": alive, "eps": alive & (root < eps)}
    if not any(n.name in ("g", "p") for n in nodes(graphs[:1])):  # a mean of gradients, not the gradient itself
        found["signal"] = where(alive & (root > 0), abs2(mean / root), 0.0)
    return found


def observe(rule: Rule, codecs: Mapping[str, Codec], is_complex: bool, weights: Weights = PLAIN) -> Program:
    """The step of a rule that writes nothing and ends in sums over each tensor; global scalars stay as they are."""
    return _Tracer(rule, codecs, is_complex, weights).observe()


def trace(rule: Rule, codecs: Mapping[str, Codec], is_complex: bool, weights: Weights = PLAIN) -> Program:
    """The program of a rule with one codec per slot; raises if a stage asks for what does not exist."""
    return _Tracer(rule, codecs, is_complex, weights).run()


def scalars(rule: Rule) -> dict[str, Expr]:
    """The scalars of a step as graphs over the hyper-parameters' letters, the rule's memory and ``t``."""
    letters = rule.letters({name: h.default for name, h in rule.hyper.items()})
    return _graphs(rule.scalars, (*letters, *(m.name for m in rule.memory), "t"))


def carried(rule: Rule) -> dict[str, Expr]:
    """What the rule carries to its next step as graphs over letters, memory and the sums over all tensors."""
    letters = rule.letters({name: h.default for name, h in rule.hyper.items()})
    sums = (m.name for m in rule.measures if m.scope == "global")
    return _graphs(rule.carry, (*letters, *(m.name for m in rule.memory), *sums)) if rule.carry else {}


def _graphs(function: Callable[..., Mapping[str, Any]], names: Iterable[str]) -> dict[str, Expr]:
    found = call(function, {name: Expr("input", name=name) for name in names})
    return {name: _words(value)[0] for name, value in found.items()}
