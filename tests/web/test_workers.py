"""The threads that read pictures: how many wait, and what happens when nobody waits any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import Message

from fervid.web import workers as module
from fervid.web.errors import GoneError, StoppingError, TooManyError
from fervid.web.settings import Settings
from fervid.web.workers import Cancellation, Workers


@asynccontextmanager
async def open_workers(folder: Path) -> AsyncIterator[tuple[Workers, threading.Event]]:
    """One worker that is busy until the event is set."""
    go_on, busy = threading.Event(), threading.Event()
    async with Workers(Settings(data_dir=folder, workers=1)) as workers:
        blocking = asyncio.create_task(workers.run(lambda: (busy.set(), go_on.wait(30))))
        await asyncio.to_thread(busy.wait, 30)
        try:
            yield workers, go_on
        finally:
            go_on.set()
            await blocking


def make_request(gone: asyncio.Event) -> Request:
    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


def test_answers_and_errors_come_back(tmp_path: Path) -> None:
    def fail() -> None:
        raise KeyError("x")

    async def run() -> None:
        async with Workers(Settings(data_dir=tmp_path, workers=2)) as workers:
            assert await workers.run(lambda: 42) == 42
            with pytest.raises(KeyError):
                await workers.run(fail)
            assert workers.waiting == 0
            assert await workers.run_for(make_request(asyncio.Event()), lambda _: 43) == 43
            with pytest.raises(KeyError):
                await workers.run_for(make_request(asyncio.Event()), lambda _: fail())

    asyncio.run(run())


def test_the_queue_has_an_end_and_the_loop_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_PER_WORKER", 2)

    async def run() -> None:
        async with open_workers(tmp_path) as (workers, go_on):
            waiting = [asyncio.create_task(workers.run(lambda: 1)) for _ in range(2)]
            await asyncio.sleep(0.01)
            with pytest.raises(TooManyError) as caught:
                await workers.run(lambda: 1)
            assert int(caught.value.headers["Retry-After"]) >= 1
            live = asyncio.create_task(workers.run(lambda: 2, queued=False))
            await asyncio.sleep(0.01)
            assert not live.done()
            go_on.set()
            assert await asyncio.gather(*waiting, live) == [1, 1, 2]

    asyncio.run(run())


def test_of_large_pictures_one_is_read_at_a_time_and_holds_up_no_others(tmp_path: Path) -> None:
    reading: list[int] = []

    async def run() -> None:
        async with Workers(Settings(data_dir=tmp_path, workers=2)) as workers:
            go_on = threading.Event()

            def read(number: int) -> list[int]:
                reading.append(number)
                assert go_on.wait(30)
                reading.remove(number)
                return [number, *reading]

            large = [asyncio.create_task(workers.run(lambda i=i: read(i), alone=True)) for i in range(3)]  # type: ignore[misc]
            assert await workers.run(lambda: 42) == 42
            assert workers.waiting == 0
            go_on.set()
            assert await asyncio.gather(*large) == [[0], [1], [2]]

    asyncio.run(run())


def test_work_that_nobody_waits_for_is_not_begun(tmp_path: Path) -> None:
    done: list[int] = []

    async def run() -> None:
        async with open_workers(tmp_path) as (workers, go_on):
            gone = asyncio.Event()
            reading = asyncio.create_task(workers.run_for(make_request(gone), lambda _: done.append(1)))
            await asyncio.sleep(0.01)
            gone.set()
            with pytest.raises(GoneError):
                await reading
            go_on.set()
            await workers.run(lambda: done.append(2))
            assert workers.waiting <= 1

    asyncio.run(run())
    assert done == [2]


def test_work_in_several_steps_ends_after_the_one_it_is_in(tmp_path: Path) -> None:
    steps: list[str] = []

    async def run() -> None:
        async with Workers(Settings(data_dir=tmp_path, workers=1)) as workers:
            gone, begun, go_on = asyncio.Event(), threading.Event(), threading.Event()

            def work(cancellation: Cancellation) -> None:
                steps.append("first")
                begun.set()
                go_on.wait(30)
                cancellation.check()
                steps.append("second")

            reading = asyncio.create_task(workers.run_for(make_request(gone), work))
            await asyncio.to_thread(begun.wait, 30)
            gone.set()
            with pytest.raises(GoneError):
                await reading
            go_on.set()

    asyncio.run(run())
    assert steps == ["first"]


def test_a_stopped_server_takes_nothing_more(tmp_path: Path) -> None:
    async def run() -> None:
        async with Workers(Settings(data_dir=tmp_path, workers=1)) as workers:
            pass
        with pytest.raises(StoppingError):
            await workers.run(lambda: 1)

    asyncio.run(run())


def test_a_client_that_hangs_up_is_noticed(
    start_server: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from fervid.web import images
    from fervid.web.app import create_app

    begun, noticed = threading.Event(), threading.Event()

    def read(file: object, analyzer: object, evidence: bool, drawing: object, cancellation: Cancellation) -> None:
        begun.set()
        for _ in range(300):
            try:
                cancellation.check()
            except GoneError:
                noticed.set()
                raise
            threading.Event().wait(0.1)

    monkeypatch.setattr(images, "_read", read)
    port = start_server(create_app(Settings(data_dir=tmp_path, workers=1)))
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(
            b"POST /api/v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 1\r\n\r\nx"
        )
        assert begun.wait(30)
    assert noticed.wait(30)


def test_headers_that_do_not_come_end_the_connection(
    start_server: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from fervid.web import server
    from fervid.web.app import create_app

    monkeypatch.setattr(server, "HEADERS_S", 0.3)
    port = start_server(create_app(Settings(data_dir=tmp_path, workers=1)))
    for sent in (b"", b"GET / HTTP/1.1\r\nHost: "):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(sent)
            client.settimeout(30)
            assert client.recv(1000) == b""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        client.settimeout(30)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET /api")
        while client.recv(1000):
            pass
