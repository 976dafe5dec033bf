"""A whole minimisation as compiled code: what ``adamas.minimize`` does between two evaluations of the user's function.

Tens of microseconds of Python a step are nothing beside a network and everything beside a function of ten
variables. So one call of ``advance`` looks at a value and its gradient, remembers the best point, decides whether
to stop, computes the rule's scalars, runs its passes, projects onto the bounds and averages. Its tables are two
arrays, integers (with the addresses of all others) and floats, whose places have names here.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adamas import program
from adamas.backends import Array, Ints, Tensor
from adamas.backends.cpu import Kernel, compiled, scalar_table
from adamas.backends.cpu_parts import PRELUDE
from adamas.backends.cpu_source import BYTE_OF, SPELL, Layout, generate
from adamas.codecs import Codec
from adamas.language import Expr, Rule

#: Why a run ended, 0 while it goes on; those from TOLD on are told from outside.
RUNNING, GTOL, FTOL, MAXITER, VALUE, GRADIENT, SUMS, TOLD = range(8)

#: Places in the table of integers: numbers, then addresses.
COUNTS = (
    "size", "step", "maxiter", "noisy", "window", "seen", "patience", "stale", "averaging", "average_from", "base",
    "tensors", "groups", "items",
)  # fmt: skip
ADDRESSES = (
    "x", "best", "best_slope", "slope", "lower", "upper", "average", "values", "rates",
    "pointers", "layout", "work", "row_of", "rows", "totals", "partial", "starts", "scratch",
)  # fmt: skip
INTS = {name: i for i, name in enumerate((*COUNTS, *ADDRESSES))}

#: Places in the table of floats.
FLOATS = {
    name: i
    for i, name in enumerate(
        ("lowest", "best_value", "best_top", "gtol", "ftol", "mark", "sum", "value", "decay", "max_norm")
    )
}

_VIEWS = '''
def pointer(memory, register):
    """at(address): the address as a pointer to numbers of that type."""

    @intrinsic
    def at(typingctx, address):
        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], memory.as_pointer())

        return types.CPointer(register)(types.int64), codegen

    return at


int_pointer, float_pointer = pointer(I64, types.int64), pointer(DOUBLE, types.float64)
real_pointer, bits_pointer = pointer({memory}, types.{real}), pointer({word}, types.{bits})
'''

# Everything here reads and writes through the addresses in ``ints``; x, best, … are arrays of n real numbers.
_OBSERVE = '''
real = np.{real}
MAGNITUDE, INFINITE = np.{bits}({magnitude}), np.{bits}({infinite})


@njit(nogil=True, error_model="numpy")
def largest(address, n):
    """The largest magnitude of n numbers, as bits, which order as magnitudes do; a NaN is above infinity."""
    words, top = carray(bits_pointer(address), n), np.{bits}(0)
    for i in range(n):
        word = words[i] & MAGNITUDE
        top = word if word > top else top
    return top


@njit(nogil=True, error_model="numpy")
def projected(ints, g):
    """The step from x along −g that stays within the bounds, negated, written into ``slope``: g where it is free."""
    n = ints[SIZE]
    x, d = carray(real_pointer(ints[X]), n), carray(real_pointer(ints[SLOPE]), n)
    low, high = carray(real_pointer(ints[LOWER]), n), carray(real_pointer(ints[UPPER]), n)
    for i in range(n):
        to = x[i] - g[i]
        to = low[i] if to < low[i] else to
        to = high[i] if to > high[i] else to
        d[i] = x[i] - to
    return largest(ints[SLOPE], n)


@njit(nogil=True, error_model="numpy")
def keep(ints, floats, g, value, top):
    """Remember x if it is the best so far, or the latest of a noisy run.

    Values that rounding cannot tell apart are told apart by their gradients: near a minimum f is flat to a distance
    of √(machine epsilon), and the smaller gradient is much nearer.
    """
    n, near = ints[SIZE], 4 * 2.220446049250313e-16 * abs(floats[LOWEST])
    lowest, better = floats[LOWEST], True
    if ints[STEP] and not ints[NOISY]:
        better = value < lowest - near or (value <= lowest + near and top < floats[BEST_TOP])
    if better:
        x, best = carray(real_pointer(ints[X]), n), carray(real_pointer(ints[BEST]), n)
        slope = carray(real_pointer(ints[BEST_SLOPE]), n)
        for i in range(n):
            best[i], slope[i] = x[i], g[i]
        floats[BEST_VALUE], floats[BEST_TOP] = value, top
    if not ints[STEP] or value < lowest:
        floats[LOWEST] = value


@njit(nogil=True, error_model="numpy")
def stale(ints, floats, value):
    """Whether values have stopped falling: by more than ftol · max(1, |f|), for ``patience`` windows."""
    floats[SUM] += value
    ints[SEEN] += 1
    if ints[SEEN] < ints[WINDOW]:
        return False
    mean = floats[SUM] / ints[SEEN]
    floats[VALUE], floats[SUM], ints[SEEN] = mean, 0.0, 0
    if mean < floats[MARK] - floats[FTOL] * max(1.0, abs(floats[MARK])) or ints[STEP] < ints[WINDOW]:
        floats[MARK], ints[STALE] = mean, 0
    else:
        ints[STALE] += 1
    return floats[FTOL] >= 0 and ints[STALE] >= ints[PATIENCE]


@njit(nogil=True, error_model="numpy")
def observe(ints, floats, g, value, told):
    """Look at the value and the gradient at x; why to stop here, or 0."""
    n = ints[SIZE]
    carray(float_pointer(ints[VALUES]), n)[ints[STEP] - ints[BASE]] = value
    if not abs(value) < np.inf:
        return {VALUE}
    top = largest(g.ctypes.data, n)
    if top >= INFINITE:
        return {GRADIENT}
    if ints[LOWER]:
        top = projected(ints, g)
    keep(ints, floats, g, value, float(np.{bits}(top).view(real)))
    done = stale(ints, floats, value)
    if floats[BEST_TOP] <= floats[GTOL]:
        return {GTOL}
    if done:
        return {FTOL}
    if told:
        return told
    return {MAXITER} if ints[STEP] >= ints[MAXITER] and not ints[NOISY] else 0


@njit(nogil=True, error_model="numpy")
def settle(ints, floats):
    """After a step: back within the bounds, into the average; why to stop here, or 0."""
    n = ints[SIZE]
    x = carray(real_pointer(ints[X]), n)
    if ints[LOWER]:
        low, high = carray(real_pointer(ints[LOWER]), n), carray(real_pointer(ints[UPPER]), n)
        for i in range(n):
            x[i] = low[i] if x[i] < low[i] else x[i]
            x[i] = high[i] if x[i] > high[i] else x[i]
    ints[STEP] += 1
    count = ints[STEP] - ints[AVERAGE_FROM]
    if ints[AVERAGING] and count > 0:
        average = carray(float_pointer(ints[AVERAGE]), n)
        old = 1.0 - 1.0 / count if floats[DECAY] < 0 else floats[DECAY]
        for i in range(n):
            average[i] = old * average[i] + (1.0 - old) * x[i]
    return {MAXITER} if ints[STEP] >= ints[MAXITER] and ints[NOISY] else 0
'''

_ADVANCE = '''
@njit(nogil=True, error_model="numpy")
def clipping(ints, floats, g):
    """The factor on the gradient that keeps its 2-norm at most max_norm."""
    if not floats[MAX_NORM] > 0:
        return 1.0
    total = 0.0
    for i in range(ints[SIZE]):
        total += float(g[i]) * float(g[i])
    return min(1.0, floats[MAX_NORM] / (np.sqrt(total) + 1e-6))


@njit(nogil=True, error_model="numpy")
def update(ints, floats, g):
    """One step of the rule; False, with nothing written, if a sum over the gradients is beyond what floats hold."""
    tensors, groups, items = ints[TENSORS], ints[GROUPS], ints[ITEMS]
    pointers = carray(int_pointer(ints[POINTERS]), (tensors, {pointers}))
    layout = carray(int_pointer(ints[LAYOUT]), (tensors, {layout}))
    work = carray(int_pointer(ints[WORK]), (items, {work}))
    row_of = carray(int_pointer(ints[ROW_OF]), tensors)
    rows = carray(float_pointer(ints[ROWS]), (groups, {columns}))
    totals = carray(float_pointer(ints[TOTALS]), (tensors, {totals}))
    partial = carray(float_pointer(ints[PARTIAL]), (items, {totals}))
    starts = carray(int_pointer(ints[STARTS]), tensors + 1)
    rates = carray(float_pointer(ints[RATES]), (ints[STEP] - ints[BASE] + 1, groups))
    for tensor in range(tensors):
        pointers[tensor, {g}] = g.ctypes.data + pointers[tensor, {p}] - ints[X]
    factor = clipping(ints, floats, g)
    for row in range(groups):
        rows[row, {lr}] = rates[ints[STEP] - ints[BASE], row]
        scalars(rows, row, float(ints[STEP] + 1), factor)
{passes}    return True


@njit(nogil=True, error_model="numpy")
def advance(ints, floats, g, value, told):
    """Look at the value and the gradient at x, and make a step unless there is a reason to stop; the reason, or 0."""
    reason = observe(ints, floats, g, value, told)
    if reason:
        return reason
    if not update(ints, floats, g):
        return {SUMS}
    return settle(ints, floats)
'''

_TABLES = "int64[::1], float64[::1]"
_ARGUMENTS = "pointers, layout, work, row_of, rows, totals, partial, ints[SCRATCH], 0, items"

#: dtype → its bits as an integer dtype, their mask of the magnitude, the bits of infinity, LLVM's names of both.
_REALS = {
    "float64": ("int64", "0x7FFFFFFFFFFFFFFF", "0x7FF0000000000000", "DOUBLE", "I64"),
    "float32": ("int32", "0x7FFFFFFF", "0x7F800000", "FLOAT", "I32"),
}


def _names() -> str:
    """The places of the tables as constants of the text."""
    places = {**INTS, **FLOATS}
    return "\n".join(f"{name.upper()} = {place}" for name, place in places.items()) + "\n"


def _fill(template: str, **words: Any) -> str:
    """A template with its words put in; braces of the template's own are none of them."""
    for name, word in words.items():
        template = template.replace(f"{{{name}}}", str(word))
    return template


