"""Rows with ``image`` and ``label``: stand-ins with the manners of ``datasets``."""

import io
import json
import os
from types import SimpleNamespace

import numpy as np
import pyarrow as pa  # noqa: TID253
import pyarrow.parquet as pq  # noqa: TID253
import pytest
from PIL import Image

from fervid.datasets.huggingface import iterate_rows, read_rows
from fervid.datasets.parquet import SIZE_ADVICE, encode_face, read_faces, write_faces
from fervid.datasets.preparation import keep_good, prepare_faces
from fervid.datasets.sources import open_source
from fervid.emotions import EMOTIONS
from fervid.errors import DatasetError, UsageError
from fervid.evaluation.evaluation import evaluate_model

ALPHABETICAL = sorted(map(str, EMOTIONS))


class StandIn(list):
    """Rows with the attributes of a ``datasets.Dataset`` that are read."""

    def __init__(self, rows, split="train", names=ALPHABETICAL):
        super().__init__(rows)
        self.split = split
        self.features = {"image": object(), "label": SimpleNamespace(names=names)}


@pytest.fixture
def hub_rows(faces):
    """The faces as rows of a data set whose labels are in the order of the alphabet."""
    numbers = [ALPHABETICAL.index(EMOTIONS[emotion]) for emotion in faces.emotions]
    return [{"image": Image.fromarray(i), "label": n} for i, n in zip(faces.images, numbers, strict=True)]


def test_numbers_mean_what_the_data_set_says(faces, hub_rows):
    found = read_rows(StandIn(hub_rows))
    assert (found.images == faces.images).all()
    assert (found.emotions == faces.emotions).all()
    assert (found.splits == 0).all()
    assert found.votes is None


@pytest.mark.parametrize(
    ("split", "index"),
    [("train", 0), ("train[:10%]", 0), ("validation", 1), ("test", 2), ("PrivateTest", 2), ("val-00000-of-00002", 1)],
)
def test_splits_go_by_their_usual_names(hub_rows, split, index):
    assert (read_rows(StandIn(hub_rows[:3], split)).splits == index).all()
    assert (read_rows(StandIn(hub_rows[:3], split), split="PublicTest").splits == 1).all()


def test_several_splits_come_by_name(faces, hub_rows, same):
    parts = {
        name: StandIn([row for row, own in zip(hub_rows, faces.splits, strict=True) if own == index])
        for index, name in enumerate(("train", "validation", "test"))
    }
    same(read_rows(parts), faces)
    with pytest.raises(UsageError, match="names its splits"):
        read_rows(parts, split="Training")


def test_plain_rows_need_their_split_and_names(faces, hub_rows):
    numbered = [{"face": row["image"], "y": int(e)} for row, e in zip(hub_rows, faces.emotions, strict=True)]
    found = read_rows(iter(numbered), split="Training", image="face", label="y", names=EMOTIONS)
    assert (found.emotions == faces.emotions).all()
    with pytest.raises(UsageError, match="name no split"):
        read_rows(numbered, image="face", label="y", names=EMOTIONS)
    with pytest.raises(UsageError, match=r"'train\+test' names no split"):
        read_rows(StandIn(hub_rows, "train+test"))
    with pytest.raises(DatasetError, match="nothing says what the label 0 means"):
        read_rows(numbered, split="Training", image="face", label="y")
    words = [{"image": row["face"], "label": "happiness"} for row in numbered]
    assert (read_rows(words, split="Training").emotions == 3).all()


def test_digits_are_numbers_and_never_guessed(faces, hub_rows):
    face = hub_rows[0]["image"]
    words = [{"image": face, "label": text} for text in ("4", " 5 ")]
    named = read_rows(words, split="Training", names=ALPHABETICAL)
    assert [EMOTIONS[emotion] for emotion in named.emotions] == ALPHABETICAL[4:6]
    for unnamed in (words, StandIn(words, names=list("01234567")), StandIn(hub_rows, names=list("01234567"))):
        with pytest.raises(DatasetError, match=r"nothing says what the label .+ means.*fervid\.EMOTIONS"):
            read_rows(unnamed, split="Training")
    with pytest.raises(DatasetError, match=r"the label is 7\. There are 7 names"):
        read_rows([{"image": face, "label": "7"}], split="Training", names=ALPHABETICAL)


def test_pictures_may_be_whatever_load_image_reads(faces, tmp_path):
    face = faces.images[0]
    path = tmp_path / "face.png"
    path.write_bytes(encode_face(face))
    forms = [
        Image.fromarray(face), Image.fromarray(face).convert("RGB"), face, encode_face(face), str(path),
        {"bytes": encode_face(face), "path": None}, {"bytes": None, "path": str(path)},
    ]  # fmt: skip
    found = read_rows([{"image": form, "label": "sad"} for form in forms], split="PublicTest")
    assert (found.images == face).all()


