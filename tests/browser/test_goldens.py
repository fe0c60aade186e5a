"""The browser's golden file is what the package computes today."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

UPDATE = Path(__file__).parents[2] / "frontend" / "src" / "inference" / "golden" / "update.py"


def test_the_golden_file_of_the_browser_is_current() -> None:
    spec = importlib.util.spec_from_file_location("golden_of_the_browser", UPDATE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    compare(json.loads(json.dumps(module.compute())), json.loads(module.FILE.read_text()), "golden")


def compare(found: Any, stored: Any, place: str) -> None:
    """Numbers may differ in their last digits from machine to machine; texts and shapes may not."""
    hint = f"{place}: run {UPDATE.relative_to(UPDATE.parents[4])}"
    if isinstance(found, dict):
        assert found.keys() == stored.keys(), hint
        for key in found:
            compare(found[key], stored[key], f"{place}.{key}")
    elif isinstance(found, list):
        assert len(found) == len(stored), hint
        for i, (item, other) in enumerate(zip(found, stored, strict=True)):
            compare(item, other, f"{place}[{i}]")
    elif isinstance(found, float):
        assert found == pytest.approx(stored, abs=0.011), hint
    else:
        assert found == stored, hint
