# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import copy
import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
onnx = pytest.importorskip("onnx", reason="export needs onnx: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import numpy as np
import torch

from fervid.detection.faces import FacesDetector
from fervid.detection.passes import Pass
from fervid.errors import ConfigError, ContractError
from fervid.models.detectorspec import INPUT, DetectorSpec
from fervid.models.runtime import create_session, read_metadata
from fervid.models.store import load_model
from fervid.pipeline import DEFAULT_MIN_FACE
from fervid.training.checkpoint import check_folder, claim_folder, save_weights
from fervid.training.detection import export
from fervid.training.detection.config import DetectionConfig
from fervid.training.detection.export import (
    ExportedDetector,
    check_parity,
    choose_threshold,
    export_onnx,
    find_alarms,
    make_spec,
)
from fervid.training.detection.graph import fold_network
from fervid.training.detection.integers import GROUP, group_columns
from fervid.training.detection.network import DetectionNetwork
from fervid.training.detection.validation import TorchDetector, evaluate_network, find_highest, split_outputs
from fervid.training.onnxgraph import round_weights
from fervid.training.quantisation import LEVELS, open_session
from fervid.training.recipes import read_recipe


@pytest.fixture(scope="module", params=[0, 2], ids=["one head", "branches"])
def config(request: Any, detector_recipe: Any) -> DetectionConfig:
    config = DetectionConfig.from_dict(detector_recipe())
    return dataclasses.replace(config, network=dataclasses.replace(config.network, landmark_depth=request.param))


@pytest.fixture(scope="module")
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
    with torch.no_grad():
        for head in network.heads:
            head.bias[4:6] = 2  # faces of seven cells, of which few stay beside a better one: each that does costs time
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


@pytest.fixture(scope="module")
def integers(
    network: DetectionNetwork,
    config: DetectionConfig,
    training_photos: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> ExportedDetector:
    path = tmp_path_factory.mktemp("integers") / "tiny.onnx"
    return export_onnx(network, config, training_photos, path, precision="int8")


def test_int8_answers_as_the_network(network: DetectionNetwork, integers: ExportedDetector) -> None:
    """Pictures of every size, batches too; boxes and points where there may be a face."""
    assert integers.parity.precision == "int8"
    assert integers.parity.max_difference <= 0.1
    assert 0 < integers.parity.trained_difference < 0.3
    assert integers.trained_precision is not None
    session, spec = create_session(load_model(integers.path), threads=1), integers.spec
    assert (spec.layout, spec.mean, spec.std) == ("pixels", 0, 1)
    rng = np.random.default_rng(0)
    for batch, height, width in ((1, 32, 32), (1, 64, 160), (3, 96, 32)):
        pixels = rng.integers(0, 256, (batch, height // 8, width // 8, 3), dtype=np.uint8)
        pixels = pixels.repeat(8, axis=1).repeat(8, axis=2)
        answers = session.run(spec.outputs, {INPUT: pixels})
        with torch.inference_mode():
            expected = split_outputs(network(torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32))))
        for name, answer in zip(spec.outputs, answers, strict=True):
            assert answer.shape == expected[name].shape, name
            spread = max(0.2, float(expected[name].std()))
            assert float(np.abs(answer - expected[name]).mean()) < 0.2 * spread, name


def test_int8_is_computed_in_integers(integers: ExportedDetector, config: DetectionConfig, tmp_path: Path) -> None:
    """From the picture's bytes to the heads; nothing is moved or converted in between."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    onnxruntime.InferenceSession(integers.path, options, providers=["CPUExecutionProvider"])
    nodes = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    written = [node.op_type for node in onnx.load(integers.path).graph.node]
    heads = 6 if config.network.landmark_depth else 3
    assert nodes.count("QLinearConv") == written.count("Conv")
    assert nodes.count("QLinearAdd") == written.count("Add") - heads
    assert nodes.count("DequantizeLinear") == nodes.count("MatMul") == heads
    assert not {"Conv", "FusedConv", "QuantizeLinear", "Resize", "Transpose"} & set(nodes)


def test_columns_read_in_groups_give_what_single_ones_give() -> None:
    """The first convolution, of four pixels at once."""
    torch.manual_seed(0)
    kernel, x = torch.randn(8, 3, 3, 3), torch.randn(2, 3, 12, 20)
    expected = torch.nn.functional.conv2d(x, kernel, stride=2, padding=1)
    grouped = x.reshape(2, 3, 12, 5, GROUP).permute(0, 4, 1, 2, 3).reshape(2, 3 * GROUP, 12, 5)
    padded = torch.nn.functional.pad(grouped, (1, 0, 1, 1))
    found = torch.nn.functional.conv2d(padded, torch.from_numpy(group_columns(kernel.numpy())), stride=(2, 1))
    single = found.reshape(2, GROUP // 2, 8, 6, 5).permute(0, 2, 3, 4, 1).reshape(2, 8, 6, 10)
    torch.testing.assert_close(single, expected, atol=1e-5, rtol=1e-5)


def test_int8_weights_leave_room_for_sums(integers: ExportedDetector) -> None:
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(integers.path).graph.initializer}
    steps = {name: values for name, values in weights.items() if values.dtype == np.int8 and "quantised" in name}
    assert len(steps) > 10
    assert all(np.abs(values.astype(int)).max() == LEVELS for values in steps.values())
    assert all(weights[name].dtype == np.float32 for name in ("head8.weight", "head16.weight", "head32.weight"))


def test_int8_that_finds_less_is_refused(
    network: DetectionNetwork,
    config: DetectionConfig,
    training_photos: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "LOSS_TOLERANCE", -2.0)
    with pytest.raises(ContractError, match=r"int8 has an average precision of .* the network"):
        export_onnx(network, config, training_photos, tmp_path / "tiny.onnx", precision="int8")
    assert list(tmp_path.iterdir()) == []


def test_integers_that_are_not_what_the_file_says_are_found_out(
    network: DetectionNetwork, integers: ExportedDetector, training_photos: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Saturated:  # as if the processor had lost the largest sums
        def __init__(self, session: Any) -> None:
            self._session = session

        def run(self, *arguments: Any) -> list[Any]:
            return [np.minimum(answer, np.quantile(answer, 0.5)) for answer in self._session.run(*arguments)]

    monkeypatch.setattr(export, "open_session", lambda *a, **k: Saturated(open_session(*a, **k)))
    with pytest.raises(ContractError, match="differ on 10 pictures"):
        check_parity(network, integers.path, training_photos.validation)


def test_the_recipe_says_how_the_file_is_stored(detector_recipe: Any, tmp_path: Path) -> None:
    plain = DetectionConfig.from_dict(detector_recipe())
    assert plain.export.precision == "float16"
    stored = DetectionConfig.from_dict(detector_recipe(export={"precision": "int8"}))
    claim_folder(plain, tmp_path)
    save_weights(tmp_path, torch.nn.Linear(1, 1))
    check_folder(stored, tmp_path)  # the same run, exported another way
    with pytest.raises(ConfigError, match=r"export\.precision is 'int4'"):
        DetectionConfig.from_dict(detector_recipe(export={"precision": "int4"}))


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
        check_parity(other, tmp_path / "tiny.onnx", training_photos.validation)


def test_the_threshold_keeps_precision_and_silence(network: DetectionNetwork, training_photos: Any) -> None:
    evaluation = evaluate_network(network, training_photos.validation, torch.device("cpu"))
    none = np.zeros(0, dtype=np.float32)
    wanted = 0.5 if evaluation.strict is None else evaluation.strict[1]
    assert wanted <= choose_threshold(evaluation, none) <= wanted + 0.01
    alarms = np.concatenate([np.full(99, 0.2), [0.95]]).astype(np.float32)
    assert choose_threshold(evaluation, alarms) == max(0.21, math.ceil(wanted * 100) / 100)
    rising = np.linspace(0.6, 0.95, 319)
    threshold = choose_threshold(evaluation, rising)
    assert (rising >= threshold).mean() <= 0.01 < (rising >= threshold - 0.01).mean()
    assert choose_threshold(evaluation, np.full(100, 0.973, dtype=np.float32)) == pytest.approx(0.98)
    weak = dataclasses.replace(evaluation, strict=None)  # no score makes nearly all detections faces
    assert choose_threshold(weak, none) == choose_threshold(weak, np.zeros(3)) == 0.5
    assert choose_threshold(weak, alarms) == 0.5
    assert choose_threshold(weak, np.full(100, 0.6)) == pytest.approx(0.61)


def test_a_file_says_whose_photos_it_learned_from(
    config: DetectionConfig, training_photos: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = dataclasses.replace(config, name="faces")
    theirs = make_spec(published, training_photos)
    faces = sum(len(part.marks.boxes) for part in (*training_photos.album.people, *training_photos.album.heads))
    assert theirs.training_data == f"10 photos with people and 5 heads, {faces} faces marked; 5 photos without a face"
    assert (theirs.recipe, theirs.licence) == ("faces.toml", "not stated")
    stated = dataclasses.replace(published, export=dataclasses.replace(published.export, licence="MIT"))
    assert make_spec(stated, training_photos).licence == "MIT"
    monkeypatch.setattr(export, "PHOTOS_DIGEST", training_photos.digest)
    ours = make_spec(published, training_photos)
    bundled = read_metadata(create_session(load_model("faces")))
    known = DetectorSpec.from_metadata(bundled, "faces")
    assert re.sub(r"[\d,]+(?= )", "N", ours.training_data) == re.sub(r"[\d,]+(?= )", "N", known.training_data)
    assert ours.recipe == known.recipe == "runs/faces.toml"
    assert make_spec(config, training_photos).recipe == "tiny.toml"


def test_the_projects_recipes_are_known() -> None:
    runs = Path(__file__).resolve().parents[2] / "runs"
    detectors = {path.stem for path in runs.glob("*.toml") if isinstance(read_recipe(path), DetectionConfig)}
    assert detectors == set(export.RECIPES)


def test_the_threshold_is_the_files(
    network: DetectionNetwork,
    config: DetectionConfig,
    training_photos: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chosen on pictures as the product reads them."""
    asked: list[float] = []
    plan = FacesDetector.plan

    def note(detector: FacesDetector, *size: int, min_face: float) -> tuple[Pass, ...]:
        asked.append(min_face)
        return plan(detector, *size, min_face=min_face)

    monkeypatch.setattr(FacesDetector, "plan", note)
    exported = export_onnx(network, config, training_photos, tmp_path / "tiny.onnx")
    assert len(asked) > len(training_photos.validation)
    assert set(asked) == {DEFAULT_MIN_FACE}, "for precision and for silence alike"
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
