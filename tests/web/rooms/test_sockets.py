"""Hosts and participants on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from fervid.web.rooms.errors import UnavailableError
from fervid.web.settings import Settings

Server = Any  # of conftest.py


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await work

    asyncio.run(limited())


async def answer(browser: Any, choice: str | None) -> None:
    """Do what a page does: send the choice once in every bucket."""
    bucket = -1
    while True:
        if browser.list("closed"):
            return
        told = [m["bucket"] for m in browser.told if m["type"] in ("welcome", "bucket")]
        if told and told[-1] > bucket:
            bucket = told[-1]
            await browser.say(type="pulse", choice=choice)
        browser.news.clear()
        await browser.news.wait()


def test_a_host_and_six_participants(server: Server):
    async def work() -> None:
        room = server.make_room()
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(server.host(room))
            group = await stack.enter_async_context(asyncio.TaskGroup())
            tasks = []
            for i in range(4):
                browser = await stack.enter_async_context(server.join(room, f"p{i}"))
                tasks.append(group.create_task(answer(browser, "lost" if i == 0 else "fine")))
            row = (await host.wait_for("row", lambda m: m["row"]["withheld"] == 4))["row"]
            assert (row["contributors"], row["shares"], row["why"]) == (0, None, "few")
            assert not [m for m in host.list("row") if m["row"]["contributors"]]
            for i in range(4, 6):
                browser = await stack.enter_async_context(server.join(room, f"p{i}"))
                tasks.append(group.create_task(answer(browser, "fine")))
            row = (await host.wait_for("row", lambda m: m["row"]["contributors"] > 0))["row"]
            assert row["contributors"] in (5, 6)
            assert row["lost"] == 1
            assert row["shares"]["lost"] == pytest.approx(1 / row["contributors"], abs=1e-4)
            assert row["intervals"]["lost"][0] < row["shares"]["lost"] < row["intervals"]["lost"][1]
            await host.wait_until("present", lambda m: m["present"] == 6)
            await host.say(type="mark", text="new topic")
            assert (await host.wait_for("mark"))["mark"]["text"] == "new topic"
            snapshot = server.ask("GET", room).json()
            assert next(r for r in snapshot["rows"] if r["contributors"])["lost"] == 1
            for task in tasks:
                task.cancel()

    run(work())


def test_a_host_of_an_empty_room_hears_that_the_connection_lives(server: Server):
    async def work() -> None:
        async with server.host(server.make_room()) as host:
            await host.wait_for("bucket")
            await host.wait_for("bucket", new=True)
            assert not host.list("row")

    run(work())


def test_the_answer_is_acknowledged_once_per_bucket(server: Server):
    async def work() -> None:
        room = server.make_room()
        async with server.join(room, "ada") as ada:
            await ada.wait_for("bucket")
            await ada.say(type="pulse", choice="lost")
            await ada.say(type="pulse", choice="fine")
            await ada.wait_for("ack", lambda m: m["counted"] == "already")
            assert [m["counted"] for m in ada.list("ack")] == ["waiting", "already"]
            assert len({m["bucket"] for m in ada.list("ack")}) == 1

    run(work())


def test_a_reconnect_within_a_bucket_is_not_counted_twice(server: Server):
    async def work() -> None:
        room = server.make_room()
        async with server.join(room, "ada") as ada:
            await ada.wait_for("bucket")
            await ada.say(type="pulse", choice="lost")
            first = await ada.wait_for("ack")
        async with server.join(room, "ada") as ada:
            await ada.say(type="pulse", choice="lost")
            second = await ada.wait_for("ack")
        assert first["counted"] == "waiting"
        assert second["counted"] == ("already" if second["bucket"] == first["bucket"] else "waiting")
        assert second["bucket"] - first["bucket"] <= 1

    run(work())


def test_hands_are_raised_lowered_and_gone_with_their_owner(server: Server):
    async def work() -> None:
        room = server.make_room()
        async with server.host(room) as host, server.join(room, "bob") as bob:
            async with server.join(room, "ada") as ada:
                await ada.say(type="hand", name=" Ada ")
                hand = (await ada.wait_for("hand"))["hand"]
                assert hand["name"] == "Ada"
                await host.wait_until("hands", lambda m: [h["name"] for h in m["hands"]] == ["Ada"])
                await bob.say(type="hand", name="Bob")
                theirs = (await bob.wait_for("hand"))["hand"]
                await host.wait_until("hands", lambda m: [h["name"] for h in m["hands"]] == ["Ada", "Bob"])
                await host.say(type="lower", hand=theirs["id"])
                await bob.wait_for("hand", lambda m: m["hand"] is None)
                await host.wait_until("hands", lambda m: [h["name"] for h in m["hands"]] == ["Ada"])
                await ada.say(type="lower")
                await ada.wait_until("hand", lambda m: m["hand"] is None)
                await ada.say(type="hand", name="Ada again")
                await host.wait_until("hands", lambda m: [h["name"] for h in m["hands"]] == ["Ada again"])
            await host.wait_until("hands", lambda m: m["hands"] == [])
            await bob.say(type="hand", name="Bob")
            await host.wait_until("hands", lambda m: [h["name"] for h in m["hands"]] == ["Bob"])
            await bob.say(type="leave")
            await bob.wait_for("closed", lambda m: m["code"] == 1000)
            await host.wait_until("hands", lambda m: m["hands"] == [])
            await host.wait_until("present", lambda m: m["present"] == 0)

    run(work())


def test_the_host_ends_the_room(server: Server):
    async def work() -> None:
        room = server.make_room()
        async with server.host(room) as host, server.join(room, "ada") as ada:
            await host.say(type="end")
            assert (await host.wait_for("ended"))["room"]["code"] is None
            await ada.wait_for("ended")
            assert (await ada.wait_for("closed"))["code"] == 1000
            assert (await host.wait_for("closed"))["code"] == 1000
        assert server.ask("GET", room).json()["room"]["ended"]
        async with server.connect(f"/ws/rooms/{room['room']['id']}") as late:
            await late.say(type="join", code=room["room"]["code"], token=server.make_token("late"))
            assert (await late.wait_for("error"))["error"]["code"] == "room.ended"
            assert (await late.wait_for("closed"))["code"] == 1008
        async with server.host(room) as again:  # rows can still be seen
            await again.wait_for("ended")

    run(work())


def test_the_host_deletes_the_room(server: Server):
    async def work() -> None:
        room = server.make_room()
        async with server.host(room) as host, server.join(room, "ada") as ada:
            await host.say(type="delete")
            await host.wait_for("deleted")
            await ada.wait_for("ended")
        assert server.ask("GET", room).status_code == 404

    run(work())


def test_nothing_that_was_sent_is_kept(serve: Any, room_settings: Settings, caplog: pytest.LogCaptureFixture):
    """The word ``speed_up`` is in no log line and in nothing that the store holds but the sums."""
    caplog.set_level(0)

    async def work(server: Server) -> None:
        room = server.make_room()
        async with server.join(room, "ada") as ada:
            await ada.wait_for("bucket")
            await ada.say(type="pulse", choice="speed_up")
            await ada.wait_for("ack")
            shelf = server.rooms._store._shelves[room["room"]["id"]]  # type: ignore[attr-defined]
            assert sum(t.counts[3] for t in shelf.sums.values()) == 1
            assert "speed_up" not in repr((shelf.people, shelf.crowds, shelf.hands, shelf.records))
            assert "ada_" not in repr(shelf)  # the token itself is not kept either
            async with asyncio.timeout(10):
                while shelf.sums:
                    await asyncio.sleep(0.05)

    with serve(room_settings, bucket_s=2.0) as server:  # long enough for a busy machine to look into it
        run(work(server))
    ours = [r.getMessage() for r in caplog.records if r.name.startswith(("fervid", "uvicorn.access"))]
    assert not [line for line in ours if "speed_up" in line or "ada_" in line]


def test_the_snapshot_comes_before_the_news(memory_server: Server, monkeypatch: pytest.MonkeyPatch):
    describe = memory_server.rooms.describe

    async def describe_slowly(room: Any, **more: Any) -> str:
        text = await describe(room, **more)
        await memory_server.rooms.mark(room, "meanwhile")
        return str(text)

    async def work() -> None:
        room = memory_server.make_room()
        monkeypatch.setattr(memory_server.rooms, "describe", describe_slowly)
        async with memory_server.host(room) as host:
            await host.wait_for("mark")
            assert [m["type"] for m in host.told if m["type"] != "bucket"] == ["snapshot", "mark"]
            assert host.told[0]["marks"] == []

    run(work())


def break_once(server: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store's method of that name not answer, one time."""
    store = server.rooms._store
    method, troubles = getattr(store, name), [UnavailableError()]

    async def fail_once(*arguments: Any) -> Any:
        if troubles:
            raise troubles.pop()
        return await method(*arguments)

    monkeypatch.setattr(store, name, fail_once)


