"""A program as the text of one small Numba module: the CPU's table of spellings and its template.

The text is self-contained, so that it can be read, hashed and cached. One kernel a pass; a kernel walks work
items (tensor, start, stop) and, inside them, blocks of 512 elements; the innermost loop is the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from adamas import grids, noise, sums
from adamas.backends.cpu_parts import (
    CODES,
    COLUMN_SUMS,
    EXPAND,
    FOLD,
    GRIDS,
    KEEP,
    MOVE,
    NOISE,
    PRELUDE,
    ROW_SUMS,
)
from adamas.codecs import Blocked, Grid
from adamas.language import Expr
from adamas.program import CONDITIONS, LINES, Program, Sum, nodes

#: Columns of the layout table; then come `dims` sizes, strides of p and strides of g in bytes.
SIZE, MATRICES, ROWS, COLUMNS, PART, PARTS, LANES, P_STRIDED, G_STRIDED, NDIM, SEED, PHASE, DIMS = range(13)

#: Columns of the table of work items; the last two count the blocks before an item, and the bytes of packed codes.
TENSOR, START, STOP, BLOCK_OF, BYTE_OF = range(5)

#: Bytes of a number in memory.
BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "short": 2, "code": 1}

KERNEL = (
    "void(int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[::1], float64[:, ::1], float64[:, ::1], "
    "float64[:, ::1], int64, int64, int64)"
)
FINISH = "boolean(int64[:, ::1], int64[:, ::1], int64[::1], float64[:, ::1], float64[:, ::1])"
COMMIT = "void(int64[:, ::1], int64[:, ::1])"

SPELL = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "pow": "{} ** {}",
    "sqrt": "{f}(np.sqrt({}))",
    "log": "np.log({})",
    "abs": "abs({})",
    "where": "{1} if {0} else {2}",
    "gt": "{} > {}",
    "ge": "{} >= {}",
    "and": "{} & {}",
    "keep": "keep({})",
    "dither": "p_at_random({}, dither(load_place(places, i), p_shift))",
}


def identifier(name: str) -> str:
    """A name of the program as a Python identifier, ending in an underscore as no name of the template does.

    What belongs to an array ``m`` is m_ (an element), m_at (where the block begins), m_load and m_store.
    """
    return name.replace(".", "__").replace(":", "__").replace("'", "__fresh") + "_"


@dataclass
class _Text:
    lines: list[str] = field(default_factory=list)
    depth: int = 0

    def __call__(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line if line else "" for line in lines]


@dataclass(frozen=True)
class Layout:
    """What the text and the launch must agree on: columns of the tables, offsets in a thread's scratch."""

    program: Program
    p_kind: str
    g_kind: str
    arithmetic: str
    strided: bool = False  # whether some tensor or gradient has gaps; without, there is less to compile
    careful: bool = False  # whether sums leave out what is not finite

    @property
    def matrix(self) -> bool:
        """Whether rows and columns matter."""
        return bool(self.program.lines)

    @cached_property
    def random(self) -> bool:
        """Whether parameters are rounded at random."""
        return any(node.op == "dither" for node in nodes(self.program.outputs(self.program.passes - 1)))

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Array → the dtype of its real words in memory."""
        state = "float64" if self.p_kind == "float64" else "float32"
        own = {"p": self.p_kind, "g": self.g_kind, "kahan": self.p_kind}
        own |= {name: "code" if g.scales else "short" for name, g in self.program.grids.items()}
        return {a: own.get(a, state) for a in self.program.arrays}

    @cached_property
    def pointers(self) -> tuple[str, ...]:
        """Columns of the pointer table: arrays; scales of blocks; means kept and fresh; sums of rows and columns."""
        lines = [s.name for s in self.program.lines]
        fresh, totals = (f"{name}'" for name in lines), (f"{name}+" for name in lines)
        return (*self.program.arrays, *self.program.scales, *self.program.means, *fresh, *totals)

    @cached_property
    def totals(self) -> tuple[str, ...]:
        """Columns of the tables of sums over tensors."""
        return tuple(s.name for sums_ in self.program.sums for s in sums_ if s.scope in ("tensor", "global"))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the scalar table."""
        return (*self.program.scalars, *(f"carry:{name}" for name in self.program.carried))

    @cached_property
    def scratch(self) -> dict[str, int]:
        """Offsets of a thread's buffers, in bytes; the last entry is the size of all."""
        names = ["p", "g", "row lanes", *(f"lane {t}" for t in self.totals)]
        lines = [s.name for s in self.program.lines]
        names += [f"spread {m}" for m in (*self.program.means, *(f"{name}'" for name in lines))]
        names += [f"value {name}" for name in lines]
        names += ["places", *(f"{what} {name}" for name in self.program.grids for what in ("fresh", "codes"))]
        offsets = {name: i * sums.BLOCK * 16 for i, name in enumerate(names)}
        return offsets | {"": len(names) * sums.BLOCK * 16}


