import gzip
import os
import zipfile

import pytest
from PIL import Image

from fervid.datasets.faceset import FaceSet
from fervid.datasets.sources import open_source
from fervid.errors import DatasetError, UsageError


def read(source):
    return FaceSet.from_rows(list(source.iterate()))


def without_usage(lines):
    return [line.rsplit(",", 1)[0] for line in lines]


def test_recognises_kaggles_csv(faces, lines, write_lines, same):
    source = open_source(write_lines("any-name.txt", lines))
    assert (source.description, source.total, source.in_order) == (
        "Kaggle's CSV (emotion, pixels, Usage)", len(faces), True,
    )  # fmt: skip
    same(read(source), faces)
    same(read(source), faces)  # a second time, from the start


def test_recognises_parquet(faces, rows, tmp_path, same):
    pytest.importorskip("pyarrow")
    from fervid.datasets.parquet import write_faces

    write_faces(tmp_path / "any-name", rows)
    source = open_source(tmp_path / "any-name")
    assert (source.description, source.total, source.in_order) == ("Parquet", len(faces), True)
    same(read(source), faces, votes=True)
    with pytest.raises(UsageError, match="names the split of each row"):
        open_source(tmp_path / "any-name", split="Training")
    no_utf8 = (tmp_path / "any-name").rename(tmp_path / os.fsdecode(b"f\xe9"))
    same(read(open_source(no_utf8)), faces, votes=True)


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv"])
def test_a_folder_with_the_whole_csv_is_that_csv(faces, lines, write_lines, same, name):
    path = write_lines(f"data/{name}", lines)
    write_lines("data/train.csv", without_usage(lines))
    source = open_source(path.parent)
    same(read(source), faces)
    assert source.notes == ("beside it, not read: train.csv",)


def test_the_pair_of_the_competition_gives_its_training_half(faces, lines, write_lines, same):
    path = write_lines("train.csv", without_usage(lines[:15]))
    write_lines("test.csv", ["pixels", *(line.split(",")[1] for line in lines[15:])])
    source = open_source(path.parent)
    same(read(source), faces.split("Training"))
    assert source.notes == (
        "train.csv has no column Usage: all its rows count as Training",
        "test.csv is not read: it has no labels",
    )
    with pytest.raises(DatasetError, match="has no labels"):
        open_source(path.parent / "test.csv")


def test_a_pair_with_labels_gives_both(faces, lines, write_lines):
    path = write_lines("train.csv", without_usage(lines[:15]))
    write_lines("test.csv", without_usage(lines[:1] + lines[15:]))
    source = open_source(path.parent)
    assert source.total == len(faces)
    assert read(source).splits.tolist() == [0] * 14 + [2] * 14
    assert "test.csv has no column Usage: all its rows count as PrivateTest" in source.notes


def test_every_csv_that_is_called_as_a_split_is_read(faces, lines, write_lines, same, tmp_path):
    def write(name, start, stop):
        return write_lines(name, without_usage(lines[:1] + lines[start:stop]))

    write("data/test.csv", 22, 29)
    write("data/Validation.csv", 15, 22)
    source = open_source(tmp_path / "data")
    same(read(source), faces[14:])
    write("data/train.csv", 1, 15)
    write("data/more.csv", 1, 15)
    (tmp_path / "data" / "images").mkdir()
    source = open_source(tmp_path / "data")
    assert (source.path, source.total, source.in_order) == (tmp_path / "data", len(faces), True)
    assert source.description == "CSV (train.csv, Validation.csv, test.csv)"
    same(read(source), faces)
    assert source.notes == (
        "train.csv has no column Usage: all its rows count as Training",
        "Validation.csv has no column Usage: all its rows count as PublicTest",
        "test.csv has no column Usage: all its rows count as PrivateTest",
        "beside it, not read: images, more.csv",
    )
    with pytest.raises(UsageError, match=r"the files in .* name the splits. Leave --split out"):
        open_source(tmp_path / "data", split="Training")


def test_a_folder_around_the_folder_is_opened(lines, write_lines, tmp_path):
    write_lines("download/archive/fer2013.csv", lines)
    assert open_source(tmp_path / "download").total == 28
    (tmp_path / "other/images/train/angry").mkdir(parents=True)
    Image.new("L", (48, 48)).save(tmp_path / "other/images/train/angry/1.png")
    assert open_source(tmp_path / "other").total == 1
    assert open_source(tmp_path / "other/images").total == 1
    assert open_source(tmp_path / "other/images/train", split="Training").total == 1


def test_what_macos_adds_to_archives_is_no_part_of_the_folder(lines, write_lines, tmp_path):
    write_lines("unpacked/fer/fer2013.csv", lines)
    write_lines("unpacked/__MACOSX/fer/._fer2013.csv", ["of macOS"])
    assert open_source(tmp_path / "unpacked").total == 28


def test_archives_are_to_be_unpacked(lines, write_lines, tmp_path):
    path = write_lines("fer2013.csv", lines)
    (tmp_path / "fer2013.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.write(path)
    for name, kind in (("fer2013.csv.gz", "gzip"), ("archive.zip", "zip")):
        with pytest.raises(DatasetError, match=f"is a {kind} archive. Unpack it"):
            open_source(tmp_path / name)


def test_refuses_what_is_not_there_or_nothing_of_this(tmp_path):
    with pytest.raises(DatasetError, match="there is no file or folder"):
        open_source(tmp_path / "absent")
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    with pytest.raises(DatasetError, match="is not the header of a CSV"):
        open_source(tmp_path / "noise")
    with pytest.raises(UsageError, match="unknown split 'train'"):
        open_source(tmp_path, split="train")
