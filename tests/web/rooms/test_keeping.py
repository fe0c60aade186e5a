"""What every store of rooms keeps, and for how long, in memory and in a real Redis."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fervid.web.rooms import memory
from fervid.web.rooms.errors import RoomEndedError, RoomFullError, RoomUnknownError
from fervid.web.rooms.room import MAX_HANDS, Hand, Mark

Bench = Any  # of conftest.py


def test_a_room_is_found_by_its_id_and_its_code(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            assert await store.create(room)
            assert await store.find(room.id) == room
            assert await store.find_code(room.code) == room
            assert await store.find("other") is None
            assert await store.find_code("other") is None
            assert await store.count() == 1
            assert not await store.create(bench.make_room("another", code=room.code))
            assert await store.count() == 1

    asyncio.run(work())


def test_who_is_there(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room(max_participants=3)
            await store.create(room)
            await bench.join(store, room, "abc")
            assert await store.read_present(room) == ((), 3)
            with pytest.raises(RoomFullError):
                await store.join(room, "d")
            await store.join(room, "a")
            await store.disconnect(room, "b")
            assert (await store.read_present(room))[1] == 2
            await store.join(room, "d")
            await store.leave(room, "c")
            assert (await store.read_present(room))[1] == 2
            for _ in range(3):
                await bench.close(store, room, "a")  # nobody vouches for d: their process is gone
            assert (await store.read_present(room))[1] == 1
            assert len(await bench.wait_for("present", 4)) >= 4

    asyncio.run(work())


def test_of_those_who_came_and_went_only_so_many_are_known(bench: Bench):
    """One browser that joins, answers and goes, again and again, would make everybody wait for who is counted."""

    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room(max_participants=2, hold_s=20.0)
            await store.create(room)
            for name in "abcdef":
                await store.join(room, name)
                await bench.contribute(store, room, name)
                await store.disconnect(room, name)
            with pytest.raises(RoomFullError, match="6 people came lately"):
                await store.join(room, "g")
            await store.join(room, "a")  # is known
            assert (await store.read_present(room))[1] == 1
            for _ in range(3):  # the crowd is over, and who does not come back forgotten
                await bench.close(store, room)
            await store.join(room, "g")

    asyncio.run(work())


def test_hands_are_raised_by_name_and_lowered(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            ada, bob = Hand("1", "Ada", 3.0), Hand("2", "Bob", 2.0)
            await store.raise_hand(room, ada)
            await store.raise_hand(room, bob)
            assert (await store.read(room)).hands == (bob, ada)
            await store.raise_hand(room, Hand("1", "Ada L", 3.0))
            assert [hand.name for hand in (await store.read(room)).hands] == ["Bob", "Ada L"]
            await store.lower_hand(room, "2")
            await store.lower_hand(room, "2")
            assert [hand.name for hand in (await store.read(room)).hands] == ["Ada L"]
            assert (await bench.wait_for("lowered"))[0]["hand"] == "2"
            for i in range(MAX_HANDS - 1):
                await store.raise_hand(room, Hand(f"h{i}", "x", 5.0))
            with pytest.raises(RoomFullError):
                await store.raise_hand(room, Hand("more", "x", 5.0))

    asyncio.run(work())


def test_who_raises_a_second_hand_lowers_the_first(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            await store.raise_hand(room, Hand("b", "Bob", 1.0, "bob's"))
            for i in range(2 * MAX_HANDS):
                await store.raise_hand(room, Hand(f"h{i}", "Ada", 2.0, "ada's"))
            assert [hand.name for hand in (await store.read(room)).hands] == ["Bob", "Ada"]
            assert [event["hand"] for event in await bench.wait_for("lowered", 2 * MAX_HANDS - 1)][:2] == ["h0", "h1"]
            assert "owner" not in (await store.read(room)).hands[0].to_dict()

    asyncio.run(work())


def test_a_hand_that_no_process_vouches_for_is_lowered(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            await store.raise_hand(room, Hand("1", "Ada", 3.0))
            await store.raise_hand(room, Hand("2", "Bob", 3.0))
            for _ in range(5):
                await store.touch(room, [], ["1"])
                bench.now += 10
                await store.close_bucket(room, bench.now)
            assert [hand.name for hand in (await store.read(room)).hands] == ["Ada"]

    asyncio.run(work())


def test_marks(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            await store.add_mark(room, Mark("1", 12.5, "new topic: Bäume"))
            assert (await store.read(room)).marks == (Mark("1", 12.5, "new topic: Bäume"),)
            assert (await bench.wait_for("mark"))[0]["mark"]["text"] == "new topic: Bäume"

    asyncio.run(work())


def test_an_ended_room_keeps_its_rows_and_nothing_else(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            await bench.join(store, room, "abcde")
            await bench.contribute(store, room, "abcde")
            await bench.close(store, room)
            await store.raise_hand(room, Hand("1", "Ada", 3.0))
            await store.end(room)
            await store.end(room)
            found = await store.find(room.id)
            assert found is not None
            assert found.ended
            assert await store.find_code(room.code) is None
            contents = await store.read(room)
            assert (len(contents.rows), contents.hands, contents.present) == (1, (), 0)
            with pytest.raises(RoomEndedError):
                await store.contribute(room, "a", bench.fine)
            with pytest.raises(RoomEndedError):
                await store.join(room, "a")
            with pytest.raises(RoomEndedError):
                await store.open_bucket(room)
            await store.disconnect(room, "a")
            bench.now += 100
            assert await store.close_bucket(room, bench.now) is None
            assert len(await bench.wait_for("ended")) == 1
            assert await store.create(bench.make_room("another", code=room.code))

    asyncio.run(work())


def test_nothing_is_left_of_a_deleted_room(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            await bench.join(store, room, "abcde")
            await bench.contribute(store, room, "abcde")
            await store.delete(room)
            await store.delete(room)
            assert await store.find(room.id) is None
            assert await store.find_code(room.code) is None
            assert await store.count() == 0
            with pytest.raises(RoomUnknownError):
                await store.contribute(room, "a", bench.fine)
            with pytest.raises(RoomUnknownError):
                await store.read(room)
            assert len(await bench.wait_for("deleted")) == 1

    asyncio.run(work())


def test_a_room_is_over_when_its_time_is(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room(expires_at=4_000_000_000.0)
            await store.create(room)
            await store.join(room, "a")
            bench.now = room.expires_at
            assert await store.find(room.id) is None
            assert await store.find_code(room.code) is None
            assert await store.count() == 0

    asyncio.run(work())


@pytest.mark.parametrize("bench", ["memory"], indirect=True)
def test_memory_forgets_a_room_in_time_though_nobody_asks(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "SWEEP_S", 0.01)

    async def work() -> None:
        async with bench.open() as store:
            await store.create(bench.make_room(expires_at=bench.start + 60))
            bench.now += 60
            await bench.wait_for("deleted")
            assert store._shelves == {}  # type: ignore[attr-defined]

    asyncio.run(work())
