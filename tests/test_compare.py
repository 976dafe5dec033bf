"""Comparisons: their statistics by hand, their plan, and the command with its report."""

import csv
import json
import math
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from test_cli import adamas_cli

from adamas import tasks
from adamas.report.comparison import Plan, write
from adamas.report.comparison.outcome import cautions, chosen_by, outcomes, standing, verdict
from adamas.report.comparison.plan import usual_lrs
from adamas.report.comparison.statistics import best, mean_sd, paired, width
from adamas.trials import Result, Trial

# ------------------------------------------------------------------------------------ statistics


def test_a_paired_difference_and_its_interval_by_hand():
    found = paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])  # apart by 1, 2, 3
    assert found.mean == 2
    half = 4.302653 / math.sqrt(3)  # t of 2 degrees of freedom at 97.5%, a standard deviation of 1
    assert found.interval == pytest.approx((2 - half, 2 + half), rel=1e-6)
    assert not found.told_apart  # 2 − 2.48 < 0
    sure = paired([11.0, 12.0, 13.0, 12.0], [1.0, 2.0, 3.0, 1.0])  # 10, 10, 10, 11: a standard deviation of 0.5
    assert sure.mean == 10.25
    assert sure.interval == pytest.approx((10.25 - 3.182446 / 4, 10.25 + 3.182446 / 4), rel=1e-6)
    assert sure.told_apart


def test_pairing_takes_out_what_seeds_share():
    shared = [0.0, 100.0, -100.0, 50.0]
    assert paired([x + 1 + noise for x, noise in zip(shared, (0.1, -0.1, 0, 0), strict=True)], shared).told_apart


def test_the_lowest_of_twenty_equals_is_below_two_of_them_by_chance():
    """As the report says: a reference that is picked from the same numbers is too low."""
    rng, grids = np.random.default_rng(0), 200
    higher = 0
    for losses in rng.normal(size=(grids, 20, 3)):
        lowest = losses[losses.mean(1).argmin()]
        higher += sum(paired(list(one), list(lowest)).told_apart for one in losses)
    assert 1.7 < higher / grids < 2.7


def test_one_seed_tells_nothing_apart():
    assert paired([3.0], [1.0]).interval is None
    assert not paired([3.0], [1.0]).told_apart
    assert mean_sd([3.0]) == (3, 0)
    assert mean_sd([1.0, 3.0]) == (2, math.sqrt(2))


def test_the_best_is_never_a_divergence():
    assert best([None, 3.0, 2.0, None, 2.5]) == 2
    assert best([None, None]) is best([]) is None


@pytest.mark.parametrize(
    ("losses", "count", "decades"),
    [
        ([9.0, 1.09, 1.0, 1.1, 9.0], 3, 2),  # 1.1 is within 10% of 1
        ([9.0, 1.11, 1.0, 1.11, 1.0], 1, 0),  # the second 1.0 is no neighbour of the first
        ([1.05, None, 1.0, 1.05, 1.05], 3, 2),  # a divergence ends the valley
        ([-1.0, -0.95, -0.9, -0.89, 0.0], 3, 2),  # 10% of |−1| above −1
        ([0.0, 1e-300, 0.0, 0.0, 0.0], 1, 0),
        ([None] * 5, 0, 0),
    ],
)
def test_the_width_of_a_valley_by_hand(losses, count, decades):
    found = width([1e-4, 1e-3, 1e-2, 1e-1, 1.0], losses)
    assert (found.count, found.of) == (count, 5)
    assert found.decades == pytest.approx(decades)


# -------------------------------------------------------------------------------------- outcomes


def result(rule, lr, seed, loss, task="logreg-digits", state=None):
    """A finished run with this validation loss at its end, or one that diverged."""
    values = {"train": {"loss": 2.0}, "validation": {"loss": loss}}
    if not tasks.get(task).data:
        values = {"function": {"loss": loss}}
    status = "finished" if loss is not None else "diverged: stopped at step 3 of 9: the loss became nan"
    start = {split: {"loss": 2.3} for split in values}
    return Result(
        Trial(task, rule, lr, seed, state),
        status,
        ((3, 2.2), (9, 2.0)),
        (0, 9),
        (start, values),
        9,
        9,
        10,
        8,
        1e-5,
        0.1,
    )


def outcome(losses, **more):
    """The outcome of {rule: {lr: losses by seed}}."""
    seeds = len(next(iter(next(iter(losses.values())).values())))
    plan = Plan(("logreg-digits",), tuple(losses), seeds=seeds, **more)
    found = [
        result(rule, lr, seed, loss)
        for rule, by_lr in losses.items()
        for lr, all_seeds in by_lr.items()
        for seed, loss in enumerate(all_seeds)
    ]
    return outcomes(plan, found)[0]


