"""Where labels go, how corners look, which type is used."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fervid.drawing import fonts
from fervid.drawing.canvas import Canvas
from fervid.drawing.placement import Obstacle, flank, measure_cost, move_inside, overlap_area, place, surround
from fervid.results import Box

coordinates = st.floats(-500, 500)
sides = st.floats(1, 200)


@settings(max_examples=50, deadline=None)
@given(coordinates, coordinates, sides, sides)
def test_a_box_is_moved_inside_without_changing_its_size(x: float, y: float, width: float, height: float) -> None:
    moved = move_inside(Box(x, y, x + width, y + height), 120, 90)
    if width > 121 or height > 91:
        assert moved is None
    elif moved is not None:
        assert moved.x1 >= 0
        assert moved.y1 >= 0
        assert moved.x2 <= 120 + 1e-6
        assert moved.y2 <= 90 + 1e-6
        assert (moved.width, moved.height) == pytest.approx((width, height))


@settings(max_examples=50, deadline=None)
@given(coordinates, coordinates, sides, sides, sides, sides)
def test_places_around_a_box_have_the_size_and_the_outer_ones_stay_off_it(
    x: float, y: float, width: float, height: float, label_width: float, label_height: float
) -> None:
    box = Box(x, y, x + width, y + height)
    for candidates, inner in (
        (surround(box, label_width, label_height, 3), 2),
        (flank(box, label_width, label_height, 3), 0),
    ):
        for candidate in candidates:
            assert (candidate.width, candidate.height) == pytest.approx((label_width, label_height))
        for candidate in candidates[: len(candidates) - inner]:
            assert overlap_area(candidate, box) == 0


def test_the_first_free_place_is_taken() -> None:
    candidates = [Box(10, 10, 30, 20), Box(40, 10, 60, 20), Box(70, 10, 90, 20)]
    cost, best = place(candidates, (100, 100), [Obstacle(Box(0, 0, 35, 35))])
    assert best == candidates[1]
    assert cost == pytest.approx(0.02)


def test_where_everything_is_taken_the_lightest_is_covered() -> None:
    candidates = [Box(10, 10, 30, 20), Box(40, 10, 60, 20)]
    _, best = place(candidates, (100, 100), [Obstacle(candidates[0], 3.0), Obstacle(candidates[1], 1.0)])
    assert best == candidates[1]


def test_a_crowd_is_looked_through_once_for_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def count(box: Box, obstacles: Sequence[Obstacle]) -> float:
        measured.append(len(obstacles))
        return measure_cost(box, obstacles)

    monkeypatch.setattr("fervid.drawing.placement.measure_cost", count)
    crowd = [Obstacle(Box(x, y, x + 8, y + 8)) for x in range(0, 400, 10) for y in range(0, 400, 10)]
    candidates = surround(Box(200, 200, 208, 208), 20, 6, 1)
    cost, best = place(candidates, (400, 400), crowd)
    assert cost == 0.02 * candidates.index(best) + measure_cost(best, crowd)
    assert len(measured) == len(candidates) == 14
    assert max(measured) < 40 < len(crowd)


def test_what_does_not_fit_has_no_place() -> None:
    assert place([Box(0, 0, 200, 10)], (100, 100), []) is None


def test_cost_is_the_covered_share_times_the_weight() -> None:
    assert measure_cost(Box(0, 0, 10, 10), [Obstacle(Box(5, 0, 50, 50), 2.0)]) == pytest.approx(1.0)


def test_a_wide_label_that_hides_a_small_face_costs_all_of_it() -> None:
    wide, small = Box(0, 0, 200, 20), Obstacle(Box(90, 4, 102, 16))
    assert measure_cost(wide, [small]) == pytest.approx(1.0)
    _, best = place([wide, Box(0, 30, 200, 50)], (300, 100), [small])
    assert best == Box(0, 30, 200, 50)
    assert measure_cost(wide, [Obstacle(Box(90, 4, 90, 16))]) == 0


def test_corners_are_round_and_smooth() -> None:
    canvas = Canvas(np.zeros((60, 80, 3), np.uint8))
    canvas.fill(Box(10, 10, 70, 50), (200, 100, 50), radius=10)
    out = canvas.array
    assert out[30, 40].tolist() == out[10, 40].tolist() == out[30, 69].tolist() == [200, 100, 50]
    assert not out[10, 10].any()
    assert not out[49, 69].any()
    assert not out[9].any()
    assert not out[:, 70].any()
    assert len(np.unique(out[10:20, 10:20, 0])) > 4  # not a staircase of two colours
    assert np.array_equal(out, out[::-1])
    assert np.array_equal(out, out[:, ::-1])


def test_an_outline_leaves_its_inside_alone() -> None:
    canvas = Canvas(np.zeros((60, 80, 3), np.uint8))
    canvas.outline(Box(10, 10, 70, 50), (0, 255, 0), 3, radius=8, opacity=0.5)
    out = canvas.array
    assert not out[16:44, 16:64].any()
    assert out[11, 40].tolist() == pytest.approx([0, 128, 0], abs=1)
    assert not out[13, 40].any()


def test_drawing_beyond_the_picture_is_cut() -> None:
    canvas = Canvas(np.zeros((20, 20, 3), np.uint8))
    canvas.fill(Box(-30, -30, 10, 10), (9, 9, 9), radius=4)
    canvas.outline(Box(5, 5, 90, 90), (7, 7, 7), 2, dash=6)
    canvas.fill(Box(100, 100, 120, 120), (8, 8, 8))
    assert canvas.array[0, 0].tolist() == [9, 9, 9]
    assert canvas.array[19, 5].max() in (0, 7)
    assert not canvas.array[15:, 15:].any()


def test_the_typeface_is_matplotlibs_and_matplotlib_is_not_imported() -> None:
    code = (
        "import sys; from fervid.drawing.fonts import find_typeface, load_font;"
        "load_font(12); assert find_typeface('DejaVuSans.ttf').name == 'DejaVuSans.ttf';"
        "import fervid.drawing.annotation, fervid.drawing.emojification, fervid.drawing.emoji;"
        "assert not {'matplotlib', 'cv2', 'onnxruntime', 'torch'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_pillows_own_type_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "find_typeface", lambda _: None)
    fonts.load_font.cache_clear()
    try:
        font = fonts.load_font(14)
        assert fonts.measure_text("happy 93 %", font) > 40
        canvas = Canvas(np.zeros((40, 120, 3), np.uint8))
        canvas.write("happy", 10, 20, font, (255, 255, 255))
        assert canvas.array.max() > 200
    finally:
        fonts.load_font.cache_clear()


def test_an_absent_typeface_is_not_found() -> None:
    assert fonts.find_typeface("NoSuchTypeface.ttf") is None


@pytest.mark.parametrize(("angle", "dash"), [(25.0, 0), (-70.0, 9)])
def test_a_turned_frame_is_drawn_in_strips_as_in_one(angle: float, dash: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw() -> NDArray[np.uint8]:
        canvas = Canvas(np.full((350, 420, 3), 90, np.uint8))
        canvas.outline(Box(40, 30, 390.4, 330), (250, 200, 10), 5, radius=20, opacity=0.7, dash=dash, angle_deg=angle)
        return canvas.array

    strips = draw()
    monkeypatch.setattr("fervid.drawing.canvas._ROWS", 10_000)
    assert np.array_equal(strips, draw())


def test_a_large_turned_frame_takes_little_memory() -> None:
    canvas = Canvas(np.zeros((1200, 1200, 3), np.uint8))
    tracemalloc.start()
    canvas.outline(Box(100, 100, 1100, 1100), (250, 200, 10), 5, angle_deg=20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 1200 * 1200
