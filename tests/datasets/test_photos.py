"""Photos with marked faces: what is read, what is refused, and that the split keeps together what belongs together."""

import io
import os
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fervid.datasets.photos import (
    KINDS,
    REQUIRED,
    ROWS_PER_BATCH,
    SPLITS,
    count_photos,
    find_group,
    find_split,
    iterate_photos,
)
from fervid.errors import DatasetError, UsageError
from fervid.imaging import load_image

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

MARKS = [12.0, 14, 20, 14, 16, 18, 13, 24, 19, 24]


def encode(width=40, height=30, file_format="PNG", **options):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (200, 40, 10)).save(stream, file_format, **options)
    return stream.getvalue()


def make_row(**changes):
    row = {
        "image": encode(),
        "width": 40,
        "height": 30,
        "kind": "people",
        "source": "some/collection@1:photos/team.jpg",
        "boxes": [[10.0, 8, 22, 28]],
        "landmarks": [MARKS],
        "scores": [0.9],
        "ignore_boxes": [[30.0, 1, 35, 8]],
    }
    return {**row, **changes}


@pytest.fixture
def save(tmp_path):
    """A function that writes rows, or a table, and gives the path."""

    def write(rows, **options):
        path = tmp_path / "photos.parquet"
        pq.write_table(pa.Table.from_pylist(rows) if isinstance(rows, list) else rows, path, **options)
        return path

    return write


def test_what_is_written_is_read(save):
    (photo,) = iterate_photos(save([make_row()]))
    assert (photo.size, photo.kind, photo.source) == ((40, 30), "people", "some/collection@1:photos/team.jpg")
    assert photo.boxes.tolist() == [[10, 8, 22, 28]]
    assert photo.landmarks.tolist() == [[[12, 14], [20, 14], [16, 18], [13, 24], [19, 24]]]
    assert photo.scores.tolist() == [0.9]
    assert photo.ignore_boxes.tolist() == [[30, 1, 35, 8]]
    assert np.array_equal(photo.decode(), load_image(encode()))
    assert photo.where.endswith("photos.parquet, row 0")
    for array in (photo.boxes, photo.landmarks, photo.scores, photo.ignore_boxes):
        assert not array.flags.writeable


def test_four_columns_are_enough(save):
    rows = [{name: make_row(boxes=boxes)[name] for name in REQUIRED} for boxes in ([[1, 2, 9, 12]], [], None)]
    face, empty, null = iterate_photos(save(rows))
    assert (face.kind, empty.kind, null.kind) == ("people", "background", "background")
    assert face.scores.tolist() == [1]
    assert face.landmarks.shape == (1, 5, 2)
    assert np.isnan(face.landmarks).all()
    assert empty.boxes.shape == empty.ignore_boxes.shape == (0, 4)
    assert empty.landmarks.shape == (0, 5, 2)
    assert face.source == ""
    assert face.group == empty.group != ""  # the same picture


def test_a_face_may_lack_its_landmarks_and_its_score(save):
    row = make_row(boxes=[[0, 0, 9, 9], [9, 9, 20, 20]], landmarks=[None, MARKS], scores=[None, 0.5])
    (photo,) = iterate_photos(save([row]))
    assert np.isnan(photo.landmarks[0]).all()
    assert np.isfinite(photo.landmarks[1]).all()
    assert photo.scores.tolist() == [1, 0.5]


def test_boxes_may_overshoot_by_a_rounding_error_and_are_cut_off(save):
    (photo,) = iterate_photos(save([make_row(boxes=[[-0.6, 0, 40.5, 30.9]])]))
    assert photo.boxes.tolist() == [[0, 0, 40, 30]]


def test_a_file_without_any_face_is_read(save):
    rows = [{**make_row(boxes=[], landmarks=[], scores=[], ignore_boxes=[], kind="background")} for _ in range(3)]
    assert [len(photo.boxes) for photo in iterate_photos(save(rows))] == [0, 0, 0]


@pytest.mark.parametrize("column", REQUIRED)
def test_names_a_missing_column(save, column):
    row = make_row()
    del row[column]
    with pytest.raises(DatasetError, match=rf"lacks the column {column}; it has .*describes the columns"):
        iterate_photos(save([row]))


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("image", "picture.jpg", r"string, not binary"),
        ("width", 40.0, r"double, not an integer"),
        ("boxes", [1.0, 2, 3, 4], r"list<.*>, not lists of lists of numbers"),
        ("boxes", "1 2 3 4", r"string, not lists"),
        ("boxes", [["1", "2", "3", "4"]], r"list<.*string>>, not lists of lists of numbers"),
        ("scores", 0.5, r"double, not lists of numbers"),
        ("kind", 3, r"int64, not text"),
        ("source", b"x", r"binary, not text"),
    ],
)
def test_names_a_column_of_another_type(save, column, value, wanted):
    with pytest.raises(DatasetError, match=f"the column {column} is {wanted}"):
        iterate_photos(save([make_row(**{column: value})]))


