"""Which grid, block, scale, rounding and pairing low-bit Adam should have: many designs simulated side by side.

Three experiments, each a Markdown table with a row for each design:

- *strays*: 200 steps of Adam over 64 × 1024 parameters, betas 0.9 and 0.999, ε = 1e-12, without ever re-synchronising.
  Gradients (0.3·N + N)·10^(U·D − 1 − D): a direction that stays, noise that does not, and scales that differ by D
  powers of ten within each block. Error is |Δ − Δ₃₂| / |Δ₃₂| of the whole change Δ; the step is the largest of all
  over that of float32.
- *average*: v fed one and the same g², which differs by D powers of ten within each block, until it has settled; at
  first a random half of v is twice that. By how much the means over elements and time of v and of 1/√v are wrong.
- *sparse*: as the first, but 99 in 100 gradients are zero, element by element or a row of 1,024 at a time, and the
  others heavy-tailed (Student's t with 3 degrees of freedom for the noise).

    python benchmarks/low_bit_grids.py --bits 8
    python benchmarks/low_bit_grids.py --bits 4

State is kept as the float32 numbers that codes stand for; bytes are counted. For torchao and bitsandbytes themselves
see low_bit_accuracy.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange

STEPS, SPREADS = 200, (0, 1, 2, 4)
BETA1, BETA2, EPS = 0.9, 0.999, 1e-12
#: What no history of gradients takes |m|/√v beyond.
BOUND = (1 - BETA1) / np.sqrt(1 - BETA2) / np.sqrt(1 - BETA1**2 / BETA2)
NEAREST, INDEPENDENT, GOLDEN = range(3)
ALONE, PROJECTED, OVER_ROUNDED, OVER_FRESH = range(4)
BINADE, ROOT = 1 << 23, 0x1FBB4F2E

# ------------------------------------------------------------------------------------ levels

Grid = tuple[float, ...]


def power(count: int, exponent: float, floor: float = 0.0) -> Grid:
    """Levels (c/count)^exponent; the lowest is that of c = ``floor``."""
    return tuple((c / count) ** exponent for c in (floor, *range(1, count + 1)))


def minifloat(exponent: int, mantissa: int) -> Grid:
    """The magnitudes of a float with so many bits, subnormal ones among them."""
    e, f = np.divmod(np.arange(2 ** (exponent + mantissa)), 2**mantissa)
    levels = np.where(e == 0, 2 * f / 2**mantissa, (1 + f / 2**mantissa) * 2.0**e)
    return tuple(levels / levels[-1])


def dynamic(exponents: int, fractions: int) -> Grid:
    """The dynamic map of bitsandbytes: decades, each with twice the levels of the one below, ``fractions`` at first."""
    found = [0.0, 1.0]
    for i in range(exponents):
        edges = np.linspace(0.1, 1, fractions * 2**i + 1)
        found += list(10.0 ** (i + 1 - exponents) * (edges[:-1] + edges[1:]) / 2)
    return tuple(sorted(found))


class Levels(NamedTuple):
    """Levels in units of the block's largest, and for each float (by its upper 16 bits) the level below it."""

    values: Any
    below: Any

    @classmethod
    def of(cls, levels: Grid) -> Levels:
        """Levels in rising order."""
        floats = (np.arange(0x3F81, dtype=np.uint32) << 16).view(np.float32)
        below = np.searchsorted(np.array(levels), floats, side="right") - 1
        return cls(np.asarray(levels, np.float32), np.clip(below, 0, max(len(levels) - 2, 0)).astype(np.int16))


# ------------------------------------------------------------------------------------ designs

#: In place of levels of v: equal steps of its logarithm.
LOG = "log"


