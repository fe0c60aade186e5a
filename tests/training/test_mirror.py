# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import onnx
from numpy.typing import NDArray

from fervid.models.runtime import create_session, read_metadata
from fervid.models.spec import EVIDENCE_OUTPUTS, LOGIT_OUTPUTS, Layer, layers_from_metadata
from fervid.models.store import load_model
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData, make_training_data
from fervid.training.expressions.export import ExportedModel, export_onnx
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.tables import Precision


@pytest.fixture(scope="module")
def trained(make_faces: Any, make_network: Any, recipe: Any) -> tuple[ExpressionNetwork, TrainingData]:
    """A network with opinions, which a mirror image may change."""
    table = recipe()
    data = make_training_data(make_faces(64, 256, 4), TrainingConfig.from_dict(table))
    return make_network(data, table), data


@pytest.fixture(scope="module")
def files(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[Precision, bool], ExportedModel]:
    folder = tmp_path_factory.mktemp("files")
    kinds: list[tuple[Precision, bool]] = [("float32", False), ("float32", True), ("float16", True)]
    return {
        (precision, mirror): export_onnx(
            *trained, folder / f"{precision}-{mirror}.onnx", precision=precision, mirror=mirror
        )
        for precision, mirror in kinds
    }


def run(exported: ExportedModel, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    names = [*LOGIT_OUTPUTS, *EVIDENCE_OUTPUTS]
    return list(create_session(load_model(exported.path)).run(names, {"faces": np.ascontiguousarray(inputs)}))


def read_layers(exported: ExportedModel) -> dict[str, Layer]:
    rows = layers_from_metadata(read_metadata(create_session(load_model(exported.path))))
    return {row.name: row for row in rows}


def test_the_answer_is_the_mean_of_the_face_and_its_mirror_image(trained: Any, files: Any) -> None:
    faces = trained[1].validation_inputs.numpy()[:5]
    plain, turned = (run(files["float32", False], inputs) for inputs in (faces, faces[..., ::-1]))
    assert np.abs(plain[0] - turned[0]).max() > 0.05  # alone they differ
    both = run(files["float32", True], faces)
    for mean, one, other in zip(both[:2], plain, turned, strict=False):
        np.testing.assert_allclose(mean, (one + other) / 2, atol=1e-4)
    for mean, one, other in zip(both[2:], plain[2:], turned[2:], strict=True):
        np.testing.assert_allclose(mean, (one + other[..., ::-1]) / 2, atol=1e-4)
        assert mean.shape == one.shape


def test_a_mirror_image_gets_the_same_answer(trained: Any, files: Any) -> None:
    faces = trained[1].validation_inputs.numpy()[:5]
    for precision in ("float32", "float16"):
        straight, turned = (run(files[precision, True], inputs) for inputs in (faces, faces[..., ::-1]))
        for one, other in zip(straight[:2], turned[:2], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
        for one, other in zip(straight[2:], turned[2:], strict=True):
            np.testing.assert_allclose(one, other[..., ::-1], atol=1e-5)


def test_the_mean_of_the_evidence_is_the_logit_and_batches_change_nothing(trained: Any, files: Any) -> None:
    faces = trained[1].validation_inputs.numpy()[:4]
    emotions, votes, *maps = run(files["float32", True], faces)
    for logits, evidence in zip((emotions, votes), maps, strict=True):
        np.testing.assert_allclose(evidence.mean(axis=(2, 3)), logits, atol=1e-5)
    alone = np.concatenate([run(files["float32", True], faces[i : i + 1])[0] for i in range(4)])
    np.testing.assert_allclose(alone, emotions, atol=1e-5)


def test_layers_count_both_images_and_their_weights_once(files: Any) -> None:
    plain, both = read_layers(files["float32", False]), read_layers(files["float32", True])
    assert sum(row.parameters for row in both.values()) == sum(row.parameters for row in plain.values())
    for name in ("stem.conv1", "blocks.0.sum", "emotion_head"):
        assert both[name].flops == 2 * plain[name].flops > 0
        assert both[name].output == plain[name].output
    assert both["emotion_head.pool"].flops == plain["emotion_head.pool"].flops
    assert set(both) - set(plain) == {
        "mirror.flip",
        "mirror",
        *(f"{head}.{step}" for head in ("emotion_head", "vote_head") for step in ("split", "flip", "mean")),
    }


def test_the_file_says_so(files: Any) -> None:
    note = "Each face is read with its mirror image."
    assert note in onnx.load(files["float32", True].path).graph.doc_string
    assert note not in onnx.load(files["float32", False].path).graph.doc_string
