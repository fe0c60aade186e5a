"""Rooms of several processes: what Redis holds, for how long, and what happens when it is away."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

pytest.importorskip("redis")

import redis

from fervid.errors import MissingExtraError, UsageError
from fervid.web.rooms.errors import UnavailableError
from fervid.web.rooms.records import WANTED, warn_of_records
from fervid.web.rooms.redis import SUMS_S, RedisStore
from fervid.web.rooms.room import Room
from fervid.web.settings import Settings

Server = Any  # of conftest.py
ROOM = Room("r" * 16, "0" * 64, "K7PM3Q", "pulse", "pace", "", 5, 1_700_000_000.0, 4_000_000_000.0)


def list_keys(url: str) -> dict[str, int]:
    """Every key of a Redis, and for how many seconds it stays (-1 for ever)."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return {key: client.ttl(key) for key in client.scan_iter()}


async def fill(server: Server, room: dict[str, Any], stack: AsyncExitStack) -> tuple[Any, list[Any]]:
    """A host, five who answered, a hand, a mark."""
    host = await stack.enter_async_context(server.host(room))
    people = [await stack.enter_async_context(server.join(room, f"p{i}")) for i in range(5)]
    await people[0].say(type="hand", name="Ada")
    await host.say(type="mark", text="now")
    await server.collect(host, people, [{"type": "pulse", "choice": "fine"}] * 5)
    await people[0].wait_for("bucket", new=True)
    for person in people:
        await person.ask(type="pulse", choice="fine")
    return host, people


def run(work: Any) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await work

    asyncio.run(limited())


def test_every_key_expires_with_its_room_and_none_is_left(serve: Any, redis_url: str, tmp_path: Path):
    async def work(server: Server) -> None:
        room, other = server.make_room(), server.make_room()
        async with AsyncExitStack() as stack:
            host, people = await fill(server, room, stack)
            keys = list_keys(redis_url)
            parts = {key.rpartition(":")[2] for key in keys if room["room"]["id"] in key}
            assert parts >= {"meta", "people", "sums", "rows", "marks", "hands", "hands_seen"}
            sums = [ttl for key, ttl in keys.items() if key.endswith(":sums")]
            assert 0 < sums[0] <= SUMS_S, "a sum of one person outlives a server that stopped by a minute, not by a day"
            lasting = {key: ttl for key, ttl in keys.items() if not key.endswith((":lock", ":sums"))}
            assert all(3600 * 2 - 120 < ttl <= 3600 * 2 + 1 for ttl in lasting.values()), keys
            await host.say(type="delete")
            await people[0].wait_for("ended")
        left = list_keys(redis_url)
        assert not [key for key in left if room["room"]["id"] in key or room["room"]["code"] in key]
        server.ask("POST", other, "/end")
        server.ask("DELETE", other)
        assert list_keys(redis_url) == {}

    with serve(Settings(data_dir=tmp_path, redis_url=redis_url, room_hours=2)) as server:
        run(work(server))


def test_a_bucket_whose_sums_are_gone_is_not_shown(redis_url: str):
    async def work() -> None:
        async with RedisStore(redis_url, clock=lambda: ROOM.created_at) as store:
            await store.create(ROOM)
            for name in "abcde":
                await store.join(ROOM, name)
            await asyncio.gather(*(store.contribute(ROOM, name, (1, 0, 0, 0, 0)) for name in "abcd"))
            with redis.Redis.from_url(redis_url) as client:
                assert client.delete(f"fervid:room:{{{ROOM.id}}}:sums") == 1
            await store.contribute(ROOM, "e", (1, 0, 0, 0, 0))
            row = await store.close_bucket(ROOM, ROOM.created_at + 10)
            assert row is not None
            assert (row.contributors, row.withheld, row.lost) == (0, 5, None)

    run(work())


