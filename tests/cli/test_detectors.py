"""Detector files in the verbs of the command line; the detector finds red dots (tests/dotdetector.py)."""

from pathlib import Path
from types import ModuleType

from typer.testing import CliRunner

from fervid.cli import app as app_module
from fervid.errors import UsageError
from fervid.models.store import BUNDLED

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
