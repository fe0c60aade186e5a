import sys
from pathlib import Path

import numpy as np
import pytest

from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
from fervid.errors import ImageError, MissingExtraError, UsageError
from fervid.results import Analysis, Box, Distribution, Face, Failure, Frame
from fervid.sinks import parquet
from fervid.sinks.parquet import ParquetWriter
from fervid.sinks.table import COLUMNS, list_rows

pq = pytest.importorskip("pyarrow.parquet")
VOTES = Distribution(VOTE_LABELS, np.full(8, 1 / 8))


def make_frame(index: int, faces: int = 2, labels: tuple[Emotion, ...] = EMOTIONS) -> Frame:
    values = np.arange(1.0, len(labels) + 1)
    distribution = Distribution(labels, values / values.sum())
    people = [
        Face(Box(n, 2, n + 3.5, 5), 0.9, Emotion.HAPPY if n else None, 0.5, distribution, VOTES, track_id=n or None)
        for n in range(faces)
    ]
    return Frame(tuple(people), (64, 48), "base@0123", "haar", "a.mp4", index=index, time_s=index / 3)


def test_the_table_is_that_of_the_csv(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "t.parquet"
    frames = [make_frame(n, n % 3) for n in range(9)]
    with ParquetWriter(path) as writer:
        for frame in frames:
            writer.write(frame)
        writer.write(Failure("x", ImageError("x is empty")))
        assert not path.exists()
    table = pq.read_table(path)
    assert tuple(table.column_names) == COLUMNS
    expected = [dict(zip(COLUMNS, row, strict=True)) for frame in frames for row in list_rows(frame)]
    assert table.to_pylist() == expected
    assert table.column("track").null_count == 6
    assert table.column("time_s").to_pylist()[0] == round(1 / 3, 6)


def test_rows_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 10)
    with ParquetWriter(tmp_path / "t.parquet") as writer:
        for number in range(17):
            writer.write(make_frame(number))
            assert len(writer._rows) < 10
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == 4
    assert pq.read_table(tmp_path / "t.parquet").num_rows == 34


def test_photos_and_six_labels_leave_gaps(tmp_path: Path) -> None:
    frame = make_frame(1, 1, EMOTIONS_WITHOUT_DISGUST)
    photo = Analysis(frame.faces, frame.size, frame.model, frame.detector)
    with ParquetWriter(tmp_path / "t.parquet") as writer:
        writer.write(photo)
    (row,) = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [name for name, value in row.items() if value is None] == [
        "source", "frame", "time_s", "track", "emotion", "p_disgust",
    ]  # fmt: skip


def test_no_faces_give_a_table_without_rows(tmp_path: Path) -> None:
    with ParquetWriter(tmp_path / "t.parquet") as writer:
        writer.write(make_frame(0, 0))
    assert pq.read_table(tmp_path / "t.parquet").num_rows == 0


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("old")

    def fail() -> None:
        with ParquetWriter(tmp_path / "t.parquet") as writer:
            writer.write(make_frame(0))
            raise ImageError("x is damaged")

    with pytest.raises(ImageError):
        fail()
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_a_face_is_no_result_of_a_picture(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="a Face is not the result of a picture"),
        ParquetWriter(tmp_path / "t.parquet") as writer,
    ):
        writer.write(make_frame(0).faces[0])  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_without_pyarrow_the_pip_line_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "fervid\[data\]"'):
        ParquetWriter(tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []
