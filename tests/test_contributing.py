"""CONTRIBUTING's walk through adding a rule, taken at its word: one new file, one line, and the rule is everywhere."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cases
import pytest

ROOT = Path(__file__).parents[1]

STEPS = """
import numpy as np
import adamas
x = np.ones(4, np.float32)
adamas.Signum(x, lr=0.5, weight_decay=0.5).step(np.array([3, -3, 0, 1e-30], np.float32))
assert x.tolist() == [0.25, 1.25, 0.75, 0.25], x
assert "sign of the averaged gradient" in adamas.Signum.__doc__
assert "Signum" in dir(adamas)
"""
CASES = "import cases; assert 'signum' in cases.rule_names() and any(c[0] == 'signum' for c in cases.cases())"


def blocks() -> dict[str, str]:
    """Python blocks of CONTRIBUTING.md that begin with the path of a file: path → the rest."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.findall(r"^```python\n# (src/\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources in which the walk has been followed."""
    root = tmp_path_factory.mktemp("contributing")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", root / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    registry = "src/adamas/rules/__init__.py"
    walk = blocks()
    line = walk.pop(registry)
    ((path, rule),) = walk.items()
    assert len(line.splitlines()) == 1
    assert not (root / path).exists()
    (root / path).write_text(rule, encoding="utf-8")
    lines = (root / registry).read_text(encoding="utf-8").splitlines(keepends=True)
    last = max(i for i, text in enumerate(lines) if re.fullmatch(r' +"\w+",\n', text))
    indent = lines[last][: -len(lines[last].lstrip())]
    lines.insert(last + 1, indent + line)
    (root / registry).write_text("".join(lines), encoding="utf-8")
    return root


def python(tree: Path, *command: str, expect: int = 0) -> str:
    """What Python prints, run in a process of its own on the copy."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    paths = os.pathsep.join(str(tree / name) for name in ("src", "tests"))
    env |= {"PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, *command], env=env, cwd=tree, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr * (expect != 0)


TORCH = """
import torch
import adamas.torch
p = torch.nn.Parameter(torch.ones(3))
opt = adamas.torch.Signum([p], lr=0.5, weight_decay=0.5)
p.grad = torch.tensor([3.0, -3.0, 0.0])
opt.step()
assert p.tolist() == [0.25, 1.25, 0.75], p
assert opt.state[p].keys() == {"step", "exp_avg"}
"""


@pytest.mark.parametrize("code", [STEPS, TORCH])
def test_the_front_ends_have_the_rule(tree: Path, code: str) -> None:
    python(tree, "-c", code)


@pytest.mark.parametrize("command", [("rules",), ("rules", "signum"), ("kernel", "signum")])
def test_the_command_line_has_the_rule(tree: Path, command: tuple[str, ...]) -> None:
    assert "Signum" in python(tree, "-m", "adamas.cli", *command)


def test_a_rule_is_found_by_module_and_attribute_too(tree: Path) -> None:
    """Before it is in the registry, from the folder that one is in."""
    (tree / "mine.py").write_text((tree / "src/adamas/rules/signum.py").read_text(encoding="utf-8"), encoding="utf-8")
    assert "Signum" in python(tree, "-m", "adamas", "kernel", "mine:rule")
    assert "has no 'rula'; it has rule" in python(tree, "-m", "adamas", "kernel", "mine:rula", expect=2)


def test_the_case_table_has_the_rule(tree: Path) -> None:
    python(tree, "-c", CASES)


def test_the_properties_are_tested_for_the_rule(tree: Path) -> None:
    select = "signum and (every_bit or descends)"
    out = python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_backends.py", "-k", select)
    passed = re.search(r"^(\d+) passed, \d+ deselected", out, re.MULTILINE)
    assert passed, out
    assert int(passed[1]) > len({p for p, _ in cases.DTYPES})  # each dtype of parameters, and that it descends


def test_the_example_is_in_the_project_s_style(tree: Path) -> None:
    if not importlib.util.find_spec("ruff"):
        pytest.skip("ruff is not installed here")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for command in (("check",), ("format", "--check")):
        python(tree, "-m", "ruff", *command, "src/adamas/rules/signum.py", "src/adamas/rules/__init__.py")
