"""Rooms on a real server, with buckets that are over in a moment."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

pytest.importorskip("fastapi")

import uvicorn
import websockets
from fastapi import FastAPI

from fervid.web.errors import ErrorGuard, install_error_handlers
from fervid.web.rooms import audience
from fervid.web.rooms.aggregation import Values
from fervid.web.rooms.memory import MemoryStore
from fervid.web.rooms.room import Room, Row
from fervid.web.rooms.routes import create_routers
from fervid.web.rooms.service import Rooms
from fervid.web.rooms.store import Event, Store
from fervid.web.security import SecurityGuard
from fervid.web.settings import API, Settings

BUCKET_S = 0.8


@dataclass
class Server:
    """A server of rooms."""

    port: int
    rooms: Rooms

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{API}/rooms"

    def make_room(self, **body: Any) -> dict[str, Any]:
        answer = httpx.post(self.url, json={"title": "Graphs", **body})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def ask(self, method: str, room: dict[str, Any], path: str = "", **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {room['key']}"}
        return httpx.request(method, f"{self.url}/{room['room']['id']}{path}", headers=headers, **options)

    async def collect(self, host: Browser, people: list[Browser], messages: list[dict[str, Any]]) -> dict[str, Any]:
        """Let everybody say theirs once per bucket, until a row shows them all; on a busy machine not at once."""
        for _ in range(12):
            await people[0].wait_for("bucket", new=True)
            for person, message in zip(people, messages, strict=True):
                await person.say(**message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3 * self.rooms.bucket_s):
                    found = await host.wait_for("row", lambda m: m["row"]["contributors"] == len(people))
                    return dict(found["row"])
        raise TimeoutError("no row shows everybody")

    @staticmethod
    def make_token(name: str) -> str:
        return f"{name:_<16}"

    @contextlib.asynccontextmanager
    async def connect(self, path: str, **options: Any) -> AsyncIterator[Browser]:
        async with websockets.connect(f"ws://127.0.0.1:{self.port}{path}", **options) as socket:
            browser = Browser(socket)
            reader = asyncio.create_task(browser.read())
            try:
                yield browser
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def join(self, room: dict[str, Any], name: str) -> AsyncIterator[Browser]:
        async with self.connect(f"/ws/rooms/{room['room']['id']}") as browser:
            await browser.say(type="join", code=room["room"]["code"], token=self.make_token(name))
            await browser.wait_for("welcome")
            yield browser

    @contextlib.asynccontextmanager
    async def host(self, room: dict[str, Any]) -> AsyncIterator[Browser]:
        async with self.connect(f"/ws/rooms/{room['room']['id']}/host") as browser:
            await browser.say(type="host", key=room["key"])
            await browser.wait_for("snapshot")
            yield browser


@dataclass
class Browser:
    """One WebSocket, and everything it was told."""

    socket: websockets.ClientConnection
    told: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in self.socket:
                self.told.append(json.loads(text))
                self.news.set()
        self.told.append({"type": "closed", "code": self.socket.close_code})
        self.news.set()

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def wait_for(
        self, kind: str, check: Callable[[dict[str, Any]], bool] | None = None, *, new: bool = False
    ) -> dict[str, Any]:
        """The first message of a kind for which ``check`` holds; of those from now on, when ``new``."""
        place = len(self.told) if new else 0
        async with asyncio.timeout(25):
            while True:
                for message in self.told[place:]:
                    if message["type"] == kind and (check is None or check(message)):
                        return message
                self.news.clear()
                await self.news.wait()

    async def ask(self, **message: Any) -> dict[str, Any]:
        """The acknowledgement of a contribution."""
        count = len(self.list("ack"))
        await self.say(**message)
        async with asyncio.timeout(15):
            while len(self.list("ack")) == count:
                self.news.clear()
                await self.news.wait()
        return self.list("ack")[-1]

    async def wait_until(self, kind: str, check: Callable[[dict[str, Any]], bool]) -> None:
        """Until ``check`` holds for the latest message of a kind."""
        async with asyncio.timeout(15):
            while not (found := self.list(kind)) or not check(found[-1]):
                self.news.clear()
                await self.news.wait()

    def list(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.told if message["type"] == kind]


@contextlib.contextmanager
def serve_rooms(settings: Settings, *, ping_s: float = 20.0, **options: Any) -> Iterator[Server]:
    """A real uvicorn in a thread."""
    rooms = Rooms(settings, **{"bucket_s": BUCKET_S, "hold_s": 2 * BUCKET_S, **options})

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with rooms:
            yield

    app = FastAPI(lifespan=lifespan)
    install_error_handlers(app)
    rest, sockets = create_routers(rooms)
    app.include_router(rest, prefix=API)
    app.include_router(sockets)
    app.add_middleware(ErrorGuard)
    app.add_middleware(SecurityGuard, settings=settings)
    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        ws="websockets-sansio",
        ws_ping_interval=ping_s,
        ws_ping_timeout=ping_s,
        ws_max_size=4_000_000,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        for _ in range(1000):
            if server.started:
                break
            assert thread.is_alive()
            time.sleep(0.01)
        assert server.started
        yield Server(server.servers[0].sockets[0].getsockname()[1], rooms)
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(autouse=True)
def fast_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "NEWS_S", 0.05)


@pytest.fixture
def room_settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture(params=["memory", "redis"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server with rooms in memory, and one with rooms in Redis."""
    url = None if request.param == "memory" else str(request.getfixturevalue("redis_url"))
    with serve_rooms(Settings(data_dir=tmp_path, redis_url=url)) as running:
        yield running


