"""The command line, and the runs that it makes."""

import ast
import dataclasses
import json
import os
import signal
import subprocess
import sys

import cases
import numpy as np
import pytest
from threadpoolctl import threadpool_limits
from typer.testing import CliRunner

import adamas
from adamas import doctor, rules, run_folder, runner, tasks
from adamas.backends.reference import Reference
from adamas.cli import app

COMMAND = [sys.executable, "-m", "adamas.cli"]


@pytest.fixture(autouse=True, scope="module")
def one_thread_for_products():
    """As in every run; several of them on busy cores take thirty times as long."""
    with threadpool_limits(1, "blas"):
        yield


def adamas_cli(*words, **kwargs):
    return CliRunner().invoke(app, [str(w) for w in words], **kwargs)


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def job(**options):
    return runner.Job(runner.choose("digits-mlp", **options))


# ------------------------------------------------------------------------------------------- run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run with the task's own choices."""
    out = tmp_path_factory.mktemp("runs") / "new" / "run"
    return out, adamas_cli("run", "digits-mlp", "--out", out)


def test_run_reads_digits_and_says_where_the_report_is(finished):
    out, result = finished
    assert result.exit_code == 0, result.output
    assert f"Report: {out / 'report.html'}" in result.output
    last = [line for line in metrics(out) if line["kind"] == "epoch"][-1]
    accuracy = last["metrics"]["validation"]["accuracy"]
    assert accuracy >= 0.97
    assert f"digits-mlp with adam: validation loss {last['metrics']['validation']['loss']:.4g}" in result.output
    assert f"accuracy {100 * accuracy:.2f}%" in result.output


def test_run_leaves_everything_and_nothing_else(finished):
    out, _ = finished
    plots = {f"{name}.png" for name in ("loss", "accuracy", "update-ratio", "signal-to-noise", "learning-rate")}
    shares = {"eps-share.png", "lost-share.png"}  # where they are not 0
    found = {p.name for p in out.iterdir()}
    assert found - shares == {"report.html", "metrics.jsonl", "config.json", "checkpoint.npz"} | plots
    assert [p.name for p in out.parent.iterdir()] == ["run"]


def test_metrics_are_sane(finished):
    lines = metrics(finished[0])
    steps, epochs = ([line for line in lines if line["kind"] == kind] for kind in ("step", "epoch"))
    assert lines[-1]["kind"] == "end"
    assert lines[-1]["status"] == "finished"
    assert 0 < lines[-1]["seconds"] < 60
    assert [line["epoch"] for line in epochs] == list(range(41))
    assert epochs[-1]["metrics"]["train"]["loss"] < 0.1 * epochs[0]["metrics"]["train"]["loss"]
    assert steps[0]["step"] == 1
    assert lines[-1]["step"] == 40 * 22
    assert [line["step"] for line in steps] == sorted({line["step"] for line in steps})
    assert steps[0]["lr"] == pytest.approx(2e-3, rel=1e-3)
    assert steps[-1]["lr"] < 1e-4
    looks = [(line["step"], line["diagnostics"]) for line in steps if "diagnostics" in line]
    assert [step for step, _ in looks] == list(range(1, 881, 100))
    assert looks[0][1]["tensors"]["b1"]["update_ratio"] is None  # from zero, no ratio is a number
    assert all(0 < t["update_ratio"] < 10 for _, look in looks[1:] for t in look["tensors"].values())
    assert all(t["signal_to_noise"] == pytest.approx(1) for t in looks[0][1]["tensors"].values())
    assert all(0 < t["signal_to_noise"] < 0.5 for _, look in looks[1:] for t in look["tensors"].values())


