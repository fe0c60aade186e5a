import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fervid.detection.alignment import MEAN_POINTS, TILTED_DEG, UPRIGHT_DEG, align, choose_angle, measure_tilt
from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.results import Box


def place_points(angle: float, scale: float, x: float, y: float) -> NDArray[np.float64]:
    """The mean points, turned clockwise, scaled and moved."""
    turn = np.radians(angle)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(np.array(MEAN_POINTS) @ matrix.T * scale + [x, y])


@settings(deadline=None)
@given(st.floats(-170, 170), st.floats(1, 1000), st.floats(-500, 500), st.floats(-500, 500))
def test_the_tilt_is_the_angle_whatever_size_and_place(angle: float, scale: float, x: float, y: float) -> None:
    assert measure_tilt(place_points(angle, scale, x, y)) == pytest.approx(angle, abs=1e-6)


def test_eyes_that_fall_to_the_right_tilt_clockwise() -> None:
    points = np.array([[0, 0], [10, 4], [4, 7], [0, 11], [7, 14]], dtype=np.float64)
    assert 10 < measure_tilt(points) < 40


def test_nearly_upright_faces_are_left_alone_and_nothing_jumps() -> None:
    assert choose_angle(None) == 0
    for angle in (0.0, 3.0, -UPRIGHT_DEG + 0.01):
        assert choose_angle(place_points(angle, 50, 0, 0)) == 0
    for angle in (TILTED_DEG, -TILTED_DEG - 0.1, 30.0, -75.0):
        assert choose_angle(place_points(angle, 50, 0, 0)) == pytest.approx(angle)
    angles = np.arange(-40, 40, 0.25)
    chosen = np.array([choose_angle(place_points(angle, 50, 0, 0)) for angle in angles])
    assert (np.diff(chosen) >= 0).all()
    assert np.diff(chosen).max() < 1


def test_the_square_is_that_of_the_box_turned_by_the_points() -> None:
    box, framing = Box(10, 20, 50, 70), Framing(0.9, 0.01, -0.02)
    for degrees, angle in ((0.0, 0.0), (30.0, 30.0), (-90.0, -90.0)):
        square = align(Detection(box, 0.9, place_points(degrees, 45, 10, 20)), framing)
        assert square.box == framing.apply(box)
        assert square.angle_deg == pytest.approx(angle, abs=1e-9)
    assert align(Detection(box, 0.9), framing).angle_deg == 0