def test_the_verdict_says_who_is_first_and_how_sure_that_is():
    found = outcome(
        {
            "adam": {0.1: [3.0, 3.1, 3.2], 1.0: [1.0, 1.1, 1.2]},
            "adamw": {0.1: [1.1, 1.0, 1.3], 1.0: [5.0, 5.0, 5.0]},
            "lion": {0.1: [2.0, 2.1, 2.3], 1.0: [None, 1.0, 1.0]},  # a single divergence rules a learning rate out
            "sgd": {0.1: [None, 1.0, 1.0], 1.0: [None, None, None]},
        }
    )
    assert [one.label for one in found.ranking] == ["adam", "adamw", "lion"]
    assert verdict(found) == (
        "adam has the lowest validation loss: 1.1 ± 0.1, with lr 1. Not distinguishable from it: adamw. Higher, by "
        "95% intervals: lion. Without a learning rate at which every seed came to its end: sgd."
    )
    standings = [standing(found, one) for one in found.contenders]
    assert standings == ["lowest", "not distinguishable", "higher", "diverged"]
    assert next(cautions(found)) == (
        "logreg-digits: the best learning rate of adamw, lion is the smallest that was tried; smaller ones (--lrs) may "
        "do better."
    )


def test_a_verdict_without_chance_or_with_one_seed_says_so():
    assert "One seed cannot tell a difference from chance" in verdict(outcome({"adam": {1: [1.0]}, "sgd": {1: [2.0]}}))
    same = outcome({"adam": {1: [1.0, 1.0]}, "sgd": {1: [2.0, 2.0]}})
    assert verdict(same).endswith("so that every seed gives the same; the differences are exact.")
    assert standing(same, same.contenders[1]) == "higher"
    nothing = verdict(outcome({"adam": {1: [None, 1.0]}}))
    assert nothing == "No contender came to its end at any learning rate; smaller ones (--lrs) may do better."


def test_the_choice_of_a_learning_rate_is_owned_up_to():
    assert "all numbers are somewhat optimistic" in chosen_by(outcome({"adam": {1: [1.0]}}))
    (function,) = outcomes(Plan(("booth",), ("adam",), seeds=1), [result("adam", 1.0, 0, 3.0, task="booth")])
    assert "no other examples to judge by" in chosen_by(function)
    assert function.split == "function"


# ------------------------------------------------------------------------------------------ plans


def test_learning_rates_are_a_grid_around_each_rule_s_own():
    assert usual_lrs("logreg-topics", "lion")[3] == pytest.approx(
        1e-4 * tasks.get("logreg-topics").lr / 1e-3
    )  # as far from the rule's default as the task's own rule is
    assert usual_lrs("digits-mlp", "adam") == (6e-5, 2e-4, 6e-4, 2e-3, 6e-3, 2e-2, 6e-2)
    assert usual_lrs("digits-mlp", "prodigy") == usual_lrs("booth", "dadapt_adam") == (0.1, 0.3, 1, 3)


