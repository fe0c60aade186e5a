"""What an actor does, without Ray: errors cross machines, and what ends processes is found and left out."""

from __future__ import annotations

import dataclasses
import errno
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fervid.batch import cluster, locks
from fervid.batch.cluster import NOTES, RayEngine, RayWorker
from fervid.batch.listing import list_inputs
from fervid.batch.run import RunSummary
from fervid.batch.settings import Settings
from fervid.batch.tasks import Outcome, Plan, Range, Task
from fervid.batch.worker import Worker
from fervid.errors import InputError, ModelError, OutputError, UsageError

Photos = Callable[..., Path]


def employ(out: Path, tasks: list[Task], settings: Settings) -> RayWorker:
    """An actor of a run that has begun."""
    (out / NOTES).mkdir(parents=True, exist_ok=True)
    plan = Plan.write(out / "plan.parquet", tasks)
    return RayWorker(settings.resolve(), str(out), str(plan.path), plan.count, 1)


def do(worker: RayWorker, *numbers: int) -> list[Outcome]:
    """What the driver would be told."""
    answer = worker({"data": np.array(numbers)})
    assert answer["data"].tolist() == list(numbers)
    return [cluster._unpack(outcome) for outcome in answer["outcome"]]


def test_a_photo_that_ends_every_process_is_a_failure_and_costs_no_other(
    tmp_path: Path,
    make_photos: Photos,
    run: Callable[..., RunSummary],
    read_tables: Any,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, out = make_photos(tmp_path / "photos", 7), tmp_path / "out"
    items = tuple(list_inputs(str(source)))
    work, tried = Worker.run, Counter[int]()

    def die(self: Worker, task: Task) -> Outcome:
        if any(item.source.endswith("00004.png") for item in task.items):
            tried[len(task.items)] += 1
            raise SystemExit
        return work(self, task)

    monkeypatch.setattr(Worker, "run", die)
    task = Task("photos", items)
    outcome = None
    while outcome is None:  # as Ray does, with another process
        try:
            (outcome,) = do(employ(out, [task], settings), 0)
        except SystemExit:
            continue
    assert tried == {7: cluster.TRIES, 4: cluster.TRIES, 2: cluster.TRIES, 1: cluster.TRIES}
    assert outcome.counts == (7, 1, sum(number % 3 for number in range(7) if number != 4))
    before = read_tables(out)
    assert [Path(row[1]).name for row in before["failures"]] == ["00004.png"]
    assert do(employ(out, [task], settings), 0)[0].counts == outcome.counts  # its answer was lost with a node
    assert read_tables(out) == before
    monkeypatch.undo()
    run(source, tmp_path / "whole")
    lost = items[4].id
    expected = {row for row in read_tables(tmp_path / "whole")["faces"] if lost not in row}
    assert set(before["faces"]) == expected


def test_a_task_that_is_done_leaves_no_note(tmp_path: Path, make_photos: Photos, settings: Settings) -> None:
    items = tuple(list_inputs(str(make_photos(tmp_path / "photos", 4))))
    worker = employ(tmp_path / "out", [Task("photos", items[:2]), Task("photos", items[2:])], settings)
    assert [outcome.counts.inputs for outcome in do(worker, 1, 0)] == [2, 2]
    assert list((tmp_path / "out" / NOTES).iterdir()) == []


def test_ranges_of_one_film_are_tried_apart(
    tmp_path: Path, make_film: Callable[..., Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,) = list_inputs(str(make_film(tmp_path / "film.mp4", 2.0)))
    ranges = [Task("range", (item,), Range(0, 0.0, 1.0)), Task("range", (item,), Range(1, 1.0, None))]

    def die(self: Worker, task: Task) -> Outcome:
        if task.range is not None and task.range.number == 1:
            raise SystemExit
        return Outcome()

    monkeypatch.setattr(Worker, "run", die)
    for _ in range(cluster.TRIES):
        assert do(employ(tmp_path / "out", ranges, settings), 0) == [Outcome()]
        with pytest.raises(SystemExit):
            do(employ(tmp_path / "out", ranges, settings), 1)
    assert do(employ(tmp_path / "out", ranges, settings), 1) == [Outcome()]
    monkeypatch.undo()
    joined = do(employ(tmp_path / "out", [Task("join", (item,), None, 2)], settings), 0)
    assert joined[0].counts == (1, 1, 0)


def test_an_error_of_an_actor_reaches_the_driver(tmp_path: Path, make_photos: Photos, settings: Settings) -> None:
    items = tuple(list_inputs(str(make_photos(tmp_path / "photos", 1))))
    (tmp_path / "out" / NOTES).mkdir(parents=True)
    plan = Plan.write(tmp_path / "out" / "plan.parquet", [Task("photos", items)])
    other = dataclasses.replace(settings.resolve(), identity="small@000000000000")
    (outcome,) = do(RayWorker(other, str(tmp_path / "out"), str(plan.path), 1, 1), 0)
    assert isinstance(outcome.error, ModelError)
    assert "was begun with small@000000000000" in outcome.error.message
    assert outcome.error.advice == "Install the same version of fervid on every machine."


def test_an_actor_holds_the_lock_of_workers(
    tmp_path: Path, make_photos: Photos, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = tuple(list_inputs(str(make_photos(tmp_path / "photos", 1))))
    monkeypatch.setattr(locks, "_PATIENCE_S", 0.1)
    worker = employ(tmp_path / "out", [Task("photos", items)], settings)
    with pytest.raises(UsageError, match="workers of an earlier run"), locks.hold_lock(tmp_path / "out"):
        pass
    del worker
    with locks.hold_lock(tmp_path / "out"):
        employ(tmp_path / "out", [Task("photos", items)], settings)  # of the run itself


def test_a_folder_that_an_actor_cannot_lock_is_said(
    tmp_path: Path, make_photos: Photos, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    items = tuple(list_inputs(str(make_photos(tmp_path / "photos", 1))))
    monkeypatch.setattr("fcntl.flock", refuse)
    (outcome,) = do(employ(tmp_path / "out", [Task("photos", items)], settings), 0)
    assert isinstance(outcome.error, OutputError)
    assert "No locks available" in outcome.error.message


@pytest.mark.parametrize(
    ("threads", "gpus", "room"), [(1, 0.0, 7), (2, 0.0, 3), (4, 0.0, 1), (6, 0.0, 0), (1, 1.0, 1), (1, 0.25, 4)]
)
def test_an_actor_has_room_on_one_node(threads: int, gpus: float, room: int) -> None:
    nodes = [{"CPU": 5.0, "GPU": 1.0}, {"CPU": 2.0}, {"memory": 1e9}]
    assert cluster.count_room(nodes, threads, gpus) == room


class FakeRay(SimpleNamespace):
    """A cluster of these nodes that has been joined."""

    def __init__(self, nodes: list[dict[str, Any]]) -> None:
        super().__init__(__spec__=object(), nodes=lambda: nodes, is_initialized=lambda: True)


def test_a_cluster_without_room_for_an_actor_is_said(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [{"Alive": True, "Resources": {"CPU": 2.0}}, {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}]
    monkeypatch.setitem(sys.modules, "ray", FakeRay(nodes))
    for workers in (None, 3):
        engine = RayEngine(settings, tmp_path, threads=4, workers=workers)
        with pytest.raises(UsageError, match=r"no node of the cluster has room for an actor \(CPUs: 4\)"):
            engine._count_actors(9)
        engine = RayEngine(settings, tmp_path, gpus=0.5, workers=workers)
        with pytest.raises(UsageError, match=r"\(CPUs: 1, GPUs: 0\.5\)"):
            engine._count_actors(9)
    assert RayEngine(settings, tmp_path)._count_actors(9) == 2
    assert RayEngine(settings, tmp_path, workers=5)._count_actors(3) == 3


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379", "127.0.0.1:99999"])
def test_an_address_without_a_cluster_is_said_at_once(tmp_path: Path, settings: Settings, address: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.raises(InputError, match="no Ray cluster at"):
        RayEngine(settings, tmp_path, address=address)


def test_a_task_that_two_actors_do_is_done(
    tmp_path: Path, make_photos: Callable[..., Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = tuple(list_inputs(str(make_photos(tmp_path / "photos", 2))))
    out, work = tmp_path / "out", Worker.run

    def meanwhile(self: Worker, task: Task) -> Outcome:
        outcome = work(self, task)
        for note in (out / NOTES).iterdir():  # the other one was faster
            note.unlink()
        return outcome

    monkeypatch.setattr(Worker, "run", meanwhile)
    (outcome,) = do(employ(out, [Task("photos", items)], settings), 0)
    assert outcome.error is None
    assert outcome.counts.inputs == 2
