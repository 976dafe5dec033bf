"""Results by task, contender and learning rate, and the verdict in plain words."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from adamas import tasks
from adamas.report.comparison.plan import Plan
from adamas.report.comparison.statistics import Difference, Width, best, mean_sd, paired, width
from adamas.trials import Result


@dataclass(frozen=True)
class Try:
    """One learning rate of a contender: a result a seed."""

    lr: float
    results: tuple[Result, ...]

    @property
    def whole(self) -> bool:
        """Whether every seed came to its end."""
        return all(result.finished for result in self.results)

    def finals(self, split: str, metric: str) -> list[float] | None:
        """A metric at the end of each seed's run; None unless all have it."""
        found = [result.metrics[-1].get(split, {}).get(metric) for result in self.results] if self.whole else [None]
        values = [x for x in found if x is not None]
        return values if len(values) == len(found) else None


@dataclass(frozen=True)
class Contender:
    """A rule with a state on one task, judged by the loss of a split."""

    label: str
    rule: str
    state: str | None
    split: str
    tries: tuple[Try, ...]

    @cached_property
    def losses(self) -> list[float | None]:
        """The mean final loss at each learning rate; None where a seed diverged."""
        finals = (one.finals(self.split, "loss") for one in self.tries)
        return [statistics.fmean(values) if values else None for values in finals]

    @property
    def best(self) -> Try | None:
        """The learning rate of the smallest mean loss; None if each had a seed that diverged."""
        at = best(self.losses)
        return None if at is None else self.tries[at]

    @property
    def scores(self) -> list[float]:
        """The final losses at the best learning rate, a number a seed; none if there is no such."""
        return (self.best.finals(self.split, "loss") or []) if self.best else []

    @property
    def width(self) -> Width:
        """How much the learning rate matters."""
        return width([one.lr for one in self.tries], self.losses)

    @property
    def results(self) -> list[Result]:
        """Every run."""
        return [result for one in self.tries for result in one.results]

    @property
    def at_edge(self) -> str:
        """ "smallest" or "largest" if the best learning rate is that of all that were tried."""
        at = best(self.losses)
        if at is None or len(self.tries) < 2 or at not in (0, len(self.tries) - 1):
            return ""
        return "largest" if at else "smallest"


@dataclass(frozen=True)
class Outcome:
    """All contenders on one task, in the order of the plan."""

    task: tasks.Task
    name: str
    splits: tuple[str, ...]
    contenders: tuple[Contender, ...]
    seeds: int

    @property
    def split(self) -> str:
        """The split by which learning rates are chosen and contenders are ranked."""
        return self.contenders[0].split

    @property
    def axis(self) -> str:
        """What runs go over."""
        return "epoch" if self.task.data else "step"

    @property
    def loss(self) -> str:
        """What the loss is called."""
        return f"{self.split} loss" if len(self.splits) > 1 else "loss"

    @cached_property
    def ranking(self) -> list[Contender]:
        """Those that have a best learning rate, the lowest mean loss first."""
        ranked = [one for one in self.contenders if one.best]
        return sorted(ranked, key=lambda one: statistics.fmean(one.scores))

    @property
    def unranked(self) -> list[Contender]:
        """Those with a divergence or an error at every learning rate."""
        return [one for one in self.contenders if not one.best]

    def behind(self, other: Contender) -> Difference:
        """By how much a ranked contender is above the first."""
        return paired(other.scores, self.ranking[0].scores)

    @property
    def without_chance(self) -> bool:
        """Whether all seeds gave the very same."""
        return self.seeds > 1 and all(len(set(one.scores)) == 1 for one in self.ranking)


def outcomes(plan: Plan, results: Sequence[Result]) -> list[Outcome]:
    """The results of a plan, by task."""
    return [_outcome(plan, name, [result for result in results if result.trial.task == name]) for name in plan.tasks]