@dataclass(frozen=True)
class Design:
    """How m and v are kept.

    m, v: levels, "log" for steps of the logarithm between a block's extremes, None for float32.
    root: √v is rounded instead of v.
    binades: the widest range of "log", in powers of two.
    kappa: "log" is rounded in favour of larger values, by this much curvature.
    kept: a block's steps on "log" are kept while they fit.
    short: scales in bfloat16, rounded so that the grid covers the block, instead of float32.
    one: m and v are rounded by the same dither.
    zero: "log" has a code for zero, which else becomes its lowest level.
    """

    bits: int
    m: Grid | None
    v: Grid | str | None
    block: int = 512
    rounding: int = GOLDEN
    pairing: int = OVER_FRESH
    root: bool = False
    binades: float = 0.0
    kappa: float = 0.0
    kept: bool = True
    short: bool = False
    one: bool = False
    zero: bool = True

    @property
    def bytes(self) -> float:
        """Bytes a parameter."""
        if self.m is None:
            return 8.0
        return 2 * self.bits / 8 + (3 if self.v is LOG else 2) * (2 if self.short else 4) / self.block

    def numbers(self) -> Numbers:
        """What the kernel reads."""
        m, v = (Levels.of(x if isinstance(x, tuple) else ()) for x in (self.m, self.v))
        codes = 2**self.bits - 1 if self.v is LOG else 0
        widest = int(self.binades * BINADE)
        flags = (self.root, self.kept, self.short, self.one, self.zero)
        return Numbers(*m, *v, self.block, self.rounding, self.pairing, codes, widest, float(self.kappa), *flags)


class Numbers(NamedTuple):
    """A design in numbers, as compiled code can read it."""

    m: Any
    m_below: Any
    v: Any
    v_below: Any
    block: int
    rounding: int
    pairing: int
    codes: int
    widest: int
    kappa: float
    root: bool
    kept: bool
    short: bool
    one: bool
    zero: bool


EXACT = Design(32, None, None, pairing=ALONE)

# ------------------------------------------------------------------------------------ kernels


@njit(inline="always")
def mixed(x):
    """32 bits from 32 bits (C. Wellons' lowbias32)."""
    x = np.uint32(x)
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@njit
def dither(u, rounding, block, slot, t):
    """u in [0, 1) for each element of a block, see ``adamas.noise``."""
    shift = np.uint32(mixed(np.uint32(block * 2 + slot)) + np.uint32(t * 0x9E3779B9))
    for j in range(len(u)):
        if rounding == NEAREST:
            u[j] = 0.5
            continue
        word = mixed(np.uint32(j + 0x51ED270B)) ^ shift
        if rounding == INDEPENDENT:
            word = mixed(np.uint32(mixed(np.uint32(block * len(u) + j)) ^ np.uint32(2 * t + slot)))
        u[j] = np.float32(word >> np.uint32(8)) * np.float32(2**-24)


@njit
def to_levels(x, u, levels, below, short):
    """A block's numbers, of either sign, to levels in units of the largest."""
    unit = np.full(1, np.abs(x).max())
    if short:
        unit.view(np.int32)[0] = (unit.view(np.int32)[0] + 0xFFFF) & ~0xFFFF
    if unit[0] == 0:
        return
    y = np.abs(x) / unit[0]
    bits = y.view(np.int32)
    for j in range(len(x)):
        c = below[bits[j] >> 16]
        while c < len(levels) - 2 and levels[c + 1] <= y[j]:
            c += 1
        low, high = levels[c], levels[c + 1]
        size = unit[0] * (high if y[j] - low > u[j] * (high - low) else low)
        x[j] = size if x[j] >= 0 else -size