class _Pass:
    """The text of one pass."""

    def __init__(self, layout: Layout, k: int, out: _Text) -> None:
        self.layout, self.k, self.out = layout, k, out
        self.program = layout.program
        self.last = k == self.program.passes - 1
        self.f = "f64" if layout.arithmetic == "float64" else "f32"
        self.names: dict[tuple[object, ...], str] = {}  # an operation already spelled → its variable
        self.of: dict[int, str] = {}  # node → its variable
        self.cast: dict[str, str] = {}  # float64 scalar → the same in the arithmetic dtype
        self.prologue, self.body = _Text(), _Text()
        self.spreads: list[str] = []

    def emit(self) -> None:
        outputs = self.program.outputs(self.k)
        for node in nodes(outputs):
            self.of[id(node)] = self.node(node)
        self.store_sums()
        if self.last:
            self.store_writes()
        self.frame()

    # ---- one node

    def node(self, node: Expr) -> str:
        if node.op == "const":
            return repr(node.value)
        if node.op == "input":
            return self.input(node)
        text = self.body if node.element else self.prologue
        f = self.f if node.element else "f64"
        args = [self.operand(a, node.element) for a in node.args]
        key = (node.op, f, *args)
        if key not in self.names:
            self.names[key] = f"x{len(self.names)}" if node.element else f"s{len(self.names)}"
            text(f"{self.names[key]} = {SPELL[node.op].format(*args, f=f)}")
        return self.names[key]

    def operand(self, node: Expr, element: bool) -> str:
        name = self.of[id(node)]
        if not element or node.element:
            return f"f64({name})" if node.op == "const" and not element else name
        if node.op == "const":
            return f"{self.f}({name})"
        if node.op in CONDITIONS:
            return name
        if name not in self.cast:
            self.cast[name] = f"{name}f32" if self.f == "f32" else name
            if self.f == "f32":
                self.prologue(f"{self.cast[name]} = f32({name})")
        return self.cast[name]

    def input(self, node: Expr) -> str:
        key = ("input", node.name)
        if key in self.names:
            return self.names[key]
        name, text, line = identifier(node.name), self.prologue, ""
        if not node.element and node.name.startswith("sum:"):
            line = f"totals[tensor, {self.layout.totals.index(node.name[4:])}]"
        elif not node.element:
            line = f"rows[row, {self.layout.columns.index(node.name)}]"
        elif node.name.split(":")[0] in self.program.arrays:
            array, word = node.name.split(":")
            words = self.program.arrays[array]
            name = identifier(array if words == 1 else f"{array}.{('re', 'im')[int(word)]}")
            index = "i" if words == 1 else f"2 * i + {word}"
            text, line = self.body, f"{self.f}({self.decoded(array, index)})"
        else:
            mean = f"{node.name[4:]}'" if node.name.startswith("sum:") else node.name
            self.spreads.append(mean)
            name = identifier(mean)
            text, line = self.body, f"load_spread({name}at, i)"
        self.names[key] = name
        text(f"{name} = {line}")
        return name

    def decoded(self, array: str, index: str) -> str:
        """What stands for an element of an array in memory."""
        name, grid = identifier(array), self.program.grids.get(array)
        load = f"{name}load({name}at, {index})"
        if grid is None or not grid.scales:
            return load
        scales = [identifier(f"{array}.{scale}") for scale in grid.scales]
        if grid.kind == "logarithmic":
            return f"rung({', '.join(scales)}, {load})"
        self.body(f"{name}code = f32({load}) - f32({grid.codec.middle})")
        if grid.kind == "square":
            return f"{name}code * (abs({name}code) * {scales[0]})"
        root = self.input(Expr("input", (), True, 0, f"{grid.root}:0"))
        return f"{name}code * ({scales[0]} * near(f32({root})))"

    def value(self, node: Expr) -> str:
        """The variable of an output, as an element."""
        return self.operand(node, True)

    # ---- what a pass leaves behind

    def here(self, *scopes: str) -> list[Sum]:
        return [s for s in self.program.sums[self.k] if s.scope in scopes]

    def store_sums(self) -> None:
        for s in self.program.sums[self.k]:
            x = self.value(s.value)
            if s.counts:
                self.body(f"{self.counter(s)} = i32({self.counter(s)} + i32({x}))")
                continue
            if self.layout.careful:
                x = f"({x} if ({x} - {x}) == {self.f}(0) else {self.f}(0))"
            if s.scope in LINES:
                self.body(f"store_value(scratch + {self.layout.scratch[f'value {s.name}']}, i, {x})")
            else:
                lane = f"scratch + {self.layout.scratch[f'lane {s.name}']}"
                self.body(f"store_lane({lane}, i, load_lane({lane}, i) + f64({x}))")

    def counter(self, s: Sum) -> str:
        return f"count{self.layout.totals.index(s.name)}"

    def store_writes(self) -> None:
        for array, words in self.program.writes.items():
            if array in self.program.grids:
                self.store_rounded(array, self.program.grids[array], self.value(words[0]))
                continue
            for c, word in enumerate(words):
                index = "i" if len(words) == 1 else f"2 * i + {c}"
                self.body(f"{identifier(array)}store({identifier(array)}at, {index}, {self.value(word)})")

    def store_rounded(self, array: str, grid: Grid, x: str) -> None:
        """A bfloat16 at once; what will be a code when its block is known, into a buffer."""
        name, x = identifier(array), f"f32({x})"
        if grid.kind == "upward":
            x = f"upward({x})"
        elif grid.kind == "dithered":
            x = f"bfloat16_at_random({x}, dither(load_place(places, i), {name}shift))"
        if not grid.scales:
            self.body(f"{name}store({name}at, i, {x})")
            return
        if grid.root:
            x = f"{x} / near(f32({self.value(self.program.writes[grid.root][0])}))"
        self.body(f"store_fresh({name}fresh, i, {x})")

    # ---- the loops around the rule

    def frame(self) -> None:
        out, here = self.out, self.here("tensor", "global")
        lanes, counts = [s for s in here if not s.counts], [s for s in here if s.counts]
        out("", '@njit(nogil=True, error_model="numpy")')
        out(f"def pass_{self.k}(pointers, layout, work, row_of, rows, totals, partial, scratch, begin, end):")
        out.depth += 1
        out("for item in range(begin, end):")
        out.depth += 1
        out("tensor, start, stop = work[item, 0], work[item, 1], work[item, 2]", "row = row_of[tensor]")
        if self.layout.random or self.program.grids:
            out(f"block, byte = work[item, {BLOCK_OF}], work[item, {BYTE_OF}]")
            out(f"seed, phase = layout[tensor, {SEED}], layout[tensor, {PHASE}]")
            out(f"places = scratch + {self.layout.scratch['places']}")
        out(*self.prologue.lines)
        for s in lanes:
            out(f"for i in range({sums.BLOCK}):")
            out(f"    store_lane(scratch + {self.layout.scratch[f'lane {s.name}']}, i, 0.0)")
        out(*(f"all_{self.counter(s)} = 0" for s in counts))
        depth = out.depth
        if self.layout.matrix:
            self.matrix_blocks()
        else:
            out(f"for first in range(start, stop, {sums.BLOCK}):")
            out.depth += 1
            out(f"n = min({sums.BLOCK}, stop - first)")
        self.block()
        out.depth = depth
        for s in lanes:
            j = self.layout.totals.index(s.name)
            out(f"partial[item, {j}] = fold(scratch + {self.layout.scratch[f'lane {s.name}']}, {sums.BLOCK})")
        out(*(f"partial[item, {self.layout.totals.index(s.name)}] = all_{self.counter(s)}" for s in counts))
        out.depth = 0
        out("")

    def matrix_blocks(self) -> None:
        out, block = self.out, sums.BLOCK
        out(f"height, columns = layout[tensor, {ROWS}], layout[tensor, {COLUMNS}]")
        out(f"part, parts = layout[tensor, {PART}], layout[tensor, {PARTS}]")
        out(f"span, lanes = max(1, {block} // columns), layout[tensor, {LANES}]")
        out("for top in range(start, stop, span):")
        out.depth += 1
        out("width = min(span, stop - top) * columns", f"for column in range(0, width, {block}):")
        out.depth += 1
        out("first = top * columns + column", f"n = min({block}, width - column)")

    def block(self) -> None:
        out, layout, scratch = self.out, self.layout, self.layout.scratch
        reads = self.program.reads(self.k)
        for array in dict.fromkeys((*reads, *(self.program.writes if self.last else ()))):
            j, words = layout.pointers.index(array), self.program.arrays[array]
            size = BYTES[layout.kinds[array]] * words
            if array in self.program.grids:
                self.open_block(array, self.program.grids[array])
                continue
            out(f"{identifier(array)}at = pointers[tensor, {j}] + {size} * first")
            if array in ("p", "g") and self.layout.strided:
                out(f"if layout[tensor, {P_STRIDED if array == 'p' else G_STRIDED}]:")
                out(f"    {array}_at = scratch + {scratch[array]}")
                out(f"    gather_{array}(pointers[tensor, {j}], {array}_at, layout, tensor, first, n)")
        for mean in self.spreads:
            at = f"pointers[tensor, {self.layout.pointers.index(mean)}]"
            by_column, size = mean.rstrip("'").endswith(".column"), BYTES[layout.arithmetic]
            spread = f"{identifier(mean)}at"
            expand = f"expand({at}, {spread}, {by_column}, height, columns, top, column, n)"
            if by_column:  # a piece of one row meets the column means as they lie in memory
                out(f"{spread} = {at} + {size} * ((top // height) * columns + column)", "if span > 1:")
                out(f"    {spread} = scratch + {scratch[f'spread {mean}']}", f"    {expand}")
            else:
                out(f"{spread} = scratch + {scratch[f'spread {mean}']}", expand)
        if self.last and self.layout.random:
            out(f"p_shift = shift_of(seed, phase, block, {noise.SLOTS - 1})")
        counters = [self.counter(s) for s in self.here("tensor", "global") if s.counts]
        out(*(f"{counter} = i32(0)" for counter in counters))
        out("for i in range(n):", *("    " + line for line in self.body.lines))
        out(*(f"all_{counter} += {counter}" for counter in counters))
        for s in self.here(*LINES):
            at = f"pointers[tensor, {self.layout.pointers.index(f'{s.name}+')}]"
            values = f"scratch + {scratch[f'value {s.name}']}"
            if s.scope == "column":
                out(f"add_columns({values}, {at}, height, columns, part, parts, top, column, n)")
            else:
                out(f"add_rows({values}, scratch + {scratch['row lanes']}, {at}, columns, lanes, top, column, n)")
        if self.last and self.layout.strided and "p" in self.program.writes:
            j = self.layout.pointers.index("p")
            out(f"if layout[tensor, {P_STRIDED}]:")
            out(f"    scatter_p(pointers[tensor, {j}], p_at, layout, tensor, first, n)")
        if self.last:
            for array in (a for a in self.program.grids if a in self.program.writes):
                self.close_block(array, self.program.grids[array])
        if self.layout.random or self.program.grids:
            out("block, byte = block + 1, byte + (n + 1) // 2")

    # ---- rounded arrays

    def open_block(self, array: str, grid: Grid) -> None:
        """Where a block's codes lie, one in a byte, its scales, and where its fresh numbers go."""
        out, name, scratch = self.out, identifier(array), self.layout.scratch
        memory = f"pointers[tensor, {self.layout.pointers.index(array)}]"
        if not grid.scales:
            out(f"{name}at = {memory} + 2 * first")
        elif grid.codec.bits == 8:
            out(f"{name}at = {memory} + first")
        else:
            out(f"{name}at = scratch + {scratch[f'codes {array}']}", f"unpack({memory} + byte, {name}at, n)")
        for scale in grid.scales:
            at = f"pointers[tensor, {self.layout.pointers.index(f'{array}.{scale}')}]"
            out(f"{identifier(f'{array}.{scale}')} = load_scale({at}, block)")
        if self.last and array in self.program.writes:
            out(f"{name}fresh = scratch + {scratch[f'fresh {array}']}")
            if grid.kind != "upward":
                out(f"{name}shift = shift_of(seed, phase, block, {grid.place})")

    def close_block(self, array: str, grid: Grid) -> None:
        """Code a block's fresh numbers."""
        if not grid.scales:
            return
        name = identifier(array)
        at = [
            f"pointers[tensor, {self.layout.pointers.index(f'{array}.{scale}')}] + 4 * block" for scale in grid.scales
        ]
        arguments = ", ".join([f"{name}fresh", f"{name}at", *at, "places", f"{name}shift", "n"])
        self.out(f"if not {grid.kind}_{grid.codec.bits}({arguments}):")
        self.out(f"    {grid.kind}_{grid.codec.bits}_careful({arguments})")
        if grid.codec.bits == 4:
            memory = f"pointers[tensor, {self.layout.pointers.index(array)}]"
            self.out(f"pack({name}at, {memory} + byte, n)")


