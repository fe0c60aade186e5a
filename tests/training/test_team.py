# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
"""Two processes that train one network do what one does with the same batches."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch
from torch import distributed

from fervid.errors import ConfigError
from fervid.training.checkpoint import read_metrics
from fervid.training.expressions import loop
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData, make_training_data
from fervid.training.expressions.loop import train
from fervid.training.noise import DropPath, Noise, RowDropout, share_noise
from fervid.training.normalisation import share_statistics
from fervid.training.progress import Progress
from fervid.training.team import ALONE, Team, TeamStoppedError, join_team

SCRIPT = Path(__file__).with_name("teamwork.py")
SCHEDULE: dict[str, Any] = {
    "stages": [{"epochs": 1, "size": 16}, {"epochs": 1, "size": 20}],
    "batch_size": 31,  # an odd one: the shares are of 16 and 15
    "learning_rate": 0.05,
    "warmup_epochs": 0.5,
    "ema": 0.9,
}
LEVERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "cameras": {
        "augmentation": {
            **dict.fromkeys(("wide", "exposure", "glasses", "mask", "hand"), 0.3),
            "camera": dict.fromkeys(("blur", "shrink", "noise", "jpeg"), 0.5),
        }
    },
    "mixed": {
        "schedule": {**SCHEDULE, "sam_radius": 0.05},
        "loss": {"label_share": 0.5},
        "augmentation": {"mixup": 0.2},
    },
}


@pytest.fixture(scope="module")
def data(make_faces: Any, recipe: Any) -> TrainingData:
    return make_training_data(make_faces(96, 32, 4), TrainingConfig.from_dict(recipe()))


@pytest.fixture(scope="module")
def run_alone(recipe: Any, data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs of one process, each made once: its folder, with its losses beside it."""
    folder = tmp_path_factory.mktemp("alone")

    @functools.cache
    def run(name: str) -> Path:
        losses: list[float] = []

        def note(progress: Progress) -> None:
            if not progress.metrics:
                losses.append(progress.loss)

        config = TrainingConfig.from_dict(recipe(**{"schedule": SCHEDULE, **LEVERS[name]}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "choose_precision", lambda *_: False)
            train(config, data, folder / name, device="cpu", on_progress=note)
        (folder / f"{name}.json").write_text(json.dumps(losses), encoding="utf-8")
        return folder / name

    return run


def run_together(jobs: dict[str, Any], folder: Path) -> list[int]:
    """Let two processes, which find each other as torchrun tells them to, do the jobs; their statuses."""
    (folder / "jobs.pickle").write_bytes(pickle.dumps(jobs))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder / "jobs.pickle"), str(folder)],
            env={**os.environ, **address, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    try:
        return [process.wait(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def together(recipe: Any, data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs of two processes that go on, are refused and break."""
    folder = tmp_path_factory.mktemp("together")
    plain = recipe(schedule=SCHEDULE)
    infinite = dataclasses.replace(data, votes=torch.full_like(data.votes, torch.inf))
    jobs: dict[str, Any] = {
        "continued": {"recipe": plain, "data": data},
        "too small": {"recipe": recipe(schedule={**SCHEDULE, "batch_size": 2}), "data": data},
        "too few": {"recipe": recipe(schedule={**SCHEDULE, "batch_size": 400}), "data": data},
        "other data": {"recipe": plain, "data": dataclasses.replace(data, digest="other"), "folder": "continued"},
        "diverging": {"recipe": recipe(schedule={**SCHEDULE, "learning_rate": 100}), "data": infinite},
        "broken": {"recipe": plain, "data": data, "break": (1, 1, 2)},
    }

    def stop(progress: Progress) -> None:
        if not progress.metrics and progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "choose_precision", lambda *_: False)
        with pytest.raises(KeyboardInterrupt):
            train(TrainingConfig.from_dict(plain), data, folder / "continued", device="cpu", on_progress=stop)
    assert run_together(jobs, folder)[1] == 1  # the one that breaks in the end
    return folder


@pytest.fixture(scope="module")
def side_by_side(recipe: Any, data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs of two processes, one for each of the levers."""
    folder = tmp_path_factory.mktemp("side-by-side")
    jobs = {n: {"recipe": recipe(**{"schedule": SCHEDULE, **levers}), "data": data} for n, levers in LEVERS.items()}
    assert run_together(jobs, folder) == [0, 0]
    return folder


def read_report(out: Path, name: str, rank: int) -> Any:
    return json.loads((out / f"{name}.{rank}.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVERS)
def test_two_processes_have_the_curve_of_one(run_alone: Any, side_by_side: Path, name: str) -> None:
    alone, together = run_alone(name), side_by_side / name
    losses = json.loads(alone.with_suffix(".json").read_text(encoding="utf-8"))
    leader, other = (read_report(side_by_side, name, rank) for rank in range(2))
    assert leader == other  # to the last bit
    assert leader["losses"] == pytest.approx(losses, abs=2e-4)
    assert len(losses) == 6
    mine, theirs = (torch.load(place / "weights.pt", weights_only=True) for place in (alone, together))
    for key, value in mine.items():
        torch.testing.assert_close(theirs[key], value, atol=2e-3, rtol=1e-2)
    for line, another in zip(read_metrics(alone), read_metrics(together), strict=True):
        assert line.keys() == another.keys()
        assert line["train_loss"] == pytest.approx(another["train_loss"], abs=2e-4)
    assert {path.name for path in alone.iterdir()} == {path.name for path in together.iterdir()}


def test_a_run_goes_on_with_another_number_of_processes(run_alone: Any, together: Path) -> None:
    lines, whole = read_metrics(together / "continued"), read_metrics(run_alone("plain"))
    assert lines[0]["train_loss"] == whole[0]["train_loss"]  # of one process
    assert lines[1]["train_loss"] == pytest.approx(whole[1]["train_loss"], abs=2e-4)
    for rank in range(2):
        assert len(read_report(together, "continued", rank)["losses"]) == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("too small", "2 processes cannot share batches of 2"),
        ("too few", "96 training faces are fewer than one batch of 400"),
        ("other data", "a run on other data"),
        ("diverging", "the loss became"),
    ],
)
def test_what_befalls_all_is_said_once(together: Path, name: str, words: str) -> None:
    said, other = (read_report(together, name, rank) for rank in range(2))
    assert said["error"] == "ConfigError"
    assert words in said["message"]
    assert other["error"] == "TeamStoppedError"


def test_a_process_that_fails_ends_the_others(together: Path) -> None:
    assert read_report(together, "broken", 1) == {"error": "BrokenError", "message": "this process breaks"}
    stopped = read_report(together, "broken", 0)
    assert stopped["error"] == "TeamStoppedError"
    assert "another process of the training is gone" in stopped["message"]
    assert read_metrics(together / "broken") == []


def test_the_leader_says_what_befell_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(failures: list[Any], mine: object) -> None:
        failures[:] = [False, pickle.loads(pickle.dumps(there))] if mine is False else [False, mine]

    def fail() -> None:
        raise there

    monkeypatch.setattr(distributed, "all_gather_object", answer)
    there: Any = ConfigError("there is no GPU", advice="Buy one.")
    with pytest.raises(ConfigError, match=r"no GPU\. Buy one"):
        Team(0, 2).do_all(lambda: 7)
    with pytest.raises(TeamStoppedError):
        Team(1, 2).do_all(fail)
    there = ZeroDivisionError()  # a fault of ours, whose traceback is where it befell
    with pytest.raises(ZeroDivisionError):
        Team(1, 2).do_all(fail)
    there = True
    with pytest.raises(TeamStoppedError):
        Team(0, 2).do_all(lambda: 7)


def test_shares_are_all_rows_once_and_pairs_stay_together() -> None:
    place = torch.device("cpu")
    for total in (4, 7, 32, 129):
        for size in (2, 3, 4) if total > 7 else (2,):
            shares = [Team(rank, size).share(total, place) for rank in range(size)]
            rows = [share.rows for share in shares if share is not None]
            assert sorted(torch.cat(rows).tolist()) == list(range(total))
            for part in rows:
                assert (part + part.flip(0)).tolist() == [total - 1] * len(part)
            assert sum(share.weight for share in shares if share is not None) == pytest.approx(1)
            assert max(map(len, rows)) - min(map(len, rows)) <= 2
    assert ALONE.share(5, place) is None
    with pytest.raises(ConfigError, match="3 processes cannot share batches of 4"):
        Team(0, 3).share(4, place)


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    gpu = torch.device("cuda")
    assert [str(Team(rank, 4, rank % 2).place(gpu)) for rank in range(4)] == ["cuda:0", "cuda:1"] * 2  # two machines
    assert Team(5, 6, 5).place(torch.device("cpu")).type == "cpu"
    assert str(ALONE.place(torch.device("cuda:1"))) == "cuda:1"
    with pytest.raises(ConfigError, match="process 3 has no GPU of its own: its machine has 2"):
        Team(2, 3, 2).place(gpu)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="its machine has 1"):
        Team(1, 2, 1).place(gpu)
    with pytest.raises(ConfigError, match="a GPU each, not all of them cuda:0"):
        Team(0, 2).place(torch.device("cuda:0"))


def test_noise_of_a_share_is_the_batchs() -> None:
    share = Team(1, 2).share(9, torch.device("cpu"))
    assert share is not None

    def draw(noise: Noise, n: int) -> list[torch.Tensor]:
        across = noise.uniform(2, n, rows=1).T, noise.integers(8, 2, n, rows=1).T
        return [noise.uniform(n, 3), *across, noise.normal(n, 4, 4)]

    whole = draw(Noise(torch.Generator().manual_seed(1)), 9)
    for mine, everything in zip(draw(Noise(torch.Generator().manual_seed(1), share), 4), whole, strict=True):
        assert torch.equal(mine, everything[share.rows])
    x = torch.randn(9, 5, 2, 2)
    module = torch.nn.Sequential(DropPath(0.5), torch.nn.Flatten(), RowDropout(0.5)).train()
    torch.manual_seed(6)
    expected = module(x)
    share_noise(module, share)
    torch.manual_seed(6)
    assert torch.equal(module(x[share.rows]), expected[share.rows])
    assert torch.equal(module.eval()(x), x.flatten(1))


def test_shared_statistics_are_those_of_all_rows() -> None:
    class Twin(Team):
        """The other process has the same rows."""

        def add_up(self, values: torch.Tensor) -> torch.Tensor:
            return values.mul_(2)

    torch.manual_seed(3)
    x = (torch.randn(5, 4, 6, 6) * 3 + 7).requires_grad_()
    plain, shared = torch.nn.Sequential(torch.nn.BatchNorm2d(4)), torch.nn.Sequential(torch.nn.BatchNorm2d(4))
    torch.nn.init.uniform_(next(plain.parameters()))
    shared.load_state_dict(plain.state_dict())
    before = list(shared.state_dict())
    share_statistics(shared, Twin(0, 2))
    assert list(shared.state_dict()) == before
    goal = torch.randn_like(x)
    results: list[list[Any]] = []
    for network in (plain, shared):
        y = network.train()(x)
        (gradient,) = torch.autograd.grad((y * goal).sum(), x, retain_graph=True)
        (y * goal).sum().backward()
        norm: Any = network[0]
        results.append([y, gradient, norm.weight.grad, norm.bias.grad, norm.running_mean.clone()])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)
    rows = x.numel() // 4
    unbiased = 2 * rows / (2 * rows - 1)  # there are twice as many rows
    expected = 0.9 + 0.1 * x.detach().var((0, 2, 3), correction=0) * unbiased
    torch.testing.assert_close(shared.state_dict()["0.running_var"], expected)
    plain.load_state_dict(shared.state_dict())
    assert torch.equal(shared.eval()(x), plain.eval()(x))


def test_a_process_that_nobody_started_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with join_team() as team:
        assert team is ALONE
    for name, value in {"WORLD_SIZE": "two", "RANK": "0", "MASTER_ADDR": "x", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="no number"), join_team():
        pass
    assert not distributed.is_initialized()


def test_a_team_of_one_waits_for_nobody() -> None:
    values = torch.tensor([1.0, 2.0])
    assert ALONE.add_up(values) is values
    assert ALONE.lead(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        ALONE.do_all(lambda: 1 // 0)
    assert issubclass(TeamStoppedError, Exception)


def test_a_loss_keeps_no_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    team = Team(rank=0, size=2)
    monkeypatch.setattr(Team, "add_up", lambda _, values: values)
    layer = torch.nn.Linear(30, 30)
    loss = layer(torch.ones(2, 30)).sum()
    loss.backward()
    assert team.add_up_gradients(layer.parameters(), loss.detach()).untyped_storage().nbytes() == 4
