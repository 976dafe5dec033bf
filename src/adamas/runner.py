"""Trains a task with a rule and leaves a folder: metrics.jsonl, config.json, a checkpoint, the report and its plots."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import shlex
import signal
import time
import tomllib
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from adamas import doctor, report, rules, run_folder, schedules, tasks
from adamas.minimization.lr_range import LrRange, find_lr
from adamas.nest import nearest
from adamas.optimizer import optimizer_class

#: Schedule → its making from a peak and the steps of a run. Those that end do so at a hundredth of the peak: a
#: step of length zero teaches nothing.
SCHEDULES: dict[str, Callable[[float, int], schedules.Schedule]] = {
    "constant": lambda lr, steps: schedules.constant(lr),
    "inverse-sqrt": lambda lr, steps: schedules.inverse_sqrt(lr),
    "cosine": lambda lr, steps: schedules.cosine(lr, steps, final=0.01),
    "linear": lambda lr, steps: schedules.linear(lr, steps, final=0.01),
}

#: Steps and evaluations of a run that are written down, about.
POINTS = 300
#: Diagnostics are gathered this often at most, so that they cost less than a fiftieth of a step.
DIAGNOSED = 100
#: Seconds between two checkpoints, at least.
SAVED = 5.0

#: A line of metrics.jsonl. ``kind`` is "step" (some steps), "epoch" (an evaluation) or "end".
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Options:
    """What to run. A task with data has epochs and a batch size, a function has steps; the others are None.

    None also leaves ``state`` and ``weight_decay`` to the rule, and clips no gradients. ``hyper`` has the rule's other
    hyper-parameters that are not its defaults.
    """

    task: str
    rule: str
    lr: float
    schedule: str
    seed: int
    epochs: int | None = None
    batch_size: int | None = None
    steps: int | None = None
    state: str | None = None
    weight_decay: float | None = None
    max_grad_norm: float | None = None
    hyper: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = {name: tuple(x) if isinstance(x, list) else x for name, x in self.hyper.items()}  # as JSON has them
        object.__setattr__(self, "hyper", own)
        for name in ("epochs", "batch_size", "steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value}: expected at least 1")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}: expected 0 or more")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"unknown schedule {self.schedule!r}{nearest(self.schedule, list(SCHEDULES))}")


#: What ``choose`` takes for options; all else is a hyper-parameter of the rule.
FIELDS = tuple(f.name for f in dataclasses.fields(Options) if f.name not in ("task", "rule"))

#: What each option is in a file.
KINDS: dict[str, type] = dict.fromkeys(("task", "rule", "schedule", "state"), str)
KINDS |= dict.fromkeys(("lr", "weight_decay", "max_grad_norm"), float)
KINDS |= dict.fromkeys(("seed", "epochs", "batch_size", "steps", "threads"), int) | {"out": str}


def choose(task: str, rule: str | None = None, **given: Any) -> Options:
    """Options for a task, where whatever is None or not given is the task's choice; ValueError if it cannot be.

    Beside the options, ``given`` may name any hyper-parameter of the rule, as in ``betas=(0.9, 0.99)``.
    """
    known = tasks.get(task)
    rule = rule or known.rule
    chosen = rules.get(rule)
    given = {name: value for name, value in given.items() if value is not None}
    options = {name: given.pop(name) for name in FIELDS if name in given}
    hyper = {**options.pop("hyper", {}), **given}
    for name in hyper:
        if name in FIELDS or name not in chosen.hyper:
            others = [n for n in chosen.hyper if n not in FIELDS]
            raise ValueError(f"{name}={hyper[name]!r}: {rule} has no such hyper-parameter{nearest(name, others)}")
    own = ("epochs", "batch_size") if known.data else ("steps",)
    for name in ("epochs", "batch_size", "steps"):
        if name in options and name not in own:
            what = "is trained on data; give epochs" if known.data else "is a function, without data; give steps"
            raise ValueError(f"{name}={options[name]}: {task} {what}")
    usual = {name: getattr(known, name) for name in ("lr", "schedule", "seed", *own)}
    if rule != known.rule:
        usual["lr"] = chosen.hyper["lr"].default
    return Options(task, rule, **{**usual, **options}, hyper=hyper)


def read(path: Path) -> dict[str, Any]:
    """The options in a TOML file, by the names of the command line; ValueError for what is none, or no TOML."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    options: dict[str, Any] = {}
    for key, value in found.items():
        name = key.replace("-", "_")
        if name in options:
            raise ValueError(f"{path}: {name} is given twice, with - and with _; leave one out")
        if name not in KINDS and not any(name in rule.hyper for rule in rules.REGISTRY.values()):
            raise ValueError(f"{path}: unknown option {key!r}{nearest(name, list(KINDS))}")
        kind = KINDS.get(name, float)
        values = value if isinstance(value, list) and name not in KINDS else [value]  # such as the betas
        fits = (isinstance(x, (int, float) if kind is float else kind) and not isinstance(x, bool) for x in values)
        if not all(fits):
            raise ValueError(f"{path}: {key} = {value!r}: expected {kind.__name__}")
        options[name] = value
    return options


