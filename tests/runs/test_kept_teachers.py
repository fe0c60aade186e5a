# ruff: noqa: E402  (torch is looked for before what needs it)
"""A teacher that recipes learn from is not lost to another one of its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

from fervid.emotions import EMOTIONS, VOTE_LABELS
from fervid.training.expressions import loop
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.teachers import Teacher, load_teacher, save_teacher

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "src" / "fervid" / "models" / "bundled" / "small.onnx"


def make_teacher(model: str) -> Teacher:
    labels, votes = tuple(map(str, EMOTIONS)), tuple(map(str, VOTE_LABELS))
    said = [np.zeros((2, 4, len(names)), np.float16) for names in (labels, votes)]
    return Teacher(model, "0123456789ab", labels, votes, 44, 0.9, 1.0, 1.0, 0.7, None, *said)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder of a teacher called small, who said something else than today's ``small``."""
    folder = tmp_path / "runs" / "teachers" / "small"
    save_teacher(make_teacher("small@000000000000"), folder)
    return folder


def test_a_teacher_is_replaced_only_when_it_is_told_to(
    load_script: Callable[[str], ModuleType],
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = load_script("runs/keep_teacher.py")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "read_faces", lambda *_, **__: None)
    monkeypatch.setattr(script, "ask_teacher", lambda classifier, *_, **__: make_teacher(classifier.identity))

    def call(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["keep_teacher.py", str(SMALL), "--data", "faces.parquet", *arguments])
        return int(script.main())

    assert call() == 1
    assert "holds a teacher already" in capsys.readouterr().err
    assert load_teacher(kept).model == "small@000000000000"
    assert call("--name", "other") == 0
    assert call("--replace") == 0
    assert load_teacher(kept).model == load_teacher(kept.with_name("other")).model != "small@000000000000"


def test_a_sweep_says_whose_teacher_it_leaves(
    load_script: Callable[[str], ModuleType],
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(loop, "choose_precision", lambda *_: False)
    script = load_script("runs/sweep.py")
    monkeypatch.setattr(script, "count_epochs", lambda *_: 30)
    monkeypatch.setattr(script, "ask_teacher", lambda classifier, *_, **__: make_teacher(classifier.identity))
    recipe = TrainingConfig.from_dict({"name": "small"})
    model = tmp_path / "out" / "small" / "small.onnx"
    model.parent.mkdir(parents=True)
    model.write_bytes(SMALL.read_bytes())
    sweep = script.Sweep([recipe], tmp_path / "none", tmp_path / "out", teachers=kept.parent)
    assert sweep.run(script.Budget(None)) == []
    said = " ".join(capsys.readouterr().err.split())
    assert "holds what small@000000000000 said, not small@" in said
    assert load_teacher(kept).model == "small@000000000000"


def test_it_is_written_down_whose_the_teachers_are() -> None:
    folder = ROOT / "runs" / "teachers"
    text, teachers = (folder / "README.md").read_text(encoding="utf-8"), sorted(folder.glob("*/teacher.json"))
    assert teachers
    for path in teachers:
        model = json.loads(path.read_text(encoding="utf-8"))["model"]
        assert f"| `{path.parent.name}` | `{model}`" in text, path
