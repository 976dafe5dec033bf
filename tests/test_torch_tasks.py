"""Tasks whose layers are PyTorch's: their gradients and numbers are PyTorch's, and they leave no trace in it."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from test_cli import adamas_cli
from test_resume import interrupt_at, same, whole
from test_tasks import start

from adamas import run_folder, runner, tasks

NAMES = [name for name, module in tasks.REGISTRY.items() if ".torch_" in module]


def module_of(name):
    return importlib.import_module(tasks.REGISTRY[name])


def first(data, examples):
    return tuple(a[:examples] for a in data["train"])


def test_there_are_four():
    assert set(NAMES) == {"digits-cnn", "digits-cnn-plain", "digits-vae", "char-transformer"}


def test_without_dropout_a_step_is_an_evaluation():
    task, params, data = start("digits-cnn-plain")
    batch, noisy = first(data, 64), tasks.get("digits-cnn")
    value, _ = task.loss(params, batch, np.random.default_rng(0))
    assert value == pytest.approx(noisy.evaluate(params, batch)["loss"], rel=1e-6)
    assert value != pytest.approx(noisy.loss(params, batch, np.random.default_rng(0))[0], rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_loss_and_gradients_are_those_of_the_layers_in_a_loop_of_pytorch_s(name):
    task, params, data = start(name)
    batch = first(data, 16)
    value, grads = task.loss(params, batch, np.random.default_rng(3))
    layers = module_of(name).network()
    layers.load_state_dict({key: torch.from_numpy(p) for key, p in params.items()})
    torch.manual_seed(int(np.random.default_rng(3).integers(2**63)))
    expected = module_of(name).measure(layers, *map(torch.from_numpy, batch))["loss"]
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-5)
    assert grads.keys() == params.keys()
    for key, p in layers.named_parameters():
        assert grads[key].shape == params[key].shape
        np.testing.assert_allclose(grads[key], p.grad.numpy(), rtol=1e-3, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_the_slopes_of_the_loss(name):
    task, params, data = start(name)
    batch = tuple(a.astype(np.float64) if a.dtype == np.float32 else a for a in first(data, 4))
    params = {key: p.astype(np.float64) for key, p in params.items()}
    directions = np.random.default_rng(1)

    def loss(moved):
        return task.loss(moved, batch, np.random.default_rng(2))[0]  # the same noise each time

    _, grads = task.loss(params, batch, np.random.default_rng(2))
    for _ in range(5):
        d = {key: directions.standard_normal(p.shape) for key, p in params.items()}
        ahead, behind = ({key: p + step * d[key] for key, p in params.items()} for step in (1e-6, -1e-6))
        slope = (loss(ahead) - loss(behind)) / 2e-6
        assert slope == pytest.approx(sum(np.sum(grads[key] * d[key]) for key in d), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_reads_parameters_and_writes_none(name):
    task, params, data = start(name)
    before = {key: p.tobytes() for key, p in params.items()}
    task.loss(params, first(data, 16), np.random.default_rng(0))
    task.evaluate(params, first(data, 16))
    assert {key: p.tobytes() for key, p in params.items()} == before
    for p in params.values():
        assert p.dtype == np.float32
        assert p.flags.c_contiguous
        assert p.flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_pytorch_s_own_state_is_left_alone(name):
    threads, numbers = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(threads + 1)
    try:
        task, params, data = start(name)
        task.loss(params, first(data, 16), np.random.default_rng(0))
        task.evaluate(params, first(data, 16))
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(torch.get_rng_state(), numbers, rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_neither_pytorch_s_numbers_nor_its_threads_decide_anything(name):
    found = []
    for seed, threads in ((0, 1), (1, 2)):
        before = torch.get_num_threads()
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        try:
            task, params, data = start(name)
            value, grads = task.loss(params, first(data, 32), np.random.default_rng(7))
            found.append(
                (value, {key: g.tobytes() for key, g in grads.items()}, task.evaluate(params, first(data, 32)))
            )
        finally:
            torch.set_num_threads(before)
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["digits-cnn", "digits-vae"])
def test_a_step_s_noise_is_new_and_an_evaluation_s_is_not(name):
    task, params, data = start(name)
    batch, rng = first(data, 64), np.random.default_rng(0)
    assert task.loss(params, batch, rng)[0] != task.loss(params, batch, rng)[0]
    assert task.evaluate(params, batch) == task.evaluate(params, batch)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_start_apart(name):
    (_, one, _), (_, other, _) = start(name), start(name, seed=1)
    assert any(not np.array_equal(p, other[key]) for key, p in one.items())


def test_evaluation_in_parts_is_the_mean_over_all():
    task, params, data = start("digits-cnn")
    pixels, digits = data["validation"]  # two parts
    module = module_of("digits-cnn")
    layers = module.network().eval()
    layers.load_state_dict({key: torch.from_numpy(p) for key, p in params.items()})
    with torch.no_grad():
        logits = module.logits(layers, torch.from_numpy(pixels))
    found = task.evaluate(params, (pixels, digits))
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(digits))
    assert found["loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert found["accuracy"] == pytest.approx((logits.argmax(dim=1).numpy() == digits).mean())


@pytest.mark.parametrize(("name", "epochs", "share"), [("digits-cnn", 4, 0.5), ("digits-vae", 4, 0.8)])
def test_a_short_run_descends(name, epochs, share):
    made, losses = runner.Job(runner.choose(name, epochs=epochs)), []
    status = made._train(lambda line: line["kind"] == "epoch" and losses.append(line["metrics"]["validation"]["loss"]))
    assert status == "finished"
    assert losses[-1] < share * losses[0]


def test_the_transformer_learns_a_batch_by_heart():
    task, params, data = start("char-transformer")
    batch, rng = first(data, 4), np.random.default_rng(0)
    optimizer = runner.optimizer_class("adamw")(params, lr=task.lr)
    begin = task.evaluate(params, batch)["loss"]
    for _ in range(20):
        optimizer.step(task.loss(params, batch, rng)[1])
    assert begin == pytest.approx(np.log(128), abs=0.5)
    assert task.evaluate(params, batch)["loss"] < 0.6 * begin


def test_the_transformer_does_not_look_ahead():
    module = module_of("char-transformer")
    layers = module.network()
    codes = torch.from_numpy(module.data()["train"][0][:2]).long()[:, :-1]
    changed = codes.clone()
    changed[:, 40:] = 0
    with torch.no_grad():
        one, other = module.logits(layers, codes), module.logits(layers, changed)
    torch.testing.assert_close(one[:, :40], other[:, :40])
    assert not torch.allclose(one[:, 40:], other[:, 40:])


def test_windows_are_the_text_and_no_paragraph_is_in_both_splits():
    module = module_of("char-transformer")
    found = module.paragraphs()
    assert len(set(found)) == len(found) > 1000
    for split, share in (("train", 0.9), ("validation", 0.1)):
        (windows,) = module.data()[split]
        assert windows.size > share * 0.7 * sum(map(len, found))
        assert windows.max() < module.CHARACTERS
        np.testing.assert_array_equal(windows[:-1, -1], windows[1:, 0])
    text = bytes(module.data()["validation"][0][:, :-1]).decode()
    assert text.startswith("\n\n".join(found[:: module.SHARE])[:50].replace("—", "?"))


def test_the_autoencoder_s_divergence_is_that_of_two_normal_distributions():
    module, rng = module_of("digits-vae"), torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn((2, 5, 3), generator=rng)
    layers = {
        "encoder": lambda pixels: torch.cat([mean, log_variance], dim=1),
        "decoder": lambda sample: torch.zeros(5, module.PIXELS),
    }
    found = module.measure(layers, torch.zeros(5, module.PIXELS))
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(dim=1).mean()
    torch.testing.assert_close(found["divergence"], expected)
    assert found["reconstruction"].item() == pytest.approx(module.PIXELS * np.log(2))  # at even odds
    torch.testing.assert_close(found["loss"], found["reconstruction"] + found["divergence"])


def test_after_ctrl_c_a_run_goes_on_to_the_bit(tmp_path):
    name = "digits-cnn"
    expected = whole(tmp_path, name, "--epochs", 2)
    out = tmp_path / "broken"
    with run_folder.appearing(out) as folder:
        outcome = runner.Job(runner.choose(name, epochs=2)).run(folder, interrupt_at(31))
    assert outcome.status == "interrupted after step 31 of 44"
    torch.rand(100)  # of no consequence
    result = adamas_cli("run", "--resume", out)
    assert result.exit_code == 0, result.output
    same(expected, out)


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, *rest):
        if name == "torch":
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Missing())
from adamas.cli import app
app(sys.argv[1:])
"""


def without_torch(*words):
    return subprocess.run([sys.executable, "-c", WITHOUT, *words], capture_output=True, text=True)


def test_they_are_listed_without_pytorch_and_say_how_to_get_it():
    done = without_torch("tasks")
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        assert name in done.stdout
    done = without_torch("run", NAMES[0])
    assert done.returncode != 0
    assert done.stderr == "adamas: torch is missing; pip install 'adamas[torch]' brings what this task needs\n"


def test_a_run_writes_down_pytorch_s_version():
    for name in NAMES:
        assert tasks.get(name).facts()["PyTorch"] == torch.__version__
