import copy
import dataclasses
import json
import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
from fervid.errors import ImageError, InputError, UsageError
from fervid.results import Analysis, Box, Distribution, Evidence, Face, Failure, Frame, Quality


@st.composite
def distributions(draw: st.DrawFn, labels: tuple[str, ...]) -> Distribution:
    weights = np.array(draw(st.lists(st.floats(0.01, 1), min_size=len(labels), max_size=len(labels))))
    return Distribution(labels, weights / weights.sum())


@st.composite
def faces(draw: st.DrawFn, labels: tuple[Emotion, ...]) -> Face:
    x1, y1 = draw(st.floats(-100, 1000)), draw(st.floats(-100, 1000))
    side = draw(st.floats(1, 500))
    points, angles = st.floats(0, 1000), st.floats(-90, 90)
    landmarks = draw(st.none() | st.lists(st.tuples(points, points), min_size=5, max_size=5))
    probabilities = draw(distributions(labels))
    return Face(
        box=Box(x1, y1, x1 + side, y1 + side),
        score=draw(st.floats(0, 1)),
        emotion=draw(st.none() | st.just(Emotion(probabilities.top))),
        confidence=probabilities[probabilities.top],
        probabilities=probabilities,
        votes=draw(distributions(VOTE_LABELS)),
        landmarks=None if landmarks is None else np.array(landmarks),
        quality=draw(st.none() | st.builds(Quality, st.floats(1, 500), st.floats(0, 1e4), st.none() | angles)),
        track_id=draw(st.none() | st.integers(0, 1000)),
        smoothed=draw(st.none() | distributions(labels)),
    )  # fmt: skip


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from([EMOTIONS, EMOTIONS_WITHOUT_DISGUST]).flatmap(lambda names: st.lists(faces(names), max_size=3)))
def test_an_analysis_survives_json(found: list[Face]) -> None:
    analysis = Analysis(tuple(found), (640, 480), "base@0123456789ab", "haar", "a.jpg", {"detect": 1.0})
    text = json.dumps(analysis.to_dict(), allow_nan=False)
    again = Analysis.from_dict(json.loads(text))
    assert again == analysis
    assert hash(again.faces) == hash(analysis.faces)
    assert json.dumps(again.to_dict()) == text
    for face, other in zip(analysis.faces, again.faces, strict=True):
        assert other.box.x1 == pytest.approx(face.box.x1, abs=0.00501)  # rounded to 0.01
        assert other.probabilities.array == pytest.approx(face.probabilities.array, abs=1e-6)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(faces(EMOTIONS), max_size=2), st.integers(0, 10**6), st.floats(0, 10**5))
def test_a_frame_survives_json(found: list[Face], index: int, time_s: float) -> None:
    frame = Frame(tuple(found), (640, 480), "base@0123456789ab", "haar", "a.mp4", index=index, time_s=time_s)
    text = json.dumps(frame.to_dict(), allow_nan=False)
    again = Frame.from_dict(json.loads(text))
    assert json.dumps(again.to_dict()) == text
    assert again.index == index
    assert again.time_s == pytest.approx(time_s, abs=1e-6)
    assert again.faces == frame.faces
    assert again.size == (640, 480)


def test_a_frame_is_an_analysis_with_a_place_in_time() -> None:
    frame = Frame((), (4, 3), "m", "haar", index=7, time_s=0.25)
    assert isinstance(frame, Analysis)
    assert frame != Frame((), (4, 3), "m", "haar", index=8, time_s=0.25)
    assert frame == Frame((), (4, 3), "m", "haar", timings_ms={"detect": 1.0}, index=7, time_s=0.25)
    data = frame.to_dict()
    assert (data["frame"], data["time_s"]) == (7, 0.25)
    assert Analysis.from_dict(data) == Analysis((), (4, 3), "m", "haar")
    with pytest.raises(UsageError, match="of a photo"):
        Frame.from_dict(Analysis((), (4, 3), "m", "haar").to_dict())


@pytest.mark.parametrize(("index", "time_s"), [(-1, 0.0), (0, math.nan), (0, math.inf)])
def test_impossible_frames_are_refused(index: int, time_s: float) -> None:
    with pytest.raises(UsageError, match="frame"):
        Frame((), (4, 3), "m", "haar", index=index, time_s=time_s)


def test_the_label_comes_from_the_smoothed_probabilities_where_they_are() -> None:
    face = make_face()
    assert face.basis is face.probabilities
    assert "smoothed" not in face.to_dict()
    happy = Distribution(EMOTIONS, [0, 0, 0, 1, 0, 0, 0])
    steady = dataclasses.replace(face, emotion=Emotion.HAPPY, confidence=1.0, smoothed=happy)
    assert steady.basis is happy
    assert steady.probabilities == face.probabilities
    assert steady.to_dict()["smoothed"]["happy"] == 1
    assert Face.from_dict(steady.to_dict()) == steady != face


def test_json_of_a_failure_is_refused_in_words() -> None:
    data = json.loads(json.dumps(Failure("a.jpg", ImageError("a.jpg is empty")).to_dict()))
    with pytest.raises(UsageError, match="could not be read"):
        Analysis.from_dict(data)


def test_json_of_another_schema_is_refused() -> None:
    with pytest.raises(UsageError, match="fervid/9"):
        Analysis.from_dict({"schema": "fervid/9"})


@pytest.mark.parametrize("values", [(0, 0, math.nan, 1), (0, 0, math.inf, 1), (2, 0, 1, 1), (0, 2, 1, 1)])
def test_impossible_boxes_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="no box"):
        Box(*values)


def test_a_distribution_reads_like_a_dict() -> None:
    distribution = Distribution(EMOTIONS, [0.1, 0, 0, 0.6, 0.1, 0.1, 0.1])
    assert distribution["happy"] == distribution[Emotion.HAPPY] == 0.6
    assert distribution.top is Emotion.HAPPY
    assert list(distribution) == list(EMOTIONS)
    assert len(distribution) == 7
    assert "contempt" not in distribution
    with pytest.raises(KeyError):
        distribution["contempt"]


def test_a_distribution_equals_whatever_maps_alike() -> None:
    distribution = Distribution(["a", "b"], [0.25, 0.75])
    turned = Distribution(["b", "a"], [0.75, 0.25])
    assert distribution == dict(distribution) == turned
    assert dict(distribution) == distribution
    assert hash(distribution) == hash(turned)
    assert distribution != Distribution(["a", "b"], [0.75, 0.25])
    assert distribution != {"a": 0.25}


@pytest.mark.parametrize("values", [[0.5] * 7, [1.5, -0.5, 0, 0, 0, 0, 0], [1.0], [math.nan] * 7])
def test_what_does_not_sum_to_one_is_no_distribution(values: list[float]) -> None:
    with pytest.raises(UsageError):
        Distribution(EMOTIONS, values)


def make_face(landmarks: np.ndarray | None = None) -> Face:
    even = Distribution(EMOTIONS, np.full(7, 1 / 7))
    return Face(Box(0, 0, 1, 1), 1.0, None, 1 / 7, even, Distribution(VOTE_LABELS, np.full(8, 1 / 8)), landmarks)


