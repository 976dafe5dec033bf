"""The how-tos run as they stand: the Python blocks of a page, or of a section, in one namespace after each other."""

import doctest
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import adamas
from adamas import minimization, runner, tasks
from adamas.minimization import lr_range

DOCS = Path(__file__).parents[1] / "docs"


def sections(page):
    return re.findall(r"^## (.*)$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)


def run(page, section=None):
    """Run the blocks of a page; with a section, those above the first heading and those of the section."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert blocks
    space = {"__name__": page}
    for block in blocks:
        above = text[: block.start()]
        headings = re.findall(r"^## (.*)$", above, re.MULTILINE)
        if section is None or headings[-1:] in ([], [section]):
            code = "\n" * (above.count("\n") + 1) + block[1]  # a traceback names the page's line
            exec(compile(code, str(DOCS / page), "exec"), space)


#: Those without PyTorch; torch.md: test_torch_integrations.py.
PAGES = ["minimize.md", "compare.md", "low-bit.md", "paper.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page)


@pytest.mark.parametrize("module", [adamas, minimization, lr_range], ids=lambda module: module.__name__)
def test_examples_of_docstrings_hold(module):
    done = doctest.testmod(module)
    assert done.attempted > 2
    assert done.failed == 0


def test_one_s_own_task_runs_as_the_page_says(tmp_path):
    text = (DOCS / "tasks.md").read_text(encoding="utf-8")
    (module,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "spring.py").write_text(module)
    (command,) = re.findall(r"^\$ adamas (run spring:task.*)$", text, re.MULTILINE)
    words = [*command.split(), "--out", "run"]
    done = subprocess.run([sys.executable, "-m", "adamas", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    last = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()][-2]
    assert abs(last["metrics"]["train"]["frequency"] - 1.5) < 0.05
    assert (tmp_path / "run/frequency.png").exists()


def test_the_page_of_tasks_knows_them_all_and_its_file_can_be_read(tmp_path):
    text = (DOCS / "tasks.md").read_text(encoding="utf-8")
    for name in tasks.REGISTRY:
        assert f"`{name}`" in text
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "run.toml").write_text(toml)
    options = runner.choose(**runner.read(tmp_path / "run.toml"))
    assert (options.task, options.weight_decay) == ("digits-mlp", 0.1)
