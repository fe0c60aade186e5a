"""Connections that clients hold, what they can write into the log, and how the server begins and ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import websockets
from starlette.types import Message, Receive, Scope, Send

pytest.importorskip("fastapi")

from fervid.web import server
from fervid.web.errors import StorageError
from fervid.web.films.service import FilmService
from fervid.web.settings import Settings


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request without reading its body: with as many bytes as its path says."""
    if scope["type"] != "http":
        return
    count = int(scope["path"].strip("/") or 2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % count)]})
    await send({"type": "http.response.body", "body": b"x" * count})


def hold(port: int, message: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(message)
    return connection


def receive_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        chunk = connection.recv(1000)
        assert chunk, received
        received += chunk
    return received


def is_open(connection: socket.socket, send: bytes) -> bool:
    with contextlib.suppress(OSError):
        connection.sendall(send)
        connection.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            return connection.recv(1000) != b""
        return True
    return False


def list_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_body_that_nobody_reads_does_not_hold_its_connection(
    start_server: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEADERS_S", 0.3)
    port = start_server(answer)
    with hold(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        began_s = time.monotonic()
        for _ in range(60):  # each byte stops the timer that uvicorn has started after the answer
            if not is_open(connection, b"x"):
                break
            time.sleep(0.05)
        assert 0.2 < time.monotonic() - began_s < 3


def test_a_body_that_comes_late_leaves_its_connection_as_it_was(
    start_server: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEADERS_S", 1.0)
    port = start_server(answer)
    head = b"POST /7 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
    with hold(port, head) as connection:
        for _ in range(4):  # the end of one body comes with the next head, so there is always one that nobody reads
            receive_until(connection, b"x" * 7)
            connection.sendall(b"a")
            time.sleep(0.3)
            connection.sendall(b"bc" + head)


def test_an_answer_that_nobody_takes_does_not_hold_a_connection_that_is_closed(
    start_server: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is taken slowly is sent to its end."""
    lost = threading.Event()

    class Quiet(server.TimedProtocol):
        """Nothing is too much to wait, so nobody is told that it does: as with the last 64 kB of any answer."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.set_write_buffer_limits(high=100_000_000)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    monkeypatch.setattr(server, "TimedProtocol", Quiet)
    monkeypatch.setattr(server, "STALL_S", 1.0)
    port = start_server(answer)
    with hold(port, b"GET /30000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as connection:
        for _ in range(8):
            time.sleep(0.15)
            count = 0
            while count < 1_000_000:
                chunk = connection.recv(1_000_000)
                assert chunk
                count += len(chunk)
        assert not lost.is_set()
        assert lost.wait(5)


def test_messages_in_endless_parts_end_a_websocket(start_server: Callable[..., int]) -> None:
    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            message: Message = {}
            while message.get("type") != "websocket.disconnect":
                message = await receive()
                if "bytes" in message:
                    await send({"type": "websocket.send", "bytes": message["bytes"]})

    async def talk() -> str | bytes:
        async with websockets.connect(f"ws://127.0.0.1:{port}/", compression=None) as connection:
            await connection.send([b"x"] * (server.MOST_FRAGMENTS - 1))  # and an empty one at its end
            return await connection.recv()

    port = start_server(listen)
    assert asyncio.run(talk()) == b"x" * (server.MOST_FRAGMENTS - 1)
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with hold(port, upgrade) as connection:
        receive_until(connection, b"\r\n\r\n")
        empty = b"\x80" + bytes(4)  # masked, and no byte long
        connection.sendall(b"\x02" + empty + (b"\x00" + empty) * 2 * server.MOST_FRAGMENTS)
        assert connection.recv(4)[2:] == (1009).to_bytes(2, "big")


@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\ngarbage\r\n",
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_nobody_can_write_into_the_log(
    start_server: Callable[..., int], caplog: pytest.LogCaptureFixture, sent: bytes, at_once: bool
) -> None:
    head = len(sent) if at_once else sent.find(b"\r\n\r\n") + 4
    port = start_server(answer)
    with hold(port, sent[:head]) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 ")
        if sent[head:]:
            connection.sendall(sent[head:])
            while connection.recv(1000):
                pass
    with hold(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert list_warnings(caplog) == []


@pytest.mark.parametrize("listens", [True, False])
def test_an_answer_without_an_end_does_not_hold_up_the_servers(
    open_server: Callable[..., contextlib.AbstractContextManager[int]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    listens: bool,
) -> None:
    """It is told, so that it ends; one that does not listen is cut off, which is nobody's failure."""
    stopping = threading.Event()
    if not listens:
        monkeypatch.setattr(server, "STOP_S", 0.2)

    async def watch(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while not (listens and stopping.is_set()):
                await send({"type": "http.response.body", "body": b"still there", "more_body": True})
                await asyncio.sleep(0.01)
            await send({"type": "http.response.body", "body": b"the end"})

    received = b""
    with contextlib.ExitStack() as stack:
        with open_server(watch, stop=stopping.set) as port:
            connection = stack.enter_context(hold(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
            while b"still there" not in received:
                received += connection.recv(1000)
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 3
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(100_000):
                received += chunk
    assert (b"the end" in received) is listens
    assert list_warnings(caplog) == []


def test_services_that_do_not_start_are_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: FilmService) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(FilmService, "_start", fail)
    told: list[str] = []
    with pytest.raises(StorageError, match="the disk is full"):
        server.serve(Settings(data_dir=tmp_path, port=0, workers=1), notify=told.append)
    assert told == list_warnings(caplog) == []


def test_a_tls_connection_that_is_closed_is_left_to_asyncio() -> None:
    class Closed(asyncio.Transport):
        """As asyncio's own once it was closed twice."""

        def get_extra_info(self, name: str, default: object = None) -> object:
            return True if name == "sslcontext" else default

        def is_closing(self) -> bool:
            return True

        def get_write_buffer_size(self) -> int:
            raise AttributeError("'NoneType' object has no attribute '_get_write_buffer_size'")

        def abort(self) -> None:
            raise AssertionError("its peer may still be taking what is left")

    async def look() -> None:
        timer = server._StallTimer(asyncio.get_running_loop(), Closed())
        timer._look()
        timer._check(0)
        timer.end()

    asyncio.run(look())
