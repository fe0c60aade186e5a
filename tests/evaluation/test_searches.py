"""Detectors timed side by side, in processes of their own; they find red dots (tests/dotdetector.py)."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fervid.evaluation.speed import machine
from fervid.evaluation.speed.records import Search
from fervid.evaluation.speed.rounds import Effort
from fervid.evaluation.speed.searches import compare_searches
from fervid.evaluation.speed.sheets import tabulate_searches
from fervid.evaluation.speed.subjects import frame_portrait

EFFORT = Effort(seconds=0.02, rounds=2, least=4)


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """A portrait whose face is a red square."""
    image = np.full((600, 512, 3), 80, dtype=np.uint8)
    image[200:240, 200:240] = (250, 0, 0)
    np.save(tmp_path / "portrait.npy", image)
    return tmp_path / "portrait.npy"


@pytest.fixture
def searches(dots: ModuleType, portrait: Path, tmp_path: Path) -> tuple[Search, ...]:
    names = [str(dots.write_detector(tmp_path / f"{name}.onnx")) for name in ("first", "second")]
    return compare_searches([str(tmp_path / "absent.onnx"), *names], EFFORT, portrait)


def test_every_detector_that_works_is_timed_at_both_sizes(searches: tuple[Search, ...]) -> None:
    assert [(Path(s.name).stem, s.width, s.height) for s in searches] == [
        ("first", 640, 480), ("second", 640, 480), ("first", 320, 240), ("second", 320, 240),
    ]  # fmt: skip
    assert [s.ratio == 1 for s in searches[::2]] == [True, True]
    assert all(s.faces >= 1 and s.timing.runs >= 4 and s.ratio > 0 for s in searches)
    assert searches[0].to_dict()["height"] == 480


def test_the_portrait_stands_in_the_middle_and_keeps_its_shape() -> None:
    picture = frame_portrait(np.full((600, 512, 3), 255, dtype=np.uint8), 640)
    assert picture.shape == (480, 640, 3)
    columns = np.flatnonzero((picture == 255).all(axis=(0, 2)))
    assert len(columns) == pytest.approx(480 * 512 / 600, abs=1)
    assert columns.mean() == pytest.approx(319.5, abs=1)


def test_the_table_compares_with_the_first(searches: tuple[Search, ...]) -> None:
    sheet = tabulate_searches(searches, 2)
    assert sheet.headings[-1].startswith("× ")
    assert [row[-1] for row in sheet.rows[::2]] == ["1.00", "1.00"]
    assert sheet.rows[0][0] == "640×480"


def test_a_machine_without_opencv_does_not_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_version", lambda name: None if "opencv" in name else "1.0")
    assert "OpenCV" not in machine.describe_machine().versions
    monkeypatch.setattr(machine, "find_version", lambda _name: "1.0")
    assert machine.describe_machine().versions["OpenCV"] == "1.0"
