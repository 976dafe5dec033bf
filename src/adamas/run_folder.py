"""The folder of a run: it appears whole, and holds what is needed to go on where the run was left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

CHECKPOINT, RUNNING = "checkpoint.npz", "running"


def default(stem: str) -> Path:
    """``runs/<stem>-<time>``, the first that no run has or is writing."""
    stem = f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (stem if i == 1 else f"{stem}-{i}" for i in range(1, 1000))
    return next(p for p in (Path("runs", n) for n in names) if not p.exists() and not partial(p).exists())


def partial(out: Path) -> Path:
    """Where a run writes until it has ended."""
    return out.with_name(f".{out.name}.partial")


@contextlib.contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A folder to write into. It takes its name when all is in it, and vanishes if anything fails before.

    Only a killed process leaves the folder under its partial name, from which the run can be resumed. Raises OSError
    at once where the folder cannot be.
    """
    out = out.resolve()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"{out} exists already and is not an empty folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = partial(out)
    try:
        folder.mkdir()
    except FileExistsError:
        raise FileExistsError(
            f"{folder} exists: another run is writing there, or was killed; resume it with --resume {out}, or remove it"
        ) from None
    try:
        with _owned(folder):
            yield folder
        if out.exists():
            out.rmdir()  # Windows renames onto nothing, not even an empty folder
        folder.rename(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextlib.contextmanager
def reopened(out: Path) -> Iterator[Path]:
    """The folder of an earlier run, under its partial name until all is in it; whatever fails, it is kept.

    Raises OSError where there is none, or where its run goes on.
    """
    out = out.resolve()
    folder = partial(out)
    if not out.exists() and not folder.exists():
        raise FileNotFoundError(f"{out}: there is no run to resume")
    here = folder if folder.exists() else out
    if not (here / CHECKPOINT).exists():
        raise FileNotFoundError(
            f"{here} holds no {CHECKPOINT}: it is no run, or was ended before its first; start anew"
        )
    if (process := _running(here)) is not None:
        raise FileExistsError(f"{here}: process {process} is running it")
    if here == out:
        out.rename(folder)
    ended = False
    try:
        with _owned(folder):
            yield folder
        ended = True
    finally:
        if ended or here == out:  # a killed run that cannot go on stays what it was
            if out.exists():
                out.rmdir()  # the empty folder that was given for the results
            folder.rename(out)


@contextlib.contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """Say who writes here, until it is done."""
    (folder / RUNNING).write_text(str(os.getpid()))
    try:
        yield
    finally:
        (folder / RUNNING).unlink(missing_ok=True)


def _running(folder: Path) -> int | None:
    """The other process that writes here, if it lives."""
    try:
        process = int((folder / RUNNING).read_text())
        os.kill(process, 0)
    except (OSError, ValueError):
        return None
    return process if process != os.getpid() else None


# ----------------------------------------------------------------------------------- checkpoints


def save(folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write the checkpoint, whole or not at all: facts as JSON, arrays as bytes with their dtype and shape."""
    kinds = {name: [a.dtype.name, list(a.shape)] for name, a in arrays.items()}
    bytes_ = {name: np.frombuffer(a.tobytes(), np.uint8) for name, a in arrays.items()}
    text = np.frombuffer(json.dumps({"facts": facts, "arrays": kinds}).encode(), np.uint8)
    new = folder / f".{CHECKPOINT}"
    with new.open("wb") as file:
        np.savez(file, allow_pickle=False, **{"json": text, **{f"array:{name}": a for name, a in bytes_.items()}})
    os.replace(new, folder / CHECKPOINT)


def load(folder: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """What ``save`` wrote; raises ValueError if the file is damaged. Nothing in it is run."""
    try:
        with np.load(folder / CHECKPOINT, allow_pickle=False) as file:
            about = json.loads(file["json"].tobytes())
            arrays = {
                name: np.frombuffer(file[f"array:{name}"].tobytes(), _dtype(kind)).reshape(shape).copy()
                for name, (kind, shape) in about["arrays"].items()
            }
        return dict(about["facts"]), arrays
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{folder / CHECKPOINT} is damaged: {error}") from None


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