def _monitor(real: str) -> str:
    bits, magnitude, infinite, memory, word = _REALS[real]
    reasons = dict(GTOL=GTOL, FTOL=FTOL, MAXITER=MAXITER, VALUE=VALUE, GRADIENT=GRADIENT)
    words = dict(real=real, bits=bits, magnitude=magnitude, infinite=infinite, memory=memory, word=word)
    return "from numba import carray\n\n" + _names() + _fill(_VIEWS + _OBSERVE, **reasons, **words)


def monitor(real: str) -> types.ModuleType:
    """``observe`` and ``settle`` alone, for steps that are made elsewhere."""
    signatures = {"observe": f"int64({_TABLES}, {real}[::1], float64, int64)", "settle": f"int64({_TABLES})"}
    return compiled(f"minimize-{real}", PRELUDE.format(scopes=("x", "y")) + _monitor(real), signatures)


# ------------------------------------------------------------------------------ the rule's scalars


def _spell(graphs: Mapping[str, Expr], given: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Lines that compute float64 graphs from the given names, and where each result is."""
    lines: list[str] = []
    of: dict[int, str] = {}
    for node in program.nodes(tuple(graphs.values())):
        if node.op == "input":
            of[id(node)] = given[node.name]
        elif node.op == "const":
            of[id(node)] = f"f64({node.value!r})"
        else:
            of[id(node)] = f"y{len(lines)}"
            text = SPELL[node.op].format(*(of[id(a)] for a in node.args), f="f64")
            lines.append(f"    y{len(lines)} = {text}")
    return lines, {name: of[id(node)] for name, node in graphs.items()}


def _scalars(rule: Rule, columns: Sequence[str]) -> str:
    """``scalars``: a group's row of the table of scalars at step t, from its letters and memory there."""
    graphs = program.scalars(rule)
    given = {name: f"rows[row, {columns.index(name)}]" for name in columns if name not in graphs} | {"t": "t"}
    given |= {m.name: f"rows[row, {columns.index(m.name)}]" for m in rule.memory}
    lines, found = _spell(graphs, given)
    lines += [f"    rows[row, {columns.index(name)}] = {text}" for name, text in found.items()]
    lines += [f"    rows[row, {columns.index(program.FIRST)}] = 1.0 if t == 1.0 else 0.0"]
    lines += [f"    rows[row, {columns.index(program.GRAD_SCALE)}] = factor"]
    head = ["", "", '@njit(nogil=True, error_model="numpy")', "def scalars(rows, row, t, factor):"]
    return "\n".join(head + lines) + "\n"


def _passes(rule: Rule, layout: Layout) -> str:
    """The passes of a step; what they have summed over all tensors is carried over to the scalars."""
    lines: list[str] = []
    for k in range(layout.program.passes):
        lines.append(f"    pass_{k}({_ARGUMENTS})")
        if layout.program.sums[k]:
            lines += [f"    if not finish_{k}(pointers, layout, starts, partial, totals):", "        return False"]
        if k == layout.program.carry_pass:
            lines += _carry(rule, layout)
    if layout.program.means:
        lines.append("    commit(pointers, layout)")
    if rule.carry:  # the passes still saw what was
        for name in layout.program.carried:
            old, new = layout.columns.index(name), layout.columns.index(f"carry:{name}")
            lines.append(f"    rows[:, {old}] = rows[:, {new}]")
    return "".join(line + "\n" for line in lines)


def _carry(rule: Rule, layout: Layout) -> list[str]:
    columns = layout.columns
    given = {name: f"rows[0, {columns.index(name)}]" for name in columns if not name.startswith("carry:")}
    lines: list[str] = []
    for j, name in enumerate(layout.totals):
        lines += [
            f"    total{j} = 0.0",
            "    for tensor in range(tensors):",
            f"        total{j} += totals[tensor, {j}]",
        ]
        given[name] = f"total{j}"
    graphs = program.carried(rule)
    computed, found = _spell(graphs, given)
    lines += computed
    for name in layout.program.carried:
        lines.append(f"    rows[:, {columns.index(f'carry:{name}')}] = {found.get(name, given[name])}")
    return lines


def source(rule: Rule, layout: Layout, width: int) -> tuple[str, dict[str, str]]:
    """The text of a rule's loop over a layout (``width`` columns in its table), and the signatures to compile."""
    text, signatures = generate(layout)
    columns, pointers, real = layout.columns, layout.pointers, layout.p_kind
    words = dict(
        pointers=len(pointers),
        layout=width,
        work=BYTE_OF + 1,
        columns=len(columns),
        totals=max(1, len(layout.totals)),
        g=pointers.index("g"),
        p=pointers.index("p"),
        lr=columns.index("lr"),
        passes=_passes(rule, layout),
        SUMS=SUMS,
    )
    text += _monitor(real) + _scalars(rule, columns) + _fill(_ADVANCE, **words)
    return text, signatures | {"advance": f"int64({_TABLES}, {real}[::1], float64, int64)"}


class Loop:
    """Tensors of one kind within one vector x, ready to be advanced.

    rows: the scalars before the first step, one row a tensor or one for all. ints: the table to write addresses into.
    """

    def __init__(
        self,
        rule: Rule,
        codecs: Mapping[str, Codec],
        tensors: Sequence[Tensor],
        rows: Sequence[Mapping[str, float]],
        ints: Ints,
    ) -> None:
        real = tensors[0].p.dtype.name
        layout = Layout(program.trace(rule, codecs, False), real, real, real)
        self.kernel = kernel = Kernel(layout, rule.name, tensors, rule, codecs)
        text, signatures = source(rule, layout, kernel.table.shape[1])
        self.advance = compiled(f"{rule.name}-loop", text, signatures).advance
        self.rows = scalar_table(rows, layout.columns)
        self.row_of = np.arange(len(tensors)) if len(rows) > 1 else np.zeros(len(tensors), np.int64)
        kernel.share()
        tables: dict[str, Array] = dict(
            pointers=kernel.pointers, layout=kernel.table, work=kernel.work, row_of=self.row_of, rows=self.rows,
            totals=kernel.totals, partial=kernel.partial, starts=kernel.items,
        )  # fmt: skip
        for name, table in tables.items():
            ints[INTS[name]] = table.ctypes.data
        ints[INTS["scratch"]] = kernel.scratch_at[0]
        for name, count in (("tensors", len(tensors)), ("groups", len(rows)), ("items", len(kernel.work))):
            ints[INTS[name]] = count
