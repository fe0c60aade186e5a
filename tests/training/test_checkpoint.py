# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
"""What is left in a run's folder says whether it goes on, is finished, or has to be begun anew."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch

from fervid.errors import ConfigError, ModelError
from fervid.training.checkpoint import (
    check_folder,
    claim_folder,
    count_epochs,
    find_data,
    load_checkpoint,
    read_metrics,
    save_checkpoint,
    save_weights,
    start_from,
    write_config,
)
from fervid.training.expressions.checkpoint import list_origins, read_config
from fervid.training.expressions.config import ExportConfig, TrainingConfig
from fervid.training.expressions.data import make_training_data
from fervid.training.expressions.loop import train
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.progress import Progress

CPU = torch.device("cpu")


@pytest.fixture
def config(recipe: Any) -> TrainingConfig:
    return TrainingConfig.from_dict(recipe())


@pytest.fixture
def network(config: TrainingConfig) -> ExpressionNetwork:
    torch.manual_seed(2)
    return ExpressionNetwork(config.network, config.labels)


def leave_run(folder: Path, config: TrainingConfig, network: ExpressionNetwork, epochs: int) -> None:
    """What a run leaves after so many of its three epochs."""
    write_config(folder, config.to_dict())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    lines: list[dict[str, Any]] = [{"epoch": epoch + 1} for epoch in range(epochs)]
    lines[0]["initial_weights"] = "0123456789ab+ba9876543210"
    save_checkpoint(folder, network, network, optimizer, lines, {"initial_weights": lines[0]["initial_weights"]})
    if epochs == 3:
        save_weights(folder, network)


def test_the_checkpoint_says_how_far_a_run_came(
    config: TrainingConfig, network: ExpressionNetwork, tmp_path: Path
) -> None:
    assert count_epochs(tmp_path, 3) == 0
    leave_run(tmp_path, config, network, 2)
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n' * 3, encoding="utf-8")
    assert count_epochs(tmp_path, 3) == 2
    leave_run(tmp_path, config, network, 3)
    (tmp_path / "metrics.jsonl").unlink()
    assert count_epochs(tmp_path, 3) == 3


def test_a_finished_run_needs_no_checkpoint(
    config: TrainingConfig, network: ExpressionNetwork, make_faces: Any, tmp_path: Path
) -> None:
    leave_run(tmp_path, config, network, 3)
    origins = list_origins(tmp_path)
    assert origins == {"0123456789ab", "ba9876543210"}
    (tmp_path / "checkpoint.pt").unlink()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    events: list[Progress] = []
    data = make_training_data(make_faces(40, 16, 4), config)
    again = train(config, data, tmp_path, device="cpu", on_progress=events.append)
    assert (events, again.training) == ([], False)
    assert count_epochs(tmp_path, 3) == 3
    assert list_origins(tmp_path) == origins
    for (name, mine), theirs in zip(again.state_dict().items(), network.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), name
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_finished_run_knows_its_faces_without_a_checkpoint(
    config: TrainingConfig, make_faces: Any, tmp_path: Path
) -> None:
    data, others = (make_training_data(make_faces(count, 16, 4), config) for count in (40, 41))
    train(config, data, tmp_path, device="cpu")
    (tmp_path / "checkpoint.pt").unlink()
    assert find_data(tmp_path, None) == data.digest
    train(config, data, tmp_path, device="cpu", on_progress=lambda _: pytest.fail("it trains"))
    with pytest.raises(ConfigError, match="a run on other data"):
        train(config, others, tmp_path, device="cpu")
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n', encoding="utf-8")  # as early runs left it
    train(config, others, tmp_path, device="cpu")


def test_a_line_that_a_full_disc_kept_out_is_written_later(
    config: TrainingConfig, make_faces: Any, tmp_path: Path
) -> None:
    data = make_training_data(make_faces(40, 16, 4), config)
    train(config, data, tmp_path, device="cpu")
    lines = read_metrics(tmp_path)
    (tmp_path / "weights.pt").unlink()  # it comes after the line
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[:2]), encoding="utf-8")
    train(config, data, tmp_path, device="cpu", on_progress=lambda _: pytest.fail("it trains"))
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert read_metrics(tmp_path) == lines


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (("checkpoint.pt", "weights.pt"), r"cannot go on without checkpoint\.pt"),
        (("checkpoint.pt", "config.json"), r"cannot go on without config\.json and checkpoint\.pt"),
    ],
)
def test_what_is_left_of_a_run_is_not_overwritten(
    config: TrainingConfig,
    network: ExpressionNetwork,
    make_faces: Any,
    tmp_path: Path,
    lost: tuple[str, ...],
    words: str,
) -> None:
    leave_run(tmp_path, config, network, 3)
    for name in lost:
        (tmp_path / name).unlink()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    data = make_training_data(make_faces(40, 16, 4), config)
    with pytest.raises(ConfigError, match=words):
        train(config, data, tmp_path, device="cpu")
    with pytest.raises(ConfigError, match="delete this one to begin anew"):
        check_folder(config, tmp_path)
    assert count_epochs(tmp_path, 3) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", ['{"name": "an application", "network": {}}', '["name"]', "name:", ""])
def test_a_file_of_something_else_is_not_overwritten(config: TrainingConfig, tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content, encoding="utf-8")
    for use in (check_folder, claim_folder):
        with pytest.raises(ConfigError, match=r"config\.json is no recipe of fervid"):
            use(config, tmp_path)
    assert path.read_text(encoding="utf-8") == content


def test_a_recipe_that_nothing_was_learned_by_gives_way(
    config: TrainingConfig, detector_recipe: Any, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    for table in (detector_recipe(network={}, loss={}), config.to_dict() | {"of": "another version"}):
        path.write_text(json.dumps(table), encoding="utf-8")
        claim_folder(config, tmp_path)
        assert json.loads(path.read_text(encoding="utf-8"))["name"] == config.name
        assert read_config(tmp_path) == config


def test_a_run_from_before_licences_were_stated_goes_on(
    config: TrainingConfig, network: ExpressionNetwork, tmp_path: Path
) -> None:
    leave_run(tmp_path, config, network, 2)
    path = tmp_path / "config.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    del table["export"]["licence"]
    path.write_text(json.dumps(table), encoding="utf-8")
    check_folder(config, tmp_path)
    check_folder(replace(config, export=ExportConfig(licence="Apache-2.0")), tmp_path)
    assert read_config(tmp_path) == config


def damage(whole: bytes) -> list[bytes]:
    """Files that make torch raise errors of many kinds."""
    stream = io.BytesIO()
    torch.save([1, 2], stream)
    return [b"", b"nonsense", b"abc", b"a0", b"\x80\x02q", b"R", whole[: len(whole) // 2], stream.getvalue()]


def test_a_damaged_checkpoint_is_named_with_what_helps(
    config: TrainingConfig, network: ExpressionNetwork, tmp_path: Path
) -> None:
    leave_run(tmp_path, config, network, 3)
    path, whole = tmp_path / "checkpoint.pt", (tmp_path / "checkpoint.pt").read_bytes()
    stream = io.BytesIO()
    torch.save(network.state_dict(), stream)  # somebody's weights
    for content in (*damage(whole), stream.getvalue()):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"checkpoint\.pt is damaged .* Delete it: the run is finished"):
            load_checkpoint(tmp_path, CPU)
    path.unlink()
    check_folder(config, tmp_path)  # as was advised
    (tmp_path / "weights.pt").unlink()
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="delete this one to begin anew"):
        count_epochs(tmp_path, 3)


def test_weights_of_another_kind_are_named(network: ExpressionNetwork, tmp_path: Path) -> None:
    save_weights(tmp_path, network)
    for content in damage((tmp_path / "weights.pt").read_bytes()):
        (tmp_path / "weights.pt").write_bytes(content)
        with pytest.raises(ModelError, match=r"weights\.pt is damaged"):
            start_from(network, [str(tmp_path)])


def test_too_little_memory_is_no_damage(
    network: ExpressionNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_weights(tmp_path, network)

    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(torch.OutOfMemoryError):
        start_from(network, [str(tmp_path)])
