"""Emoji over and beside faces."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fervid
from fervid.drawing.emoji import render_emoji
from fervid.drawing.emojification import emojify, measure_tilt
from fervid.errors import ImageError, UsageError

MIXED = {"happy": 0.6, "surprise": 0.4}


@pytest.mark.parametrize("placement", ["over", "beside"])
def test_the_picture_given_is_never_changed(picture, make_face, make_analysis, placement) -> None:
    before = picture.copy()
    picture.flags.writeable = False
    out = emojify(picture, make_analysis([make_face((150, 80, 260, 220), MIXED)], picture), placement=placement)
    assert np.array_equal(picture, before)
    assert out.shape == picture.shape
    assert out.dtype == np.uint8
    assert not np.array_equal(out, picture)


@pytest.mark.parametrize("placement", ["over", "beside"])
def test_without_faces_an_equal_copy_comes_back(picture, make_analysis, placement) -> None:
    out = emojify(picture, make_analysis([], picture), placement=placement)
    assert np.array_equal(out, picture)
    assert not np.shares_memory(out, picture)


def test_over_covers_the_face_and_little_else(picture, make_face, make_analysis) -> None:
    out = emojify(picture, make_analysis([make_face((150, 80, 260, 220), MIXED)], picture))
    changed = (out != picture).any(axis=2)
    assert changed[90:210, 170:240].all()
    rows, columns = np.nonzero(changed)
    assert columns.min() > 100
    assert columns.max() < 310
    assert rows.min() > 50
    assert rows.max() < 250


def test_over_is_the_very_emoji(make_face, make_analysis) -> None:
    image = np.full((200, 200, 3), 255, np.uint8)
    out = emojify(image, make_analysis([make_face((50, 50, 150, 150), MIXED)], image))
    emoji = render_emoji(MIXED, 122).astype(np.float64)
    expected = emoji[..., :3] * emoji[..., 3:] / 255 + 255 - emoji[..., 3:]
    assert np.abs(out[39:161, 39:161] - expected).max() <= 2


def test_beside_leaves_the_face_free(picture, make_face, make_analysis) -> None:
    box = (150, 80, 260, 220)
    out = emojify(picture, make_analysis([make_face(box, MIXED)], picture), placement="beside")
    changed = (out != picture).any(axis=2)
    assert not changed[80:220, 150:260].any()
    assert changed.sum() > 0.4 * 140 * 110 * 0.8


def test_beside_leaves_neighbours_free(make_face, make_analysis) -> None:
    image = np.full((400, 640, 3), 128, np.uint8)
    faces = [make_face((40 + 150 * i, 150, 120 + 150 * i, 250), MIXED) for i in range(4)]
    out = emojify(image, make_analysis(faces, image), placement="beside")
    assert (out != image).any()
    for face in faces:
        assert (out[150:250, int(face.box.x1) : int(face.box.x2)] == 128).all()


def test_an_uncertain_face_gets_the_face_of_its_mixture(picture, make_face, make_analysis) -> None:
    outs = [
        emojify(picture, make_analysis([make_face((150, 80, 260, 220), MIXED, uncertain=uncertain)], picture))
        for uncertain in (False, True)
    ]
    assert np.array_equal(*outs)


def test_the_nearest_face_lies_on_top(make_face, make_analysis) -> None:
    image = np.full((300, 300, 3), 128, np.uint8)
    near, far = make_face((80, 80, 220, 220), {"angry": 1.0}), make_face((190, 110, 240, 160), {"disgust": 1.0})
    alone = emojify(image, make_analysis([near], image))
    for faces in ([near, far], [far, near]):
        both = emojify(image, make_analysis(faces, image))
        assert np.array_equal(both[100:200, 100:200], alone[100:200, 100:200])
        assert not np.array_equal(both, alone)


def test_tilt_comes_from_the_quality_or_else_from_the_eyes(make_face) -> None:
    eyes = np.array([[10, 10], [20, 20], [15, 18], [12, 25], [20, 27]], dtype=np.float64)
    assert measure_tilt(make_face((0, 0, 9, 9))) == 0
    assert measure_tilt(make_face((0, 0, 9, 9), landmarks=eyes)) == pytest.approx(45)
    assert measure_tilt(make_face((0, 0, 9, 9), landmarks=eyes, roll_deg=-12.0)) == -12


def test_the_emoji_turns_with_the_face(make_face, make_analysis) -> None:
    image = np.full((200, 200, 3), 255, np.uint8)
    upright = emojify(image, make_analysis([make_face((50, 50, 150, 150), {"angry": 1.0})], image))
    turned = emojify(image, make_analysis([make_face((50, 50, 150, 150), {"angry": 1.0}, roll_deg=90.0)], image))
    assert np.abs(np.rot90(upright, -1).astype(float) - turned).mean() < 2
    assert np.abs(upright.astype(float) - turned).mean() > 5


@pytest.mark.parametrize("placement", ["over", "beside"])
@pytest.mark.parametrize(
    "box",
    [
        (-50, -40, 60, 70),
        (430, 300, 600, 500),
        (-500, -500, 900, 900),
        (500, 10, 600, 90),
        (-90, -90, -10, -10),
        (100, 100, 100, 160),
        (0, 0, 480, 360),
        (-1e9, -1e9, 1e9, 1e9),
        (200, 200, 200.4, 200.3),
        (1e7, 0, 1e8, 1),
    ],
)
def test_boxes_at_and_beyond_the_border(picture, make_face, make_analysis, box, placement) -> None:
    out = emojify(picture, make_analysis([make_face(box, MIXED)], picture), placement=placement)
    assert out.shape == picture.shape
    if box[0] >= 480 or box[2] <= 0 or box[0] == box[2]:
        assert np.array_equal(out, picture)


@pytest.mark.parametrize("placement", ["over", "beside"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (6, 6)])
def test_tiny_pictures(make_face, make_analysis, shape, placement) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    face = make_face((0, 0, shape[1], shape[0]), MIXED)
    assert emojify(image, make_analysis([face], image), placement=placement).shape == image.shape


def test_a_face_larger_than_any_emoji(make_face, make_analysis) -> None:
    image = np.zeros((1600, 1600, 3), np.uint8)
    out = emojify(image, make_analysis([make_face((160, 160, 1440, 1440), {"happy": 1.0})], image))
    covered = out.any(axis=2).mean()
    assert covered == pytest.approx(math.pi / 4 * (0.96 * 1.22 * 0.8) ** 2, rel=0.02)


def test_wrong_arguments_are_refused(picture, make_face, make_analysis) -> None:
    analysis = make_analysis([make_face((10, 10, 50, 50))], picture)
    with pytest.raises(UsageError, match="under"):
        emojify(picture, analysis, placement="under")
    with pytest.raises(UsageError, match="480×360"):
        emojify(picture[:50], analysis)
    with pytest.raises(ImageError):
        emojify(picture.astype(np.float64), analysis)


boxes = st.tuples(st.floats(-300, 700), st.floats(-300, 700), st.floats(0, 300), st.floats(0, 300))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(boxes, max_size=4), placement=st.sampled_from(["over", "beside"]), roll=st.floats(-180, 180))
def test_any_faces_can_be_drawn_twice_alike(make_face, make_analysis, found, placement, roll) -> None:
    image = np.full((200, 300, 3), 100, np.uint8)
    faces = [make_face((x, y, x + w, y + h), MIXED, roll_deg=roll) for x, y, w, h in found]
    analysis = make_analysis(faces, image)
    outs = [emojify(image, analysis, placement=placement) for _ in range(2)]
    assert np.array_equal(*outs)
    assert (image == 100).all()


def test_the_public_name() -> None:
    assert fervid.emojify is emojify