def test_redis_holds_neither_key_nor_token_nor_answer(serve: Any, redis_url: str, tmp_path: Path):
    async def work(server: Server) -> None:
        room = server.make_room()
        async with AsyncExitStack() as stack:
            await fill(server, room, stack)
            with redis.Redis.from_url(redis_url, decode_responses=True) as client:
                for key in client.scan_iter():
                    read: dict[str, Callable[[str], Any]] = {
                        "hash": client.hgetall,
                        "list": lambda name: client.lrange(name, 0, -1),
                        "string": client.get,
                        "zset": lambda name: client.zrange(name, 0, -1),
                    }
                    text = f"{key} {read[client.type(key)](key)}"
                    assert room["key"] not in text
                    assert server.make_token("p0") not in text
                people = client.hvals(f"fervid:room:{{{room['room']['id']}}}:people")
                assert len(people) == 5
                # contributed:crowd:held_until:seen:gone, the same for everybody: nothing of an answer
                assert len({p.split(":", 1)[1] for p in people}) == 1

    with serve(Settings(data_dir=tmp_path, redis_url=redis_url)) as server:
        run(work(server))


def test_two_servers_share_a_room(serve: Any, redis_url: str, tmp_path: Path):
    async def work(first: Server, second: Server) -> None:
        room = first.make_room()
        assert second.ask("GET", room).status_code == 200
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(second.host(room))
            people = [await stack.enter_async_context((first, second)[i % 2].join(room, f"p{i}")) for i in range(6)]
            await host.wait_until("present", lambda m: m["present"] == 6)
            choices = ["lost"] * 2 + ["fine"] * 4
            row = await first.collect(host, people, [{"type": "pulse", "choice": choice} for choice in choices])
            assert row["lost"] == 2
            buckets = [r["bucket"] for r in second.ask("GET", room).json()["rows"]]
            assert len(buckets) == len(set(buckets))
            await people[0].say(type="hand", name="Ada")
            hands = (await host.wait_for("hands", lambda m: len(m["hands"]) == 1))["hands"]
            await host.say(type="lower", hand=hands[0]["id"])
            await people[0].wait_for("hand", lambda m: m["hand"] is None)
            # With the same token at the other server: still once per bucket.
            again = await stack.enter_async_context(second.join(room, "p0"))
            await people[0].wait_for("bucket", new=True)
            await people[0].ask(type="pulse", choice="fine")
            await again.say(type="pulse", choice="fine")
            assert (await again.wait_for("ack"))["counted"] == "already"
            first.ask("POST", room, "/end")
            await host.wait_for("ended")
            for person in people:
                await person.wait_for("ended")

    settings = Settings(data_dir=tmp_path, redis_url=redis_url)
    with serve(settings, bucket_s=1.5) as first, serve(settings, bucket_s=1.5) as second:
        run(work(first, second))


