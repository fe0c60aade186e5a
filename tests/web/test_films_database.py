"""A database that is away when a film has been read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fervid.web.database.engine import Database
from fervid.web.errors import DatabaseError
from fervid.web.films import runner
from fervid.web.films.folders import FilmFolders, create_id
from fervid.web.films.jobs import FilmOptions, Job, Status
from fervid.web.films.store import JobStore
from fervid.web.settings import Settings


class DoneProcess:
    """A process that has made all results."""

    def __init__(self, plan: Any) -> None:
        (Path(plan.results) / "timeline.json").write_text("{}")

    def read_messages(self) -> Iterator[dict[str, Any]]:
        yield {"event": "done", "warnings": ["dark"], "frames": 7}

    def describe_end(self) -> str:
        return "status 0"

    def kill(self) -> None: ...

    def __enter__(self) -> DoneProcess:
        return self

    def __exit__(self, *_: object) -> None: ...


class Film:
    """A film that a server is about to read."""

    def __init__(self, folder: Path, database: Database) -> None:
        settings = Settings(data_dir=folder)
        self.folders, self.store = FilmFolders(folder / "films"), JobStore(database)
        key, now = create_id(), time.time()
        self.folders.results(key).mkdir(parents=True)
        self.folders.film(key).write_bytes(b"film")
        self.store.add(Job(key, "f.mp4", Status.QUEUED, 1, 1, 1, 1.0, FilmOptions(), now, now))
        job = self.store.claim("a" * 32)
        assert job is not None
        self.job, self.stopping = job, threading.Event()
        self.reading = runner._Reading(job, settings, self.store, self.folders, self.stopping, threading.Event())

    def find(self) -> Job:
        found = self.store.find(self.job.id)
        assert found is not None
        return found


@pytest.fixture
def film(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Film]:
    monkeypatch.setattr(runner, "WorkerProcess", DoneProcess)
    monkeypatch.setattr(runner, "BEAT_S", 0.01)
    with Database(sqlite_url) as database:
        yield Film(tmp_path, database)


def fail_first(step: Callable[..., bool], times: int, *, after: bool) -> Callable[..., bool]:
    """A step that the database does not answer so often: before it is taken, or when it has been."""
    left = iter(range(times))

    def try_step(*arguments: Any) -> bool:
        if after:
            taken = step(*arguments)
        if next(left, None) is not None:
            raise DatabaseError("away")
        return taken if after else step(*arguments)

    return try_step


@pytest.mark.parametrize("after", [False, True])
def test_costs_no_reading(film: Film, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    monkeypatch.setattr(film.store, "finish", fail_first(film.store.finish, 3, after=after))
    film.reading.start()
    film.reading.join(10)
    assert not film.reading.is_alive()
    job = film.find()
    assert (job.status, job.frames, job.warnings, job.owner) == (Status.DONE, 7, ("dark",), None)
    assert film.folders.result(job.id, "timeline.json") is not None
    assert not film.folders.film(job.id).exists()


def test_a_server_that_stops_meanwhile_loses_nothing_on_the_disk(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film.store, "finish", fail_first(film.store.finish, 10**9, after=False))
    film.reading.start()
    time.sleep(0.05)
    assert film.reading.is_alive()
    film.stopping.set()
    film.reading.stop()
    film.reading.join(10)
    assert not film.reading.is_alive()
    job = film.find()
    assert (job.status, job.owner) == (Status.RUNNING, "a" * 32)  # as the next server's sweep expects it
    assert film.folders.result(job.id, "timeline.json") is not None
    assert film.folders.film(job.id).exists()
