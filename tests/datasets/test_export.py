import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fervid.datasets.export import Export, export_faces
from fervid.datasets.folder import MANIFEST, list_pictures
from fervid.datasets.parquet import read_faces, write_faces
from fervid.datasets.preparation import prepare_faces
from fervid.datasets.sources import open_source
from fervid.errors import DatasetError, OutputError, UsageError

pytest.importorskip("pyarrow")


@pytest.fixture
def parquet(rows, tmp_path):
    path = tmp_path / "faces.parquet"
    write_faces(path, rows)
    return path


def list_files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_one_folder_per_split_and_emotion(parquet, tmp_path):
    folder = tmp_path / "pictures"
    assert export_faces(parquet, folder) == Export(written=28, kept=0)
    assert list_files(folder)[:4] == [
        "PrivateTest/angry/00021.png",
        "PrivateTest/disgust/00022.png",
        "PrivateTest/fear/00023.png",
        "PrivateTest/happy/00024.png",
    ]
    assert len(list_files(folder)) == 29
    with Image.open(folder / "Training/angry/00000.png") as picture:
        assert (picture.mode, picture.size) == ("L", (48, 48))


def test_png_and_back_is_the_same_in_order_and_takes_votes(parquet, faces, vote_lines, write_lines, tmp_path, same):
    export_faces(parquet, tmp_path / "pictures")
    source = open_source(tmp_path / "pictures")
    assert source.description == "folders that fervid exported"
    prepare_faces(source, tmp_path / "back.parquet", votes=write_lines("votes.csv", vote_lines))
    same(read_faces(tmp_path / "back.parquet"), faces, votes=True)
    assert (tmp_path / "back.parquet").read_bytes() == parquet.read_bytes()


def test_jpg_is_close(parquet, faces, tmp_path):
    export_faces(parquet, tmp_path / "pictures", image_format="jpg")
    prepare_faces(open_source(tmp_path / "pictures"), tmp_path / "back.parquet")
    back = read_faces(tmp_path / "back.parquet")
    error = np.abs(back.images.astype(int) - faces.images).mean()
    assert 0 < error < 8  # noise is the hardest picture for JPEG
    assert np.array_equal(back.emotions, faces.emotions)


def test_six_labels_put_disgust_into_angers_folder(parquet, tmp_path):
    export_faces(parquet, tmp_path / "pictures", labels=6)
    assert not list(tmp_path.glob("pictures/*/disgust"))
    assert len(list(tmp_path.glob("pictures/Training/angry/*.png"))) == 4
    assert open_source(tmp_path / "pictures").notes == ("exported with 6 labels: disgust counts as angry",)


def test_an_export_that_is_no_longer_whole_has_no_order(parquet, vote_lines, write_lines, tmp_path):
    folder = tmp_path / "pictures"
    export_faces(parquet, folder)
    assert list_pictures(folder).notes == ()
    for number in (3, 10):
        (folder / "Training" / "happy" / f"{number:05d}.png").unlink()
    listed = list_pictures(folder)
    assert (listed.is_export, listed.notes) == (False, ("26 of 28 pictures are there",))
    with pytest.raises(DatasetError, match=r"not in the order of fer2013.csv.* a whole export"):
        prepare_faces(open_source(folder), tmp_path / "back.parquet", votes=write_lines("votes.csv", vote_lines))
    picture = (folder / "Training" / "angry" / "00000.png").read_bytes()
    for name in ("holiday.png", "99999.png"):  # as many as were exported, but not those
        (folder / "Training" / "happy" / name).write_bytes(picture)
    listed = list_pictures(folder)
    assert not listed.is_export
    assert listed.notes == ("26 of 28 pictures are there", "2 pictures are not of the export")


def test_an_interrupted_export_goes_on(parquet, tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    write = Path.write_bytes
    written = []

    def fail_at_the_tenth(path, data):
        written.append(path)
        if len(written) == 10:
            write(path, data[: len(data) // 2])
            raise KeyboardInterrupt
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail_at_the_tenth)
        with pytest.raises(KeyboardInterrupt):
            export_faces(parquet, folder)
    assert len(list_files(folder)) == 9 + 1
    for path in folder.rglob("*.png"):
        with Image.open(path) as picture:
            picture.load()
    with pytest.raises(DatasetError, match="an export that was interrupted"):
        open_source(folder)
    (folder / "Training/angry/.00000.png.1.part").touch()  # what a killed process leaves
    assert export_faces(parquet, folder) == Export(written=19, kept=9)
    assert len(list_files(folder)) == 29
    assert open_source(folder).total == 28


def test_a_second_export_writes_nothing(parquet, tmp_path):
    export_faces(parquet, tmp_path / "pictures")
    assert export_faces(parquet, tmp_path / "pictures") == Export(written=0, kept=28)


def test_another_export_is_replaced_only_when_asked(parquet, rows, tmp_path):
    folder = tmp_path / "pictures"
    export_faces(parquet, folder)
    (folder / "Training" / "angry" / "notes.txt").touch()
    write_faces(parquet, rows[:5])
    with pytest.raises(UsageError, match=r"export of something else \(other source_sha256, rows\)"):
        export_faces(parquet, folder)
    with pytest.raises(UsageError, match=r"other source_sha256, rows, format, labels"):
        export_faces(parquet, folder, image_format="jpg", labels=6)
    assert export_faces(parquet, folder, replace=True) == Export(written=5, kept=0)
    assert len(list_files(folder)) == 5 + 2  # the manifest, and what was not ours
    assert json.loads((folder / MANIFEST).read_text())["rows"] == 5


def test_a_folder_of_others_is_never_touched(parquet, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "holiday.jpg").touch()
    for replace in (False, True):
        with pytest.raises(UsageError, match="not empty and was not made by fervid"):
            export_faces(parquet, folder, replace=replace)
    assert list_files(folder) == ["holiday.jpg"]
    with pytest.raises(UsageError, match="is a file"):
        export_faces(parquet, parquet)


def test_refuses_other_formats_labels_and_sources(parquet, tmp_path):
    with pytest.raises(UsageError, match="cannot export to 'gif'"):
        export_faces(parquet, tmp_path / "pictures", image_format="gif")
    with pytest.raises(UsageError, match="no system of 5 labels"):
        export_faces(parquet, tmp_path / "pictures", labels=5)
    with pytest.raises(DatasetError, match="there is no file"):
        export_faces(tmp_path / "absent", tmp_path / "pictures")
    assert not (tmp_path / "pictures").exists()


def test_says_where_it_cannot_write(parquet, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        export_faces(parquet, tmp_path / "file" / "pictures")


def test_a_replacement_that_is_interrupted_leaves_no_whole_export(
    parquet: Path, rows: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pictures"
    export_faces(parquet, folder)
    write_faces(parquet, rows[:5])

    def stop(place: Path) -> None:
        next(place.glob("*/*/*.png")).unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr("fervid.datasets.export._remove_pictures", stop)
    with pytest.raises(KeyboardInterrupt):
        export_faces(parquet, folder, replace=True)
    with pytest.raises(DatasetError, match="interrupted"):
        list_pictures(folder)
