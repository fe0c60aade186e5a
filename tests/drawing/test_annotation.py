"""Annotated pictures: nothing is drawn where it should not be, everything that was found is shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import fervid
from fervid.drawing.annotation import annotate, describe_face
from fervid.drawing.palette import emotion_colour
from fervid.emotions import EMOTIONS_WITHOUT_DISGUST
from fervid.errors import ImageError, SizeError, UsageError

MIXED = {"happy": 0.6, "surprise": 0.3, "neutral": 0.1}


def count_colour(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    return int((image == np.array(colour)).all(axis=2).sum())


def test_the_picture_given_is_never_changed(picture, make_face, make_analysis) -> None:
    before = picture.copy()
    picture.flags.writeable = False
    out = annotate(picture, make_analysis([make_face((150, 80, 260, 220), MIXED)], picture))
    assert np.array_equal(picture, before)
    assert out.shape == picture.shape
    assert out.dtype == np.uint8
    assert out.flags.writeable
    assert not np.shares_memory(out, picture)
    assert not np.array_equal(out, picture)


def test_without_faces_an_equal_copy_comes_back(picture, make_analysis) -> None:
    out = annotate(picture, make_analysis([], picture))
    assert np.array_equal(out, picture)
    assert not np.shares_memory(out, picture)


def test_the_frame_has_the_colour_of_the_expression_and_stays_off_the_face(picture, make_face, make_analysis) -> None:
    out = annotate(picture, make_analysis([make_face((150, 80, 260, 220), MIXED)], picture), labels=False)
    colour = emotion_colour("happy")
    assert out[150, 149].tolist() == list(colour)
    assert out[150, 260].tolist() == list(colour)
    assert np.array_equal(out[90:210, 160:250], picture[90:210, 160:250])
    assert np.array_equal(out[:60], picture[:60])  # no label


def test_labels_add_a_plate_and_the_bars(picture, make_face, make_analysis) -> None:
    analysis = make_analysis([make_face((100, 100, 210, 240), MIXED)], picture)
    bare, full = annotate(picture, analysis, labels=False), annotate(picture, analysis)
    drawn = (bare != full).any(axis=2)
    assert drawn[70:98, 100:200].mean() > 0.5  # the plate above
    assert drawn[:, 220:].sum() > 5000  # the panel at the right
    assert not drawn[105:235, 105:205].any()  # the face stays free
    happy = count_colour(full, emotion_colour("happy")) - count_colour(bare, emotion_colour("happy"))
    surprise = count_colour(full, emotion_colour("surprise")) - count_colour(bare, emotion_colour("surprise"))
    assert happy > surprise > 30


def test_a_bar_is_as_long_as_its_share(picture, make_face, make_analysis) -> None:
    lengths = []
    for share in (0.2, 0.4):
        face = make_face((100, 100, 210, 240), {"happy": 1 - share, "sad": share})
        out = annotate(picture, make_analysis([face], picture))
        lengths.append((out == np.array(emotion_colour("sad"))).all(axis=2).any(axis=0).sum())
    assert lengths[1] / lengths[0] == pytest.approx(2, rel=0.15)


def test_an_uncertain_face_is_dashed(picture, make_face, make_analysis) -> None:
    frames = []
    for uncertain in (False, True):
        face = make_face((150, 80, 260, 220), MIXED, uncertain=uncertain)
        out = annotate(picture, make_analysis([face], picture), labels=False)
        colour = emotion_colour(None if uncertain else "happy")
        frames.append((out[80:220, 149] == np.array(colour)).all(axis=1).mean())
    assert frames[0] > 0.95
    assert 0.3 < frames[1] < 0.75


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"probabilities": {"happy": 0.934, "sad": 0.066}}, "happy 93 %"),
        ({"probabilities": MIXED, "uncertain": True}, "uncertain"),
        ({"probabilities": {"sad": 1.0}, "track_id": 3}, "#3 sad 100 %"),
    ],
)
def test_what_a_label_says(make_face, arguments, text) -> None:
    assert describe_face(make_face((0, 0, 9, 9), **arguments)) == text


def test_six_labels_make_six_bars(picture, make_face, make_analysis) -> None:
    face = make_face((100, 100, 210, 240), MIXED, labels=EMOTIONS_WITHOUT_DISGUST)
    out = annotate(picture, make_analysis([face], picture))
    assert count_colour(out, emotion_colour("disgust")) == 0
    assert not np.array_equal(out, picture)


def test_bars_go_to_every_main_face_or_to_none(make_face, make_analysis) -> None:
    image = np.full((300, 900, 3), 128, np.uint8)
    apart = [make_face((40, 60, 160, 200), MIXED), make_face((480, 60, 600, 200), MIXED)]
    crowded = [*apart, make_face((610, 60, 730, 200), MIXED), make_face((740, 60, 860, 200), MIXED)]
    crowded += [make_face((x, 60, x + 100, 200), MIXED) for x in (170, 275, 375)]
    # The panel's second bar is the only thing drawn in the colour of surprise.
    assert count_colour(annotate(image, make_analysis(apart, image)), emotion_colour("surprise")) > 60
    assert count_colour(annotate(image, make_analysis(crowded, image)), emotion_colour("surprise")) == 0


def test_faces_are_not_covered_by_the_labels_of_others(make_face, make_analysis) -> None:
    image = np.full((400, 640, 3), 128, np.uint8)
    boxes = [(20 + 50 * c + 20 * (r % 2), 60 + 95 * r) for r in range(3) for c in range(12)]
    faces = [make_face((x, y, x + 22, y + 28), {"happy": 0.8, "sad": 0.2}) for x, y in boxes]
    out = annotate(image, make_analysis(faces, image))
    for x, y in boxes:
        assert (out[y + 4 : y + 24, x + 4 : x + 18] == 128).mean() > 0.85
    plates = count_colour(out, emotion_colour("happy"))
    assert plates > len(boxes) * 300  # everyone has a plate


def test_everything_scales_with_the_picture(make_face, make_analysis) -> None:
    images = []
    for scale in (1, 3):
        image = np.full((300 * scale, 420 * scale, 3), 128, np.uint8)
        box = tuple(scale * v for v in (60, 60, 170, 200))
        out = annotate(image, make_analysis([make_face(box, MIXED)], image))
        images.append(np.asarray(Image.fromarray(out).resize((420, 300), Image.Resampling.BOX), dtype=np.float64))
    drawn = [(np.abs(image - 128).max(axis=2) > 30).mean() for image in images]
    assert drawn[1] == pytest.approx(drawn[0], rel=0.35)


@pytest.mark.parametrize(
    "box",
    [
        (-50, -40, 60, 70),
        (430, 300, 600, 500),
        (-500, -500, 900, 900),
        (500, 10, 600, 90),
        (-90, -90, -10, -10),
        (100, 100, 100, 160),
        (100, 100, 160, 100),
        (0, 0, 480, 360),
        (-1e9, -1e9, 1e9, 1e9),
        (200, 200, 200.4, 200.3),
    ],
)
def test_boxes_at_and_beyond_the_border(picture, make_face, make_analysis, box) -> None:
    out = annotate(picture, make_analysis([make_face(box, MIXED)], picture))
    assert out.shape == picture.shape
    outside = box[0] >= 480 or box[2] <= 0 or box[0] == box[2] or box[1] == box[3]
    assert np.array_equal(out, picture) == outside


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (5, 5), (20, 20)])
def test_tiny_pictures(make_face, make_analysis, shape) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    out = annotate(image, make_analysis([make_face((0, 0, shape[1], shape[0]), MIXED)], image))
    assert out.shape == image.shape


def test_a_huge_picture(make_face, make_analysis) -> None:
    image = np.zeros((2000, 3000, 3), np.uint8)
    out = annotate(image, make_analysis([make_face((1000, 500, 1750, 1500), MIXED)], image))
    assert count_colour(out, emotion_colour("happy")) > 12_000


def test_grey_pictures_become_rgb(make_face, make_analysis) -> None:
    grey = np.full((120, 160), 77, np.uint8)
    out = annotate(grey, make_analysis([make_face((20, 20, 60, 70))], grey))
    assert out.shape == (120, 160, 3)
    assert out[119, 159].tolist() == [77, 77, 77]


@pytest.mark.parametrize(
    "wrong", [np.zeros((10, 10, 3), np.float32), np.zeros((10, 10, 2), np.uint8), np.zeros((0, 10, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(make_analysis, wrong) -> None:
    with pytest.raises(ImageError):
        annotate(wrong, make_analysis([], wrong))


def test_the_analysis_of_another_picture_is_refused(picture, make_face, make_analysis) -> None:
    analysis = make_analysis([make_face((10, 10, 50, 50))], picture)
    with pytest.raises(UsageError, match="480×360"):
        annotate(picture[:100], analysis)


def test_pictures_as_large_as_those_analysed_are_drawn_on(
    picture, make_face, make_analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = make_analysis([make_face((10, 10, 50, 50))], picture)
    monkeypatch.setattr("fervid.drawing.canvas.MAX_PIXELS", 1000)
    assert (annotate(picture, analysis) != picture).any()
    with pytest.raises(SizeError):
        annotate(np.vstack([picture, picture]), analysis)


boxes = st.tuples(st.floats(-300, 700), st.floats(-300, 700), st.floats(0, 600), st.floats(0, 600))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(boxes, max_size=6), uncertain=st.booleans())
def test_any_faces_can_be_drawn_twice_alike(make_face, make_analysis, found, uncertain) -> None:
    image = np.full((200, 300, 3), 100, np.uint8)
    faces = [make_face((x, y, x + w, y + h), MIXED, uncertain=uncertain) for x, y, w, h in found]
    analysis = make_analysis(faces, image)
    first, second = annotate(image, analysis), annotate(image, analysis)
    assert np.array_equal(first, second)
    assert (image == 100).all()


def test_the_public_name() -> None:
    assert fervid.annotate is annotate
