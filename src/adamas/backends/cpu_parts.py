"""The parts of a kernel's text that no rule changes: how memory is read and written, copied, rounded and summed."""

PRELUDE = '''\
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

f32, f64, i32 = np.float32, np.float64, np.int32
FLOAT, DOUBLE, HALF = ir.FloatType(), ir.DoubleType(), ir.HalfType()
I8, I16, I32, I64 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)

# Arrays that never overlap: told to LLVM, so that the loops become vector code without run-time checks.
SCOPES = {scopes}


def scoped(builder, access, scope):
    module = builder.module
    domain = module.add_metadata(["adamas"])
    scopes = {{name: module.add_metadata([name, domain]) for name in SCOPES}}
    access.set_metadata("alias.scope", module.add_metadata([scopes[scope]]))
    access.set_metadata("noalias", module.add_metadata([s for name, s in scopes.items() if name != scope]))
    return access


def bfloat16_to_float(builder, x):
    return builder.bitcast(builder.shl(builder.zext(x, I32), ir.Constant(I32, 16)), FLOAT)


def float_to_bfloat16(builder, x):
    """Round to nearest, ties to even: add half a unit, less one unless the last kept bit is odd. NaN stays NaN."""
    bits = builder.bitcast(x, I32)
    odd = builder.and_(builder.lshr(bits, ir.Constant(I32, 16)), ir.Constant(I32, 1))
    rounded = builder.add(bits, builder.add(odd, ir.Constant(I32, 0x7FFF)))
    nan = builder.fcmp_unordered("uno", x, x)
    quiet = builder.or_(bits, ir.Constant(I32, 0x400000))
    return builder.trunc(builder.lshr(builder.select(nan, quiet, rounded), ir.Constant(I32, 16)), I16)


def float_to_short(builder, x):
    """The bfloat16 that a float is already."""
    return builder.trunc(builder.lshr(builder.bitcast(x, I32), ir.Constant(I32, 16)), I16)


# stored dtype: type in memory, type in registers, after a load, before a store
KINDS = {{
    "float64": (DOUBLE, types.float64, lambda b, x: x, lambda b, x: x),
    "float32": (FLOAT, types.float32, lambda b, x: x, lambda b, x: x),
    "float16": (HALF, types.float32, lambda b, x: b.fpext(x, FLOAT), lambda b, x: b.fptrunc(x, HALF)),
    "bfloat16": (I16, types.float32, bfloat16_to_float, float_to_bfloat16),
    "code": (I8, types.int32, lambda b, x: b.zext(x, I32), lambda b, x: b.trunc(x, I8)),
    "short": (I16, types.float32, bfloat16_to_float, float_to_short),
    "bits16": (I16, types.int16, lambda b, x: x, lambda b, x: x),
    "bits32": (I32, types.int32, lambda b, x: x, lambda b, x: x),
    "bits64": (I64, types.int64, lambda b, x: x, lambda b, x: x),
}}


def loader(kind, scope):
    """load(address, i): element i of the array that begins at the address."""
    memory, register, after, _ = KINDS[kind]

    @intrinsic
    def load(typingctx, address, i):
        def codegen(context, builder, signature, args):
            pointer = builder.gep(builder.inttoptr(args[0], memory.as_pointer()), [args[1]])
            return after(builder, scoped(builder, builder.load(pointer), scope))

        return register(types.int64, types.int64), codegen

    return load


def storer(kind, scope):
    """store(address, i, x): element i becomes x, rounded to what is stored."""
    memory, register, _, before = KINDS[kind]

    @intrinsic
    def store(typingctx, address, i, x):
        def codegen(context, builder, signature, args):
            pointer = builder.gep(builder.inttoptr(args[0], memory.as_pointer()), [args[1]])
            scoped(builder, builder.store(before(builder, args[2]), pointer), scope)

        return types.void(types.int64, types.int64, register), codegen

    return store

'''

MOVE = '''
@njit(nogil=True, error_model="numpy")
def {verb}_{name}(base, block, layout, tensor, start, n):
    """{doc}"""
    ndim = layout[tensor, {NDIM}]
    dims = (layout.shape[1] - {DIMS}) // 3
    k = 0
    while k < n:
        rest, offset = start + k, 0
        for d in range(ndim - 1, -1, -1):
            size = layout[tensor, {DIMS} + d]
            index = rest % size
            offset += index * layout[tensor, {DIMS} + {which} * dims + d]
            rest = rest // size
        last = layout[tensor, {DIMS} + ndim - 1]
        stride = layout[tensor, {DIMS} + {which} * dims + ndim - 1]
        run = min(last - (start + k) % last, n - k)
        for j in range(run):
            for c in range({words}):
                {move}
        k += run
'''

