"""A run that was left off goes on as if it never had been: after Ctrl-C, after a kill, and longer than planned."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from test_cli import adamas_cli, metrics

from adamas import run_folder, runner

RUN = [sys.executable, "-m", "adamas.cli", "run"]


def params(folder):
    _, arrays = run_folder.load(folder)
    return {name: a for name, a in arrays.items() if name.startswith(("param/", "state/"))}


def told(folder):
    """The metrics without what no run repeats."""
    return [{k: v for k, v in line.items() if k != "seconds"} for line in metrics(folder)]


def same(a, b):
    """Two runs with equal metrics, and with parameters and state that are equal in every bit."""
    assert told(a) == told(b)
    one, two = params(a), params(b)
    assert one.keys() == two.keys()
    for name, x in one.items():
        assert x.tobytes() == two[name].tobytes(), name


def whole(tmp_path, *words):
    out = tmp_path / "whole"
    result = adamas_cli("run", *words, "--out", out)
    assert result.exit_code == 0, result.output
    return out


def interrupt_at(step):
    """A Ctrl-C as the line of that step is written."""

    def watch(line):
        if line["kind"] == "step" and line["step"] == step:
            os.kill(os.getpid(), signal.SIGINT)

    return watch


@pytest.mark.parametrize("rule", ["adam", "prodigy", "adafactor"])
def test_after_ctrl_c_in_the_middle_of_an_epoch(tmp_path, rule):
    words = ("digits-mlp", "--epochs", 3, "--rule", rule)
    expected = whole(tmp_path, *words)
    out = tmp_path / "broken"
    job = runner.Job(runner.choose("digits-mlp", rule, epochs=3))
    with run_folder.appearing(out) as folder:
        outcome = job.run(folder, interrupt_at(31))
    assert outcome.status == "interrupted after step 31 of 66"
    assert (out / "report.html").exists()
    result = adamas_cli("run", "--resume", out)
    assert result.exit_code == 0, result.output
    same(expected, out)
    assert json.loads((out / "config.json").read_text())["resumed"] == [31]
    assert "resumed after step" in (out / "report.html").read_text()


def test_a_function_with_noise_goes_on_too(tmp_path):
    expected = whole(tmp_path, "noisy-quadratic", "--steps", 500, "--max-grad-norm", 10)
    out = tmp_path / "broken"
    for step in (101, 303):
        options = runner.choose("noisy-quadratic", steps=500, max_grad_norm=10.0)
        with run_folder.appearing(out) if step == 101 else run_folder.reopened(out) as folder:
            job = runner.Job(options) if step == 101 else runner.Job.resume(folder)
            if step == 303:
                job.rewind(folder)
            job.run(folder, interrupt_at(step))
    assert adamas_cli("run", "--resume", out).exit_code == 0
    same(expected, out)
    assert json.loads((out / "config.json").read_text())["resumed"] == [101, 303]


def test_after_a_kill(tmp_path):
    words = ["rosenbrock", "--steps", "30000"]
    out = tmp_path / "killed"
    child = subprocess.Popen([*RUN, *words, "--out", str(out)], stdout=subprocess.DEVNULL)
    partial = run_folder.partial(out)
    begin = time.perf_counter()
    while time.perf_counter() - begin < 60:
        if (partial / "metrics.jsonl").exists() and (partial / "metrics.jsonl").stat().st_size > 5_000:
            break
        time.sleep(0.01)
    busy = adamas_cli("run", "--resume", out)
    assert busy.exit_code == 1
    assert f"process {child.pid} is running it" in busy.output
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert partial.exists()
    assert not out.exists()
    assert "resume it with --resume" in adamas_cli("run", *words, "--out", out).output
    result = adamas_cli("run", "--resume", out)
    assert result.exit_code == 0, result.output
    assert not partial.exists()
    same(whole(tmp_path, *words), out)


def test_a_finished_run_can_be_made_longer(tmp_path):
    expected = whole(tmp_path, "logreg-digits", "--epochs", 4, "--schedule", "constant")
    out = tmp_path / "longer"
    assert adamas_cli("run", "logreg-digits", "--epochs", 2, "--schedule", "constant", "--out", out).exit_code == 0
    again = adamas_cli("run", "--resume", out)
    assert again.exit_code == 1
    assert "all 22 steps of this run were made; give more --epochs to go on" in again.output
    assert adamas_cli("run", "--resume", out, "--epochs", 4).exit_code == 0
    same(expected, out)


def test_what_fails_leaves_the_run_as_it_was(tmp_path):
    out = tmp_path / "run"
    assert adamas_cli("run", "booth", "--steps", 20, "--out", out).exit_code == 0
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    for words, message in (
        (["--steps", 30, "--lr", 1], "leave lr out"),
        (["--epochs", 30], "booth is a function, without data; give steps"),
        (["--steps", 10], "all 10 steps of this run were made"),
    ):
        result = adamas_cli("run", "--resume", out, *words)
        assert result.exit_code != 0
        assert message in result.output
        assert {p.name: p.read_bytes() for p in out.iterdir()} == before


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "pickle", "other"])
def test_a_damaged_checkpoint_is_told_and_not_run(tmp_path, damage):
    out = tmp_path / "run"
    assert adamas_cli("run", "booth", "--steps", 20, "--out", out).exit_code == 0
    file = out / "checkpoint.npz"
    content = file.read_bytes()
    if damage == "pickle":
        np.savez(file.open("wb"), json=np.array([print], dtype=object))
    elif damage == "other":
        np.savez(file.open("wb"), json=np.frombuffer(b'{"facts": {}, "arrays": {}}', np.uint8))
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
        file.write_bytes({"cut": content[:middle], "flip": flipped, "empty": b""}[damage])
    result = adamas_cli("run", "--resume", out, "--steps", 30)
    assert result.exit_code == 1
    assert "is damaged" in result.output
    assert "Traceback" not in result.output
    assert (out / "report.html").exists()


def test_a_killed_run_that_cannot_go_on_stays_as_it_was(tmp_path):
    out = tmp_path / "run"
    assert adamas_cli("run", "booth", "--steps", 20, "--out", out).exit_code == 0
    partial = run_folder.partial(out)
    out.rename(partial)  # as a kill leaves it
    out.mkdir()  # given for the results, and still empty
    (partial / "checkpoint.npz").write_bytes(b"")
    result = adamas_cli("run", "--resume", out, "--steps", 30)
    assert result.exit_code == 1
    assert "is damaged" in result.output
    assert partial.exists()
    assert list(out.iterdir()) == []


def test_a_killed_run_in_an_empty_folder_goes_on(tmp_path):
    out = tmp_path / "run"
    assert adamas_cli("run", "booth", "--steps", 20, "--out", out).exit_code == 0
    out.rename(run_folder.partial(out))
    out.mkdir()
    assert adamas_cli("run", "--resume", out, "--steps", 30).exit_code == 0
    assert metrics(out)[-1]["step"] == 30
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_there_must_be_a_run(tmp_path):
    result = adamas_cli("run", "--resume", tmp_path / "none")
    assert result.exit_code == 1
    assert "there is no run to resume" in result.output
    result = adamas_cli("run", "--resume", tmp_path)
    assert result.exit_code == 1
    assert "holds no checkpoint.npz" in result.output
