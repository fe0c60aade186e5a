import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fervid.geometry import (
    Square,
    boxes_to_array,
    central_box,
    central_square,
    clip_box,
    grow_box,
    intersection_over_union,
    make_square,
    move_points,
    scale_box,
    shrink_box,
    square_box,
    suppress_overlaps,
)
from fervid.results import Box

coordinates = st.floats(-1e4, 1e4)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x1, y1 = draw(coordinates), draw(coordinates)
    return Box(x1, y1, x1 + draw(st.floats(0, 1e4)), y1 + draw(st.floats(0, 1e4)))


@given(boxes(), st.floats(1, 1e4), st.floats(1, 1e4))
def test_a_clipped_box_lies_inside_and_stays_when_clipped_again(box: Box, width: float, height: float) -> None:
    clipped = clip_box(box, width, height)
    assert 0 <= clipped.x1 <= clipped.x2 <= width
    assert 0 <= clipped.y1 <= clipped.y2 <= height
    assert clip_box(clipped, width, height) == clipped
    assert clipped.area <= box.area * (1 + 1e-9)


@given(boxes(), st.floats(0.01, 100))
def test_scaling_there_and_back_changes_nothing(box: Box, factor: float) -> None:
    back = scale_box(scale_box(box, factor), 1 / factor)
    assert (back.x1, back.y1, back.x2, back.y2) == pytest.approx((box.x1, box.y1, box.x2, box.y2), rel=1e-9, abs=1e-6)


@given(boxes(), st.floats(0.1, 3))
def test_shrinking_keeps_the_centre(box: Box, factor: float) -> None:
    small = shrink_box(box, factor)
    assert small.centre == pytest.approx(box.centre, abs=1e-6)
    assert small.width == pytest.approx(box.width * factor, abs=1e-6)


def test_overlap_of_known_boxes() -> None:
    a = boxes_to_array([Box(0, 0, 10, 10), Box(0, 0, 0, 0)])
    b = boxes_to_array([Box(5, 0, 15, 10), Box(0, 0, 10, 10), Box(20, 20, 30, 30)])
    assert intersection_over_union(a, b) == pytest.approx(np.array([[1 / 3, 1, 0], [0, 0, 0]]))


@given(st.lists(boxes(), max_size=8), st.integers(0, 100))
def test_suppression_keeps_the_best_and_nothing_that_overlaps(found: list[Box], seed: int) -> None:
    array = boxes_to_array(found)
    scores = np.random.default_rng(seed).random(len(found))
    kept = suppress_overlaps(array, scores, 0.5)
    assert (not found) == (not kept)
    if found:
        assert kept[0] == scores.argmax()
        overlaps = intersection_over_union(array[kept], array[kept]) - np.eye(len(kept)) * 2
        assert overlaps.max() <= 0.5
        assert list(scores[kept]) == sorted(scores[kept], reverse=True)


def test_squares_and_centres() -> None:
    assert square_box(5, 6, 4) == Box(3, 4, 7, 8)
    assert central_box(48, 48, 44 / 48) == Box(2, 2, 46, 46)
    assert central_square(48, 48) == Box(0, 0, 48, 48)
    assert central_square(64, 49) == Box(7.5, 0, 56.5, 49)
    assert make_square(Box(0, 10, 16, 14)) == Box(4, 8, 12, 16)


@given(boxes())
def test_a_made_square_keeps_middle_and_area_and_squares_stay(box: Box) -> None:
    box = grow_box(box, 1)
    square = make_square(box)
    assert square.area == pytest.approx(box.area)
    assert square.centre == pytest.approx(box.centre, abs=1e-6)
    assert make_square(square) is square


@given(boxes(), st.floats(0, 100))
def test_a_grown_box_has_the_margin_at_every_side(box: Box, margin: float) -> None:
    grown = grow_box(box, margin)
    assert grown.centre == pytest.approx(box.centre, abs=1e-6)
    assert (grown.width, grown.height) == pytest.approx((box.width + 2 * margin, box.height + 2 * margin), abs=1e-6)


@given(boxes(), boxes(), st.integers(0, 9))
def test_points_move_with_their_box(box: Box, other: Box, seed: int) -> None:
    box, other = grow_box(box, 1), grow_box(other, 1)
    shares = np.random.default_rng(seed).random((5, 2))
    points = shares * (box.width, box.height) + (box.x1, box.y1)
    moved = move_points(points, box, other)
    assert moved == pytest.approx(shares * (other.width, other.height) + (other.x1, other.y1), abs=1e-4)


@given(coordinates, coordinates, st.floats(1, 1e3), st.floats(-360, 360), st.floats(0.1, 2))
def test_a_turned_square_lies_in_its_bounds(x: float, y: float, side: float, angle: float, factor: float) -> None:
    square = Square(square_box(x, y, side), angle).shrink(factor)
    half = side * factor / 2
    corners = np.array([1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j]) * half * np.exp(1j * np.radians(angle)) + complex(x, y)
    bounds = square.bounds
    assert square.angle_deg == angle
    assert (bounds.x1, bounds.x2) == pytest.approx((corners.real.min(), corners.real.max()), abs=1e-6)
    assert (bounds.y1, bounds.y2) == pytest.approx((corners.imag.min(), corners.imag.max()), abs=1e-6)