BAD_ROWS = {
    "no image": ({"image": b""}, "there is no image"),
    "no width": ({"width": None}, "the size is 0×30"),
    "negative height": ({"height": -1}, "the size is 40×-1"),
    "box of three": ({"boxes": [[1.0, 2, 3]]}, r"boxes holds \[1.0, 2.0, 3.0\], not 4 finite numbers"),
    "box of nothing": ({"boxes": [None]}, "boxes holds None, not 4 finite numbers"),
    "box with a hole": ({"boxes": [[1.0, None, 3, 4]]}, "not 4 finite numbers"),
    "endless box": ({"boxes": [[1.0, 2, float("inf"), 4]]}, "not 4 finite numbers"),
    "x, y, width, height": ({"boxes": [[20.0, 8, 12, 20]]}, "which is empty. Give x1, y1, x2, y2"),
    "left of the picture": ({"boxes": [[-5.0, 8, 12, 20]]}, "outside the picture of 40×30 px. Cut boxes off"),
    "below the picture": ({"boxes": [[5.0, 8, 12, 32]]}, "outside the picture of 40×30 px"),
    "beyond the picture": ({"boxes": [[50.0, 8, 62, 20]]}, "outside the picture of 40×30 px"),
    "in the border": ({"boxes": [[40.2, 8, 40.9, 20]]}, "which is empty"),
    "bad box to ignore": ({"ignore_boxes": [[5.0, 8, 12, 32]]}, "ignore_boxes holds .* outside"),
    "too few landmarks": ({"landmarks": []}, "1 boxes but 0 landmarks"),
    "four points": ({"landmarks": [MARKS[:8]]}, "landmarks holds .*, not 10 finite numbers"),
    "too many scores": ({"scores": [0.5, 0.5]}, "1 boxes but 2 scores"),
    "score in per cent": ({"scores": [93.0]}, r"scores are \[93.0\]. Scores lie in 0–1"),
    "unknown kind": ({"kind": "crowd"}, "kind is 'crowd'. Kinds are people, head, background"),
    "a face in the background": ({"kind": "background"}, "background with 1 boxes"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_names_a_bad_row_or_passes_it_over(save, name):
    changes, message = BAD_ROWS[name]
    path = save([make_row(), make_row(**changes), make_row(kind="head")])
    photos = iterate_photos(path)
    assert next(photos).kind == "people"
    with pytest.raises(DatasetError, match=rf"photos.parquet, row 1: .*{message}"):
        next(photos)
    errors = []
    assert [photo.kind for photo in iterate_photos(path, on_bad=errors.append)] == ["people", "head"]
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no picture at all", "row 0: the data is not a picture"),
        (encode()[:-30], "row 0: the data is damaged"),
        (encode(30, 40), "row 0: the picture has 30×40 px, not 40×30. width, height and boxes"),
    ],
)
def test_names_a_picture_that_cannot_be_decoded(save, data, message):
    (photo,) = iterate_photos(save([make_row(image=data)]))
    with pytest.raises(DatasetError, match=message):
        photo.decode()


def test_sizes_and_boxes_are_those_of_the_upright_picture(save):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    (photo,) = iterate_photos(save([make_row(image=encode(30, 40, "JPEG", exif=exif))]))
    assert photo.decode().shape == (30, 40, 3)


def test_refuses_what_is_no_file_of_photos(tmp_path):
    with pytest.raises(DatasetError, match="there is no file"):
        iterate_photos(tmp_path / "absent.parquet")
    (tmp_path / "photos.csv").write_text("image,boxes\n")
    with pytest.raises(DatasetError, match="not a readable Parquet file"):
        count_photos(tmp_path / "photos.csv")


def test_says_where_a_damaged_file_ends(save):
    path = save(
        [make_row() for _ in range(2 * ROWS_PER_BATCH + 1)],
        row_group_size=2 * ROWS_PER_BATCH,
        compression="none",
        use_dictionary=False,
    )
    data = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    data[start : start + 100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"photos.parquet is damaged from row 128 on"):
        list(iterate_photos(path))


def test_chooses_kinds_and_splits(save):
    kinds = [KINDS[i % 3] for i in range(3 * ROWS_PER_BATCH)]
    rows = [
        make_row(kind=kind, source=f"{i:05}.jpg", boxes=[] if kind == "background" else [[1, 2, 9, 12]])
        | ({"landmarks": [], "scores": []} if kind == "background" else {})
        for i, kind in enumerate(kinds)
    ]
    path = save(rows)
    assert count_photos(path) == len(rows)
    assert Counter(p.kind for p in iterate_photos(path, kinds=["head", "people"])) == {"head": 64, "people": 64}
    halves = {split: [p.source for p in iterate_photos(path, split=split)] for split in SPLITS}
    assert sorted(halves["training"] + halves["validation"]) == [row["source"] for row in rows]
    assert all(find_split(find_group(source)) == split for split in SPLITS for source in halves[split])
    assert 0.05 < len(halves["validation"]) / len(rows) < 0.27
    with pytest.raises(UsageError, match=r"unknown split 'test'\. Use one of: training, validation"):
        iterate_photos(path, split="test")
    with pytest.raises(UsageError, match="unknown kind 'faces'"):
        iterate_photos(path, kinds=["faces"])


