# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch.nn import functional as F

from fervid.classification.calibration import softmax
from fervid.classification.classifier import Classifier
from fervid.datasets.parquet import iterate_faces, open_parquet
from fervid.errors import ContractError
from fervid.models.runtime import create_session, read_metadata
from fervid.models.spec import layers_from_metadata
from fervid.models.store import load_model
from fervid.training.expressions import export
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData, make_training_data
from fervid.training.expressions.export import ExportedModel, calibration_inputs, check_parity, export_onnx
from fervid.training.expressions.graph import build_model
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.expressions.quantisation import quantise_model, run_model
from fervid.training.expressions.unfolding import read_initial_weights
from fervid.training.expressions.validation import predict
from fervid.training.onnxgraph import fold_norms
from fervid.training.quantisation import LEVELS, Range, choose_range, measure_ranges

RUNS = Path(__file__).parents[2] / "runs"
NETWORK = {  # every option, both kinds of pools, a plane that is odd, blocks with and without attention
    "stem": 8,
    "stem_kernel": 5,
    "stem_strides": [2, 1],
    "widths": [8, 16, 16],
    "depths": [1, 2, 1],
    "attention": [False, True, True],
    "squeeze": 4,
    "dropout": 0.0,
    "drop_path": 0.0,
}


def train_a_little(data: TrainingData, config: TrainingConfig, steps: int = 60, batch: int = 256) -> ExpressionNetwork:
    """Whoever has learned something has margins, which rounding does not cross."""
    torch.manual_seed(1)
    network = ExpressionNetwork(config.network, config.labels).train()
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    labels, votes = torch.from_numpy(data.validation_emotions), torch.from_numpy(data.validation_votes)
    for step in range(steps):
        rows = torch.arange(step * batch, (step + 1) * batch) % len(labels)
        emotion_logits, vote_logits = network(data.validation_inputs[rows])
        loss = F.cross_entropy(emotion_logits, labels[rows]) + F.cross_entropy(vote_logits, votes[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@pytest.fixture(scope="module")
def make_trained(make_faces: Any) -> Any:
    """A network that has learned a little, by its shortcut; each is trained once."""

    @functools.cache
    def make(shortcut: str) -> tuple[ExpressionNetwork, TrainingData]:
        table = {"name": "tiny", "input": {"size": 22, "crop": 0.9}, "network": NETWORK | {"shortcut": shortcut}}
        config = TrainingConfig.from_dict(table)
        data = make_training_data(make_faces(96, 256, 4), config)
        return train_a_little(data, config), data

    return make


@pytest.fixture(scope="module")
def make_exported(make_trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The file of such a network in integers; each is written once."""

    @functools.cache
    def make(shortcut: str) -> ExportedModel:
        path = tmp_path_factory.mktemp(shortcut) / "tiny.onnx"
        return export_onnx(*make_trained(shortcut), path, precision="int8")

    return make


@pytest.fixture
def trained(make_trained: Any) -> tuple[ExpressionNetwork, TrainingData]:
    made: tuple[ExpressionNetwork, TrainingData] = make_trained("max")
    return made


@pytest.fixture
def exported(make_exported: Any) -> ExportedModel:
    """The file of ``trained``."""
    made: ExportedModel = make_exported("max")
    return made


def initializers(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.mark.parametrize("shortcut", ["max", "average"])
def test_int8_answers_like_the_network(make_trained: Any, make_exported: Any, shortcut: str) -> None:
    network, data = make_trained(shortcut)
    exported = make_exported(shortcut)
    assert exported.trained_accuracy > 0.9  # it has learned
    assert exported.public_accuracy >= exported.trained_accuracy - 0.01
    parity = exported.parity
    assert (parity.precision, parity.faces) == ("int8", 256)
    assert parity.trained_agreement >= 0.98
    assert 0 < parity.trained_difference <= 0.15
    assert parity.max_difference <= 0.03

    logits, votes = predict(network, data.validation_inputs, torch.device("cpu"))
    answer = Classifier(exported.path).predict_inputs(data.validation_inputs.numpy())
    assert np.abs(answer.label_probabilities - softmax(logits, exported.spec.temperature)).mean() < 0.02
    assert np.abs(answer.votes - softmax(votes, exported.spec.votes_temperature)).mean() < 0.02


def optimise_nodes(path: Path, folder: Path) -> list[str]:
    """Operators of a file as the runtime computes it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node]


def test_the_runtime_computes_in_integers(exported: ExportedModel, tmp_path: Path) -> None:
    """Of the float convolutions the heads are left, and nothing is rounded in between for nothing."""
    nodes = optimise_nodes(exported.path, tmp_path)
    written = [node.op_type for node in onnx.load(exported.path).graph.node]
    assert nodes.count("Conv") + nodes.count("FusedConv") == 2
    assert nodes.count("QLinearConv") == written.count("Conv") - 2
    assert nodes.count("QLinearAdd") == written.count("Add") == 4
    assert nodes.count("QLinearMul") == nodes.count("QLinearSigmoid") == nodes.count("QLinearGlobalAveragePool") == 3
    assert nodes.count("QuantizeLinear") == 1  # the face itself
    assert nodes.count("DequantizeLinear") <= 2  # before the heads


def test_the_file_is_small_and_says_the_same_of_itself(trained: Any, exported: ExportedModel, tmp_path: Path) -> None:
    files = {"int8": exported, "float32": export_onnx(*trained, tmp_path / "float32.onnx", precision="float32")}
    models = {p: onnx.load(file.path) for p, file in files.items()}
    sessions = {p: create_session(load_model(file.path)) for p, file in files.items()}
    assert len({str(layers_from_metadata(read_metadata(session))) for session in sessions.values()}) == 1
    assert models["int8"].graph.input == models["float32"].graph.input
    assert models["int8"].graph.output == models["float32"].graph.output
    assert models["int8"].doc_string == models["float32"].doc_string
    spec, reference = files["int8"].spec, files["float32"].spec
    assert Classifier(files["int8"].path).spec == spec
    assert spec != reference  # PublicTest was asked again
    assert spec.temperature == pytest.approx(reference.temperature, rel=0.1)
    kept = ("name", "labels", "mean", "std", "size", "recipe")
    assert [getattr(spec, name) for name in kept] == [getattr(reference, name) for name in kept]
    weights = initializers(models["int8"])
    kernels = {name for name in initializers(models["float32"]) if name.endswith("weight")}
    rounded = {name for name in kernels if f"{name}.quantised" in weights}
    assert kernels - rounded == {"emotion_head.weight", "vote_head.weight"}
    assert all(weights[f"{name}.quantised"].dtype == np.int8 for name in rounded)


def test_no_sum_can_overflow_sixteen_bits(trained: Any) -> None:
    network, data = trained
    weights = initializers(quantise(network, data, calibration_inputs(data)))
    for name, values in weights.items():
        if values.dtype == np.int8 and name.endswith("quantised"):
            assert np.abs(values.astype(int)).max() == LEVELS, name  # the range is used, and not exceeded
            assert not weights[name.replace("quantised", "zero")].any()
    assert 255 * 2 * LEVELS < 2**15


def quantise(network: ExpressionNetwork, data: TrainingData, inputs: NDArray[np.float32]) -> onnx.ModelProto:
    model = build_model(fold_norms(network), data.spec, precision="float32", producer="test")
    return quantise_model(model, inputs, data.spec)


def test_weights_keep_a_scale_per_channel(trained: Any) -> None:
    network, data = trained
    folded = fold_norms(network)
    weights = initializers(quantise(network, data, calibration_inputs(data)))
    kernel = folded.blocks[1].conv1.weight.detach().numpy()
    steps, scales = weights["blocks.1.conv1.weight.quantised"], weights["blocks.1.conv1.weight.scale"]
    assert scales.shape == (16,)
    assert (np.abs(steps * scales[:, None, None, None] - kernel) <= scales[:, None, None, None] * 0.5001).all()
    bias = folded.blocks[1].conv1.bias.detach().numpy()
    restored = weights["blocks.1.conv1.bias.quantised"] * weights["blocks.1.conv1.bias.scale"]
    np.testing.assert_allclose(restored, bias, atol=weights["blocks.1.conv1.bias.scale"].max())


def test_a_dead_channel_keeps_its_bias(trained: Any) -> None:
    network, data = trained
    folded = fold_norms(network)
    with torch.no_grad():
        folded.blocks[1].conv1.weight[3] = 1e-12
        folded.blocks[1].conv1.bias[3] = 2.5
        folded.blocks[1].conv1.weight[4] = 0
        folded.blocks[1].conv1.bias[4] = 0
    model = build_model(folded, data.spec, precision="float32", producer="test")
    weights = initializers(quantise_model(model, calibration_inputs(data), data.spec))
    restored = weights["blocks.1.conv1.bias.quantised"] * weights["blocks.1.conv1.bias.scale"]
    assert restored[3] == pytest.approx(2.5, rel=1e-3)
    assert restored[4] == 0


def test_a_face_counts_in_whole_grey_levels(exported: ExportedModel) -> None:
    """What two machines' resizing differs by is gone before the first sum."""
    classifier = Classifier(exported.path)
    spec, rng = exported.spec, np.random.default_rng(0)
    levels = rng.integers(0, 256, (8, 1, spec.size, spec.size)).astype(np.float32)
    offset = np.float32(spec.mean - np.round(spec.mean))  # steps lie where the mean is one of them
    answers = [
        classifier.run((levels + offset + np.float32(beside) - spec.mean) / np.float32(spec.std))[0]
        for beside in (0.0, 0.45, -0.45, 0.55)
    ]
    np.testing.assert_array_equal(answers[1], answers[0])
    np.testing.assert_array_equal(answers[2], answers[0])
    assert not np.array_equal(answers[3], answers[0])


def test_every_batch_and_number_of_threads_gives_the_same_answers(trained: Any, exported: ExportedModel) -> None:
    inputs = trained[1].validation_inputs.numpy()[:64]
    logits = [
        np.concatenate([classifier.run(inputs[i : i + batch])[0] for i in range(0, 64, batch)])
        for classifier in (Classifier(exported.path, threads=1), Classifier(exported.path, threads=2))
        for batch in (1, 32, 64)
    ]
    for other in logits[1:]:
        np.testing.assert_array_equal(other, logits[0])


def test_the_evidence_is_still_what_the_logits_are_the_mean_of(trained: Any, exported: ExportedModel) -> None:
    session = create_session(load_model(exported.path))
    inputs = trained[1].validation_inputs.numpy()[:8]
    names = ["emotion_logits", "emotion_evidence", "vote_logits", "vote_evidence"]
    emotions, emotion_maps, votes, vote_maps = session.run(names, {"faces": inputs})
    np.testing.assert_allclose(emotion_maps.mean(axis=(2, 3)), emotions, atol=1e-5)
    np.testing.assert_allclose(vote_maps.mean(axis=(2, 3)), votes, atol=1e-5)


def test_one_network_gives_one_file(trained: Any, exported: ExportedModel, tmp_path: Path) -> None:
    again = export_onnx(*trained, tmp_path / "tiny.onnx", precision="int8")
    assert again.path.read_bytes() == exported.path.read_bytes()


def test_a_file_of_another_network_is_found_out(trained: Any, exported: ExportedModel) -> None:
    network, data = trained
    other = fold_norms(network)
    with torch.no_grad():
        other.emotion_head.weight.copy_(other.emotion_head.weight.roll(1, dims=0))
    with pytest.raises(ContractError, match="ONNX Runtime and torch differ on 256 faces"):
        check_parity(other, exported.path, data.validation_inputs)


def test_integers_that_differ_from_what_the_file_says_are_found_out(
    trained: Any, exported: ExportedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = trained

    def saturate(*arguments: Any, **options: Any) -> Any:  # as if the processor had lost the largest sums
        emotion_logits, vote_logits = run_model(*arguments, **options)
        return np.minimum(emotion_logits, np.quantile(emotion_logits, 0.8)), vote_logits

    monkeypatch.setattr(export, "run_model", saturate)
    with pytest.raises(ContractError, match=r"ONNX Runtime and torch differ on 256 faces: 0\.00% get another emotion"):
        check_parity(network, exported.path, data.validation_inputs)


def test_a_loss_of_accuracy_is_refused(trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, data = trained
    names = ("inputs", "emotions", "votes", "has_votes", "majority")
    few = replace(data, **{f"validation_{name}": getattr(data, f"validation_{name}")[:32] for name in names})

    def lose(count: int, faces: int) -> None:
        shares = iter((0.5, 0.5 + count / faces))  # of the file, and of the network
        monkeypatch.setattr(export, "accuracy", lambda *_: next(shares))

    lose(2, 32)
    export_onnx(network, few, tmp_path / "tiny.onnx", precision="int8")  # a sixteenth, and yet it may be chance
    for part, faces in ((few, 32), (data, 256)):
        lose(3, faces)
        with pytest.raises(ContractError, match=r"int8 answers 50.00% of PublicTest rightly, the network"):
            export_onnx(network, part, tmp_path / "lost.onnx", precision="int8")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]


def test_ranges_hold_zero_exactly() -> None:
    for low, high in ((0.0, 3.0), (-1.0, 2.0), (-0.4, 0.0), (0.0, 0.0)):
        values = Range(low, high)
        zero = float(values.zero)
        assert 0 <= zero <= 255
        assert abs((0 - zero) * float(values.scale) - low) <= float(values.scale)  # the lowest step
        assert abs((255 - zero) * float(values.scale) - high) <= float(values.scale) or high == low


def test_the_range_is_the_one_of_least_error() -> None:
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.exponential(1.0, 200_000), [40.0]])  # one outlier would make every step coarse
    counts = np.histogram(values, 2048, (0.0, 40.0))[0]
    chosen = choose_range(0.0, 40.0, counts)
    assert chosen.low == 0

    def error(high: float) -> float:
        steps = np.round(np.clip(values, 0, high) / high * 255)
        return float(((steps * high / 255 - values) ** 2).mean())

    assert error(chosen.high) <= 1.05 * min(error(high) for high in np.linspace(12, 40, 100))
    assert chosen.high < 40

    even = choose_range(-1.0, 1.0, np.full(2048, 100))
    assert (even.low, even.high) == (-1.0, 1.0)  # without outliers nothing is cut off


def test_ranges_are_those_of_the_faces(trained: Any) -> None:
    network, data = trained
    model = build_model(fold_norms(network), data.spec, precision="float32", producer="test")
    inputs = calibration_inputs(data)
    name = "blocks.0.conv1.relu.output"
    [(found, values)] = measure_ranges(model, [inputs[:64], inputs[64:]], {name}).items()
    with torch.inference_mode():
        folded = fold_norms(network)
        plane = F.relu(folded.blocks[0].conv1(folded.stem(torch.from_numpy(inputs))))
    assert found == name
    assert values.low == 0
    assert 0.3 * float(plane.max()) - 1e-4 <= values.high <= float(plane.max()) + 1e-4


def test_calibration_takes_faces_from_all_over_the_split(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, data = trained
    assert len(calibration_inputs(data)) == len(data.images)  # there are fewer than it would take
    monkeypatch.setattr(export, "CALIBRATION_FACES", 4)
    whole = [calibration_inputs(data)[i] for i in range(4)]
    monkeypatch.setattr(export, "CALIBRATION_FACES", 10_000)
    every = calibration_inputs(data)
    positions = [next(i for i, face in enumerate(every) if np.array_equal(face, chosen)) for chosen in whole]
    assert positions == [0, 31, 63, 95]


def unround(network: ExpressionNetwork) -> None:
    """Give each weight what rounding to int8, a scale per channel, may have taken from it: up to half a step."""
    generator = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            step = module.weight.data.abs().amax(dim=(1, 2, 3), keepdim=True) / 127
            module.weight.data += (torch.rand(module.weight.shape, generator=generator) - 0.5) * step


def test_parity_on_real_faces(shared_data: Path, tmp_path: Path) -> None:
    """torch, float32, float16 and int8 on faces of FER2013, by a network that knows them: it rounds to ``small``."""
    with open_parquet(shared_data / "fer2013.parquet") as source:
        faces = next(iterate_faces(source, "fer2013.parquet"))[np.arange(640)]
    faces.splits[64:] = 1  # the Training faces come first, and only those are read
    config = TrainingConfig.from_toml(RUNS / "small.toml")
    still = replace(config, schedule=replace(config.schedule, weight_decay=0.0))  # nothing is learned here
    data = make_training_data(faces, still)
    network = ExpressionNetwork(config.network, config.labels)
    network.load_state_dict(read_initial_weights("small", still, data)[1])
    unround(network)  # as read from the file its weights are integers times a scale, which int8 would keep exactly
    files = {p: export_onnx(network, data, tmp_path / f"{p}.onnx", precision=p) for p in ("float32", "float16", "int8")}
    tolerance = {"float32": 1e-4, "float16": 0.02, "int8": 0.15}
    agreement = {"float32": 1.0, "float16": 0.995, "int8": 0.97}
    for precision, exported in files.items():
        assert exported.parity.trained_difference <= tolerance[precision], precision
        assert exported.parity.trained_agreement >= agreement[precision], precision
        assert abs(exported.public_accuracy - exported.trained_accuracy) <= 0.01, precision
        assert exported.spec.temperature == pytest.approx(files["float32"].spec.temperature, rel=0.05)
    assert files["int8"].size_bytes < files["float16"].size_bytes < files["float32"].size_bytes

    inputs = data.validation_inputs.contiguous(memory_format=torch.contiguous_format).numpy()
    whole = run_model(onnx.load(files["int8"].path), inputs)[0]
    classifier = Classifier(files["int8"].path, threads=2)
    single = np.concatenate([classifier.run(face[None])[0] for face in inputs[:32]])
    np.testing.assert_array_equal(single, whole[:32])


def test_a_face_and_its_mirror_image_get_the_same_integers(trained: Any, tmp_path: Path) -> None:
    network, data = trained
    exported = export_onnx(network, data, tmp_path / "tiny.onnx", precision="int8", mirror=True)
    assert exported.public_accuracy >= exported.trained_accuracy - 0.01
    classifier = Classifier(exported.path)
    faces = data.validation_inputs.numpy()[:32]
    straight, turned = classifier.run(faces), classifier.run(np.ascontiguousarray(faces[..., ::-1]))
    for one, other in zip(straight, turned, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    nodes = optimise_nodes(exported.path, tmp_path)
    assert nodes.count("Conv") + nodes.count("FusedConv") == 2
    assert nodes.count("QuantizeLinear") == 1  # both images at once
