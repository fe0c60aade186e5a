"""What is drawn on films: it marks the faces, and stays where it is."""

import itertools

import numpy as np
import pytest

from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
from fervid.results import Box, Distribution, Face, Frame
from fervid.streaming.drawing import FilmDrawer
from fervid.streaming.thumbnails import SIDE, Thumbnails

VOTES = Distribution(VOTE_LABELS, np.full(8, 1 / 8))
EVEN = Distribution(EMOTIONS, np.full(7, 1 / 7))


def make_face(x: float, y: float, side: float, track: int | None, score: float = 0.9) -> Face:
    return Face(Box(x, y, x + side, y + side), score, Emotion.HAPPY, 0.8, EVEN, VOTES, track_id=track)


def make_frame(index: int, *faces: Face) -> Frame:
    return Frame(faces, (1280, 720), "m", "d", index=index, time_s=index / 25)


PLAIN = np.full((720, 1280, 3), 90, dtype=np.uint8)


def test_faces_labels_and_bars_are_drawn_on_a_copy() -> None:
    image = FilmDrawer("labels").draw(PLAIN, make_frame(0, make_face(500, 300, 150, 1)))
    assert (PLAIN == 90).all()
    changed = (image != PLAIN).any(axis=2)
    assert changed[:299, 490:800].any(), "the label"
    assert changed[300:450, 660:900].mean() > 0.5, "the bars"
    assert not changed[310:440, 510:640].any(), "the face"
    assert not changed[:, :480].any()


def test_a_frame_without_faces_stays_as_it_is() -> None:
    assert FilmDrawer("labels").draw(PLAIN, make_frame(0)) is PLAIN


def test_labels_and_bars_keep_their_places_while_faces_move() -> None:
    drawer, places = FilmDrawer("labels"), []
    wobble = np.random.default_rng(1)
    for index in range(100):
        jitter = wobble.normal(size=3)
        frame = make_frame(index, make_face(1000 - 3 * index + jitter[0], 300 + jitter[1], 150 + 2 * jitter[2], 1))
        drawer.draw(PLAIN, frame)
        place = drawer._places[1]
        places.append((place.plate, place.panel, place.plate_px, place.panel_px))
    assert len(set(places)) == 1


def test_bars_go_to_the_other_side_when_somebody_comes() -> None:
    drawer, seen = FilmDrawer("labels"), []
    for index in range(60):
        coming = make_face(1200 - 12 * index, 290, 160, 2)
        image = drawer.draw(PLAIN, make_frame(index, make_face(300, 300, 150, 1), coming))
        box = coming.box
        inside = image[round(box.y1) + 8 : round(box.y2) - 8, round(box.x1) + 8 : min(round(box.x2) - 8, 1280)]
        assert np.median(inside) == 90, "nothing covers a face"
        seen.append(drawer._places[1].panel)
    changes = sum(a != b for a, b in itertools.pairwise(seen))
    assert 1 <= changes <= 3
    assert seen[0] is not None
    assert seen[-1] != seen[0]


def test_who_is_gone_is_forgotten() -> None:
    drawer = FilmDrawer("labels")
    drawer.draw(PLAIN, make_frame(0, make_face(500, 300, 150, 1)))
    drawer.draw(PLAIN, make_frame(500, make_face(500, 300, 150, 2)))
    assert set(drawer._places) == {2}


@pytest.mark.parametrize("style", ["over", "beside"])
def test_emoji(style: str) -> None:
    image = FilmDrawer(style).draw(PLAIN, make_frame(0, make_face(500, 300, 150, 1)))  # type: ignore[arg-type]
    assert (image[320:430, 520:630] != 90).any() == (style == "over")
    assert (image != 90).any()


def test_thumbnails_are_the_best_of_everybody() -> None:
    thumbnails = Thumbnails()
    faces = [(10, 60, 0.9), (20, 200, 0.9), (30, 205, 0.95), (40, 80, 0.6)]
    for index, (grey, side, score) in enumerate(faces):
        image = np.full((720, 1280, 3), grey, dtype=np.uint8)
        thumbnails.add(make_frame(index, make_face(300, 300, side, 1, score), make_face(900, 300, 99, None)), image)
    thumbnails.add(make_frame(9, make_face(1250, 300, 200, 2)), PLAIN)
    assert set(thumbnails.pictures) == {1}, "neither flickers nor cut faces"
    assert thumbnails.pictures[1].shape == (SIDE, SIDE, 3)
    assert (thumbnails.pictures[1] == 20).all(), "a little better is not worth a change"


def test_thumbnails_of_a_crowd_are_those_of_whom_was_seen_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fervid.streaming.thumbnails._MOST_PICTURES", 10)
    thumbnails = Thumbnails()
    for index in range(60):  # two stay; of the others everybody is seen once, but for the one who comes back
        passing = 10 if index == 59 else 10 + index
        people = [make_face(100 * place, 300, 90, track) for place, track in enumerate((1, 2, passing))]
        thumbnails.add(make_frame(index, *people), PLAIN)
        assert len(thumbnails.pictures) <= 10
    assert {1, 2, 10} <= set(thumbnails.pictures)