KEEP = '''
@intrinsic
def keep(typingctx, x):
    """A number as a parameter keeps it: rounded as by a store."""
    _, register, after, before = KINDS["{kind}"]

    def codegen(context, builder, signature, args):
        return after(builder, before(builder, args[0]))

    return register(register), codegen
'''

# See noise.py, where the same is said in NumPy.
NOISE = '''
def word(value):
    return ir.Constant(I32, value)


def bits_of(builder, x):
    return builder.bitcast(x, I32)


def float_of(builder, bits):
    return builder.bitcast(bits, FLOAT)


def quiet(builder, x, other):
    """Another number, unless x is NaN."""
    nan = builder.fcmp_unordered("uno", x, x)
    return builder.select(nan, float_of(builder, builder.or_(bits_of(builder, x), word(0x400000))), other)


@intrinsic
def hashed(typingctx, key, place):
    """The bits of a place."""

    def codegen(context, b, signature, args):
        def half(value, shift):
            return b.trunc(b.lshr(value, ir.Constant(I64, shift)), I32)

        def stir(h, shift):
            return b.xor(h, b.lshr(h, word(shift)))

        key, place = args
        h = b.xor(half(place, 0), half(key, 0))
        upper = b.xor(half(key, 32), b.mul(half(place, 32), word({upper})))
        h = b.xor(b.mul(stir(h, 16), word({factors[0]})), upper)
        return b.zext(stir(b.mul(stir(h, 15), word({factors[1]})), 16), I64)

    return types.int64(types.int64, types.int64), codegen


@njit(nogil=True, error_model="numpy")
def shift_of(key, phase, block, slot):
    """What the numbers of a block's places are combined with at this step."""
    return (hashed(key, block * {slots} + slot) + phase & 0xFFFFFFFF) >> 9


@intrinsic
def dither(typingctx, place, shift):
    """u + 1 of an element."""

    def codegen(context, b, signature, args):
        return float_of(b, b.xor(args[0], b.trunc(args[1], I32)))

    return types.float32(types.int32, types.int64), codegen


@intrinsic
def bfloat16_at_random(typingctx, x, u):
    """A bfloat16 above or below x."""

    def codegen(context, b, signature, args):
        x, u = args
        low = b.lshr(b.and_(bits_of(b, u), word(0x7FFFFF)), word(7))
        return quiet(b, x, float_of(b, b.and_(b.add(bits_of(b, x), low), word(0xFFFF0000))))

    return types.float32(types.float32, types.float32), codegen


@intrinsic
def float16_at_random(typingctx, x, u):
    """A float16 above or below x."""

    def codegen(context, b, signature, args):
        x, u = args
        low = b.lshr(b.and_(bits_of(b, u), word(0x7FFFFF)), word(10))
        normal = float_of(b, b.and_(b.add(bits_of(b, x), low), word(0xFFFFE000)))
        size = float_of(b, b.and_(bits_of(b, x), word(0x7FFFFFFF)))
        scaled = b.fmul(size, ir.Constant(FLOAT, 2.0**24))
        scaled = b.fadd(scaled, b.fmul(b.uitofp(low, FLOAT), ir.Constant(FLOAT, 2.0**-13)))
        whole = b.sitofp(b.fptosi(scaled, I32), FLOAT)
        small = bits_of(b, b.fmul(whole, ir.Constant(FLOAT, 2.0**-24)))
        small = float_of(b, b.or_(small, b.and_(bits_of(b, x), word(0x80000000))))
        tiny = b.fcmp_ordered("<", size, ir.Constant(FLOAT, 2.0**-14))
        return quiet(b, x, b.select(tiny, small, normal))

    return types.float32(types.float32, types.float32), codegen
'''