@pytest.fixture
def memory_server(room_settings: Settings) -> Iterator[Server]:
    with serve_rooms(room_settings) as running:
        yield running


@pytest.fixture
def serve() -> Callable[..., contextlib.AbstractContextManager[Server]]:
    """Runs a server with the settings that a test gives."""
    return serve_rooms


class Bench:
    """A store with a hand-set clock, and what it says."""

    start = 1_700_000_000.0
    lost, fine = (1, 0, 0, 0, 0), (0, 0, 1, 0, 0)

    def __init__(self, make: Callable[[Callable[[], float]], Store]) -> None:
        self.now = self.start
        self._make = make
        self.events: list[tuple[str, Event]] = []

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Store]:
        store = self._make(lambda: self.now)
        store.listener = lambda room_id, event: self.events.append((room_id, event))
        async with store:
            yield store

    async def wait_for(self, kind: str, count: int = 1) -> list[Event]:
        """The events of a kind; those of Redis take a moment."""
        async with asyncio.timeout(5):
            while True:
                found = [event for _, event in self.events if event["type"] == kind]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.005)

    def make_room(self, name: str = "room", **changes: Any) -> Room:
        fields: dict[str, Any] = {
            "id": f"{name:_<16}",
            "key_hash": "0" * 64,
            "code": f"{name.upper():A<6}"[:6],
            "kind": "pulse",
            "question": "pace",
            "title": "Graphs",
            "min_group": 5,
            "created_at": self.start,
            "expires_at": 4_000_000_000.0,  # Redis has its own clock, which is the real one
        }
        return Room(**{**fields, **changes})

    async def join(self, store: Store, room: Room, names: str) -> None:
        for name in names:
            await store.join(room, name)

    async def contribute(self, store: Store, room: Room, names: str, values: Values = fine) -> list[str]:
        return [(await store.contribute(room, name, values)).counted for name in names]

    async def close(self, store: Store, room: Room, present: str = "") -> Row | None:
        await store.touch(room, list(present), [])
        self.now += room.bucket_s
        return await store.close_bucket(room, self.now)


@pytest.fixture(params=["memory", "redis"])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        return Bench(lambda clock: MemoryStore(clock=clock))
    redis_url = str(request.getfixturevalue("redis_url"))
    from fervid.web.rooms.redis import RedisStore

    return Bench(lambda clock: RedisStore(redis_url, clock=clock))
