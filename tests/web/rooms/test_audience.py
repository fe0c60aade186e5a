"""The clock of a room in which nobody is any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fervid.web.rooms.audience import Audience
from fervid.web.rooms.errors import UnavailableError
from fervid.web.rooms.memory import MemoryStore
from fervid.web.rooms.room import Room


def test_a_deserted_room_is_watched_until_a_store_that_was_away_has_forgotten_all(monkeypatch: pytest.MonkeyPatch):
    async def describe(_: Room) -> str:
        return "{}"

    async def fail(*_: Any) -> None:
        raise UnavailableError

    async def work() -> None:
        async with MemoryStore() as store:
            now = store.clock()
            room = Room(
                "r" * 16, "0" * 64, "K7PM3Q", "pulse", "pace", "", 5, now, now + 3600, bucket_s=0.01, hold_s=0.01
            )
            await store.create(room)
            audience = Audience(store, describe)
            with monkeypatch.context() as patch:
                patch.setattr(store, "close_bucket", fail)
                audience.open(room)
                await asyncio.sleep(0.3)  # many buckets
                assert audience.find(room.id) is not None
            async with asyncio.timeout(10):
                while audience.find(room.id) is not None:
                    await asyncio.sleep(0.01)
            await audience.stop()

    asyncio.run(work())
