# ruff: noqa: E402  (torch is looked for before what needs it)
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

from fervid.errors import ConfigError, ContractError, ModelError
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import make_training_data
from fervid.training.expressions.export import export_onnx
from fervid.training.expressions.network import ExpressionNetwork

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("runs/publish.py")


@pytest.fixture
def run(make_faces: Any, recipe: Any, tmp_path: Path) -> Path:
    config = TrainingConfig.from_dict(recipe())
    data = make_training_data(make_faces(64, 32, 4), config)
    folder = tmp_path / "run"
    export_onnx(ExpressionNetwork(config.network, 7).eval(), data, folder / "tiny.onnx")
    (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
    (folder / "metrics.jsonl").write_text('{"epoch": 1}\n', encoding="utf-8")
    return folder


def test_a_run_becomes_a_bundled_model(script: ModuleType, run: Path, tmp_path: Path) -> None:
    bundled = tmp_path / "root" / "src" / "fervid" / "models" / "bundled"
    bundled.mkdir(parents=True)
    (bundled / "manifest.json").write_text('{"other": {"kind": "detector", "sha256": "00"}}', encoding="utf-8")
    assert script.publish(run, "base", root=tmp_path / "root") == bundled / "base.onnx"
    digest = hashlib.sha256((run / "tiny.onnx").read_bytes()).hexdigest()
    assert hashlib.sha256((bundled / "base.onnx").read_bytes()).hexdigest() == digest
    assert json.loads((bundled / "manifest.json").read_text(encoding="utf-8")) == {
        "other": {"kind": "detector", "sha256": "00"},
        "base": {"kind": "expression", "sha256": digest},
    }
    assert (tmp_path / "root" / "runs" / "base.metrics.jsonl").read_text(encoding="utf-8") == '{"epoch": 1}\n'


def test_the_recipe_names_the_model(script: ModuleType, run: Path, tmp_path: Path) -> None:
    assert script.publish(run, root=tmp_path / "root").name == "tiny.onnx"


def test_a_detector_is_published_as_one(
    script: ModuleType, tiny_detector: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_detector(tmp_path / "run")
    assert script.publish(run, "faces", root=tmp_path / "root").name == "faces.onnx"
    bundled = tmp_path / "root" / "src" / "fervid" / "models" / "bundled"
    manifest = json.loads((bundled / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["faces"]["kind"] == "detector"
    monkeypatch.setattr(script, "MAX_DETECTOR_BYTES", 1000)
    with pytest.raises(ModelError, match="more than 1,000"):
        script.publish(run, root=tmp_path / "root")


def test_what_must_not_be_published_is_refused(
    script: ModuleType, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    with pytest.raises(ConfigError, match="holds no finished run"):
        script.publish(tmp_path / "nowhere", root=root)
    with monkeypatch.context() as patch:
        patch.setattr(script, "MAX_BYTES", 1000)
        with pytest.raises(ModelError, match="more than 1,000"):
            script.publish(run, root=root)
    (run / "tiny.onnx").write_bytes(b"no model")
    with pytest.raises(ContractError):
        script.publish(run, root=root)
    (run / "tiny.onnx").unlink()
    with pytest.raises(ConfigError, match="holds no finished run"):
        script.publish(run, root=root)
    assert not root.exists()


def test_the_command_line_says_what_is_wrong(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["publish.py", str(tmp_path / "nowhere")])
    assert script.main() == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Finish it with fervid train" in captured.err