@njit
def to_logarithmic(x, u, q, steps, block):
    """A block's numbers, none negative, to equal steps of the float's bits between the least above 0 and the most."""
    bits = x.view(np.int32)
    most, least = 0, 0x7F800000
    for j in range(len(x)):
        most = max(most, bits[j])
        if bits[j] > 0:
            least = min(least, bits[j])
    if most == 0:
        return
    least = max(least, most - q.widest)
    slack = 0xFFFF if q.short else 0  # of the lowest level, as a bfloat16
    last = q.codes - q.zero
    step = (most - least + slack) // (last - q.kept) + 1
    if q.kept:  # a little wider than need be, so that it fits for long
        step = steps[block] if step <= steps[block] <= step + step // 4 else step + step // 16
    if q.short:  # the eight bits that a bfloat16 has
        unit = 1
        while step >> 8 >= unit:
            unit *= 2
        step = -(-step // unit) * unit
    if q.kept:
        steps[block] = step
        least = max(least // step * step, 1)
    least = max(least & ~slack, 1)
    bend = q.kappa * step / BINADE
    for j in range(len(x)):
        if bits[j] > 0 or not q.zero:
            place = min(max((bits[j] - least) / step, 0.0), last - 1e-4)
            bits[j] = least + min(int(place + u[j] + bend * u[j] * (1 - u[j])), last) * step


@njit
def near(v):
    """√v within 6%, by halving its bits."""
    out = np.empty_like(v)
    bits, halved = v.view(np.int32), out.view(np.int32)
    for j in range(len(v)):
        halved[j] = (bits[j] >> 1) + ROOT if bits[j] > 0 else 0
    return out


@njit
def over(m, root):
    """m/root, 0 where that is 0."""
    for j in range(len(m)):
        m[j] = m[j] / root[j] if root[j] > 0 else np.float32(0)


@njit
def coded(m, v, q, steps, block, t):
    """A block's fresh m and v, each to a number that has a code; m to its quotient where that is kept."""
    u, fresh = np.empty(len(m), np.float32), v.copy()
    dither(u, q.rounding, block, 0, t)
    if q.codes:
        to_logarithmic(v, u, q, steps, block)
    elif len(q.v) and q.root:
        v[:] = np.sqrt(v)
        to_levels(v, u, q.v, q.v_below, q.short)
        v[:] = v * v
    elif len(q.v):
        to_levels(v, u, q.v, q.v_below, q.short)
    if q.pairing >= OVER_ROUNDED:
        over(m, near(fresh if q.pairing == OVER_FRESH else v))
    if len(q.m):
        dither(u, q.rounding, block, 0 if q.one else 1, t)
        to_levels(m, u, q.m, q.m_below, q.short)


@njit(parallel=True, error_model="numpy")
def advance(g, m, v, total, largest, steps, t, q):
    """One step of Adam, from codes to codes, adding to the total of all steps."""
    done1, done2 = np.float32(1 - BETA1**t), np.float32(1 - BETA2**t)
    rate1, rate2 = np.float32(1 - BETA1), np.float32(1 - BETA2)
    for block in prange(len(g) // q.block):
        here = slice(block * q.block, (block + 1) * q.block)
        bm, bv, bg, bt = m[here], v[here], g[here], total[here]
        if q.pairing >= OVER_ROUNDED:
            bm[:] *= near(bv)
        for j in range(q.block):
            if q.pairing == PROJECTED:
                most = np.float32(BOUND) * np.sqrt(bv[j])
                bm[j] = min(max(bm[j], -most), most)
            bm[j] += rate1 * (bg[j] - bm[j])
            bv[j] += rate2 * (bg[j] * bg[j] - bv[j])
            step = bm[j] / done1 / (np.sqrt(bv[j] / done2) + np.float32(EPS))
            bt[j] += step
            largest[block] = max(largest[block], abs(step))
        coded(bm, bv, q, steps, block, t)


class Run:
    """Adam under a design, from zero."""

    def __init__(self, design: Design, size: int) -> None:
        self.numbers, self.t = design.numbers(), 0
        self.m, self.v, self.total = (np.zeros(size, np.float32) for _ in range(3))
        self.largest = np.zeros(size // design.block, np.float32)
        self.steps = np.zeros(size // design.block, np.int64)

    def step(self, g: Any) -> None:
        """One step."""
        self.t += 1
        advance(g, self.m, self.v, self.total, self.largest, self.steps, self.t, self.numbers)


# ------------------------------------------------------------------------------------ experiments


def gradients(rows: int, spread: float, seed: int, sparse: str) -> Iterator[Any]:
    """Gradients of ``rows`` × 1024 parameters."""
    rng, shape = np.random.default_rng(seed), (rows, 1024)
    steady = 0.3 * rng.standard_normal(shape)
    scale = 10 ** (rng.random(shape) * spread - 1 - spread)
    for _ in range(STEPS):
        if sparse:
            seen = rng.random((rows, 1) if sparse == "rows" else shape) < 0.01
            g = (steady + rng.standard_t(3, shape)) * scale * seen
        else:
            g = (steady + rng.standard_normal(shape)) * scale
        yield g.astype(np.float32).ravel()


def strays(designs: Sequence[Design], rows: int, sparse: str = "", seed: int = 0) -> dict[Design, list[str]]:
    """Errors and largest steps of each design, spread by spread."""
    errors, steps = [], []
    for spread in SPREADS:
        exact, *runs = [Run(design, rows * 1024) for design in (EXACT, *designs)]
        for g in gradients(rows, spread, seed, sparse):
            for run in (exact, *runs):
                run.step(g)
        errors.append([np.linalg.norm(run.total - exact.total) / np.linalg.norm(exact.total) for run in runs])
        steps.append([run.largest.max() / exact.largest.max() for run in runs])
    lines = zip(zip(*errors, strict=True), zip(*steps, strict=True), strict=True)
    found = [[*(f"{x:.4f}" for x in error), *(f"{x:.2f}" for x in step)] for error, step in lines]
    return dict(zip(designs, found, strict=True))


def settled(design: Design, spread: float, steps: int) -> tuple[float, float]:
    """The relative errors of the means of v and of 1/√v, v being fed its truth."""
    rng = np.random.default_rng(0)
    truth = 10 ** (rng.random(2048) * spread - spread)
    g = np.sqrt(truth).astype(np.float32)
    run = Run(replace(design, m=None, pairing=ALONE), len(g))
    run.v[:] = truth * rng.integers(1, 3, len(truth))
    v, inverse = np.zeros((2, len(g)))
    for t in range(steps):
        run.step(g)
        if t >= steps * 2 // 3:
            v += run.v
            with np.errstate(divide="ignore"):
                inverse += run.v.astype(float) ** -0.5
    count = steps - steps * 2 // 3
    return float(np.mean(v / count / truth)) - 1, float(np.mean(inverse / count * np.sqrt(truth))) - 1


# ------------------------------------------------------------------------------------ tables

#: What was chosen.
CHOSEN = {8: Design(8, power(127, 1), LOG, binades=28), 4: Design(4, power(7, 1), LOG, binades=12)}
#: The levels of v in the literature, which for 4 bits are those of Li, Chen and Zhu (arXiv:2309.01507).
MAPS = {8: (dynamic(7, 1), dynamic(7, 2)), 4: (dynamic(3, 1), power(16, 1)[1:])}


def axes(bits: int) -> dict[str, dict[str, Design]]:
    """Variations of what was chosen, one thing at a time, by what is varied; and whole designs of others."""
    chosen, last, middle = CHOSEN[bits], 2**bits - 1, 2 ** (bits - 1) - 1
    signed = {"linear": power(middle, 1), "squared": power(middle, 2), "dynamic": MAPS[bits][0]}
    signed |= {"E3M4": minifloat(3, 4)} if bits == 8 else {"E2M1": minifloat(2, 1)}
    floats = {"E4M4": minifloat(4, 4), "E5M3": minifloat(5, 3)} if bits == 8 else {"E3M1": minifloat(3, 1)}
    caps = (14, 20, 28, 40) if bits == 8 else (8, 10, 12, 14, 20)
    powers = {"linear": 1, "squared": 2, "4th power": 4, "6th power": 6}
    unsigned = {name: power(last, exponent, floor=0.5) for name, exponent in powers.items()} | floats
    pairings = {"none": ALONE, "projected": PROJECTED, "m/√v, v rounded": OVER_ROUNDED, "m/√v, v fresh": OVER_FRESH}
    roundings = {"nearest": NEAREST, "independent": INDEPENDENT, "golden section": GOLDEN}
    old = Design(bits, signed["linear"], power(last, 1, 0.5), 256, INDEPENDENT, ALONE, root=True)
    maps = Design(bits, *MAPS[bits], 256 if bits == 8 else 128, NEAREST, ALONE)
    return {
        "grid of m, as m/√v": {name: replace(chosen, m=m) for name, m in signed.items()},
        "grid of m, alone": {name: replace(chosen, m=m, pairing=ALONE) for name, m in signed.items()},
        "pairing": {name: replace(chosen, pairing=pairing) for name, pairing in pairings.items()},
        "grid of v": {"logarithmic": chosen} | {name: replace(chosen, v=v) for name, v in unsigned.items()},
        "binades": {str(n): replace(chosen, binades=n) for n in caps},
        "steps of v": {"kept while they fit": chosen, "follow the extremes": replace(chosen, kept=False)},
        "zero of v": {"has a code": chosen, "becomes the lowest level": replace(chosen, zero=False)},
        "κ": {str(kappa): replace(chosen, kappa=kappa) for kappa in (0, 0.5, 0.75, 1)},
        "block": {str(block): replace(chosen, block=block) for block in (64, 128, 256, 512, 1024, 2048)},
        "scales": {"float32": chosen, "bfloat16": replace(chosen, short=True)},
        "rounding": {name: replace(chosen, rounding=rounding) for name, rounding in roundings.items()},
        "dither of m and v": {"two": chosen, "one": replace(chosen, one=True)},
        "absmax-linear m and √v": {
            "no floor": replace(old, v=power(last, 1, 0)),
            "floor of half a code": old,
            "floor of a code": replace(old, v=power(last, 1, 1)),
            "half a code, projected": replace(old, pairing=PROJECTED),
            "half a code, v rounded instead of √v": replace(old, root=False, v=power(last, 2, 0.5)),
            "half a code, m squared": replace(old, m=signed["squared"]),
        },
        "maps of the literature": {"nearest": maps, "golden section": replace(maps, rounding=GOLDEN)},
    }


def few(bits: int, *names: str) -> dict[str, Design]:
    """The designs of some axes, each once."""
    found = {CHOSEN[bits]: "chosen"}
    for axis in names:
        for name, design in axes(bits)[axis].items():
            found.setdefault(design, f"{axis}: {name}")
    return {name: design for design, name in found.items()}


def table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    """A table in Markdown."""
    print(f"\n| {title} | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 4], choices=[8, 4])
    parser.add_argument("--rows", type=int, default=64, help="of 1,024 parameters; an even number")
    parser.add_argument("--quick", action="store_true", help="4 rows and short averages: to see that it runs")
    options = parser.parse_args()
    rows, steps = (4, 600) if options.quick else (options.rows, 12000)
    columns = [f"{what}, D = {spread}" for what in ("error", "step") for spread in SPREADS]
    for bits in options.bits:
        variations = axes(bits)
        found = strays(list({design: 0 for axis in variations.values() for design in axis.values()}), rows)
        for axis, designs in variations.items():
            lines = {name: [f"{design.bytes:.3f}", *found[design]] for name, design in designs.items()}
            table(f"{bits} bits: {axis}", ["bytes", *columns], lines)

        designs = few(bits, "rounding", "κ", "steps of v", "grid of v", "maps of the literature")
        biases = {name: [x for spread in (1, 2, 4) for x in settled(of, spread, steps)] for name, of in designs.items()}
        lines = {name: [f"{x:+.2%}" for x in found] for name, found in biases.items()}
        table(f"{bits} bits: average", [f"{x}, D = {d}" for d in (1, 2, 4) for x in ("v", "1/√v")], lines)

        designs = few(bits, "zero of v", "pairing", "rounding", "maps of the literature")
        for sparse in ("elements", "rows"):
            found = strays(list(designs.values()), rows, sparse)
            table(f"{bits} bits: sparse {sparse}", columns, {name: found[of] for name, of in designs.items()})


if __name__ == "__main__":
    main()