def test_a_bad_row_is_an_error_in_its_place(hub_rows):
    good = hub_rows[0]
    bad = [
        ({**good, "label": 9}, "the label is 9"),
        ({**good, "label": -1}, "the label is -1"),
        ({**good, "label": None}, "the label is None"),
        ({**good, "label": "joyful"}, "unknown label 'joyful'"),
        ({**good, "image": None}, "there is no image"),
        ({**good, "image": b"no picture"}, "is not a picture"),
        ({**good, "image": np.zeros((50, 40), dtype=np.uint8)}, "40×50"),
        ({"img": good["image"], "label": 0}, "no column image; it has img, label"),
    ]
    rows = list(iterate_rows(StandIn([good, *[row for row, _ in bad], good])))
    assert len(rows) == len(bad) + 2
    for number, (row, (_, message)) in enumerate(zip(rows[1:-1], bad, strict=True), start=1):
        assert isinstance(row, DatasetError)
        assert f"rows, row {number}: " in row.message
        assert message in row.message
    with pytest.raises(DatasetError, match="row 1: the label is 9"):
        read_rows(StandIn([good, bad[0][0]]))
    with pytest.raises(DatasetError, match="no rows"):
        read_rows(StandIn([]))


def test_larger_faces_are_brought_to_size_when_asked():
    picture = np.full((90, 120, 3), 200, dtype=np.uint8)
    picture[:, :15] = picture[:, -15:] = 0  # outside the central square
    found = read_rows([{"image": picture, "label": "fear"}], split="Training", resize=True)
    assert found.images.shape == (1, 48, 48)
    assert (found.images[0, :, 1:-1] == 200).all()


def test_faces_of_another_size_come_with_what_helps_there(faces, hub_rows, tmp_path):
    large = Image.fromarray(faces.images[0]).resize((100, 100))
    (row,) = iterate_rows([{"image": large, "label": "fear"}], split="Training")
    assert row.advice == "Faces are 48×48; resize=True makes them."
    buffer = io.BytesIO()
    large.save(buffer, "PNG")
    path = tmp_path / "train.parquet"
    with path.open("wb") as file:
        pq.write_table(pa.table({"image": [{"bytes": buffer.getvalue()}], "label": ["fear"]}), file)
    (row,) = open_source(path).iterate()
    assert row.message.endswith("the image is 100×100")
    assert row.advice == SIZE_ADVICE
    assert "write_faces(path, keep_good(iterate_rows" in iterate_rows.__doc__  # as the advice says


def test_they_are_evaluated_and_written_for_training(faces, hub_rows, tmp_path):
    class Oracle:
        identity = "oracle@0"
        spec = SimpleNamespace(labels=EMOTIONS, threshold=0.5, blend=0.0)

        def predict(self, images):
            from fervid.classification.classifier import Prediction

            answers = np.full((len(images), 7), 0.01)
            for row, picture in enumerate(images):
                answers[row, faces.emotions[(faces.images == picture).all(axis=(1, 2)).argmax()]] = 0.94
            return Prediction(answers, np.full((len(images), 8), 1 / 8), answers)

    test = StandIn(hub_rows, "test")
    assert evaluate_model(Oracle(), read_rows(test), "PrivateTest").answer.accuracy.value == 1  # type: ignore[arg-type]
    write_faces(tmp_path / "faces.parquet", keep_good(iterate_rows(test), None))
    assert (read_faces(tmp_path / "faces.parquet").images == faces.images).all()


def write_hub_parquet(path, faces, names=ALPHABETICAL):
    images = [{"bytes": encode_face(image), "path": f"{i}.png"} for i, image in enumerate(faces.images)]
    labels = [ALPHABETICAL.index(EMOTIONS[emotion]) for emotion in faces.emotions]
    info = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}}}
    table = pa.table({"image": images, "label": labels})
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)} if names else {}), file)


def test_a_parquet_of_the_hub_is_a_source(faces, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9") / "train-00000-of-00001.parquet"
    write_hub_parquet(path, faces)
    source = open_source(path)
    assert source.description == "Parquet (image, label)"
    assert source.total == len(faces)
    prepare_faces(source, tmp_path / "faces.parquet")
    found = read_faces(tmp_path / "faces.parquet")
    assert (found.images == faces.images).all()
    assert (found.emotions == faces.emotions).all()
    assert (found.splits == 0).all()


def test_a_parquet_of_the_hub_says_its_split_and_names(faces, tmp_path):
    path = tmp_path / "data.parquet"
    write_hub_parquet(path, faces, names=None)
    with pytest.raises(UsageError, match="'data' names no split"):
        open_source(path)
    first = next(iter(open_source(path, split="PublicTest").iterate()))
    assert isinstance(first, DatasetError)
    assert "nothing says what the label" in first.message
