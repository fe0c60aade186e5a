"""Detector files in the verbs of the command line; the detector finds red dots (tests/dotdetector.py)."""

import dataclasses
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from fervid.cli import app as app_module
from fervid.errors import UsageError
from fervid.models.store import BUNDLED, EXTERNAL

app = app_module.app
runner = CliRunner()


def test_models_show_tells_a_detector_from_a_network(dots: ModuleType, tmp_path: Path) -> None:
    done = runner.invoke(app, ["models", "show", str(dots.write_detector(tmp_path / "dots.onnx"))])
    assert done.exit_code == 0, done.output
    for words in ("detection", "RGB, (x − 10) / 2", "faces of 20 to 200 px", "0.900 of the box's height", "cls_32"):
        assert words in done.stdout
    assert "uncertain below" not in done.stdout
    done = runner.invoke(app, ["models", "show", "base"])
    assert "expression" in done.stdout
    assert "uncertain below" in done.stdout


def test_models_show_names_a_damaged_detector(dots: ModuleType, tmp_path: Path) -> None:
    path = dots.write_detector(tmp_path / "dots.onnx", metadata={"fervid.spec": '{"task": "detection"}'})
    done = runner.invoke(app, ["models", "show", str(path)])
    assert done.exit_code == 1
    assert "dots carries a damaged fervid.spec" in str(done.exception)


def test_models_show_takes_nothing_in_a_file_for_markup(dots: ModuleType, tmp_path: Path) -> None:
    spec = dataclasses.replace(dots.SPEC, version="1[a]", recipe="[b]c.toml", training_data="[/]", licence="[bold]")
    path = dots.write_detector(tmp_path / "[red]dots.onnx", spec)
    done = runner.invoke(app, ["models", "show", str(path)])
    assert done.exit_code == 0, done.output
    for words in ("[red]dots@", "1[a]", "[b]c.toml", "[/]", "[bold]"):
        assert words in done.stdout


def test_models_list_shows_whole_paths_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("deep" * 20) / "[b]models"
    folder.mkdir(parents=True)
    (folder / EXTERNAL[0].file_name).touch()
    monkeypatch.setenv("FERVID_MODEL_DIR", str(folder))
    done = runner.invoke(app, ["models", "list"], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    shown = [line.rstrip().rpartition("  ")[2] for line in done.stdout.splitlines()]
    assert str(folder / EXTERNAL[0].file_name) in "".join(shown)


def test_models_verify_knows_a_published_file_by_its_digest(dots: ModuleType, tmp_path: Path) -> None:
    done = runner.invoke(app, ["models", "verify", str(BUNDLED / "base.onnx")])
    assert done.exit_code == 0, done.output
    assert "base.onnx is base" in done.stdout.replace("\n", " ")
    done = runner.invoke(app, ["models", "verify", str(dots.write_detector(tmp_path / "dots.onnx"))])
    assert done.exit_code == 1
    assert "none of the published files" in done.stderr


def test_an_unknown_detector_is_wrong_usage() -> None:
    done = runner.invoke(app, ["image", "a.jpg", "--detector", "mtcnn"])
    assert isinstance(done.exception, UsageError)
    assert "there is no detector 'mtcnn'" in str(done.exception)
