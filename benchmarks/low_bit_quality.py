"""Does training suffer from small state and 16-bit weights? Held-out losses of whole runs, paired with float32's.

    python benchmarks/low_bit_quality.py

AdamW trains three of the project's tasks, once for each recipe and seed; the same seed means the same start, batches
and dropout. A recipe is how the state is kept (a codec), how the weights are (16 bits, rounded in one of the ways of
`weights=`), or both: `stochastic+int4`. Arithmetic is float32 throughout. The gap of a recipe is the mean of its loss
minus float32's over the seeds, in per cent of float32's mean loss, with the 95% interval of Student's t.

`placebo` is float32 whose first weights are off by a millionth of themselves: its gap is what rounding alone does, and
no recipe can be told from float32 more finely than by its interval.

Every run is written down when it has ended, and is not run again with the same --out: stop it and go on as you like, in
parts if you like; but after a change of the code begin a new file.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from common import machine
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from scipy import stats
from threadpoolctl import threadpool_limits

import adamas
from adamas import tasks
from adamas.schedules import Cosine


@dataclass(frozen=True)
class Training:
    """How a task is trained here.

    lr, batch: peak rate of a cosine to zero, and examples a step. seeds: how many times as many as --seeds says: the
    loss of the digits is that of a few images, and needs more. swapped: train on the smaller part of the images and
    measure on the larger one.
    """

    steps: int
    batch: int
    lr: float
    seeds: int = 1
    swapped: bool = False


TRAININGS = {
    "char-transformer": Training(steps=600, batch=8, lr=4e-3),
    "digits-cnn": Training(steps=400, batch=64, lr=2e-3, seeds=6, swapped=True),
    "digits-mlp": Training(steps=1000, batch=64, lr=2e-3, seeds=8, swapped=True),
}
RECIPES = ["float32", "placebo", "bfloat16", "int8", "int4", "factored", "mean"]
RECIPES += ["stochastic", "kahan", "stochastic+int4"]
#: Recipes for the weights → `weights=` of 16-bit ones; "nearest" is what is lost without any.
WEIGHTS = {"stochastic": "stochastic", "kahan": "kahan", "master": "master", "nearest": None}
PLACEBO = 1e-6

Run = dict[str, Any]
Key = tuple[str, str, int, int]  # task, recipe, seed, steps


# ------------------------------------------------------------------------------------- one run


@cache
def parts(name: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The examples to train on, and those held out."""
    data = tasks.get(name).data()
    split = data["train"], data["validation"]
    return split[::-1] if TRAININGS[name].swapped else split


def start(name: str, recipe: str, rng: np.random.Generator) -> dict[str, Any]:
    """The first weights, in the dtype that the recipe asks for."""
    params = tasks.get(name).init(rng)
    if recipe == "placebo":
        noise = np.random.default_rng(0)
        return {k: p * (1 + PLACEBO * noise.standard_normal(p.shape, np.float32)) for k, p in params.items()}
    if WEIGHTS.keys() & set(recipe.split("+")):
        return {k: p.astype(ml_dtypes.bfloat16) for k, p in params.items()}
    return params


def optimizer(params: dict[str, Any], recipe: str, lr: Any, seed: int) -> adamas.AdamW:
    """AdamW as the recipe keeps it; raises ValueError if a part of the recipe is unknown."""
    words = recipe.split("+")
    weights = [WEIGHTS[word] for word in words if word in WEIGHTS]
    codecs = [word for word in words if word not in WEIGHTS and word != "placebo"]
    if len(weights) > 1 or len(codecs) > 1:
        raise ValueError(f"{recipe}: expected at most one of {', '.join(WEIGHTS)}, and one codec")
    vectors = [name for name, p in params.items() if p.ndim < 2] if codecs == ["factored"] else []
    return adamas.AdamW(
        params,
        lr=lr,
        betas=(0.9, 0.999),
        state=codecs[0] if codecs else "float32",
        weights=weights[0] if weights else None,
        groups={name: {"state": "float32"} for name in vectors},
        seed=seed,
    )


def share(made: adamas.AdamW) -> float:
    """The share of the parameters that have any slot in another form than float32."""
    state = made._state
    sizes = [t.p.size for t in state.tensors]
    small = [any(codec.name != "float32" for codec in slots.values()) for slots in state.codecs]
    return sum(size for size, is_small in zip(sizes, small, strict=True) if is_small) / sum(sizes)


def batches(examples: tuple[Any, ...], size: int, steps: int, rng: np.random.Generator) -> Iterator[tuple[Any, ...]]:
    """So many batches, in a new order each time all have been seen."""
    total = len(examples[0])
    each = total // size
    for step in range(steps):
        if step % each == 0:
            order = rng.permutation(total)
        mine = order[step % each * size :][:size]
        yield tuple(a[mine] for a in examples)


def train(name: str, recipe: str, seed: int, steps: int) -> Run:
    """One run, on one thread."""
    task, how = tasks.get(name), TRAININGS[name]
    first, order, noise = np.random.default_rng(seed).spawn(3)
    params = start(name, recipe, first)
    made = optimizer(params, recipe, Cosine(how.lr, steps=steps), seed)
    training, held_out = parts(name)

    def wide() -> dict[str, Any]:
        return {k: p.astype(np.float32, copy=False) for k, p in params.items()}

    for batch in batches(training, how.batch, steps, order):
        made.step(task.loss(wide(), batch, noise)[1])
    return {
        "task": name,
        "recipe": recipe,
        "seed": seed,
        "steps": steps,
        "loss": task.evaluate(wide(), held_out)["loss"],
        "bytes": made.memory()["state_per_parameter"],
        "share": share(made),
    }


