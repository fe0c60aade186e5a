"""A browser that does not read, and one that says nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("fastapi")

from starlette.websockets import WebSocketState

from fervid.web.errors import SlowError, TooManyError
from fervid.web.rooms import links
from fervid.web.rooms.links import BEHIND, BURST, Link


class Browser:
    """A WebSocket whose browser reads when it is told to."""

    application_state = WebSocketState.CONNECTED

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.got: list[dict[str, Any]] = []
        self.code: int | None = None
        self.says: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send_text(self, text: str) -> None:
        await self.reads.wait()
        self.got.append(json.loads(text))

    async def close(self, code: int, *_: object) -> None:
        self.code = code

    async def receive(self) -> dict[str, Any]:
        return await self.says.get()


def make_link() -> tuple[Browser, Link]:
    browser = Browser()
    return browser, Link(browser)  # type: ignore[arg-type]


def test_what_is_sent_arrives_in_order_and_then_the_end():
    async def work() -> None:
        browser, link = make_link()
        browser.reads.set()
        for i in range(3):
            link.send({"i": i})
        link.close()
        link.send({"i": "late"})
        await link.write()
        assert browser.got == [{"i": 0}, {"i": 1}, {"i": 2}]
        assert browser.code == 1000
        assert not link.is_open

    asyncio.run(work())


def test_a_browser_that_does_not_read_is_dropped_with_words():
    async def work() -> None:
        browser, link = make_link()
        for i in range(BEHIND + 10):
            link.send({"i": i})
        assert not link.is_open
        browser.reads.set()
        await link.write()
        assert len(browser.got) == BEHIND + 1
        assert browser.got[-1]["error"]["code"] == "web.slow"
        assert browser.code == 1008

    asyncio.run(work())


def test_nobody_waits_long_for_one_message(monkeypatch: pytest.MonkeyPatch):
    async def work() -> None:
        _, link = make_link()
        monkeypatch.setattr(links, "SEND_S", 0.05)
        link.send({"i": 0})
        await asyncio.wait_for(link.write(), 5)
        assert not link.is_open

    asyncio.run(work())


def test_the_first_message_must_not_be_long_in_coming(monkeypatch: pytest.MonkeyPatch):
    async def work() -> None:
        _, link = make_link()
        monkeypatch.setattr(links, "FIRST_S", 0.05)
        with pytest.raises(SlowError, match=r"nothing came within 0\.05 s"):
            await link.receive_first()

    asyncio.run(work())


def test_a_burst_is_let_through_and_a_flood_is_not():
    async def work() -> None:
        browser, link = make_link()
        for i in range(BURST + 1):
            browser.says.put_nowait({"type": "websocket.receive", "text": str(i)})
        for i in range(BURST):
            assert await link.receive() == str(i)
        with pytest.raises(TooManyError):
            await link.receive()

    asyncio.run(work())


def test_what_comes_meanwhile_is_kept_for_after_the_first():
    async def work() -> None:
        browser, link = make_link()
        browser.reads.set()
        link.keep()
        link.send({"i": 1})
        link.release('{"i": 0}')
        link.send({"i": 2})
        link.close()
        await link.write()
        assert [m["i"] for m in browser.got] == [0, 1, 2]

    asyncio.run(work())
