"""The browser's golden file is what the package computes today."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

TOLERANCE = 1.1e-4
TOLERANCES = {"box": 0.011, "landmarks": 0.011, "quality": 0.011, "grey": 0.011, "boxes": 0.0011, "small": 0.02}
"""What lies below a key: a step of the last decimal that is kept; ``small`` sums in integers, and a grey level that is
rounded the other way moves its answer."""

UPDATE = Path(__file__).parents[2] / "frontend" / "src" / "inference" / "golden" / "update.py"


def test_the_golden_file_of_the_browser_is_current() -> None:
    spec = importlib.util.spec_from_file_location("golden_of_the_browser", UPDATE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    compare(json.loads(json.dumps(module.compute())), json.loads(module.FILE.read_text()), "golden")


def compare(found: Any, stored: Any, place: str, tolerance: float = TOLERANCE) -> None:
    """Numbers may differ in their last digits from machine to machine; texts and shapes may not."""
    hint = f"{place}: run {UPDATE.relative_to(UPDATE.parents[4])}"
    if isinstance(found, dict):
        assert found.keys() == stored.keys(), hint
        for key in found:
            compare(found[key], stored[key], f"{place}.{key}", TOLERANCES.get(key, tolerance))
    elif isinstance(found, list):
        assert len(found) == len(stored), hint
        for i, (item, other) in enumerate(zip(found, stored, strict=True)):
            compare(item, other, f"{place}[{i}]", tolerance)
    elif isinstance(found, float):
        assert found == pytest.approx(stored, abs=tolerance), hint
    else:
        assert found == stored, hint