def test_config_tells_how_to_repeat_the_run(finished):
    config = json.loads((finished[0] / "config.json").read_text())
    expected = "adamas run digits-mlp --rule adam --lr 0.002 --schedule cosine --seed 0 --epochs 40 --batch-size 64"
    assert config["command"] == expected
    assert config["hyper"] == {"lr": 2e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
    assert config["tensors"]["w1"] == [64, 256]
    assert config["dtypes"]["w1"] == "float32"
    assert (config["axis"], config["splits"], config["resumed"]) == ("epoch", ["train", "validation"], [])
    assert config["versions"]["adamas"] == adamas.__version__
    assert config["versions"]["numpy"] == np.__version__
    assert {"system", "processor", "cpus", "threads"} <= set(config["machine"])


def test_a_seed_repeats_a_run_in_every_bit():
    runs = []
    for seed in (3, 3, 4):
        runs.append([])
        job(epochs=1, seed=seed)._train(runs[-1].append)
    assert runs[0] == runs[1] != runs[2]


#: Rules that have another library's learning rate, with which they learn little in 12 epochs, and one that does.
TOO_SMALL = {"sgd": 0.1}  # torch's 1e-3, without momentum


@pytest.mark.parametrize("name", cases.kinds())
def test_every_rule_learns_with_its_own_learning_rate(name):
    made = job(rule=name, epochs=12, lr=TOO_SMALL.get(name))
    assert made._train(lambda line: None) == "finished"
    assert made.latest["validation"]["accuracy"] > 0.8


def test_options_reach_the_optimizer():
    made = job(rule="adafactor", schedule="inverse-sqrt", epochs=2, batch_size=100, weight_decay=0.25)
    group = made.optimizer.param_groups[0]
    assert type(made.optimizer).__name__ == "Adafactor"
    assert group["weight_decay"] == 0.25
    assert group["lr"](4) == rules.get("adafactor").hyper["lr"].default / 2  # another rule brings its own rate
    assert made.steps == 2 * 14
    assert job(state="mean").optimizer.memory()["state_per_parameter"] < 5


@pytest.mark.parametrize("name", runner.SCHEDULES)
def test_schedules_start_at_the_peak_and_never_stop(name):
    lr = runner.SCHEDULES[name](0.5, 100)
    rates = [lr(t) for t in range(1, 101)]
    assert rates[0] == pytest.approx(0.5, rel=0.02)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 0


def test_mini_batches_are_alike_in_size_and_hold_every_example_once():
    made = job(epochs=1)
    seen = []
    loss = made.task.loss

    def watching(params, batch, rng):
        seen.append(batch[0])
        return loss(params, batch, rng)

    made.task = dataclasses.replace(made.task, loss=watching)
    made._train(lambda line: None)
    assert {len(x) for x in seen} == {61, 62}
    rows = np.concatenate(seen)
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(made.data["train"][0], axis=0))


