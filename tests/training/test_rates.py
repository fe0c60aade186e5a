# ruff: noqa: E402  (torch is looked for before what needs it)
"""How the learning rate of an expression network rises, falls and restarts, and what a run's metrics say of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

from fervid.training.checkpoint import read_metrics
from fervid.training.expressions import loop
from fervid.training.expressions.config import StageConfig, TrainingConfig
from fervid.training.expressions.data import make_training_data
from fervid.training.expressions.loop import learning_rate, train


@pytest.fixture
def config(recipe: Any) -> TrainingConfig:
    return TrainingConfig.from_dict(recipe())


def test_the_rate_warms_up_and_falls_to_zero(config: TrainingConfig) -> None:
    config = replace(config, schedule=replace(config.schedule, warmup_epochs=1, learning_rate=0.2))
    assert 0 < learning_rate(config, 0) < 0.01
    assert learning_rate(config, 0.5) == pytest.approx(0.1)
    assert learning_rate(config, 1) == pytest.approx(0.2)
    assert learning_rate(config, 2) == pytest.approx(0.1)
    assert learning_rate(config, 3) == pytest.approx(0, abs=1e-12)
    without = replace(config, schedule=replace(config.schedule, warmup_epochs=0))
    assert learning_rate(without, 0) == pytest.approx(0.2)


def test_a_restart_begins_another_cosine(config: TrainingConfig) -> None:
    stages = (StageConfig(4, 16), StageConfig(2, 20), StageConfig(3, 20, restart=0.08), StageConfig(1, 24))
    schedule = replace(config.schedule, stages=stages, warmup_epochs=0, learning_rate=0.2)
    config = replace(config, schedule=schedule)
    assert [schedule.cycle_at(epoch)[:2] for epoch in (0, 5.9, 6, 9.9)] == [(0, 6), (0, 6), (6, 10), (6, 10)]
    assert learning_rate(config, 3) == pytest.approx(0.1)
    assert learning_rate(config, 5.999) == pytest.approx(0, abs=1e-6)
    assert learning_rate(config, 6) == pytest.approx(0.08)
    assert learning_rate(config, 8) == pytest.approx(0.04)
    assert learning_rate(config, 10) == pytest.approx(0, abs=1e-12)


def test_an_epoch_is_recorded_with_the_rate_at_its_end(
    config: TrainingConfig, make_faces: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "choose_precision", lambda *_: False)
    stages = (StageConfig(2, 16), StageConfig(2, 16, restart=0.04))
    schedule = replace(config.schedule, stages=stages, warmup_epochs=1.0, learning_rate=0.1)
    config = replace(config, schedule=schedule)
    train(config, make_training_data(make_faces(32, 16, 4), config), tmp_path)
    assert [line["learning_rate"] for line in read_metrics(tmp_path)] == [0.1, 0.0, 0.02, 0.0]