# See grids.py, where the same is said in NumPy.
GRIDS = '''
def larger(builder, a, b):
    return builder.select(builder.icmp_signed(">", a, b), a, b)


def counted(builder, bits, limit):
    return builder.select(builder.icmp_signed("<", bits, word(limit)), bits, word(0))


@intrinsic
def as_float(typingctx, bits):
    return types.float32(types.int64), lambda c, b, s, args: float_of(b, b.trunc(args[0], I32))


@intrinsic
def as_bits(typingctx, x):
    return types.int64(types.float32), lambda c, b, s, args: b.sext(bits_of(b, args[0]), I64)


@intrinsic
def near(typingctx, v):
    """The root of a number that is not negative, within 6%."""

    def codegen(context, b, signature, args):
        return float_of(b, b.add(b.ashr(bits_of(b, args[0]), word(1)), word({root})))

    return types.float32(types.float32), codegen


@intrinsic
def rung(typingctx, low, step, code):
    """The number of a code on a logarithmic grid."""

    def codegen(context, b, signature, args):
        low, step, code = args
        step = b.fptosi(step, I32)
        bits = b.add(b.sub(bits_of(b, low), step), b.mul(code, step))
        return float_of(b, b.select(b.icmp_signed(">", code, word(0)), bits, word(0)))

    return types.float32(types.float32, types.float32, types.int32), codegen


@intrinsic
def height(typingctx, x, base):
    """How far x's bits are above a base."""

    def codegen(context, b, signature, args):
        return b.sitofp(b.sub(bits_of(b, args[0]), b.trunc(args[1], I32)), FLOAT)

    return types.float32(types.float32, types.int64), codegen


@intrinsic
def upward(typingctx, x):
    """x ≥ 0 rounded up to a bfloat16."""

    def codegen(context, b, signature, args):
        (x,) = args
        return quiet(b, x, float_of(b, b.and_(b.add(bits_of(b, x), word(0xFFFF)), word(0xFFFF0000))))

    return types.float32(types.float32), codegen


@intrinsic
def most(typingctx, so_far, x):
    """The larger of what was found and the bits of a number's magnitude."""

    def codegen(context, b, signature, args):
        return larger(b, args[0], b.and_(bits_of(b, args[1]), word(0x7FFFFFFF)))

    return types.int32(types.int32, types.float32), codegen


@intrinsic
def most_counted(typingctx, so_far, x):
    """… unless it is too large or no number."""

    def codegen(context, b, signature, args):
        return larger(b, args[0], counted(b, b.and_(bits_of(b, args[1]), word(0x7FFFFFFF)), {limit}))

    return types.int32(types.int32, types.float32), codegen


@intrinsic
def most_possible(typingctx, so_far, x):
    """… unless it is no quotient that gradients make."""

    def codegen(context, b, signature, args):
        return larger(b, args[0], counted(b, b.and_(bits_of(b, args[1]), word(0x7FFFFFFF)), {largest_quotient}))

    return types.int32(types.int32, types.float32), codegen


@intrinsic
def least(typingctx, so_far, x):
    """The smaller of what was found and a positive number's bits less one: those of 0 are the largest then."""

    def codegen(context, b, signature, args):
        below = b.sub(bits_of(b, args[1]), word(1))
        return b.select(b.icmp_unsigned("<", below, args[0]), below, args[0])

    return types.int32(types.int32, types.float32), codegen


@intrinsic
def cut(typingctx, t):
    """The whole part of a number."""
    return types.int32(types.float32), lambda c, b, s, args: b.fptosi(args[0], I32)


@intrinsic
def settled(typingctx, t, end, other):
    """The whole part of a number of at least 0 and below ``end``, and else another code."""

    def codegen(context, b, signature, args):
        t, end, other = args
        fits = b.icmp_unsigned("<", bits_of(b, t), bits_of(b, end))
        return b.fptosi(b.select(fits, t, b.sitofp(other, FLOAT)), I32)

    return types.int32(types.float32, types.float32, types.int32), codegen


@njit(nogil=True, error_model="numpy")
def unpack(packed, codes, n):
    """One code a byte from two: those of the first half lie below."""
    half = (n + 1) // 2
    for i in range(half):
        store_code(codes, i, load_packed(packed, i) & i32(15))
    for i in range(n - half):
        store_code(codes, half + i, load_packed(packed, i) >> i32(4))


@njit(nogil=True, error_model="numpy")
def pack(codes, packed, n):
    """Two codes in a byte."""
    half = (n + 1) // 2
    for i in range(n - half):
        store_packed(packed, i, load_code(codes, i) | load_code(codes, half + i) << i32(4))
    for i in range(n - half, half):
        store_packed(packed, i, load_code(codes, i))
'''

