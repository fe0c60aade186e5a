"""Scenes with known identities, and faces with known answers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def scenes() -> Iterator[ModuleType]:
    """The module of the made scenes, which the benchmarks share."""
    yield from load_benchmark("scenes")


@pytest.fixture(scope="session")
def tracking(scenes: ModuleType) -> Iterator[ModuleType]:
    """The benchmark of the tracker."""
    yield from load_benchmark("tracking")


def load_benchmark(name: str) -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        module = importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))
    yield module
    sys.modules.pop(name, None)
