# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import onnx
import torch

from fervid.classification.calibration import blend_heads, softmax
from fervid.classification.classifier import Classifier
from fervid.datasets.faceset import SPLITS, TRAINING
from fervid.errors import ContractError, ModelError, OutputError
from fervid.models.runtime import create_session, read_metadata
from fervid.models.spec import ModelSpec, layers_from_metadata
from fervid.models.store import load_model
from fervid.training.expressions import export, norms
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData, make_training_data
from fervid.training.expressions.export import calibrate, check_parity, export_onnx
from fervid.training.expressions.loop import train
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.onnxgraph import fold_norms


@pytest.fixture(params=[(7, True), (6, False)], ids=["7 labels", "6 labels, no votes"])
def trained(
    request: pytest.FixtureRequest, make_faces: Any, make_network: Any, recipe: Any
) -> tuple[ExpressionNetwork, TrainingData]:
    labels, votes = request.param
    table = recipe(labels=labels)
    data = make_training_data(make_faces(64, 256, 4, votes=votes), TrainingConfig.from_dict(table))
    return make_network(data, table), data


def test_the_file_answers_like_torch(trained: Any, tmp_path: Path) -> None:
    network, data = trained
    small = export_onnx(network, data, tmp_path / "small.onnx")
    large = export_onnx(network, data, tmp_path / "large.onnx", precision="float32")
    assert (small.parity.precision, large.parity.precision) == ("float16", "float32")
    for exported in (small, large):
        assert exported.parity.faces == 256
        assert exported.knows_votes
        assert exported.parity.max_difference <= 1e-4
        assert exported.size_bytes == exported.path.stat().st_size
    assert large.parity.trained_difference <= 1e-4
    assert large.parity.trained_agreement == 1
    assert 0 < small.parity.trained_difference <= 0.02

    classifier = Classifier(large.path)
    with torch.inference_mode():
        logits, votes = network(data.validation_inputs[:3])
    answer = classifier.predict_inputs(data.validation_inputs[:3].numpy(), batch_size=2)
    labels = softmax(logits.numpy(), large.spec.temperature)
    np.testing.assert_allclose(answer.label_probabilities, labels, atol=1e-4)
    shares = blend_heads(labels, softmax(votes.numpy(), large.spec.votes_temperature), large.spec.blend)
    np.testing.assert_allclose(answer.probabilities, shares, atol=1e-4)
    np.testing.assert_allclose(answer.votes, softmax(votes.numpy(), large.spec.votes_temperature), atol=1e-4)


def test_a_votes_head_that_learned_nothing_says_nothing(make_faces: Any, recipe: Any, tmp_path: Path) -> None:
    config = TrainingConfig.from_dict(recipe(schedule={"stages": [{"epochs": 1, "size": 16}], "batch_size": 32}))
    faces = make_faces(32, 32, 4)
    faces.votes[faces.splits == SPLITS.index(TRAINING)] = 0  # PublicTest alone has votes
    data = make_training_data(faces, config)
    exported = export_onnx(train(config, data, tmp_path / "run"), data, tmp_path / "tiny.onnx")
    assert not exported.knows_votes
    assert Classifier(exported.path).predict(list(faces.images[:3])).votes.tolist() == [[0.125] * 8] * 3
    assert (exported.spec.blend, exported.spec.votes_temperature) == (0.0, 1.0)


