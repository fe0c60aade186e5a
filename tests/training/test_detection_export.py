# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
onnx = pytest.importorskip("onnx", reason="export needs onnx: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import numpy as np
import torch

from fervid.detection.faces import FacesDetector
from fervid.errors import ContractError
from fervid.models.detectorspec import INPUT, DetectorSpec
from fervid.models.runtime import create_session, read_metadata
from fervid.models.store import load_model
from fervid.training.detection.config import DetectionConfig
from fervid.training.detection.export import check_parity, choose_threshold, export_onnx, find_alarms
from fervid.training.detection.graph import fold_network
from fervid.training.detection.network import DetectionNetwork
from fervid.training.detection.validation import TorchDetector, evaluate_network, find_highest, split_outputs
from fervid.training.onnxgraph import round_weights


@pytest.fixture(params=[0, 2], ids=["one head", "branches"])
def config(request: Any, detector_recipe: Any) -> DetectionConfig:
    config = DetectionConfig.from_dict(detector_recipe())
    return dataclasses.replace(config, network=dataclasses.replace(config.network, landmark_depth=request.param))


@pytest.fixture
def network(config: DetectionConfig) -> DetectionNetwork:
    """Not trained, but with statistics that an exporter could get wrong, and sure enough to answer something."""
    torch.manual_seed(4)
    network = DetectionNetwork(config.network)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.3, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    for head in (*network.heads, *(network.landmark_heads or ())):
        torch.nn.init.normal_(head.weight, std=0.2)
        torch.nn.init.zeros_(head.bias)
    return network.eval()


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_the_file_answers_as_the_network(
    network: DetectionNetwork, config: DetectionConfig, training_photos: Any, tmp_path: Path, precision: Any
) -> None:
    exported = export_onnx(network, config, training_photos, tmp_path / "tiny.onnx", precision=precision)
    assert exported.parity.max_difference < 1e-4
    assert exported.parity.pictures == 10
    assert (exported.parity.trained_difference < 1e-5) == (precision == "float32")
    session = create_session(load_model(tmp_path / "tiny.onnx"), threads=1)
    spec = DetectorSpec.from_metadata(read_metadata(session), "tiny")
    assert spec == exported.spec
    assert spec.colour_order == "RGB"
    rng = np.random.default_rng(0)
    stored = fold_network(network) if precision == "float32" else round_weights(fold_network(network))
    for batch, height, width in ((1, 32, 32), (1, 64, 160), (3, 96, 32)):
        x = rng.uniform(0, 255, (batch, 3, height, width)).astype(np.float32)
        answers = session.run(spec.outputs, {INPUT: x})
        with torch.inference_mode():
            expected = split_outputs(stored(torch.from_numpy(x)))
        for name, answer in zip(spec.outputs, answers, strict=True):
            np.testing.assert_allclose(answer, expected[name], atol=2e-4, err_msg=name)


def test_a_network_with_branches_starts_from_one_without(detector_recipe: Any) -> None:
    plain = DetectionConfig.from_dict(detector_recipe()).network
    torch.manual_seed(1)
    one = DetectionNetwork(plain)
    two = DetectionNetwork(dataclasses.replace(plain, landmark_depth=1))
    two.load_state_dict(one.state_dict())
    x = torch.rand(1, 3, 64, 96) * 255
    with torch.inference_mode():
        for before, after in zip(one.eval()(x), two.eval()(x), strict=True):
            assert torch.allclose(before, after, atol=1e-6)
    again = DetectionNetwork(dataclasses.replace(plain, landmark_depth=1))
    again.load_state_dict(two.state_dict())
    assert all(torch.equal(again.state_dict()[key], value) for key, value in two.state_dict().items())


def test_a_network_starts_from_one_with_other_residual_blocks(detector_recipe: Any) -> None:
    plain = DetectionConfig.from_dict(detector_recipe()).network
    torch.manual_seed(1)
    one = DetectionNetwork(dataclasses.replace(plain, depths=(1, 1, 1, 2, 1)))
    deeper = DetectionNetwork(dataclasses.replace(plain, depths=(2, 1, 3, 3, 1), landmark_depth=1))
    deeper.load_state_dict(one.state_dict())
    x = torch.rand(1, 3, 64, 96) * 255
    with torch.inference_mode():
        for before, after in zip(one.eval()(x), deeper.eval()(x), strict=True):
            assert torch.allclose(before, after, atol=1e-6), "what is added begins as nothing"
    thinner = DetectionNetwork(dataclasses.replace(plain, depths=(0, 0, 1, 1, 1), landmark_depth=1))
    thinner.load_state_dict(deeper.state_dict())
    given = deeper.state_dict()
    assert all(torch.equal(value, given[key]) for key, value in thinner.state_dict().items())
    wider = DetectionNetwork(dataclasses.replace(plain, coarse=plain.coarse * 2))
    with pytest.raises(RuntimeError, match="size mismatch"):
        wider.load_state_dict(one.state_dict())


def test_folding_changes_nothing(network: DetectionNetwork) -> None:
    folded = fold_network(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    x = torch.rand(1, 3, 64, 64) * 255
    with torch.inference_mode():
        for one, two in zip(network(x), folded(x), strict=True):
            torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


def test_the_same_network_gives_the_same_bytes(
    network: DetectionNetwork, config: DetectionConfig, training_photos: Any, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        export_onnx(network, config, training_photos, tmp_path / f"{name}.onnx")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["one.onnx", "two.onnx"]
    operators = {node.op_type for node in onnx.load(tmp_path / "one.onnx").graph.node}
    usual = {"Add", "Cast", "Conv", "Relu", "Reshape", "Resize", "Sigmoid", "Split", "Transpose"}
    assert operators - {"Concat"} == usual


def test_the_product_finds_what_training_saw(
    network: DetectionNetwork, config: DetectionConfig, training_photos: Any, tmp_path: Path
) -> None:
    export_onnx(network, config, training_photos, tmp_path / "tiny.onnx", precision="float32")
    small = training_photos.validation[0].decode()
    image = small.repeat(2, axis=0).repeat(2, axis=1)  # large enough to be read as it is
    mine = TorchDetector(network, torch.device("cpu"), score_threshold=0.3).detect(image, min_face=20)
    theirs = FacesDetector(tmp_path / "tiny.onnx", threads=1, score_threshold=0.3).detect(image, min_face=20)
    assert len(mine) > 0
    best = max(theirs, key=lambda found: found.score)
    assert best.score == pytest.approx(mine[0].score, abs=1e-4)
    assert best.box.x1 == pytest.approx(mine[0].box.x1, abs=0.05)


def test_a_file_of_another_network_is_refused(
    network: DetectionNetwork, config: DetectionConfig, training_photos: Any, tmp_path: Path
) -> None:
    export_onnx(network, config, training_photos, tmp_path / "tiny.onnx", precision="float32")
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.heads[1].bias[1] += 1.0
    with pytest.raises(ContractError, match="differ on 10 pictures"):
        check_parity(other, fold_network(other), tmp_path / "tiny.onnx", training_photos.validation)


def test_the_threshold_keeps_precision_and_silence(network: DetectionNetwork, training_photos: Any) -> None:
    evaluation = evaluate_network(network, training_photos.validation, torch.device("cpu"))
    none = np.zeros(0, dtype=np.float32)
    wanted = 0.0 if evaluation.strict is None else evaluation.strict[1]
    assert wanted <= choose_threshold(evaluation, none) <= wanted + 0.01
    alarms = np.concatenate([np.full(99, 0.2), [0.95]]).astype(np.float32)
    assert choose_threshold(evaluation, alarms) >= 0.2
    assert choose_threshold(evaluation, np.full(100, 0.973, dtype=np.float32)) == pytest.approx(0.98)


def test_the_threshold_is_the_files(
    network: DetectionNetwork, config: DetectionConfig, training_photos: Any, tmp_path: Path
) -> None:
    exported = export_onnx(network, config, training_photos, tmp_path / "tiny.onnx")
    detector = FacesDetector(tmp_path / "tiny.onnx", threads=1)
    assert detector.score_threshold == exported.spec.score_threshold == exported.evaluation.threshold
    alarms = find_alarms(detector, training_photos.validation)
    assert len(alarms) == exported.evaluation.photos["background"] == 2
    assert (alarms == 0).all()  # two photos: the threshold leaves 99 % of them alone, so both


def test_the_highest_scores_are_found(network: DetectionNetwork, training_photos: Any) -> None:
    images = [photo.decode() for photo in training_photos.validation if photo.kind == "background"]
    images = [image.repeat(2, axis=0).repeat(2, axis=1) for image in images]  # tiny ones would be enlarged
    highest = find_highest(network, images, torch.device("cpu"))
    detector = TorchDetector(network, torch.device("cpu"), score_threshold=0.0)
    for image, score in zip(images, highest, strict=True):
        assert detector.detect(image, min_face=0)[0].score == pytest.approx(score, abs=1e-5)
