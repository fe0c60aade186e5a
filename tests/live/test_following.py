import numpy as np
import pytest

from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
from fervid.live.following import FaceFollower, move_face, place_between
from fervid.live.rate import Rate
from fervid.results import Box, Distribution, Face, Frame

VOTES = Distribution(VOTE_LABELS, np.full(8, 1 / 8))


def make_frame(time_s: float, x: float, track_id: int | None = 1) -> Frame:
    values = np.full(7, 0.05)
    values[3] = 0.7
    points = np.array([[x + 10, 20], [x + 30, 20], [x + 20, 30], [x + 10, 40], [x + 30, 40]], dtype=float)
    face = Face(
        Box(x, 10, x + 40, 60), 0.9, Emotion.HAPPY, 0.7, Distribution(EMOTIONS, values), VOTES, points, None, track_id
    )
    return Frame((face,), (640, 480), "m", "d", index=round(time_s * 100), time_s=time_s)


def test_a_face_that_walks_is_shown_where_it_has_got_to() -> None:
    follower = FaceFollower()
    for i in range(10):
        follower.update(make_frame(i * 0.1, 100 + 8.0 * i))  # 80 px/s
    (face,) = follower.place(1.1)  # the last answer is 0.2 s old
    assert face.box.x1 == pytest.approx(100 + 80 * 1.1, abs=3)
    assert face.landmarks is not None
    assert face.landmarks[0, 0] == pytest.approx(face.box.x1 + 10, abs=1.5)
    assert face.emotion == Emotion.HAPPY


def test_a_film_that_waited_for_the_answer_goes_back_from_it() -> None:
    follower = FaceFollower()
    for i in range(10):
        follower.update(make_frame(i * 0.1, 100 + 8.0 * i))
    (face,) = follower.place(0.85)
    assert 100 + 80 * 0.85 - 2 < face.box.x1 < 100 + 80 * 0.9 - 1


def test_between_two_answers_faces_are_on_the_line_from_one_to_the_other() -> None:
    before, after = make_frame(1.0, 100), make_frame(2.0, 300)
    (face,) = place_between(before, after, 1.25)
    assert face.box == Box(150, 10, 190, 60)
    assert face.landmarks is not None
    assert face.landmarks[0].tolist() == [160, 20]
    assert place_between(before, after, 1.0) == before.faces
    assert place_between(before, after, 1.75)[0].box.x1 == 250
    stranger = make_frame(2.0, 300, track_id=2)
    assert place_between(before, stranger, 1.4) == before.faces
    assert place_between(before, stranger, 1.6) == stranger.faces
    assert place_between(before, make_frame(2.6, 300), 1.1) == ()


def test_a_face_without_a_number_stays_and_the_answer_at_its_own_time_is_as_it_was() -> None:
    follower = FaceFollower()
    follower.update(make_frame(0.0, 100, track_id=None))
    assert follower.place(0.3)[0].box.x1 == 100
    follower.update(make_frame(0.1, 104))
    assert follower.place(0.1) == make_frame(0.1, 104).faces


def test_an_answer_counts_once_and_is_not_shown_for_ever() -> None:
    follower = FaceFollower()
    assert follower.place(0.0) == ()
    frames = [make_frame(0.0, 100), make_frame(0.2, 120)]
    for frame in frames:
        follower.update(frame)
    once = follower.place(0.5)
    follower.update(frames[-1])
    assert follower.place(0.5) == once
    assert follower.place(0.2 + 0.4)[0].box == follower.place(1.2)[0].box
    assert follower.place(2.0) == ()


def test_points_move_and_grow_with_their_face() -> None:
    face = move_face(make_frame(0, 0).faces[0], Box(100, 100, 180, 200))
    assert face.landmarks is not None
    assert face.landmarks[0].tolist() == [120, 120]
    assert face.landmarks[4].tolist() == [160, 160]


def test_a_rate_counts_the_last_two_seconds_and_falls_when_nothing_comes() -> None:
    rate = Rate()
    assert rate.measure(0.0) == 0
    for i in range(100):
        rate.add(i / 25)
    assert rate.measure(99 / 25) == pytest.approx(25, rel=0.02)
    assert rate.measure(99 / 25 + 1.0) < 17
    assert rate.measure(99 / 25 + 3.0) == 0
