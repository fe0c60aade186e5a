"""Private database servers for tests of the web app: on free loopback ports, in temporary folders, never as root."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

_numbers = itertools.count(1)


def find_program(name: str) -> str | None:
    """A program on the path, or where Debian keeps PostgreSQL's."""
    found = shutil.which(name)
    return found or next(
        (str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )


def find_free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def choose_user(*names: str) -> dict[str, Any]:
    """Arguments of Popen that drop root's rights: PostgreSQL refuses to run with them."""
    if os.getuid() != 0:
        return {}
    for name in (*names, "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.skip("run by root, and there is no user to run a server as")


@contextlib.contextmanager
def open_private_folder(user: dict[str, Any]) -> Iterator[Path]:
    """A folder that only ``user`` can read."""
    with tempfile.TemporaryDirectory(prefix="fervid-test-", ignore_cleanup_errors=True) as folder:
        if user:
            os.chown(folder, user["user"], user["group"])
        yield Path(folder)


@contextlib.contextmanager
def run_server(command: list[str], user: dict[str, Any], log: Path, answers: Callable[[], bool]) -> Iterator[None]:
    """A server process that answers before the block begins and has ended after it."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=log.parent, **user
        )
    try:
        for _ in range(1200):
            if answers():
                break
            if process.poll() is not None:
                pytest.skip(f"{command[0]} does not start: {log.read_text(errors='replace')[-400:]}")
            time.sleep(0.05)
        else:
            pytest.skip(f"{command[0]} does not answer: {log.read_text(errors='replace')[-400:]}")
        yield
    finally:
        process.send_signal(signal.SIGQUIT if "postgres" in command[0] else signal.SIGINT)  # at once
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL without a database of ours: ``postgresql://fervid@127.0.0.1:PORT``."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (extra postgres)")
    initdb, postgres = find_program("initdb"), find_program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not here; Debian's package is postgresql")
    user, port = choose_user("postgres"), find_free_port()
    address = f"postgresql://fervid@127.0.0.1:{port}"

    def answers() -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"{address}/postgres", connect_timeout=2).close()
            return True
        return False

    with open_private_folder(user) as folder:
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "fervid", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            **user,
        )
        command = [postgres, "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-F"]
        with run_server(command, user, folder / "log", answers):
            yield address


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty PostgreSQL database; skipped where there is no PostgreSQL.

    It is a schema of its own: a database would be a thousand files.
    """
    import psycopg

    name = f"test{next(_numbers)}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return f"{postgres_server}/postgres?options=-csearch_path%3D{name}"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[int]:
    """The port of a Redis server."""
    program = find_program("redis-server")
    if program is None:
        pytest.skip("Redis is not here; Debian's package is redis-server")
    user, port = choose_user("redis"), find_free_port()
    with open_private_folder(user) as folder:
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        with run_server(command, user, folder / "log", lambda: ask_redis(port, "PING") == "+PONG"):
            yield port


@pytest.fixture
def redis_url(redis_server: int) -> str:
    """The URL of an empty Redis; skipped where there is no Redis."""
    assert ask_redis(redis_server, "FLUSHALL") == "+OK"
    return f"redis://127.0.0.1:{redis_server}/0"


def ask_redis(port: int, command: str) -> str | None:
    """One line for one command; None when nobody listens."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.makefile("r").readline().strip()
    return None


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite database that is not there yet."""
    return f"sqlite:///{tmp_path / 'fervid.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session")
def web_app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The whole app, with a small limit of bytes; its lifespan has not begun."""
    from fervid.web.app import create_app
    from fervid.web.settings import Settings

    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), max_upload_mb=3, max_pixels=4_000_000))


@pytest.fixture(scope="session")
def web_client(web_app: FastAPI) -> Iterator[TestClient]:
    """A client of the app, in memory."""
    from fastapi.testclient import TestClient

    with TestClient(web_app, base_url="http://127.0.0.1:8642", raise_server_exceptions=False) as client:
        yield client


@contextlib.contextmanager
def serve_app(app: FastAPI, **options: Any) -> Iterator[int]:
    """An app on a free loopback port, from a thread, as ``fervid serve`` runs it; gives the port."""
    from fervid.web.server import Server, open_socket
    from fervid.web.settings import Settings

    with open_socket(Settings(port=0)) as listener:
        ready = threading.Event()
        server = Server(Settings(), app, ready.set, **options)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(60)
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def open_server() -> Callable[..., contextlib.AbstractContextManager[int]]:
    """A context in which an app is served: :func:`serve_app`."""
    return serve_app


@pytest.fixture
def start_server() -> Iterator[Callable[..., int]]:
    """Serves an app until the test ends; gives the port."""
    with contextlib.ExitStack() as stack:
        yield lambda app, **options: stack.enter_context(serve_app(app, **options))


class FilmClient:
    """What tests ask of the films of a server.

    Args:
        client: of the server.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def send(self, film: Path | bytes, name: str = "talk.mp4", **query: object) -> Any:
        """Hand a film over; the answer."""
        data = film if isinstance(film, bytes) else film.read_bytes()
        return self.client.post("/api/v1/videos", params=query, files={"video": (name, data, "video/mp4")})

    def start(self, film: Path | bytes, name: str = "talk.mp4", **query: object) -> str:
        """Hand a film over; the id of its job."""
        answer = self.send(film, name, **query)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job"]["id"])

    def find(self, job_id: str) -> dict[str, Any]:
        """The job."""
        answer = self.client.get(f"/api/v1/videos/{job_id}")
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()["job"]
        return job

    def act(self, job_id: str, action: str) -> Any:
        """Cancel or retry; the answer."""
        return self.client.post(f"/api/v1/videos/{job_id}/{action}")

    def fetch(self, job_id: str, name: str, **headers: str) -> Any:
        """A file; the answer."""
        return self.client.get(f"/api/v1/videos/{job_id}/files/{name}", headers=headers)

    def wait(self, job_id: str, *statuses: str, timeout_s: float = 240) -> dict[str, Any]:
        """The job once it has one of these."""
        return self.wait_until(job_id, lambda job: job["status"] in statuses, timeout_s)

    def wait_until(
        self, job_id: str, holds: Callable[[dict[str, Any]], bool], timeout_s: float = 240
    ) -> dict[str, Any]:
        """The job once that holds of it."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            job = self.find(job_id)
            if holds(job):
                return job
            assert job["status"] in ("queued", "running"), job
            time.sleep(0.05)
        pytest.fail(f"the job stays {self.find(job_id)}")


@pytest.fixture(scope="session")
def film_client() -> type[FilmClient]:
    """Wraps a client of a server."""
    return FilmClient


def write_film(path: Path, pictures: list[Path], *, frames: int, rate: float = 10.0) -> Path:
    """A film in which portraits stand side by side and tremble; the second comes after a third of it."""
    import numpy as np
    from PIL import Image

    from fervid.imaging import load_image
    from fervid.video.writing import VideoWriter

    faces = [np.asarray(Image.fromarray(load_image(p)[:512, :512]).resize((200, 200))) for p in pictures]
    with VideoWriter(path, frame_rate=rate) as writer:
        for number in range(frames):
            image = np.full((240, 220 * len(faces), 3), 90, dtype=np.uint8)
            for place, face in enumerate(faces):
                if place == 0 or number >= frames // 3:
                    left = 220 * place + 5 + number % 8
                    image[20:220, left : left + 200] = face
            writer.write(image, number / rate)
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, portrait: Path) -> Path:
    """Two seconds with two people."""
    pytest.importorskip("av")
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4", [astronaut, portrait], frames=20)


@pytest.fixture(scope="session")
def long_film(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """A film that takes seconds to read: half a minute of one person."""
    pytest.importorskip("av")
    return write_film(tmp_path_factory.mktemp("films") / "long.mp4", [astronaut], frames=300)
