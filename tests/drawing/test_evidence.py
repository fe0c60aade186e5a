"""Explained pictures: the tint is where the evidence is, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import fervid
from fervid.drawing.evidence import explain
from fervid.drawing.palette import INK, SPEAKS_AGAINST, SPEAKS_FOR, contrast_ratio, emotion_colour
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST
from fervid.errors import UsageError
from fervid.results import Analysis, Box, Evidence, Face

MIXED = {"happy": 0.6, "surprise": 0.3, "neutral": 0.1}
SQUARE = (60, 60, 180, 180)

MakeExplained = Callable[..., Face]


@pytest.fixture
def make_explained(make_face) -> MakeExplained:
    """A face whose most probable expression has the map that is given."""

    def make(square, places, probabilities=None, *, labels=EMOTIONS, angle_deg=0.0, **options) -> Face:
        face = make_face(square, probabilities or MIXED, labels=labels, **options)
        places = np.asarray(places, dtype=np.float64)
        maps = np.zeros((len(labels), *places.shape))
        maps[labels.index(face.probabilities.top)] = places
        evidence = Evidence(labels, maps, Box(*square), angle_deg)
        return Face(face.box, face.score, face.emotion, face.confidence, face.probabilities, face.votes,
                    track_id=face.track_id, evidence=evidence)  # fmt: skip

    return make


def hot(row: int, column: int, value: float = 8.0, shape: tuple[int, int] = (3, 3)) -> NDArray[np.float64]:
    places = np.zeros(shape)
    places[row, column] = value
    return places


def turn_back(shape: tuple[int, ...], angle_deg: float) -> NDArray[np.complex128]:
    """Of every pixel, x + iy from the middle of a tilted :data:`SQUARE` in its own directions."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5 - 120
    return np.asarray((x + 1j * y) * np.exp(-1j * np.radians(angle_deg)))


