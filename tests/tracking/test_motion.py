import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.geometry import square_box
from fervid.results import Box
from fervid.tracking.motion import Motion, compare

STEPS = st.floats(0, 3)


def moving(velocity: float = 200.0, fps: float = 10.0, count: int = 10, side: float = 100.0) -> Motion:
    motion = Motion(square_box(0, 0, side))
    for i in range(1, count):
        motion = motion.predict(1 / fps)
        motion.correct(square_box(velocity * i / fps, 0, side))
    return motion


@given(STEPS, STEPS)
@settings(deadline=None)
def test_two_steps_are_one_step(first: float, second: float) -> None:
    once, twice = moving().predict(first + second), moving().predict(first).predict(second)
    assert twice.box.x1 == pytest.approx(once.box.x1, abs=1e-6)
    assert twice.innovation_variance == pytest.approx(once.innovation_variance, rel=1e-6)
    assert twice.speed == pytest.approx(once.speed)


def test_a_moving_face_is_expected_ahead_and_the_expectation_becomes_vague() -> None:
    motion = moving()
    assert motion.speed == pytest.approx(2.0, rel=0.1)
    assert motion.predict(0.1).box.centre[0] - motion.box.centre[0] == pytest.approx(20, rel=0.15)
    ahead = motion.predict(1.0)
    assert 100 < ahead.box.centre[0] - motion.box.centre[0] < 200  # a second on, half of the way is forgotten
    assert (ahead.innovation_variance > motion.innovation_variance).all()
    assert motion.box == moving().box  # predicting changes nothing


@pytest.mark.parametrize("fps", [5, 30, 240])
def test_the_frame_rate_does_not_matter(fps: float) -> None:
    motion = moving(fps=fps, count=round(2 * fps))
    ahead = motion.predict(0.3).box.centre[0] - 200 * (round(2 * fps) - 1) / fps
    assert ahead == pytest.approx(60 * (1 - np.exp(-0.3)) / 0.3, rel=0.15)


def test_far_and_near_faces_move_alike() -> None:
    near, far = moving(200, side=100), moving(20, side=10)
    assert near.speed == pytest.approx(far.speed)
    assert near.innovation_variance == pytest.approx(far.innovation_variance)


def test_jitter_is_smoothed() -> None:
    rng = np.random.default_rng(0)
    motion, offsets = Motion(square_box(0, 0, 100)), []
    for _ in range(300):
        motion = motion.predict(1 / 30)
        motion.correct(square_box(*rng.normal(0, 4, 2), 100))
        offsets.append(motion.box.centre[0])
    assert np.std(offsets) < 2.6


def test_the_size_is_followed() -> None:
    motion = Motion(Box(0, 0, 80, 100))
    for i in range(1, 30):
        motion = motion.predict(0.1)
        motion.correct(Box(0, 0, 80 * 1.02**i, 100 * 1.02**i))
    assert motion.box.height == pytest.approx(100 * 1.02**29, rel=0.04)
    assert motion.box.width / motion.box.height == pytest.approx(0.8, rel=0.01)


def test_distances_are_in_units_of_what_is_expected() -> None:
    motion = Motion(square_box(0, 0, 100)).predict(0.1)
    away = motion.innovation_variance[0] ** 0.5 * 100
    distances, vagueness = compare([motion, motion.predict(0.5)], [square_box(0, 0, 100), square_box(2 * away, 0, 100)])
    assert distances[0] == pytest.approx([0, 4])
    assert distances[1, 1] < 4
    assert vagueness[0] < vagueness[1]
    assert compare([motion], [])[0].shape == (1, 0)


def test_correcting_says_how_far_the_prediction_was_off() -> None:
    assert Motion(square_box(0, 0, 100)).correct(square_box(30, 40, 100)) == pytest.approx(0.5)


def test_an_empty_box_is_no_harm() -> None:
    motion = Motion(Box(5, 5, 5, 5))
    motion.correct(Box(6, 6, 6, 6))
    assert motion.box.width == pytest.approx(1, rel=0.1)