def test_every_face_counts_alike_in_the_norms(
    make_faces: Any, make_network: Any, recipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_training_data(make_faces(129, 32, 4), TrainingConfig.from_dict(recipe()))
    data.images[-1] = 255  # one that is unlike all others
    network = make_network(data, recipe())
    fresh = norms.measure_norms(network, data)
    monkeypatch.setattr(norms, "BATCH", len(data.images))
    whole = norms.measure_norms(network, data)
    torch.testing.assert_close(fresh.stem[1].running_mean, whole.stem[1].running_mean, rtol=0.02, atol=0.01)
    torch.testing.assert_close(fresh.stem[1].running_var, whole.stem[1].running_var, rtol=0.05, atol=0.01)


def test_half_precision_halves_the_weights(make_faces: Any, make_network: Any, recipe: Any, tmp_path: Path) -> None:
    table = recipe(network={"stem": 8, "widths": [32, 64], "depths": [1, 1], "squeeze": 4})
    data = make_training_data(make_faces(64, 32, 4), TrainingConfig.from_dict(table))
    network = make_network(data, table)
    small = export_onnx(network, data, tmp_path / "small.onnx").size_bytes
    large = export_onnx(network, data, tmp_path / "large.onnx", precision="float32").size_bytes
    matrices = sum(p.numel() for p in fold_norms(network).parameters() if p.ndim > 1)
    assert large - small == pytest.approx(2 * matrices, abs=3000)


def test_the_metadata_is_read_back(trained: Any, tmp_path: Path) -> None:
    network, data = trained
    exported = export_onnx(network, data, tmp_path / "tiny.onnx")
    metadata = read_metadata(create_session(load_model(exported.path)))
    assert ModelSpec.from_metadata(metadata, "tiny") == exported.spec
    assert exported.spec == replace(
        data.spec,
        temperature=exported.spec.temperature,
        votes_temperature=exported.spec.votes_temperature,
        blend=exported.spec.blend,
        threshold=exported.spec.threshold,
    )
    layers = layers_from_metadata(metadata)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in fold_norms(network).parameters())
    rows = {layer.name: layer for layer in layers}
    first, down = rows["stem.conv1"], rows["blocks.2.conv1"]
    assert (first.operation, first.output) == ("Conv 3×3 + Relu", (8, 20, 20))
    assert first.parameters == 8 * 9 + 8
    assert first.flops == 2 * 8 * 9 * 20 * 20
    assert (down.operation, down.output) == ("Conv 3×3 /2 + Relu", (16, 3, 3))  # 5 px, halved and rounded up
    assert rows["blocks.2.shortcut.pool"].output == (8, 3, 3)
    heads = len(data.spec.labels), 8
    assert [rows[name].output for name in ("emotion_head", "vote_head")] == [(n, 3, 3) for n in heads]  # evidence maps
    assert [rows[f"{name}.flatten"].output for name in ("emotion_head", "vote_head")] == [(n,) for n in heads]
    assert rows["emotion_head"].flops == 2 * 16 * 9 * len(data.spec.labels)


def test_every_option_of_the_network_can_be_exported(
    make_faces: Any, make_network: Any, recipe: Any, tmp_path: Path
) -> None:
    table = recipe()
    table["network"] = table["network"] | {
        "stem_kernel": 5,
        "stem_strides": [2, 1],
        "shortcut": "max",
        "attention": [False, True, False],
    }
    data = make_training_data(make_faces(64, 256, 4), TrainingConfig.from_dict(table))
    exported = export_onnx(make_network(data, table), data, tmp_path / "tiny.onnx", precision="float32")
    assert exported.parity.max_difference <= 1e-4
    rows = {row.name: row for row in layers_from_metadata(read_metadata(create_session(load_model(exported.path))))}
    assert (rows["stem.conv1"].operation, rows["stem.conv1"].output) == ("Conv 5×5 /2 + Relu", (8, 10, 10))
    assert (rows["blocks.2.shortcut.pool"].operation, rows["blocks.2.shortcut.pool"].flops) == ("MaxPool 2×2 /2", 0)
    assert [name for name in rows if name.endswith("scale")] == ["blocks.1.attention.scale"]


