"""Trials: many runs in processes, kept in files, whatever ends them."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adamas import trials
from adamas.trials import Trial, held, measure, missing


def trial(lr=0.1, steps=30, **more):
    return Trial("booth", "adam", lr, **{"options": (("steps", steps),), **more})


def numbers(results):
    """All of the results that must repeat: everything but times."""
    return [dataclasses.replace(result, seconds=0, step_seconds=0) for result in results]


def test_a_trial_is_trained_and_kept(tmp_path):
    seen = []
    (result,) = measure([trial()], tmp_path, jobs=1, watch=seen.append)
    assert seen == [result] == [held(trial(), tmp_path)]
    assert result.finished
    assert result.metrics[0]["function"]["loss"] == 74  # of booth at the origin
    assert result.metrics[-1]["function"]["loss"] < 10
    assert result.curve[0] == (1, 74)
    assert result.evaluated == tuple(range(31))
    assert (result.steps, result.epoch, result.params, result.state_bytes) == (30, 0, 2, 16)
    assert 0 < result.step_seconds < result.seconds
    assert [path.name for path in tmp_path.iterdir()] == [trial().file]


def test_what_is_held_is_not_measured_again_and_what_is_damaged_is(tmp_path):
    asked = [trial(0.1), trial(0.2), trial(0.1)]
    first = measure(asked, tmp_path, jobs=2)
    assert [result.trial.lr for result in first] == [0.1, 0.2, 0.1]
    file = tmp_path / trial(0.2).file
    for text in (file.read_text()[:100], "", "{}", "[]", file.read_text().replace('"lr": 0.2', '"lr": 0.3')):
        file.write_text(text)
        assert missing(asked, tmp_path) == [trial(0.2)]
    seen = []
    again = measure(asked, tmp_path, jobs=2, watch=seen.append)
    assert [result.trial for result in seen] == [trial(0.2)]
    assert numbers(again) == numbers(first)


def test_trials_differ_by_all_that_decides_them():
    one = trial()
    others = [trial(0.2), trial(seed=1), trial(state="bfloat16"), trial(steps=31), Trial("booth", "adamw", 0.1)]
    assert len({x.file for x in [one, *others]}) == 6
    same = Trial("booth", "adam", 0.1, options=[["betas", [0.8, 0.9]], ["steps", 3]])
    assert same == Trial("booth", "adam", 0.1, options=(("steps", 3), ("betas", (0.8, 0.9))))
    assert same.file == Trial("booth", "adam", 0.1, options=(("steps", 3), ("betas", (0.8, 0.9)))).file
    assert same.chosen.hyper == {"betas": (0.8, 0.9)}


def test_equal_trials_are_one(tmp_path):
    asked = [
        trial(1),
        trial(1.0),
        trial(0.5, options=(("steps", 3), ("eps", 1))),
        trial(0.5, options=(("steps", 3), ("eps", 1.0))),
    ]
    seen = []
    found = measure(asked, tmp_path, jobs=1, watch=seen.append)
    assert [result.trial for result in found] == asked
    assert len(seen) == 2
    assert trial(1).file == trial(1.0).file


def test_failures_and_divergence_are_results(tmp_path):
    bad = [
        Trial("booth", "nosuchrule", 0.1),
        Trial("booth", "adam", 0.1, options=(("betas", (0.9,)),)),
        Trial("rosenbrock", "sgd", 1e9, options=(("steps", 9),)),
        trial(),
    ]
    unknown, betas, diverged, fine = measure(bad, tmp_path, jobs=1)
    assert unknown.status.startswith("failed: ValueError: unknown rule 'nosuchrule'")
    assert betas.status.startswith("failed: TypeError: ")
    assert diverged.status.startswith("diverged: stopped at step ")
    assert diverged.curve[-1][1] is None
    assert fine.finished
    assert missing(bad, tmp_path) == bad[:2]  # what failed is tried again, what diverged is known


TASK = """
import os, signal
import numpy as np
from adamas.tasks import Task

