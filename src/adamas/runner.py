"""Trains a task with a rule and leaves a folder: metrics.jsonl, config.json, the report and its plots."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from adamas import doctor, report, rules, schedules, tasks
from adamas.nest import nearest
from adamas.optimizer import optimizer_class
from adamas.tasks import Array, Params

#: Schedule → its making from a peak and the steps of a run. Those that end do so at a hundredth of the peak: a
#: step of length zero teaches nothing.
SCHEDULES: dict[str, Callable[[float, int], schedules.Schedule]] = {
    "constant": lambda lr, steps: schedules.constant(lr),
    "inverse-sqrt": lambda lr, steps: schedules.inverse_sqrt(lr),
    "cosine": lambda lr, steps: schedules.cosine(lr, steps, final=0.01),
    "linear": lambda lr, steps: schedules.linear(lr, steps, final=0.01),
}

#: Steps of a run that are written down, about.
POINTS = 300

#: A line of metrics.jsonl. ``kind`` is "step" (some steps), "epoch" (each epoch's end and the start) or "end".
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Options:
    """What to run; None leaves ``state`` and ``weight_decay`` to the rule."""

    task: str
    rule: str
    lr: float
    schedule: str
    epochs: int
    batch_size: int
    seed: int
    state: str | None = None
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}: expected 0 or more")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"unknown schedule {self.schedule!r}{nearest(self.schedule, list(SCHEDULES))}")


def choose(task: str, rule: str | None = None, **given: Any) -> Options:
    """Options for a task, where whatever is None or not given is the task's choice; ValueError if it cannot be."""
    known = tasks.get(task)
    chosen = rules.get(rule or known.rule)
    fields = ("lr", "schedule", "epochs", "batch_size", "seed")
    options = {name: getattr(known, name) for name in fields}
    if chosen.name != known.rule:
        options["lr"] = chosen.hyper["lr"].default
    options |= {name: value for name, value in given.items() if value is not None}
    return Options(task, chosen.name, **options)


def command(options: Options) -> str:
    """The command line that gives these options."""
    words = ["adamas", "run", options.task]
    for name, value in dataclasses.asdict(options).items():
        if name != "task" and value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


@dataclass(frozen=True)
class Outcome:
    """The last metrics by split, and "finished" or the words that say why not."""

    metrics: Mapping[str, Mapping[str, float | None]]
    status: str


