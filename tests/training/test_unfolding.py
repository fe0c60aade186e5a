# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch

from fervid.errors import ConfigError, ModelError
from fervid.models.store import load_model
from fervid.training.checkpoint import read_metrics
from fervid.training.expressions import export, loop
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData, make_training_data
from fervid.training.expressions.export import export_onnx
from fervid.training.expressions.loop import train
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.expressions.norms import measure_norms
from fervid.training.expressions.unfolding import read_initial_weights, unfold

RUNS = Path(__file__).parents[2] / "runs"


@pytest.fixture(scope="module")
def config(recipe: Any) -> TrainingConfig:
    return TrainingConfig.from_dict(recipe())


@pytest.fixture(scope="module")
def data(make_faces: Any, config: TrainingConfig) -> TrainingData:
    return make_training_data(make_faces(192, 256, 4), config)


@pytest.fixture(scope="module")
def network(make_network: Any, recipe: Any, data: TrainingData) -> ExpressionNetwork:
    """Whose norms hold what they are measured at."""
    return measure_norms(make_network(data, recipe()), data)


@pytest.fixture(scope="module")
def exported(network: ExpressionNetwork, data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx(network, data, tmp_path_factory.mktemp("file") / "own.onnx", precision="float32").path


def read(path: str | Path, config: TrainingConfig, data: TrainingData) -> ExpressionNetwork:
    network = ExpressionNetwork(config.network, config.labels)
    network.load_state_dict(read_initial_weights(str(path), config, data)[1])
    return network.eval()


@torch.no_grad()
def largest_difference(first: ExpressionNetwork, second: ExpressionNetwork, data: TrainingData) -> float:
    pairs = zip(first(data.validation_inputs), second(data.validation_inputs), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("float16", 2e-2), ("int8", 0.5)])
def test_a_file_answers_as_before(
    network: ExpressionNetwork,
    config: TrainingConfig,
    data: TrainingData,
    precision: Any,
    tolerance: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "LOSS_TOLERANCE", 1.0)  # of a network that was not trained
    path = export_onnx(network, data, tmp_path / "own.onnx", precision=precision, mirror=precision == "int8").path
    digest, _ = read_initial_weights(str(path), config, data)
    assert digest == load_model(path).sha256[:12]
    unfolded = read(path, config, data)
    assert largest_difference(unfolded, network, data) < tolerance
    norm, before = unfolded.blocks[0].norm1, network.blocks[0].norm1
    torch.testing.assert_close(norm.weight.abs(), before.weight.abs(), rtol=0.05, atol=1e-3)
    torch.testing.assert_close(norm.bias, before.bias, rtol=0.05, atol=0.05)


def test_faces_of_another_brightness_are_seen_as_before(
    exported: Path, network: ExpressionNetwork, config: TrainingConfig, data: TrainingData
) -> None:
    spec = replace(data.spec, mean=data.spec.mean - 30, std=data.spec.std * 1.5)
    other = replace(data, spec=spec, validation_inputs=(data.validation_inputs * data.spec.std + 30) / spec.std)
    unfolded, naive = read(exported, config, other), read(exported, config, data)

    @torch.no_grad()
    def see(reader: ExpressionNetwork, faces: TrainingData) -> torch.Tensor:
        """What the first convolution and its norm say, but for the border, where the padding is another grey."""
        return reader.stem[:2](faces.validation_inputs)[..., 1:-1, 1:-1]

    torch.testing.assert_close(see(unfolded, other), see(network, data), atol=1e-3, rtol=1e-3)
    assert float((see(naive, other) - see(network, data)).abs().mean()) > 0.05


def test_its_norms_are_those_of_what_it_sees(exported: Path, config: TrainingConfig, data: TrainingData) -> None:
    unfolded = read(exported, config, data)
    assert largest_difference(measure_norms(unfolded, data), unfolded, data) < 0.02


def test_filters_of_a_layer_are_as_long_as_steps_and_decay_allow(
    exported: Path, config: TrainingConfig, data: TrainingData
) -> None:
    def lengths(changes: dict[str, float]) -> torch.Tensor:
        changed = replace(config, schedule=replace(config.schedule, **changes))
        return read(exported, changed, data).blocks[1].conv1.weight.detach().flatten(1).norm(dim=1)

    usual, faster, undecayed = lengths({}), lengths({"learning_rate": 0.8}), lengths({"weight_decay": 0.0})
    assert float(usual.std()) < 1e-5 * float(usual.mean())
    torch.testing.assert_close(faster, 2 * usual, rtol=0.05, atol=0)  # 16 times the rate
    torch.testing.assert_close(undecayed, torch.ones_like(undecayed))