def test_a_plan_is_all_runs_and_their_command_and_outlives_a_file(tmp_path):
    plan = Plan(("booth", "digits-mlp"), ("adam", "lion"), (None, "int8"), (1e-3, 0.5), 2, epochs=3, steps=9)
    found = plan.trials()
    assert len(found) == len(set(found)) == 2 * 2 * 2 * 2 * 2
    assert {trial.options for trial in found} == {(("steps", 9),), (("epochs", 3),)}
    assert plan.command() == (
        "adamas compare booth digits-mlp --rules adam,lion --states default,int8 --lrs 0.001,0.5 --seeds 2 --epochs 3 "
        "--steps 9"
    )
    assert "--lrs 0.00123456789 " in Plan(("booth",), lrs=(0.00123456789,)).command()  # to the last digit
    assert plan.labels() == ["adam · default", "adam · int8", "lion · default", "lion · int8"]
    plan.save(tmp_path)
    assert Plan.load(tmp_path, {}) == plan
    assert Plan.load(tmp_path, {"seeds": 5}).seeds == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which tasks? `adamas tasks` lists them"),
        (["boot"], "unknown task 'boot'; did you mean"),
        (["booth", "--rules", "adm"], "unknown rule 'adm'; did you mean 'adam'?"),
        (["booth", "--rules", ","], "rules: none is given"),
        (["booth", "--lrs", "fast"], "--lrs fast: expected numbers with commas between"),
        (["booth", "--lrs", "-1"], "lr=-1.0 is outside [0, inf)"),
        (["booth", "--seeds", "0"], "seeds=0: expected at least 1"),
        (["booth", "--states", "int3"], "unknown codec 'int3'"),
        (["booth", "--epochs", "3"], "epochs=3: booth: a function, without data; give steps"),
        (["digits-mlp", "--steps", "3"], "steps=3: digits-mlp: trained on data; give epochs"),
        (["booth", "--schedule", "cosin"], "unknown schedule 'cosin'; did you mean 'cosine'?"),
        (["booth", "--resume", "x", "--out", "y"], "leave --out out"),
        (["--resume", "x"], "x holds no comparison.json"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_written(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    done = adamas_cli("compare", *words)
    assert done.exit_code == 2
    assert message in done.output
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------ the command


GRID = ["booth", "--lrs", "0.05,0.3", "--seeds", "2", "--steps", "60", "--jobs", "1"]


def rows(folder):
    with (folder / "results.csv").open(encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if "seconds" not in k} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "out"
    return out, adamas_cli("compare", *GRID, "--out", out)


def test_compare_says_what_it_does_and_leaves_a_report_and_a_table(compared):
    out, done = compared
    assert done.exit_code == 0, done.output
    assert done.output.startswith("8 runs: 1 task, 2 rules, 2 learning rates, 2 seeds\n")
    assert "has the lowest loss: " in done.output
    assert {path.name for path in out.iterdir()} == {"comparison.json", "report.html", "results.csv", "trials"}
    found = rows(out)
    assert len(found) == 8
    assert {row["status"] for row in found} == {"finished"}
    assert {row["rule"] for row in found} == {"adam", "adamw"}
    assert all(float(row["function loss"]) < 74 for row in found)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "adamas compare booth --rules adam,adamw --lrs 0.05,0.3 --seeds 2 --steps 60" in page.replace(
        "</span> <span>", " "
    )


def test_a_folder_in_use_is_not_overwritten_and_a_comparison_grows(compared):
    out, _ = compared
    done = adamas_cli("compare", *GRID, "--out", out)
    assert done.exit_code == 2
    assert f"--resume {out} goes on with the comparison in it" in done.output
    done = adamas_cli("compare", "--resume", out, "--rules", "adam,sgd", "--jobs", 1)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("8 runs: 1 task, 2 rules, 2 learning rates, 2 seeds; 4 are done already")
    assert {row["rule"] for row in rows(out)} == {"adam", "sgd"}


def test_a_comparison_that_was_killed_goes_on_to_the_same_numbers(tmp_path):
    words = [sys.executable, "-m", "adamas", "compare", "rosenbrock"]
    words += ["--lrs", "1e-3,3e-3,1e-2,3e-2", "--steps", "1000", "--jobs", "2"]
    process = subprocess.Popen([*words, "--out", "killed"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    folder = tmp_path / "killed" / "trials"
    while len(list(folder.glob("[!.]*.json")) if folder.exists() else []) < 3:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(folder.glob("[!.]*.json"))) < 24
    assert not (tmp_path / "killed" / "report.html").exists()

    resumed = subprocess.run(
        [*words[:4], "--resume", "killed"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert resumed.returncode == 0, resumed.stderr
    assert "are done already" in resumed.stdout
    assert adamas_cli("compare", *words[4:], "--out", tmp_path / "whole").exit_code == 0
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


def test_divergence_and_failure_are_shown(tmp_path):
    plan = Plan(("logreg-digits",), ("adam", "sgd"), lrs=(0.1, 1.0), seeds=1)
    found = [result("adam", 0.1, 0, 0.5), result("adam", 1.0, 0, None), result("sgd", 0.1, 0, None)]
    found.append(Result(Trial("logreg-digits", "sgd", 1.0), "failed: MemoryError: <script>alert(1)</script>"))
    write(plan, found, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8").split("<script>")[0]
    assert "Diverged: 2" in page
    assert "1 of 2" in page
    assert "1 run failed; the first, sgd: MemoryError: &lt;script&gt;alert(1)&lt;/script&gt;." in page
    assert [row["status"][:6] for row in rows(tmp_path)] == ["finish", "diverg", "diverg", "failed"]


def test_a_folder_that_takes_no_files_is_told_in_words(compared, tmp_path):
    out = shutil.copytree(compared[0], tmp_path / "out")
    shutil.rmtree(out / "trials")
    (out / "trials").write_text("no folder")
    done = adamas_cli("compare", "--resume", out)
    assert done.exit_code == 1
    assert f"what was done is kept, and --resume {out} goes on" in done.output
    assert "Traceback" not in done.output


def test_an_interrupted_comparison_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("adamas.trials.measure", interrupted)
    done = adamas_cli("compare", *GRID, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert f"To go on: adamas compare --resume {tmp_path / 'out'}" in done.output
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["seeds"] == 2
