# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch

from fervid.errors import ConfigError, ModelError, OutputError
from fervid.training.average import WeightAverage
from fervid.training.checkpoint import read_metrics, save_weights, start_from
from fervid.training.expressions import loop
from fervid.training.expressions.checkpoint import load_network, read_config
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData, make_training_data
from fervid.training.expressions.loop import estimate_remaining, train
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.progress import Progress

TIMINGS = ("images_per_s", "seconds")


@pytest.fixture
def config(recipe: Any) -> TrainingConfig:
    return TrainingConfig.from_dict(recipe())


@pytest.fixture
def data(make_faces: Any, config: TrainingConfig) -> TrainingData:
    return make_training_data(make_faces(96, 32, 4), config)


@pytest.fixture
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Precision is chosen by timing, which two runs need not repeat."""
    monkeypatch.setattr(loop, "choose_precision", lambda *_: False)


def measured(folder: Path) -> list[dict[str, Any]]:
    return [{key: line[key] for key in line if key not in TIMINGS} for line in read_metrics(folder)]


def interrupt(config: TrainingConfig, data: TrainingData, folder: Path, epoch: int, step: int) -> None:
    """Train until a step of an epoch, as Ctrl-C would."""

    def on_progress(progress: Progress) -> None:
        if not progress.metrics and (progress.epoch, progress.step) == (epoch, step):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, data, folder, on_progress=on_progress)


RECIPE_SCHEDULE: dict[str, Any] = {
    "stages": [{"epochs": 1, "size": 16}, {"epochs": 2, "size": 20}],
    "batch_size": 32,
    "learning_rate": 0.05,
    "warmup_epochs": 0.5,
    "ema": 0.9,
}
LEVERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "poor cameras": {
        "augmentation": {
            **dict.fromkeys(("wide", "exposure", "glasses", "mask", "hand"), 0.3),
            "padding": "reflection",
            "camera": dict.fromkeys(("blur", "shrink", "noise", "jpeg"), 0.5),
        }
    },
    "sharpness-aware": {"schedule": {**RECIPE_SCHEDULE, "sam_radius": 0.05}},
    "soft targets, mixed": {"loss": {"label_share": 0.5}, "augmentation": {"mixup": 0.2}},
}


@pytest.mark.usefixtures("in_float32")
@pytest.mark.parametrize("levers", LEVERS.values(), ids=LEVERS)
def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    recipe: Any, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, levers: dict[str, Any]
) -> None:
    config = TrainingConfig.from_dict(recipe(**levers))
    whole = train(config, data, tmp_path / "whole")
    interrupt(config, data, tmp_path / "parts", 3, 1)
    assert len(read_metrics(tmp_path / "parts")) == 2

    def choose_again(*_: Any) -> bool:
        raise AssertionError("a continued run keeps the precision it began with")

    monkeypatch.setattr(loop, "choose_precision", choose_again)
    (tmp_path / "parts" / "metrics.jsonl").write_text("", encoding="utf-8")  # as when stopped between two writes
    parts = train(config, data, tmp_path / "parts")
    assert measured(tmp_path / "parts") == measured(tmp_path / "whole")
    assert [line["epoch"] for line in measured(tmp_path / "whole")] == [1, 2, 3]
    for (name, mine), theirs in zip(parts.state_dict().items(), whole.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), name


@pytest.mark.usefixtures("in_float32")
def test_a_run_interrupted_in_its_first_epoch_begins_again(
    config: TrainingConfig, data: TrainingData, tmp_path: Path
) -> None:
    interrupt(config, data, tmp_path, 1, 2)
    assert read_metrics(tmp_path) == []
    with pytest.raises(ModelError, match="holds no weights"):
        load_network(tmp_path)
    train(config, data, tmp_path)
    assert len(read_metrics(tmp_path)) == 3


@pytest.mark.usefixtures("in_float32")
def test_a_recipe_may_be_changed_before_its_first_epoch_is_finished(
    config: TrainingConfig, data: TrainingData, tmp_path: Path
) -> None:
    interrupt(config, data, tmp_path, 1, 1)
    other = replace(config, seed=4)

    def train_another(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (1, 1):
            train(other, data, tmp_path)

    with pytest.raises(ConfigError, match="another recipe: seed is 4 there, 3 here"):
        train(config, data, tmp_path, on_progress=train_another)  # both have found the folder free
    assert read_config(tmp_path) == other
    assert len(read_metrics(tmp_path)) == 3


@pytest.mark.usefixtures("in_float32")
def test_a_finished_run_is_read_back(config: TrainingConfig, data: TrainingData, tmp_path: Path) -> None:
    first = train(config, data, tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "curves.png").unlink()
    events: list[Progress] = []
    again = train(config, data, tmp_path, on_progress=events.append)
    loaded = load_network(tmp_path)
    (tmp_path / "weights.pt").unlink()
    from_checkpoint = load_network(tmp_path)
    assert events == []
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert read_config(tmp_path) == config
    assert not loaded.training
    for network in (again, loaded, from_checkpoint):
        for (name, mine), theirs in zip(network.state_dict().items(), first.state_dict().values(), strict=True):
            assert torch.equal(mine, theirs), name
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.pt",
        "config.json",
        "curves.png",
        "metrics.jsonl",
    ]


@pytest.mark.usefixtures("in_float32")
def test_a_checkpoint_without_facts_is_continued(config: TrainingConfig, data: TrainingData, tmp_path: Path) -> None:
    interrupt(config, data, tmp_path, 2, 1)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["facts"]
    torch.save(state, tmp_path / "checkpoint.pt")
    table = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    del table["version"]
    (tmp_path / "config.json").write_text(json.dumps(table), encoding="utf-8")
    train(config, data, tmp_path)
    assert len(read_metrics(tmp_path)) == 3


@pytest.mark.usefixtures("in_float32")
def test_another_recipe_or_other_data_is_refused(
    config: TrainingConfig, data: TrainingData, make_faces: Any, tmp_path: Path
) -> None:
    interrupt(config, data, tmp_path, 2, 1)
    other = replace(config, seed=4, schedule=replace(config.schedule, batch_size=16))
    with pytest.raises(ConfigError, match=r"another recipe: seed is 3 there, 4 here, schedule\.batch_size is 32 there"):
        train(other, data, tmp_path)
    with pytest.raises(ConfigError, match="a run on other data"):
        train(config, make_training_data(make_faces(95, 32, 4), config), tmp_path)


@pytest.mark.usefixtures("in_float32")
def test_damaged_files_are_named(config: TrainingConfig, data: TrainingData, tmp_path: Path) -> None:
    interrupt(config, data, tmp_path, 2, 1)
    whole = (tmp_path / "checkpoint.pt").read_bytes()
    for content in (b"", b"nonsense", whole[: len(whole) // 2]):
        (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(ModelError, match=r"checkpoint\.pt is damaged"):
            train(config, data, tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(whole)
    table = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    table["network"]["stem"] = 12
    (tmp_path / "config.json").write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(ModelError, match=r"do not fit its config\.json"):
        load_network(tmp_path)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not JSON"):
        load_network(tmp_path)
    with pytest.raises(ConfigError, match="cannot read"):
        load_network(tmp_path / "elsewhere")


@pytest.mark.usefixtures("in_float32")
@pytest.mark.parametrize(("labels", "votes"), [(7, True), (6, False)])
def test_a_learnable_set_is_learned(make_faces: Any, recipe: Any, tmp_path: Path, labels: int, votes: bool) -> None:
    schedule = {"stages": [{"epochs": 5, "size": 16}], "batch_size": 16, "learning_rate": 0.1, "ema": 0.8}
    config = TrainingConfig.from_dict(recipe(labels=labels, schedule=schedule))
    data = make_training_data(make_faces(192, 70, 4, votes=votes), config)
    events: list[Progress] = []
    train(config, data, tmp_path, on_progress=events.append)
    metrics = read_metrics(tmp_path)
    assert metrics[-1]["train_loss"] < 0.8 * metrics[0]["train_loss"]
    assert metrics[-1]["public_accuracy"] > 0.6
    assert ("public_votes_accuracy" in metrics[-1]) == votes
    assert [e.step for e in events if not e.metrics] == [*range(1, 13)] * 5
    assert [e.metrics for e in events if e.metrics] == metrics
    assert events[-1].remaining_s == 0


@pytest.mark.usefixtures("in_float32")
def test_a_loss_that_blows_up_stops_the_run(config: TrainingConfig, data: TrainingData, tmp_path: Path) -> None:
    wild = replace(config, schedule=replace(config.schedule, learning_rate=100, warmup_epochs=0, momentum=0.99))
    data.votes[:] = float("inf")
    with pytest.raises(ConfigError, match="the loss became"):
        train(wild, data, tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_levers_change_what_is_learned(
    recipe: Any, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "choose_precision", lambda *_: True)  # in bfloat16, for once
    losses = set()
    for number, levers in enumerate(LEVERS.values()):
        schedule = {**levers.get("schedule", RECIPE_SCHEDULE), "stages": [{"epochs": 1, "size": 16}]}
        config = TrainingConfig.from_dict(recipe(**{**levers, "schedule": {**schedule, "warmup_epochs": 0}}))
        network = train(config, data, tmp_path / str(number))
        assert all(bool(p.isfinite().all()) for p in network.parameters())
        losses.add(read_metrics(tmp_path / str(number))[-1]["public_nll"])
    assert len(losses) == len(LEVERS)


@pytest.mark.usefixtures("in_float32")
def test_a_compiled_network_learns_the_same(
    recipe: Any, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def compile_lightly(network: torch.nn.Module, **options: Any) -> Any:
        calls.append(options)
        return lambda faces: network(faces)

    monkeypatch.setattr(torch, "compile", compile_lightly)
    short = {**RECIPE_SCHEDULE, "stages": [{"epochs": 1, "size": 16}]}
    train(TrainingConfig.from_dict(recipe(schedule=short)), data, tmp_path / "plain")
    assert calls == []
    train(TrainingConfig.from_dict(recipe(schedule={**short, "compile": True})), data, tmp_path / "compiled")
    assert calls == [{"dynamic": False}]
    assert measured(tmp_path / "compiled") == measured(tmp_path / "plain")


@pytest.mark.usefixtures("in_float32")
def test_a_run_starts_from_anothers_weights(recipe: Any, data: TrainingData, tmp_path: Path) -> None:
    first = train(TrainingConfig.from_dict(recipe()), data, tmp_path / "first")
    still = {"stages": [{"epochs": 2, "size": 20}], "batch_size": 32, "learning_rate": 1e-6, "warmup_epochs": 0}
    config = TrainingConfig.from_dict(recipe(initial_weights=str(tmp_path / "first"), schedule=still))
    interrupt(config, data, tmp_path / "second", 2, 1)
    by_file = replace(config, initial_weights=(str(tmp_path / "first" / "weights.pt"),))
    train(by_file, data, tmp_path / "third")
    digest = hashlib.sha256((tmp_path / "first" / "weights.pt").read_bytes()).hexdigest()[:12]
    (tmp_path / "first" / "weights.pt").unlink()  # a run that has begun needs it no more
    second = train(config, data, tmp_path / "second")
    torch.testing.assert_close(second.stem[0].weight, first.stem[0].weight, atol=1e-4, rtol=0)
    lines = read_metrics(tmp_path / "second")
    assert [line.get("initial_weights") for line in lines] == [digest, None]
    assert measured(tmp_path / "third") == measured(tmp_path / "second")
    checkpoint = torch.load(tmp_path / "second" / "checkpoint.pt", weights_only=True)
    assert checkpoint["facts"]["initial_weights"] == digest


def test_several_initial_weights_are_averaged(recipe: Any, tmp_path: Path) -> None:
    shape = TrainingConfig.from_dict(recipe()).network
    networks = [ExpressionNetwork(shape, 7) for _ in range(3)]
    for number, network in enumerate(networks[:2]):
        save_weights(tmp_path / str(number), network)
    digests = start_from(networks[2], [tmp_path / "0", tmp_path / "1"])
    first, second, mean = (network.state_dict() for network in networks)
    assert len(digests.split("+")) == 2
    for key, value in mean.items():
        torch.testing.assert_close(value, (first[key] + second[key]) / 2 if value.is_floating_point() else first[key])


@pytest.mark.usefixtures("in_float32")
def test_initial_weights_that_do_not_fit_are_refused(recipe: Any, data: TrainingData, tmp_path: Path) -> None:
    save_weights(tmp_path / "seven", ExpressionNetwork(TrainingConfig.from_dict(recipe()).network, 7))
    (tmp_path / "damaged.pt").write_bytes(b"no weights")
    torch.save({"weights": [1, 2]}, tmp_path / "other.pt")
    wider = {"stem": 12, "widths": [8, 8, 16], "depths": [1, 1, 1]}
    for changes, kind, words in (
        ({"initial_weights": str(tmp_path / "none.pt")}, ConfigError, "cannot read the initial weights"),
        ({"initial_weights": str(tmp_path)}, ConfigError, "cannot read the initial weights"),
        ({"initial_weights": str(tmp_path / "damaged.pt")}, ModelError, "is damaged"),
        ({"initial_weights": str(tmp_path / "other.pt")}, ConfigError, "do not fit the recipe's network"),
        ({"initial_weights": str(tmp_path / "seven"), "labels": 6}, ConfigError, "emotion_head"),
        ({"initial_weights": str(tmp_path / "seven"), "network": wider}, ConfigError, "size mismatch"),
    ):
        with pytest.raises(kind, match=words):
            train(TrainingConfig.from_dict(recipe(**changes)), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_few_faces_and_missing_devices_are_refused(
    config: TrainingConfig, data: TrainingData, make_faces: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="20 training faces are fewer than one batch of 32"):
        train(config, make_training_data(make_faces(20, 8, 4), config), tmp_path)
    for device, words in (("tpu", "unknown device"), ("meta", "unknown device"), ("cuda:99", "no CUDA device")):
        with pytest.raises(ConfigError, match=words):
            train(config, data, tmp_path, device=device)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("in_float32")
def test_a_folder_that_cannot_be_written_is_named(
    config: TrainingConfig, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for folder in (tmp_path / "file" / "run", tmp_path / ("long" * 99)):
        with pytest.raises(OutputError, match="cannot write"):
            train(config, data, folder)

    def fill_the_disk(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    interrupt(config, data, tmp_path / "run", 2, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill_the_disk)
        with pytest.raises(OutputError, match=r"checkpoint\.pt \(No space left"):
            train(config, data, tmp_path / "run")
    assert not list((tmp_path / "run").glob(".*.part"))
    train(config, data, tmp_path / "run")  # with some space again it goes on
    assert [line["epoch"] for line in read_metrics(tmp_path / "run")] == [1, 2, 3]


def test_time_left_grows_with_the_square_of_the_size(config: TrainingConfig) -> None:
    half_of_first = estimate_remaining(config.schedule, 0, 0.5, 10.0)
    assert half_of_first == pytest.approx(10 + 2 * 20 * (20 / 16) ** 2)
    assert estimate_remaining(config.schedule, 2, 1.0, 10.0) == 0


def test_the_average_follows_the_network(recipe: Any) -> None:
    network = ExpressionNetwork(TrainingConfig.from_dict(recipe()).network, 7)
    average = WeightAverage(network, decay=0.5)
    before = network.emotion_head.weight.detach().clone()
    with torch.no_grad():
        network.emotion_head.weight.add_(1)
        network.stem[1].num_batches_tracked.add_(3)
    average.update(step=0)  # the warm-up's decay of 1/10
    torch.testing.assert_close(average.network.emotion_head.weight.detach(), before + 0.9)
    assert int(average.network.stem[1].num_batches_tracked) == 3
    average.update(step=1000)
    torch.testing.assert_close(average.network.emotion_head.weight.detach(), before + 0.95)
    assert not average.network.training


def test_training_leaves_tiny_numbers_to_others(config: TrainingConfig, data: TrainingData, tmp_path: Path) -> None:
    train(config, data, tmp_path)
    assert float.fromhex("0x1p-1060") * 0.5 > 0, "denormals are flushed to zero in the whole thread"


def test_damaged_metrics_are_named(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo')
    with pytest.raises(ModelError, match=r"metrics\.jsonl is damaged"):
        read_metrics(tmp_path)
