"""Memory and Redis do the same, whatever happens in whatever order: Redis's scripts repeat what aggregation.py says."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

pytest.importorskip("redis")

from fervid.errors import FervidError
from fervid.web.rooms.memory import MemoryStore
from fervid.web.rooms.redis import RedisStore
from fervid.web.rooms.room import Hand, Room
from fervid.web.rooms.store import Store

START = 1_700_000_000.0
ROOM = Room(
    "r" * 16, "0" * 64, "K7PM3Q", "pulse", "pace", "", 3, START, 4_000_000_000.0, hold_s=40.0, max_participants=12
)


def write_script(seed: int, length: int) -> list[tuple[Any, ...]]:
    """A session: mostly people who contribute, and everything else that may happen."""
    rng = random.Random(seed)
    names = [f"p{i}" for i in range(14)]
    script: list[tuple[Any, ...]] = [("join", name) for name in names[:9]]
    for _ in range(length):
        there = rng.sample(names, rng.randint(8, 14))
        script += [("contribute", name, rng.randrange(5)) for name in there]
        rare = [
            ("join", rng.choice(names)),
            ("leave", rng.choice(names)),
            ("disconnect", rng.choice(names)),
            ("touch", there[:6]),
            ("raise", rng.choice("abc")),
            ("lower", rng.choice("abc")),
            ("contribute", rng.choice(names), 0),
        ]
        script += rng.sample(rare, rng.randint(0, 3))
        script += [("touch", there)] * (rng.random() < 0.8)
        script.append(("close", rng.choice([1, 1, 1, 1, 2, 5])))
    return script


async def play(store: Store, script: list[tuple[Any, ...]]) -> list[object]:
    """What a store says to a script."""
    said: list[object] = []
    now = START
    store._rng = random.Random(5)  # type: ignore[attr-defined]
    await store.create(ROOM)
    for action, *arguments in script:
        try:
            match action:
                case "join":
                    said.append(await store.join(ROOM, arguments[0]))
                case "leave":
                    said.append(await store.leave(ROOM, arguments[0]))
                case "disconnect":
                    said.append(await store.disconnect(ROOM, arguments[0]))
                case "touch":
                    said.append(await store.touch(ROOM, arguments[0], ["a"]))
                case "raise":
                    hand = Hand(
                        arguments[0], "x", 1.0 + ord(arguments[0]), "" if arguments[0] == "a" else "b's and c's"
                    )
                    said.append(await store.raise_hand(ROOM, hand))
                case "lower":
                    said.append(await store.lower_hand(ROOM, arguments[0]))
                case "contribute":
                    values = tuple(int(i == arguments[1]) for i in range(5))
                    said.append(await store.contribute(ROOM, arguments[0], values))
                case "close":
                    now += arguments[0] * ROOM.bucket_s
                    said.append(await store.close_bucket(ROOM, now))
                    said.append(await store.read_present(ROOM))
        except FervidError as error:
            said.append(error.code)
    said.append(await store.read(ROOM))
    return said


@pytest.mark.parametrize("seed", range(6))
def test_both_stores_say_the_same(seed: int, redis_url: str):
    script = write_script(seed, 40)

    async def work() -> tuple[list[object], list[object]]:
        async with MemoryStore(clock=lambda: START) as memory, RedisStore(redis_url, clock=lambda: START) as redis:
            return await play(memory, script), await play(redis, script)

    one, other = asyncio.run(work())
    for place, (a, b) in enumerate(zip(one, other, strict=True)):
        assert a == b, place
    rows = one[-1].rows  # type: ignore[attr-defined]
    assert len(rows) >= 30
    assert {row.why for row in rows} >= {"change"}
    assert any(row.contributors for row in rows)
    assert "room.unknown" in one
