import dataclasses

import numpy as np
import pytest

from fervid.drawing.emojification import measure_tilt
from fervid.drawing.palette import INK, emotion_colour
from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
from fervid.live.view import (
    View,
    ViewMode,
    choose_window_size,
    draw_notice,
    fit_size,
    measure_strip,
    mirror_face,
    scale_face,
)
from fervid.results import Box, Distribution, Face, Quality

POINTS = np.array([[40.0, 60], [80, 52], [60, 75], [45, 90], [80, 85]])
FACE = Face(
    Box(30, 40, 90, 100), 0.9, Emotion.SURPRISE, 0.7, Distribution(EMOTIONS, [0.05, 0.05, 0.05, 0.05, 0.05, 0.7, 0.05]),
    Distribution(VOTE_LABELS, np.full(8, 1 / 8)), POINTS, Quality(50, 100, -11.3, 0.2), 3,
)  # fmt: skip
PICTURE = np.full((240, 320, 3), 100, dtype=np.uint8)
PICTURE[:, :160] = 60


def find_colour(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.argwhere((np.abs(image.astype(int) - colour) < 12).all(axis=2))


def test_the_picture_has_faces_a_status_line_and_nothing_of_the_callers_is_changed() -> None:
    before = PICTURE.copy()
    strip = measure_strip(240)
    image = View("q quit").compose(PICTURE, [FACE], (320, 240 + strip), ViewMode(), status="30 pictures/s")
    assert image.shape == (240 + strip, 320, 3)
    assert np.array_equal(PICTURE, before)
    marked = find_colour(image, emotion_colour(Emotion.SURPRISE))
    assert len(marked) > 300
    assert marked[:, 1].min() < 40
    assert (image[200, 10] == 60).all()
    line = image[240:]
    assert (line == INK).all(axis=2).mean() > 0.6
    assert line[:, :100].max() > 240
    assert line[:, -60:].max() > 100


def test_a_mirror_exchanges_left_and_right_but_writes_as_before() -> None:
    strip = measure_strip(240)
    room = (320, 240 + strip)
    image = View("").compose(PICTURE, [FACE], room, ViewMode(mirror=True), status="read me")
    plain = View("").compose(PICTURE, [FACE], room, ViewMode(), status="read me")
    assert (image[200, 310] == 60).all()
    assert (image[200, 10] == 100).all()
    assert (image[240:] == plain[240:]).all()
    marked = find_colour(image, emotion_colour(Emotion.SURPRISE))
    assert marked[:, 1].max() > 280
    label = View("").compose(PICTURE, [], room, ViewMode(mirror=True))
    assert len(find_colour(label, emotion_colour(Emotion.SURPRISE))) == 0


def test_emoji_cover_the_face() -> None:
    room = (320, 240 + measure_strip(240))
    image = View("").compose(PICTURE, [FACE], room, ViewMode(emoji=True))
    inside = image[50:90, 40:80].reshape(-1, 3).astype(int)
    assert (np.ptp(inside, axis=1) > 60).mean() > 0.5


def test_a_small_picture_fills_a_large_window_and_faces_grow_with_it() -> None:
    image = View("").compose(PICTURE, [FACE], (1000, 700), ViewMode())
    height, width = image.shape[:2]
    assert width <= 1000
    assert height <= 700
    assert width >= 995 or height >= 695
    marked = find_colour(image, emotion_colour(Emotion.SURPRISE))
    assert marked[:, 1].max() > 90 * (width / 320) - 5


def test_a_notice_darkens_the_picture_and_stands_in_its_middle() -> None:
    image = draw_notice(PICTURE, "camera 0 is lost: trying again")
    assert image[10, 300].max() < 70
    assert image[110:130].max() > 240
    tiny = draw_notice(PICTURE[:20, :30], "a long sentence that does not fit")
    assert tiny.shape == (20, 30, 3)


def test_sizes_keep_their_shape() -> None:
    assert fit_size((1280, 720), (1280, 10_000)) == (1280, 720)
    assert fit_size((1280, 720), choose_window_size((1280, 720))) == (1280, 720)
    assert fit_size((640, 480), (5000, 5000)) == (1920, 1440)
    width, height = fit_size((640, 480), (400, 900))
    assert (width, height) == (400, 300)
    assert fit_size((640, 480), (1, 1)) == (1, 1)
    assert choose_window_size((320, 240)) == (960, 720 + measure_strip(720))
    assert choose_window_size((1280, 720)) == (1280, 720 + measure_strip(720))


def test_a_face_that_is_mirrored_twice_is_itself() -> None:
    once = mirror_face(FACE, 320)
    assert once.box == Box(230, 40, 290, 100)
    assert once.landmarks is not None
    assert once.landmarks[0].tolist() == [240, 52]  # the person's right eye is at the left of the picture
    assert once.quality is not None
    assert once.quality.roll_deg == pytest.approx(11.3)
    assert mirror_face(once, 320) == FACE
    bare = dataclasses.replace(FACE, quality=None)
    assert measure_tilt(mirror_face(bare, 320)) == pytest.approx(-measure_tilt(bare))
    assert mirror_face(dataclasses.replace(bare, landmarks=None), 320).landmarks is None


def test_a_face_that_is_scaled() -> None:
    face = scale_face(FACE, 2.0)
    assert face.box == Box(60, 80, 180, 200)
    assert face.landmarks is not None
    assert (face.landmarks == 2 * POINTS).all()
