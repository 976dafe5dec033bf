"""The folder of compiled kernels: hostile, damaged, contended, killed. A step is right in every case."""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import adamas
from adamas.backends import kernel_cache

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can give files away or become another user")

#: A kernel that compiles in a moment.
TINY = "from numba import njit\n\n\n@njit\ndef twice(x):\n    return 2.0 * x\n"
SIGNATURES = {"twice": "float64(float64)"}

#: Two steps of Adam in a fresh process: what came out, and what was warned of.
SCRIPT = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import numpy as np, adamas
    x = np.linspace(-1, 1, 1001)
    opt = adamas.Adam(x, lr=0.1)
    for _ in range(2):
        opt.step(2 * x)
    print(json.dumps([x.tobytes().hex(), [str(w.message) for w in caught]]))
"""


def environment(**changes: str) -> dict[str, str]:
    """This process's, without a word on caches but for the changes."""
    ours = {k: v for k, v in os.environ.items() if k not in ("ADAMAS_CACHE_DIR", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")}
    return {**ours, "PYTHONPATH": str(Path(adamas.__file__).parents[1]), **changes}


def start(env: dict[str, str], script: str = SCRIPT, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def outcome(process: subprocess.Popen[str]) -> tuple[str, list[str]]:
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    x, caught = json.loads(out)
    return x, caught


def expected() -> str:
    """What the script's array must be, by another way: the reference."""
    import numpy as np

    x = np.linspace(-1, 1, 1001)
    opt = adamas.optimizer_class("adam")(x, lr=0.1, backend="reference")
    for _ in range(2):
        opt.step(2 * x)
    return x.tobytes().hex()


@pytest.fixture
def safe() -> Iterator[Path]:
    """A folder of our own whose parents nobody else can change."""
    with tempfile.TemporaryDirectory(prefix="adamas-cache-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def warmed() -> Iterator[Path]:
    """A folder where the script has run."""
    with tempfile.TemporaryDirectory(prefix="adamas-warm-") as folder:
        assert outcome(start(environment(ADAMAS_CACHE_DIR=folder))) == (expected(), [])
        yield Path(folder)


@pytest.fixture
def warm(warmed: Path, safe: Path) -> Path:
    """A copy of the warm folder, to be spoilt."""
    shutil.copytree(warmed / "kernels", safe / "kernels")
    return safe


@pytest.fixture
def chosen(safe: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The safe folder, chosen by ADAMAS_CACHE_DIR in this process."""
    monkeypatch.setenv("ADAMAS_CACHE_DIR", str(safe))
    return safe


@pytest.fixture
def default(safe: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The safe folder as the place of this process's default folder."""
    monkeypatch.delenv("ADAMAS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(safe))
    return safe


def listing(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    files = {p: p.stat() for p in folder.rglob("*") if p.is_file()}
    return {str(p.relative_to(folder)): (s.st_mtime_ns, s.st_ino, p.read_bytes()) for p, s in files.items()}


def check(source: str = TINY, factor: float = 2.0) -> None:
    """The tiny kernel is there and right."""
    assert kernel_cache.load("tiny", source, SIGNATURES).twice(3.0) == 3.0 * factor


def binary(folder: Path, name: str = "tiny") -> Path:
    (path,) = folder.glob(f"**/{name}-*.bin")
    return path


def seal(name: str, content: bytes) -> bytes:
    """How a file of this name with this content begins, so that forgeries are good ones."""
    return sha256(name.encode() + b"\0" + content).digest()


def sound(path: Path) -> bool:
    content = path.read_bytes()
    return content[:32] == seal(path.name, content[32:])


def forge(path: Path, content: bytes, right: bool = True) -> None:
    """Put a content in the place of a kernel, with a right or a wrong checksum."""
    path.write_bytes((seal(path.name, content) if right else b"\0" * 32) + content)


class Bomb:
    """A pickle that leaves a file behind when it is read."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> Any:
        return Path.touch, (self.flag,)


def in_child(run: Callable[[], None]) -> int:
    """The exit status of a fork that runs it: negative for the signal that killed it."""
    child = os.fork()
    if child == 0:
        try:
            run()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# ------------------------------------------------------------------------------------ in good order


def test_a_second_process_compiles_nothing_and_adds_nothing(warm: Path) -> None:
    before = listing(warm)
    assert len(before) >= 2
    assert outcome(start(environment(ADAMAS_CACHE_DIR=str(warm)))) == (expected(), [])
    assert listing(warm) == before


def test_the_folder_and_its_files_are_for_the_user_alone(warmed: Path) -> None:
    kernels = warmed / "kernels"
    assert stat.S_IMODE(kernels.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) & 0o077 for f in kernels.iterdir()} == {0}


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
@pytest.mark.parametrize("place", ["default", "chosen"])
def test_a_new_folder_is_usable_whatever_the_umask(
    umask: int, place: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """002 is what many systems give their users: every new folder can be written by the group."""
    folder = request.getfixturevalue(place)
    if place == "chosen":
        monkeypatch.setenv("ADAMAS_CACHE_DIR", str(folder / "new" / "deeper"))
    old = os.umask(umask)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check()
    finally:
        os.umask(old)
    assert sound(binary(folder))


def test_another_versions_files_are_left_alone(chosen: Path) -> None:
    check()
    before = listing(chosen)
    other = TINY.replace("2.0", "3.0")
    check(other, 3.0)
    check(TINY, 2.0)
    after = listing(chosen)
    assert {name: after[name] for name in before} == before
    assert len(after) == 2 * len(before)


def test_an_edited_package_does_not_use_the_kernels_of_the_first(warm: Path, safe: Path) -> None:
    """Another version of Adamas, whose Adam ascends, beside the first in one cache."""
    package = safe / "other" / "adamas"
    shutil.copytree(Path(adamas.__file__).parent, package)
    rule = package / "rules" / "adam.py"
    text = rule.read_text()
    edited = text.replace("return (m / c1)", "return -(m / c1)")
    assert edited != text
    rule.write_text(edited)
    before = listing(warm / "kernels")
    env = environment(ADAMAS_CACHE_DIR=str(warm))
    x, caught = outcome(start({**env, "PYTHONPATH": str(package.parent)}))
    assert x != expected()
    assert caught == []
    assert outcome(start(env)) == (expected(), [])
    after = listing(warm / "kernels")
    assert {name: after[name] for name in before} == before


# ------------------------------------------------------------------------------------ damaged


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


def bomb(path: Path, right: bool = False) -> None:
    forge(path, pickle.dumps(Bomb(path.parent.parent / "boom")), right)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut in the checksum": lambda path: os.truncate(path, 20),
    "cut after the checksum": lambda path: os.truncate(path, 32),
    "cut in the middle": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut at the end": lambda path: os.truncate(path, path.stat().st_size - 1),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "bit in the checksum": lambda path: flip(path, 3),
    "bit in the middle": lambda path: flip(path, path.stat().st_size // 2),
    "bit at the end": lambda path: flip(path, -1),
    "noise": lambda path: path.write_bytes(random.Random(0).randbytes(5000)),
    "code": bomb,
    "a sound pickle of something else": lambda path: forge(path, b"N."),
    "a sound text": lambda path: forge(path, b"text"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_compiled_anew_and_replaced(damage: str, chosen: Path) -> None:
    check()
    path = binary(chosen)
    good = listing(chosen).keys()
    DAMAGES[damage](path)
    check()
    assert not (chosen / "boom").exists(), "a file with a wrong checksum was unpickled"
    assert sound(path)
    assert listing(chosen).keys() == good
    written = listing(chosen)
    check()
    assert listing(chosen) == written


def test_a_folder_in_the_place_of_a_file_costs_time_only(chosen: Path) -> None:
    check()
    replace_by_folder(binary(chosen))
    files = listing(chosen).keys()
    check()
    assert listing(chosen).keys() == files


def test_a_kernel_under_anothers_name_is_not_taken_for_it(chosen: Path) -> None:
    """Sound, but the wrong one: a mishap of copying must not change what a step computes."""
    check()
    first = binary(chosen)
    kept = first.read_bytes()
    first.unlink()
    check(TINY.replace("2.0", "3.0"), 3.0)
    (second,) = (p for p in chosen.glob("**/tiny-*.bin") if p != first)
    second.write_bytes(kept)
    check(TINY.replace("2.0", "3.0"), 3.0)


def test_every_file_of_a_step_damaged_at_once(warm: Path) -> None:
    files = list(warm.glob("kernels/*.bin"))
    assert files
    for path in files:
        bomb(path)
    assert outcome(start(environment(ADAMAS_CACHE_DIR=str(warm)))) == (expected(), [])
    assert not (warm / "boom").exists()
    assert all(map(sound, files))


def test_the_text_of_a_kernel_is_for_reading_only(warm: Path) -> None:
    for path in warm.glob("kernels/*.py"):
        path.write_text("raise SystemExit('this was executed')\n")
    assert outcome(start(environment(ADAMAS_CACHE_DIR=str(warm)))) == (expected(), [])


# ------------------------------------------------------------------------------------ unusable and hostile


def test_an_unwritable_default_folder_warns_once_and_steps_from_memory(safe: Path) -> None:
    (safe / "file").touch()
    x, caught = outcome(start(environment(HOME=str(safe), XDG_CACHE_HOME=str(safe / "file"))))
    assert x == expected()
    assert len(caught) == 1
    assert "in memory only" in caught[0]
    assert "ADAMAS_CACHE_DIR" in caught[0]
    assert [p.name for p in safe.rglob("*")] == ["file"]


def test_a_read_only_file_system_is_an_unwritable_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAMAS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/self/adamas")
    with pytest.warns(RuntimeWarning, match="in memory only") as caught:
        check()
    check()
    assert len(caught) == 1


@needs_root
def test_another_user_who_may_not_write_compiles_in_memory(safe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As nobody, in root's folder."""
    os.chmod(safe, 0o755)
    monkeypatch.delenv("ADAMAS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(safe))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADAMAS_CACHE_DIR", str(safe / "warm"))
        check()  # imports what the child could not read
        shutil.rmtree(safe / "warm")

    def run() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with pytest.warns(RuntimeWarning, match="in memory only") as caught:
            check()
        check(TINY.replace("2.0", "3.0"), 3.0)
        assert len(caught) == 1

    assert in_child(run) == 0
    assert not os.listdir(safe)


def plant(folder: Path) -> Path:
    """A folder for kernels that holds a bomb under the tiny kernel's own name, with a right checksum."""
    with tempfile.TemporaryDirectory() as aside, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADAMAS_CACHE_DIR", aside)
        check()
        name = binary(Path(aside)).name
    kernels = folder / "kernels"
    kernels.mkdir(parents=True)
    bomb(kernels / name, right=True)
    return kernels


def writable_by_others(folder: Path) -> Path:
    os.chmod(plant(folder), 0o777)
    return folder


def writable_by_the_group(folder: Path) -> Path:
    os.chmod(plant(folder), 0o770)
    return folder


def parent_writable(folder: Path) -> Path:
    plant(folder)
    os.chmod(folder, 0o777)
    return folder


def link(folder: Path) -> Path:
    writable_by_others(folder / "elsewhere" / "adamas")
    (folder / "adamas").symlink_to(folder / "elsewhere" / "adamas")
    return folder / "adamas"


def of_another(folder: Path) -> Path:
    if not ROOT:
        pytest.skip("only root can give files away")
    kernels = plant(folder)
    os.chown(kernels, 12345, 12345)
    return folder


def in_anothers(folder: Path) -> Path:
    if not ROOT:
        pytest.skip("only root can give files away")
    plant(folder)
    os.chown(folder, 12345, 12345)
    return folder


HOSTILE: dict[str, Callable[[Path], Path]] = {
    "writable by others": writable_by_others,
    "writable by the group": writable_by_the_group,
    "in a folder writable by others": parent_writable,
    "a link to one writable by others": link,
    "of another user": of_another,
    "in another user's folder": in_anothers,
}


def test_a_planted_kernel_would_be_run_from_a_folder_of_our_own(chosen: Path) -> None:
    """What the tests below plant is no dud."""
    plant(chosen)
    os.chmod(chosen / "kernels", 0o700)
    check()
    assert (chosen / "boom").exists()


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_folder_that_was_chosen_is_refused(case: str, safe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = HOSTILE[case](safe / "adamas" if case != "a link to one writable by others" else safe)
    monkeypatch.setenv("ADAMAS_CACHE_DIR", str(place))
    before = listing(safe)
    for _ in range(2):
        with pytest.raises(PermissionError, match=r"ADAMAS_CACHE_DIR: .*(written by others|another user)"):
            check()
    assert listing(safe) == before
    assert not list(safe.rglob("boom"))


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_default_folder_is_not_used(case: str, default: Path) -> None:
    HOSTILE[case](default / "adamas" if case != "a link to one writable by others" else default)
    before = listing(default)
    with pytest.warns(RuntimeWarning, match=r"in memory only.*(written by others|another user)") as caught:
        check()
    check()
    assert len(caught) == 1
    assert listing(default) == before
    assert not list(default.rglob("boom"))


def test_a_refused_folder_stops_the_optimizer_before_anything_is_changed(safe: Path) -> None:
    os.chmod(safe, 0o777)
    script = """
import numpy as np, adamas
x = np.ones(3)
for _ in range(2):
    try:
        adamas.Adam(x).step(x)
    except PermissionError as error:
        print(error)
assert (x == 1).all()
"""
    process = start(environment(ADAMAS_CACHE_DIR=str(safe)), script)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert out.count("kernels are code, so choose a folder of your own") == 2


def test_a_folder_in_a_shared_one_with_the_sticky_bit_is_good(chosen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /tmp: others may add files, but not rename ours."""
    shared = chosen / "shared"
    shared.mkdir()
    os.chmod(shared, 0o1777)
    monkeypatch.setenv("ADAMAS_CACHE_DIR", str(shared))
    check()
    assert sound(binary(shared))


def test_numbas_own_cache_is_neither_read_nor_written(warm: Path, safe: Path) -> None:
    hostile = safe / "numba"
    hostile.mkdir()
    os.chmod(hostile, 0o777)
    for path in (warm / "kernels").iterdir():
        path.unlink()
    assert outcome(start(environment(ADAMAS_CACHE_DIR=str(warm), NUMBA_CACHE_DIR=str(hostile)))) == (expected(), [])
    assert not list(hostile.rglob("*"))


# ------------------------------------------------------------------------------------ contended and killed


def test_four_processes_compile_the_same_kernel_at_once(safe: Path, warmed: Path) -> None:
    processes = [start(environment(ADAMAS_CACHE_DIR=str(safe))) for _ in range(4)]
    assert [outcome(p) for p in processes] == [(expected(), [])] * 4
    assert listing(safe).keys() == listing(warmed).keys()
    assert all(map(sound, safe.glob("kernels/*.bin")))


@pytest.mark.parametrize("written", [0, 1, 31, 32, 40, 1000, 5000])
def test_killed_after_so_many_bytes_of_a_file(written: int, chosen: Path) -> None:
    """The system itself kills the process within its write: the file's size limit, with the default action."""

    def run() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
        check()

    assert in_child(run) == -signal.SIGXFSZ
    assert not [p for p in chosen.glob("kernels/tiny-*.bin") if not sound(p)], "a reader could see half a file"
    check()
    assert sound(binary(chosen))
    files = listing(chosen)
    check()
    assert listing(chosen) == files


@pytest.mark.parametrize("room", [0, 100, 1000])
def test_a_full_disk_costs_time_only(room: int, chosen: Path) -> None:
    """As with a full disk, the write fails halfway; nothing half-written stays."""

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))  # Python ignores the signal: an OSError
        check()

    assert in_child(run) == 0
    assert not list(chosen.glob("kernels/*.bin"))
    assert not list(chosen.glob("kernels/.new-*"))
    check()


def test_killed_at_random_moments(chosen: Path) -> None:
    """A child that compiles and writes without end, killed; then the same folder serves."""
    rng = random.Random(0)
    sources = [TINY.replace("2.0", f"{i}.0") for i in range(2, 10)]

    def run() -> None:
        while True:
            for i, source in enumerate(sources, 2):
                for path in chosen.glob("kernels/tiny-*.bin"):
                    path.unlink(missing_ok=True)
                check(source, i)

    for _ in range(10):
        child = os.fork()
        if child == 0:
            try:
                run()
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0.01, 0.25))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        for path in chosen.glob("kernels/tiny-*.bin"):
            assert sound(path)
    for i, source in enumerate(sources, 2):
        check(source, i)


def test_a_step_killed_at_random_moments_of_its_first_second(safe: Path) -> None:
    rng = random.Random(1)
    processes = [start(environment(ADAMAS_CACHE_DIR=str(safe))) for _ in range(2)]
    for process in processes:
        time.sleep(rng.uniform(0.8, 1.6))
        process.kill()
        process.communicate()
    assert outcome(start(environment(ADAMAS_CACHE_DIR=str(safe)))) == (expected(), [])
    assert all(map(sound, safe.glob("kernels/*.bin")))
