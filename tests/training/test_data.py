# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch

from fervid.classification.classifier import Classifier
from fervid.datasets.faceset import PUBLIC_TEST, SPLITS, TRAINING, VOTE_COLUMNS
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, Emotion
from fervid.errors import DatasetError
from fervid.training.expressions import data as module
from fervid.training.expressions import validation
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import make_training_data, prepare_inputs, training_rows


def test_training_rows_leave_out_test_faces_and_repeats(make_faces: Any) -> None:
    faces = make_faces(20, 4, 4)
    faces.images[3] = faces.images[21]  # a PublicTest face
    faces.images[5] = faces.images[26]  # a PrivateTest face
    faces.images[9] = faces.images[8]
    assert training_rows(faces).tolist() == [row for row in range(20) if row not in (3, 5, 9)]


def test_what_a_run_is_given(make_faces: Any, recipe: Any) -> None:
    faces = make_faces(40, 16, 4)
    faces.images[1] = faces.images[0]
    data = make_training_data(faces, TrainingConfig.from_dict(recipe()))
    kept = faces.images[[0, *range(2, 40)]]
    assert data.dropped == 1
    assert np.array_equal(data.images.numpy(), kept)
    assert data.spec.mean == pytest.approx(kept.mean(), abs=1e-4)
    assert data.spec.std == pytest.approx(kept.std(), abs=1e-4)
    assert data.spec.labels == EMOTIONS
    assert data.validation_inputs.shape == (16, 1, 20, 20)
    assert bool(data.has_votes.all())
    assert torch.allclose(data.votes.sum(1), torch.ones(39))
    assert np.array_equal(data.validation_majority, data.validation_emotions)


def test_validation_inputs_are_the_products_own(make_faces: Any, recipe: Any) -> None:
    config = TrainingConfig.from_dict(recipe(input={"size": 48, "crop": 1.0}))
    faces = make_faces(40, 16, 4)
    data = make_training_data(faces, config)
    plain = (faces.split(PUBLIC_TEST).images[:, None].astype(np.float32) - data.spec.mean) / data.spec.std
    np.testing.assert_allclose(prepare_inputs(faces.split(PUBLIC_TEST).images, data.spec), plain, atol=1e-5)


def test_six_labels_fold_disgust_into_anger(make_faces: Any, recipe: Any) -> None:
    faces = make_faces(40, 16, 4)
    data = make_training_data(faces, TrainingConfig.from_dict(recipe(labels=6)))
    assert data.spec.labels == EMOTIONS_WITHOUT_DISGUST
    assert data.emotions[:7].tolist() == [0, 0, 1, 2, 3, 4, 5]
    assert data.validation_emotions.max() == 5