def test_a_loss_that_is_no_number_ends_the_run_in_words(tmp_path):
    result = adamas_cli("run", "digits-mlp", "--lr", "1e30", "--epochs", 2, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "the loss became nan; try a smaller --lr" in result.output
    assert "RuntimeWarning" not in result.output
    end = metrics(tmp_path / "run")[-1]
    assert end["status"].startswith("stopped at step")
    assert end["step"] < 44
    assert (tmp_path / "run" / "report.html").exists()


def test_however_often_ctrl_c_is_pressed_the_run_is_kept(tmp_path):
    def press(line):
        if line["step"] >= 30:
            os.kill(os.getpid(), signal.SIGINT)

    with run_folder.appearing(tmp_path / "run") as folder:
        outcome = job(epochs=100).run(folder, press)
    assert outcome.status.startswith("interrupted after step 3")
    assert [line["kind"] for line in metrics(tmp_path / "run")[-3:]] == ["step", "epoch", "end"]  # a press in each
    assert {"report.html", "checkpoint.npz"} < {p.name for p in (tmp_path / "run").iterdir()}


def test_a_second_ctrl_c_does_not_wait_for_the_step(tmp_path):
    made = job(epochs=100)
    loss, calls = made.task.loss, []

    def slow(params, batch, rng):
        calls.append(None)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the step was not left")
        return loss(params, batch, rng)

    made.task = dataclasses.replace(made.task, loss=slow)
    assert made.run(tmp_path).status == "interrupted after step 4 of 2200"
    assert (tmp_path / "report.html").exists()


def test_an_interrupted_run_keeps_what_it_has(tmp_path):
    def stop(line):
        if line["step"] >= 30 and line["kind"] == "step":
            raise KeyboardInterrupt

    made = job(epochs=100)
    outcome = made.run(tmp_path, stop)
    assert outcome.status.startswith("interrupted after step 3")
    lines = metrics(tmp_path)
    assert [line["kind"] for line in lines[-2:]] == ["epoch", "end"]
    assert lines[-2]["metrics"] == outcome.metrics
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digit-mlp"], "unknown task 'digit-mlp'; did you mean 'digits-mlp'?"),
        (["digits-mlp", "--rule", "adm"], "unknown rule 'adm'; did you mean 'adam'?"),
        (["digits-mlp", "--schedule", "cosin"], "unknown schedule 'cosin'; did you mean 'cosine'?"),
        (["digits-mlp", "--state", "flot32"], "unknown codec 'flot32'; did you mean 'float32'?"),
        (["digits-mlp", "--lr", "-1"], "lr=-1.0 is outside [0, inf)"),
        (["digits-mlp", "--lr", "nan"], "lr=nan is outside [0, inf)"),
        (["digits-mlp", "--epochs", "0"], "epochs=0: expected at least 1"),
        (["digits-mlp", "--batch-size", "0"], "batch_size=0: expected at least 1"),
        (["digits-mlp", "--seed", "-1"], "seed=-1: expected 0 or more"),
        (["digits-mlp", "--weight-decay", "-1"], "weight_decay=-1 is outside [0, inf)"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    result = adamas_cli("run", *words)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / ".busy.partial").mkdir()
    for name, message in (
        ("file/run", "nothing was written"),
        ("file", "exists already"),
        ("full", "exists already and is not an empty folder"),
        ("busy", "another run is writing there"),
    ):
        result = adamas_cli("run", "digits-mlp", "--out", tmp_path / name)
        assert result.exit_code == 1
        assert message in result.output
        assert "/880" not in result.output  # no step was taken
    assert (tmp_path / "file").read_text() == (tmp_path / "full" / "mine").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.rglob("*")) == [".busy.partial", "file", "full", "mine"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    result = adamas_cli("run", "digits-mlp", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "Permission denied" in result.output


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with run_folder.appearing(empty) as folder:
        (folder / "x").write_text("")
        assert not any(empty.iterdir())
    assert [p.name for p in empty.iterdir()] == ["x"]

    def fail():
        with run_folder.appearing(tmp_path / "never") as folder:
            (folder / "x").write_text("")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_runs_of_one_second_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = runner.choose("digits-mlp")
    first = runner.default_folder(options)
    assert first.parts[0] == "runs"
    assert first.name.startswith("digits-mlp-adam-")
    first.mkdir(parents=True)
    assert runner.default_folder(options) != first


# ------------------------------------------------------------------- functions, files, one's own


def test_a_function_is_run_for_steps(tmp_path):
    result = adamas_cli("run", "booth", "--steps", 700, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "booth with adam: function loss" in result.output
    lines = metrics(tmp_path / "run")
    evaluations = [line for line in lines if line["kind"] == "epoch"]
    assert [line["step"] for line in evaluations] == list(range(0, 701, 2))
    assert {line["epoch"] for line in lines if line["kind"] != "end"} == {None}
    assert evaluations[-1]["metrics"]["function"]["loss"] < 1e-6
    assert evaluations[-1]["metrics"]["function"]["distance"] < 1e-3
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["axis"], config["splits"], config["examples"]) == ("step", ["function"], {})


def test_gradients_are_clipped_if_asked_for(tmp_path):
    out = tmp_path / "run"
    assert adamas_cli("run", "booth", "--steps", 300, "--max-grad-norm", 1.0, "--out", out).exit_code == 0
    rates = [line["diagnostics"]["clip_rate"] for line in metrics(out) if "diagnostics" in line]
    assert rates[0] == 1  # the slopes are steep where it begins
    assert 0 < rates[-1] < 1
    assert (out / "clip-rate.png").exists()
    result = adamas_cli("run", "booth", "--max-grad-norm", 0)
    assert result.exit_code == 2
    assert "max_grad_norm=0.0: expected a positive number" in result.output


def test_the_text_s_checksum_is_in_the_run(tmp_path):
    assert adamas_cli("run", "logreg-topics", "--epochs", 1, "--out", tmp_path / "run").exit_code == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["facts"] == tasks.get("logreg-topics").facts()
    assert config["facts"]["SHA-256 of the text"] in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["booth", "--epochs", "3"], "epochs=3: booth is a function, without data; give steps"),
        (["booth", "--batch-size", "3"], "batch_size=3: booth is a function"),
        (["digits-mlp", "--steps", "3"], "steps=3: digits-mlp is trained on data; give epochs"),
        (["booth", "--steps", "0"], "steps=0: expected at least 1"),
        ([], "which task?"),
        (["nowhere:task"], "there is no module 'nowhere'"),
        (["--config", "none.toml"], "none.toml"),
    ],
)
def test_what_a_task_has_no_use_for_is_refused(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    result = adamas_cli("run", *words)
    assert result.exit_code == 2
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


def test_tasks_lists_every_task():
    result = adamas_cli("tasks")
    assert result.exit_code == 0
    for name in tasks.REGISTRY:
        assert any(line.split()[:1] == [name] for line in result.output.splitlines())
    assert result.output.count("a function,") == 8
    assert "1347" in result.output
    assert all(len(line) <= 80 for line in result.output.splitlines())


def test_find_lr_proposes_and_draws(tmp_path):
    result = adamas_cli("find-lr", "booth", "--plot", tmp_path / "lr.html")
    assert result.exit_code == 0, result.output
    assert 0.1 < float(result.output.split(":")[0]) < 10
    page = (tmp_path / "lr.html").read_text(encoding="utf-8")
    assert "proposed" in page
    assert "cdn.jsdelivr.net" not in page.split("</script>")[0]
    assert adamas_cli("find-lr", "boot").exit_code == 2
    result = adamas_cli("find-lr", "booth", "--plot", tmp_path / "lr.doc")
    assert result.exit_code == 2
    assert "Unsupported format: 'doc'" in result.output


def test_options_from_a_file_give_way_to_the_command_line(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('task = "booth"\nrule = "amsgrad"\nlr = 1\nsteps = 5\nseed = 2\n')
    out = tmp_path / "run"
    assert adamas_cli("run", "--config", file, "--lr", 0.25, "--out", out).exit_code == 0
    options = json.loads((out / "config.json").read_text())["options"]
    found = {name: options[name] for name in ("task", "rule", "lr", "steps", "seed")}
    assert found == dict(task="booth", rule="amsgrad", lr=0.25, steps=5, seed=2)


def test_hyper_parameters_come_from_the_command_line_and_a_file(tmp_path):
    out = tmp_path / "run"
    words = ("--steps", 5, "--betas", "0.8,0.99", "--set", "eps=1e-6")
    assert adamas_cli("run", "booth", *words, "--out", out).exit_code == 0
    config = json.loads((out / "config.json").read_text())
    assert (config["hyper"]["betas"], config["hyper"]["eps"]) == ([0.8, 0.99], 1e-6)
    assert config["command"].endswith("--set eps=1e-06 --betas 0.8,0.99")
    assert adamas_cli("run", "--resume", out, "--steps", 7).exit_code == 0
    resumed = json.loads((out / "config.json").read_text())
    assert resumed["hyper"] == config["hyper"]

    file = tmp_path / "run.toml"
    file.write_text('task = "booth"\nrule = "ademamix"\nsteps = 5\nbetas = [0.8, 0.9, 0.99]\nalpha = 2\n')
    options = runner.choose(**runner.read(file))
    assert options.hyper == {"betas": (0.8, 0.9, 0.99), "alpha": 2}
    assert runner.Job(options).config()["hyper"]["betas"] == (0.8, 0.9, 0.99)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--betas", "0.9"], "betas: expected 2 numbers, got 0.9"),
        (["--betas", "0.9,1"], "betas[1]=1 is outside [0, 1)"),
        (["--betas", "high"], "'betas=high': expected NAME=VALUE with a number"),
        (["--set", "eps"], "'eps': expected NAME=VALUE with a number"),
        (["--set", "ep=1"], "ep=1.0: adam has no such hyper-parameter; did you mean 'eps'?"),
        (["--set", "lr=1"], "--set lr=1: lr has an option of its own, --lr"),
        (["--rule", "nesterov", "--betas", "0.9,0.99"], "nesterov has no such hyper-parameter; there are momentum"),
    ],
)
def test_hyper_parameters_that_cannot_be_are_refused(words, message):
    result = adamas_cli("run", "booth", "--rule", "adam", *words)
    assert result.exit_code == 2
    assert message in result.output


