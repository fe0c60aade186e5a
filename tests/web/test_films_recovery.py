"""Servers that are stopped, killed or doubled while they read films, and disks that are full."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("av")

from fastapi import FastAPI
from fastapi.testclient import TestClient

from fervid.web.app import create_app
from fervid.web.database.engine import Database
from fervid.web.errors import RequestError
from fervid.web.films import service
from fervid.web.films.folders import FilmFolders, ServerFolder, create_id
from fervid.web.films.jobs import FilmOptions, Job, Status
from fervid.web.films.routes import create_router
from fervid.web.films.runner import FilmRunner
from fervid.web.films.service import FilmService
from fervid.web.settings import MEGABYTE, Settings

BASE = "http://127.0.0.1:8642"


@contextlib.contextmanager
def serve(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``fervid serve`` in a process of its own, and its address."""
    command = [sys.executable, "-m", "fervid", "serve", "--port", "0", "--data-dir", str(data_dir)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"})
    assert process.stderr is not None
    try:
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"http://[\d.]+:\d+", line):
                # What else it says is read on: a full pipe would stop it.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield process, found[0]
                break
        else:
            pytest.fail(said)
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            process.stderr.close()


def find_readers(parent: int) -> list[int]:
    """The processes that a server has started."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(word) for path in children for word in path.read_text().split()]


def wait_for_end(pids: list[int]) -> None:
    for _ in range(600):
        alive = [pid for pid in pids if Path(f"/proc/{pid}").exists() and _state(pid) != "Z"]
        if not alive:
            return
        time.sleep(0.05)
    pytest.fail(f"still there: {alive}")


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


def list_parts(data_dir: Path) -> list[str]:
    return [path.name for path in (data_dir / "films").rglob("*.part")]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are found by /proc")
def test_a_server_that_is_killed_loses_nothing_but_time(tmp_path: Path, long_film: Path, film_client: Any) -> None:
    with serve(tmp_path) as (process, address), httpx.Client(base_url=address, timeout=60) as client:
        films = film_client(client)
        job_id = films.start(long_film)
        waiting = films.start(long_film, "later.mp4", every_s=5, annotated=False)
        films.wait_until(job_id, lambda job: job["frames"] >= 100)
        readers = find_readers(process.pid)
        assert len(readers) == 1
        process.kill()
        process.wait()
    wait_for_end(readers)
    journal = FilmFolders(tmp_path / "films").journal(job_id).stat().st_size
    assert journal > 1000

    with serve(tmp_path) as (process, address), httpx.Client(base_url=address, timeout=60) as client:
        films = film_client(client)
        job = films.wait(job_id, "failed")
        assert job["error"]["code"] == "web.stopping"
        assert job["files"] == []
        assert films.wait(waiting, "done", "failed")["status"] == "done"
        assert list_parts(tmp_path) == []
        films.act(job_id, "retry")
        job = films.wait(job_id, "done", "failed")
        assert job["status"] == "done", job
        assert job["frames"] == 300
        rows = films.fetch(job_id, "frames.csv").text.splitlines()
        assert len({row.split(",")[1] for row in rows[1:]}) > 290
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    assert list((tmp_path / "films" / "servers").iterdir()) == []


@pytest.mark.slow
def test_a_server_that_is_stopped_goes_on_with_its_film(tmp_path: Path, long_film: Path, film_client: Any) -> None:
    settings = Settings(data_dir=tmp_path)
    with TestClient(create_app(settings), base_url=BASE) as client:
        films = film_client(client)
        job_id = films.start(long_film, annotated=False)
        films.wait_until(job_id, lambda job: job["frames"] >= 100)
    assert list_parts(tmp_path) == []
    assert list((tmp_path / "films" / "servers").iterdir()) == []
    with TestClient(create_app(settings), base_url=BASE) as client:
        job = film_client(client).wait(job_id, "done", "failed")
    assert job["status"] == "done", job
    assert job["frames"] == 300


def test_what_a_dead_server_was_receiving_is_swept(tmp_path: Path) -> None:
    folders = FilmFolders(tmp_path / "films")
    dead = folders.of_server(create_id())
    dead.mkdir()
    (dead / "lock").touch()
    (dead / f"{create_id()}.part").write_bytes(b"half a film")
    with TestClient(create_app(Settings(data_dir=tmp_path)), base_url=BASE):
        for _ in range(200):
            if not dead.exists():
                break
            time.sleep(0.05)
        assert len(folders.list_servers()) == 1
    assert not dead.exists()


@pytest.mark.slow
def test_two_servers_share_films(tmp_path: Path, film: Path, film_client: Any, postgres_url: str) -> None:
    settings = Settings(data_dir=tmp_path, database_url=postgres_url)
    with (
        TestClient(create_app(settings), base_url=BASE) as one,
        TestClient(create_app(settings), base_url=BASE) as other,
    ):
        films, others = film_client(one), film_client(other)
        ids = [films.start(film, f"{number}.mp4", annotated=False) for number in range(3)]
        assert {others.wait(job_id, "done", "failed")["status"] for job_id in ids} == {"done"}
        assert [job["id"] for job in other.get("/api/v1/videos").json()["jobs"]] == ids[::-1]
        assert {others.fetch(job_id, "summary.json").status_code for job_id in ids} == {200}
        assert other.delete(f"/api/v1/videos/{ids[0]}").status_code == 204
        assert one.get(f"/api/v1/videos/{ids[0]}").status_code == 404


def test_results_are_deleted_after_their_time(tmp_path: Path, film: Path, film_client: Any) -> None:
    with TestClient(create_app(Settings(data_dir=tmp_path)), base_url=BASE) as client:
        films = film_client(client)
        job_id = films.start(film, annotated=False, every_s=1)
        films.wait(job_id, "done")
    with TestClient(create_app(Settings(data_dir=tmp_path, film_hours=1e-6)), base_url=BASE) as client:
        for _ in range(200):
            if client.get(f"/api/v1/videos/{job_id}").status_code == 404:
                break
            time.sleep(0.05)
        assert client.get("/api/v1/videos").json() == {"jobs": []}
        for _ in range(200):
            if not FilmFolders(tmp_path / "films").of_job(job_id).exists():
                break
            time.sleep(0.05)
    assert list((tmp_path / "films" / "jobs").iterdir()) == []


def test_a_process_that_crashes_fails_its_film_alone(tmp_path: Path, long_film: Path, film_client: Any) -> None:
    with TestClient(create_app(Settings(data_dir=tmp_path)), base_url=BASE) as client:
        films = film_client(client)
        job_id = films.start(long_film)
        films.wait_until(job_id, lambda job: job["frames"] > 0)
        readers = [pid for pid in find_readers(os.getpid()) if b"films.worker" in read_command(pid)]
        assert len(readers) == 1
        os.kill(readers[0], signal.SIGSEGV)
        job = films.wait(job_id, "failed")
        assert job["error"]["code"] == "web.internal"
        assert list_parts(tmp_path) == []
        assert client.get("/api/v1/health").status_code == 200


def read_command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_said_and_leaves_nothing(
    small_disk: Path, tmp_path: Path, film: Path, film_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=small_disk, database_url=f"sqlite:///{tmp_path / 'fervid.db'}")
    with TestClient(create_app(settings), base_url=BASE) as client:
        films = film_client(client)
        refused = films.send(film)
        assert refused.status_code == 507
        assert refused.json()["error"]["code"] == "web.storage"

        monkeypatch.setattr(service, "RESERVE_BYTES", 0)
        monkeypatch.setattr(FilmFolders, "measure_free", lambda _: 10 * MEGABYTE)  # others fill it meanwhile
        full = films.send(b"\0" * 5 * MEGABYTE)
        assert full.status_code == 507, full.text
        assert full.json()["error"]["code"] == "web.storage"
        assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["lock"]

        filler = small_disk / "filler"
        free = shutil.disk_usage(small_disk).free
        filler.write_bytes(b"\0" * (free - film.stat().st_size - 60_000))
        job = films.wait(films.start(film), "done", "failed")
        assert job["error"]["code"] == "web.storage", job
        assert not list((small_disk / "films" / "jobs" / job["id"] / "results").iterdir())
        filler.unlink()
        films.act(job["id"], "retry")
        assert films.wait(job["id"], "done", "failed")["status"] == "done"


@pytest.fixture
def unstarted(tmp_path: Path) -> Iterator[FilmService]:
    """A service that no server has started."""
    settings = Settings(data_dir=tmp_path)
    with Database(settings.database_url) as database:
        yield FilmService(settings, database)


def test_a_server_that_died_after_a_film_was_done_costs_no_results(unstarted: FilmService, tmp_path: Path) -> None:
    films, key, now = unstarted, create_id(), time.time()
    films.folders.results(key).mkdir(parents=True)
    films.store.add(Job(key, "f.mp4", Status.QUEUED, 1, 1, 1, 1.0, FilmOptions(), now, now))
    job = films.store.claim("d" * 32)
    assert job is not None
    assert films.store.finish(job, [], 3)
    (films.folders.results(key) / "timeline.json").write_text("{}")
    films.folders.film(key).write_bytes(b"film")
    dead = films.folders.of_server("d" * 32)
    dead.mkdir(parents=True)
    (dead / "lock").touch()
    with ServerFolder(films.folders) as server:
        FilmRunner(Settings(data_dir=tmp_path), films.store, films.folders, server)._recover()
    assert films.folders.result(key, "timeline.json") is not None
    assert not films.folders.film(key).exists()


def test_a_film_that_is_taken_back_while_it_is_looked_at_is_gone(
    unstarted: FilmService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = unstarted
    monkeypatch.setattr(service, "run_probe", lambda _: {"width": 1, "height": 1, "duration_s": 1.0})
    app = FastAPI()
    app.include_router(create_router(Settings(data_dir=tmp_path), films))
    body = b'--b\r\nContent-Disposition: form-data; name="video"; filename="x.mp4"\r\n\r\nabc\r\n--b--\r\n'
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        """Nobody listens."""

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/videos",
        "raw_path": b"/videos",
        "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=b")],
        "client": ("1.2.3.4", 1),
        "server": ("x", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
        "asgi": {"version": "3.0"},
    }
    with ServerFolder(films.folders) as films._server, pytest.raises(RequestError, match="taken back"):
        asyncio.run(app(scope, receive, send))
    assert films.store.list_newest() == []
