"""``adamas.minimize``: Adam, repeated until the best parameters are found, for anyone with a NumPy function."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from adamas import nest, rules

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from adamas.minimization.loop import Search, Stop

#: Steps of a run over all data at once, unless told otherwise.
MAXITER = 10_000
#: Epochs of a run over mini-batches, unless told otherwise.
EPOCHS = 10
#: Steps of a run that only its data or a test ends.
ENDLESS = 2**62
#: The options of the optimizer that a minimisation passes on, besides the rule's own.
PASSED = ("state", "groups", "max_grad_norm")


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    *,
    jac: Any = None,
    bounds: Any = None,
    callback: Callable[..., Any] | None = None,
    tol: float | None = None,
    rule: str = "adam",
    lr: float | Callable[[int], float] | None = None,
    maxiter: int | None = None,
    gtol: float | None = None,
    ftol: float | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    data: Any = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    shuffle: bool = True,
    seed: Any = None,
    noisy: bool | None = None,
    average: str | None = None,
    average_decay: float = 0.999,
    average_start: int = 0,
    history: bool = False,
    progress: bool = False,
    hess: Any = None,
    hessp: Any = None,
    constraints: Any = (),
    **options: Any,
) -> OptimizeResult:
    """Minimise a function of one or more variables with a rule of the Adam family.

        x ← P(x − lr · u)      u the rule's step from the gradient at x, P the projection onto the bounds

    The same function is a method of SciPy's: ``scipy.optimize.minimize(f, x0, method=adamas.minimize,
    options={"lr": 0.01})``.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``, or ``fun(x, batch, *args)`` with ``data``; with ``jac=True`` it returns (value,
        gradient). If Numba compiled it (and ``jac``), the whole loop is compiled and no step returns to Python,
        unless there is a callback, ``x0`` is a nest or 0-d, or ``data`` an iterable of batches.
    x0 : array, numbers, or a dict, list or tuple nest of arrays
        Where to start: float64 or float32, of any shape. ``fun`` gets copies in the same form, gradients are
        expected in it, and the result comes back in it. Arithmetic is that of the dtype.
    args : tuple
        What else ``fun`` and ``jac`` get.
    jac : callable, True, None, "2-point", "3-point" or "cs"
        The gradient, in units of fun per unit of x; None and the names take SciPy's finite differences.
    bounds : Bounds, sequence of (low, high), or dict of leaf → (low, high)
        x is projected onto them after each step; None on a side is no bound.
    callback : callable
        Called after each step as ``callback(xk)``, or ``callback(intermediate_result=…)`` with x, fun and nit if that
        is its one parameter's name. StopIteration ends the run.
    tol : float
        Sets ``gtol``, of a noisy run ``ftol``, where those are not given.
    rule : str
        The optimizer: "adam", "adamw", "amsgrad", … as ``adamas rules`` lists them.
    lr : float or callable (step number, from 1) → float
        Learning rate, in units of x per step; the rule's default if not given. ``find_lr`` proposes one.
    maxiter : int
        Steps at most: 10,000 unless given; with ``data``, all of the epochs'.
    gtol : float
        Converged when the largest component of the gradient, projected onto the bounds, is at most this. 1e-5 unless
        given; not tested in a noisy run unless given.
    ftol, patience : float, int
        Converged when the value has not fallen by more than ftol · max(1, |value|) for ``patience`` steps (100 unless
        given). In a noisy run a value is the mean over an epoch (or 100 steps without data), and patience 5 of them.
    time_limit : float
        Seconds.
    data, batch_size, epochs, shuffle, seed : array, tuple of arrays or iterable; int; int; bool; int or Generator
        Mini-batches: arrays are cut along the first axis in a new order each epoch (10 epochs and 32 examples a batch
        unless given); an iterable gives batches as they are, anew each epoch.
    noisy : bool
        Whether two calls at one x may differ; unless given, whether there is ``data``. The best of noisy values is
        the luckiest, so a noisy run returns its last x, and an average.
    average, average_decay, average_start : "ema" or "polyak", float, int
        ``x_average``: the bias-corrected exponential average of the iterates (the Adam paper's 7.2), or their mean,
        from a step on. A noisy run keeps "ema" unless told otherwise; a rule with an average of its own
        (``schedule_free``) gives that one.
    history : bool
        Keep every value, as ``history``.
    progress : bool
        Show a bar (needs the package rich).
    **options
        The rule's own, such as ``betas``, ``eps``, ``weight_decay``, and ``state``, ``groups``, ``max_grad_norm``:
        see its class, such as ``adamas.Adam``.

    Returns
    -------
    scipy.optimize.OptimizeResult
        x (the best point; of a noisy run the last), fun (its value; of a noisy run the mean of the last epoch's),
        jac (the gradient at x; None in a noisy run), success, status, message, nit (steps), nfev, njev; x_average and
        history if kept. status: 0 gtol, 1 maxiter, 2 time, 3 not finite, 4 ftol, 5 Ctrl-C, 99 callback.

    Raises
    ------
    TypeError, ValueError
        For what cannot be used; and whatever ``fun``, ``jac`` or ``callback`` raise.

    Notes
    -----
    ``fun`` and the loop run on one thread. Sources: Kingma & Ba, 2015, arXiv:1412.6980 (Adam, 7.2 averages); Polyak
    & Juditsky, 1992 (means of iterates).

    Examples
    --------
    >>> import adamas
    >>> from scipy.optimize import rosen, rosen_der
    >>> result = adamas.minimize(rosen, [-1.2, 1.0], jac=rosen_der, lr=0.02)
    >>> result.success, result.x.round(3).tolist()
    (True, [1.0, 1.0])
    """
    from adamas.minimization.loop import Search
    from adamas.minimization.problem import Batches, Objective, Variables, limits
    from adamas.minimization.result import result_of

    _refuse(hess=hess, hessp=hessp, constraints=constraints)
    _known(rule, options)
    averages = rules.get(rule).view is not None
    if averages and bounds is not None:
        raise ValueError(f"rule={rule!r} averages points that bounds would not hold; take another rule, such as 'adam'")
    variables = Variables(x0)
    box = limits(bounds, variables)
    if data is None and not (batch_size is None and epochs is None):
        raise ValueError("batch_size and epochs need data")
    batches = None if data is None else Batches(data, batch_size, seed, shuffle)
    stop = _stop(
        batches, averages, maxiter=maxiter, epochs=epochs, tol=tol, gtol=gtol, ftol=ftol, patience=patience,
        time_limit=time_limit, noisy=noisy, average=average, average_decay=average_decay, average_start=average_start,
        history=history,
    )  # fmt: skip
    objective = Objective(fun, jac, args, variables, box, with_batch=data is not None)
    if lr is not None:
        options["lr"] = lr
    search = Search(objective, box, batches, stop, rule, options)
    with _bar(search) if progress else nullcontext() as watch:
        reason = search.run(_wrapped(callback, variables), watch)
    return result_of(search, reason)


# ------------------------------------------------------------------------------------- options


def _refuse(**given: Any) -> None:
    """What SciPy passes to every method and this one has no use for."""
    for name, value in given.items():
        empty = value is None or (isinstance(value, (tuple, list, dict)) and not value)
        if not empty:
            raise ValueError(f"{name}: Adam uses gradients and bounds only; leave {name} out")


def _known(rule: str, options: dict[str, Any]) -> None:
    names = [*rules.get(rule).hyper, *PASSED]
    for name in options:
        if name not in names:
            own = [n for n, p in inspect.signature(minimize).parameters.items() if p.kind is p.KEYWORD_ONLY]
            raise TypeError(f"minimize() has no option {name!r}{nest.nearest(name, [*own, *names])}")


def _number(name: str, value: Any, low: float, high: float = math.inf, kind: type = float) -> None:
    if value is None:
        return
    whole = isinstance(value, (int, np.integer)) or (isinstance(value, float) and value.is_integer())
    good = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not good or not low <= value <= high or (kind is int and not whole):
        words = "an integer" if kind is int else "a number"
        raise ValueError(f"{name}={value!r}: expected {words} from {low:g} to {high:g}")


def _stop(batches: Any, averages: bool, **given: Any) -> Stop:
    """The conditions with their defaults filled in; ValueError where one cannot be. averages: whether the rule does."""
    from adamas.minimization.loop import Stop

    for name, low, kind in (
        ("maxiter", 0, int), ("epochs", 1, int), ("patience", 1, int), ("average_start", 0, int),
        ("gtol", 0, float), ("ftol", 0, float), ("tol", 0, float), ("time_limit", 0, float),
    ):  # fmt: skip
        _number(name, given[name], low, kind=kind)
    _number("average_decay", given["average_decay"], 0, math.nextafter(1, 0))
    if given["average"] not in (None, "ema", "polyak"):
        raise ValueError(f"average={given['average']!r}: expected 'ema', 'polyak' or None")
    tol = given.pop("tol")
    noisy = given["noisy"] = batches is not None if given["noisy"] is None else bool(given["noisy"])
    name = "ftol" if noisy else "gtol"
    given[name] = tol if given[name] is None else given[name]
    if not noisy and given["gtol"] is None:
        given["gtol"] = 1e-5
    if given["patience"] is None:
        given["patience"] = 5 if noisy else 100
    if noisy and given["average"] is None and not averages:
        given["average"] = "ema"
    if batches is not None and given["epochs"] is None and given["maxiter"] is None:
        given["epochs"] = EPOCHS
    most = (MAXITER if batches is None else ENDLESS) if given["maxiter"] is None else int(given["maxiter"])
    if batches is not None and batches.length is not None and given["epochs"] is not None:
        most = min(most, int(given["epochs"]) * batches.length)
    return Stop(**{**given, "maxiter": min(most, ENDLESS), "patience": int(given["patience"])})


def _wrapped(callback: Callable[..., Any] | None, variables: Any) -> Any:
    """The callback as the loop calls it: (x, value, steps) → whether to stop."""
    if callback is None:
        return None
    if not callable(callback):
        raise TypeError(f"callback={callback!r}: expected a function")
    from scipy.optimize import OptimizeResult

    try:
        names = list(inspect.signature(callback).parameters)
    except ValueError:  # some built-in functions have no signature
        names = []

    def told(x: Any, value: float, k: int) -> bool:
        xk = variables.user(x.copy())
        try:
            if names == ["intermediate_result"]:
                callback(intermediate_result=OptimizeResult(x=xk, fun=value, nit=k))
            else:
                callback(xk)
        except StopIteration:
            return True
        return False

    return told


# ---------------------------------------------------------------------------------- progress


@contextmanager
def _bar(search: Search) -> Iterator[Callable[[int, float], None]]:
    """A progress bar, which is told the steps made and the latest value."""
    try:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ModuleNotFoundError:
        raise ModuleNotFoundError("progress=True needs rich; pip install rich", name="rich") from None
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("value {task.fields[value]}"), TimeRemainingColumn())
    with Progress(*columns) as progress:
        total = search.stop.maxiter if search.stop.maxiter < ENDLESS else None
        bar = progress.add_task("", total=total, value="–")
        yield lambda k, value: progress.update(bar, completed=k, value=f"{value:.6g}")
