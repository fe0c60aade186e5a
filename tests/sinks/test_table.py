import csv
import io
import json

import numpy as np
import pytest

from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
from fervid.errors import ImageError, UsageError
from fervid.results import Analysis, Box, Distribution, Face, Failure, Frame
from fervid.sinks.table import COLUMNS, CsvWriter, JsonLinesWriter

VOTES = Distribution(VOTE_LABELS, np.full(8, 1 / 8))


def make_analysis(labels: tuple[Emotion, ...] = EMOTIONS) -> Analysis:
    values = np.zeros(len(labels))
    values[[0, -1]] = 0.25, 0.75
    sure = Face(Box(1, 2, 3.5, 5), 0.9, Emotion.NEUTRAL, 0.75, Distribution(labels, values), VOTES, track_id=4)
    unsure = Face(Box(6, 2, 9, 5), 0.5, None, 0.25, Distribution(labels, np.full(len(labels), 1 / len(labels))), VOTES)
    return Analysis((sure, unsure), (640, 480), "base@0123456789ab", "haar", "a, b.jpg")


def test_the_columns_are_those_of_the_design() -> None:
    assert ",".join(COLUMNS) == (
        "source,frame,time_s,face,track,x1,y1,x2,y2,score,emotion,confidence,"
        "p_angry,p_disgust,p_fear,p_happy,p_sad,p_surprise,p_neutral,model"
    )


def test_csv_has_a_row_per_face_and_none_for_failures_or_empty_pictures() -> None:
    stream = io.StringIO()
    writer = CsvWriter(stream)
    writer.write(make_analysis())
    writer.write(Failure("x", ImageError("x is empty")))
    writer.write(Analysis((), (1, 1), "m", "haar"))
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert [row["face"] for row in rows] == ["0", "1"]
    first, second = rows
    assert first["source"] == "a, b.jpg"
    assert (first["x1"], first["x2"]) == ("1.0", "3.5")
    assert (first["emotion"], first["p_neutral"], first["track"], first["frame"]) == ("neutral", "0.75", "4", "")
    assert (second["emotion"], second["track"]) == ("", "")


def test_a_face_is_no_result_of_a_picture() -> None:
    stream = io.StringIO()
    writer = CsvWriter(stream)
    with pytest.raises(UsageError, match="a Face is not the result of a picture"):
        writer.write(make_analysis().faces[0])  # type: ignore[arg-type]


def test_six_labels_leave_disgust_empty() -> None:
    stream = io.StringIO()
    CsvWriter(stream).write(make_analysis(EMOTIONS_WITHOUT_DISGUST))
    row = next(csv.DictReader(io.StringIO(stream.getvalue())))
    assert row["p_disgust"] == ""
    assert row["p_angry"] == "0.25"


def test_json_lines_are_one_object_each() -> None:
    stream = io.StringIO()
    writer = JsonLinesWriter(stream)
    writer.write(make_analysis())
    writer.write(Failure("x", ImageError("x is empty")))
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert Analysis.from_dict(first) == make_analysis()
    assert second["error"]["code"] == "input.image"


def test_frames_fill_their_columns_and_smoothed_answers_stand_beside_raw_probabilities() -> None:
    raw, smoothed = np.full(7, 1 / 7), np.array([0.0, 0, 0, 0.8, 0.2, 0, 0])
    face = Face(
        Box(1, 2, 3, 4), 0.9, Emotion.HAPPY, 0.8, Distribution(EMOTIONS, raw), VOTES,
        track_id=3, smoothed=Distribution(EMOTIONS, smoothed),
    )  # fmt: skip
    stream = io.StringIO()
    CsvWriter(stream).write(Frame((face,), (8, 8), "m", "haar", "a.mp4", index=7, time_s=1 / 3))
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert (row["frame"], row["time_s"], row["track"]) == ("7", "0.333333", "3")
    assert (row["emotion"], row["confidence"], row["p_happy"]) == ("happy", "0.8", "0.142857")
