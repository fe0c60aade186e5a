"""Rooms go by time that passes, whatever becomes of the wall clock."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fervid.web.rooms.clock import SteadyClock
from fervid.web.rooms.selection import create_store
from fervid.web.settings import Settings

Server = Any  # of conftest.py


class WallClock:
    """The clock that somebody sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        self.read = time.time
        monkeypatch.setattr(time, "time", lambda: self.read() + self.ahead_s)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(monkeypatch)


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_steady_clock_follows_no_step(wall: WallClock, step_s: float) -> None:
    clock = SteadyClock()
    assert clock() == pytest.approx(wall.read(), abs=1)
    before = clock()
    wall.ahead_s = step_s
    time.sleep(0.01)
    assert 0.01 <= clock() - before < 5


def test_rooms_in_memory_go_by_it(wall: WallClock, room_settings: Settings) -> None:
    clock = create_store(room_settings).clock
    wall.ahead_s = 3600
    assert clock() == pytest.approx(wall.read(), abs=5)


def test_servers_that_share_rooms_agree_whatever_their_own_clocks_say(
    wall: WallClock, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, redis_url=redis_url)
    clocks = []
    for wall.ahead_s in (0.0, 3600.0, -86_400.0):
        clocks.append(create_store(settings).clock)
    for clock in clocks:
        assert clock() == pytest.approx(wall.read(), abs=5)  # the time of Redis, which is on this machine


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_step_of_the_wall_clock_skips_no_bucket_and_stops_none(
    serve: Any, room_settings: Settings, wall: WallClock, step_s: float
) -> None:
    async def work(server: Server) -> None:
        async with server.join(server.make_room(), "ada") as ada:
            await ada.wait_for("bucket")
            wall.ahead_s = step_s
            await ada.wait_for("bucket", lambda m: m["bucket"] >= 3)
            numbers = [m["bucket"] for m in ada.list("bucket")]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert (await ada.ask(type="pulse", choice="fine"))["bucket"] < 20

    with serve(room_settings, bucket_s=0.15) as server:
        asyncio.run(work(server))