# Of codes of one size. What is not finite, or nearly so, is rare: a block of such numbers is coded by a careful twin.
CODES = '''
@njit(nogil=True, error_model="numpy")
def logarithmic_{name}(fresh, codes, low_at, step_at, places, shift, n):
    """Codes of a block of numbers ≥ 0 on a logarithmic grid; False, with nothing done, if one is too large."""
    top, bottom = i32(0), i32(-1)
    for i in range(n):
        top = {most}(top, load_fresh(fresh, i))
        bottom = least(bottom, load_fresh(fresh, i))
    if top >= {limit}:
        return False
    high = int(top)
    least_of_all = min(max((int(bottom) & 0xFFFFFFFF) + 1, high - {reach}), high)
    need, step = int(f32(high - least_of_all) * f32({share!r})) + 1, int(load_scale(step_at, 0))
    if step < need or step > need + need // {kept}:
        step = need + need // {slack}
    low = max(least_of_all // step * step, min(least_of_all, 1))
    inverse = f32(1) / f32(step)
    store_scale(low_at, 0, as_float(low))
    store_scale(step_at, 0, f32(step))
    for i in range(n):
        u = dither(load_place(places, i), shift)
        x = load_fresh(fresh, i)
        t, floor = height(x, low) * inverse, f32(0) if x > f32(0) else f32(-1)
        t = t if t > floor else floor
        store_code(codes, i, cut({bounded} + u))
    return True


@njit(nogil=True, error_model="numpy")
def quotient_{name}(fresh, codes, scale_at, places, shift, n):
    """Codes of a block of quotients; False, with nothing done, if one is too large."""
    most_of_all = i32(0)
    for i in range(n):
        most_of_all = {most_quotient}(most_of_all, load_fresh(fresh, i))
    if most_of_all >= {largest_quotient}:
        return False
    top = as_float(most_of_all)
    top = top if top >= f32({tiny!r}) else f32(0)
    store_scale(scale_at, 0, top * f32({inverse_even!r}))
    inverse = f32({even!r}) / top if top > f32(0) else f32(0)
    for i in range(n):
        u = dither(load_place(places, i), shift)
        t = load_fresh(fresh, i) * inverse + (u + f32({above}))
        store_code(codes, i, {settled})
    return True


@njit(nogil=True, error_model="numpy")
def square_{name}(fresh, codes, scale_at, places, shift, n):
    """Codes of a block whose squares are in proportion to its magnitudes; False if one is too large."""
    most_of_all = i32(0)
    for i in range(n):
        most_of_all = {most}(most_of_all, load_fresh(fresh, i))
    if most_of_all >= {limit}:
        return False
    top = as_float(most_of_all)
    top = top if top >= f32({tiny!r}) else f32(0)
    store_scale(scale_at, 0, top * f32({inverse_squares!r}))
    inverse = f32({squares!r}) / top if top > f32(0) else f32(0)
    for i in range(n):
        u = dither(load_place(places, i), shift)
        x = load_fresh(fresh, i)
        z = abs(x) * inverse
        z = z if z < f32({end_squares}) else f32(0)
        root = f32(cut(f32(np.sqrt(z))))
        root = root + (f32(1) if z - root * root > (u - f32(1)) * (root + root + f32(1)) else f32(0))
        store_code(codes, i, cut((-root if x < f32(0) else root) + f32({middle})))
    return True
'''

FOLD = '''
@njit(nogil=True, error_model="numpy")
def fold(lanes, width):
    """The sum of the lanes, in halves."""
    while width > 1:
        width = width // 2
        for i in range(width):
            store_lane(lanes, i, load_lane(lanes, i) + load_lane(lanes, i + width))
    return load_lane(lanes, 0)
'''

# Sums over rows and columns. A block is one or more whole rows, or a piece of one row.
EXPAND = '''
@njit(nogil=True, error_model="numpy")
def expand(mean, block, by_column, rows, columns, row, column, n):
    """Spread the means of rows or columns over the elements of a block."""
    k = 0
    while k < n:
        run = min(columns - column, n - k)
        if by_column:
            for j in range(run):
                store_spread(block, k + j, load_mean(mean, (row // rows) * columns + column + j))
        else:
            x = load_mean(mean, row)
            for j in range(run):
                store_spread(block, k + j, x)
        k, row, column = k + run, row + 1, 0
'''

ROW_SUMS = '''
@njit(nogil=True, error_model="numpy")
def add_rows(values, lanes, total, columns, width, row, column, n):
    """Add a block to the lanes of its rows; where a row ends, its sum is known."""
    k = 0
    while k < n:
        run = min(columns - column, n - k)
        if column == 0:
            for i in range(run):
                store_lane(lanes, i, f64(load_value(values, k + i)))
            for i in range(run, width):
                store_lane(lanes, i, 0.0)
        else:
            for i in range(run):
                store_lane(lanes, i, load_lane(lanes, i) + f64(load_value(values, k + i)))
        if column + run == columns:
            store_total(total, row, fold(lanes, width))
        k, row, column = k + run, row + 1, 0
'''

COLUMN_SUMS = '''
@njit(nogil=True, error_model="numpy")
def add_columns(values, total, rows, columns, part, parts, row, column, n):
    """Add a block to the sums of its columns, one line of sums for each part of each matrix."""
    k = 0
    while k < n:
        run = min(columns - column, n - k)
        inside = row % rows
        line = ((row // rows) * parts + inside // part) * columns + column
        if inside % part == 0:
            for j in range(run):
                store_total(total, line + j, f64(load_value(values, k + j)))
        else:
            for j in range(run):
                store_total(total, line + j, load_total(total, line + j) + f64(load_value(values, k + j)))
        k, row, column = k + run, row + 1, 0
'''
