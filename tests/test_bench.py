"""``adamas bench``: what it times, declares and prints. No test depends on how long anything takes."""

import csv

import pytest
from typer.testing import CliRunner

import adamas
from adamas import bench, doctor, rules
from adamas.cli import app
from adamas.state import choose


def adamas_cli(*words, columns=120):
    return CliRunner().invoke(app, ["bench", *words], env={"COLUMNS": str(columns)})


def by_rule(output):
    return [line.split() for line in output.splitlines() if line.split()]


def test_a_table_of_rules_and_codecs():
    result = adamas_cli("adam", "yogi", "--states", "float32,mean", "--size", "5000", "--rounds", "2")
    assert result.exit_code == 0, result.output
    rows = by_rule(result.output)
    assert rows[0] == ["float32", "mean"]
    adam, yogi = rows[2:4]
    assert (adam[0], len(adam)) == ("adam", 7)
    assert all(float(x) > 0 for x in adam[1:])
    assert (yogi[0], len(yogi), yogi[-1]) == ("yogi", 5, "—")  # a mean can hold no slot of Yogi
    assert "70 × 71 float32 parameters" in result.output


def test_a_narrow_terminal_has_a_table_for_some_codecs_each():
    states = "float32,bfloat16,int8,int4,factored,mean"
    result = adamas_cli("adam", "--states", states, "--size", "100", "--rounds", "1", columns=80)
    rows = by_rule(result.output)
    assert [row for row in rows if set(row) < set(states.split(","))] == [
        ["float32", "bfloat16", "int8", "int4"],
        ["factored", "mean"],
    ]
    assert sum(row[0] == "adam" for row in rows) == 2


def test_csv_has_a_line_a_timing():
    result = adamas_cli("lamb", "--states", "float32,int4", "--size", "4900", "--rounds", "1", "--csv")
    lines = list(csv.DictReader(result.stdout.splitlines()))
    declared = [(x["rule"], x["state"], x["bytes"]) for x in lines]
    assert declared[:2] == [("lamb", "float32", "44"), ("lamb", "int4", "23")]
    assert all(x["parameters"] == "4900" for x in lines)
    for x in lines:
        assert float(x["GB/s"]) * float(x["ms"]) == pytest.approx(float(x["bytes"]) * 4900 / 1e6, rel=1e-3)


def test_torch_stands_beside_and_keeps_its_threads():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    timing = bench.torch_fused((10, 10), rounds=1)
    assert timing.rule == bench.FUSED
    assert timing.seconds > 0
    assert torch.get_num_threads() == before


def test_threads_are_those_asked_for_and_then_as_before():
    before = adamas.get_num_threads()
    result = adamas_cli("adam", "--states", "float32", "--size", "100", "--rounds", "1", "--threads", "3")
    assert ", 3 threads," in result.output
    assert adamas.get_num_threads() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["adamq"], "did you mean 'adam'?"),
        (["--states", "int9"], "unknown codec 'int9'"),
        (["--size", "0"], "size=0: expected a number of parameters of at least 1"),
        (["--size", "nan"], "size=nan"),
        (["yogi", "--states", "mean"], "mean can hold no slot of yogi"),
        (["adam", "--size", "1e17"], "Unable to allocate"),
    ],
)
def test_what_cannot_be_timed_is_said(words, message):
    result = adamas_cli(*words)
    assert result.exit_code == 2
    assert message in result.output


def test_bytes_moved_follow_the_codec():
    def moved(rule, state):
        return doctor.bytes_moved(rules.get(rule), choose(rules.get(rule), state, "params", (4096, 4096)))

    assert moved("adamw", "float32") == 28  # reads p, g, m, v and writes p, m, v
    assert moved("adamw", "bfloat16") == 20
    assert moved("adamw", "int8") == 16
    assert moved("adamw", "int4") == 14
    assert moved("schedule_free", "int8") == 22  # z stays as it is