def test_the_folder_and_threads_may_stand_in_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.toml").write_text('task = "booth"\nsteps = 5\nout = "here"\nthreads = 1\n')
    try:
        result = adamas_cli("run", "--config", "run.toml")
        assert adamas.get_num_threads() == 1
    finally:
        adamas.set_num_threads(None)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "here" / "report.html").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('task = "booth"\nweight-decay = 0.1\nweight_decay = 0.2', "weight_decay is given twice, with - and with _"),
        ('task = "booth"\nthreads = 0', "threads=0: expected at least 1"),
        ("zzz = 1", "unknown option 'zzz'; there are task, rule, "),
        ('tasc = "booth"', "unknown option 'tasc'; did you mean 'task'?"),
        ('task = "booth"\nlr = "fast"', "lr = 'fast': expected float"),
        ('task = "booth"\nsteps = 2.5', "steps = 2.5: expected int"),
        ('task = "booth"\nsteps = true', "steps = True: expected int"),
        ("task =", "is no TOML"),
        ("\0", "is no TOML"),
    ],
)
def test_a_file_with_mistakes_is_refused(tmp_path, text, message):
    file = tmp_path / "run.toml"
    file.write_text(text)
    result = adamas_cli("run", "--config", file)
    assert result.exit_code == 2
    assert message in result.output