class Cable:
    """A line to Redis that can be cut and mended."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._whole = True
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole = False
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._whole = True

    def close(self) -> None:
        self.cut()
        self._listener.close()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def lay_cable(redis_url: str) -> Iterator[Cable]:
    cable = Cable(int(redis_url.rpartition(":")[2].partition("/")[0]))
    try:
        yield cable
    finally:
        cable.close()


def test_a_lost_redis_is_said_and_survived(serve: Any, redis_url: str, tmp_path: Path):
    async def work(server: Server, cable: Cable) -> None:
        room = server.make_room()
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(server.host(room))
            people = [await stack.enter_async_context(server.join(room, f"p{i}")) for i in range(5)]
            await people[0].wait_for("bucket")
            cable.cut()
            await people[0].say(type="pulse", choice="fine")
            assert (await people[0].wait_for("unavailable"))["error"]["code"] == "web.unavailable"
            assert (await host.wait_for("unavailable"))["error"]["code"] == "web.unavailable"
            answer = await asyncio.to_thread(server.ask, "GET", room)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "web.unavailable")
            assert answer.headers["Retry-After"] == "5"
            made = await asyncio.to_thread(httpx.post, server.url, json={})
            assert made.status_code == 503
            await people[0].wait_for("bucket", new=True)  # the room's clock goes on
            cable.mend()
            await host.wait_for("snapshot", new=True)
            assert not any(p.list("closed") for p in (*people, host))
            row = await server.collect(host, people, [{"type": "pulse", "choice": "lost"}] * 5)
            assert row["lost"] == 5

    with (
        lay_cable(redis_url) as cable,
        serve(Settings(data_dir=tmp_path, redis_url=f"redis://127.0.0.1:{cable.port}/0"), bucket_s=1.5) as server,
    ):
        run(work(server, cable))


def test_what_was_missed_while_a_line_was_cut_for_a_moment_is_told(serve: Any, redis_url: str, tmp_path: Path):
    async def work(server: Server, cable: Cable) -> None:
        room = server.make_room()
        async with server.host(room) as host:
            await host.wait_until("snapshot", lambda _: True)
            cable.cut()
            cable.mend()
            await host.wait_for("snapshot", new=True)
            assert host.list("unavailable")

    with (
        lay_cable(redis_url) as cable,
        serve(Settings(data_dir=tmp_path, redis_url=f"redis://127.0.0.1:{cable.port}/0")) as server,
    ):
        run(work(server, cable))


def test_a_process_that_dies_while_it_closes_a_bucket_stops_nobody_for_long(serve: Any, redis_url: str, tmp_path: Path):
    async def work(server: Server) -> None:
        room = server.make_room()
        async with server.join(room, "ada") as ada:
            began = time.monotonic()
            with redis.Redis.from_url(redis_url) as client:
                client.set(f"fervid:room:{{{room['room']['id']}}}:lock", "somebody else's", px=700)
            await ada.say(type="pulse", choice="fine")
            await ada.wait_for("ack")
            assert 0.65 < time.monotonic() - began < 20

    with serve(Settings(data_dir=tmp_path, redis_url=redis_url)) as server:
        run(work(server))


def test_a_redis_that_writes_down_what_it_is_told_is_said(redis_url: str, caplog: pytest.LogCaptureFixture):
    async def work() -> list[str]:
        caplog.clear()
        async with RedisStore(redis_url):
            return [record.getMessage() for record in caplog.records if record.name == "fervid.web"]

    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        found = {name: client.config_get(name)[name] for name in WANTED}
        try:
            for name, value in WANTED.items():
                client.config_set(name, value)
            assert asyncio.run(work()) == []
            client.config_set("slowlog-log-slower-than", "10000")
            (line,) = asyncio.run(work())
            assert "it has slowlog-log-slower-than '10000'; give it save ''" in line
        finally:
            for name, value in found.items():
                client.config_set(name, value)


def test_a_redis_that_does_not_tell_its_settings_is_taken(caplog: pytest.LogCaptureFixture):
    class Client:
        async def config_get(self, _: str) -> dict[str, str]:
            raise redis.exceptions.NoPermissionError("this user has no permissions to run the 'config|get' command")

    asyncio.run(warn_of_records(Client()))
    assert not caplog.records


def test_a_redis_that_is_not_there_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnavailableError, match="Redis cannot be reached"):
        RedisStore(f"redis://127.0.0.1:{port}/0")
    with pytest.raises(UsageError, match="URL of Redis"):
        RedisStore("localhost")


def test_without_redis_py_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "redis.asyncio", None)
    with pytest.raises(MissingExtraError, match=r'pip install "fervid\[redis\]"'):
        RedisStore("redis://127.0.0.1/0")


def test_a_server_that_makes_no_expression_rooms_lets_nobody_into_those_of_others(
    serve: Any, redis_url: str, tmp_path: Path
):
    allowed = Settings(data_dir=tmp_path, redis_url=redis_url, allow_expression_rooms=True, statement="volunteers")

    async def work(room: dict[str, Any], server: Server) -> None:
        async with server.connect(f"/ws/rooms/{room['room']['id']}") as browser:
            await browser.say(type="join", code=room["room"]["code"], token=server.make_token("ada"))
            assert (await browser.wait_for("error"))["error"]["code"] == "room.expressions"

    with serve(allowed) as first, serve(Settings(data_dir=tmp_path, redis_url=redis_url)) as second:
        room = first.make_room(kind="expressions")
        path = f"/join/{room['room']['code']}"
        assert httpx.get(f"{first.url}{path}").status_code == 200
        refused = httpx.get(f"{second.url}{path}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "room.expressions")
        run(work(room, second))
        second.ask("DELETE", room).raise_for_status()  # its host still can