def test_a_host_hears_that_a_short_trouble_is_over(memory_server: Server, monkeypatch: pytest.MonkeyPatch):
    """Also where nobody contributes, so that no row would say so."""

    async def work() -> None:
        async with memory_server.host(memory_server.make_room()) as host:
            break_once(memory_server, "close_bucket", monkeypatch)
            await host.wait_for("unavailable")
            await host.wait_for("snapshot", lambda m: m is not host.told[0])
            kinds = [m["type"] for m in host.told if m["type"] != "bucket"]
            assert kinds == ["snapshot", "unavailable", "snapshot"]

    run(work())


def test_a_host_who_could_not_end_the_room_says_it_again(memory_server: Server, monkeypatch: pytest.MonkeyPatch):
    async def work() -> None:
        async with memory_server.host(memory_server.make_room()) as host:
            break_once(memory_server, "end", monkeypatch)
            await host.say(type="end")
            await host.wait_for("unavailable")
            await host.say(type="end")
            await host.wait_for("ended")

    run(work())


def test_twelve_people_and_one_who_leaves(server: Server):
    """Two crowds: the one that lost somebody is waited out, the other is shown all the time."""

    async def work() -> None:
        room = server.make_room()
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(server.host(room))
            people = [await stack.enter_async_context(server.join(room, f"p{i:02}")) for i in range(12)]
            group = await stack.enter_async_context(asyncio.TaskGroup())
            tasks = [group.create_task(answer(p, "lost" if i < 6 else "fine")) for i, p in enumerate(people)]
            row = (await host.wait_for("row", lambda m: m["row"]["contributors"] == 12))["row"]
            assert row["lost"] == 6
            tasks[0].cancel()
            await people[0].say(type="leave")
            row = (await host.wait_for("row", lambda m: m["row"]["why"] == "change", new=True))["row"]
            assert row["contributors"] in (0, 5, 6, 7)
            # Those who were held are shown again, or wait if they are but four.
            await host.wait_until("row", lambda m: m["row"]["why"] != "change" and m["row"]["contributors"] in (7, 11))
            rows = server.ask("GET", room).json()["rows"]
            twelve, eleven = (
                max((r["bucket"] for r in rows if r["contributors"] == 12), default=0),
                min((r["bucket"] for r in rows if r["contributors"] == 11), default=10**6),
            )
            assert eleven - twelve >= 3  # buckets of the hold
            for task in tasks:
                task.cancel()

    run(work())


