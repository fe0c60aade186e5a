"""Everybody who is connected to this process, room by room: the clock of each room, and the news."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from fervid.web.rooms.aggregation import ABSENCE
from fervid.web.rooms.errors import RoomUnknownError, UnavailableError
from fervid.web.rooms.links import Local, tell
from fervid.web.rooms.room import Room
from fervid.web.rooms.store import Event, Store

LOG: Final = logging.getLogger("fervid.web")
NEWS_S: Final = 0.5  # hands and the number of people are told a host so often


class Audience:
    """Tells hosts and participants who are connected here when buckets open, and what happens.

    Args:
        store: of the rooms; tells what happens in them from now on.
        describe: what the host of a room sees, as the JSON of a ``snapshot``.
    """

    def __init__(self, store: Store, describe: Callable[[Room], Awaitable[str]]) -> None:
        self._store = store
        self._store.listener = self._hear
        self._clock = store.clock
        self._describe = describe
        self._local: dict[str, Local] = {}

    async def stop(self) -> None:
        """Nobody is told anything any more."""
        tasks = [t for local in self._local.values() for t in (local.ticker, local.news, local.refresh) if t]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def find(self, room_id: str) -> Local | None:
        """Those of a room, when somebody was connected lately."""
        return self._local.get(room_id)

    def open(self, room: Room) -> Local:
        """Those of a room; from now on its buckets are closed in time."""
        local = self._local.get(room.id)
        if local is None:
            local = self._local[room.id] = Local(room)
            local.ticker = asyncio.create_task(self._tick(local), name=f"fervid-room-{room.id}")
        return local

    def _close(self, local: Local) -> None:
        self._local.pop(local.room.id, None)
        if local.ticker is not None and local.ticker is not asyncio.current_task():
            local.ticker.cancel()

    async def _tick(self, local: Local) -> None:
        """Close buckets at their end, while somebody of the room is connected here, and then until all are forgotten:
        neither open sums nor hashes of tokens are left behind.
        """
        room, deserted = local.room, 0
        while deserted <= room.rules.hold + ABSENCE + 1:
            bucket = room.find_bucket(self._clock())
            await asyncio.sleep(max(0.001, min(room.find_end(bucket), room.expires_at) - self._clock()))
            now = self._clock()
            if now >= room.expires_at:
                self._say_goodbye(local, {"type": "deleted"})
                return
            if now < room.find_end(bucket):
                continue  # the timer was a little early
            members = [link.member for link in local.participants]
            hands = [link.hand.id for link in local.participants if link.hand is not None]
            is_closed = False
            try:
                await self._store.close_bucket(room, now)
                await self._store.touch(room, members, hands)  # in the new bucket, however late it opened
                is_closed = True
            except UnavailableError as error:
                tell(local.hosts, {"type": "unavailable", "error": error.to_dict()})
                self._hear_of_store(local, "back")  # tries until it is, and tells hosts that the trouble is over
            except Exception:  # a room's clock never stops
                LOG.exception("a bucket of a room could not be closed")
            ends_in_s = round(max(0.0, room.find_end(bucket + 1) - self._clock()), 3)
            # Hosts too: whoever hears nothing for some buckets knows that the connection is dead.
            tell((*local.participants, *local.hosts), {"type": "bucket", "bucket": bucket + 1, "ends_in_s": ends_in_s})
            # While the store is away nobody is forgotten: those buckets do not count.
            deserted = 0 if local.participants or local.hosts else deserted + is_closed
        self._close(local)

    def _hear(self, room_id: str, event: Event) -> None:
        """Something happened in a room, here or in another process."""
        kind = event["type"]
        if not room_id:
            for local in list(self._local.values()):
                self._hear_of_store(local, kind)
            return
        if room_id not in self._local:
            return
        local = self._local[room_id]
        if kind in ("row", "mark"):
            tell(local.hosts, event)
        elif kind in ("hands", "present"):
            if local.news is None and local.hosts:
                local.news = asyncio.create_task(self._tell_news(local))
        elif kind == "lowered":
            for link in local.participants:
                if link.hand is not None and link.hand.id == event["hand"]:
                    link.hand = None
                    link.send({"type": "hand", "hand": None})
        elif kind in ("ended", "deleted"):
            self._say_goodbye(local, event)

    def _hear_of_store(self, local: Local, kind: str) -> None:
        if kind == "away":
            tell(local.hosts, {"type": "unavailable", "error": UnavailableError().to_dict()})
        elif local.refresh is None or local.refresh.done():
            local.refresh = asyncio.create_task(self._refresh(local))

    async def _refresh(self, local: Local) -> None:
        """Everything anew: what happened while nothing could be heard is in no event."""
        wait_s = 0.2
        while self._local.get(local.room.id) is local:
            try:
                found = await self._store.find(local.room.id)
                if found is None or found.ended:
                    self._say_goodbye(local, {"type": "deleted" if found is None else "ended"})
                else:
                    tell(local.hosts, await self._describe(local.room))
                return
            except RoomUnknownError:  # ended since: that is an event
                return
            except UnavailableError:
                await asyncio.sleep(wait_s)
                wait_s = min(5.0, wait_s * 2)

    async def _tell_news(self, local: Local) -> None:
        await asyncio.sleep(NEWS_S)
        local.news = None
        with suppress(UnavailableError, RoomUnknownError):
            hands, present = await self._store.read_present(local.room)
            tell(local.hosts, {"type": "hands", "hands": [hand.to_dict() for hand in hands]})
            tell(local.hosts, {"type": "present", "present": present})

    def _say_goodbye(self, local: Local, event: Event) -> None:
        tell(local.participants, {"type": "ended"})
        if event["type"] == "ended":
            room = {**local.room.to_dict(), "code": None, "ended": True}
            tell(local.hosts, {"type": "ended", "room": room})
        else:
            tell(local.hosts, {"type": "deleted"})
        for link in (*local.participants, *local.hosts):
            link.close()
        self._close(local)
