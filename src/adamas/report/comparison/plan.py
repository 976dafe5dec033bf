"""Which runs a comparison consists of."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adamas import rules, runner, tasks
from adamas.trials import Trial

FILE = "comparison.json"

#: Learning rates beside a rule's usual one, in decades, and of a rule whose lr is a factor on its own estimate.
DECADES = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)
FACTORS = (0.1, 0.3, 1.0, 3.0)

#: The options of a comparison that are lists, separated by commas on a command line.
LISTS = ("rules", "states", "lrs")


@dataclass(frozen=True)
class Plan:
    """Every task with every rule, state, learning rate and seed. It checks itself when it is made.

    lrs: None has a grid around each rule's own. states: None as the rule says. seeds: how many, from 0. epochs is for
    tasks with data, steps for functions; None, as for the schedule, is the task's choice.
    """

    tasks: tuple[str, ...]
    rules: tuple[str, ...] = ("adam", "adamw")
    states: tuple[str | None, ...] = (None,)
    lrs: tuple[float, ...] | None = None
    seeds: int = 3
    epochs: int | None = None
    batch_size: int | None = None
    steps: int | None = None
    schedule: str | None = None

    def __post_init__(self) -> None:
        for name in ("tasks", *LISTS):
            values = getattr(self, name)
            if values is not None:
                object.__setattr__(self, name, tuple(dict.fromkeys(values)))
                if not values:
                    raise ValueError(f"{name}: none is given")
        if self.seeds < 1:
            raise ValueError(f"seeds={self.seeds}: expected at least 1")
        for name in ("epochs", "batch_size", "steps"):
            for_data = name != "steps"
            if getattr(self, name) is not None and not any(bool(tasks.get(t).data) == for_data for t in self.tasks):
                what = "a function, without data; give steps" if for_data else "trained on data; give epochs"
                raise ValueError(f"{name}={getattr(self, name)}: {', '.join(self.tasks)}: {what}")

    def trials(self) -> list[Trial]:
        """All runs; the seeds of one setting follow each other."""
        return [
            Trial(task, rule, lr, seed, state, self._options(task))
            for task in self.tasks
            for rule in self.rules
            for state in self.states
            for lr in self.lrs or usual_lrs(task, rule)
            for seed in range(self.seeds)
        ]

    def check(self) -> None:
        """Raise TypeError or ValueError if one of the runs cannot be, before the first is made."""
        settings = {(trial.task, trial.rule, trial.state): trial for trial in self.trials()}
        for trial in settings.values():
            runner.Job(trial.chosen)
        for lr in self.lrs or ():
            rules.get(self.rules[0]).hyper["lr"].check("lr", lr)

    def _options(self, task: str) -> tuple[tuple[str, Any], ...]:
        own = ("epochs", "batch_size", "schedule") if tasks.get(task).data else ("steps", "schedule")
        return tuple((name, getattr(self, name)) for name in own if getattr(self, name) is not None)

    def label(self, rule: str, state: str | None) -> str:
        """What a rule with a state is called, beside the others of this plan."""
        return rule if len(self.states) == 1 else f"{rule} · {state or 'default'}"

    def labels(self) -> list[str]:
        """All that are compared, in the order in which they were given."""
        return [self.label(rule, state) for rule in self.rules for state in self.states]

    def command(self) -> str:
        """The command line that makes the same comparison."""
        words = ["adamas", "compare", *self.tasks]
        for name, value in asdict(self).items():
            if name == "tasks" or value is None or (name == "states" and value == (None,)):
                continue
            parts = ("default" if x is None else x for x in value) if name in LISTS else [value]
            words += [f"--{name.replace('_', '-')}", ",".join(map(str, parts))]
        return shlex.join(words)

    def describe(self) -> str:
        """How many runs there are, and why."""
        count = len(self.trials())
        grid = f"{len(self.lrs)} learning rates" if self.lrs else "a grid of learning rates each"
        parts = [
            _count(len(self.tasks), "task"),
            _count(len(self.rules), "rule"),
            *([f"{len(self.states)} kinds of state"] if len(self.states) > 1 else []),
            grid,
            _count(self.seeds, "seed"),
        ]
        return f"{_count(count, 'run')}: {', '.join(parts)}"

    # ---- the file

    def save(self, folder: Path) -> None:
        """Write the plan, from which a comparison can go on."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, given: Mapping[str, Any]) -> Plan:
        """The plan of a folder, with what is given in place of what it says; ValueError if there is none."""
        try:
            found = json.loads((folder / FILE).read_text(encoding="utf-8"))
            found = {name: tuple(x) if isinstance(x, list) else x for name, x in found.items()}
            return replace(cls(**found), **given)
        except FileNotFoundError:
            raise ValueError(f"{folder} holds no {FILE}: there is no comparison to go on with; start anew") from None
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{folder / FILE} is damaged: {error}") from None


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def usual_lrs(task: str, rule: str) -> tuple[float, ...]:
    """Three decades in half-decades around the rule's default, shifted as the task's own lr is from its rule's.

    A rule that estimates how long steps should be has a few factors around 1.
    """
    default = rules.get(rule).hyper["lr"].default
    if default == 1.0:
        return FACTORS
    known = tasks.get(task)
    usual = rules.get(known.rule).hyper["lr"].default
    centre = default * known.lr / usual if usual != 1.0 else default
    return tuple(float(f"{centre * 10**decades:.0e}") for decades in DECADES)  # they read 1, 3, 10, 30