def _finish(layout: Layout, k: int, out: _Text) -> None:
    """Between passes: add up items, parts and rows in order, and turn sums into means; tell whether all are finite."""
    f = "f64" if layout.arithmetic == "float64" else "f32"
    at = {name: f"pointers[tensor, {j}]" for j, name in enumerate(layout.pointers)}
    out("", '@njit(nogil=True, error_model="numpy")')
    out(f"def finish_{k}(pointers, layout, items, partial, totals):", "    check = 0.0")
    out("    for tensor in range(len(layout)):")
    out.depth = 2
    if layout.matrix:
        names = ("count", MATRICES), ("rows", ROWS), ("columns", COLUMNS), ("parts", PARTS)
        out(*(f"{name} = layout[tensor, {j}]" for name, j in names))
    for s in layout.program.sums[k]:
        mean = f" / f64(layout[tensor, {SIZE}])" if s.mean else ""
        fresh, sums_at = at.get(f"{s.name}'"), at.get(f"{s.name}+")
        if s.scope in ("tensor", "global"):
            j = layout.totals.index(s.name)
            out("total = 0.0", "for item in range(items[tensor], items[tensor + 1]):")
            out(f"    total += partial[item, {j}]", f"totals[tensor, {j}] = total{mean}", "check += total * 0.0")
        elif s.scope == "column":
            out("for b in range(count):", "    for c in range(columns):", "        total = 0.0")
            out("        for i in range(parts):")
            out(f"            total += load_total({sums_at}, (b * parts + i) * columns + c)")
            out(f"        store_mean({fresh}, b * columns + c, {f}(total{' / f64(rows)' if s.mean else ''}))")
            out("        check += total * 0.0")
        elif s.scope == "row":
            out("for r in range(count * rows):")
            out(f"    total = load_total({sums_at}, r)")
            out(f"    store_mean({fresh}, r, {f}(total{' / f64(columns)' if s.mean else ''}))")
            out("    check += total * 0.0")
        else:
            out("for b in range(count):", "    total = 0.0", "    for r in range(b * rows, (b + 1) * rows):")
            out(f"        total += load_total({sums_at}, r) / f64(columns)", "    matrix = total / f64(rows)")
            out("    check += total * 0.0")
            out("    for r in range(b * rows, (b + 1) * rows):")
            out(f"        share = load_total({sums_at}, r) / f64(columns) / matrix if matrix > 0 else 0.0")
            out(f"        store_mean({fresh}, r, {f}(share))")
    out.depth = 0
    out("    return check == 0.0", "")