def warmth(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Red less blue."""
    return image[:, :, 0].astype(np.int64) - image[:, :, 2]


@pytest.mark.parametrize("shape", [(3, 3), (6, 6), (2, 5)])
@pytest.mark.parametrize("value", [8.0, -8.0])
def test_one_hot_place_tints_its_part_of_the_face_and_no_other(make_explained, make_analysis, shape, value) -> None:
    image = np.full((300, 500, 3), 120, np.uint8)
    rows, columns = shape
    for row, column in np.ndindex(shape):
        face = make_explained(SQUARE, hot(row, column, value, shape))
        tint = np.sign(value) * warmth(explain(image, make_analysis([face], image)))[64:176, 64:176]
        ys, xs = (tint > 8).nonzero()
        y1, y2 = 120 / rows * np.array([row - 0.5, row + 1.5]) - 4
        x1, x2 = 120 / columns * np.array([column - 0.5, column + 1.5]) - 4
        assert y1 <= ys.min() < ys.max() <= y2
        assert x1 <= xs.min() < xs.max() <= x2
        middle = tint[
            min(round(120 * (row + 0.5) / rows) - 4, 111), min(round(120 * (column + 0.5) / columns) - 4, 111)
        ]
        assert middle > 0.9 * tint.max() > 50
        assert tint.min() >= 0  # no ring of the other colour


def test_for_and_against_are_equally_strong(make_explained, make_analysis) -> None:
    image = np.full((300, 500, 3), 120, np.uint8)
    masks = []
    for value, colour in ((6.0, SPEAKS_FOR), (-6.0, SPEAKS_AGAINST)):
        face = make_explained(SQUARE, hot(1, 1, value))
        out = explain(image, make_analysis([face], image)).astype(np.float64)[64:176, 64:176]
        masks.append((out[:, :, 2] - 120) / (colour[2] - 120))
    assert masks[0] == pytest.approx(masks[1], abs=0.02)
    assert masks[0].max() == pytest.approx(0.62, abs=0.02)


def test_the_face_turns_grey_and_stays_visible_below_the_tint(picture, make_explained, make_analysis) -> None:
    face = make_explained(SQUARE, np.full((3, 3), 9.0))
    out = explain(picture, make_analysis([face], picture))[75:165, 75:165]
    grey = np.asarray(Image.fromarray(picture).convert("L"), dtype=np.float64)[75:165, 75:165]
    for channel in range(3):
        assert np.corrcoef(out[:, :, channel].ravel(), grey.ravel())[0, 1] > 0.99
    nothing = make_explained(SQUARE, np.zeros((3, 3)))
    out = explain(picture, make_analysis([nothing], picture))[75:165, 75:165]
    assert np.ptp(out.astype(int), axis=2).max() == 0
    assert out[:, :, 0] == pytest.approx(grey)


def test_weak_maps_are_paler_and_strong_ones_alike(make_explained, make_analysis) -> None:
    image = np.full((300, 500, 3), 120, np.uint8)
    peaks = []
    for value in (0.4, 2.0, 8.0, 80.0):
        out = explain(image, make_analysis([make_explained(SQUARE, hot(1, 1, value))], image))
        peaks.append(warmth(out)[70:170, 70:170].max())
    assert 0 < peaks[0] < peaks[1] < peaks[2] == peaks[3]


def test_nothing_changes_outside_the_square_the_label_and_the_panel(picture, make_explained, make_analysis) -> None:
    before = picture.copy()
    picture.flags.writeable = False
    analysis = make_analysis([make_explained(SQUARE, np.full((3, 3), 9.0))], picture)
    out = explain(picture, analysis)
    assert np.array_equal(picture, before)
    assert out.shape == picture.shape
    assert not np.shares_memory(out, picture)
    changed = (out != picture).any(axis=2)
    assert changed[62:178, 62:178].mean() > 0.95
    frame, plate, panel = np.zeros_like(changed), np.zeros_like(changed), np.zeros_like(changed)
    frame[54:186, 54:186] = plate[35:60, 54:200] = panel[40:260, 186:400] = True
    assert not changed[~(frame | plate | panel)].any()
    assert changed[plate & ~frame].mean() > 0.3
    assert changed[panel & ~frame].mean() > 0.3


def test_the_border_of_the_square_is_soft(make_explained, make_analysis) -> None:
    image = np.full((600, 1200, 3), 120, np.uint8)
    out = explain(image, make_analysis([make_explained((100, 100, 400, 400), np.full((3, 3), 9.0))], image))
    row = warmth(out)[250, 102:140]
    assert row[0] < 10 < 60 < row[-1]
    assert np.abs(np.diff(row)).max() < 15


@pytest.mark.parametrize("angle", [-130.0, -25.0, 0.001, 40.0, 90.0])
@pytest.mark.parametrize("place", [(0, 0), (0, 2), (2, 1)])
def test_the_tint_of_a_tilted_face_is_tilted(make_explained, make_analysis, angle, place) -> None:
    image = np.full((300, 700, 3), 120, np.uint8)
    face = make_explained(SQUARE, hot(*place), angle_deg=angle)
    tint = warmth(explain(image, make_analysis([face], image)))
    turned = turn_back(image.shape, angle)
    inside = np.maximum(np.abs(turned.real), np.abs(turned.imag)) < 55
    middle = turned[inside & (tint > 60)].mean()
    assert middle.real == pytest.approx(40 * (place[1] - 1), abs=5)
    assert middle.imag == pytest.approx(40 * (place[0] - 1), abs=5)


@pytest.mark.parametrize("uncertain", [False, True])
def test_the_frame_of_a_tilted_face_is_tilted(make_explained, make_analysis, uncertain) -> None:
    image = np.full((300, 700, 3), 120, np.uint8)
    face = make_explained(SQUARE, np.zeros((3, 3)), angle_deg=30.0, uncertain=uncertain)
    out = explain(image, make_analysis([face], image))
    turned = turn_back(image.shape, 30.0)
    distance = np.maximum(np.abs(turned.real), np.abs(turned.imag)) - 60
    straight = np.minimum(np.abs(turned.real), np.abs(turned.imag)) < 45
    drawn = out.max(axis=2) > 150
    line = drawn[straight & (distance > 0.7) & (distance < 1.3)].mean()
    assert 0.4 < line < 0.9 if uncertain else line > 0.98
    assert np.array_equal(out[distance < -3], image[distance < -3])
    beside = (distance > 8) & (np.arange(700) < 200) & (np.arange(300) > 60)[:, None]  # no label, no panel
    assert np.array_equal(out[beside], image[beside])


def test_the_panel_has_the_bars_and_the_legend(make_explained, make_analysis) -> None:
    image = np.full((300, 500, 3), 120, np.uint8)
    out = explain(image, make_analysis([make_explained(SQUARE, np.zeros((3, 3)))], image))
    beside = out[:, 190:]
    assert (beside == np.array(emotion_colour("surprise"))).all(axis=2).sum() > 60
    assert warmth(beside[150:250]).max() > 100  # the legend's warm end
    assert warmth(beside[150:250]).min() < -100  # and its cool one


def test_uncertain_faces_say_what_is_explained(make_explained, make_analysis) -> None:
    image = np.full((300, 600, 3), 120, np.uint8)
    outs = [
        explain(image, make_analysis([make_explained(SQUARE, hot(1, 1), uncertain=uncertain)], image))
        for uncertain in (False, True)
    ]
    assert np.array_equal(outs[0][70:170, 70:170], outs[1][70:170, 70:170])
    white = [(out[20:60] == 255).all(axis=2).sum() for out in outs]
    assert white[1] > 1000 > white[0]


def test_a_close_up_gets_its_bars_below(make_explained, make_analysis) -> None:
    image = np.full((200, 200, 3), 120, np.uint8)
    out = explain(image, make_analysis([make_explained((5, 5, 195, 195), hot(0, 0))], image))
    assert out.shape[1] == 200
    assert out.shape[0] > 300
    assert (out[200:] == np.array(emotion_colour("surprise"))).all(axis=2).sum() > 60
    assert (out[205:] == np.array(INK)).all(axis=2).mean() > 0.5
    assert (out[60:190, 60:190] == 120).mean() > 0.5  # no label on the face


def test_many_main_faces_are_numbered_below_and_crowds_get_the_legend_alone(make_explained, make_analysis) -> None:
    image = np.full((300, 800, 3), 120, np.uint8)
    four = [make_explained((x, 60, x + 170, 230), hot(1, 1)) for x in (10, 205, 400, 610)]
    out = explain(image, make_analysis(four, image))
    assert out.shape == (out.shape[0], 800, 3)
    surprise = (out[300:] == np.array(emotion_colour("surprise"))).all(axis=2)
    assert all(surprise[:, x : x + 200].sum() > 30 for x in (0, 200, 400, 600))  # each face's bars below it
    crowd = [make_explained((x, y, x + 40, y + 40), hot(1, 1)) for x in range(10, 760, 50) for y in range(10, 260, 60)]
    out = explain(image, make_analysis(crowd, image))
    assert 300 < out.shape[0] < 360
    assert warmth(out[300:]).max() > 100
    assert (out[300:] == np.array(emotion_colour("surprise"))).all(axis=2).sum() == 0


def test_faces_in_the_background_are_tinted_without_bars(make_explained, make_analysis) -> None:
    image = np.full((400, 900, 3), 120, np.uint8)
    faces = [make_explained((60, 60, 260, 260), hot(1, 1)), make_explained((700, 60, 750, 110), hot(1, 1))]
    out = explain(image, make_analysis(faces, image))
    assert out.shape == image.shape
    assert warmth(out)[70:100, 710:740].max() > 50
    assert warmth(out)[120:390, 650:890].max() == 0


def test_a_wide_label_hides_no_small_face(make_explained, make_analysis) -> None:
    image = np.full((400, 640, 3), 120, np.uint8)
    larges = [make_explained((x, 170, x + 130, 300), hot(1, 1), uncertain=True) for x in (60, 250, 440)]
    smalls = [(x + dx, y, x + dx + 30, y + 30) for x in (60, 250, 440) for dx, y in ((10, 125), (100, 125), (50, 310))]
    others = [make_explained(box, np.full((3, 3), -9.0)) for box in smalls]
    out = explain(image, make_analysis([*larges, *others], image))
    for x1, y1, x2, y2 in smalls:
        assert (warmth(out)[y1 + 6 : y2 - 6, x1 + 6 : x2 - 6] < -20).mean() > 0.8


def test_the_larger_of_two_overlapping_faces_is_on_top(make_explained, make_analysis) -> None:
    image = np.full((300, 700, 3), 120, np.uint8)
    small = make_explained((150, 100, 230, 180), np.full((3, 3), -9.0))
    large = make_explained(SQUARE, np.full((3, 3), 9.0))
    for faces in ([small, large], [large, small]):
        out = explain(image, make_analysis(faces, image))
        assert warmth(out)[120, 165] > 80
        assert warmth(out)[120, 205] < -80


@pytest.mark.parametrize(("labels", "bars"), [(EMOTIONS, True), (EMOTIONS_WITHOUT_DISGUST, False)])
def test_six_labels(picture, make_explained, make_analysis, labels, bars) -> None:
    shares = {"happy": 0.6, "disgust": 0.4} if bars else {"happy": 0.6, "angry": 0.4}
    out = explain(picture, make_analysis([make_explained(SQUARE, hot(1, 1), shares, labels=labels)], picture))
    assert ((out == np.array(emotion_colour("disgust"))).all(axis=2).sum() > 60) == bars
    assert warmth(out)[100:140, 100:140].mean() > 50


@pytest.mark.parametrize(
    "box",
    [
        (-50, -40, 60, 70),
        (430, 300, 600, 470),
        (-500, -500, 900, 900),
        (500, 10, 600, 110),
        (100, 100, 100, 100),
        (0, 0, 480, 480),
        (-1e9, -1e9, 1e9, 1e9),
        (200, 200, 200.4, 200.4),
    ],
)
@pytest.mark.parametrize("angle", [0.0, 20.0])
def test_squares_at_and_beyond_the_border(picture, make_explained, make_analysis, box, angle) -> None:
    out = explain(picture, make_analysis([make_explained(box, hot(1, 1), angle_deg=angle)], picture))
    outside = box[0] >= 480 or box[2] <= 0 or box[0] == box[2]  # also where it is turned
    assert out.shape[1] == picture.shape[1]
    assert np.array_equal(out, picture) == outside


def test_a_face_that_leaves_the_picture_keeps_its_places(make_explained, make_analysis) -> None:
    image = np.full((300, 500, 3), 120, np.uint8)
    face = make_explained((-60, 60, 60, 180), hot(1, 2))
    tint = warmth(explain(image, make_analysis([face], image)))[64:176, :56]
    y, x = np.unravel_index(tint.argmax(), tint.shape)
    assert abs(y - 56) < 12
    assert abs(x - 40) < 12
    left = warmth(explain(image, make_analysis([make_explained((-60, 60, 60, 180), hot(1, 0))], image)))
    assert left[64:176, :56].max() == 0  # that part of the face is not in the picture


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (5, 5), (48, 48)])
def test_tiny_pictures(make_explained, make_analysis, shape) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    out = explain(image, make_analysis([make_explained((0, 0, shape[1], shape[0]), hot(1, 1))], image))
    assert out.shape[0] >= shape[0]
    assert out.shape[1] >= shape[1]
    assert (out == np.array(emotion_colour("surprise"))).all(axis=2).sum() > 60  # the bars are there all the same


def test_everything_scales_with_the_picture(make_explained, make_analysis) -> None:
    drawn = []
    for scale in (1, 3):
        image = np.full((300 * scale, 500 * scale, 3), 120, np.uint8)
        face = make_explained(tuple(scale * v for v in SQUARE), np.full((3, 3), 9.0))
        out = explain(image, make_analysis([face], image))
        small = np.asarray(Image.fromarray(out).resize((500, 300), Image.Resampling.BOX), dtype=np.float64)
        drawn.append((np.abs(small - 120).max(axis=2) > 30).mean())
    assert drawn[1] == pytest.approx(drawn[0], rel=0.35)


def test_without_faces_an_equal_copy_comes_back(picture, make_analysis) -> None:
    out = explain(picture, make_analysis([], picture))
    assert np.array_equal(out, picture)
    assert not np.shares_memory(out, picture)


def test_what_cannot_be_explained_is_refused(picture, make_face, make_explained, make_analysis) -> None:
    with pytest.raises(UsageError, match="no evidence") as caught:
        explain(picture, make_analysis([make_face((10, 10, 50, 50))], picture))
    assert "evidence=True" in caught.value.advice
    with pytest.raises(UsageError, match="480×360"):
        explain(picture[:100], make_analysis([make_explained(SQUARE, hot(0, 0))], picture))


@pytest.mark.parametrize("grey", [25, 60, 100, 140, 180, 225])
def test_both_tints_differ_on_any_skin_in_any_vision(make_explained, make_analysis, see, grey) -> None:
    image = np.full((300, 500, 3), grey, np.uint8)
    faces = [make_explained(SQUARE, np.full((3, 3), value)) for value in (9.0, -9.0, 0.0)]
    warm, cool, plain = (see(explain(image, make_analysis([face], image))[120, 120]) for face in faces)
    assert np.linalg.norm(warm - cool) >= 0.2
    assert min(np.linalg.norm(warm - plain), np.linalg.norm(cool - plain)) >= 0.08


def test_the_legends_ends_can_be_told_from_the_panel() -> None:
    assert contrast_ratio(SPEAKS_FOR, INK) >= 3
    assert contrast_ratio(SPEAKS_AGAINST, INK) >= 3


squares = st.tuples(st.floats(-300, 700), st.floats(-300, 700), st.floats(0, 600))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(squares, max_size=5), value=st.floats(-1e6, 1e6), uncertain=st.booleans())
def test_any_faces_can_be_explained_twice_alike(make_explained, make_analysis, found, value, uncertain) -> None:
    image = np.full((200, 300, 3), 100, np.uint8)
    faces = [make_explained((x, y, x + s, y + s), hot(0, 2, value), uncertain=uncertain) for x, y, s in found]
    analysis: Analysis = make_analysis(faces, image)
    assert np.array_equal(explain(image, analysis), explain(image, analysis))
    assert (image == 100).all()


def test_the_public_name() -> None:
    assert fervid.explain is explain