def test_a_run_goes_on_from_a_file(
    exported: Path,
    network: ExpressionNetwork,
    config: TrainingConfig,
    data: TrainingData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "choose_precision", lambda *_: False)
    still = replace(config.schedule, stages=(replace(config.schedule.stages[1], epochs=1),), learning_rate=1e-9)
    begun = train(replace(config, initial_weights=(str(exported),), schedule=still), data, tmp_path / "run")
    kept = {name: value for name, value in network.state_dict().items() if name.startswith("emotion_head")}
    for name, value in kept.items():
        torch.testing.assert_close(begun.state_dict()[name], value, atol=1e-5, rtol=0)
    assert read_metrics(tmp_path / "run")[0]["initial_weights"] == load_model(exported).sha256[:12]


def test_an_installed_model_is_asked_for_by_name(config: TrainingConfig, data: TrainingData, tmp_path: Path) -> None:
    file, own = load_model("small"), TrainingConfig.from_toml(RUNS / "small.toml")
    shown = replace(own, input=config.input, schedule=config.schedule)
    digest, state = read_initial_weights("small", shown, data)
    assert digest == file.sha256[:12]
    assert read_initial_weights(file.identity, shown, data)[0] == digest
    (tmp_path / "copy.onnx").write_bytes(file.data)
    copied = read_initial_weights(str(tmp_path / "copy.onnx"), shown, data)[1]
    assert all(torch.equal(value, copied[key]) for key, value in state.items())
    for path, words in (
        ("small@0123456789ab", f"the model small that is installed is {file.identity}, not small@0123456789ab"),
        ("absent@0123456789ab", "absent@0123456789ab are not there .*there is no model 'absent'"),
        ("faces", "emotion_logits|expression|detector"),
    ):
        with pytest.raises((ConfigError, ModelError), match=words):
            read_initial_weights(path, shown, data)


def test_what_does_not_fit_is_refused(
    exported: Path, config: TrainingConfig, recipe: Any, data: TrainingData, tmp_path: Path
) -> None:
    wider = {**recipe()["network"], "widths": [8, 8, 24]}
    shallower = {**recipe()["network"], "widths": [8, 8], "depths": [1, 1]}
    deeper = {**recipe()["network"], "depths": [1, 1, 2]}
    for changes, words in (
        ({"network": wider}, r"blocks.2.conv1.weight is \(16, 8, 3, 3\) there, \(24, 8, 3, 3\) here"),
        ({"network": shallower}, "emotion_head.weight is"),
        ({"network": deeper}, "blocks.3.conv1.weight is no such layer there"),
        ({"labels": 6}, "own.onnx know 7 labels, the recipe 6"),
    ):
        with pytest.raises(ConfigError, match=words):
            read_initial_weights(str(exported), TrainingConfig.from_dict(recipe(**changes)), data)
    (tmp_path / "damaged.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError):
        read_initial_weights(str(tmp_path / "damaged.onnx"), config, data)
    with pytest.raises(ConfigError, match=r"absent.onnx are not there \(cannot read the model"):
        read_initial_weights(str(tmp_path / "absent.onnx"), config, data)


def test_what_weights_do_not_tell_has_to_fit_too(exported: Path, config: TrainingConfig, data: TrainingData) -> None:
    small = TrainingConfig.from_toml(RUNS / "small.toml")  # whose file is of 8-bit integers
    for path, own, shortcut, words in (
        (
            str(exported),
            config,
            "max",
            r"blocks\.1\.shortcut\.pool is AveragePool of stride 2 there, MaxPool of stride 2",
        ),
        ("small", small, "average", r"blocks\.1\.shortcut\.pool is MaxPool of stride 2 there, AveragePool of stride 2"),
    ):
        other = replace(own, network=replace(own.network, shortcut=shortcut))
        with pytest.raises(ConfigError, match=words):
            read_initial_weights(path, other, data)
    other = replace(config, network=replace(config.network, stem_strides=(2, 1)))
    with pytest.raises(ConfigError, match=r"stem\.conv1 is Conv of stride 1 there, Conv of stride 2 here"):
        read_initial_weights(str(exported), other, data)


def test_layers_that_the_recipe_lacks_are_noticed(exported: Path, config: TrainingConfig, data: TrainingData) -> None:
    model = onnx.load(exported)
    model.graph.initializer.append(onnx.numpy_helper.from_array(torch.zeros(3).numpy(), "blocks.9.conv1.bias"))
    with pytest.raises(ConfigError, match=r"\(\d+ tensors there, \d+ here\)"):
        unfold(model, "own.onnx", config, data)