def _commit(layout: Layout, out: _Text) -> None:
    """After the last pass: the fresh means become the kept ones."""
    size = {"row": "count * rows", "share": "count * rows", "column": "count * columns"}
    out("", '@njit(nogil=True, error_model="numpy")', "def commit(pointers, layout):")
    out("    for tensor in range(len(layout)):")
    names = ("count", MATRICES), ("rows", ROWS), ("columns", COLUMNS)
    out(*(f"        {name} = layout[tensor, {j}]" for name, j in names))
    for mean in layout.program.means:
        kept, fresh = (f"pointers[tensor, {layout.pointers.index(m)}]" for m in (mean, f"{mean}'"))
        out(f"        for i in range({size[mean.split('.')[1]]}):")
        out(f"            store_mean({kept}, i, load_mean({fresh}, i))")


def _movers(layout: Layout, out: _Text) -> None:
    """What copies blocks of strided tensors in and out."""
    for array, which in (("p", 1), ("g", 2)):
        if array not in layout.program.arrays:
            continue
        bits, words = f"bits{8 * BYTES[layout.kinds[array]]}", layout.program.arrays[array]
        out(f'read_{array}, keep_{array} = loader("{bits}", "{array}_"), storer("{bits}", "{array}_")')
        inside, outside = f"(k + j) * {words} + c", "base + offset + j * stride"
        gather = f"keep_{array}(block, {inside}, read_{array}({outside}, c))"
        scatter = f"keep_{array}({outside}, c, read_{array}(block, {inside}))"
        common = dict(name=array, which=which, words=words, NDIM=NDIM, DIMS=DIMS)
        doc = "Copy n elements of a strided tensor, from the start-th on, into a block."
        out(*MOVE.format(verb="gather", doc=doc, move=gather, **common).splitlines())
        if array == "p":
            doc = "Copy a block of n elements into a strided tensor, from the start-th on."
            out(*MOVE.format(verb="scatter", doc=doc, move=scatter, **common).splitlines())