def command(options: Options) -> str:
    """The command line that gives these options."""
    words = ["adamas", "run", options.task]
    for name, value in dataclasses.asdict(options).items():
        if name not in ("task", "hyper") and value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    for name, value in options.hyper.items():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        words += ["--betas", text] if name == "betas" else ["--set", f"{name}={text}"]
    return shlex.join(words)


def propose_lr(task: str, rule: str | None = None, seed: int = 0) -> LrRange:
    """A learning rate for a task; see ``adamas.find_lr``."""
    known = tasks.get(task)
    start, noise = np.random.default_rng(seed).spawn(2)
    batches: dict[str, Any] = {"data": known.data()["train"], "batch_size": known.batch_size} if known.data else {}

    def loss(params: tasks.Params, batch: tasks.Batch = None) -> tuple[float, tasks.Params]:
        return known.loss(params, batch, noise)

    with threadpool_limits(1, "blas"), np.errstate(all="ignore"):
        return find_lr(loss, known.init(start), jac=True, rule=rule or known.rule, seed=seed, **batches)


@dataclass(frozen=True)
class Outcome:
    """The last metrics by split, and "finished" or the words that say why not."""

    metrics: Mapping[str, Mapping[str, float | None]]
    status: str


class Job:
    """One training run, ready to start or to go on. Raises ValueError or TypeError for options that cannot be."""

    def __init__(self, options: Options) -> None:
        self.options = o = options
        self.task, self.rule = tasks.get(o.task), rules.get(o.rule)
        self.data = dict(self.task.data()) if self.task.data else {}
        start, self.order, self.noise = np.random.default_rng(o.seed).spawn(3)
        self.params = self.task.init(start)
        self.examples = len(self.data["train"][0]) if self.data else 0
        self.steps_per_epoch = -(-self.examples // o.batch_size) if o.batch_size else 0
        self.steps = o.steps or (o.epochs or 0) * self.steps_per_epoch
        self.lr = SCHEDULES[o.schedule](o.lr, self.steps)
        hyper = dict(o.hyper) if o.weight_decay is None else {**o.hyper, "weight_decay": o.weight_decay}
        self.diagnosed = max(DIAGNOSED, self.steps // POINTS)
        self.optimizer = optimizer_class(o.rule)(
            self.params,
            lr=self.lr,
            state=o.state,
            max_grad_norm=o.max_grad_norm,
            diagnostics_every=self.diagnosed,
            **hyper,
        )
        self.permutation, self.batches = np.zeros(0, np.int64), list[tasks.Array]()
        self.latest: dict[str, dict[str, float | None]] = {}
        self.resumed: list[int] = []
        #: Seconds of each step of the optimizer alone.
        self.stepping = array("d")
        self.seconds = 0.0
        self.began = self.saved = time.perf_counter()
        self.evaluated = -1  # after which step, at last

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
            "axis": "epoch" if self.data else "step",
            "splits": list(self.data) or ["function"],
            "examples": {name: len(arrays[0]) for name, arrays in self.data.items()},
            "facts": dict(self.task.facts()),
            "tensors": {name: list(p.shape) for name, p in self.params.items()},
            "dtypes": {name: p.dtype.name for name, p in self.params.items()},
            "state_per_parameter": self.optimizer.memory()["state_per_parameter"],
            "steps": self.steps,
            "resumed": self.resumed,
            "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "machine": doctor.machine(),
            "versions": doctor.versions("numpy", "numba", "scikit-learn"),
        }

    # ---- the run

    def run(self, folder: Path, watch: Callable[[Line], None] = lambda line: None) -> Outcome:
        """Train, and write everything into the folder; ``watch`` is shown every line of the metrics."""
        with _ctrl_c() as pressed:
            (folder / "config.json").write_text(json.dumps(self.config(), indent=2) + "\n", encoding="utf-8")
            status = self._log(folder, watch, pressed)
            report.write(folder)
        return Outcome(self.latest, status)

    def _log(self, folder: Path, watch: Callable[[Line], None], pressed: Callable[[], bool]) -> str:
        """Train, with the metrics and checkpoints written into the folder; returns how it ended."""
        with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:

            def log(line: Line) -> None:
                file.write(json.dumps(line, allow_nan=False) + "\n")
                watch(line)

            def save() -> None:
                file.flush()
                self.save(folder, file.tell())

            self.began = self.saved = time.perf_counter()
            status = self.train(log, save, pressed)
            seconds = round(self.seconds + time.perf_counter() - self.began, 3)
            log({"kind": "end", "step": self.optimizer.t, "seconds": seconds, "status": status})
        return status

    def train(
        self,
        log: Callable[[Line], None],
        save: Callable[[], None] = lambda: None,
        pressed: Callable[[], bool] = lambda: False,
    ) -> str:
        """Train without a folder: ``log`` is handed every line of the metrics. Returns how it ended."""
        # One thread for NumPy's own products, so that they round alike on any number of CPUs; an overflow is told
        # in words.
        with threadpool_limits(1, "blas"), np.errstate(all="ignore"):
            return self._train(log, save, pressed)

    def _train(
        self,
        log: Callable[[Line], None],
        save: Callable[[], None] = lambda: None,
        pressed: Callable[[], bool] = lambda: False,
    ) -> str:
        if not self.resumed:
            self._evaluate(log)
            save()
        every = self._evaluations()
        try:
            for step in range(self.optimizer.t + 1, self.steps + 1):
                loss = self._step(step, log)
                if not math.isfinite(loss):
                    self._evaluate(log)
                    return f"stopped at step {step} of {self.steps}: the loss became {loss}; try a smaller --lr"
                if step % every == 0 or step == self.steps:
                    self._evaluate(log)
                if pressed():
                    save()
                    raise KeyboardInterrupt
                if step == self.steps or time.perf_counter() - self.saved > SAVED:
                    save()
                    self.saved = time.perf_counter()
        except KeyboardInterrupt:
            if self.evaluated < self.optimizer.t:
                self._evaluate(log)
            return f"interrupted after step {self.optimizer.t} of {self.steps}"
        return "finished"

    def _evaluations(self) -> int:
        """Steps between two evaluations: an epoch, or as many as leave about POINTS of them."""
        if not self.data:
            return max(1, self.steps // POINTS)
        return self.steps_per_epoch * max(1, (self.options.epochs or 0) // POINTS)

    def _step(self, step: int, log: Callable[[Line], None]) -> float:
        """One step; returns the loss of its mini-batch."""
        loss, grads = self.task.loss(self.params, self._batch(step), self.noise)
        began = time.perf_counter()
        self.optimizer.step(grads)
        self.stepping.append(time.perf_counter() - began)
        diagnosed = (step - 1) % self.diagnosed == 0
        if diagnosed or step % max(1, self.steps // POINTS) == 0 or not math.isfinite(loss):
            found = {"diagnostics": self.optimizer.diagnostics().as_dict()} if diagnosed else {}
            log({"kind": "step", **self._when(), "lr": self.lr(step), "loss": _number(loss), **found})
        return loss

    def _batch(self, step: int) -> Any:
        """The mini-batch of a step: an epoch's are of equal size, give or take one, as a last one of a few examples
        would be noise.
        """
        if not self.data:
            return None
        at = (step - 1) % self.steps_per_epoch
        if at == 0:
            self.permutation = self.order.permutation(self.examples)
        if at == 0 or not self.batches:
            self.batches = np.array_split(self.permutation, self.steps_per_epoch)
        return tuple(a[self.batches[at]] for a in self.data["train"])

    def _evaluate(self, log: Callable[[Line], None]) -> None:
        params = self.optimizer.eval_params()
        splits: Mapping[str, Any] = self.data or {"function": None}
        for split, examples in splits.items():
            self.latest[split] = {k: _number(x) for k, x in self.task.evaluate(params, examples).items()}
        self.evaluated = self.optimizer.t
        log({"kind": "epoch", **self._when(), "metrics": self.latest})

    def _when(self) -> dict[str, float | None]:
        step = self.optimizer.t
        return {"step": step, "epoch": round(step / self.steps_per_epoch, 4) if self.data else None}

    # ---- leaving off and going on

    def save(self, folder: Path, written: int) -> None:
        """Write all that the rest of the run depends on; ``written`` bytes of the metrics belong to it."""
        state = self.optimizer.state_dict()
        arrays = {f"state/{leaf}/{key}": a for leaf, slots in state.pop("arrays").items() for key, a in slots.items()}
        arrays |= {f"param/{name}": p for name, p in self.params.items()} | {"permutation": self.permutation}
        facts = {
            "options": dataclasses.asdict(self.options),
            "optimizer": state,
            "clipped": [self.optimizer._observer.steps, self.optimizer._observer.clipped],
            "order": self.order.bit_generator.state,
            "noise": self.noise.bit_generator.state,
            "written": written,
            "seconds": self.seconds + time.perf_counter() - self.began,
            "resumed": self.resumed,
        }
        run_folder.save(folder, facts, arrays)

    @classmethod
    def resume(cls, folder: Path, **longer: int | None) -> Job:
        """The job that a folder's checkpoint left off, with more ``epochs`` or ``steps`` if given.

        Raises ValueError, with the folder as it was, where the checkpoint is damaged or the run is over.
        """
        facts, arrays = run_folder.load(folder)
        try:
            options = Options(**facts["options"])
            more = {name: value for name, value in longer.items() if value is not None}
            job = cls(choose(**{**facts["options"], **more}) if more else options)
            job._restore(facts, arrays)
            if (folder / "metrics.jsonl").stat().st_size < job.written:
                raise ValueError(f"{folder / 'metrics.jsonl'} is damaged: it ends before the checkpoint does")
        except (KeyError, TypeError) as error:
            raise ValueError(f"{folder / run_folder.CHECKPOINT} is damaged: {error!r}") from None
        if job.optimizer.t >= job.steps:
            word = "epochs" if job.data else "steps"
            raise ValueError(f"all {job.steps} steps of this run were made; give more --{word} to go on")
        return job

    def _restore(self, facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        state = {**facts["optimizer"], "arrays": {name: {} for name in self.params}}
        for key, a in arrays.items():
            if key.startswith("state/"):
                leaf, slot = key.removeprefix("state/").rsplit("/", 1)
                state["arrays"][leaf][slot] = a
        for group in state["param_groups"]:
            group.update({k: tuple(v) for k, v in group.items() if isinstance(v, list) and k != "names"})
        self.optimizer.load_state_dict(state)
        self.optimizer._observer.steps, self.optimizer._observer.clipped = facts["clipped"]
        for name, p in self.params.items():
            p[...] = arrays[f"param/{name}"]
        self.permutation = arrays["permutation"]
        if self.permutation.size not in (0, self.examples):
            raise ValueError(
                f"{self.task.name} has {self.examples} examples, and had {self.permutation.size} when the run was "
                "left; bring its data back, or start anew"
            )
        self.order.bit_generator.state, self.noise.bit_generator.state = facts["order"], facts["noise"]
        self.seconds, self.written = float(facts["seconds"]), int(facts["written"])
        self.resumed = [*facts["resumed"], self.optimizer.t]

    def rewind(self, folder: Path) -> None:
        """Drop the metrics that were written after the checkpoint: they will be written again."""
        with (folder / "metrics.jsonl").open("r+b") as file:
            file.truncate(self.written)


@contextlib.contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed: a step is finished first, so that the run can go on exactly there. A second one
    does not wait for the step; none stops the writing of what there is, with which the run would be lost.
    """
    presses: list[int] = []
    heard = False

    def press(number: int, frame: Any) -> None:
        presses.append(number)
        if len(presses) == 2 and not heard:
            raise KeyboardInterrupt

    def pressed() -> bool:
        nonlocal heard
        heard = bool(presses)
        return heard

    try:
        before = signal.signal(signal.SIGINT, press)
    except ValueError:  # not the main thread, which alone is told of signals
        yield lambda: False
        return
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _number(x: float) -> float | None:
    """A float that JSON can hold."""
    return float(x) if math.isfinite(x) else None


def _plain(value: Any) -> Any:
    """A hyper-parameter that JSON can hold: infinity becomes a word."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def default_folder(options: Options) -> Path:
    """A new folder under ``runs``, named after the task, the rule and the time."""
    return run_folder.default(f"{tasks.get(options.task).name}-{rules.get(options.rule).name}")
