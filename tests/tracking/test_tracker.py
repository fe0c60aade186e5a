import math
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.errors import UsageError
from fervid.geometry import square_box
from fervid.results import Box
from fervid.tracking.tracker import Tracker

SIZE = (1280, 720)
SIDE = 100.0


def follow(tracker: Tracker, frames: list[list[tuple[float, float]]], fps: float = 10.0) -> list[list[int | None]]:
    """Ids of squares at these centres, as they are in the end."""
    found = [
        tracker.update([square_box(x, y, SIDE) for x, y in f], [0.9] * len(f), i / fps) for i, f in enumerate(frames)
    ]
    return [[None if t is None else t.id for t in tracks] for tracks in found]


def test_ids_count_from_one_in_the_order_of_appearance() -> None:
    ids = follow(Tracker(SIZE), [[(600, 300)], [(600, 300)], *[[(900, 300), (600, 300), (200, 300)]] * 5])
    assert ids[0] == [1]
    assert ids[-1] == [3, 1, 2]


def test_a_flicker_gets_no_id_and_costs_none() -> None:
    tracker = Tracker(SIZE)
    frames = [[(300.0, 300.0)] + ([(900.0, 500.0)] if i == 3 else []) for i in range(20)]
    ids = follow(tracker, [*frames, *[[(300.0, 300.0), (700.0, 300.0)]] * 4])
    assert ids[3] == [1, None]
    assert ids[-1] == [1, 2]
    assert len(tracker.tracks) == 2


def test_a_face_hidden_for_half_a_second_keeps_its_id() -> None:
    frames = [[(200 + 12.0 * i, 300.0)] if not 20 <= i < 25 else [] for i in range(60)]
    assert {i for ids in follow(Tracker(SIZE), frames) for i in ids} == {1}


def test_a_face_away_for_longer_than_lost_s_is_somebody_else() -> None:
    frames = [[(300.0, 300.0)] if not 10 <= i < 20 else [] for i in range(30)]
    assert follow(Tracker(SIZE, lost_s=0.8), frames)[-1] == [2]
    assert follow(Tracker(SIZE, lost_s=1.2), frames)[-1] == [1]


@pytest.mark.parametrize("every_s", [0.01, 0.2, 2.0, 10.0])
def test_a_still_face_is_one_track_at_any_frame_rate(every_s: float) -> None:
    frames = [[(300.0, 300.0)] if i != 12 else [] for i in range(40)]
    assert {i for ids in follow(Tracker(SIZE), frames, fps=1 / every_s) for i in ids} == {1}


def test_two_who_cross_keep_their_ids() -> None:
    frames = []
    for i in range(40):
        left, right = (200 + 20.0 * i, 300.0), (1000 - 20.0 * i, 310.0)
        frames.append([left] if abs(left[0] - right[0]) < 60 else [left, right])
    ids = follow(Tracker(SIZE), frames)
    assert {i[0] for i in ids} == {1}
    assert {i[1] for i in ids if len(i) == 2} == {2}


def test_who_leaves_through_the_edge_is_gone() -> None:
    tracker = Tracker(SIZE)
    follow(tracker, [[(1000 + 30.0 * i, 300.0)] for i in range(9)])
    assert len(tracker.tracks) == 1
    for i in range(9, 14):
        tracker.update([], [], i / 10)
    assert tracker.tracks == ()
    unbounded = Tracker()
    follow(unbounded, [[(1000 + 30.0 * i, 300.0)] for i in range(9)] + [[]] * 5)
    assert len(unbounded.tracks) == 1


def test_unsure_detections_extend_tracks_but_begin_none() -> None:
    tracker = Tracker(SIZE, sure_score=0.6)
    box, other = square_box(300, 300, SIDE), square_box(900, 300, SIDE)
    for i in range(5):
        tracker.update([box], [0.9], i / 10)
    for i in range(5, 60):  # far longer than lost_s
        first, second = tracker.update([box, other], [0.3, 0.3], i / 10)
        assert first is not None
        assert first.id == 1
        assert second is None
    assert len(tracker.tracks) == 1


def test_a_sure_detection_goes_first() -> None:
    tracker = Tracker(SIZE, sure_score=0.6)
    for i in range(5):
        tracker.update([square_box(300, 300, SIDE)], [0.9], i / 10)
    unsure, sure = tracker.update([square_box(300, 300, SIDE), square_box(310, 300, SIDE)], [0.3, 0.9], 0.5)
    assert unsure is None
    assert sure is not None
    assert sure.id == 1


def test_size_tells_apart_who_is_at_the_same_place() -> None:
    tracker = Tracker(SIZE)
    near, far = square_box(300, 300, 160), square_box(300, 300, 60)
    for i in range(5):
        ids = [t.id for t in tracker.update([near, far], [0.9, 0.9], i / 10) if t is not None]
    assert [t.id for t in tracker.update([far, near], [0.9, 0.9], 0.5) if t is not None] == ids[::-1]


def test_between_detections_faces_are_predicted() -> None:
    tracker = Tracker(SIZE)
    follow(tracker, [[(200 + 20.0 * i, 300.0), (900.0, 300.0)] for i in range(10)])
    tracker.update([square_box(400, 300, SIDE)], [0.9], 1.0)
    [(track, box)] = tracker.predict(1.05)  # of who was seen last; the other one is out of sight
    assert track.id == 1
    assert box.centre[0] == pytest.approx(410, abs=3)
    assert tracker.predict(1.05)[0][1] == box


