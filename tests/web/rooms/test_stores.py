"""What every store of rooms counts and shows, in memory and in a real Redis."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fervid.web.rooms.errors import RoomUnknownError
from fervid.web.rooms.memory import MemoryStore

Bench = Any  # of conftest.py


def test_sums_of_five_are_shown_and_of_four_are_not(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            await bench.join(store, room, "abcde")
            assert await bench.contribute(store, room, "abcd") == ["waiting"] * 4
            row = await bench.close(store, room, "abcde")
            assert row is not None
            assert (row.bucket, row.contributors, row.withheld, row.why, row.shares) == (0, 0, 4, "few", None)
            assert await bench.contribute(store, room, "abcd") == ["waiting"] * 4
            assert await bench.contribute(store, room, "e", bench.lost) == ["waiting"]
            row = await bench.close(store, room, "abcde")
            assert row is not None
            assert (row.bucket, row.start_s, row.end_s, row.contributors) == (1, 10.0, 20.0, 5)
            assert row.shares == {"lost": 0.2, "slow_down": 0, "fine": 0.8, "speed_up": 0, "none": 0}
            assert row.lost == 1
            assert row.intervals is not None
            assert row.intervals["lost"] == pytest.approx((0.0362, 0.6245), abs=1e-4)
            assert await bench.contribute(store, room, "abcde") == ["crowd"] * 5
            assert (await store.read(room)).rows[1] == row
            events = await bench.wait_for("row", 2)
            assert events[1]["row"]["contributors"] == 5

    asyncio.run(work())


def test_a_participant_is_counted_once_per_bucket(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            await bench.join(store, room, "abcde")
            await bench.contribute(store, room, "abcde")
            assert await bench.contribute(store, room, "abcde", bench.lost) == ["already"] * 5
            await store.disconnect(room, "a")
            await store.join(room, "a")  # with the same token
            assert await bench.contribute(store, room, "a", bench.lost) == ["already"]
            row = await bench.close(store, room)
            assert row is not None
            assert (row.contributors, row.lost) == (5, 0)

    asyncio.run(work())


def test_contributions_at_the_same_time_are_all_counted(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            names = [f"p{i}" for i in range(60)]
            await asyncio.gather(*(store.join(room, name) for name in names))
            await asyncio.gather(
                *(
                    store.contribute(room, name, bench.lost if i < 20 else bench.fine)
                    for i, name in enumerate(names * 2)
                )
            )
            row = await bench.close(store, room)
            assert row is not None
            assert (row.contributors, row.lost) == (60, 20)

    asyncio.run(work())


def test_a_crowd_that_lost_somebody_waits(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room(hold_s=30.0)
            await store.create(room)
            await bench.join(store, room, "abcdef")
            await bench.contribute(store, room, "abcdef")
            assert (await bench.close(store, room, "abcdef")) is not None
            await bench.contribute(store, room, "abcde")
            await store.leave(room, "f")
            row = await bench.close(store, room, "abcde")
            assert row is not None
            assert (row.contributors, row.withheld, row.why, row.returns_s) == (0, 5, "change", 40.0)
            for _ in range(2):
                assert await bench.contribute(store, room, "abcde") == ["held"] * 5
                row = await bench.close(store, room, "abcde")
                assert row is not None
                assert (row.contributors, row.why) == (0, "change")
            assert await bench.contribute(store, room, "abcde") == ["waiting"] * 5
            row = await bench.close(store, room, "abcde")
            assert row is not None
            assert row.contributors == 5

    asyncio.run(work())


def test_nobody_is_in_two_crowds_after_a_bucket_that_closed_late(bench: Bench):
    """As when Redis is away for five minutes: whoever is missing ten seconds later must not be told from the rest."""

    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            await bench.join(store, room, "abcdef")
            bench.now += 318
            await bench.contribute(store, room, "a", bench.lost)
            await bench.contribute(store, room, "bcde")
            row = await bench.close(store, room, "abcdef")
            assert row is not None
            assert (row.contributors, row.lost) == (5, 1)
            await bench.join(store, room, "bcdef")
            assert await bench.contribute(store, room, "bcdef") == ["crowd"] * 4 + ["waiting"]
            row = await bench.close(store, room, "bcdef")
            assert row is not None
            assert (row.contributors, row.lost, row.why) == (0, None, "change")

    asyncio.run(work())


def test_a_crowd_is_shown_again_when_everybody_is_back(bench: Bench):
    """As when a phone was locked for a while."""

    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room(hold_s=60.0)
            await store.create(room)
            await bench.join(store, room, "abcde")
            await bench.contribute(store, room, "abcde")
            assert (await bench.close(store, room, "abcde")) is not None
            await store.disconnect(room, "e")
            for counted in ("crowd", "held", "held", "held", "held"):
                assert await bench.contribute(store, room, "abcd") == [counted] * 4
                row = await bench.close(store, room, "abcd")
                assert row is not None
                assert (row.contributors, row.why) == (0, "change")
            await store.join(room, "e")
            assert await bench.contribute(store, room, "abcde") == ["held"] * 5
            row = await bench.close(store, room, "abcde")
            assert row is not None
            assert (row.contributors, row.why) == (5, None)
            assert await bench.contribute(store, room, "abcde") == ["crowd"] * 5

    asyncio.run(work())


def test_a_bucket_is_closed_once_and_not_before_its_end(bench: Bench):
    async def work() -> None:
        async with bench.open() as store, bench.open() as other:
            room = bench.make_room()
            await store.create(room)
            assert await store.close_bucket(room, bench.start + 9.9) is None
            assert await store.open_bucket(room) == 0
            if isinstance(store, MemoryStore):
                other = store
            await bench.join(store, room, "abcde")
            await bench.contribute(store, room, "abcde")
            bench.now = bench.start + 10
            rows = await asyncio.gather(*(s.close_bucket(room, bench.now) for s in (store, other) * 10))
            assert sum(row is not None for row in rows) == 1
            assert await other.open_bucket(room) == 1
            assert len((await other.read(room)).rows) == 1

    asyncio.run(work())


def test_a_bucket_without_anybody_has_no_row(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            await store.join(room, "a")
            bench.now += 50
            assert await store.close_bucket(room, bench.now) is None
            assert await store.open_bucket(room) == 5
            assert (await store.read(room)).rows == ()

    asyncio.run(work())


def test_strangers_do_not_contribute(bench: Bench):
    async def work() -> None:
        async with bench.open() as store:
            room = bench.make_room()
            await store.create(room)
            with pytest.raises(RoomUnknownError):
                await store.contribute(room, "a", bench.fine)
            with pytest.raises(RoomUnknownError):
                await store.join(bench.make_room("another"), "a")
            await store.join(room, "b")
            tries = (store.contribute(room, name, bench.fine) for name in "abc")
            answers = await asyncio.gather(*tries, return_exceptions=True)
            assert [isinstance(answer, RoomUnknownError) for answer in answers] == [True, False, True]

    asyncio.run(work())
