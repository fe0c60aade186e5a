import numpy as np
import pytest
from PIL import Image

from fervid.datasets.faceset import SPLITS, FaceRow
from fervid.datasets.folder import MANIFEST, iterate_pictures, list_pictures
from fervid.errors import DatasetError, UsageError


@pytest.fixture
def paint(tmp_path):
    """A function that saves a grey picture at a path inside the folder; its level tells it from others."""

    def save(name, level=100, size=(48, 48)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, level).save(path)
        return path

    return save


def read(folder, split=None):
    return list(iterate_pictures(list_pictures(folder, split)))


def test_reads_kaggles_layout(paint, tmp_path):
    paint("train/angry/Training_1.jpg", 10)
    paint("train/happy/Training_2.jpg", 20)
    paint("test/happy/PublicTest_3.jpg", 30)
    paint("test/sad/PrivateTest_4.jpg", 40)
    paint("test/neutral/im5.png", 50)
    listed = list_pictures(tmp_path)
    found = [(row.image[0, 0], row.emotion, SPLITS[row.split]) for row in iterate_pictures(listed)]
    assert found == [
        (30, 3, "PublicTest"),
        (50, 6, "PrivateTest"),
        (40, 4, "PrivateTest"),
        (10, 0, "Training"),
        (20, 3, "Training"),
    ]
    assert not listed.is_export
    assert listed.notes == (
        "test/: 2 pictures count as PrivateTest",
        "test/: 1 pictures are called PublicTest_… and count as such",
        "train/: 2 pictures count as Training",
    )


def test_a_folder_that_is_not_called_test_says_the_split_itself(paint, tmp_path):
    paint("validation/fear/Training_1.png")
    paint("Train/fear/PrivateTest_1.png")
    assert [SPLITS[row.split] for row in read(tmp_path)] == ["Training", "PublicTest"]


def test_without_folders_of_splits_the_names_or_the_caller_say_it(paint, tmp_path):
    paint("surprise/PublicTest_9.png")
    assert [(row.emotion, SPLITS[row.split]) for row in read(tmp_path)] == [(5, "PublicTest")]
    paint("surprise/x.png")
    with pytest.raises(DatasetError, match=r"names no splits \(nor does x.png\).*--split"):
        read(tmp_path)
    assert [SPLITS[row.split] for row in read(tmp_path, "Training")] == ["PublicTest", "Training"]


def test_refuses_a_split_where_the_folders_say_it(paint, tmp_path):
    paint("train/fear/1.png")
    with pytest.raises(UsageError, match="name the splits"):
        list_pictures(tmp_path, "Training")


def test_accepts_other_names_of_emotions(paint, tmp_path):
    for folder in ("Anger", "fearful", "3"):
        paint(f"train/{folder}/1.png")
    assert [row.emotion for row in read(tmp_path)] == [3, 0, 2]


def test_folders_called_by_numbers_are_read_in_fer2013s_order_which_is_noted(paint, tmp_path):
    paint("angry/Training_1.png")
    order = "folders 0–6 are read in FER2013's order: 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral"
    assert order not in list_pictures(tmp_path).notes
    paint("5/Training_2.png")
    assert list_pictures(tmp_path).notes == (order,)


def test_a_bad_picture_is_named_and_spoils_no_other(paint, tmp_path):
    good = paint("train/angry/a.png")
    paint("train/angry/b.png", size=(64, 48))
    (tmp_path / "train/angry/c.jpg").write_bytes(good.read_bytes()[:60])
    (tmp_path / "train/angry/d.png").write_bytes(b"")
    paint("train/boredom/e.png")
    (tmp_path / "train/angry/f.png").symlink_to(tmp_path / "nowhere")
    found = read(tmp_path)
    assert [isinstance(row, FaceRow) for row in found] == [True, False, False, False, False, False]
    folder = tmp_path / "train"
    for row, start in zip(
        found[1:],
        (
            f"{folder}/angry/b.png: the image is 64×48",
            f"{folder}/angry/c.jpg: the image cannot be decoded",
            f"{folder}/angry/d.png: the image cannot be decoded (it is empty)",
            f"{folder}/angry/f.png: cannot be opened",
            f"{folder}/boredom/e.png: unknown label 'boredom'",
        ),
        strict=True,
    ):
        assert str(row).startswith(start)


def test_hidden_files_are_nothing_and_others_are_noted(paint, tmp_path):
    paint("train/angry/a.png")
    paint("train/angry/.a.png.1.part.png")
    paint("__MACOSX/angry/a.png")
    (tmp_path / "train/angry/Thumbs.db").touch()
    listed = list_pictures(tmp_path)
    assert len(listed.pictures) == 1
    assert "1 files are no pictures and were left out (Thumbs.db …)" in listed.notes[0]


def test_refuses_other_layouts(paint, tmp_path):
    with pytest.raises(DatasetError, match="it holds nothing"):
        list_pictures(tmp_path)
    paint("cats/1.png")
    with pytest.raises(DatasetError, match="is no layout of FER2013: it holds cats"):
        list_pictures(tmp_path)
    paint("train/angry/1.png")
    with pytest.raises(DatasetError, match="no split is called 'cats'"):
        list_pictures(tmp_path)


def test_refuses_folders_without_pictures(tmp_path):
    (tmp_path / "train" / "angry").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no picture in them"):
        list_pictures(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"complete": true}'])
def test_refuses_a_damaged_note(paint, tmp_path, content):
    paint("Training/angry/1.png")
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(DatasetError, match="is damaged"):
        list_pictures(tmp_path)


def test_colour_becomes_grey(tmp_path):
    (tmp_path / "train/happy").mkdir(parents=True)
    Image.new("RGB", (48, 48), (255, 0, 0)).save(tmp_path / "train/happy/1.png")
    assert np.all(read(tmp_path)[0].image == 76)  # 0.299 × 255