def quiet() -> None:
    """A process of one thread, which says nothing of a run that overflows: its loss tells."""
    adamas.set_num_threads(1)
    threadpool_limits(1)
    np.seterr(all="ignore")


# -------------------------------------------------------------------------------------- all runs


def read(path: Path) -> dict[Key, Run]:
    """The runs that have ended; a line that was cut off is none."""
    runs: dict[Key, Run] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            run = json.loads(line)
        except ValueError:
            continue
        runs[run["task"], run["recipe"], run["seed"], run["steps"]] = run
    return runs


def wanted(options: argparse.Namespace) -> list[Key]:
    """All runs, seed by seed, so that what has ended can be compared at any time."""
    steps = {name: max(1, round(TRAININGS[name].steps * options.scale)) for name in options.tasks}
    keys = [
        (name, recipe, seed, steps[name])
        for name in options.tasks
        for seed in range(options.seeds * TRAININGS[name].seeds)
        for recipe in options.recipes
    ]
    return sorted(keys, key=lambda key: key[2] / TRAININGS[key[0]].seeds)


def run_all(keys: list[Key], options: argparse.Namespace) -> None:
    """Run what is missing, and append each result as it comes."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    spawn = multiprocessing.get_context("spawn")  # threads do not survive a fork
    with (
        options.out.open("a") as file,
        ProcessPoolExecutor(options.jobs, spawn, quiet) as pool,
        Progress(*columns, TimeRemainingColumn(elapsed_when_finished=True)) as progress,
    ):
        bar = progress.add_task("runs", total=len(keys))
        futures = {pool.submit(train, *key): key for key in keys}
        try:
            for future in as_completed(futures):
                file.write(json.dumps(future.result()) + "\n")
                file.flush()
                progress.update(bar, advance=1, description=" ".join(map(str, futures[future][:3])))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


# ----------------------------------------------------------------------------------------- table


def gap(losses: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Of two pairs or more: the mean difference and half its 95% interval, in per cent of the reference's mean."""
    differences = 100 * (losses - reference) / reference.mean()
    n = len(differences)
    half = stats.t.ppf(0.975, n - 1) * differences.std(ddof=1) / math.sqrt(n)
    return float(differences.mean()), float(half)


def row(name: str, recipe: str, steps: int, runs: dict[Key, Run]) -> list[str] | None:
    """A line of the table; None where there is no pair yet."""
    mine, other = (
        {seed: run for (task, kind, seed, long), run in runs.items() if (task, kind, long) == (name, which, steps)}
        for which in (recipe, "float32")
    )
    seeds = sorted(mine.keys() & other.keys())
    if not seeds:
        return None
    losses, reference = (np.array([found[seed]["loss"] for seed in seeds]) for found in (mine, other))
    run = mine[seeds[0]]
    cells = [name, recipe, f"{run['share']:.1%}", f"{run['bytes']:.2f}", str(len(seeds))]
    if not np.isfinite(losses).all():
        return [*cells, "", f"{np.sum(~np.isfinite(losses))} diverged", "", "no"]
    if recipe == "float32" or len(seeds) < 2:
        return [*cells, f"{losses.mean():.4f}", "", "", ""]
    mean, half = gap(losses, reference)
    interval = f"{mean - half:+.2f} to {mean + half:+.2f}"
    return [*cells, f"{losses.mean():.4f}", f"{mean:+.2f}", interval, "yes" if abs(mean) <= half else "no"]


COLUMNS = ["task", "recipe", "in small state", "state, B/param", "seeds", "loss", "gap, %", "95% interval", "0 inside"]


def table(keys: list[Key], runs: dict[Key, Run]) -> str:
    """All rows in Markdown."""
    by_task = sorted(keys, key=lambda key: list(TRAININGS).index(key[0]))
    kinds = dict.fromkeys((name, recipe, steps) for name, recipe, _, steps in by_task)
    rows = [COLUMNS, ["---"] * len(COLUMNS), *filter(None, (row(*kind, runs) for kind in kinds))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def parse() -> argparse.Namespace:
    """The options of this run."""
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--recipes", default=",".join(RECIPES), help="default: %(default)s; also master, nearest")
    made.add_argument("--tasks", default=",".join(TRAININGS), help="default: %(default)s")
    made.add_argument("--seeds", type=int, default=13, help="of char-transformer; the digits have more (default 13)")
    made.add_argument("--scale", type=float, default=1.0, help="how many times longer each run shall be (default 1)")
    made.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes of a thread each (default: CPUs)")
    default = Path("runs/low_bit_quality.jsonl")
    made.add_argument("--out", type=Path, default=default, help="where runs are written and found (%(default)s)")
    options = made.parse_args()
    options.recipes = list(dict.fromkeys(["float32", *options.recipes.split(",")]))
    options.tasks = options.tasks.split(",")
    if unknown := [name for name in options.tasks if name not in TRAININGS]:
        made.error(f"unknown task {unknown[0]!r}; there are {', '.join(TRAININGS)}")
    for recipe in options.recipes:
        try:
            optimizer({"w": np.ones((2, 2), np.float32)}, recipe, 1e-3, 0)
        except ValueError as error:
            made.error(str(error))
    return options


def main() -> None:
    """Run what is missing and print the table of what there is."""
    options = parse()
    console = Console()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    keys, done = wanted(options), read(options.out)
    missing = [key for key in keys if key not in done]
    console.print(f"{len(keys) - len(missing)} of {len(keys)} runs are in {options.out}")
    try:
        if missing:
            run_all(missing, options)
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on")
    print(", ".join(v if k == "cpu" else f"{k} {v}" for k, v in machine().items()))
    print(table(keys, read(options.out)))


if __name__ == "__main__":
    main()
