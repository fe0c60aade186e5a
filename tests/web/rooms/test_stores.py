"""What every store of rooms does, in memory and in a real Redis."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fervid.web.rooms import memory
from fervid.web.rooms.aggregation import Values
from fervid.web.rooms.errors import RoomEndedError, RoomFullError, RoomUnknownError
from fervid.web.rooms.memory import MemoryStore
from fervid.web.rooms.room import MAX_HANDS, Hand, Mark, Room, Row
from fervid.web.rooms.store import Event, Store

START = 1_700_000_000.0


class Bench:
    """A store with a hand-set clock, and what it says."""

    def __init__(self, make: Callable[[Callable[[], float]], Store]) -> None:
        self.now = START
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


@pytest.fixture(params=["memory", "redis"])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        return Bench(lambda clock: MemoryStore(clock=clock))
    redis_url = str(request.getfixturevalue("redis_url"))
    from fervid.web.rooms.redis import RedisStore

    return Bench(lambda clock: RedisStore(redis_url, clock=clock))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def make_room(name: str = "room", **changes: Any) -> Room:
    fields: dict[str, Any] = {
        "id": f"{name:_<16}",
        "key_hash": "0" * 64,
        "code": f"{name.upper():A<6}"[:6],
        "kind": "pulse",
        "question": "pace",
        "title": "Graphs",
        "min_group": 5,
        "created_at": START,
        "expires_at": 4_000_000_000.0,  # Redis has its own clock, which is the real one
    }
    return Room(**{**fields, **changes})


LOST, FINE = (1, 0, 0, 0, 0), (0, 0, 1, 0, 0)


async def contribute(store: Store, room: Room, names: str, values: Values = FINE) -> list[str]:
    return [(await store.contribute(room, name, values)).counted for name in names]


async def join(store: Store, room: Room, names: str) -> None:
    for name in names:
        await store.join(room, name)


async def close(bench: Bench, store: Store, room: Room, present: str = "") -> Row | None:
    await store.touch(room, list(present), [])
    bench.now += room.bucket_s
    return await store.close_bucket(room, bench.now)


def test_a_room_is_found_by_its_id_and_its_code(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            assert await store.create(room)
            assert await store.find(room.id) == room
            assert await store.find_code(room.code) == room
            assert await store.find("other") is None
            assert await store.find_code("other") is None
            assert await store.count() == 1
            assert not await store.create(make_room("another", code=room.code))
            assert await store.count() == 1

    run(work())


def test_sums_of_five_are_shown_and_of_four_are_not(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            await store.create(room)
            await join(store, room, "abcde")
            assert await contribute(store, room, "abcd") == ["waiting"] * 4
            row = await close(bench, store, room, "abcde")
            assert row is not None
            assert (row.bucket, row.contributors, row.withheld, row.why, row.shares) == (0, 0, 4, "few", None)
            assert await contribute(store, room, "abcd") == ["waiting"] * 4
            assert await contribute(store, room, "e", LOST) == ["waiting"]
            row = await close(bench, store, room, "abcde")
            assert row is not None
            assert (row.bucket, row.start_s, row.end_s, row.contributors) == (1, 10.0, 20.0, 5)
            assert row.shares == {"lost": 0.2, "slow_down": 0, "fine": 0.8, "speed_up": 0, "none": 0}
            assert row.lost == 1
            assert row.intervals is not None
            assert row.intervals["lost"] == pytest.approx((0.0362, 0.6245), abs=1e-4)
            assert await contribute(store, room, "abcde") == ["crowd"] * 5
            assert (await store.read(room)).rows[1] == row
            events = await bench.wait_for("row", 2)
            assert events[1]["row"]["contributors"] == 5

    run(work())


def test_a_participant_is_counted_once_per_bucket(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            await store.create(room)
            await join(store, room, "abcde")
            await contribute(store, room, "abcde")
            assert await contribute(store, room, "abcde", LOST) == ["already"] * 5
            await store.disconnect(room, "a")
            await store.join(room, "a")  # with the same token
            assert await contribute(store, room, "a", LOST) == ["already"]
            row = await close(bench, store, room)
            assert row is not None
            assert (row.contributors, row.lost) == (5, 0)

    run(work())


def test_contributions_at_the_same_time_are_all_counted(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            await store.create(room)
            names = [f"p{i}" for i in range(60)]
            await asyncio.gather(*(store.join(room, name) for name in names))
            await asyncio.gather(
                *(store.contribute(room, name, LOST if i < 20 else FINE) for i, name in enumerate(names * 2))
            )
            row = await close(bench, store, room)
            assert row is not None
            assert (row.contributors, row.lost) == (60, 20)

    run(work())


def test_a_crowd_that_lost_somebody_waits(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room(hold_s=30.0)
            await store.create(room)
            await join(store, room, "abcdef")
            await contribute(store, room, "abcdef")
            assert (await close(bench, store, room, "abcdef")) is not None
            await contribute(store, room, "abcde")
            await store.leave(room, "f")
            row = await close(bench, store, room, "abcde")
            assert row is not None
            assert (row.contributors, row.withheld, row.why, row.returns_s) == (0, 5, "change", 40.0)
            for _ in range(2):
                assert await contribute(store, room, "abcde") == ["held"] * 5
                row = await close(bench, store, room, "abcde")
                assert row is not None
                assert (row.contributors, row.why) == (0, "change")
            assert await contribute(store, room, "abcde") == ["waiting"] * 5
            row = await close(bench, store, room, "abcde")
            assert row is not None
            assert row.contributors == 5

    run(work())


def test_a_crowd_is_shown_again_when_everybody_is_back(bench: Bench):
    """As when a phone was locked for a while."""

    async def work() -> None:
        async with bench.open() as store:
            room = make_room(hold_s=60.0)
            await store.create(room)
            await join(store, room, "abcde")
            await contribute(store, room, "abcde")
            assert (await close(bench, store, room, "abcde")) is not None
            await store.disconnect(room, "e")
            for counted in ("crowd", "held", "held", "held", "held"):
                assert await contribute(store, room, "abcd") == [counted] * 4
                row = await close(bench, store, room, "abcd")
                assert row is not None
                assert (row.contributors, row.why) == (0, "change")
            await store.join(room, "e")
            assert await contribute(store, room, "abcde") == ["held"] * 5
            row = await close(bench, store, room, "abcde")
            assert row is not None
            assert (row.contributors, row.why) == (5, None)
            assert await contribute(store, room, "abcde") == ["crowd"] * 5

    run(work())


def test_a_bucket_is_closed_once_and_not_before_its_end(bench: Bench):
    async def work() -> None:
        async with bench.open() as store, bench.open() as other:
            room = make_room()
            await store.create(room)
            assert await store.close_bucket(room, START + 9.9) is None
            assert await store.open_bucket(room) == 0
            if isinstance(store, MemoryStore):
                other = store
            await join(store, room, "abcde")
            await contribute(store, room, "abcde")
            bench.now = START + 10
            rows = await asyncio.gather(*(s.close_bucket(room, bench.now) for s in (store, other) * 10))
            assert sum(row is not None for row in rows) == 1
            assert await other.open_bucket(room) == 1
            assert len((await other.read(room)).rows) == 1

    run(work())


def test_a_bucket_without_anybody_has_no_row(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            await store.create(room)
            await store.join(room, "a")
            bench.now += 50
            assert await store.close_bucket(room, bench.now) is None
            assert await store.open_bucket(room) == 5
            assert (await store.read(room)).rows == ()

    run(work())


def test_who_is_there(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room(max_participants=3)
            await store.create(room)
            await join(store, room, "abc")
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
                await close(bench, store, room, "a")  # nobody vouches for d: their process is gone
            assert (await store.read_present(room))[1] == 1
            assert len(await bench.wait_for("present", 4)) >= 4

    run(work())


def test_hands_are_raised_by_name_and_lowered(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
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

    run(work())


def test_a_hand_that_no_process_vouches_for_is_lowered(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            await store.create(room)
            await store.raise_hand(room, Hand("1", "Ada", 3.0))
            await store.raise_hand(room, Hand("2", "Bob", 3.0))
            for _ in range(5):
                await store.touch(room, [], ["1"])
                bench.now += 10
                await store.close_bucket(room, bench.now)
            assert [hand.name for hand in (await store.read(room)).hands] == ["Ada"]

    run(work())


def test_marks(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            await store.create(room)
            await store.add_mark(room, Mark("1", 12.5, "new topic: Bäume"))
            assert (await store.read(room)).marks == (Mark("1", 12.5, "new topic: Bäume"),)
            assert (await bench.wait_for("mark"))[0]["mark"]["text"] == "new topic: Bäume"

    run(work())


def test_an_ended_room_keeps_its_rows_and_nothing_else(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            await store.create(room)
            await join(store, room, "abcde")
            await contribute(store, room, "abcde")
            await close(bench, store, room)
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
                await store.contribute(room, "a", FINE)
            with pytest.raises(RoomEndedError):
                await store.join(room, "a")
            with pytest.raises(RoomEndedError):
                await store.open_bucket(room)
            await store.disconnect(room, "a")
            bench.now += 100
            assert await store.close_bucket(room, bench.now) is None
            assert len(await bench.wait_for("ended")) == 1
            assert await store.create(make_room("another", code=room.code))

    run(work())


def test_nothing_is_left_of_a_deleted_room(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            await store.create(room)
            await join(store, room, "abcde")
            await contribute(store, room, "abcde")
            await store.delete(room)
            await store.delete(room)
            assert await store.find(room.id) is None
            assert await store.find_code(room.code) is None
            assert await store.count() == 0
            with pytest.raises(RoomUnknownError):
                await store.contribute(room, "a", FINE)
            with pytest.raises(RoomUnknownError):
                await store.read(room)
            assert len(await bench.wait_for("deleted")) == 1

    run(work())


def test_strangers_do_not_contribute(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room()
            await store.create(room)
            with pytest.raises(RoomUnknownError):
                await store.contribute(room, "a", FINE)
            with pytest.raises(RoomUnknownError):
                await store.join(make_room("another"), "a")

    run(work())


def test_a_room_is_over_when_its_time_is(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = make_room(expires_at=4_000_000_000.0)
            await store.create(room)
            await store.join(room, "a")
            bench.now = room.expires_at
            assert await store.find(room.id) is None
            assert await store.find_code(room.code) is None
            assert await store.count() == 0

    run(work())


def test_memory_forgets_a_room_in_time_though_nobody_asks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "SWEEP_S", 0.01)
    bench = Bench(lambda clock: MemoryStore(clock=clock))

    async def work() -> None:
        async with bench.open() as store:
            await store.create(make_room(expires_at=START + 60))
            bench.now += 60
            await bench.wait_for("deleted")
            assert store._shelves == {}  # type: ignore[attr-defined]

    run(work())