def _random(program: Program, out: _Text, kind: str) -> None:
    """What rounds at random, and blocks of fresh numbers to codes."""
    out(*NOISE.format(slots=noise.SLOTS, upper=noise.UPPER, factors=noise.FACTORS).splitlines())
    out('load_place, store_place = loader("bits32", "place"), storer("bits32", "place")')
    if kind in ("bfloat16", "float16"):
        out(f"p_at_random = {kind}_at_random")
    if not program.grids:
        return
    for name, memory in dict(fresh="float32", code="code", packed="code", scale="float32").items():
        out(f'load_{name}, store_{name} = loader("{memory}", "{name}"), storer("{memory}", "{name}")')
    text = GRIDS.format(limit=grids.LIMIT, largest_quotient=grids.LARGEST_QUOTIENT, root=grids.ROOT)
    out(*text.splitlines())
    for codec in dict.fromkeys(grid.codec for grid in program.grids.values() if isinstance(grid.codec, Blocked)):
        even = codec.middle - 1 - 2**-6
        words = dict(
            limit=grids.LIMIT, largest_quotient=grids.LARGEST_QUOTIENT, tiny=grids.TINY,
            reach=codec.binades * grids.BINADE, slack=grids.SLACK, kept=grids.KEPT,
            share=1 / (codec.last - 2), even=even,
            inverse_even=1 / even, squares=even**2, inverse_squares=1 / even**2, above=codec.middle - 1,
            middle=codec.middle, end_squares=codec.middle**2,
        )  # fmt: skip
        top = f"f32({codec.last - 1 - 2**-7!r})"
        bounded, name = f"(t if t < {top} else {top})", str(codec.bits)
        settled = f"settled(t, f32({codec.last + 1}), i32({codec.middle}))"
        plain = dict(name=name, most="most", most_quotient="most", settled="cut(t)")
        careful = dict(name=f"{name}_careful", most="most_counted", most_quotient="most_possible", settled=settled)
        for kinds in (plain, careful):
            out(*CODES.format(bounded=bounded, **words, **kinds).splitlines())