def test_metrics_that_end_before_the_checkpoint_are_damaged_and_left_as_they_are(tmp_path):
    out = tmp_path / "run"
    assert adamas_cli("run", "booth", "--steps", 20, "--out", out).exit_code == 0
    (out / "metrics.jsonl").write_bytes((out / "metrics.jsonl").read_bytes()[:100])
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    result = adamas_cli("run", "--resume", out, "--steps", 30)
    assert result.exit_code == 1
    assert "metrics.jsonl is damaged: it ends before the checkpoint does" in result.output
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_a_run_does_not_go_on_with_other_data(tmp_path, monkeypatch):
    out = tmp_path / "run"
    assert adamas_cli("run", "line-fit", "--epochs", 3, "--out", out).exit_code == 0
    task = tasks.get("line-fit")
    fewer = {"train": tuple(a[:10] for a in task.data()["train"])}
    monkeypatch.setattr(tasks, "get", lambda name: dataclasses.replace(task, data=lambda: fewer))
    result = adamas_cli("run", "--resume", out, "--epochs", 5)
    assert result.exit_code == 1
    assert "line-fit has 10 examples, and had 15 when the run was left" in result.output


# ---------------------------------------------------------------------------------- kernel, doctor


@pytest.mark.parametrize("name", rules.REGISTRY)
def test_kernel_prints_python(name):
    result = adamas_cli("kernel", name, "--dtype", "bfloat16", "--grad-dtype", "float32")
    assert result.exit_code == 0
    functions = {node.name for node in ast.parse(result.output).body if isinstance(node, ast.FunctionDef)}
    assert "pass_0" in functions
    assert f"pass_{doctor.program(rules.get(name)).passes - 1}" in functions


def test_kernel_knows_the_state():
    assert adamas_cli("kernel", "adam").output != adamas_cli("kernel", "adam", "--state", "mean").output


@pytest.mark.parametrize("option", [["--dtype", "int32"], ["--grad-dtype", "flot32"], ["--state", "int3"]])
def test_kernel_refuses_what_it_does_not_know(option):
    result = adamas_cli("kernel", "adam", *option)
    assert result.exit_code == 2
    assert "unknown" in result.output
    assert "Traceback" not in result.output


def test_doctor_finds_every_rule_well(monkeypatch):
    monkeypatch.setattr(doctor, "SIZE", 1 << 16)
    result = adamas_cli("doctor")
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line for line in result.output.splitlines()}
    for name in rules.REGISTRY:
        assert lines[name].endswith("equals the reference in every bit")
    assert "GB/s" in lines["memory"]
    assert "% of the above" in lines["AdamW"]
    assert result.output.endswith("All is well.\n")


def test_doctor_tells_a_sick_kernel(monkeypatch):
    launch = Reference.launch  # with LAMB for Adam, the kernel of one is no longer that of the other
    monkeypatch.setattr(Reference, "launch", lambda self, rule, *rest: launch(self, rules.get("lamb"), *rest))
    assert doctor.check(rules.get("adam")).startswith("differs from the reference in shape ()")
    assert doctor.check(rules.get("lamb")) == ""


def test_doctor_refuses_a_cache_that_others_can_write(tmp_path, monkeypatch):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels").chmod(0o777)
    monkeypatch.setenv("ADAMAS_CACHE_DIR", str(tmp_path))
    result = adamas_cli("doctor")
    assert result.exit_code == 1
    assert "no kernel can be compiled" in result.output
    assert "can be written by others" in result.output


# -------------------------------------------------------------------------------- real processes


def test_a_pipe_gets_the_kernel_as_plain_text():
    done = subprocess.run([*COMMAND, "kernel", "adamw"], capture_output=True, text=True, encoding="utf-8", check=True)
    assert "\x1b" not in done.stdout
    ast.parse(done.stdout)


def test_the_command_line_starts_without_what_it_does_not_need():
    heavy = ["numba", "altair", "sklearn", "scipy", "jinja2", "vl_convert", "torch", "jax"]
    code = f"import sys, adamas.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version():
    assert adamas_cli("--version").output == f"adamas {adamas.__version__}\n"
