"""Time of one float32 AdamW step beside torch.optim.AdamW and plain NumPy, in one process.

    python benchmarks/numpy_step.py

torch's fused AdamW is its fastest on a CPU; its plain call, AdamW(params), is a loop of small operations. All
contenders step on arrays from the same allocator, torch's through torch.from_numpy, its state included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from common import Quartiles, interleave, normal, parse, parser, ratio, report

import adamas

#: torch's OpenMP threads spin for some milliseconds after a step, on the cores that the next contender needs.
#: OMP_WAIT_POLICY=passive would end that, and would slow torch on many small arrays.
PAUSE = 0.02
LR, BETAS, EPS, DECAY = 1e-3, (0.9, 0.999), 1e-8, 1e-2
Step = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """So many arrays of such a size; ``inner`` steps make one timing."""

    name: str
    count: int
    size: int
    inner: int


# Not 2²⁵: arrays of exactly 2²⁷ bytes come to lie 2²⁷ + 2¹² apart, where AMD's first-level cache takes one's lines
# for another's, and every contender's step takes up to 1.5 times as long.
LARGE = Case("1 × 32,000,000", 1, 32_000_000, 1)
CASES = (LARGE, Case("1,000 × 4,096", 1000, 4096, 5), Case("100 × 256", 100, 256, 200))
QUICK = (Case("1 × 1,000,000", 1, 1_000_000, 1), Case("100 × 4,096", 100, 4096, 2), Case("10 × 256", 10, 256, 5))


def ours(case: Case) -> Step:
    """Adamas."""
    params = [normal(case.size, i) for i in range(case.count)]
    grads = [normal(case.size, case.count + i) for i in range(case.count)]
    optimizer = adamas.AdamW(params, lr=LR, betas=BETAS, eps=EPS, weight_decay=DECAY)
    return lambda: optimizer.step(grads)


def torchs(case: Case, fused: bool) -> Step:
    """torch.optim.AdamW, fused or as it is called by default."""
    params = [torch.nn.Parameter(torch.from_numpy(normal(case.size, i))) for i in range(case.count)]
    for i, p in enumerate(params):
        p.grad = torch.from_numpy(normal(case.size, case.count + i))
    optimizer = torch.optim.AdamW(
        params, lr=LR, betas=BETAS, eps=EPS, weight_decay=DECAY, fused=True if fused else None
    )
    optimizer.step()
    for state in optimizer.state.values():
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = torch.from_numpy(np.zeros(case.size, np.float32))
    return optimizer.step


def plain(case: Case) -> Step:
    """AdamW as it is written in NumPy without thought for memory."""
    p, g, t = normal(case.size, 0), normal(case.size, 1), 0
    m, v = np.zeros_like(p), np.zeros_like(p)

    def step() -> None:
        nonlocal p, m, v, t
        t += 1
        m = BETAS[0] * m + (1 - BETAS[0]) * g
        v = BETAS[1] * v + (1 - BETAS[1]) * g**2
        m_hat, v_hat = m / (1 - BETAS[0] ** t), v / (1 - BETAS[1] ** t)
        p = p - LR * (m_hat / (np.sqrt(v_hat) + EPS) + DECAY * p)

    return step


def main() -> None:
    """Run all cases."""
    options = parse(parser(__doc__))
    torch.set_num_threads(options.threads)
    adamas.set_num_threads(options.threads)
    rows, data = [], {}

    def compare(case: Case, peers: dict[str, Step], pairs: int) -> None:
        seconds = interleave({"adamas": ours(case), **peers}, pairs, case.inner, PAUSE)
        data[f"{case.name}: {', '.join(seconds)}"] = {"seconds": seconds}
        mine = Quartiles.of(1e3 * s for s in seconds["adamas"]).text()
        for peer in peers:
            theirs = Quartiles.of(1e3 * s for s in seconds[peer]).text()
            rows.append([case.name, peer, mine, theirs, ratio(seconds, "adamas", peer).text(), str(pairs)])

    cases = QUICK if options.quick else CASES
    for case in cases:
        compare(case, {"torch fused": torchs(case, fused=True)}, options.pairs)
    slow = {"torch default": torchs(cases[0], fused=False), "plain NumPy": plain(cases[0])}
    compare(cases[0], slow, min(options.pairs, 5))
    columns = ["arrays × elements", "peer", "adamas, ms", "peer, ms", "adamas / peer", "pairs"]
    report("AdamW, float32: median (quartiles)", columns, rows, data, options)


if __name__ == "__main__":
    main()
