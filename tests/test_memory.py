"""``adamas memory`` tells what training takes, and the optimizers then take just that."""

import json
import struct
import sys
import textwrap
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from typer.testing import CliRunner

import adamas
from adamas import memory, rules
from adamas.cli import app
from adamas.memory import Tensor, account, of_model, of_size, read_state

N = 7_000_000_000


def adamas_cli(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def facts(*words):
    result = adamas_cli("memory", *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def refused(*words):
    result = adamas_cli("memory", *words)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    return " ".join(result.output.split())


# ------------------------------------------------------------------------------------ by size


def test_seven_billion_parameters_with_the_usual_recipes_beside():
    found = facts("--params", "7e9")
    assert found["parameters"] == N
    assert found["bytes"] == {"parameters": 4 * N, "gradients": 4 * N, "m": 4 * N, "v": 4 * N}
    assert found["bytes_per_parameter"] == 16
    assert [size / N for size in found["usual"].values()] == [16, 16, 8]
    assert f"{4 * N:,}" in adamas_cli("memory", "--params", "7e9").output


def test_low_bit_state_and_16_bit_weights_take_five_bytes():
    found = facts("--params", "7e9", "--state", "int4", "--weights", "stochastic")
    assert found["dtypes"] == ["bfloat16"]
    assert list(found["bytes"]) == ["parameters", "gradients", "m", "m.scale", "v", "v.low", "v.step"]
    assert found["bytes"]["m"] == found["bytes"]["v"] == N / 2
    assert found["bytes"]["m.scale"] == N * 4 / 512
    assert found["total"] == sum(found["bytes"].values()) < 5.13 * N
    assert "m (int4)" in adamas_cli("memory", "--params", "7e9", "--state", "int4").output


@pytest.mark.parametrize(
    ("options", "beside"),
    [
        (["--weights", "kahan"], {"kahan": 2}),
        (["--weights", "master", "--ema"], {"master": 4, "ema": 4}),
        (["--dtype", "float32", "--ema"], {"ema": 4}),
    ],
)
def test_what_stands_beside_the_weights(options, beside):
    found = facts("--params", 512 * 10**6, *options)
    assert list(found["bytes"]) == ["parameters", "gradients", "m", "v", *beside]
    assert {name: found["bytes"][name] / found["parameters"] for name in beside} == beside


@pytest.mark.parametrize("rule", rules.REGISTRY)
@pytest.mark.parametrize("state", [None, "int8", "int4", "bfloat16"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_an_optimizer_takes_just_that(rule, state, dtype):
    shapes = {"w": (70, 130), "deep": (3, 5, 600), "bias": (70,), "nothing": (0, 4), "scalar": (), "long": (5000,)}
    params = {
        name: np.zeros(shape, ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype) for name, shape in shapes.items()
    }
    weights = "kahan" if dtype == "bfloat16" else None
    ema = None if rules.get(rule).view else 0.9  # a rule with a view has an average of its own
    made = adamas.optimizer.optimizer_class(rule)(params, state=state, weights=weights, ema=ema).memory()
    tensors = [Tensor(name, shape, dtype) for name, shape in shapes.items()]
    found = account(tensors, rules.get(rule), state, weights, ema=ema is not None)
    beside = found.parts["parameters"] + found.parts["gradients"]
    assert found.parts["parameters"] == made["parameters"]
    assert found.total - beside == made["state"]


@pytest.mark.parametrize("state", ["bfloat16", "int8", "int4"])
def test_a_step_makes_no_copy_of_its_state(state):
    p = np.zeros((1024, 1024), ml_dtypes.bfloat16)
    g = np.ones_like(p)
    optimizer = adamas.AdamW(p, state=state, weights="stochastic")
    optimizer.step(g)
    tracemalloc.start()  # NumPy tells it of every array
    try:
        optimizer.step(g)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.1 * p.size


def test_small_tensors_stay_float32_and_are_counted():
    tensors = [Tensor("w", (64, 64), "float32"), Tensor("b", (64,), "float32"), Tensor("c", (4095,), "float32")]
    found = account(tensors, rules.get("adamw"), "int8")
    assert found.plain == (2, 64 + 4095)
    assert found.apart == 0
    assert "2 of 3 tensors, 50.38% of the parameters, keep state in float32" in found.notes()[0]
    found = account(tensors, rules.get("adamw"), {"m": "int8", "v": "factored"})
    assert found.apart == 2
    assert found.parts["v"] == 4 * (64 + 4095)  # no rows and columns
    assert found.parts["v.column"] == 4 * 64


def test_what_is_not_trained_takes_itself_alone():
    tensors = [Tensor("w", (512, 16), "float32"), Tensor("frozen", (512, 16), "float32", trained=False)]
    found = account(tensors, rules.get("adamw"), "int8")
    assert found.parts["parameters"] == 2 * found.parts["gradients"] == 2 * 4 * 512 * 16
    assert found.parts["m"] == 512 * 16
    assert found.usual["torch AdamW, float32: 4+4+8"] == (16 + 4) * 512 * 16


# --------------------------------------------------------------------------------- by a model


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a module of models in it."""
    pytest.importorskip("torch")
    source = """
    import numpy as np
    import torch

    class Network(torch.nn.Module):
        def __init__(self, width=100_000):  # 40 GB, were it built
            super().__init__()
            self.wide = torch.nn.Linear(width, width, bias=False)
            self.tied = self.wide
            self.norm = torch.nn.BatchNorm1d(64)
            self.norm.bias.requires_grad_(False)

    def half():
        return torch.nn.Linear(100, 100).to(torch.bfloat16)

    def broken(width):
        return None

    small = torch.nn.Linear(10, 10)
    arrays = {"layers": [np.zeros((100, 100), np.float32), np.zeros(100, np.int64)]}
    wrong = {"w": "words"}
    unbuilt = torch.nn.LazyLinear(4)
    """
    name = f"models_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def test_a_model_is_counted_without_being_built(here):
    found = facts(f"{here}:Network", "--state", "int8")
    assert found["tensors"] == 3  # tied weights once
    assert found["parameters"] == 10**10 + 128
    assert found["bytes"]["gradients"] == 4 * (10**10 + 64)
    assert found["float32"]["tensors"] == 1


def test_models_of_other_kinds(here):
    assert facts(f"{here}:half", "--weights", "kahan")["dtypes"] == ["bfloat16"]
    assert facts(f"{here}:small", "--dtype", "bfloat16")["bytes"]["parameters"] == 2 * 110
    found = facts(f"{here}:arrays")
    assert (found["parameters"], found["left_out"]) == (10_000, {"int64": 1})
    assert "Not counted: 1 tensors of int64" in adamas_cli("memory", f"{here}:arrays").output


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("Netwrk", "has no 'Netwrk'; did you mean 'Network'?"),
        ("broken", "calling it without arguments raised TypeError"),
        ("wrong", "w is a str without shape or dtype"),
        ("unbuilt", "without shape or dtype"),
    ],
)
def test_a_model_that_tells_nothing_is_refused(here, attribute, message):
    assert message in refused(f"{here}:{attribute}")


def test_a_task_is_a_model():
    found = facts("logreg-digits", "--rule", "adam")
    assert found["parameters"] == 65 * 10
    assert found["bytes_per_parameter"] == 8 * (3 if "float64" in found["dtypes"] else 2)


# ------------------------------------------------------------------------- by a .safetensors file


def write(path, header, data=0, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + bytes(data))
    return path


def entry(dtype="F32", shape=(2, 3), begin=0, end=24):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def test_a_file_s_header_is_enough(tmp_path):
    header = {
        "__metadata__": {"format": "pt"},
        "w": entry("BF16", (64, 64), 0, 8192),
        "ids": entry("I64", (2,), 8192, 8208),
    }
    path = write(tmp_path / "model.safetensors", header, 8208)
    found = facts(path, "--state", "int8")
    assert found["dtypes"] == ["bfloat16"]
    assert found["bytes"]["m"] == found["parameters"] == 4096
    assert found["left_out"] == {"I64": 1}


def test_the_library_s_own_files_are_read(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    save_file({"w": np.zeros((8, 16), np.float16), "b": np.zeros(3)}, tmp_path / "model.safetensors")
    found = {t.name: (t.shape, t.dtype) for t in of_model(str(tmp_path / "model.safetensors"))}
    assert found == {"w": ((8, 16), "float16"), "b": ((3,), "float64")}


@pytest.mark.parametrize(
    ("header", "length", "message"),
    [
        (b"", None, "damaged: its header has 0 bytes"),
        (b"{}", 2**63, "damaged: its header has 9,223,372,036,854,775,808 bytes, the file 10"),
        (b"{}", 3, "damaged"),
        (b"{} x", None, "its header is no JSON"),
        (b"\xff\xff", None, "its header is no JSON"),
        (b"[" * 100_000, None, "its header is no JSON"),
        (b"[1]", None, "its header is a list"),
        ({}, None, "there are no parameters"),
        ({"w": 3}, None, "its header says '3' of 'w'"),
        ({"w": {"dtype": "F32"}}, None, "of 'w'"),
        ({"w": entry(shape=(2, -3))}, None, "of 'w'"),
        ({"w": entry(shape=(2, True, 3))}, None, "of 'w'"),
        ({"w": entry(shape=(2, 3.0))}, None, "of 'w'"),
        ({"w": entry(shape=(2, 4))}, None, "of 'w'"),
        ({"w": entry(end=25)}, None, "of 'w'"),
        ({"w": entry(begin=8, end=32)}, None, "of 'w'"),
        ({"w": entry(begin="0")}, None, "of 'w'"),
        ({"w": entry("F8_E4M3", end=6)}, None, "no parameters, only tensors of F8_E4M3"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, header, length, message):
    assert message in refused(
        write(tmp_path / "model.safetensors", header, 24 if isinstance(header, dict) else 0, length)
    )


def test_a_short_or_missing_file_is_refused(tmp_path):
    (tmp_path / "short.safetensors").write_bytes(b"abc")
    assert "damaged" in refused(tmp_path / "short.safetensors")
    assert "No such file" in refused(tmp_path / "none.safetensors")


# ------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which model?"),
        (["booth", "--params", "7e9"], "which model?"),
        (["bootj"], "unknown task 'bootj'; did you mean 'booth'?"),
        (["model.pt"], "a file FILE.safetensors"),
        (["nowhere:Model"], "there is no module 'nowhere'"),
        (["a b:c"], "expected module:attribute"),
        (["--params", "0"], "params=0: expected a whole number"),
        (["--params", "1.5"], "params=1.5: expected a whole number"),
        (["--params", "nan"], "params=nan: expected a whole number"),
        (["--params", "inf"], "params=inf: expected a whole number"),
        (["--params", "7e9", "--rule", "amsgrat"], "unknown rule 'amsgrat'; did you mean 'amsgrad'?"),
        (["--params", "7e9", "--state", "int3"], "unknown codec 'int3'; did you mean 'int"),
        (["--params", "7e9", "--state", "m=int8,u=int8"], "adamw has no slot 'u'"),
        (["--params", "7e9", "--state", "m=int8,v"], "'v' names no codec"),
        (["--params", "7e9", "--state", "m=int8,m=int4"], "'m' is given twice"),
        (["--params", "7e9", "--state", "m=factored"], "slot m of adamw is no mean of squares"),
        (["--params", "7e9", "--weights", "stocastic"], "unknown weights 'stocastic'; did you mean 'stochastic'?"),
        (["--params", "7e9", "--weights", "kahan", "--dtype", "float32"], "take bfloat16"),
        (["--params", "7e9", "--dtype", "flot32"], "unknown dtype 'flot32'; did you mean 'float32'?"),
    ],
)
def test_mistakes_are_refused_with_a_remedy(words, message):
    assert message in refused(*words)


def test_state_in_words():
    assert read_state(None) is None
    assert read_state("int4") == "int4"
    assert read_state("m = int8, v=factored") == {"m": "int8", "v": "factored"}


# -------------------------------------------------------------------------------- adamas rules


def test_rules_tell_bytes_under_each_codec():
    found = memory.by_codec(rules.get("amsgrad"))
    assert found["float32"] == (["m", "v", "w"], 12)
    assert found["int8"] == (["m", "v"], 6 + 3 * 4 / 512)  # a maximum stays float32
    assert memory.by_codec(rules.get("adamax"))["mean"] is None
    output = adamas_cli("rules", "amsgrad").output
    assert any(line.split() == ["int8", "6.02", "m,", "v"] for line in output.splitlines())


def test_sizes_need_no_memory():
    assert account(of_size(1e15), rules.get("adamw"), "int4").parameters == 10**15
