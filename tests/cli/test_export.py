# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from unittest.mock import ANY, MagicMock

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
onnx = pytest.importorskip("onnx", reason="exporting needs onnx: pip install 'fervid[train]'")
pa = pytest.importorskip("pyarrow", reason="reading faces needs pyarrow: pip install 'fervid[data]'")
pq = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.training

import torch

from fervid.classification.classifier import Classifier
from fervid.cli.app import app
from fervid.errors import ConfigError, ContractError, FervidError, MissingExtraError, UsageError
from fervid.training.checkpoint import load_average
from fervid.training.expressions.checkpoint import load_network, read_config
from fervid.training.expressions.data import load_training_data, prepare_inputs
from fervid.training.expressions.norms import measure_norms

RECIPE = """
name = "tiny"
[input]
size = 24
[network]
stem = 8
stem_strides = [2, 1]
widths = [16, 32]
depths = [1, 1]
shortcut = "max"
attention = [false, true]
dropout = 0.0
[schedule]
stages = [{ epochs = 6, size = 24 }]
batch_size = 32
learning_rate = 0.05
ema = 0.8
[augmentation]
scale = [0.95, 1.0]
shift = 0.02
rotation = 2.0
erase = 0.0
"""
ROWS = {"Training": 320, "PublicTest": 256, "PrivateTest": 8}


def write_faces(path: Path, seed: int) -> Path:
    """Each emotion is a symmetric pattern under noise: learned in seconds, and with margins that rounding keeps."""
    rng = np.random.default_rng(seed)
    usage = [split for split, count in ROWS.items() for _ in range(count)]
    coarse = np.random.default_rng(7).uniform(40, 215, (7, 6, 3))
    patterns = np.kron(np.concatenate([coarse, coarse[:, :, ::-1]], axis=2), np.ones((8, 8)))
    emotions = [row % 7 for row in range(len(usage))]
    images = []
    for emotion in emotions:
        encoded = io.BytesIO()
        noisy = np.clip(patterns[emotion] + rng.normal(0, 20, (48, 48)), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(encoded, "PNG")
        images.append(encoded.getvalue())
    pq.write_table(pa.table({"image": images, "emotion": pa.array(emotions, pa.int8()), "Usage": usage}), path)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*map(str, arguments)])


