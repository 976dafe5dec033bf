"""Compiled kernels on disk, in a folder that nobody else can write.

Numba's machine code is stored as a pickle, and unpickling runs code: so the folder is the user's own (mode 0700,
every parent safe), ``NUMBA_CACHE_DIR`` is not consulted, each file begins with the SHA-256 of its name and the
rest, and anything amiss means compiling again. The file's name holds a hash of the source, the versions and the
processor.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import linecache
import os
import pickle
import stat
import sys
import tempfile
import time
import types
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs


def _unsafe(path: Path) -> str | None:
    """Why other users could change what lies under the path, or None."""
    if not hasattr(os, "geteuid"):
        return None
    for i, folder in enumerate((path, *path.parents)):
        info = folder.stat()
        if info.st_uid not in (os.geteuid(), 0) or (i == 0 and info.st_uid != os.geteuid()):
            return f"{folder} belongs to another user (uid {info.st_uid})"
        shared = info.st_mode & stat.S_IWOTH or (info.st_mode & stat.S_IWGRP and (i == 0 or not _private(info.st_gid)))
        if shared and (i == 0 or not info.st_mode & stat.S_ISVTX):
            return f"{folder} can be written by others (mode {stat.filemode(info.st_mode)})"
    return None


def _private(gid: int) -> bool:
    """Whether a group is the user's own alone, by the custom that it then bears the user's name."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == user and set(group.gr_mem) <= {user}


def folder() -> Path:
    """Where kernels are kept: ``ADAMAS_CACHE_DIR``, or the user's cache folder."""
    return Path(os.environ.get("ADAMAS_CACHE_DIR") or platformdirs.user_cache_dir("adamas")) / "kernels"


@cache
def usable(path: Path) -> Path | None:
    """The folder, made if need be; None (with one warning) where kernels must stay in memory."""
    try:
        for part in (*reversed(path.parents), path):  # parents too are private, whatever the umask
            if not part.exists():
                part.mkdir(mode=0o700, exist_ok=True)
        path = path.resolve(strict=True)
        reason = _unsafe(path)
        if reason is None and not os.access(path, os.W_OK | os.X_OK):
            reason = f"{path} cannot be written"
        elif reason is not None and "ADAMAS_CACHE_DIR" in os.environ:
            raise PermissionError(f"ADAMAS_CACHE_DIR: {reason}; kernels are code, so choose a folder of your own")
    except PermissionError as error:
        if str(error).startswith("ADAMAS_CACHE_DIR"):
            raise
        reason = str(error)
    except OSError as error:
        reason = str(error)
    if reason is None:
        _sweep(path)
        return path
    warnings.warn(
        f"compiled kernels are kept in memory only, and each process compiles anew: {reason}; "
        "set ADAMAS_CACHE_DIR to a folder of your own, mode 0700",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def _sweep(path: Path) -> None:
    """Remove what killed processes were writing an hour ago or earlier."""
    for left in path.glob(".new-*"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < time.time() - 3600:
                left.unlink()


def _write(path: Path, content: bytes) -> None:
    """Atomically: a reader, or a kill, sees the old file or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


class _Store:
    """What Numba's dispatcher asks of a cache, for one function with one signature."""

    def __init__(self, path: Path) -> None:
        self.cache_path, self.path = str(path.parent), path

    def seal(self, content: bytes) -> bytes:
        """What a file of this name with this content begins with."""
        return hashlib.sha256(self.path.name.encode() + b"\0" + content).digest()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        from numba.core.compiler import CompileResult

        target_context.refresh()
        try:
            content = self.path.read_bytes()
            if content[:32] == self.seal(content[32:]):
                return CompileResult._rebuild(target_context, *pickle.loads(content[32:]))
        except Exception:  # absent, damaged, or another build's: compiling is always right
            pass
        return None

    def save_overload(self, sig: Any, result: Any) -> None:
        from numba.core.serialize import dumps

        content = dumps(result._reduce())
        with contextlib.suppress(OSError):  # a full disk costs time at the next start, nothing else
            _write(self.path, self.seal(content) + content)


@cache
def _platform() -> str:
    from numba.core.registry import cpu_target

    versions = [importlib.metadata.version(name) for name in ("numba", "llvmlite", "numpy")]
    return repr((versions, sys.version, cpu_target.target_context.codegen().magic_tuple()))


def load(name: str, source: str, signatures: dict[str, str]) -> types.ModuleType:
    """The module of that source, its functions compiled for their signatures or read from the disk."""
    import numba

    if getattr(numba.config, "DISABLE_JIT", 0):
        raise RuntimeError("NUMBA_DISABLE_JIT is set, so there are no kernels; unset it, or use backend='reference'")
    digest = hashlib.sha256(f"{_platform()}\n{source}\n{signatures}".encode()).hexdigest()[:24]
    place = usable(folder())
    path = (place or Path("adamas-kernels")) / f"{name}-{digest}.py"
    module = types.ModuleType(f"adamas.kernels.{name}_{digest}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where Numba looks for the globals of a kernel read from the disk
    linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
    exec(compile(source, str(path), "exec"), module.__dict__)  # our own text, never the file's
    if place and not path.exists():
        with contextlib.suppress(OSError):
            _write(path, source.encode())
    for function, signature in signatures.items():
        dispatcher = getattr(module, function)
        if place:
            dispatcher._cache = _Store(path.with_name(f"{path.stem}-{function}.bin"))
        dispatcher.compile(signature)
        dispatcher.disable_compile()
    return module