def test_the_file_is_standard_onnx(trained: Any, tmp_path: Path) -> None:
    network, data = trained
    export_onnx(network, data, tmp_path / "tiny.onnx")
    model = onnx.load(tmp_path / "tiny.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version >= 17
    assert model.graph.name == "tiny"
    assert model.producer_name == "fervid"
    assert "FER2013" in model.doc_string
    assert model.doc_string.startswith("tiny 1, licence not stated. ")
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert shape[0].dim_param
    assert [d.dim_value for d in shape[1:]] == [1, 20, 20]
    assert not any("Batch" in node.op_type for node in model.graph.node)


def test_the_file_has_the_licence_that_is_stated(trained: Any, tmp_path: Path) -> None:
    network, data = trained
    assert export_onnx(network, data, tmp_path / "a.onnx").spec.licence == "not stated"
    stated = export_onnx(network, data, tmp_path / "b.onnx", licence="MIT")
    assert Classifier(stated.path).spec.licence == stated.spec.licence == "MIT"


def test_one_network_gives_one_file(trained: Any, tmp_path: Path) -> None:
    network, data = trained
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first = export_onnx(network, data, tmp_path / "a.onnx").path.read_bytes()
    assert export_onnx(network, data, tmp_path / "b.onnx").path.read_bytes() == first
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_file_of_another_network_is_found_out(trained: Any, tmp_path: Path) -> None:
    network, data = trained
    for precision in ("float16", "float32"):
        export_onnx(network, data, tmp_path / "tiny.onnx", precision=precision)
        with torch.no_grad():
            network.blocks[1].attention.reduce.bias.add_(0.3)
        with pytest.raises(ContractError, match="ONNX Runtime and torch differ on 256 faces"):
            check_parity(network, tmp_path / "tiny.onnx", data.validation_inputs)


def test_a_file_that_fails_the_check_never_gets_its_name(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = trained
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    (tmp_path / "tiny.onnx").write_bytes(b"the one before")
    with pytest.raises(ContractError):
        export_onnx(network, data, tmp_path / "tiny.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]
    assert (tmp_path / "tiny.onnx").read_bytes() == b"the one before"


def test_a_place_that_cannot_be_written_is_named(trained: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=r"cannot write .*tiny\.onnx"):
        export_onnx(*trained, tmp_path / "file" / "tiny.onnx")


def test_a_weight_beyond_half_precision_is_refused(trained: Any, tmp_path: Path) -> None:
    network, data = trained
    with torch.no_grad():
        network.vote_head.weight[0, 0] = 1e5
    with pytest.raises(ModelError, match=r"vote_head\.weight does not fit into float16"):
        export_onnx(network, data, tmp_path / "tiny.onnx")
    assert list(tmp_path.iterdir()) == []


def test_calibration(trained: Any) -> None:
    _, data = trained
    rng = np.random.default_rng(0)
    truths = np.eye(len(data.spec.labels))[data.validation_emotions]
    logits = 5 * (truths + rng.normal(0, 0.9, truths.shape))
    votes = rng.normal(0, 1, (256, 8)) + 2 * data.validation_votes
    spec = calibrate(logits, votes, data)
    voted = bool(data.validation_has_votes.any())

    def score(temperature: float) -> float:  # Brier's
        return float(((softmax(logits, temperature) - truths) ** 2).sum(axis=1).mean())

    assert score(spec.temperature) < min(score(0.9 * spec.temperature), score(1.1 * spec.temperature))
    assert (spec.votes_temperature == 1) == (not voted)
    assert 0 < spec.blend < 1 if voted else spec.blend == 0

    answer = blend_heads(softmax(logits, spec.temperature), softmax(votes, spec.votes_temperature), spec.blend)
    truth, rows = data.validation_emotions, np.ones(256, dtype=bool)
    if voted:  # ten people are believed before one label
        truth, rows = data.validation_majority, data.validation_majority >= 0
    confidence, correct = answer.max(axis=1)[rows], (answer.argmax(axis=1) == truth)[rows]

    def cost(threshold: float) -> float:  # a wrong answer costs 1, none a half
        return float(np.where(confidence >= threshold, ~correct, 0.5).sum())

    assert spec.threshold == round(spec.threshold, 2)
    around = min(cost(spec.threshold), cost(spec.threshold + 0.01))  # it was rounded down
    assert around <= min(cost(threshold) for threshold in np.linspace(0, 1, 101)) + 1


def test_six_labels_are_calibrated_by_their_own_majority(make_faces: Any, recipe: Any) -> None:
    data = make_training_data(make_faces(64, 256, 4), TrainingConfig.from_dict(recipe(labels=6)))
    logits = 4 * np.eye(6)[data.validation_majority]
    spec = calibrate(logits, np.zeros((256, 8)), data)
    assert spec.threshold == 0  # every answer is the FER+ majority
