import io
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from fervid.datasets.faceset import FaceRow
from fervid.datasets.parquet import (
    ROWS_PER_GROUP,
    VOTE_COLUMN_NAMES,
    decode_face,
    encode_face,
    iterate_parquet,
    open_faces,
    read_faces,
    write_faces,
)
from fervid.errors import DatasetError, OutputError
from fervid.imaging import load_image

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def table(rows, tmp_path):
    """The written faces as a dict of columns."""
    write_faces(tmp_path / "source.parquet", rows)
    return pq.read_table(tmp_path / "source.parquet").to_pydict()


@pytest.fixture
def save(tmp_path):
    """A function that writes columns and gives the path."""

    def write(columns):
        path = tmp_path / "faces.parquet"
        pq.write_table(pa.table(columns), path)
        return path

    return write


def encode(picture, file_format="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, file_format, **options)
    return stream.getvalue()


def test_what_is_written_is_read(faces, rows, tmp_path, same):
    counts = write_faces(tmp_path / "faces.parquet", rows)
    seen = []
    same(read_faces(tmp_path / "faces.parquet", progress=lambda *step: seen.append(step)), faces, votes=True)
    assert seen == [(28, 28)]
    assert counts.sum(axis=1).tolist() == [14, 7, 7]
    assert counts[:, 0].tolist() == [2, 1, 1]


def test_columns_are_those_of_the_format(rows, tmp_path):
    write_faces(tmp_path / "faces.parquet", rows)
    schema = pq.read_schema(tmp_path / "faces.parquet")
    assert schema.names == ["image", "emotion", "Usage", *VOTE_COLUMN_NAMES]
    write_faces(tmp_path / "bare.parquet", (FaceRow(r.image, r.emotion, r.split) for r in rows))
    assert pq.read_schema(tmp_path / "bare.parquet").names == ["image", "emotion", "Usage"]
    assert read_faces(tmp_path / "bare.parquet").votes is None


@given(st.lists(st.tuples(arrays(np.uint8, (48, 48)), st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=4))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_every_face_survives_the_round_trip(tmp_path, values):
    write_faces(tmp_path / "any.parquet", [FaceRow(*value) for value in values])
    read = read_faces(tmp_path / "any.parquet")
    assert all(np.array_equal(a, b) for a, (b, _, _) in zip(read.images, values, strict=True))
    assert read.emotions.tolist() == [emotion for _, emotion, _ in values]
    assert read.splits.tolist() == [split for _, _, split in values]


def test_rows_are_written_as_they_come(rows, tmp_path):
    path = tmp_path / "faces.parquet"
    written = []

    def stream():
        for i in range(2 * ROWS_PER_GROUP + 1):
            if i == ROWS_PER_GROUP + 1:  # the first group is behind us
                part = next(tmp_path.glob(".*.part"))
                written.append(part.stat().st_size)
            yield rows[0]

    write_faces(path, stream())
    assert written[0] > 100_000
    assert pq.read_metadata(path).num_rows == 2 * ROWS_PER_GROUP + 1


def test_an_error_in_the_middle_leaves_the_old_file_alone(rows, tmp_path):
    path = tmp_path / "faces.parquet"
    path.write_bytes(b"old")

    def stream():
        yield from rows * 100
        raise DatasetError("bad row")

    with pytest.raises(DatasetError, match="bad row"):
        write_faces(path, stream())
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["faces.parquet"]


def test_refuses_no_rows_and_votes_for_some(rows, tmp_path):
    with pytest.raises(DatasetError, match="no good row"):
        write_faces(tmp_path / "faces.parquet", [])
    with pytest.raises(DatasetError, match="some rows have votes"):
        write_faces(tmp_path / "faces.parquet", [rows[0], FaceRow(rows[1].image, 0, 0)])
    assert not list(tmp_path.iterdir())


def test_says_where_it_cannot_write(rows, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        write_faces(tmp_path / "file" / "faces.parquet", rows)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("emotion", 7, "row 5: emotion is 7"),
        ("emotion", -1, "row 5: emotion is -1"),
        ("emotion", None, "row 5: emotion is None"),
        ("Usage", "Test", "row 5: Usage is 'Test'"),
        ("Usage", None, "row 5: Usage is None"),
        ("image", None, "row 5: the image cannot be decoded (it is empty)"),
        ("image", b"nonsense", "row 5: the image cannot be decoded (8 bytes of no known format)"),
        ("votes_fear", -3, "row 5: the votes are "),
    ],
)
def test_a_bad_row_is_named_and_spoils_no_other(table, save, column, value, message):
    table[column][5] = value
    path = save(table)
    with open_faces(path) as source:
        found = list(iterate_parquet(source, "faces"))
    assert [i for i, row in enumerate(found) if isinstance(row, DatasetError)] == [5]
    assert str(found[5]).startswith(f"faces, {message}")
    with pytest.raises(DatasetError, match="row 5"):
        read_faces(path)


def test_faces_with_null_votes_were_not_voted_on(table, save):
    table["votes_fear"][3] = None
    assert read_faces(save(table)).votes[3].tolist() == [0] * 10


def test_other_pictures_are_refused():
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    png = encode(Image.fromarray(noise))
    with pytest.raises(DatasetError, match=r"here: the image is 40×50\. Resize .*iterate_rows\(…, resize=True\)"):
        decode_face(encode(Image.new("L", (40, 50))), "here")
    with pytest.raises(DatasetError, match="more than 8 bits"):
        decode_face(encode(Image.fromarray(noise.astype(np.uint16) * 256)), "here")
    for length in range(0, len(png) - 20, 97):
        with pytest.raises(DatasetError, match="cannot be decoded"):
            decode_face(png[:length], "here")


@pytest.mark.parametrize(
    ("file_format", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("BMP", {}), ("TIFF", {}), ("GIF", {})]
)
def test_lossless_formats_keep_every_pixel(file_format, options):
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    assert np.array_equal(decode_face(encode(Image.fromarray(noise), file_format, **options), "here"), noise)
    assert np.array_equal(decode_face(encode(Image.fromarray(noise).convert("RGB")), "here"), noise)
    assert np.array_equal(decode_face(encode_face(noise), "here"), noise)


def test_a_face_is_turned_and_laid_over_white_as_load_image_does():
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    turned = encode(Image.fromarray(np.rot90(noise)), exif=exif)
    assert np.array_equal(decode_face(turned, "here"), noise)
    assert np.array_equal(load_image(turned)[..., 0], noise)
    opacity = np.where(np.indices((48, 48)).sum(axis=0) < 48, 255, 0).astype(np.uint8)
    faded = encode(Image.merge("LA", (Image.fromarray(noise), Image.fromarray(opacity))))
    assert np.array_equal(decode_face(faded, "here"), np.where(opacity, noise, 255))
    assert np.array_equal(load_image(faded)[..., 0], decode_face(faded, "here"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": None}, "lacks the column image; it has"),
        ({"image": None, "Usage": None}, "lacks the columns image, Usage; it has"),
        ({"image": ["a"] * 28}, "column image is string, not binary"),
        ({"emotion": ["happy"] * 28}, "column emotion is string, not an integer"),
        ({"Usage": [0] * 28}, "column Usage is int64, not text"),
        ({"votes_fear": [0.5] * 28}, "column votes_fear is double, not an integer"),
    ],
)
def test_other_columns_are_refused(table, save, change, message):
    columns = {name: values for name, values in (table | change).items() if values is not None}
    with pytest.raises(DatasetError, match=message), open_faces(save(columns)):
        pass


def test_damaged_files_are_refused(rows, tmp_path):
    path = tmp_path / "faces.parquet"
    write_faces(path, rows)
    whole = path.read_bytes()
    for damaged in (b"", b"PAR1", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match="not a readable Parquet file"):
            read_faces(path)
    path.write_bytes(whole[:4] + bytes(60) + whole[64:])  # the footer is whole, the first pages are not
    with pytest.raises(DatasetError, match="is damaged from row 0 on"):
        read_faces(path)
    with pytest.raises(DatasetError, match="there is no file"):
        read_faces(tmp_path / "absent.parquet")
    with pytest.raises(DatasetError, match=r"not a readable Parquet file .*directory"):
        read_faces(tmp_path)


def test_a_path_may_hold_bytes_that_are_no_utf8(faces, rows, tmp_path, same):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    write_faces(folder / os.fsdecode(b"f\xe9.parquet"), rows)
    same(read_faces(folder / os.fsdecode(b"f\xe9.parquet")), faces, votes=True)
    with pytest.raises(DatasetError, match=r"there is no file .*caf\\xe9/g\\xe9.parquet"):
        read_faces(folder / os.fsdecode(b"g\xe9.parquet"))