def test_landmarks_are_copied_and_read_only() -> None:
    points = np.zeros((5, 2))
    face = make_face(points)
    points[0, 0] = 9
    assert face.landmarks is not None
    assert face.landmarks[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        face.landmarks[0, 0] = 1
    with pytest.raises(UsageError, match=r"\(4, 2\)"):
        make_face(np.zeros((4, 2)))


@pytest.mark.parametrize("again", [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy, copy.copy])
def test_copies_are_read_only_too(again: Callable[[Face], Face]) -> None:
    face = dataclasses.replace(explained_face(), landmarks=np.ones((5, 2)), track_id=3)
    other = again(face)
    assert other == face
    assert other.landmarks is not None
    assert other.evidence is not None
    for array in (other.landmarks, other.evidence.maps):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 9


def test_faces_that_differ_are_not_equal() -> None:
    assert make_face() == make_face()
    assert hash(make_face()) == hash(make_face())
    assert make_face() != make_face(np.zeros((5, 2)))


def test_timings_do_not_count_for_equality() -> None:
    a = Analysis((), (1, 1), "m", "haar", None, {"load": 1.0})
    assert a == Analysis((), (1, 1), "m", "haar", None, {"load": 2.0})


def test_a_failure_is_json_too() -> None:
    data = Failure("a.jpg", ImageError("a.jpg is empty")).to_dict()
    assert data == {
        "schema": "fervid/1",
        "source": "a.jpg",
        "error": {"code": "input.image", "message": "a.jpg is empty", "advice": ""},
    }


def test_a_failure_of_another_process_is_equal() -> None:
    failure = Failure("a.jpg", ImageError("a.jpg is empty", advice="Fill it."))
    again = pickle.loads(pickle.dumps(failure))
    assert again == failure
    assert hash(again) == hash(failure)
    assert failure != Failure("a.jpg", InputError("a.jpg is empty", advice="Fill it."))
    assert failure != Failure("a.jpg", ImageError("a.jpg is empty"))


def explained_face() -> Face:
    maps = np.random.default_rng(0).normal(0, 5, (7, 3, 3))
    even = Distribution(EMOTIONS, [1 / 7] * 7)
    votes = Distribution(VOTE_LABELS, [1 / 8] * 8)
    return Face(Box(0, 0, 9, 9), 1.0, None, 1 / 7, even, votes, evidence=Evidence(EMOTIONS, maps, Box(-1.123, 0, 8, 9)))


def test_evidence_is_read_by_label_and_cannot_be_changed() -> None:
    maps = np.arange(28.0).reshape(7, 2, 2)
    evidence = Evidence(EMOTIONS, maps, Box(0, 0, 9, 9))
    maps[:] = 0
    assert evidence["happy"].tolist() == [[12, 13], [14, 15]]
    for array in (evidence.maps, evidence["happy"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(KeyError, match="joy"):
        evidence["joy"]


def test_evidence_survives_json_and_is_absent_without() -> None:
    face = explained_face()
    text = json.dumps(face.to_dict(), allow_nan=False)
    again = Face.from_dict(json.loads(text))
    assert again == face
    assert json.dumps(again.to_dict()) == text
    assert again.evidence is not None
    assert face.evidence is not None
    assert again.evidence == Evidence.from_dict(face.evidence.to_dict())
    assert hash(again.evidence) == hash(Evidence.from_dict(face.evidence.to_dict()))
    assert again.evidence.labels == EMOTIONS
    assert isinstance(again.evidence.labels[0], Emotion)
    assert again.evidence.maps == pytest.approx(face.evidence.maps, abs=1e-4)
    bare = Face(face.box, face.score, face.emotion, face.confidence, face.probabilities, face.votes)
    assert "evidence" not in bare.to_dict()
    assert bare != face


@pytest.mark.parametrize("shape", [(7, 3), (6, 3, 3), (7, 0, 3), (7, 3, 3, 1)])
def test_evidence_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="for 7 labels"):
        Evidence(EMOTIONS, np.zeros(shape), Box(0, 0, 9, 9))


def test_evidence_says_how_its_square_is_turned() -> None:
    maps = np.zeros((7, 3, 3))
    upright, turned = (Evidence(EMOTIONS, maps, Box(0, 0, 9, 9), angle_deg) for angle_deg in (0.0, -12.345678))
    assert "angle_deg" not in upright.to_dict()
    assert turned.to_dict()["angle_deg"] == -12.35
    assert turned != upright
    assert Evidence.from_dict(turned.to_dict()) == turned
    assert Evidence.from_dict(upright.to_dict()).angle_deg == 0
    with pytest.raises(UsageError, match="not finite"):
        Evidence(EMOTIONS, maps, Box(0, 0, 9, 9), math.nan)


def test_evidence_must_be_finite() -> None:
    with pytest.raises(UsageError, match="not finite"):
        Evidence(EMOTIONS, np.full((7, 3, 3), np.nan), Box(0, 0, 9, 9))


def test_frames_may_be_counted_by_numpy() -> None:
    frame = Frame((), (1, 1), "m", "d", index=np.int64(3), time_s=np.float32(0.5))
    assert json.loads(json.dumps(frame.to_dict()))["frame"] == 3