def test_six_labels_seek_the_majority_as_evaluation_does(
    make_faces: Any, recipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = make_faces(40, 16, 4)
    names = list(VOTE_COLUMNS)
    counts = {"angry": 3, "disgust": 3, "sad": 4}
    faces.votes[faces.splits == SPLITS.index(PUBLIC_TEST)] = [counts.get(name, 0) for name in names]
    shares = np.log([0.3, 0.25, 0.01, 0.01, 0.35, 0.01, 0.01, 0.06])  # angry, disgust, …, sad, …
    answer = np.zeros((16, 7)), np.tile(shares, (16, 1))
    monkeypatch.setattr(validation, "predict", lambda *_: answer)
    for labels, emotion in ((7, Emotion.SAD), (6, Emotion.ANGRY)):
        data = make_training_data(faces, TrainingConfig.from_dict(recipe(labels=labels)))
        assert set(data.validation_majority.tolist()) == {data.spec.labels.index(emotion)}
        figures = validation.validate(torch.nn.Identity(), data, torch.device("cpu"))
        assert figures["public_votes_accuracy"] == 1


def test_a_set_without_votes_trains_the_labels_alone(make_faces: Any, recipe: Any) -> None:
    data = make_training_data(make_faces(40, 16, 4, votes=False), TrainingConfig.from_dict(recipe()))
    assert not data.has_votes.any()
    assert not data.validation_has_votes.any()
    assert data.spec.training_data.endswith("labels alone")


def test_a_model_says_whose_faces_it_learned_from(
    make_faces: Any, recipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces, config = make_faces(40, 16, 4), TrainingConfig.from_dict(recipe())
    assert "other faces than FER2013's" in make_training_data(faces, config).spec.training_data
    sizes = len(faces.split(TRAINING)), len(faces.split(PUBLIC_TEST))
    monkeypatch.setattr("fervid.training.expressions.data.FER2013_SIZES", sizes)
    assert make_training_data(faces, config).spec.training_data.startswith("FER2013 Training, ")


def test_the_digest_tells_faces_and_labels_apart(make_faces: Any, recipe: Any) -> None:
    config = TrainingConfig.from_dict(recipe())
    faces = make_faces(40, 16, 4)
    digest = make_training_data(faces, config).digest
    assert make_training_data(make_faces(40, 16, 4), config).digest == digest
    relabelled = replace(faces, emotions=(faces.emotions + 1) % 7)
    assert make_training_data(relabelled, config).digest != digest


@pytest.mark.parametrize("split", [TRAINING, PUBLIC_TEST])
def test_a_missing_split_is_named(make_faces: Any, recipe: Any, split: str) -> None:
    faces = make_faces(40, 16, 4)
    part = faces[faces.splits != SPLITS.index(split)]
    with pytest.raises(DatasetError, match=split):
        make_training_data(part, TrainingConfig.from_dict(recipe()))


def test_nothing_but_leaked_faces_is_refused(make_faces: Any, recipe: Any) -> None:
    faces = make_faces(16, 16, 0)
    faces.images[:16] = faces.images[16:]
    with pytest.raises(DatasetError, match="all 16 Training faces are also test faces"):
        make_training_data(faces, TrainingConfig.from_dict(recipe()))


def test_the_spec_says_where_a_model_comes_from(make_faces: Any, recipe: Any) -> None:
    distillation = {"teachers": ["runs/teachers/one", "runs/teachers/two"]}
    changes = {"distillation": distillation, "initial_weights": "training-runs/first"}
    taught = make_training_data(make_faces(40, 16, 4), TrainingConfig.from_dict(recipe(**changes))).spec.recipe
    plain = make_training_data(make_faces(40, 16, 4), TrainingConfig.from_dict(recipe())).spec.recipe
    assert plain.endswith("seed 3")
    assert taught == f"{plain}, taught by one, two, from the weights of first"
    changes = {"initial_weights": ["training-runs/first", "training-runs/second"]}
    mixed = make_training_data(make_faces(40, 16, 4), TrainingConfig.from_dict(recipe(**changes))).spec.recipe
    assert mixed == f"{plain}, from the mean of the weights of first and second"
    changes = {"initial_weights": ["training-runs/first/weights.pt", "other.onnx", "weights.pt"]}
    mixed = make_training_data(make_faces(40, 16, 4), TrainingConfig.from_dict(recipe(**changes))).spec.recipe
    assert mixed == f"{plain}, from the mean of the weights of first and other.onnx and weights.pt"


def test_the_spec_says_what_an_exported_file_had_learned_from(
    make_faces: Any, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def describe(*paths: str) -> str:
        config = TrainingConfig.from_dict(recipe(initial_weights=list(paths)))
        return make_training_data(make_faces(40, 16, 4), config).spec.training_data

    own, known = describe(), Classifier("small", threads=1).spec.training_data
    assert describe("small") == f"{own}; began from small ({known})"
    assert describe(str(tmp_path / "gone.onnx"), str(tmp_path)) == own  # as when a begun run is exported later
    monkeypatch.setattr(module, "find_training_data", lambda _: own)
    assert describe("small") == own  # of the same faces it is said once