def test_a_room_that_reads_expressions(serve: Any, tmp_path: Path):
    async def work(server: Server) -> None:
        room = server.make_room(kind="expressions")
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(server.host(room))
            people = [await stack.enter_async_context(server.join(room, f"p{i}")) for i in range(5)]
            row = await server.collect(
                host, people, [{"type": "expressions", "counts": {"happy": 2, "neutral": 2}}] * 5
            )
            assert (row["shares"]["happy"], row["shares"]["neutral"], row["shares"]["none"]) == (0.4, 0.4, 0.2)
            assert row["lost"] is None
            await people[0].say(type="expressions", counts={"happy": 3, "sad": 3})
            assert (await people[0].wait_for("error"))["error"]["code"] == "room.message"
            await people[1].say(type="pulse", choice="happy")
            assert (await people[1].wait_for("error"))["error"]["code"] == "room.message"

    settings = Settings(data_dir=tmp_path, allow_expression_rooms=True, statement="volunteers, at leisure")
    with serve(settings) as server:
        run(work(server))


def test_everybody_is_told_when_the_time_is_over(serve: Any, tmp_path: Path):
    async def work(server: Server) -> None:
        room = server.make_room()
        async with server.host(room) as host, server.join(room, "ada") as ada:
            await ada.wait_for("ended")
            await host.wait_for("deleted")
            await ada.wait_for("closed", lambda m: m["code"] == 1000)
        assert server.ask("GET", room).status_code == 404

    with serve(Settings(data_dir=tmp_path, room_hours=1.2 / 3600)) as server:
        run(work(server))


def test_who_was_forgotten_is_let_in_again(memory_server: Server):
    """A process that was stopped for a while finds its participants gone from the store, but not from its sockets."""

    async def work() -> None:
        room = memory_server.make_room()
        async with memory_server.join(room, "ada") as ada:
            await ada.wait_for("bucket")
            memory_server.rooms._store._shelves[room["room"]["id"]].people.clear()  # type: ignore[attr-defined]
            await ada.say(type="pulse", choice="fine")
            assert (await ada.wait_for("ack"))["counted"] == "waiting"

    run(work())


def test_a_deserted_room_forgets_everybody_and_keeps_its_rows(server: Server):
    async def work() -> None:
        room = server.make_room()
        store = server.rooms._store
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(server.host(room))
            people = [await stack.enter_async_context(server.join(room, f"p{i}")) for i in range(5)]
            await server.collect(host, people, [{"type": "pulse", "choice": "fine"}] * 5)
        async with asyncio.timeout(20):
            while await count_people(store, room["room"]["id"]):
                await asyncio.sleep(0.1)
        rows = server.ask("GET", room).json()["rows"]
        assert 5 in [r["contributors"] for r in rows]

    run(work())


async def count_people(store: Any, room_id: str) -> int:
    """What is left of anybody: people and open sums. A store of Redis is asked by a client of this event loop."""
    if hasattr(store, "_shelves"):
        shelf = store._shelves[room_id]
        return len(shelf.people) + len(shelf.sums) + len(shelf.hands)
    import redis

    pool = store._redis.connection_pool.connection_kwargs
    with redis.Redis(host=pool["host"], port=pool["port"]) as client:
        return sum(client.hlen(f"fervid:room:{{{room_id}}}:{part}") for part in ("people", "sums", "hands"))
