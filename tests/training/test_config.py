from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fervid.errors import ConfigError
from fervid.training.expressions.config import TrainingConfig
from fervid.training.recipes import read_recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", sorted((ROOT / "runs").glob("*.toml")), ids=lambda path: path.stem)
def test_the_published_recipes_are_read(path: Path) -> None:
    config = read_recipe(path)
    assert (config.name, config.export.licence) == (path.stem, "Apache-2.0")
    if isinstance(config, TrainingConfig):
        assert config.schedule.size_at(config.schedule.epochs - 1) == config.input.size


def test_a_recipe_survives_json(recipe: Any) -> None:
    config = TrainingConfig.from_dict(recipe(labels=6))
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_stage_ends_where_the_next_begins(recipe: Any) -> None:
    schedule = TrainingConfig.from_dict(recipe()).schedule
    assert [schedule.size_at(epoch) for epoch in range(5)] == [16, 20, 20, 20, 20]
    assert schedule.epochs == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimiser": "adam"}, "unknown key optimiser"),
        ({"loss": {"smoothing": 0.1}}, "unknown key loss.smoothing"),
        ({"seed": "3"}, "seed is '3', not of type int"),
        ({"seed": True}, "seed is True"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": 10**400}, "seed has more digits than an integer of TOML may have"),
        ({"schedule": {"learning_rate": -(10**400)}}, "schedule.learning_rate has more digits"),
        ({"network": {"widths": [10**400], "depths": [1]}}, "network.widths has more digits"),
        ({"name": 10**5000}, "name has more digits"),
        ({"name": "../up"}, "name is"),
        ({"name": ""}, "name is"),
        ({"labels": 8}, "labels is 8"),
        ({"input": {"size": 8}}, "input.size is 8"),
        ({"input": {"crop": float("nan")}}, "input.crop is nan"),
        ({"input": 3}, "input is 3, not a table"),
        ({"network": {"widths": [8, 8]}}, "2 widths and 4 depths"),
        ({"network": {"widths": 8}}, "network.widths is 8, not a list"),
        ({"network": {"widths": [0], "depths": [1]}}, "network.widths is 0"),
        ({"network": {"squeeze": 0}}, "network.squeeze is 0"),
        ({"network": {"drop_path": 1}}, "network.drop_path is 1"),
        ({"schedule": {"stages": []}}, "schedule.stages is empty"),
        ({"schedule": {"stages": [{"epochs": 1, "size": 20, "restart": 0.02}]}}, "restart of the first stage is 0.02"),
        ({"schedule": {"stages": [{"epochs": 1}]}}, "schedule.stages.size is missing"),
        ({"schedule": {"stages": [{"epochs": 0, "size": 20}]}}, "schedule.stages.epochs is 0"),
        ({"schedule": {"batch_size": 1}}, "schedule.batch_size is 1"),
        ({"schedule": {"learning_rate": -1}}, "schedule.learning_rate is -1"),
        ({"schedule": {"warmup_epochs": 99.0}}, "schedule.warmup_epochs is 99"),
        ({"schedule": {"sam_radius": -0.1}}, "schedule.sam_radius is -0.1"),
        ({"schedule": {"compile": 1}}, "schedule.compile is 1, not of type bool"),
        ({"initial_weights": 3}, "initial_weights is 3, not a list"),
        ({"initial_weights": ["run", 3]}, "initial_weights is 3, not of type str"),
        ({"augmentation": {"scale": [1.0, 0.9]}}, "augmentation.scale is"),
        ({"augmentation": {"scale": [1.0]}}, "augmentation.scale has 1 values, not 2"),
        ({"augmentation": {"erase_side": [0.1, 1.5]}}, "augmentation.erase_side is 1.5"),
        ({"augmentation": {"gamma": 1.0}}, "augmentation.gamma is 1"),
        ({"augmentation": {"wide": 1.5}}, "augmentation.wide is 1.5"),
        ({"augmentation": {"exposure_gamma": [0.5, 2.0]}}, "augmentation.exposure_gamma is 0.5"),
        ({"augmentation": {"padding": "mirror"}}, "augmentation.padding is 'mirror'"),
        ({"augmentation": {"resampling": "nearest"}}, "augmentation.resampling is 'nearest'"),
        ({"augmentation": {"glasses": 0.5, "mask": 0.3, "hand": 0.3}}, "glasses, mask and hand together is 1.1"),
        ({"augmentation": {"camera": {"jpeg": 2}}}, "augmentation.camera.jpeg is 2"),
        ({"augmentation": {"camera": {"gpeg": 2}}}, "unknown key augmentation.camera.gpeg"),
        ({"augmentation": {"camera": {"shrink_side": [2, 40]}}}, "augmentation.camera.shrink_side is 2"),
        ({"augmentation": {"camera": {"shrink_side": [12.5, 40]}}}, "augmentation.camera.shrink_side is 12.5"),
        ({"augmentation": {"camera": {"jpeg_quality": [80, 20]}}}, "augmentation.camera.jpeg_quality is [80, 20]"),
        ({"augmentation": {"camera": {"motion": -0.1}}}, "augmentation.camera.motion is -0.1"),
        ({"augmentation": {"camera": {"motion": True}}}, "augmentation.camera.motion is True"),
        ({"augmentation": {"camera": {"motion_px": [-1, 9]}}}, "augmentation.camera.motion_px is -1"),
        ({"augmentation": {"camera": {"motion_px": [3, 25]}}}, "augmentation.camera.motion_px is 25"),
        ({"augmentation": {"camera": {"motion_px": [3, float("nan")]}}}, "augmentation.camera.motion_px is nan"),
        ({"augmentation": {"camera": {"motion_px": [9, 3]}}}, "augmentation.camera.motion_px is [9.0, 3.0]"),
        ({"augmentation": {"camera": {"motion_px": 9}}}, "augmentation.camera.motion_px is 9, not a list"),
        ({"augmentation": {"mixup": -0.1}}, "augmentation.mixup is -0.1"),
        ({"loss": {"votes_weight": -1}}, "loss.votes_weight is -1"),
        ({"loss": {"label_share": 1.1}}, "loss.label_share is 1.1"),
        ({"distillation": {"teachers": 3}}, "distillation.teachers is 3, not a list"),
        ({"distillation": {"teachers": [""]}}, "distillation.teachers has an empty path"),
        ({"distillation": {"temperature": 0}}, "distillation.temperature is 0"),
        ({"distillation": {"weight": 1.5}}, "distillation.weight is 1.5"),
        ({"export": {"licence": 2}}, "export.licence is 2, not of type str"),
        ({"export": {"licence": "MIT\nor not"}}, "export.licence is 'MIT\\nor not', not one line of text"),
        ({"export": {"licence": " "}}, "export.licence is ' ', not one line of text"),
    ],
)
def test_a_wrong_recipe_is_refused(recipe: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingConfig.from_dict(recipe(**changes))
    assert words in caught.value.message


def test_a_mark_of_utf8_at_the_start_is_no_part_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text('name = "tiny"', encoding="utf-8-sig")
    assert read_recipe(path).name == "tiny"


def test_a_name_is_required() -> None:
    with pytest.raises(ConfigError, match="name is missing"):
        TrainingConfig.from_dict({})


def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        TrainingConfig.from_toml(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not TOML"):
        TrainingConfig.from_toml(broken)
    broken.write_text(f"seed = {'9' * 5000}", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not TOML"):
        TrainingConfig.from_toml(broken)
    broken.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="is not TOML"):
        TrainingConfig.from_toml(broken)
