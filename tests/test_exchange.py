"""Results as rows, data frames and supervision's detections."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import supervision as sv

import fervid
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
from fervid.errors import ImageError, MissingExtraError, UsageError
from fervid.exchange import COLUMNS, build_detections, list_rows
from fervid.results import Analysis, Box, Distribution, Face, Failure, Frame


def make_face(emotion=Emotion.HAPPY, *, track=None, labels=EMOTIONS, x=10.0):
    values = [0.7 if label is (emotion or Emotion.SAD) else 0.3 / (len(labels) - 1) for label in labels]
    return Face(
        box=Box(x, 20.25, x + 30, 60.5),
        score=0.875,
        emotion=emotion,
        confidence=0.7,
        probabilities=Distribution(labels, values),
        votes=Distribution(VOTE_LABELS, [1 / 8] * 8),
        track_id=track,
    )


def make_photo(*faces, source="a.jpg"):
    return Analysis(faces, (640, 480), "base@0123456789ab", "faces", source)


def make_frame(*faces, index=3, time_s=0.12):
    return Frame(faces, (640, 480), "base@0123456789ab", "faces", "a.mp4", index=index, time_s=time_s)


FAILURE = Failure("b.jpg", ImageError("b.jpg is damaged"))


def test_a_photo_is_a_table_with_the_fixed_columns():
    table = make_photo(make_face(), make_face(None, x=200)).to_pandas()
    assert tuple(table.columns) == COLUMNS
    assert list(table["face"]) == [0, 1]
    assert list(table["source"]) == ["a.jpg", "a.jpg"]
    assert list(table["emotion"].fillna("?")) == ["happy", "?"]
    assert list(table["x1"]) == [10, 200]
    assert table["p_happy"][0] == pytest.approx(0.7)
    assert table[["frame", "time_s", "track"]].isna().all(axis=None)
    assert list(table.loc[table["emotion"] == "happy", "face"]) == [0]


def test_types_do_not_depend_on_what_is_there():
    tables = [
        fervid.to_pandas([]),
        make_photo().to_pandas(),
        make_photo(make_face()).to_pandas(),
        make_frame(make_face(track=2)).to_pandas(),
        make_photo(make_face(labels=EMOTIONS_WITHOUT_DISGUST), source=None).to_pandas(),
    ]
    assert len({tuple(map(str, table.dtypes)) for table in tables}) == 1
    assert str(tables[0].dtypes["emotion"]) == "string"
    assert str(tables[0].dtypes["track"]) == "Int64"
    assert tables[-1]["p_disgust"].isna().all()
    assert len(pd.concat(tables, ignore_index=True)) == 3


def test_many_results_are_one_table_and_failures_give_no_row():
    results = [make_photo(make_face()), FAILURE, make_photo(), make_frame(make_face(track=7), make_face(x=99))]
    table = fervid.to_pandas(iter(results))
    assert list(table["source"]) == ["a.jpg", "a.mp4", "a.mp4"]
    assert list(table["track"].fillna(-1)) == [-1, 7, -1]
    assert list(table["frame"].fillna(-1)) == [-1, 3, 3]
    assert list(table["time_s"].fillna(-1)) == [-1, 0.12, 0.12]
    assert table.groupby("source")["p_happy"].mean().round(2).to_dict() == {"a.jpg": 0.7, "a.mp4": 0.7}


def test_a_stored_result_gives_the_same_rows():
    for result in (make_photo(make_face(), make_face(None)), make_frame(make_face(track=1)), FAILURE):
        stored = json.loads(json.dumps(result.to_dict()))
        assert list_rows(stored) == list_rows(result.to_dict())
    assert list_rows(FAILURE.to_dict()) == []


@pytest.mark.parametrize("wrong", [make_face(), (make_face(),), "a.jpg", None])
def test_what_is_no_result_is_no_empty_table(wrong):
    with pytest.raises(UsageError, match=f"a {type(wrong).__name__} is not the result of a picture.*face.to_dict"):
        fervid.to_pandas([wrong])


def test_a_single_result_is_refused():
    for one in (make_photo(make_face()), FAILURE, None):
        with pytest.raises(UsageError, match=rf"was given one object \({type(one).__name__}\).*Give a list"):
            fervid.to_pandas(one)


def test_json_of_something_else_is_refused():
    for data, has in ((make_face().to_dict(), "box, score"), ({}, "nothing")):
        with pytest.raises(UsageError, match=f"neither faces nor an error; it has {has}"):
            list_rows(data)


def test_a_photo_becomes_detections():
    found = make_photo(make_face(), make_face(None, x=200)).to_supervision()
    assert isinstance(found, sv.Detections)
    assert found.xyxy.tolist() == [[10, 20.25, 40, 60.5], [200, 20.25, 230, 60.5]]
    assert found.class_id.tolist() == [EMOTIONS.index(Emotion.HAPPY), 7]
    assert found.data["class_name"].tolist() == ["happy", "uncertain"]
    assert found.confidence == pytest.approx([0.7, 0.7])
    assert found.tracker_id is None
    assert found.data["detector_score"] == pytest.approx([0.875, 0.875])
    assert found.data["probabilities"].shape == (2, 7)
    assert len(found[found.data["class_name"] == "happy"]) == 1


def test_frames_carry_their_numbers_and_merge():
    one, two = make_frame(make_face(track=4), make_face(x=99)).to_supervision(), make_frame().to_supervision()
    assert one.tracker_id.tolist() == [4, -1]
    assert len(two) == 0
    assert two.xyxy.shape == (0, 4)
    assert two.tracker_id.shape == (0,)
    assert len(sv.Detections.merge([one, one])) == 4
    assert sv.Detections.merge([one, two]).tracker_id.tolist() == [4, -1]


def test_six_labels_keep_the_numbers_of_seven():
    data = make_photo(make_face(Emotion.NEUTRAL, labels=EMOTIONS_WITHOUT_DISGUST)).to_dict()
    found = build_detections(data)
    assert found.class_id.tolist() == [6]
    assert found.data["probabilities"][0, EMOTIONS.index(Emotion.DISGUST)] == 0


def test_supervision_draws_them():
    picture = np.zeros((480, 640, 3), dtype=np.uint8)
    found = make_photo(make_face(), make_face(None, x=200)).to_supervision()
    drawn = sv.BoxAnnotator().annotate(picture.copy(), found)
    assert drawn[20, 10:40].any()
    assert drawn[20, 200:230].any()


@pytest.mark.parametrize("package", ["pandas", "supervision"])
def test_an_absent_package_is_said_with_its_pip_line(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf'Run: pip install "fervid\[{package}\]"'):
        getattr(make_photo(make_face()), f"to_{package}")()