def _outcome(plan: Plan, name: str, results: Sequence[Result]) -> Outcome:
    splits = next((tuple(result.metrics[0]) for result in results if result.metrics), ("loss",))
    split = "validation" if "validation" in splits else splits[-1]
    contenders = []
    for rule in plan.rules:
        for state in plan.states:
            mine = [result for result in results if (result.trial.rule, result.trial.state) == (rule, state)]
            lrs = sorted({result.trial.lr for result in mine})
            tries = tuple(Try(lr, tuple(result for result in mine if result.trial.lr == lr)) for lr in lrs)
            contenders.append(Contender(plan.label(rule, state), rule, state, split, tries))
    return Outcome(tasks.get(name), name, splits, tuple(contenders), plan.seeds)


# --------------------------------------------------------------------------------------- verdict


def verdict(outcome: Outcome) -> str:
    """Who is first, and who cannot be told apart from it."""
    if not outcome.ranking:
        return "No contender came to its end at any learning rate; smaller ones (--lrs) may do better."
    first, *rest = outcome.ranking
    assert first.best is not None
    mean, sd = mean_sd(first.scores)
    text = f"{first.label} has the lowest {outcome.loss}: {mean:.4g}{_over(outcome, sd)}, with lr {first.best.lr:g}."
    words = [text]
    if rest and outcome.without_chance:
        words.append("Nothing in this task is random, so that every seed gives the same; the differences are exact.")
    elif rest and outcome.seeds == 1:
        words.append("One seed cannot tell a difference from chance; give more (--seeds).")
    elif rest:
        equal = [one.label for one in rest if not outcome.behind(one).told_apart]
        worse = [one.label for one in rest if outcome.behind(one).told_apart]
        words += [f"Not distinguishable from it: {', '.join(equal)}."] if equal else []
        words += [f"Higher, by 95% intervals: {', '.join(worse)}."] if worse else []
    if outcome.unranked:
        words.append(
            f"Without a learning rate at which every seed came to its end: {_labels(outcome.unranked)}.",
        )
    return " ".join(words)


def _over(outcome: Outcome, sd: float) -> str:
    return "" if outcome.seeds == 1 or outcome.without_chance else f" ± {sd:.2g}"


def _labels(contenders: Sequence[Contender]) -> str:
    return ", ".join(one.label for one in contenders)


def standing(outcome: Outcome, contender: Contender) -> str:
    """In a word or two, how a contender compares with the first."""
    if contender not in outcome.ranking:
        failed = any(result.status.startswith("failed") for result in contender.results)
        return "failed" if failed else "diverged"
    if contender is outcome.ranking[0]:
        return "lowest"
    if outcome.seeds == 1 or outcome.without_chance:
        return "equal" if outcome.behind(contender).mean == 0 else "higher"
    return "higher" if outcome.behind(contender).told_apart else "not distinguishable"


def cautions(outcome: Outcome) -> Iterator[str]:
    """What to know before believing the ranking of a task."""
    for end, further in (("smallest", "smaller"), ("largest", "larger")):
        at_end = [one for one in outcome.contenders if one.at_edge == end]
        if at_end:
            yield (
                f"{outcome.name}: the best learning rate of {_labels(at_end)} is the {end} that was tried; {further} "
                "ones (--lrs) may do better."
            )
    failed = [r for one in outcome.contenders for r in one.results if r.status.startswith("failed")]
    if failed:
        first = failed[0]
        runs = "1 run" if len(failed) == 1 else f"{len(failed)} runs"
        yield f"{outcome.name}: {runs} failed; the first, {first.trial.rule}: {first.status[8:]}."


def chosen_by(outcome: Outcome) -> str:
    """How learning rates were chosen, and what that does to the numbers."""
    by = f"Each contender has the learning rate with its lowest mean {outcome.loss} at the end of the run"
    if len(outcome.splits) == 1:
        return (
            f"{by}. The task has no other examples to judge by, so that these numbers are what the choice made small, "
            "and somewhat optimistic."
        )
    other = [split for split in outcome.splits[1:] if split != outcome.split]
    if other:
        return f"{by}; the {' and '.join(other)} examples had no part in that choice, the {outcome.split} ones did."
    return (
        f"{by}. The same {outcome.split} examples and seeds chose it that are compared here, so that all numbers are "
        "somewhat optimistic, the more so the more learning rates were tried."
    )
