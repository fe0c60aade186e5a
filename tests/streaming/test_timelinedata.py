"""The timeline as data says what the timeline's picture and the summary say."""

from collections.abc import Iterator

import numpy as np
import pytest

from fervid.drawing.timeline import Timeline
from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
from fervid.results import Box, Distribution, Face, Frame
from fervid.streaming.timelinedata import MOST_BINS, describe_timeline
from fervid.tracking.summary import Summariser


def make_face(track: int, emotion: Emotion | None) -> Face:
    values = np.full(7, 0.05)
    values[0 if emotion is None else EMOTIONS.index(emotion)] = 0.7
    return Face(
        box=Box(0, 0, 10, 10),
        score=1.0,
        emotion=emotion,
        confidence=0.7,
        probabilities=Distribution(EMOTIONS, values),
        votes=Distribution(VOTE_LABELS, np.full(8, 1 / 8)),
        track_id=track,
    )


def make_frames(seconds: float, rate: float) -> Iterator[Frame]:
    """One is happy, then sad; another comes for a while, half uncertain, goes for 3 s and comes back."""
    for number in range(round(seconds * rate)):
        time_s = number / rate
        faces = [make_face(1, Emotion.HAPPY if time_s < seconds / 2 else Emotion.SAD)]
        if 2 <= time_s < 4 or 7 <= time_s < 8:
            faces.append(make_face(2, None if time_s < 3 else Emotion.FEAR))
        yield Frame(tuple(faces), (64, 48), "net@0", "script", "talk.mp4", index=number, time_s=time_s)


@pytest.mark.parametrize(("seconds", "rate", "most"), [(10, 25, 600), (10, 25, 7), (600, 5, 600), (10, 0.5, 600)])
def test_bins_add_up_to_the_summary(seconds: float, rate: float, most: int) -> None:
    timeline, summariser = Timeline(), Summariser()
    for frame in make_frames(seconds, rate):
        timeline.add(frame)
        summariser.add(frame)
    summary = summariser.finish()
    data = describe_timeline(timeline.finish(), summary, most_bins=most)
    assert data["source"] == "talk.mp4"
    assert data["seconds"] == pytest.approx(seconds)
    assert data["labels"] == [str(e) for e in EMOTIONS]
    assert len(data["tracks"]) == len(summary.people)
    for track, person in zip(data["tracks"], summary.people, strict=True):
        assert track["track"] == person.track_id
        assert track["dominant"] == (None if person.dominant is None else str(person.dominant))
        assert track["coverage"] == pytest.approx(person.coverage, abs=1e-6)
        assert 0 < len(track["bins"]) <= most
        widths = np.array([b["end_s"] - b["start_s"] for b in track["bins"]])
        for emotion in EMOTIONS:
            held = sum(w * b["shares"][str(emotion)] for w, b in zip(widths, track["bins"], strict=True))
            assert held == pytest.approx(person.shares[emotion] * person.seen_s, abs=0.05 + seconds / 1000)
        for part in track["bins"]:
            assert sum(part["shares"].values()) + part["uncertain"] + part["absent"] == pytest.approx(1, abs=1e-3)
            assert part["absent"] < 1
        starts = [b["start_s"] for b in track["bins"]]
        assert starts == sorted(starts)
        assert track["bins"][0]["start_s"] <= person.first_s + 1e-3
        assert track["bins"][0]["end_s"] > person.first_s
        assert track["bins"][-1]["end_s"] <= seconds + 1e-3


def test_absence_is_a_hole_between_bins() -> None:
    timeline, summariser = Timeline(), Summariser()
    for frame in make_frames(10, 25):
        timeline.add(frame)
        summariser.add(frame)
    data = describe_timeline(timeline.finish(), summariser.finish())
    second = data["tracks"][1]["bins"]
    covered = {round(b["start_s"], 1) for b in second}
    assert 2.5 in covered
    assert 7.5 in covered
    assert not any(4.1 < b["start_s"] < 6.9 for b in second)
    assert {b["uncertain"] for b in second if b["end_s"] <= 3} == {1.0}


def test_a_film_without_anybody_has_no_tracks() -> None:
    timeline, summariser = Timeline(), Summariser()
    frame = Frame((), (64, 48), "net@0", "script", None, index=0, time_s=0.0)
    timeline.add(frame)
    summariser.add(frame)
    data = describe_timeline(timeline.finish(), summariser.finish())
    assert data["tracks"] == []
    assert data["seconds"] == 0
    assert MOST_BINS == 600
