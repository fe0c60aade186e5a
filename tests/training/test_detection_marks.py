# ruff: noqa: E402  (torch is looked for before what needs it)
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

from fervid.training.detection.marks import Marks

FACE = (20.0, 10.0, 50.0, 50.0)
POINTS = [(28, 25), (42, 26), (35, 33), (29, 41), (41, 42)]


def make_marks(*boxes: tuple[float, float, float, float], ignored: tuple[tuple[float, ...], ...] = ()) -> Marks:
    return Marks(
        np.array(boxes or [FACE], dtype=np.float32).reshape(-1, 4),
        np.array([POINTS] * max(1, len(boxes)), dtype=np.float32),
        np.full(max(1, len(boxes)), 0.9, dtype=np.float32),
        np.array(ignored, dtype=np.float32).reshape(-1, 4),
    )


def test_mirroring_swaps_right_and_left() -> None:
    marks = make_marks().mirror(100)
    np.testing.assert_allclose(marks.boxes, [[50, 10, 80, 50]])
    np.testing.assert_allclose(marks.landmarks[0], [(58, 26), (72, 25), (65, 33), (59, 42), (71, 41)])
    assert marks.landmarks[0, 0, 0] < marks.landmarks[0, 1, 0]  # the person's right eye is still on the left


def test_mirroring_twice_changes_nothing() -> None:
    marks = make_marks(ignored=((1, 2, 3, 4),))
    again = marks.mirror(77).mirror(77)
    for name in ("boxes", "landmarks", "ignored"):
        np.testing.assert_allclose(getattr(again, name), getattr(marks, name), atol=1e-5)


def test_a_quarter_turn_goes_counter_clockwise() -> None:
    marks = make_marks().place(1, 90, (35, 30), (35, 30))  # about the box's centre
    np.testing.assert_allclose(marks.boxes, [[15, 15, 55, 45]], atol=1e-4)
    # What was right of the centre is now above it: y grows downwards.
    np.testing.assert_allclose(marks.landmarks[0, 1], (35 + (26 - 30), 30 - (42 - 35)), atol=1e-4)


@given(st.floats(-45, 45), st.floats(0.2, 4))
def test_a_turned_box_holds_the_turned_ellipse_tightly(angle: float, scale: float) -> None:
    turned = make_marks().place(scale, angle, (35, 30), (200, 100))
    around = np.linspace(0, 2 * math.pi, 2000)
    edge = np.stack([35 + 15 * np.cos(around), 30 + 20 * np.sin(around)], axis=1).astype(np.float32)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = (edge - [35, 30]).T * scale
    outline = np.stack([cosine * x + sine * y + 200, -sine * x + cosine * y + 100], axis=1)
    expected = [*outline.min(axis=0), *outline.max(axis=0)]
    np.testing.assert_allclose(turned.boxes[0], expected, atol=0.02 * scale)


def test_a_cut_keeps_what_is_in_sight_and_doubts_the_rest() -> None:
    boxes = ((0.0, 0, 20, 20), (-4, 30, 16, 50), (-11, 60, 9, 80), (-18, 90, 2, 110), (50, 0, 55, 5))
    marks = make_marks(*boxes).cut((0, 0, 100, 200), smallest=7)
    np.testing.assert_allclose(marks.boxes, [[0, 0, 20, 20], [0, 30, 16, 50]])
    # 45 % of the third is in sight, 10 % of the fourth; the fifth is whole and too small.
    np.testing.assert_allclose(marks.ignored, [[0, 60, 9, 80], [50, 0, 55, 5]])


def test_what_is_pasted_over_hides() -> None:
    boxes = ((0.0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10))
    marks = make_marks(*boxes, ignored=((20.0, 0, 30, 10), (60, 0, 70, 10))).hide((25, -5, 100, 50))
    np.testing.assert_allclose(marks.boxes, [[0, 0, 10, 10]])
    np.testing.assert_allclose(marks.ignored, [[20, 0, 30, 10], [20, 0, 30, 10]])