def generate(layout: Layout) -> tuple[str, dict[str, str]]:
    """The module's text, and the signature of each function to compile."""
    program, kinds = layout.program, layout.kinds
    scopes = (*map(identifier, program.arrays), "lane", "spread", "value", "mean", "total")
    scopes += ("fresh", "code", "packed", "scale") if program.grids else ()
    scopes += ("place",) if program.grids or layout.random else ()
    out = _Text()
    title = f"{program.title}, {layout.p_kind} parameters, {layout.g_kind} gradients, {layout.arithmetic}"
    out(f'"""{title}{", complex" if program.is_complex else ""}: generated, not to be edited."""', "")
    out(*PRELUDE.format(scopes=scopes).splitlines())
    for array, kind in kinds.items():
        name = identifier(array)
        scope = "code" if kind == "code" else name  # codes are read and written by shared functions, too
        out(f'{name}load, {name}store = loader("{kind}", "{scope}"), storer("{kind}", "{scope}")')
    helpers = {"lane": "float64", "total": "float64"} | dict.fromkeys(("spread", "value", "mean"), layout.arithmetic)
    for name, kind in helpers.items():
        out(f'load_{name}, store_{name} = loader("{kind}", "{name}"), storer("{kind}", "{name}")')
    if program.grids or layout.random:
        _random(program, out, layout.p_kind)
    if layout.strided:
        _movers(layout, out)
    used = {node.op for k in range(program.passes) for node in nodes(program.outputs(k))}
    if "keep" in used:
        out(*KEEP.format(kind=layout.p_kind).splitlines(), "")
    out(*FOLD.splitlines())
    if layout.matrix:
        out(*(EXPAND + ROW_SUMS + COLUMN_SUMS).splitlines())
    signatures = {}
    for k in range(program.passes):
        _Pass(layout, k, out).emit()
        signatures[f"pass_{k}"] = KERNEL
        if program.sums[k]:
            _finish(layout, k, out)
            signatures[f"finish_{k}"] = FINISH
    if program.means:
        _commit(layout, out)
        signatures["commit"] = COMMIT
    return "\n".join(out.lines) + "\n", signatures
