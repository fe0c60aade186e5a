"""Workers and drivers that are killed: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fervid.batch import local
from fervid.batch.listing import Item
from fervid.batch.local import LocalEngine
from fervid.batch.locks import hold_lock
from fervid.batch.run import Progress, RunSummary, run_batch
from fervid.batch.settings import Settings
from fervid.batch.tables import Counts
from fervid.batch.tasks import Plan, Task
from fervid.errors import FervidError, ModelError

Run = Callable[..., RunSummary]
Photos = Callable[..., Path]


def test_two_workers_one_of_which_is_killed(
    tmp_path: Path, make_photos: Photos, run: Run, read_tables: Any, settings: Settings
) -> None:
    source, out = make_photos(tmp_path / "photos", 120, corrupt=40), tmp_path / "out"
    engines: list[LocalEngine] = []
    killed: list[int] = []

    def open_engine(resolved: Settings) -> LocalEngine:
        engines.append(LocalEngine(resolved, out, workers=2, threads=1))
        return engines[0]

    def kill_once(progress: Progress) -> None:
        if progress.done and not killed:
            killed.append(engines[0].processes[0])
            os.kill(killed[0], signal.SIGKILL)

    try:
        done = run_batch(str(source), out, settings, open_engine, chunk=5, report=kill_once)
        assert len(killed) == 1
        assert killed[0] not in engines[0].processes
    finally:
        engines[0].close()
    assert engines[0].processes == ()
    run(source, tmp_path / "whole")
    assert done.all == Counts(120, 3, sum(n % 3 for n in range(120) if n % 40 != 20))
    assert read_tables(out) == read_tables(tmp_path / "whole")


def test_a_driver_that_is_killed_leaves_no_worker_and_the_same_command_goes_on(
    tmp_path: Path, make_photos: Photos, run: Run, read_tables: Any, detector: str
) -> None:
    source, out = make_photos(tmp_path / "photos", 150, corrupt=50), tmp_path / "out"
    command = [
        sys.executable, "-m", "fervid", "batch", str(source), "--out", str(out), "--workers", "2", "--chunk", "5",
        "--model", "small", "--detector", detector,
    ]  # fmt: skip
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("inputs/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    driver.kill()
    driver.wait()
    done = len(list(out.glob("inputs/*.parquet")))
    assert 0 < done < 30
    with hold_lock(out):  # waits for the workers, which end with their driver
        assert len(list(out.glob("inputs/*.parquet"))) <= done + 2
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 3, again.stderr
    assert "were done before" in again.stderr
    run(source, tmp_path / "whole")
    assert read_tables(out) == read_tables(tmp_path / "whole")


def test_a_photo_that_ends_every_process_is_a_failure(
    tmp_path: Path, make_photos: Photos, settings: Settings, monkeypatch: pytest.MonkeyPatch, read_tables: Any
) -> None:
    source, out = make_photos(tmp_path / "photos", 4), tmp_path / "out"
    (tmp_path / "poison.py").write_text(
        "import os\n"
        "from fervid.batch import local, worker\n"
        "read = worker.read_photos\n"
        "def drop(analyzer, items, chunk):\n"
        "    if any(item.source.endswith('00002.png') for item in items):\n"
        "        os._exit(139)\n"
        "    read(analyzer, items, chunk)\n"
        "def work(*arguments):\n"
        "    worker.read_photos = drop\n"
        "    local._work(*arguments)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    original, poison = local._work, __import__("poison")
    monkeypatch.setattr(local, "_work", poison.work)
    assert original is not local._work

    with LocalEngine(settings.resolve(), out, workers=1, threads=1) as engine:
        done = run_batch(str(source), out, settings, lambda _: engine, chunk=2)
    assert (done.all.inputs, done.all.failed) == (4, 1)
    (failure,) = read_tables(out)["failures"]
    assert failure[1].endswith("00002.png")
    assert "ended the process" in failure[6]


def test_an_error_of_a_worker_reaches_the_driver(tmp_path: Path, make_photos: Photos, settings: Settings) -> None:
    source, out = make_photos(tmp_path / "photos", 3), tmp_path / "out"
    import dataclasses

    other = dataclasses.replace(settings.resolve(), identity="small@000000000000")
    with LocalEngine(other, out, workers=1, threads=1) as engine, pytest.raises(ModelError, match="was begun with"):
        run_batch(str(source), out, settings, lambda _: engine)


def test_workers_that_cannot_start_end_the_run(
    tmp_path: Path, make_photos: Photos, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = make_photos(tmp_path / "photos", 3), tmp_path / "out"
    monkeypatch.setattr(local, "_work", os._exit)  # with four arguments: it ends at once
    with (
        LocalEngine(settings.resolve(), out, workers=1, threads=1) as engine,
        pytest.raises(FervidError, match="before they begin"),
    ):
        run_batch(str(source), out, settings, lambda _: engine)


def test_plans_and_chunks(tmp_path: Path) -> None:
    items = tuple(Item(f"/ü\udce9{n}.jpg", "photo", n, n) for n in range(40))
    tasks = [Task("photos", items[n : n + 3]) for n in range(38)]
    plan = Plan.write(tmp_path / "plan.parquet", iter(tasks))
    assert plan.count == 38
    assert list(plan) == tasks
    assert [plan.read(n) for n in (0, 15, 16, 37)] == [tasks[n] for n in (0, 15, 16, 37)]
    assert len({task.chunk for task in tasks}) == 38
    first, second = tasks[0].split()
    assert first.items + second.items == tasks[0].items
    plan.remove()
    assert not list(tmp_path.iterdir())
