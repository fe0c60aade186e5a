import json
import tracemalloc
from collections.abc import Iterator

import pytest

from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
from fervid.results import Box, Distribution, Face, Frame
from fervid.tracking.summary import SUMMARY_COLUMNS, Stretch, Summariser, summarise

VOTES = Distribution(VOTE_LABELS, [1 / 8] * 8)
SHOWN = {"h": Emotion.HAPPY, "s": Emotion.SAD, "a": Emotion.ANGRY, "?": None}


def make_face(track: int | None, emotion: Emotion | None) -> Face:
    label = emotion or Emotion.NEUTRAL
    probabilities = Distribution(EMOTIONS, [0.7 if e is label else 0.05 for e in EMOTIONS])
    return Face(Box(0, 0, 9, 9), 1.0, emotion, 0.7, probabilities, VOTES, track_id=track)


def film(*people: str, step_s: float = 0.1, start_s: float = 0.0) -> Iterator[Frame]:
    """What each person shows on every frame, by its first letter; ? is uncertain, a dot is not there."""
    for i, shown in enumerate(zip(*people, strict=True)):
        faces = tuple(make_face(track, SHOWN[s]) for track, s in enumerate(shown, start=1) if s != ".")
        yield Frame(faces, (99, 99), "m", "haar", "a.mp4", index=i, time_s=start_s + i * step_s)


def test_shares_are_of_the_time_a_person_was_seen() -> None:
    [one, two] = summarise(film("hhhhsssss?", "." * 8 + "aa")).people
    assert one.shares[Emotion.HAPPY] == pytest.approx(0.4)
    assert one.shares[Emotion.SAD] == pytest.approx(0.5)
    assert one.uncertain == pytest.approx(0.1)
    assert sum(one.shares.values()) + one.uncertain == pytest.approx(1)
    assert one.dominant is Emotion.SAD
    assert one.coverage == pytest.approx(1)
    assert two.shares[Emotion.ANGRY] == pytest.approx(1)
    assert two.coverage == pytest.approx(0.2)
    assert (two.first_s, two.last_s, two.seen_s) == pytest.approx((0.8, 1.0, 0.2))
    assert one.probabilities["happy"] == pytest.approx(0.4 * 0.7 + 0.6 * 0.05)


def test_time_counts_and_not_frames() -> None:
    frames = [*film("h" * 10), *(frame for frame in film("s" * 11, step_s=0.01, start_s=1.0))]
    [person] = summarise(frames).people
    assert person.shares[Emotion.HAPPY] == pytest.approx(1.0 / 1.11, abs=0.01)


def test_transitions_skip_uncertain_time_but_not_absence() -> None:
    [person] = summarise(film("hh?sss?sshha" + "." * 20 + "hh")).people
    assert person.transitions == {
        (Emotion.HAPPY, Emotion.SAD): 1,
        (Emotion.SAD, Emotion.HAPPY): 1,
        (Emotion.HAPPY, Emotion.ANGRY): 1,
    }
    assert person.changes == 3
    assert summarise(film("h?h")).people[0].transitions == {}


def test_the_longest_stretch_ends_with_uncertainty_and_absence() -> None:
    [person] = summarise(film("hhhsss?ssshhhh" + "." * 20 + "hhh")).people
    assert person.longest == Stretch(Emotion.HAPPY, pytest.approx(1.0), pytest.approx(0.4))
    assert summarise(film("????")).people[0].longest is None
    assert summarise(film("????")).people[0].dominant is None


def test_who_is_away_is_not_covered() -> None:
    summary = summarise(film("h" * 10 + "." * 30, step_s=0.1))
    assert summary.seconds == pytest.approx(4.0)
    assert summary.people[0].coverage == pytest.approx(0.25)
    assert summary.frames == 40


def test_nobody_is_seen_for_longer_than_the_film() -> None:
    summary = summarise(film("hhh", step_s=5.0), end_s=12.0)
    assert summary.seconds == pytest.approx(12.0)
    assert (summary.people[0].last_s, summary.people[0].seen_s) == pytest.approx((12.0, 12.0))
    assert summary.people[0].coverage == pytest.approx(1)


def test_it_is_json_and_a_table() -> None:
    summary = summarise(film("hhhss", "??aaa"))
    data = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert data["schema"] == "fervid/1"
    assert (data["source"], data["model"], data["frames"], data["seconds"]) == ("a.mp4", "m", 5, 0.5)
    first, second = data["people"]
    assert (first["transitions"], first["changes"]) == ({"happy": {"sad": 1}}, 1)
    assert first["longest"] == {"emotion": "happy", "start_s": 0.0, "seconds": 0.3}
    assert (second["dominant"], second["uncertain"]) == ("angry", 0.4)
    rows = summary.to_rows()
    assert all(tuple(row) == SUMMARY_COLUMNS for row in rows)
    assert (rows[0]["track"], rows[0]["s_happy"], rows[0]["changes"], rows[0]["longest"]) == (1, 0.6, 1, "happy")
    assert (rows[0]["source"], rows[0]["dominant"], rows[0]["longest_s"]) == ("a.mp4", "happy", 0.3)
    uncertain = summarise(film("??")).to_rows()[0]
    assert (uncertain["longest"], uncertain["longest_s"], uncertain["dominant"]) == (None, None, None)


def test_faces_without_a_number_are_counted_and_left_out() -> None:
    frames = [Frame((make_face(None, None),), (9, 9), "m", "haar", index=i, time_s=i / 10) for i in range(3)]
    summary = summarise(frames)
    assert (summary.people, summary.untracked, summary.frames) == ((), 3, 3)


def test_a_film_without_frames_is_empty() -> None:
    summary = summarise([])
    assert summary.to_dict() == {
        "schema": "fervid/1", "source": None, "model": None, "start_s": 0.0, "seconds": 0.0, "frames": 0,
        "untracked": 0, "people": [],
    }  # fmt: skip
    assert summary.to_rows() == []


def test_six_labels_leave_disgust_empty() -> None:
    six = Distribution(EMOTIONS_WITHOUT_DISGUST, [0.5, *[0.1] * 5])
    face = Face(Box(0, 0, 9, 9), 1.0, Emotion.ANGRY, 0.5, six, VOTES, track_id=1)
    summary = summarise(Frame((face,), (9, 9), "m", "haar", index=i, time_s=i / 10) for i in range(3))
    assert list(summary.people[0].shares) == list(EMOTIONS_WITHOUT_DISGUST)
    assert summary.to_rows()[0]["s_disgust"] is None


def test_memory_does_not_grow_with_the_length() -> None:
    def held() -> int:
        # Only what these two files hold: threads that other tests left behind allocate as well.
        ours = [tracemalloc.Filter(True, f"*/fervid/{name}.py") for name in ("tracking/summary", "spans")]
        return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)

    frames = film("hs" * 4000)
    summariser = Summariser()
    tracemalloc.start()
    for _ in range(2000):
        summariser.add(next(frames))
    before = held()
    for frame in frames:
        summariser.add(frame)
    grown = held() - before
    tracemalloc.stop()
    assert summariser.finish().people[0].changes == 7999
    assert before > 0
    assert grown < 6000  # a list of the frames would take 48,000 bytes
