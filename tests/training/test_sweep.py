# ruff: noqa: E402  (torch is looked for before what needs it)
from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

from fervid.datasets.faceset import FaceRow
from fervid.datasets.parquet import write_faces
from fervid.errors import ConfigError
from fervid.training.expressions import loop
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.teachers import load_teacher
from fervid.training.progress import Progress


@pytest.fixture
def script(load_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(loop, "choose_precision", lambda *_: False)
    return load_script("runs/sweep.py")


@pytest.fixture
def faces(make_faces: Any, tmp_path: Path) -> Path:
    made = make_faces(96, 32, 4)
    columns = zip(made.images, made.emotions.tolist(), made.splits.tolist(), made.votes.tolist(), strict=True)
    write_faces(tmp_path / "faces.parquet", (FaceRow(i, e, s, tuple(v)) for i, e, s, v in columns))
    return tmp_path / "faces.parquet"


def make_progress(epoch: int, step: int, *, finished: bool = False) -> Progress:
    return Progress(epoch, 10, step, 100, 44, 1.0, 50.0, 0.0, {"epoch": epoch} if finished else {})


def test_an_epoch_that_would_end_too_late_is_not_begun(script: ModuleType) -> None:
    now = 0.0
    budget = script.Budget(1.0, clock=lambda: now)
    budget.watch(make_progress(1, 10), 4000)  # too early to tell
    with pytest.raises(script.OutOfTime):
        budget.watch(make_progress(1, 20), 4000)  # 3,200 faces at 50 a second
    budget = script.Budget(2.0, clock=lambda: now)
    budget.watch(make_progress(1, 20), 4000)
    now = 100.0
    budget.watch(make_progress(1, 40), 4000)  # slower than it looked, but begun
    budget.watch(make_progress(1, 100, finished=True), 4000)
    with pytest.raises(script.OutOfTime):
        budget.watch(make_progress(2, 20), 4000)
    now = 121.0
    with pytest.raises(script.OutOfTime):
        budget.watch(make_progress(2, 100, finished=True), 4000)
    assert script.Budget(None).left_s() == float("inf")


def test_the_time_limit_holds_after_a_finished_recipe(
    script: ModuleType, faces: Path, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, begun = 0.0, []

    def train(config: TrainingConfig, *_: Any, on_progress: Callable[[Progress], None], **__: Any) -> None:
        """An epoch, of 96 faces in 1.92 s, that ends the first recipe, or that the second goes on with."""
        nonlocal now
        begun.append(config.name)
        on_progress(replace(make_progress(3, 20), epochs=3))
        now = 59.0
        on_progress(replace(make_progress(3, 100), epochs=3, metrics={"train_loss": 1.0}))

    monkeypatch.setattr(script, "train", train)
    monkeypatch.setattr(script, "export_onnx", lambda *_, **__: begun.append("exported"))
    recipes = [TrainingConfig.from_dict(recipe(name=name)) for name in ("one", "two")]
    sweep = script.Sweep(recipes, faces, tmp_path / "runs")
    assert sweep.run(script.Budget(1.0, clock=lambda: now)) == []
    assert begun == ["one", "exported", "two"]  # two's epoch would end after a minute


@pytest.mark.slow
def test_a_sweep_goes_on_where_the_time_ended(
    script: ModuleType, faces: Path, recipe: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = [TrainingConfig.from_dict(recipe(name=name, seed=seed)) for seed, name in enumerate(("one", "two"))]
    sweep = script.Sweep(recipes, faces, tmp_path / "runs", teachers=tmp_path / "teachers", threads=1)
    ticks = itertools.count()
    assert sweep.run(script.Budget(4 / 60, clock=lambda: next(ticks))) == []  # each look at the clock costs a second
    assert "the time is over" in capsys.readouterr().err
    assert not (tmp_path / "runs" / "one" / "one.onnx").exists()
    begun = sweep.table().splitlines()
    assert begun[0].split() == [*script.COLUMNS]
    assert begun[1].split()[:2] == ["one", "1/3"]
    assert begun[2].split() == ["two", "0/3", *["–"] * 7]
    assert sweep.run(script.Budget(None)) == []
    rows = {line.split()[0]: line.split() for line in sweep.table().splitlines()[1:]}
    for name in ("one", "two"):
        lines = [json.loads(line) for line in (tmp_path / "runs" / name / "metrics.jsonl").read_text().splitlines()]
        assert (tmp_path / "runs" / name / f"{name}.onnx").exists()
        assert load_teacher(tmp_path / "teachers" / name).emotions.shape == (2, 96, 7)
        assert rows[name][1] == "3/3"
        assert float(rows[name][2]) == pytest.approx(lines[-1]["public_accuracy"] * 100, abs=0.01)
        assert float(rows[name][3]) == pytest.approx(max(line["public_accuracy"] for line in lines) * 100, abs=0.01)
    before = (tmp_path / "runs" / "one" / "checkpoint.pt").stat().st_mtime_ns
    faces.unlink()  # finished runs need nothing more
    assert sweep.run(script.Budget(None)) == []
    assert (tmp_path / "runs" / "one" / "checkpoint.pt").stat().st_mtime_ns == before


def test_a_run_is_exported_as_its_recipe_says(
    script: ModuleType, faces: Path, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(script, "train", lambda *_, **__: None)
    monkeypatch.setattr(script, "export_onnx", lambda *_, **options: asked.append(options))
    stated = {"precision": "int8", "licence": "MIT", "mirror": True, "clean_norms": True}
    config = TrainingConfig.from_dict(recipe(export=stated))
    assert script.Sweep([config], faces, tmp_path / "runs").run(script.Budget(None)) == []
    assert asked == [stated]


def test_one_that_fails_does_not_stop_the_others(
    script: ModuleType, faces: Path, recipe: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = recipe(name="lost", distillation={"teachers": [str(tmp_path / "nobody")]})
    recipes = [TrainingConfig.from_dict(table) for table in (lost, recipe(name="fine"))]
    sweep = script.Sweep(recipes, faces, tmp_path / "runs", threads=1)
    assert sweep.run(script.Budget(None)) == ["lost"]
    assert "cannot read the teacher" in capsys.readouterr().err
    assert (tmp_path / "runs" / "fine" / "fine.onnx").exists()


def test_what_cannot_be_swept_is_refused(script: ModuleType, faces: Path, recipe: Any, tmp_path: Path) -> None:
    config = TrainingConfig.from_dict(recipe())
    with pytest.raises(ConfigError, match="several recipes are called tiny"):
        script.Sweep([config, config], faces, tmp_path / "runs")
    with pytest.raises(ConfigError, match="unknown device"):
        script.Sweep([config], faces, tmp_path / "runs", device="tpu")


def test_the_command_line_prints_the_table(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.toml").write_text('name = "small"\n', encoding="utf-8")
    command = ["sweep.py", str(tmp_path / "small.toml"), "--data", "none", "--minutes", "0", "-o", str(tmp_path)]
    monkeypatch.setattr("sys.argv", command)
    assert script.main() == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["small", "0/30"]
    (tmp_path / "small.toml").write_text('task = "expression"\nname = "small"\n', encoding="utf-8")
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "checkpoint.pt").write_bytes(b"abc")
    assert script.main() == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["small", "?/30"]
    (tmp_path / "faces.toml").write_text('task = "detection"\nname = "faces"\n', encoding="utf-8")
    for name, words in (("none.toml", "cannot read the recipe"), ("faces.toml", "is the recipe of a detector")):
        monkeypatch.setattr("sys.argv", [*command, str(tmp_path / name)])
        assert script.main() == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert words in captured.err.replace("\n", " ")