def test_a_path_may_hold_bytes_that_are_no_utf8(save, tmp_path):
    path = save([make_row()]).rename(tmp_path / os.fsdecode(b"f\xe9.parquet"))
    assert count_photos(path) == len(list(iterate_photos(path))) == 1


def test_a_column_of_groups_goes_before_the_source(save):
    (photo,) = iterate_photos(save([make_row(group="wedding")]))
    assert photo.group == "wedding"
    assert photo.split == find_split("wedding")


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("a@1:images/Ann_Lee_0001.jpg", "a@1:images/Ann_Lee_0530.jpg", True),  # a person
        ("a@1:images/Ann_Lee_0001.jpg", "a@1:images/Ann_Li_0001.jpg", False),
        ("a@1:photos/0101.jpg", "a@1:photos/0119.jpg", True),  # neighbours in a series
        ("a@1:photos/101.png", "a@1:photos/0102.jpg", True),
        ("a@1:photos/0119.jpg", "a@1:photos/0120.jpg", False),
        ("a@1:photos/0001.jpg", "b@1:photos/0001.jpg", False),
        ("a@1:val/000000012448.jpg", "a@1:val/000000012449.jpg", False),  # a mixed collection
        ("a@1:val/COCO_test_000000012448.jpg", "a@1:val/COCO_test_000000012449.jpg", False),
        ("a@1:val/2007_000491.jpg", "a@1:val/2007_000492.jpg", False),
        ("a@1:blog/picnic/team.jpg", "a@1:blog/picnic/cake.png", True),  # an album
        ("a@1:blog/picnic/team.jpg", "a@1:blog/office/team.jpg", False),
    ],
)
def test_groups_go_by_the_name_of_the_file(one, other, together):
    assert (find_group(one) == find_group(other)) is together


@settings(deadline=None)
@given(st.text(max_size=40))
def test_every_name_has_a_group_and_a_split(source):
    assert find_split(find_group(source)) in SPLITS


def test_the_split_stays_as_it_is():
    """A photo that changes sides would spoil every comparison with an older model."""
    assert [i for i in range(40) if find_split(str(i)) == "validation"] == [11, 16, 27, 30]


@pytest.fixture
def real(shared_data):
    path = shared_data / "photos.parquet"
    if not path.is_file():
        pytest.skip("photos.parquet is not here")
    return path


def test_the_real_file_is_held_out_evenly_and_by_group(real):
    photos = list(iterate_photos(real))
    assert len(photos) == count_photos(real) == 8131
    sides = {}
    for photo in photos:
        assert sides.setdefault(photo.group, photo.split) == photo.split
    for kind in KINDS:
        share = np.mean([photo.split == "validation" for photo in photos if photo.kind == kind])
        assert 0.13 < share < 0.17
    held = sum(len(photo.boxes) for photo in photos if photo.split == "validation" and photo.kind == "people")
    assert 0.12 < held / sum(len(photo.boxes) for photo in photos if photo.kind == "people") < 0.18


@pytest.mark.slow
def test_no_photo_of_the_real_file_is_on_both_sides_in_another_crop(real):
    """Faces of 20 px and more with some of what is around them, in colour: the same photo correlates above 0.95."""
    patches, places = [], []
    for number, photo in enumerate(iterate_photos(real, kinds=["people"])):
        boxes = photo.boxes[photo.boxes[:, 3] - photo.boxes[:, 1] >= 20]
        picture = Image.fromarray(photo.decode()) if len(boxes) else None
        for x1, y1, x2, y2 in boxes:
            assert picture is not None
            x, y, half = (x1 + x2) / 2, (y1 + y2) / 2, 0.9 * (y2 - y1)
            patch = picture.crop((round(x - half), round(y - half), round(x + half), round(y + half)))
            patches.append(np.asarray(patch.resize((20, 20), Image.Resampling.BOX), dtype=np.float32))
            places.append((number, photo.split))

    def normalise(values):
        flat = values.reshape(len(values), -1)
        flat = flat - flat.mean(axis=1, keepdims=True)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    faces = np.array(patches)
    split = np.array([split for _, split in places])
    held, others = faces[split == "validation"], faces[split == "training"]
    same = normalise(held) @ normalise(others).T
    mirrored = normalise(held[:, :, ::-1]) @ normalise(others).T
    assert len(held) > 400
    assert max(same.max(), mirrored.max()) < 0.95
