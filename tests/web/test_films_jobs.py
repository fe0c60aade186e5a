"""Jobs in the database: every step has one taker, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("fastapi")

from hypothesis import given
from hypothesis import strategies as st

from fervid.web.database.engine import Database
from fervid.web.errors import StorageError
from fervid.web.films import routes
from fervid.web.films import runner as runner_module
from fervid.web.films.folders import DESERTED_S, FilmFolders, ServerFolder, create_id, is_id
from fervid.web.films.jobs import NAME_LENGTH, FilmOptions, Job, Status, clean_name
from fervid.web.films.runner import STOPPED, FilmRunner, Pace
from fervid.web.films.service import FilmService
from fervid.web.films.store import JobStore
from fervid.web.settings import Settings


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[JobStore]:
    with Database(database_url) as database:
        yield JobStore(database, clock=clock)


def add_job(store: JobStore, queued_at: float = 1.0, **values: object) -> Job:
    job = Job(
        id=create_id(), name="Österreich 🎬.mp4", status=Status.QUEUED, bytes=3_000_000_000, width=1920, height=1080,
        duration_s=None, options=FilmOptions(every_s=0.1), created_at=queued_at, queued_at=queued_at,
    )  # fmt: skip
    job = replace(job, **values)  # type: ignore[arg-type]
    store.add(job)
    return job


def test_a_job_comes_back_as_it_was(store: JobStore) -> None:
    job = add_job(store, warnings=("a", "b"), error={"code": "x", "message": "y", "advice": ""}, duration_s=1 / 3)
    assert store.find(job.id) == job
    assert store.find(create_id()) is None
    assert store.list_newest() == [job]


def test_jobs_are_claimed_in_the_order_in_which_they_were_queued(store: JobStore, clock: Clock) -> None:
    late, early = add_job(store, 20.0), add_job(store, 10.0)
    first = store.claim("a" * 32)
    assert first == replace(
        early, status=Status.RUNNING, owner="a" * 32, attempt=1, started_at=clock.now, heartbeat_at=clock.now
    )
    second = store.claim("b" * 32)
    assert second is not None
    assert second.id == late.id
    assert store.claim("a" * 32) is None
    assert [job.id for job in store.list_owned("a" * 32)] == [early.id]


def test_a_job_is_claimed_once_however_many_ask(store: JobStore) -> None:
    jobs = {add_job(store, float(number)).id for number in range(12)}
    barrier = threading.Barrier(6)

    def claim(owner: int) -> list[str]:
        barrier.wait()
        found = []
        for _ in range(40):
            if (job := store.claim(f"{owner:032x}")) is not None:
                found.append(job.id)
        return found

    with ThreadPoolExecutor(6) as pool:
        claimed = [job_id for found in pool.map(claim, range(6)) for job_id in found]
    assert sorted(claimed) == sorted(jobs)


def test_who_lost_a_job_changes_nothing_of_it(store: JobStore) -> None:
    add_job(store)
    job = store.claim("a" * 32)
    assert job is not None
    assert store.report(job, progress=0.5, frames=10, seconds_left=3.0)
    assert store.cancel(job.id)
    assert not store.report(job, progress=0.9, frames=18, seconds_left=1.0)
    assert not store.finish(job, [], 20)
    assert not store.fail(job, STOPPED)
    found = store.find(job.id)
    assert found is not None
    assert (found.status, found.progress, found.frames) == (Status.CANCELLED, 0.5, 10)


def test_what_is_read_again_waits_until_its_last_reader_lets_go(store: JobStore) -> None:
    add_job(store)
    job = store.claim("a" * 32)
    assert job is not None
    assert not store.retry(job.id)
    store.cancel(job.id)
    assert store.retry(job.id)
    assert store.claim("b" * 32) is None
    store.release(job)
    again = store.claim("b" * 32)
    assert again is not None
    assert again.attempt == 2
    assert not store.finish(job, [], 1)
    assert store.finish(again, ["short"], 20)
    done = store.find(job.id)
    assert done is not None
    assert (done.status, done.warnings, done.progress, done.frames) == (Status.DONE, ("short",), 1.0, 20)


def test_a_failed_job_can_be_read_again_from_the_start(store: JobStore) -> None:
    add_job(store)
    job = store.claim("a" * 32)
    assert job is not None
    assert store.fail(job, STOPPED)
    failed = store.find(job.id)
    assert failed is not None
    assert failed.error == STOPPED
    assert not store.cancel(job.id)
    store.release(job)
    assert store.retry(job.id)
    again = store.find(job.id)
    assert again is not None
    assert (again.status, again.error, again.progress, again.finished_at) == (Status.QUEUED, None, 0.0, None)


def test_the_jobs_of_a_dead_server_fail_and_others_do_not(store: JobStore, clock: Clock) -> None:
    running, cancelled, other = (add_job(store, float(number)) for number in range(3))
    assert [store.claim(owner) is not None for owner in ("d" * 32, "d" * 32, "e" * 32)] == [True] * 3
    store.cancel(cancelled.id)
    clock.now += 100
    store.beat("e" * 32)
    assert store.list_owners() == {"d" * 32: clock.now - 100, "e" * 32: clock.now}
    assert {job.id for job in store.abandon("d" * 32, STOPPED)} == {running.id, cancelled.id}
    found = {job.id: job for job in store.list_newest()}
    assert found[running.id].status is Status.FAILED
    assert found[running.id].error == STOPPED
    assert found[cancelled.id].status is Status.CANCELLED
    assert found[other.id].status is Status.RUNNING
    assert found[running.id].owner is None
    assert set(store.list_owners()) == {"e" * 32}


def test_what_was_settled_long_ago_is_deleted(store: JobStore, clock: Clock) -> None:
    old, new = add_job(store, 1.0), add_job(store, 2.0)
    waiting = add_job(store, 3.0)
    store.cancel(old.id)
    clock.now += 3600
    store.cancel(new.id)
    assert store.delete_settled(clock.now - 60) == 1
    assert {job.id for job in store.list_newest()} == {new.id, waiting.id}
    assert [job.id for job in store.list_deleted()] == [old.id]
    assert old.id in store.list_ids()
    store.purge(old.id)
    store.purge(new.id)  # not deleted: stays
    assert store.list_ids() == {new.id, waiting.id}


def test_what_is_deleted_while_it_is_read_goes_when_its_reader_lets_go(store: JobStore) -> None:
    add_job(store)
    job = store.claim("a" * 32)
    assert job is not None
    assert store.delete(job.id)
    assert not store.delete(job.id)
    assert store.find(job.id) is None
    assert not store.retry(job.id)
    assert store.list_deleted() == []
    store.release(job)
    assert [deleted.id for deleted in store.list_deleted()] == [job.id]


@given(st.text())
def test_names_can_be_shown(name: str) -> None:
    cleaned = clean_name(name)
    assert 0 < len(cleaned) <= NAME_LENGTH
    assert not set(cleaned) & {"/", "\\", "\n", "\0", "\u202e"}
    assert clean_name(cleaned) == cleaned


def test_names_are_their_last_part() -> None:
    assert clean_name("../../etc/passwd") == "passwd"
    assert clean_name("C:\\films\\a  b\t.mp4") == "a b.mp4"
    assert clean_name("gnp.\u202e4pm") == "gnp.4pm"
    assert clean_name("Grüße 👋.mov") == "Grüße 👋.mov"
    assert clean_name("/") == clean_name("") == "film"


def test_servers_are_known_to_be_alive_by_their_lock(tmp_path: Path) -> None:
    folders = FilmFolders(tmp_path)
    assert folders.is_alive("0" * 32) is None
    with ServerFolder(folders) as server:
        assert is_id(server.owner)
        assert folders.list_servers() == [server.owner]
        assert folders.is_alive(server.owner) is True
    assert folders.list_servers() == []
    (folders.of_server("1" * 32)).mkdir()
    (folders.of_server("1" * 32) / "lock").touch()
    assert folders.is_alive("1" * 32) is False


def test_a_folder_that_cannot_be_written_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    folders = FilmFolders(tmp_path)
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StorageError, match=r"No space left on device.*--data-dir"), ServerFolder(folders):
        pass
    assert list((tmp_path / "servers").iterdir()) == []


def test_who_watches_a_film_is_let_go_when_the_server_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "POLL_S", 0.01)
    settings = Settings(data_dir=tmp_path)
    with Database(settings.database_url) as database:
        films = FilmService(settings, database)
        job = add_job(films.store)

        async def watch() -> list[str]:
            told = []
            async for line in routes.Watchers(films, settings).watch(job, "192.0.2.7"):
                told.append(line)
                films.stopping.set()
            return told

        assert len(asyncio.run(asyncio.wait_for(watch(), 10))) == 1


def test_what_fails_again_and_again_is_not_tried_without_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_tried: dict[FilmRunner, list[float]] = defaultdict(list)  # other servers may run in this process

    def fail(runner: FilmRunner) -> None:
        all_tried[runner].append(time.monotonic())
        raise RuntimeError

    monkeypatch.setattr(FilmRunner, "_step", fail)
    monkeypatch.setattr(runner_module, "TICK_S", 0.001)
    monkeypatch.setattr(runner_module, "BEAT_S", 0.1)
    settings = Settings(data_dir=tmp_path)
    folders = FilmFolders(tmp_path / "films")
    with Database(settings.database_url) as database, ServerFolder(folders) as server:
        runner = FilmRunner(settings, JobStore(database), folders, server)
        tried = all_tried[runner]
        runner.start()
        deadline = time.monotonic() + 10
        while len(tried) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        runner.stop()
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert len(pauses) >= 2
    assert min(pauses) > 0.09


def test_locks_are_asked_for_as_nfs_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    flock = fcntl.flock

    def lock_as_nfs(file: IO[bytes], operation: int) -> None:
        if not file.writable():
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock_as_nfs)
    folders = FilmFolders(tmp_path)
    with ServerFolder(folders) as server:
        assert folders.is_alive(server.owner) is True
    (folders.of_server("1" * 32)).mkdir()
    (folders.of_server("1" * 32) / "lock").touch()
    assert folders.is_alive("1" * 32) is False


def test_where_no_lock_tells_folders_of_servers_go_once_they_are_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FilmFolders, "is_alive", lambda *_: None)
    settings = Settings(data_dir=tmp_path)
    folders = FilmFolders(tmp_path / "films")
    old = time.time() - DESERTED_S - 60
    with Database(settings.database_url) as database, ServerFolder(folders) as server:
        runner = FilmRunner(settings, JobStore(database), folders, server)
        deserted, fresh = folders.of_server("1" * 32), folders.of_server("2" * 32)
        for folder in (deserted, fresh):
            folder.mkdir()
        for folder in (deserted, server.path):
            os.utime(folder, (old, old))
        runner._recover()
        assert not deserted.exists()
        assert fresh.is_dir()
        assert server.path.is_dir()
        assert not folders.is_deserted(server.owner)  # it says that it is in use


def test_folders_of_no_job_go_once_they_are_old(tmp_path: Path) -> None:
    folders = FilmFolders(tmp_path)
    known, strange = create_id(), create_id()
    for job_id in (known, strange):
        folders.results(job_id).mkdir(parents=True)
    assert folders.remove_strangers({known}, older_than_s=3600) == 0
    assert folders.remove_strangers({known}, older_than_s=-1) == 1
    assert folders.of_job(known).is_dir()
    assert not folders.of_job(strange).exists()
    with pytest.raises(ValueError, match=r"\.\."):
        folders.of_job("..")
    assert (tmp_path / "jobs").stat().st_mode & 0o777 == 0o700


def test_time_left_follows_the_pace_of_late() -> None:
    pace = Pace()
    assert pace.estimate(0.0, 0.0) is None
    assert pace.estimate(0.5, 0.5) is None  # what a journal held came at once
    seconds = [pace.estimate(0.5 + 0.001 * t, float(t)) for t in range(1, 60)]
    assert seconds[-1] == pytest.approx((0.5 - 0.059) / 0.001, rel=0.01)
