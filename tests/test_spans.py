import itertools
import math
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
from fervid.errors import UsageError
from fervid.results import Box, Distribution, Face, Frame
from fervid.spans import Span, Spans

VOTES = Distribution(VOTE_LABELS, [1 / 8] * 8)
EVEN = Distribution(EMOTIONS, [1 / 7] * 7)
HAPPY = Distribution(EMOTIONS, [0, 0, 0, 1, 0, 0, 0])


def make_frame(time_s: float, *tracks: int | None, emotion: Emotion | None = Emotion.HAPPY) -> Frame:
    faces = tuple(Face(Box(0, 0, 1, 1), 1.0, emotion, 1.0, HAPPY, VOTES, track_id=t) for t in tracks)
    return Frame(faces, (9, 9), "m", "haar", "a.mp4", index=0, time_s=time_s)


def iterate_spans(frames: Iterable[Frame]) -> Iterator[Span]:
    """The spans of a whole film, as they end."""
    spans = Spans()
    for frame in frames:
        yield from spans.add(frame)
    yield from spans.finish()


def times(spans: list[Span]) -> list[tuple[float, float]]:
    return [(round(s.start_s, 6), round(s.stop_s, 6)) for s in spans]


def test_an_answer_holds_until_the_next_and_the_last_one_until_the_end() -> None:
    spans = list(iterate_spans([make_frame(t, 1) for t in (0.0, 0.1, 0.4)]))
    assert times(spans) == [(0.0, 0.1), (0.1, 0.4), (0.4, 0.5)]  # where the film ends
    assert spans[0].emotion is Emotion.HAPPY
    assert spans[0].seconds == pytest.approx(0.1)


def test_a_short_miss_is_bridged_and_a_long_one_is_absence() -> None:
    frames = [make_frame(i / 10, *([1] if i not in (3, 4) and not 8 <= i < 30 else [])) for i in range(33)]
    seen = sum(span.seconds for span in iterate_spans(frames))
    assert seen == pytest.approx(0.8 + 0.3)


def test_where_frames_are_rare_they_bridge_what_is_between_them() -> None:
    assert times(list(iterate_spans([make_frame(t, 1) for t in (0.0, 5.0, 10.0)]))) == [(0, 5), (5, 10), (10, 15)]
    gap = [make_frame(t, *([1] if t != 10 else [])) for t in (0.0, 5.0, 10.0, 15.0)]
    assert times(list(iterate_spans(gap))) == [(0, 5), (5, 10), (15, 20)]


@pytest.mark.parametrize(("end_s", "stop_s"), [(None, 15), (20.0, 15), (12.0, 12), (7.0, 10)])
def test_the_last_answer_holds_until_the_end_of_the_film_at_most(end_s: float | None, stop_s: float) -> None:
    spans = Spans(end_s=end_s)
    for time_s in (0.0, 5.0, 10.0):
        spans.add(make_frame(time_s, 1))
    assert spans.stop_s == pytest.approx(stop_s)  # of frames behind the end, headers said too little
    assert times(spans.finish()) == ([(10, stop_s)] if stop_s > 10 else [])


def test_one_short_step_does_not_make_frames_frequent() -> None:
    frames = [make_frame(t, 1) for t in (0.0, 2.0, 5.9, 6.0, *(float(t) for t in range(8, 62, 2)))]
    assert sum(span.seconds for span in iterate_spans(frames)) > 55


def test_nobody_is_seen_after_the_end() -> None:
    spans = Spans()
    for i in range(25):
        spans.add(make_frame(i / 25, *([1] if i in (0, 1, 24) else [])))
    assert times(spans.finish()) == [(0.96, 1.0)]
    assert spans.stop_s == pytest.approx(1)


def test_a_single_sighting_holds_for_one_frame_of_the_film() -> None:
    spans = list(iterate_spans([make_frame(0.0), make_frame(0.2, 1), make_frame(0.4), make_frame(0.6)]))
    assert times(spans) == [(0.2, 0.4)]
    assert list(iterate_spans([make_frame(0.0, 1)])) == []  # nobody knows how long a film of one frame is


def test_a_table_of_faces_gives_the_same_as_the_frames() -> None:
    frames = [make_frame(i / 10, *([1] if i % 7 else []), *([2] if 20 < i < 30 else [])) for i in range(50)]
    assert list(iterate_spans(frames)) == list(iterate_spans(f for f in frames if f.faces))


def test_smoothed_answers_count_and_faces_without_a_track_do_not() -> None:
    face = Face(Box(0, 0, 1, 1), 1.0, None, 0.2, HAPPY, VOTES, track_id=3, smoothed=EVEN)
    frames = [Frame((face,), (9, 9), "m", "haar", index=i, time_s=i / 5) for i in range(3)]
    assert {span.probabilities for span in iterate_spans(frames)} == {EVEN}
    assert list(iterate_spans([make_frame(0.0, None), make_frame(1.0, None)])) == []


def test_times_that_run_backwards_are_refused() -> None:
    spans = Spans()
    assert math.isnan(spans.stop_s)
    spans.add(make_frame(1.0, 1))
    with pytest.raises(UsageError, match="after 1"):
        spans.add(make_frame(0.9, 1))
    with pytest.raises(UsageError, match="gap_s"):
        Spans(0)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.04, 0.2, 3.0]), st.sets(st.integers(1, 3))), max_size=30))
@settings(deadline=None)
def test_spans_of_a_person_follow_each_other_without_overlap(steps: list[tuple[float, set[int]]]) -> None:
    time_s, frames = 0.0, []
    for step, tracks in steps:
        time_s += step
        frames.append(make_frame(time_s, *sorted(tracks)))
    spans = list(iterate_spans(frames))
    for track in (1, 2, 3):
        own = [span for span in spans if span.track_id == track]
        assert all(a.stop_s <= b.start_s + 1e-9 for a, b in itertools.pairwise(own))
        assert all(span.seconds > 0 for span in own)
        assert sum(span.seconds for span in own) <= 2 * time_s + 1e-9
