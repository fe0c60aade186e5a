"""The drawings are of today's code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def drawings(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("docs/make_drawings.py")


def test_drawings_are_up_to_date(drawings: ModuleType) -> None:
    for name, text in drawings.draw_all().items():
        stored = (ROOT / "docs" / "images" / name).read_text(encoding="utf-8")
        assert stored == text, f"{name} is out of date. Run: python docs/make_drawings.py"


def test_paths_pass_through_modules_that_exist(drawings: ModuleType) -> None:
    for _, steps in drawings.PATHS.values():
        for step in steps:
            homes = [ROOT / "src" / "fervid" / step.module, ROOT / "frontend" / "src" / step.module]
            assert any(home.is_file() for home in homes), step.module


def test_every_floor_is_drawn_and_its_text_stays_inside(drawings: ModuleType) -> None:
    floors = drawings.read_floors()
    assert len(floors) > 10
    drawing = ElementTree.fromstring(drawings.draw_floors())
    texts = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert all(name in texts for floor in floors for name in floor)
    width = float(drawing.attrib["width"])
    for box in drawing.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(box.attrib.get("x", 0)) + float(box.attrib["width"]) <= width
