"""How a minimisation ended, in numbers and in a sentence."""

from __future__ import annotations

import numpy as np
from scipy.optimize import OptimizeResult

from adamas.backends import cpu_loop as reasons
from adamas.minimization import loop
from adamas.minimization.loop import Search

#: Reason → (status, sentence). Status 0, 1, 3 and 99 mean what they mean in SciPy.
ENDS = {
    reasons.GTOL: (0, "Converged: no component of the gradient is beyond gtol={gtol:g}."),
    reasons.FTOL: (4, "Converged: for {patience} {windows} the value has not fallen by more than ftol={ftol:g}."),
    reasons.MAXITER: (1, "All {k} steps were made{untested}."),
    reasons.VALUE: (3, "After {k} steps the value is {latest}, which is not finite: {remedy}."),
    reasons.GRADIENT: (3, "After {k} steps the gradient is not finite: {remedy}."),
    reasons.SUMS: (3, "After {k} steps the gradient is too large to be summed: scale the function down."),
    loop.CALLBACK: (99, "`callback` raised `StopIteration`."),
    loop.TIME: (2, "The time limit of {time_limit:g} s was reached after {k} steps."),
    loop.INTERRUPT: (5, "Interrupted after {k} steps."),
    loop.SEEN_ALL: (1, "All {epochs} epochs were seen{untested}."),
    loop.RAN_OUT: (6, "After {k} steps data gave no more batches: pass what can be iterated anew, such as a list."),
}

#: Reasons after which a noisy run's x is of no use, and the last good one is given.
SPOILT = (reasons.VALUE, reasons.GRADIENT, reasons.SUMS)


def result_of(search: Search, reason: int) -> OptimizeResult:
    """What ``minimize`` returns."""
    stop, user = search.stop, search.variables.user
    status, sentence = ENDS[reason]
    tested = stop.gtol is not None or stop.ftol is not None
    words = dict(
        vars(stop),
        k=search.k,
        latest=search.latest,
        windows="epochs" if search.batches else "windows of values" if stop.noisy else "steps",
        untested=", and no test of convergence was met" if tested else "",
        remedy="try a smaller lr" if search.k else "start elsewhere",
    )
    found = OptimizeResult(
        x=user(search.x.copy() if stop.noisy and reason not in SPOILT else search.vectors["best"].copy()),
        fun=search.mean() if stop.noisy else search.value(),
        jac=None if stop.noisy else user(search.vectors["best_slope"].copy()),
        success=status in (0, 4) or (status == 1 and not tested),
        status=status,
        message=sentence.format(**words),
        nit=search.k,
        nfev=search.objective.differences or search.evaluations,
        njev=search.evaluations,
    )
    if stop.average or search.optimizer.rule.view is not None:
        found.x_average = user(search.average())
    if stop.history:
        found.history = np.concatenate([*search.values, np.zeros(0)])
    return found