def read_head(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The weights of a float32 file's label head: no norm is folded into them."""
    tensors = {tensor.name: tensor for tensor in onnx.load(path).graph.initializer}
    return np.asarray(onnx.numpy_helper.to_array(tensors["emotion_head.weight"]), np.float32).squeeze()


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces") / "faces.parquet", seed=0)


@pytest.fixture(scope="module")
def finished(faces: Path, no_curves: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, which exported float16."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    recipe = folder.parent / "tiny.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    done = run("train", recipe, "--data", faces, "-o", folder, "--device", "cpu", "--threads", "1")
    assert done.exit_code == 0, done.output
    return folder


def test_a_run_is_exported_in_every_precision(
    finished: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fervid.training.expressions.export.PARITY_FACES", 64)
    sizes = {}
    for precision in ("float32", "float16", "int8"):
        path = tmp_path / f"{precision}.onnx"
        done = run("export", finished, "--data", faces, "-o", path, "--precision", precision)
        assert done.exit_code == 0, done.output
        assert f"{path.stat().st_size:,} bytes, weights as {precision}" in done.stdout
        assert "% of 256 faces" in done.stdout
        assert ("before rounding" in done.stdout.split("calibration")[0]) == (precision == "int8")
        said = " ".join(done.stdout.split())
        assert "64 faces in ONNX Runtime: " in said
        assert ("; 256 faces: " in said) == (precision == "int8")  # of which 64 were computed in floating point too
        assert "checking the file" in done.stderr
        assert Classifier(path).spec.name == "tiny"
        assert "label head; the votes head had no votes to learn from" in done.stdout
        assert Classifier(path).predict([np.zeros((48, 48), np.uint8)]).votes.tolist() == [[0.125] * 8]
        sizes[precision] = path.stat().st_size
    assert sizes["int8"] < sizes["float32"]
    assert sizes["float16"] < sizes["float32"]
    assert (tmp_path / "float16.onnx").read_bytes() == (finished / "tiny.onnx").read_bytes()


def test_the_recipe_says_the_precision(finished: Path, faces: Path, tmp_path: Path) -> None:
    recipe, folder = tmp_path / "tiny.toml", tmp_path / "run"
    recipe.write_text(RECIPE + '[export]\nprecision = "int8"\n', encoding="utf-8")
    shutil.copytree(finished, folder)
    again = run("train", recipe, "--data", faces, "-o", folder)  # the same run, exported in another way
    assert again.exit_code == 0, again.output
    assert "the run is finished" in again.stderr
    assert "weights as int8" in again.stdout
    assert read_config(folder).export.precision == "float16"  # what the run began with

    explicit = run("export", folder, "--data", faces, "-o", tmp_path / "int8.onnx", "--precision", "int8")
    assert explicit.exit_code == 0, explicit.output
    assert (tmp_path / "int8.onnx").read_bytes() == (folder / "tiny.onnx").read_bytes()
    implicit = run("export", folder, "--data", faces, "-o", tmp_path / "float16.onnx")
    assert "weights as float16" in implicit.stdout


def test_norms_are_measured_anew_and_runs_averaged(finished: Path, faces: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.onnx" for name in ("plain", "clean", "twice")]
    ways: list[list[str | Path]] = [[finished], [finished, "--clean-norms"], [finished, finished]]
    for path, arguments in zip(paths, ways, strict=True):
        done = run("export", *arguments, "--data", faces, "-o", path)
        assert done.exit_code == 0, done.output
    plain, clean, twice = map(Classifier, paths)
    assert plain.spec.recipe == clean.spec.recipe
    assert twice.spec.recipe == f"{plain.spec.recipe}; mean of the weights of 2 × tiny"
    crops = np.random.default_rng(0).uniform(-1, 1, (4, 1, 24, 24)).astype(np.float32)
    answers = [classifier.run(crops)[0] for classifier in (plain, clean, twice)]
    assert np.abs(answers[0] - answers[1]).max() > 1e-3
    np.testing.assert_allclose(answers[1], answers[2], atol=1e-5)  # a network's mean with itself


def test_the_file_that_a_run_began_from_counts_in_the_mean(finished: Path, faces: Path, tmp_path: Path) -> None:
    first, mean = tmp_path / "first.onnx", tmp_path / "mean.onnx"
    done = run("export", finished, "--data", faces, "-o", first, "--clean-norms", "--precision", "float32")
    assert done.exit_code == 0, done.output
    recipe, folder = tmp_path / "tiny.toml", tmp_path / "second"
    recipe.write_text(f'initial_weights = "{first.as_posix()}"\n{RECIPE}', encoding="utf-8")
    done = run("train", recipe, "--data", faces, "-o", folder, "--device", "cpu", "--threads", "1")
    assert done.exit_code == 0, done.output
    began, ended = read_head(first), load_average(folder)["emotion_head.weight"].numpy()
    assert np.abs(began - ended).max() > 1e-2
    for count in (1, 2):
        runs = [first, folder, folder][: 1 + count]
        done = run("export", *runs, "--data", faces, "-o", mean, "--precision", "float32")
        assert done.exit_code == 0, done.output
        assert f"mean of the weights of 1 × first.onnx and {count} × second" in Classifier(mean).spec.recipe
        np.testing.assert_allclose(read_head(mean), (began + count * ended) / (1 + count), atol=1e-6)
    stranger = run("export", "small", folder, "--data", faces, "-o", mean).exception
    assert isinstance(stranger, ConfigError)
    refused = run("export", folder, first, "--data", faces, "-o", mean).exception
    assert isinstance(refused, ConfigError)
    assert "the last" in str(refused.advice)
    done = run("export", folder, "--data", faces, "-o", first, "--precision", "float32")  # another file by that name
    assert done.exit_code == 0, done.output
    unrelated = run("export", first, folder, "--data", faces, "-o", mean).exception
    assert isinstance(unrelated, ConfigError)
    assert "none of these runs began with" in unrelated.message


def test_the_norms_of_a_copy_are_those_of_clean_faces(finished: Path, faces: Path) -> None:
    data = load_training_data(faces, read_config(finished))
    network = load_network(finished)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    fresh = measure_norms(network, data)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    inputs = prepare_inputs(data.images.numpy(), data.spec)
    with torch.no_grad():
        convolved = fresh.stem[0](torch.cat([inputs, inputs.flip(-1)]))
    torch.testing.assert_close(fresh.stem[1].running_mean, convolved.mean((0, 2, 3)), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(fresh.stem[1].running_var, convolved.var((0, 2, 3)), atol=1e-2, rtol=2e-2)
    assert {norm.momentum for norm in fresh.modules() if isinstance(norm, torch.nn.BatchNorm2d)} == {0.1}


def test_what_cannot_be_exported_is_refused(finished: Path, faces: Path, tmp_path: Path) -> None:
    def fail(*arguments: str | Path) -> FervidError:
        error = run("export", *arguments, "-o", tmp_path / "new.onnx").exception
        assert isinstance(error, FervidError), error
        return error

    nowhere = fail(tmp_path / "nowhere", "--data", faces)
    assert isinstance(nowhere, ConfigError)
    assert "cannot read" in nowhere.message
    (tmp_path / "detector").mkdir()
    (tmp_path / "detector" / "config.json").write_text('{"task": "detection", "name": "tiny"}', encoding="utf-8")
    assert "holds a run of a detector" in fail(tmp_path / "detector", "--data", faces).message
    others = write_faces(tmp_path / "others.parquet", seed=1)
    assert "holds a run on other data" in fail(finished, "--data", others).message
    kept = tmp_path / "kept"  # a finished run needs no checkpoint
    shutil.copytree(finished, kept, ignore=shutil.ignore_patterns("checkpoint.pt"))
    assert "holds a run on other data" in fail(kept, "--data", others).message
    assert run("export", finished, "--data", faces, "-o", tmp_path / "new.onnx", "--precision", "int4").exit_code == 2
    wider = tmp_path / "wider"
    shutil.copytree(finished, wider)
    (wider / "config.json").write_text((wider / "config.json").read_text().replace('"squeeze": 8', '"squeeze": 4'))
    assert "another network" in fail(wider, finished, "--data", faces).message
    assert "new statistics" in fail(finished, finished, "--data", faces, "--no-clean-norms").message
    assert not (tmp_path / "new.onnx").exists()
    nameless = run("export", finished, "--data", faces, "-o", tmp_path / "new").exception
    assert isinstance(nameless, UsageError)


def test_options_go_before_what_the_recipe_says(
    finished: Path, faces: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = json.loads((finished / "config.json").read_text(encoding="utf-8"))
    folder, output = tmp_path / "run", tmp_path / "new.onnx"
    shutil.copytree(finished, folder)
    data = load_training_data(faces, read_config(finished))
    monkeypatch.setattr("fervid.training.expressions.data.load_training_data", lambda *_, **__: data)
    export_onnx = MagicMock(side_effect=ContractError("no such thing"))
    monkeypatch.setattr("fervid.training.expressions.export.export_onnx", export_onnx)
    ways: list[tuple[bool, list[str], bool]] = [
        (False, [], False), (True, [], True), (False, ["--mirror"], True), (True, ["--no-mirror"], False),
    ]  # fmt: skip
    for stored, options, mirror in ways:
        recipe["export"] = {"precision": "int8", "licence": "MIT", "mirror": stored, "clean_norms": not stored}
        (folder / "config.json").write_text(json.dumps(recipe), encoding="utf-8")
        assert run("export", folder, "--data", faces, "-o", output, *options).exit_code == 1
        export_onnx.assert_called_with(
            ANY, data, output, precision="int8", licence="MIT", mirror=mirror, clean_norms=not stored
        )


def test_an_unknown_precision_in_a_recipe_is_refused(faces: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    for value, message in (('"int4"', "export.precision is 'int4'"), ("8", "export.precision is 8, not of type str")):
        recipe.write_text(f"{RECIPE}[export]\nprecision = {value}\n", encoding="utf-8")
        error = run("train", recipe, "--data", faces).exception
        assert isinstance(error, ConfigError)
        assert error.message == message


def test_a_missing_extra_is_named(finished: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    error = run("export", finished, "--data", "faces.parquet", "-o", tmp_path / "new.onnx").exception
    assert isinstance(error, MissingExtraError)
    assert error.advice == 'Run: pip install "fervid[train]"'
    assert "fervid export" in error.message
