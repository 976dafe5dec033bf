"""Many training runs, side by side in processes, each kept in a file of its own.

What a folder holds is never measured again, so that a grid goes on where it was left, however it was ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import adamas
from adamas import runner

#: Points of a curve that are kept, at most.
POINTS = 200

FINISHED = "finished"


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True)
class Trial:
    """One training run. ``options`` is what else ``runner.choose`` takes, as in ``(("epochs", 5),)``."""

    task: str
    rule: str
    lr: float
    seed: int = 0
    state: str | None = None
    options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", float(self.lr))
        object.__setattr__(self, "options", tuple(sorted(_hashable(self.options))))

    @property
    def chosen(self) -> runner.Options:
        """The options of the run; raises ValueError if there cannot be one."""
        more = dict(self.options)
        return runner.choose(self.task, self.rule, lr=self.lr, seed=self.seed, state=self.state, **more)

    @property
    def file(self) -> str:
        """The name of its file: a hash of all that decides the result."""
        text = json.dumps([adamas.__version__, asdict(self)])
        return f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


@dataclass(frozen=True)
class Result:
    """What became of a trial; numbers that are not finite are None.

    status: "finished", or "diverged: …" (a loss that is no number), or "failed: …" (an error).
    curve: (step, training loss of the mini-batches), a mean over the steps since the last point.
    evaluated: the steps after which all splits were evaluated, and metrics: split → metric → value each time.
    epoch: steps an epoch; 0 of a function. params: how many parameters.
    state_bytes: of state a parameter. step_seconds: of a step of the optimizer alone, the median. seconds: of it all.
    """

    trial: Trial
    status: str
    curve: tuple[tuple[int, float | None], ...] = ()
    evaluated: tuple[int, ...] = ()
    metrics: tuple[Mapping[str, Mapping[str, float | None]], ...] = ()
    steps: int = 0
    epoch: int = 0
    params: int = 0
    state_bytes: float = 0.0
    step_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def finished(self) -> bool:
        """Whether it came to its end with a loss that is a number."""
        return self.status == FINISHED


def train(trial: Trial) -> Result:
    """The trial, here and now; it raises whatever goes wrong."""
    job = runner.Job(trial.chosen)
    lines: list[runner.Line] = []
    began = time.perf_counter()
    status = job.train(lambda line: lines.append({**line, "metrics": dict(line.get("metrics", {}))}))
    seconds = time.perf_counter() - began
    losses = [(line["step"], line["loss"]) for line in lines if line["kind"] == "step"]
    evaluations = [line for line in lines if line["kind"] == "epoch"]
    return Result(
        trial,
        FINISHED if status == FINISHED else f"diverged: {status.partition(';')[0]}",
        tuple(_thinned(losses)),
        tuple(line["step"] for line in evaluations),
        tuple(line["metrics"] for line in evaluations),
        job.optimizer.t,
        job.steps_per_epoch,
        sum(p.size for p in job.params.values()),
        job.optimizer.memory()["state_per_parameter"],
        statistics.median(job.stepping),
        seconds,
    )


def _thinned(curve: Sequence[tuple[int, float | None]]) -> Iterator[tuple[int, float | None]]:
    """A curve of at most POINTS points, each the mean of some that follow each other, at the last of them."""
    count = min(POINTS, len(curve))
    for i in range(count):
        part = curve[i * len(curve) // count : (i + 1) * len(curve) // count]
        losses = [loss for _, loss in part if loss is not None]
        yield part[-1][0], statistics.fmean(losses) if len(losses) == len(part) else None


# ----------------------------------------------------------------------------------------- files


def held(trial: Trial, folder: Path) -> Result | None:
    """The trial's result if the folder has it, whole and of this version."""
    try:
        found = json.loads((folder / trial.file).read_text(encoding="utf-8"))
        result = Result(
            **{
                **found,
                "trial": Trial(**found["trial"]),
                **{name: _hashable(found[name]) for name in ("curve", "evaluated", "metrics")},
            }
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return result if result.trial == trial else None


def _keep(result: Result, folder: Path) -> None:
    """Write the file of a result, whole or not at all."""
    new = folder / f".{result.trial.file}"
    new.write_text(json.dumps(asdict(result), allow_nan=False) + "\n", encoding="utf-8")
    os.replace(new, folder / result.trial.file)


def missing(trials: Iterable[Trial], folder: Path) -> list[Trial]:
    """The trials that the folder has no result of, each once."""
    return [trial for trial in dict.fromkeys(trials) if held(trial, folder) is None]


# ------------------------------------------------------------------------------------- processes


def measure(
    trials: Iterable[Trial],
    folder: Path,
    jobs: int | None = None,
    watch: Callable[[Result], None] | None = None,
) -> list[Result]:
    """The results of all trials, in their order; those that the folder has not are measured now.

    jobs: processes at a time, each with one thread; by default as many as there are CPUs. watch: is shown each result
    that is measured now. A trial that fails is a result that says so, and is tried again next time. Whatever ends this
    process, its workers end with it, and only the trials that they were at are lost.
    """
    trials = list(trials)
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs={jobs}: expected at least 1")
    folder.mkdir(parents=True, exist_ok=True)
    left = missing(trials, folder)
    random.Random(0).shuffle(left)  # so that the first few tell how long all will take
    failed: dict[Trial, Result] = {}
    with contextlib.closing(_measured(left, jobs or adamas.get_num_threads())) as results:
        for result in results:
            if result.status.startswith("failed"):
                failed[result.trial] = result
            else:
                _keep(result, folder)
            if watch is not None:
                watch(result)
    found = {trial: failed.get(trial) or held(trial, folder) for trial in dict.fromkeys(trials)}
    return [result for result in map(found.get, trials) if result is not None]


class _Worker:
    """A process that is sent one trial after another."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.trial: Trial | None = None

    def give(self, trial: Trial) -> None:
        self.trial = trial
        self.pipe.send(trial)

    def take(self) -> Result:
        """The result of the trial that was given; a process that died is one, too."""
        assert self.trial is not None
        try:
            result: Result = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            result = Result(self.trial, f"failed: its process died (exit code {self.process.exitcode})")
        return result

    def end(self) -> None:
        self.process.kill()  # it holds nothing that is worth a farewell
        self.process.join()
        self.pipe.close()


def _measured(trials: Sequence[Trial], jobs: int) -> Generator[Result, None, None]:
    """Results as they come."""
    left = list(reversed(trials))
    workers: list[_Worker] = []
    try:
        for _ in range(min(jobs, len(trials))):
            workers.append(_Worker())
            workers[-1].give(left.pop())
        while workers:
            ready = wait([worker.pipe for worker in workers])
            for worker in [worker for worker in workers if worker.pipe in ready]:
                yield worker.take()
                workers.remove(worker)
                if not left:
                    worker.end()
                    continue
                if not worker.process.is_alive():
                    worker.end()
                    worker = _Worker()
                workers.append(worker)
                worker.give(left.pop())
    finally:
        for worker in workers:
            worker.end()


def _work(pipe: Connection) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent answers it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = "1"  # for PyTorch, where a task brings it
    if "torch" in sys.modules:  # the user's own file did, and it has looked at that already
        sys.modules["torch"].set_num_threads(1)
    adamas.set_num_threads(1)
    while True:
        trial = pipe.recv()
        try:
            result = train(trial)
        except Exception as error:
            result = Result(trial, f"failed: {type(error).__name__}: {error}")
        pipe.send(result)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
