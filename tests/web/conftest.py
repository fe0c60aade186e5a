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
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
        process.send_signal(signal.SIGINT)
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
    """The URL of an empty PostgreSQL database; skipped where there is no PostgreSQL."""
    import psycopg

    name = f"test{next(_numbers)}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{postgres_server}/{name}"


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
