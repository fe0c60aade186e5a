"""What the WebSockets of rooms refuse, and whom they drop, on a real server."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest
import websockets
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from fervid.web.rooms.links import MAX_LINKS
from fervid.web.rooms.room import MAX_HANDS, MAX_MARKS, Hand, Mark
from fervid.web.rooms.service import READS
from fervid.web.settings import Settings

Server = Any  # of conftest.py


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await work

    asyncio.run(limited())


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("no json", "room.message"),
        ("[]", "room.message"),
        ('{"type": "pulse", "choice": "fine"}', "room.message"),
        ('{"type": "join", "code": "AAAAAA", "token": "short"}', "room.message"),
        ('{"type": "join", "code": "AAAAAA", "token": "0123456789abcdef"}', "room.unknown"),
        ('{"type": "join", "code": "AAAAAA", "token": "0123456789abcdef", "name": "Ada"}', "room.message"),
        (b"bytes", "room.message"),
    ],
)
def test_what_cannot_be_understood_closes_with_words(memory_server: Server, first: str | bytes, code: str):
    async def work() -> None:
        room = memory_server.make_room()
        async with memory_server.connect(f"/ws/rooms/{room['room']['id']}") as browser:
            await browser.socket.send(first)
            assert (await browser.wait_for("error"))["error"]["code"] == code
            assert (await browser.wait_for("closed"))["code"] == 1008

    run(work())


@pytest.mark.parametrize(
    "message",
    [
        {"type": "pulse", "choice": "none"},
        {"type": "pulse", "choice": "happy"},
        {"type": "pulse"},
        {"type": "pulse", "choice": "fine", "name": "Ada"},
        {"type": "expressions", "counts": {"happy": 1}},
        {"type": "hand", "name": ""},
        {"type": "hand", "name": "x" * 41},
        {"type": "hand", "name": "a\u0000b"},
        {"type": "end"},
        {"type": "join", "code": "AAAAAA", "token": "0123456789abcdef"},
    ],
)
def test_what_a_participant_may_not_say(memory_server: Server, message: dict[str, Any]):
    async def work() -> None:
        async with memory_server.join(memory_server.make_room(), "ada") as ada:
            await ada.say(**message)
            assert (await ada.wait_for("error"))["error"]["code"] == "room.message"
            await ada.wait_for("closed")

    run(work())


def test_long_messages_and_many_are_refused(memory_server: Server):
    async def work() -> None:
        room = memory_server.make_room()
        async with memory_server.join(room, "ada") as ada:
            await ada.say(type="hand", name="x" * 3000)
            assert (await ada.wait_for("error"))["error"]["code"] == "web.too_large"
            assert (await ada.wait_for("closed"))["code"] == 1009
        async with memory_server.join(room, "bob") as bob:
            for _ in range(40):
                await bob.say(type="pulse", choice="fine")
            assert (await bob.wait_for("error"))["error"]["code"] == "web.too_many"
            assert (await bob.wait_for("closed"))["code"] == 1008

    run(work())


def test_a_wrong_key_is_refused_and_guessing_is_slowed(memory_server: Server):
    async def work() -> None:
        room = memory_server.make_room()
        codes = set()
        for _ in range(24):
            async with memory_server.connect(f"/ws/rooms/{room['room']['id']}/host") as browser:
                await browser.say(type="host", key="0" * 22)
                codes.add((await browser.wait_for("error"))["error"]["code"])
        assert codes == {"room.key", "web.too_many"}

    run(work())


def test_who_guesses_keeps_nobody_of_the_same_address_from_their_room(memory_server: Server):
    """A class has one address: its host and those who come back are let in, but no further guess is answered."""

    async def work() -> None:
        room = memory_server.make_room()
        path = f"/ws/rooms/{room['room']['id']}"
        wrong = "AAAAAA" if room["room"]["code"] != "AAAAAA" else "BBBBBB"
        told = []
        for _ in range(24):
            async with memory_server.connect(path) as guesser:
                await guesser.say(type="join", code=wrong, token=memory_server.make_token("eve"))
                told.append((await guesser.wait_for("error"))["error"]["code"])
        assert set(told[:20]) == {"room.unknown"}
        assert told[-1] == "web.too_many"
        async with memory_server.connect("/ws/rooms/nowhere") as lost:  # a room that is over is no guess
            await lost.say(type="join", code=wrong, token=memory_server.make_token("eve"))
            assert (await lost.wait_for("error"))["error"]["code"] == "room.unknown"
        async with memory_server.host(room), memory_server.join(room, "ada"):
            assert memory_server.ask("GET", room).json()["present"] == 1

    run(work())


def test_pages_of_other_sites_are_refused(memory_server: Server):
    async def work() -> None:
        room = memory_server.make_room()
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with memory_server.connect(f"/ws/rooms/{room['room']['id']}", origin="https://evil.example"):
                pass
        assert caught.value.response.status_code == 403

    run(work())


def test_as_many_as_the_room_holds(memory_server: Server, monkeypatch: pytest.MonkeyPatch):
    async def work() -> None:
        room = memory_server.make_room()
        store = memory_server.rooms._store
        shelf = store._shelves[room["room"]["id"]]  # type: ignore[attr-defined]
        shelf.room = replace(shelf.room, max_participants=2)
        path = f"/ws/rooms/{room['room']['id']}"
        async with (
            memory_server.join(room, "a"),
            memory_server.join(room, "b"),
            memory_server.connect(path) as third,
        ):
            await third.say(type="join", code=room["room"]["code"], token=memory_server.make_token("c"))
            assert (await third.wait_for("error"))["error"]["code"] == "room.full"
        async with memory_server.join(room, "c"):
            pass

    run(work())


def test_one_token_has_a_few_connections_and_one_hand(memory_server: Server):
    """A page whose connection was lost comes back before the old one is known to be dead: the oldest has to go."""

    async def work() -> None:
        room = memory_server.make_room()
        async with memory_server.host(room) as host, AsyncExitStack() as stack:
            pages = [await stack.enter_async_context(memory_server.join(room, "ada")) for _ in range(MAX_LINKS)]
            for i, page in enumerate(pages[:3]):
                await page.say(type="hand", name=f"Ada {i}")
                await page.wait_for("hand", lambda m: m["hand"] is not None)
            for page in pages[:2]:
                await page.wait_until("hand", lambda m: m["hand"] is None)
            await host.wait_until("hands", lambda m: [h["name"] for h in m["hands"]] == ["Ada 2"])
            await stack.enter_async_context(memory_server.join(room, "ada"))
            assert (await pages[0].wait_for("error"))["error"]["code"] == "room.full"
            assert (await pages[0].wait_for("closed"))["code"] == 1008
            assert not any(page.list("closed") for page in pages[1:])
            snapshot = memory_server.ask("GET", room).json()
            assert (snapshot["present"], [hand["name"] for hand in snapshot["hands"]]) == (1, ["Ada 2"])
            async with memory_server.join(room, "bob"):
                assert not any(page.list("closed") for page in pages[1:])

    run(work())


def test_a_hand_or_mark_too_many_is_refused_and_nobody_is_sent_out(memory_server: Server):
    async def work() -> None:
        room = memory_server.make_room()
        shelf = memory_server.rooms._store._shelves[room["room"]["id"]]  # type: ignore[attr-defined]
        shelf.hands.update({f"h{i}": Hand(f"h{i}", "x", 1.0) for i in range(MAX_HANDS)})
        shelf.marks.extend(Mark(f"m{i}", 1.0, "x") for i in range(MAX_MARKS))
        async with memory_server.host(room) as host, memory_server.join(room, "a") as participant:
            await participant.say(type="hand", name="Ada")
            refused = (await participant.wait_for("refused"))["error"]
            assert (refused["code"], refused["advice"]) == ("room.full", "Try again when one is lowered.")
            await host.say(type="mark", text="new topic")
            assert (await host.wait_for("refused"))["error"]["code"] == "room.full"
            await host.say(type="lower", hand="h0")
            await host.wait_for("hands", lambda m: len(m["hands"]) == MAX_HANDS - 1)
            await participant.say(type="hand", name="Ada")
            assert (await participant.wait_for("hand"))["hand"]["name"] == "Ada"

    run(work())


def test_one_address_reads_few_rooms_at_once(memory_server: Server):
    """A day of rows takes a thread for a second, and whoever made a room may ask for it as often as they like."""

    async def work() -> None:
        room = memory_server.make_room()
        path = f"/ws/rooms/{room['room']['id']}/host"
        with ExitStack() as stack:
            for _ in range(READS // 2):
                stack.enter_context(memory_server.rooms.reads.take("127.0.0.1"))
            for part in ("", "/export.csv", "/report.html"):
                answer = memory_server.ask("GET", room, part)
                assert (answer.status_code, answer.json()["error"]["code"]) == (429, "web.too_many")
                assert answer.headers["Retry-After"] == "2"
            async with memory_server.connect(path) as host:
                await host.say(type="host", key=room["key"])
                assert (await host.wait_for("error"))["error"]["code"] == "web.too_many"
                await host.wait_for("closed")
        for part in ("", "/export.csv", "/report.html"):
            assert memory_server.ask("GET", room, part).status_code == 200
        memory_server.ask("POST", room, "/end").raise_for_status()
        async with memory_server.host(room):
            assert not memory_server.rooms.reads._taken

    run(work())


def test_a_text_that_is_none_ends_the_connection_and_leaves_no_traceback(
    start_server: Callable[..., int], caplog: pytest.LogCaptureFixture
):
    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            browser = WebSocket(scope, receive, send)
            await browser.accept()
            with suppress(WebSocketDisconnect):
                await browser.receive_text()

    port = start_server(listen)

    async def work() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            shake_hands(raw, "/ws/rooms/x", port)
            raw.sendall(b"\x81\x82" + bytes(4) + b"\xff\xfe")
            assert raw.recv(4) == b"\x88\x02" + (1007).to_bytes(2, "big")

    run(work())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_half_open_connection_is_dropped(serve: Any, room_settings: Settings):
    """A phone that went out of range sends nothing and answers no ping; nobody counts it for ever."""

    async def work(server: Server) -> None:
        room = server.make_room()
        async with server.host(room) as host:
            raw = await asyncio.to_thread(join_raw, server, room)
            await host.wait_for("present", lambda m: m["present"] == 1)
            await host.wait_for("present", lambda m: m["present"] == 0)
            raw.close()

    with serve(room_settings, ping_s=1.0) as server:
        run(work(server))


def join_raw(server: Server, room: dict[str, Any]) -> socket.socket:
    """A participant that never reads again."""
    raw = socket.create_connection(("127.0.0.1", server.port))
    shake_hands(raw, f"/ws/rooms/{room['room']['id']}", server.port)
    text = json.dumps({"type": "join", "code": room["room"]["code"], "token": server.make_token("raw")}).encode()
    raw.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)  # masked with zeros
    time.sleep(0.1)
    return raw


def shake_hands(raw: socket.socket, path: str, port: int) -> None:
    raw.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert b"101" in raw.recv(4096)
