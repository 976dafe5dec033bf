"""Kernels of the test run go to a private folder, so that no test depends on what a user has compiled before."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest


def _private_cache() -> None:
    # workers of a parallel run inherit the folder from the process that made it
    if "ADAMAS_TEST_CACHE" not in os.environ:
        os.environ["ADAMAS_TEST_CACHE"] = tempfile.mkdtemp(prefix="adamas-tests-")
        os.environ["ADAMAS_TEST_CACHE_OWNER"] = str(os.getpid())
    os.environ["ADAMAS_CACHE_DIR"] = os.environ["ADAMAS_TEST_CACHE"]


_private_cache()


def pytest_unconfigure(config: pytest.Config) -> None:
    if os.environ.get("ADAMAS_TEST_CACHE_OWNER") == str(os.getpid()):
        shutil.rmtree(os.environ["ADAMAS_TEST_CACHE"], ignore_errors=True)