def test_after_a_cut_everybody_is_new_and_no_id_returns() -> None:
    tracker = Tracker(SIZE)
    follow(tracker, [[(300.0, 300.0)]] * 5)
    old = tracker.tracks[0]
    tracker.end()
    assert old.ended
    assert tracker.tracks == ()
    for i in range(5, 10):
        [track] = tracker.update([square_box(300, 300, SIDE)], [0.9], i / 10)
    assert track is not None
    assert track.id == 2


def test_births_and_losses_are_counted() -> None:
    tracker = Tracker(SIZE)
    follow(tracker, [[(300.0, 300.0)]])
    assert (tracker.births, tracker.losses) == (1, 0)
    for i in range(1, 4):
        tracker.update([square_box(300, 300, SIDE)], [0.9], i / 10)
    assert (tracker.births, tracker.losses) == (0, 0)
    tracker.update([], [], 0.4)
    assert tracker.losses == 1
    tracker.update([], [], 0.5)
    assert tracker.losses == 0


def test_wrong_arguments_are_refused() -> None:
    tracker = Tracker(SIZE)
    tracker.update([], [], 1.0)
    for time_s in (0.9, math.nan):
        with pytest.raises(UsageError, match="after 1"):
            tracker.update([], [], time_s)
    with pytest.raises(UsageError, match="1 scores for 0 boxes"):
        tracker.update([], [0.5], 2.0)
    with pytest.raises(UsageError, match="lost_s"):
        Tracker(lost_s=0)


@st.composite
def films(draw: st.DrawFn) -> list[tuple[list[Box], list[float], float]]:
    time_s, frames = 0.0, []
    for _ in range(draw(st.integers(1, 12))):
        time_s += draw(st.sampled_from([0.0, 0.03, 0.2, 3.0]))
        places = draw(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 7), st.integers(1, 4)), max_size=5))
        boxes = [square_box(100.0 * x, 100.0 * y, 40.0 * side) for x, y, side in places]
        frames.append(
            (boxes, draw(st.lists(st.sampled_from([0.3, 0.9]), min_size=len(boxes), max_size=len(boxes))), time_s)
        )
    return frames


@given(films(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_in_any_film_ids_are_unique_repeatable_and_independent_of_the_order(films: list, random: object) -> None:
    def run(shuffled: bool) -> list[dict[tuple[Box, float], list[int | None]]]:
        tracker = Tracker((1200, 700), sure_score=0.6)
        found = []
        for boxes, scores, time_s in films:
            order = list(range(len(boxes)))
            if shuffled:
                random.shuffle(order)  # type: ignore[attr-defined]
            tracks = tracker.update([boxes[i] for i in order], [scores[i] for i in order], time_s)
            present = [t for t in tracks if t is not None]
            assert len({id(t) for t in present}) == len(present)
            ids = [t.id for t in present if t.id is not None]
            assert len(set(ids)) == len(ids)
            assert all(t is not None for t, i in zip(tracks, order, strict=True) if scores[i] >= 0.6)
            found.append([(boxes[i], scores[i], t) for t, i in zip(tracks, order, strict=True)])
        known = sorted({t.id for frame in found for _, _, t in frame if t is not None and t.id is not None})
        assert known == list(range(1, len(known) + 1))
        answers = []
        for frame in found:
            answer: dict[tuple[Box, float], list[int | None]] = {}
            for box, score, t in frame:
                answer.setdefault((box, score), []).append(None if t is None else t.id)
            answers.append({key: sorted(ids, key=str) for key, ids in answer.items()})  # equal boxes may swap
        return answers

    assert run(shuffled=False) == run(shuffled=False) == run(shuffled=True)


@pytest.mark.parametrize("fps", [5, 30])
def test_made_scenes_keep_their_identities(scenes: ModuleType, tracking: ModuleType, fps: float) -> None:
    limits = {
        "interview": (0.99, 0),
        "pillar": (0.99, 0),
        "doorway": (0.95, 0),
        "crossing": (0.97, 0.5),
        "dancing": (0.95, 1),
    }
    for name, (least, most) in limits.items():
        fits = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            shots = scenes.film(tracking.SCENES[name](rng), fps, 8.0, scenes.Detector(), rng)
            fits.append(scenes.score(shots, tracking.track(shots, Tracker(SIZE, sure_score=0.6))))
        assert np.mean([f.idf1 for f in fits]) >= least, name
        assert np.mean([f.switches for f in fits]) <= most, name
        assert all(f.tracked > 0.9 for f in fits), name


def test_the_score_of_tracks_is_right(scenes: ModuleType) -> None:
    shots = [scenes.Shot(i / 10, [], [], [0, 1, None]) for i in range(4)]
    fit = scenes.score(shots, [[1, 2, None], [1, 2, None], [2, 1, 9], [2, 1, None]])
    assert (fit.switches, fit.tracks, fit.people) == (2, 3, 2)
    assert fit.idf1 == pytest.approx(2 * 4 / (8 + 8 + 1))
    assert fit.false == 0.25
