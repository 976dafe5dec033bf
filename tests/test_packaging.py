"""What the package promises before anything is computed: a light import, imports in one direction, its types."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import adamas
from adamas import rules

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = ("altair", "jax", "matplotlib", "numba", "optax", "pandas", "rich", "scipy", "sklearn", "torch", "typer")


def run(*command: str, path: Path = ROOT / "src", **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python on a source tree, in a process of its own."""
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(path), **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize("code", ["import adamas", "import adamas; adamas.AdamW; adamas.schedules.constant(0.1)"])
def test_import_loads_no_compiler_and_no_framework(code: str) -> None:
    done = run("-c", f"import sys; {code}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))")
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "numpy" in loaded
    assert not loaded.intersection(HEAVY)


def lint_imports(path: Path) -> subprocess.CompletedProcess[str]:
    """Check the import contracts on a source tree."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return run("-c", code, path=path, PYTHONIOENCODING="utf-8")


def test_imports_run_one_way() -> None:
    done = lint_imports(ROOT / "src")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("rules/adam.py", "import numpy", "A rule knows the language"),
        ("rules/adam.py", "from adamas import codecs", "Layers"),
        ("language.py", "from adamas import codecs", "Layers"),
        ("codecs.py", "from adamas import schedules", "Layers"),
        ("backends/cpu.py", "from adamas.rules import adam", "A backend is handed its rules"),
        ("backends/cpu.py", "from adamas import plan", "Layers"),
        ("backends/cpu.py", "from adamas.backends import reference", "No backend knows another"),
        ("optimizer.py", "import torch", "No framework"),
        ("another.py", "", "Layers"),
    ],
)
def test_a_wrong_import_breaks_its_contract(tmp_path: Path, module: str, line: str, contract: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "src/adamas" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(tmp_path / "src")
    broken = [text for text in done.stdout.splitlines() if "BROKEN" in text or "not listed" in text]
    assert done.returncode != 0, done.stdout
    assert any(contract in text for text in done.stdout.splitlines()), (broken, done.stdout)


def test_version_is_one() -> None:
    assert adamas.__version__ == PROJECT["version"]
    assert f"[{adamas.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_types_are_shipped() -> None:
    spec = importlib.util.find_spec("adamas")
    assert spec
    assert spec.origin
    assert Path(spec.origin).with_name("py.typed").exists()


def test_a_rule_is_a_file_of_its_own() -> None:
    files = {file.stem for file in (ROOT / "src/adamas/rules").glob("[!_]*.py")}
    assert files == set(rules.REGISTRY)


def test_core_dependencies_are_few() -> None:
    names = {text.split(">=")[0] for text in PROJECT["dependencies"]}
    assert names == {"ml_dtypes", "numba", "numpy", "platformdirs", "scipy"}


def test_the_readme_s_example_learns(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(import numpy.*?)^```$", text, re.MULTILINE | re.DOTALL)
    space: dict[str, Any] = {}
    exec(example, space)
    assert abs(space["error"]).max() < 0.02
    assert "t=300" in capsys.readouterr().out
    (example,) = re.findall(r"^```python\n(from scipy.*?)^```$", text, re.MULTILINE | re.DOTALL)
    exec(example, space)
    assert abs(space["result"].x - 1).max() < 1e-3


PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"
