# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import numpy as np
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from fervid.cli.train import train as train_verb
from fervid.detection.faces import FacesDetector
from fervid.errors import ConfigError, DatasetError, FervidError, UsageError
from fervid.training.checkpoint import (
    check_folder,
    claim_folder,
    load_average,
    read_metrics,
    save_weights,
    start_from,
)
from fervid.training.detection.config import DetectionConfig
from fervid.training.detection.curves import draw_curves
from fervid.training.detection.data import load_training_photos
from fervid.training.detection.loop import EMPHASIS, learning_rate, train
from fervid.training.detection.network import DetectionNetwork
from fervid.training.devices import explain_shortage
from fervid.training.expressions.config import TrainingConfig
from fervid.training.progress import Progress
from fervid.training.recipes import read_recipe

app = typer.Typer()
app.command()(train_verb)

RECIPE = """
task = "detection"
name = "tiny"
[network]
stem = 4
fine = 8
middle = 8
coarse = 8
depths = [0, 0, 0, 0, 0]
[schedule]
epochs = 1
scenes = 8
size = 64
batch_size = 4
"""


class Stop(Exception):  # noqa: N818
    """The run is interrupted."""


def test_a_run_learns_and_leaves_its_folder(detector_recipe: Any, training_photos: Any, tmp_path: Path) -> None:
    schedule = {"epochs": 4, "scenes": 96, "size": 96, "batch_size": 8, "learning_rate": 0.01, "ema": 0.9}
    config = DetectionConfig.from_dict(detector_recipe(schedule={**schedule, "validate_every": 3}))
    seen: list[Progress] = []
    network = train(config, training_photos, tmp_path / "run", workers=0, on_progress=seen.append)
    assert not network.training
    lines = read_metrics(tmp_path / "run")
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["train_loss"] < 0.8 * lines[0]["train_loss"]
    assert lines[-1]["average_precision"] > 0.1
    assert ["average_precision" in line for line in lines] == [False, False, True, True]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "checkpoint.pt", "config.json", "curves.png", "metrics.jsonl", "weights.pt"
    }  # fmt: skip
    for count in (1, 4):  # before anything was measured on validation photos, and after
        draw_curves(lines[:count], tmp_path / "curves.png", title="tiny")
        with Image.open(tmp_path / "curves.png") as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 50
    assert seen[-1].remaining_s == 0
    assert [p.metrics["epoch"] for p in seen if p.metrics] == [1, 2, 3, 4]
    again = load_average(tmp_path / "run")
    assert all(torch.equal(again[key], value) for key, value in network.state_dict().items())


def test_a_continued_run_equals_an_uninterrupted_one(
    detector_recipe: Any, training_photos: Any, tmp_path: Path
) -> None:
    schedule = {"epochs": 3, "scenes": 16, "size": 64, "batch_size": 8, "validate_every": 3}
    config = DetectionConfig.from_dict(detector_recipe(schedule=schedule))

    def stop(progress: Progress) -> None:
        if progress.epoch == 2 and progress.step == 1 and not progress.metrics:
            raise Stop

    with pytest.raises(Stop):
        train(config, training_photos, tmp_path / "one", workers=0, on_progress=stop)
    assert len(read_metrics(tmp_path / "one")) == 1
    one = train(config, training_photos, tmp_path / "one", workers=0)
    two = train(config, training_photos, tmp_path / "two", workers=0)
    for key, value in two.state_dict().items():
        assert torch.equal(one.state_dict()[key], value), key
    checkpoint = torch.load(tmp_path / "one" / "checkpoint.pt", weights_only=True)
    hardness = checkpoint["facts"]["hardness"]
    assert len(hardness) == len(training_photos.album.background)
    assert ((hardness >= 1) & (hardness <= EMPHASIS)).all()

    lines = read_metrics(tmp_path / "one")
    (tmp_path / "one" / "metrics.jsonl").write_text('{"epoch": 1}\n', encoding="utf-8")  # the disc was full, then
    train(config, training_photos, tmp_path / "one", workers=0, on_progress=lambda _: pytest.fail("it trains"))
    assert read_metrics(tmp_path / "one") == lines


def test_a_folder_belongs_to_its_recipe_and_photos(
    detector_recipe: Any, training_photos: Any, photo_rows: Any, tmp_path: Path
) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    config = DetectionConfig.from_dict(detector_recipe())
    train(config, training_photos, tmp_path / "run", workers=0)
    other = DetectionConfig.from_dict(detector_recipe(seed=6))
    with pytest.raises(ConfigError, match="another recipe"):
        train(other, training_photos, tmp_path / "run", workers=0)
    pq.write_table(pa.Table.from_pylist(photo_rows[1:]), tmp_path / "fewer.parquet")
    with pytest.raises(ConfigError, match="other photos"):
        train(config, load_training_photos(tmp_path / "fewer.parquet"), tmp_path / "run", workers=0)


