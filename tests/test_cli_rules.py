"""``adamas rules``: the list that reads in two widths, and one rule explained."""

import pytest
from typer.testing import CliRunner

from adamas import memory, rules
from adamas.cli import app
from adamas.codecs import CODECS


def adamas_cli(*words, columns=120):
    return CliRunner().invoke(app, words, env={"COLUMNS": str(columns)})


def by_rule(output):
    return {line.split()[0]: line.split() for line in output.splitlines() if line.strip()}


def test_the_list_has_a_row_a_rule():
    result = adamas_cli("rules")
    assert result.exit_code == 0
    rows = by_rule(result.output)
    headings = rows["rule"]
    assert headings[-len(CODECS) :] == list(CODECS)
    for name, rule in rules.REGISTRY.items():
        assert rows[name][1] == rule.title
    assert " ".join(rows["adamw"][2:]) == "arXiv:1711.05101 m, v 1 28 8.00 4.00 2.02 (1.02) (4.00) (4.00)"
    assert rows["amsgrad"][6:8] == ["1", "36"]
    assert rows["lamb"][5:7] == ["2", "44"]  # reads p, g, m, v once more for the norms
    assert all(len(line) <= 120 for line in result.output.splitlines())


def test_every_rule_names_a_source_but_one_that_has_no_paper():
    rows = by_rule(adamas_cli("rules").output)
    assert rows["nadam"][2:4] == ["Dozat,", "2016"]
    assert [name for name in rules.REGISTRY if rows[name][2] == "m,"] == ["lazy_adam"]


def test_a_narrow_terminal_has_two_tables():
    output = adamas_cli("rules", columns=80).output
    facts, kept = output.split("state=", 1)
    assert by_rule(facts)["lamb"][-2:] == ["2", "44"]
    kept = by_rule(kept)
    for name, rule in rules.REGISTRY.items():
        assert len(kept[name]) == 1 + len(CODECS)
        held = memory.by_codec(rule)
        assert [size == "—" for size in kept[name][1:]] == [found is None for found in held.values()]
    tables = output.split("Bytes a parameter")[0]
    assert all(len(line) <= 80 for line in tables.splitlines())


def test_brackets_are_cautions_but_not_of_what_a_rule_is_made_with():
    kept = by_rule(adamas_cli("rules", columns=80).output.split("state=", 1)[1])
    places = {name: 1 + place for place, name in enumerate(CODECS)}
    assert kept["adamw"][places["factored"]].startswith("(")
    assert not kept["adafactor"][places["factored"]].startswith("(")
    assert kept["adafactor"][places["mean"]].startswith("(")
    assert not kept["adam_mini"][places["mean"]].startswith("(")


@pytest.mark.parametrize("words", ["Not recommended: int4 for", "docs/low-bit.md", "adafactor's v factored"])
def test_the_list_says_what_its_signs_mean(words):
    assert words in adamas_cli("rules").output


def test_one_rule_is_explained():
    output = adamas_cli("rules", "adamw").output
    assert "arXiv:1711.05101" in output
    assert "weight_decay = 0.01, in [0, inf)" in output
    result = adamas_cli("rules", "amsgrat")
    assert result.exit_code == 2
    assert "did you mean 'amsgrad'?" in result.output
