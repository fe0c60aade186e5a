# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import io
import os
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytest.importorskip("pyarrow", reason="reading faces needs pyarrow: pip install 'fervid[data]'")
pytestmark = pytest.mark.training

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fervid.classification.classifier import Classifier
from fervid.cli.train import format_duration, train
from fervid.errors import ConfigError, DatasetError, FervidError, MissingExtraError, UsageError
from fervid.evaluation import fitting
from fervid.training.checkpoint import read_metrics
from fervid.training.expressions.checkpoint import load_network

ROOT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("FERVID_TEST_DATA", ROOT.parent / "shared" / "data")) / "fer2013.parquet"
ROWS = {"Training": 160, "PublicTest": 256, "PrivateTest": 8}

app = typer.Typer()
app.command()(train)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundred real faces where the data set is there, and generated ones where it is not."""
    path = tmp_path_factory.mktemp("faces") / "faces.parquet"
    pq.write_table(take_real_rows() if REAL.exists() else generate_rows(), path)
    return path


def take_real_rows() -> pa.Table:
    table = pq.read_table(REAL)
    return pa.concat_tables(
        [table.filter(pc.equal(table["Usage"], split)).slice(0, count) for split, count in ROWS.items()]
    )


def generate_rows() -> pa.Table:
    rng = np.random.default_rng(0)
    usage = [split for split, count in ROWS.items() for _ in range(count)]
    images = []
    for _ in usage:
        encoded = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (48, 48), dtype=np.uint8)).save(encoded, "PNG")
        images.append(encoded.getvalue())
    emotions = pa.array([row % 7 for row in range(len(usage))], pa.int8())
    return pa.table({"image": images, "emotion": emotions, "Usage": usage})


@pytest.fixture
def recipe(tiny_recipe: str, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_recipe, encoding="utf-8")
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--threads", "1", "--device", "cpu"])


def fail(*arguments: str | Path) -> FervidError:
    error = run(*arguments).exception
    assert isinstance(error, FervidError)
    return error


def test_a_recipe_and_faces_become_a_model(
    faces: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    result = run(recipe, "--data", faces, "-o", folder)
    assert result.exit_code == 0, result.output
    model = folder / "tiny.onnx"
    assert str(model) in result.stdout.replace("\n", "")
    assert "PublicTest" in result.stdout
    assert f"{model.stat().st_size:,} bytes" in result.stdout
    assert "epoch 2/2  16 px  loss " in result.stderr
    assert "epoch" not in result.stdout
    assert {path.name for path in folder.iterdir()} == {
        "checkpoint.pt",
        "config.json",
        "curves.png",
        "metrics.jsonl",
        "tiny.onnx",
        "weights.pt",
    }
    assert Classifier(model).predict([np.zeros((48, 48), dtype=np.uint8)]).probabilities.shape == (1, 7)
    assert load_network(folder).emotion_head.out_features == 7

    assert "the calibration rests on 256 PublicTest faces" in result.stderr
    monkeypatch.setattr(fitting, "FEW_FACES", 256)

    content, modified = model.read_bytes(), (folder / "checkpoint.pt").stat().st_mtime_ns
    model.unlink()
    again = run(recipe, "--data", faces, "-o", folder)
    assert again.exit_code == 0
    assert again.stdout == result.stdout
    assert "the run is finished" in again.stderr
    assert "epoch" not in again.stderr
    assert "calibration" not in again.stderr
    assert model.read_bytes() == content
    assert (folder / "checkpoint.pt").stat().st_mtime_ns == modified

    (folder / "checkpoint.pt").unlink()
    without = run(recipe, "--data", faces, "-o", folder)
    assert without.stdout == result.stdout
    assert "the run is finished" in without.stderr
    assert model.read_bytes() == content
    assert not (folder / "checkpoint.pt").exists()
    (folder / "weights.pt").unlink()
    assert "cannot go on without checkpoint.pt" in fail(recipe, "--data", "nowhere.parquet", "-o", folder).message

    other = tmp_path / "other.toml"
    text = recipe.read_text(encoding="utf-8")
    other.write_text(text.replace("depths = [1, 1]", "depths = [1, 2]"), encoding="utf-8")
    assert "another recipe" in fail(other, "--data", faces, "-o", folder).message


def test_an_interrupted_run_says_how_to_go_on(
    faces: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fervid.training.expressions import loop

    monkeypatch.chdir(tmp_path)
    draw = loop.draw_curves

    def draw_and_interrupt(*arguments: Any, **options: Any) -> None:
        draw(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "draw_curves", draw_and_interrupt)
        result = run("tiny.toml", "--data", faces, "--labels", "6")
    assert result.exit_code == 130
    assert result.stdout == ""
    folder = Path("training-runs") / "tiny-6"
    assert len(read_metrics(folder)) == 1
    assert "interrupted; 1 of 2 epochs are kept" in result.stderr
    command = shlex.split(result.stderr.split("Continue with:")[1].replace("\n", " "))
    assert command[:2] == ["fervid", "train"]
    result = CliRunner().invoke(app, command[2:])
    assert result.exit_code == 0, result.output
    assert "continuing after epoch 1" in result.stderr
    assert Classifier(folder / "tiny-6.onnx").spec.labels == ("angry", "fear", "happy", "sad", "surprise", "neutral")


@pytest.mark.parametrize(
    ("here", "words"),
    [
        ("4", "Continue with: torchrun --nproc-per-node 4 -m fervid train"),
        ("2", "Continue as it was started, on every machine."),
        (None, "Continue as it was started, on every machine."),
    ],
)
def test_an_interrupted_team_says_how_all_of_it_goes_on(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str | None, words: str
) -> None:
    from fervid.training import team

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    leader = SimpleNamespace(leads=True, size=4, do_all=interrupt)
    monkeypatch.setattr(team, "join_team", lambda: nullcontext(leader))
    for name, value in {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": here}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    result = run(recipe, "--data", "faces.parquet", "-o", tmp_path / "run")
    assert result.exit_code == 130
    said = " ".join(result.stderr.split())
    assert f"interrupted; 0 of 2 epochs are kept. {words}" in said
    assert ("torchrun" in said) == (here == "4")


def test_wrong_arguments_cost_no_reading(recipe: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.parquet"
    assert isinstance(fail(nowhere, "--data", nowhere), ConfigError)
    assert isinstance(fail(recipe, "--data", nowhere, "--labels", "5"), UsageError)
    assert isinstance(fail(recipe, "--data", nowhere, "-o", tmp_path / "run"), DatasetError)
    assert not (tmp_path / "run").exists()
    for folder, words in (("", "a path is empty"), ("-", "a folder is not written to stdout")):
        error = fail(recipe, "--data", nowhere, "-o", folder)
        assert isinstance(error, UsageError)
        assert error.message == words
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "config.json").write_text('{"name": "an application"}', encoding="utf-8")
    assert "config.json is no recipe of fervid" in fail(recipe, "--data", nowhere, "-o", theirs).message
    text = recipe.read_text(encoding="utf-8")
    for path in ((tmp_path / "none").as_posix(), "none.onnx", "nobody"):
        recipe.write_text(f'initial_weights = "{path}"\n{text}', encoding="utf-8")
        error = fail(recipe, "--data", nowhere, "-o", tmp_path / "run")
        assert isinstance(error, ConfigError)
        assert "the initial weights" in error.message
    device = CliRunner().invoke(app, [str(recipe), "--data", str(nowhere), "--device", "abacus"])
    assert isinstance(device.exception, ConfigError)


def test_a_missing_extra_is_named(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    error = fail(recipe, "--data", "faces.parquet")
    assert isinstance(error, MissingExtraError)
    assert error.advice == 'Run: pip install "fervid[train]"'


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (3570, "1 h 00 min"), (7260, "2 h 01 min")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
