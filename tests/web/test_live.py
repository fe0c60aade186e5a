"""``/ws/live``: one answer per frame, the newest frame first, nobody who holds up others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import websockets
from fastapi import FastAPI
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from starlette import websockets as websocket
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from fervid.imaging import load_image
from fervid.pipeline import Analyzer
from fervid.video.reading import VideoFrame
from fervid.web import live, server
from fervid.web.app import create_app
from fervid.web.images import encode_jpeg
from fervid.web.live import PushedStream
from fervid.web.schemas import FrameModel
from fervid.web.settings import Settings

LIVE = "ws://127.0.0.1:8642/ws/live"
START = {"type": "start", "labels": 7, "smooth_s": 0.5}


@pytest.fixture(scope="module")
def portrait_frame(astronaut: Path) -> NDArray[np.uint8]:
    return load_image(astronaut)[:300, 80:380]


@pytest.fixture(scope="module")
def frame(portrait_frame: NDArray[np.uint8]) -> bytes:
    return encode_jpeg(portrait_frame)


@contextlib.contextmanager
def expect_refusal(connection: Any, close: int, code: str) -> Any:
    """What is done in the block is answered by an error and the end."""
    yield
    message = connection.receive_json()
    while message["type"] == "frame":
        message = connection.receive_json()
    assert message["type"] == "error"
    assert set(message["error"]) == {"code", "message", "advice"}
    assert message["error"]["code"] == code
    with pytest.raises(WebSocketDisconnect) as caught:
        connection.receive_json()
    assert caught.value.code == close


def test_every_frame_is_answered_as_python_answers_it(web_client: TestClient, frame: bytes) -> None:
    with web_client.websocket_connect(LIVE) as connection:
        connection.send_json(START)
        answers = []
        while len(answers) < 3 or answers[-1]["frame"]["faces"][0]["track"] is None:
            connection.send_bytes(frame)
            answers.append(connection.receive_json())
            assert len(answers) < 20
            time.sleep(0.01)  # a number is given after 0.1 s, which a fast machine would fill with twenty answers
    frames = [answer["frame"] for answer in answers]
    for i, answer in enumerate(answers):
        assert (answer["type"], answer["dropped"], answer["frame"]["frame"]) == ("frame", 0, i)
        assert answer["ms"] > 0
        FrameModel.model_validate(answer["frame"])
    assert (frames[0]["faces"][0]["track"], frames[-1]["faces"][0]["track"]) == (None, 1)
    assert all(f["faces"][0]["emotion"] == "happy" for f in frames)
    assert frames[0]["time_s"] < frames[1]["time_s"] < frames[2]["time_s"]
    expected = Analyzer("small", min_face=40).analyze(load_image(frame)).faces[0].to_dict()
    assert frames[0]["faces"][0]["probabilities"] == pytest.approx(expected["probabilities"], abs=0.02)


def test_a_pushed_stream_is_the_stream(portrait_frame: NDArray[np.uint8]) -> None:
    analyzer = Analyzer(min_face=40)
    data = [encode_jpeg(np.roll(portrait_frame, 3 * i, axis=1)) for i in range(5)]
    pushed = PushedStream(analyzer, 0.5)
    one_by_one = [pushed.read(frame, i * 0.1) for i, frame in enumerate(data)]
    frames = [VideoFrame(load_image(frame), i, i * 0.1) for i, frame in enumerate(data)]
    assert one_by_one == list(analyzer.stream(frames, live=True, smooth_s=0.5))


def test_a_damaged_frame_does_not_end_a_pushed_stream(frame: bytes) -> None:
    pushed = PushedStream(Analyzer(min_face=40), 0.5)
    first = pushed.read(frame, 0.0)
    with pytest.raises(live.FervidError):
        pushed.read(b"junk", 0.1)
    second = pushed.read(frame, 0.2)
    assert (first.index, second.index) == (0, 1)
    assert second.faces


def test_six_labels_and_a_new_start(web_client: TestClient, frame: bytes) -> None:
    with web_client.websocket_connect(LIVE) as connection:
        for labels in (6, 7):
            connection.send_json({"type": "start", "labels": labels})
            connection.send_bytes(frame)
            answer = connection.receive_json()
            assert answer["frame"]["frame"] == 0
            assert len(answer["frame"]["faces"][0]["probabilities"]) == labels


@pytest.mark.parametrize(
    "message",
    [
        "",
        "no json",
        "[]",
        "null",
        '{"type": "stop"}',
        '{"type": "start", "labels": 5}',
        '{"type": "start", "smooth_s": -1}',
        '{"type": "start", "smooth_s": NaN}',
        '{"type": "start", "name": "somebody"}',
        '{"type": "start", "labels": ' + "7" * 5000 + "}",
    ],
)
def test_a_start_that_is_none_is_explained(web_client: TestClient, message: str) -> None:
    with web_client.websocket_connect(LIVE) as connection, expect_refusal(connection, 1008, "usage"):
        connection.send_text(message)


def test_a_picture_before_the_start_ends_the_connection(web_client: TestClient, frame: bytes) -> None:
    with web_client.websocket_connect(LIVE) as connection, expect_refusal(connection, 1008, "web.request"):
        connection.send_bytes(frame)


def test_a_message_that_is_too_large_ends_the_connection(web_client: TestClient) -> None:
    with web_client.websocket_connect(LIVE) as connection, expect_refusal(connection, 1009, "web.too_large"):
        connection.send_json(START)
        connection.send_bytes(bytes(live.LARGEST_FRAME + 1))


def test_pictures_that_are_none_are_explained_and_the_next_one_is_read(web_client: TestClient, frame: bytes) -> None:
    vast = encode_jpeg(np.zeros((2500, 4000, 3), np.uint8))
    with web_client.websocket_connect(LIVE) as connection:
        connection.send_json(START)
        for data, code in ((b"", "image"), (b"junk", "image"), (frame[:500], "image"), (vast, "size")):
            connection.send_bytes(data)
            answer = connection.receive_json()
            assert (answer["type"], answer["error"]["code"]) == ("error", f"input.{code}")
            assert answer["error"]["advice"]
        connection.send_bytes(frame)
        assert len(connection.receive_json()["frame"]["faces"]) == 1


def test_a_flood_of_messages_is_refused(web_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MESSAGE_RATE", 0.1)
    monkeypatch.setattr(live, "MESSAGE_BURST", 5.0)
    with web_client.websocket_connect(LIVE) as connection, expect_refusal(connection, 1008, "web.too_many"):
        for _ in range(20):
            connection.send_json(START)


def test_silence_is_ended(web_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "START_S", 0.1)
    with web_client.websocket_connect(LIVE) as connection, expect_refusal(connection, 1008, "web.slow"):
        pass


def test_there_is_a_most_number_of_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_CONNECTIONS", 1)
    with TestClient(create_app(Settings(data_dir=tmp_path)), base_url="http://127.0.0.1") as client:
        with client.websocket_connect(LIVE) as first:
            with client.websocket_connect(LIVE) as second, expect_refusal(second, 1008, "web.too_many"):
                pass
            first.send_json(START)
        with client.websocket_connect(LIVE) as third:
            third.send_json(START)
            third.send_bytes(b"junk")
            assert third.receive_json()["error"]["code"] == "input.image"


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}])
def test_pages_of_others_get_no_camera(web_client: TestClient, headers: dict[str, str]) -> None:
    from starlette.testclient import WebSocketDenialResponse

    with (
        pytest.raises(WebSocketDenialResponse) as caught,
        web_client.websocket_connect(LIVE, headers=headers),
    ):
        pass
    assert caught.value.status_code == 403
    assert caught.value.json()["error"]["code"] in ("web.origin", "web.forbidden")


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return create_app(Settings(data_dir=tmp_path, workers=1))


@contextlib.asynccontextmanager
async def connect(port: int) -> AsyncIterator[websockets.ClientConnection]:
    async with websockets.connect(f"ws://127.0.0.1:{port}/ws/live", compression=None) as connection:
        await connection.send(json.dumps(START))
        yield connection


def test_while_a_frame_is_read_only_the_newest_is_kept(
    app: FastAPI, start_server: Callable[..., int], frame: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, sizes = PushedStream.read, []
    take, taken = live.LiveConnection._take_frame, []
    reading, all_came = threading.Event(), threading.Event()

    def read_late(stream: PushedStream, data: bytes, time_s: float) -> Any:
        sizes.append(len(data))
        reading.set()
        assert all_came.wait(60)
        return read(stream, data, time_s)

    def count(connection: live.LiveConnection, data: bytes) -> None:
        take(connection, data)
        taken.append(len(data))
        if len(taken) == 6:
            all_came.set()

    monkeypatch.setattr(PushedStream, "read", read_late)
    monkeypatch.setattr(live.LiveConnection, "_take_frame", count)
    port = start_server(app)

    async def run() -> list[dict[str, Any]]:
        async with connect(port) as connection:
            await connection.send(frame)
            assert await asyncio.to_thread(reading.wait, 60)
            for i in range(1, 6):
                await connection.send(frame + bytes(i))  # bytes behind a JPEG's end mean nothing
            return [json.loads(await connection.recv()) for _ in range(2)]

    answers = asyncio.run(run())
    assert sizes == [len(frame), len(frame) + 5]
    assert answers[-1]["dropped"] == 4


def test_a_client_that_takes_no_answers_is_dropped_and_stalls_nobody(
    app: FastAPI, start_server: Callable[..., int], frame: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SEND_S", 0.3)
    monkeypatch.setattr(server, "STALL_S", 0.3)
    to_dict = live.Frame.to_dict
    # Answers so large that no buffer takes them all.
    monkeypatch.setattr(live.Frame, "to_dict", lambda self: {**to_dict(self), "padding": "x" * 5_000_000})
    port = start_server(app)
    deaf = socket.create_connection(("127.0.0.1", port))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    shake_hands(deaf)
    deaf.sendall(encode_message(json.dumps(START).encode(), 1))

    def is_dropped() -> bool:
        try:
            deaf.sendall(encode_message(frame, 2))
        except OSError:
            return True
        return False

    async def talk() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{port}/ws/live", compression=None, max_size=None) as connection:
            await connection.send(json.dumps(START))
            for _ in range(3):
                await connection.send(frame)
                await asyncio.wait_for(connection.recv(), 60)

    with deaf:
        assert not is_dropped()
        asyncio.run(talk())
        for _ in range(600):
            if is_dropped():
                break
            time.sleep(0.1)
        else:
            pytest.fail("the client that takes no answers is still connected")


def test_a_client_that_is_silently_gone_is_dropped(app: FastAPI, start_server: Callable[..., int]) -> None:
    port = start_server(app, ping_s=0.2)
    with socket.create_connection(("127.0.0.1", port)) as half_open:
        shake_hands(half_open)
        half_open.sendall(encode_message(json.dumps(START).encode(), 1))
        half_open.settimeout(10)
        received = b""
        while chunk := half_open.recv(1000):  # pings come, and are not answered; then the end
            received += chunk
    assert received[:1] == b"\x89"
    assert b"keepalive" in received


def test_a_message_beyond_every_limit_is_cut_off(app: FastAPI, start_server: Callable[..., int]) -> None:
    port = start_server(app)

    async def run() -> int | None:
        async with connect(port) as connection:
            with contextlib.suppress(websockets.ConnectionClosed):
                await connection.send(bytes(10_000_000))
                await connection.recv()
            await connection.wait_closed()
            return connection.close_code

    assert asyncio.run(run()) == 1009


@pytest.mark.parametrize(("path", "code"), [("/ws/rooms/x", 1009), ("/ws/%72ooms/x/host", 1009), ("/ws/live", 1000)])
def test_messages_of_rooms_are_cut_off_sooner(start_server: Callable[..., int], path: str, code: int) -> None:
    async def take_one(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            connection = websocket.WebSocket(scope, receive, send)
            await connection.accept()
            with contextlib.suppress(WebSocketDisconnect):
                await connection.receive_text()
                await connection.close()

    port = start_server(take_one)

    async def run() -> int | None:
        async with websockets.connect(f"ws://127.0.0.1:{port}{path}", compression=None) as connection:

            async def write_parts() -> AsyncIterator[str]:
                for sent in range(1000, 21_000, 1000):
                    yield "x" * 1000
                    if code == 1009 and sent > server.LARGEST_OF_ROOMS:
                        # What meets a closed socket makes the system throw away what the server has said.
                        await asyncio.wait_for(connection.wait_closed(), 10)

            with contextlib.suppress(websockets.ConnectionClosed):
                await connection.send(write_parts())
                await connection.recv()
            await connection.wait_closed()
            return connection.close_code

    assert asyncio.run(run()) == code


def shake_hands(connection: socket.socket) -> None:
    connection.sendall(
        b"GET /ws/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1)
    assert answer.startswith(b"HTTP/1.1 101")


def encode_message(data: bytes, kind: int) -> bytes:
    """One masked frame of a client; its mask is zero."""
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xff" + len(data).to_bytes(8, "big")
    return bytes([0x80 | kind]) + length + bytes(4) + data