class Job:
    """One training run, ready to start. Raises ValueError or TypeError for options that cannot be."""

    def __init__(self, options: Options) -> None:
        self.options = o = options
        self.task, self.rule = tasks.get(o.task), rules.get(o.rule)
        self.data = self.task.data()
        start, self.order, self.noise = np.random.default_rng(o.seed).spawn(3)
        self.params = self.task.init(start)
        self.examples = len(self.data["train"][0])
        self.steps_per_epoch = -(-self.examples // o.batch_size)
        self.steps = o.epochs * self.steps_per_epoch
        self.lr = SCHEDULES[o.schedule](o.lr, self.steps)
        decay = {} if o.weight_decay is None else {"weight_decay": o.weight_decay}
        self.optimizer = optimizer_class(self.rule.name)(self.params, lr=self.lr, state=o.state, **decay)
        self.latest: dict[str, dict[str, float | None]] = {}

    def config(self) -> dict[str, Any]:
        """All that is needed to understand the run and to repeat it."""
        group = self.optimizer.param_groups[0]
        hyper = {name: _plain(group[name]) for name in self.rule.hyper if name != "lr"}
        return {
            "command": command(self.options),
            "task": self.task.name,
            "about": self.task.doc,
            "rule": {"name": self.rule.name, "title": self.rule.title, "about": self.rule.doc.split("\n")[0]},
            "options": dataclasses.asdict(self.options),
            "hyper": {"lr": self.options.lr, **hyper},
            "examples": {name: len(arrays[0]) for name, arrays in self.data.items()},
            "tensors": {name: list(p.shape) for name, p in self.params.items()},
            "state_per_parameter": self.optimizer.memory()["state_per_parameter"],
            "steps": self.steps,
            "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "machine": doctor.machine(),
            "versions": doctor.versions("numpy", "numba", "scikit-learn"),
        }

    def run(self, folder: Path, watch: Callable[[Line], None] = lambda line: None) -> Outcome:
        """Train, and write everything into the folder; ``watch`` is shown every line of the metrics."""
        (folder / "config.json").write_text(json.dumps(self.config(), indent=2) + "\n", encoding="utf-8")
        with (folder / "metrics.jsonl").open("w", encoding="utf-8") as file:

            def log(line: Line) -> None:
                file.write(json.dumps(line, allow_nan=False) + "\n")
                watch(line)

            begin = time.perf_counter()
            # One thread for NumPy's own products, so that they round alike on any number of CPUs.
            with threadpool_limits(1, "blas"), np.errstate(all="ignore"):  # an overflow is told in words
                status = self._train(log)
            seconds = round(time.perf_counter() - begin, 3)
            log({"kind": "end", "step": self.optimizer.t, "seconds": seconds, "status": status})
        report.write(folder)
        return Outcome(self.latest, status)

    def _train(self, log: Callable[[Line], None]) -> str:
        self._evaluate(log)
        try:
            for step in range(1, self.steps + 1):
                loss = self._step(step, log)
                if not math.isfinite(loss):
                    self._evaluate(log)
                    return f"stopped at step {step} of {self.steps}: the loss became {loss}; try a smaller --lr"
                if step % self.steps_per_epoch == 0:
                    self._evaluate(log)
        except KeyboardInterrupt:
            self._evaluate(log)
            return f"interrupted after step {self.optimizer.t} of {self.steps}"
        return "finished"

    def _step(self, step: int, log: Callable[[Line], None]) -> float:
        """One step; returns the loss of its mini-batch."""
        at = (step - 1) % self.steps_per_epoch
        if at == 0:  # mini-batches of equal size, give or take one: a last one of a few examples would be noise
            self.batches = np.array_split(self.order.permutation(self.examples), self.steps_per_epoch)
        batch = tuple(a[self.batches[at]] for a in self.data["train"])
        loss, grads = self.task.loss(self.params, batch, self.noise)
        written = step == 1 or step % max(1, self.steps // POINTS) == 0 or not math.isfinite(loss)
        before = {name: p.copy() for name, p in self.params.items()} if written else {}
        self.optimizer.step(grads)
        if written:
            updates = update_sizes(before, self.params)
            log({"kind": "step", **self._when(), "lr": self.lr(step), "loss": _number(loss), "update": updates})
        return loss

    def _evaluate(self, log: Callable[[Line], None]) -> None:
        params = self.optimizer.eval_params()
        for split, examples in self.data.items():
            self.latest[split] = {k: _number(x) for k, x in self.task.evaluate(params, examples).items()}
        log({"kind": "epoch", **self._when(), "metrics": self.latest})

    def _when(self) -> dict[str, float]:
        step = self.optimizer.t
        return {"step": step, "epoch": round(step / self.steps_per_epoch, 4)}


def update_sizes(before: Params, after: Params) -> dict[str, float | None]:
    """RMS(change) / RMS(value before) of each tensor; None where that is no number, as for a tensor of zeros."""
    with np.errstate(all="ignore"):
        return {name: _number(_rms(after[name] - p) / _rms(p)) for name, p in before.items()}


def _rms(x: Array) -> np.float64:
    return np.float64(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def _number(x: float) -> float | None:
    """A float that JSON can hold."""
    return float(x) if math.isfinite(x) else None


def _plain(value: Any) -> Any:
    """A hyper-parameter that JSON can hold: infinity becomes a word."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def default_folder(options: Options) -> Path:
    """``runs/<task>-<rule>-<time>``, the first that no run has or is writing."""
    stem = f"{options.task}-{options.rule}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (stem if i == 1 else f"{stem}-{i}" for i in range(1, 1000))
    return next(p for p in (Path("runs", n) for n in names) if not p.exists() and not _partial(p).exists())


def _partial(out: Path) -> Path:
    return out.with_name(f".{out.name}.partial")


@contextlib.contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A folder to write into. It takes its name when all is in it, and vanishes if anything fails before.

    Raises OSError at once where the folder cannot be.
    """
    out = out.resolve()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"{out} exists already and is not an empty folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(out)
    try:
        partial.mkdir()
    except FileExistsError:
        raise FileExistsError(
            f"{partial} exists: another run is writing there, or was killed; remove it then"
        ) from None
    try:
        yield partial
        if out.exists():
            out.rmdir()  # Windows renames onto nothing, not even an empty folder
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