def loss(params, batch, rng):
    if params["x"][0] < 0.9:
        {what}
    return float(params["x"][0]), {{"x": np.ones(1)}}

task = Task("mine", "It ends badly.", lambda rng: {{"x": np.ones(1)}}, loss, lambda p, e: {{"loss": float(p["x"][0])}})
"""


def test_a_process_that_dies_is_a_failed_trial(tmp_path, monkeypatch):
    (tmp_path / "dying.py").write_text(TASK.format(what="os._exit(7)"))
    monkeypatch.chdir(tmp_path)
    asked = [Trial("dying:task", "adam", lr, options=(("steps", 5),)) for lr in (0.1, 1e-3, 0.2, 2e-3)]
    statuses = [result.status for result in measure(asked, tmp_path / "kept", jobs=2)]
    died = "failed: its process died (exit code 7)"
    assert statuses == [died, "finished", died, "finished"]


THREADS = """
from pathlib import Path
import numpy as np
import torch
from adamas.tasks import Task
from adamas.trials import Trial, measure

def loss(params, batch, rng):
    return float(torch.get_num_threads()), {"x": np.ones(1)}

task = Task("mine", "Threads.", lambda rng: {"x": np.ones(1)}, loss, lambda params, examples: {"loss": 0.0})

if __name__ == "__main__":
    torch.set_num_threads(2)
    (result,) = measure([Trial("threads:task", "adam", 0.1, options=(("steps", 1),))], Path("kept"), jobs=1)
    print(result.curve)
"""


def test_torch_has_one_thread_a_process_also_where_the_user_s_file_imports_it(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "threads.py").write_text(THREADS)
    done = subprocess.run([sys.executable, "threads.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "((1, 1.0),)", done.stderr


def test_long_curves_are_thinned_to_means():
    curve = [(i + 1, float(i)) for i in range(450)]
    thin = list(trials._thinned(curve))
    assert len(thin) == trials.POINTS
    assert thin[0] == (2, 0.5)  # of steps 1 and 2
    assert thin[-1][0] == 450
    assert list(trials._thinned([(1, 2.0), (2, None)])) == [(1, 2.0), (2, None)]
    assert list(trials._thinned([])) == []


GRID = """
from pathlib import Path
from adamas.trials import Trial, measure

if __name__ == "__main__":
    grid = [Trial("rosenbrock", "adam", 0.001 * (i + 1), options=(("steps", 1500),)) for i in range(12)]
    measure(grid, Path("kept"), jobs=2, watch=lambda result: print(result.trial.lr, flush=True))
"""


def alive(folder):
    """The processes that have this folder for their own."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_whatever_ends_a_grid_no_process_stays_and_it_goes_on_to_the_same_numbers(tmp_path, number):
    (tmp_path / "grid.py").write_text(GRID)
    process = subprocess.Popen([sys.executable, "grid.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        process.stdout.readline()
    assert len(alive(tmp_path)) >= 3
    process.send_signal(number)
    process.wait()
    process.stdout.close()
    until = time.monotonic() + 20
    while alive(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    assert alive(tmp_path) == []

    grid = [Trial("rosenbrock", "adam", 0.001 * (i + 1), options=(("steps", 1500),)) for i in range(12)]
    kept = [path for path in (tmp_path / "kept").iterdir() if not path.name.startswith(".")]
    assert 3 <= len(kept) < 12
    assert all(json.loads(path.read_text())["status"] == "finished" for path in kept)
    if number is signal.SIGKILL:
        again = []
        on = measure(grid, tmp_path / "kept", watch=again.append)
        assert len(again) == 12 - len(kept)
        assert numbers(on) == numbers(map(trials.train, grid))


def test_jobs_are_checked(tmp_path):
    with pytest.raises(ValueError, match="jobs=0: expected at least 1"):
        measure([], tmp_path, jobs=0)
    assert measure([], tmp_path) == []