def test_a_folder_of_the_other_task_holds_another_recipe(detector_recipe: Any, recipe: Any, tmp_path: Path) -> None:
    detector, expressions = DetectionConfig.from_dict(detector_recipe()), TrainingConfig.from_dict(recipe())
    for config, folder in ((detector, tmp_path / "detector"), (expressions, tmp_path / "expressions")):
        claim_folder(config, folder)
        (folder / "metrics.jsonl").write_text('{"epoch": 1}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="a run of another recipe"):
        check_folder(expressions, tmp_path / "detector")
    with pytest.raises(ConfigError, match="a run of another recipe"):
        check_folder(detector, tmp_path / "expressions")


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_process_that_was_ended_is_said(
    detector_recipe: Any, training_photos: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fervid.training.detection.data.compose_scene", lambda *_: os._exit(9))
    config = DetectionConfig.from_dict(detector_recipe())
    with pytest.raises(FervidError, match="a process of the training was ended"):
        train(config, training_photos, tmp_path, workers=1)


def test_what_torch_lacks_is_said() -> None:
    with pytest.raises(FervidError, match="too little memory"), explain_shortage():
        torch.empty(1 << 58)
    with pytest.raises(FervidError, match=r"too little memory .*Unable to allocate"), explain_shortage():
        np.empty(1 << 58)
    with pytest.raises(FervidError, match=r"too little memory \(MemoryError\)"), explain_shortage():
        raise MemoryError
    with pytest.raises(ConfigError, match=r"schedule\.compile needs"), explain_shortage():
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx\n")
    with pytest.raises(RuntimeError, match="size of tensor"), explain_shortage():
        torch.empty(2) + torch.empty(3)


def test_a_run_can_start_from_another(detector_recipe: Any, training_photos: Any, tmp_path: Path) -> None:
    first = DetectionConfig.from_dict(detector_recipe())
    train(first, training_photos, tmp_path / "first", workers=0)
    schedule = {"epochs": 1, "scenes": 8, "size": 64, "batch_size": 8, "learning_rate": 1e-9, "warmup_epochs": 0}
    second = DetectionConfig.from_dict(
        detector_recipe(schedule=schedule, initial_weights=str(tmp_path / "first"), seed=9)
    )
    network = train(second, training_photos, tmp_path / "second", workers=0)
    weights = load_average(tmp_path / "first")
    for key, value in network.named_parameters():
        torch.testing.assert_close(value.detach(), weights[key], atol=1e-5, rtol=1e-4)
    wider = DetectionConfig.from_dict(
        detector_recipe(network={"stem": 6}, initial_weights=str(tmp_path / "first"), schedule=schedule)
    )
    with pytest.raises(ConfigError, match="do not fit the recipe's network"):
        train(wider, training_photos, tmp_path / "third", workers=0)
    assert not (tmp_path / "third").exists()


def test_a_finished_run_knows_its_photos_without_a_checkpoint(
    detector_recipe: Any, training_photos: Any, tmp_path: Path
) -> None:
    schedule = {"epochs": 1, "scenes": 8, "size": 64, "batch_size": 8}
    config = DetectionConfig.from_dict(detector_recipe(schedule=schedule))
    train(config, training_photos, tmp_path, workers=0)
    (tmp_path / "checkpoint.pt").unlink()
    others = dataclasses.replace(training_photos, digest="0123456789ab")
    with pytest.raises(ConfigError, match="a run on other photos"):
        train(config, others, tmp_path, workers=0)
    train(config, training_photos, tmp_path, workers=0)
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n', encoding="utf-8")  # as early runs left it
    train(config, others, tmp_path, workers=0)


def test_runs_of_several_networks_have_no_mean(detector_recipe: Any, tmp_path: Path) -> None:
    """A network takes weights of other depths one by one, but their mean would lack what one of them has not."""
    plain = DetectionConfig.from_dict(detector_recipe()).network
    shapes: dict[str, dict[str, Any]] = {
        "plain": {},
        "deep": {"depths": (0, 1, 1, 1, 0)},
        "branches": {"landmark_depth": 1},
    }
    for name, change in shapes.items():
        save_weights(tmp_path / name, DetectionNetwork(dataclasses.replace(plain, **change)))
    network = DetectionNetwork(dataclasses.replace(plain, landmark_depth=1))
    for names in (("plain", "deep"), ("deep", "plain"), ("plain", "branches"), ("branches", "plain")):
        with pytest.raises(ConfigError, match=r"are of another network than .*, so they have no mean"):
            start_from(network, [str(tmp_path / name) for name in names])
    assert len(start_from(network, [str(tmp_path / "deep")] * 2).split("+")) == 2


def test_a_finished_run_needs_no_checkpoint(detector_recipe: Any, training_photos: Any, tmp_path: Path) -> None:
    config = DetectionConfig.from_dict(detector_recipe())
    network = DetectionNetwork(config.network)
    claim_folder(config, tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cannot go on without checkpoint\.pt"):
        train(config, training_photos, tmp_path, workers=0)
    save_weights(tmp_path, network)
    before = sorted(path.name for path in tmp_path.iterdir())
    again = train(config, training_photos, tmp_path, workers=0, on_progress=lambda _: pytest.fail("it trains"))
    assert not again.training
    for mine, theirs in zip(again.state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_photos_without_faces_are_refused(photo_rows: Any, tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for rows, what in ((photo_rows[:20], "validation"), (photo_rows[20:], "Training")):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "photos.parquet")
        with pytest.raises(DatasetError, match=f"no {what} photo with a face"):
            load_training_photos(tmp_path / "photos.parquet")


def test_a_damaged_photo_is_said_before_the_run_begins(photo_rows: Any, tmp_path: Path) -> None:
    """Also one that is only validated on: after an epoch the run could not go on without it."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for row in (3, 25):
        rows = [{**photo_rows[i], "image": b"x"} if i == row else photo_rows[i] for i in range(len(photo_rows))]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "photos.parquet")
        with pytest.raises(DatasetError, match=r"photos\.parquet.*: the data is not a picture"):
            load_training_photos(tmp_path / "photos.parquet")


def test_the_rate_rises_and_falls(detector_recipe: Any) -> None:
    config = DetectionConfig.from_dict(detector_recipe(schedule={"epochs": 10, "warmup_epochs": 2}))
    rates = [learning_rate(config, epoch / 4) for epoch in range(41)]
    top = max(range(41), key=rates.__getitem__)
    assert top == 8
    assert rates[:9] == sorted(rates[:9])
    assert rates[8:] == sorted(rates[8:], reverse=True)
    assert rates[-1] == pytest.approx(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": {"stem": 0}}, "network.stem is 0"),
        ({"schedule": {"size": 100}}, "schedule.size is 100"),
        ({"schedule": {"epochs": 2, "batch_size": 64, "scenes": 32}}, "schedule.scenes is 32"),
        ({"scenes": {"people": 0.8, "heads": 0.4}}, "people and heads together is 1.2"),
        ({"scenes": {"grid": [0.5, 0.5, 0.5]}}, "sum of scenes.grid is 1.5"),
        ({"light": {"gamma": 1.0}}, "light.gamma is 1"),
        ({"loss": {"box": -1.0}}, "loss.box is -1"),
        ({"name": "a/b"}, "name is 'a/b'"),
        ({"task": "expression"}, "task is 'expression'"),
        ({"labels": 7}, "unknown key labels"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(detector_recipe: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DetectionConfig.from_dict(detector_recipe(**change))


def test_a_recipe_survives_json(detector_recipe: Any) -> None:
    config = DetectionConfig.from_dict(detector_recipe())
    assert DetectionConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_initial_weights_are_missed_before_photos_are_read(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(f'initial_weights = "{(tmp_path / "none").as_posix()}"\n{RECIPE}', encoding="utf-8")
    result = CliRunner().invoke(app, [str(recipe), "--data", "none.parquet", "-o", str(tmp_path / "run")])
    assert isinstance(result.exception, ConfigError)
    assert "cannot read the initial weights" in result.exception.message


def test_the_task_decides_what_a_recipe_is(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    assert isinstance(read_recipe(path), DetectionConfig)
    path.write_text('task = "expression"\nname = "tiny"', encoding="utf-8")
    assert read_recipe(path).name == "tiny"
    assert not isinstance(read_recipe(path), DetectionConfig)
    path.write_text('task = "poetry"\nname = "tiny"', encoding="utf-8")
    with pytest.raises(ConfigError, match="task is 'poetry'"):
        read_recipe(path)


@pytest.mark.slow
def test_the_command_trains_a_detector(photos_file: Path, tmp_path: Path) -> None:
    recipe, folder = tmp_path / "tiny.toml", tmp_path / "run"
    recipe.write_text(RECIPE, encoding="utf-8")
    arguments = [str(recipe), "--data", str(photos_file), "-o", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "Training photos: 10 with people, 5 heads, 5 background; 10 for validation" in " ".join(
        result.stderr.split()
    )
    assert "weights as float16" in result.stdout
    assert "pictures in ONNX Runtime" in result.stdout
    FacesDetector(folder / "tiny.onnx", threads=1)
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0
    assert "the run is finished: exporting it again" in " ".join(again.stderr.split())
    wrong = CliRunner().invoke(app, [*arguments, "--labels", "6"])
    assert isinstance(wrong.exception, UsageError)
    assert "has no labels" in str(wrong.exception)
