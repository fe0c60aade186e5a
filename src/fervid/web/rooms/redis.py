"""Rooms in Redis, shared by several processes; every key expires with its room."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

from fervid.errors import MissingExtraError, UsageError
from fervid.web.rooms import scripts
from fervid.web.rooms.aggregation import ABSENCE, Ledger, Values, close_bucket
from fervid.web.rooms.batching import Batcher
from fervid.web.rooms.clock import SteadyClock
from fervid.web.rooms.errors import RoomEndedError, RoomFullError, RoomUnknownError, UnavailableError
from fervid.web.rooms.records import warn_of_records
from fervid.web.rooms.room import (
    BUCKET_S,
    MAX_HANDS,
    MAX_MARKS,
    Hand,
    Mark,
    Room,
    Row,
    build_row,
    make_record,
)
from fervid.web.rooms.store import HAND_PATIENCE, Contents, Event, Listener, Receipt, Store, ignore_event, is_present
from fervid.web.rooms.texts import PARTS, PREFIX, ROOMS, format_person, name_key, parse_person, parse_rows, parse_sums

LOG: Final = logging.getLogger("fervid.web")
LOCK_MS: Final = 3000
"""A process that dies while it closes a bucket stops its room for so long."""

SUMS_S: Final = math.ceil(6 * BUCKET_S)
"""Open sums stay so long after the last contribution: where no process is left that closes their bucket, a sum, which
can be one person's answer, must not stay until the room's time is over. A bucket whose sums are gone is not shown."""

MOST_CONTRIBUTIONS: Final = 50
"""Of one call: few enough that Redis takes it for no slow one, which its slow log would keep, answers and all."""

COMPLAINT_S: Final = 10.0
"""The log says so often that Redis is away."""


class RedisStore(Store):
    """Keeps rooms in Redis.

    Args:
        url: ``redis://…``, ``rediss://…`` or ``unix://…``.
        clock: s since 1970; None takes the time from Redis, so that all servers agree, and goes on steadily from there.
        timeout_s: of one command.

    Raises:
        MissingExtraError: redis-py is not installed.
        UsageError: the URL is none.
        UnavailableError: nobody answers there.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] | None = None, timeout_s: float = 5.0) -> None:
        try:
            import redis
            import redis.asyncio
            import redis.asyncio.retry
            import redis.backoff
        except ImportError:
            raise MissingExtraError.for_extra("redis", "redis", "sharing rooms by --redis") from None
        now = _ask_time(url, timeout_s)
        self.listener: Listener = ignore_event
        self.clock = clock or SteadyClock(now)
        self._rng = random.SystemRandom()
        # BlockingConnectionPool: a burst of contributions waits for a connection and opens no thousand.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            decode_responses=True,
            max_connections=32,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
        )
        self._redis: Any = redis.asyncio.Redis(connection_pool=pool)
        # Without retries: redis-py would mend a lost connection in silence, and what was said meanwhile be missed.
        never = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)
        self._news: Any = redis.asyncio.Redis.from_url(
            url, decode_responses=True, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=never
        )
        self._errors = (redis.RedisError, OSError, TimeoutError)
        self._scripts = {
            name: self._redis.register_script(getattr(scripts, name))
            for name in ("CONTRIBUTE", "JOIN", "SEE", "PART", "RAISE", "MARK", "CREATE", "COMMIT", "UNLOCK")
        }
        self._contributions = Batcher(self._contribute, most=MOST_CONTRIBUTIONS)
        self._reader: asyncio.Task[None] | None = None
        self._complained_s = -COMPLAINT_S

    async def __aenter__(self) -> Self:
        async with self._reach():
            await self._redis.ping()
            await warn_of_records(self._redis)
        ready = asyncio.Event()
        self._reader = asyncio.create_task(self._read_events(ready), name="fervid-rooms-events")
        await ready.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
        await self._news.aclose(close_connection_pool=True)
        await self._redis.aclose(close_connection_pool=True)

    async def create(self, room: Room) -> bool:
        record = json.dumps(room.to_record())
        keys = [f"fervid:code:{room.code}", name_key(room.id, "meta"), ROOMS]
        arguments: list[str | int] = [room.id, record, math.ceil(room.expires_at), math.floor(self.clock())]
        async with self._reach():
            return bool(await self._scripts["CREATE"](keys=keys, args=arguments))

    async def count(self) -> int:
        async with self._reach():
            return int(await self._redis.zcount(ROOMS, f"({self.clock()}", "+inf"))

    async def find(self, room_id: str) -> Room | None:
        async with self._reach():
            record, ended = await self._redis.hmget(name_key(room_id, "meta"), "record", "ended")
        if record is None:
            return None
        room = Room.from_record(json.loads(record))
        return None if self.clock() >= room.expires_at else replace(room, ended=ended == "1")

    async def find_code(self, code: str) -> Room | None:
        async with self._reach():
            room_id = await self._redis.get(f"fervid:code:{code}")
        return None if room_id is None else await self.find(room_id)

    async def end(self, room: Room) -> None:
        found = await self.find(room.id)
        if found is None or found.ended:
            return
        async with self._reach(), self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(name_key(room.id, "meta"), "ended", 1)
            pipe.delete(*(name_key(room.id, part) for part in ("people", "sums", "hands", "hands_seen")))
            pipe.delete(f"fervid:code:{room.code}")
            await pipe.execute()
        await self._emit(room, {"type": "ended"})

    async def delete(self, room: Room) -> None:
        found = await self.find(room.id)
        async with self._reach(), self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(*(name_key(room.id, part) for part in PARTS))
            if found is not None and not found.ended:
                pipe.delete(f"fervid:code:{room.code}")
            pipe.zrem(ROOMS, room.id)
            await pipe.execute()
        if found is not None:
            await self._emit(room, {"type": "deleted"})

    async def open_bucket(self, room: Room) -> int:
        async with self._reach():
            bucket, ended = await self._redis.hmget(name_key(room.id, "meta"), "bucket", "ended")
        if bucket is None:
            raise RoomUnknownError
        if ended == "1":
            raise RoomEndedError
        return int(bucket)

    async def join(self, room: Room, member: str) -> None:
        answer = await self._run("JOIN", room.id, ("people",), member, room.max_participants, room.max_known)
        if answer[0] == "crowded":
            raise RoomFullError.of_known(room.max_known)
        if answer[0] == "full":
            raise RoomFullError.of_participants(room.max_participants)
        await self._emit(room, {"type": "present"})

    async def contribute(self, room: Room, member: str, values: Values) -> Receipt:
        bucket, counted = await self._contributions.ask(room.id, (member, values))
        if counted == "stranger":
            raise RoomUnknownError("this participant is not in the room", advice="Join again.")
        return Receipt(bucket, counted)

    async def _contribute(self, room_id: str, items: Sequence[tuple[str, Values]]) -> list[tuple[int, Any]]:
        """The open bucket and what each contribution counts as."""
        arguments: list[str | int] = [len(items[0][1]), SUMS_S]
        for member, values in items:
            arguments += (member, *values)
        _, bucket, *counted = await self._run("CONTRIBUTE", room_id, ("people", "sums"), *arguments)
        return [(int(bucket), each) for each in counted]

    async def touch(self, room: Room, members: Sequence[str], hands: Sequence[str]) -> None:
        with suppress(RoomUnknownError, RoomEndedError):
            await self._run("SEE", room.id, ("people", "hands", "hands_seen"), len(members), *members, *hands)

    async def disconnect(self, room: Room, member: str) -> None:
        await self._part(room, member, gone=0)

    async def leave(self, room: Room, member: str) -> None:
        await self._part(room, member, gone=1)

    async def close_bucket(self, room: Room, now: float) -> Row | None:
        following = room.find_bucket(now)
        async with self._reach():
            meta = await self._redis.hmget(name_key(room.id, "meta"), "bucket", "ended")
            if meta[0] is None or meta[1] == "1" or following <= int(meta[0]):
                return None
            token = secrets.token_hex(8)
            if not await self._redis.set(name_key(room.id, "lock"), token, nx=True, px=LOCK_MS):
                return None  # another process closes it
            try:
                return await self._close(room, following, token)
            finally:
                await self._scripts["UNLOCK"](keys=[name_key(room.id, "lock")], args=[token])

    async def _close(self, room: Room, following: int, token: str) -> Row | None:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hmget(name_key(room.id, "meta"), "bucket", "crowds", "next")
            pipe.hgetall(name_key(room.id, "people"))
            pipe.hgetall(name_key(room.id, "sums"))
            pipe.hgetall(name_key(room.id, "hands_seen"))
            (bucket, crowds, next_crowd), texts, sums, hands_seen = await pipe.execute()
        if bucket is None or following <= int(bucket):
            return None
        ledger = Ledger(
            int(bucket),
            {member: parse_person(text) for member, text in texts.items()},
            {int(crowd): last for crowd, last in json.loads(crowds).items()},
            int(next_crowd),
        )
        closing = close_bucket(ledger, parse_sums(sums, len(room.options)), following, room.rules, self._rng)
        record = make_record(ledger.bucket, closing)
        kept = {member: format_person(person) for member, person in closing.ledger.people.items()}
        hands = [hand for hand, seen in hands_seen.items() if following - int(seen) > HAND_PATIENCE]
        changes = {
            "bucket": following,
            "next": closing.ledger.next_crowd,
            "crowds": json.dumps(dict(closing.ledger.crowds)),
            "set": {member: text for member, text in kept.items() if texts[member] != text},
            "remove": [member for member in texts if member not in kept],
            "hands": hands,
            "row": "" if record is None else json.dumps(record),
        }
        keys = [name_key(room.id, part) for part in ("lock", "meta", "people", "sums", "rows", "hands", "hands_seen")]
        if not await self._scripts["COMMIT"](keys=keys, args=[token, ledger.bucket, json.dumps(changes)]):
            return None
        for hand in hands:
            await self._emit(room, {"type": "lowered", "hand": hand})
        if hands:
            await self._emit(room, {"type": "hands"})
        if record is None:
            return None
        row = build_row(room, record)
        await self._emit(room, {"type": "row", "row": row.to_dict()})
        return row

    async def read(self, room: Room) -> Contents:
        async with self._reach(), self._redis.pipeline(transaction=True) as pipe:
            pipe.lrange(name_key(room.id, "rows"), 0, -1)
            pipe.lrange(name_key(room.id, "marks"), 0, -1)
            records, marks = await pipe.execute()
        hands, present = await self.read_present(room)
        rows = await asyncio.to_thread(parse_rows, room, records)  # there may be a day of them
        return Contents(rows, tuple(Mark(**json.loads(mark)) for mark in marks), hands, present)

    async def read_present(self, room: Room) -> tuple[tuple[Hand, ...], int]:
        async with self._reach(), self._redis.pipeline(transaction=True) as pipe:
            pipe.hget(name_key(room.id, "meta"), "bucket")
            pipe.hvals(name_key(room.id, "hands"))
            pipe.hvals(name_key(room.id, "people"))
            bucket, texts, people = await pipe.execute()
        if bucket is None:
            raise RoomUnknownError
        hands = sorted((Hand(**json.loads(text)) for text in texts), key=lambda hand: hand.at_s)
        return tuple(hands), sum(is_present(parse_person(text), int(bucket)) for text in people)

    async def add_mark(self, room: Room, mark: Mark) -> None:
        answer = await self._run("MARK", room.id, ("marks",), json.dumps(mark.to_dict()), MAX_MARKS)
        if answer[0] == "full":
            raise RoomFullError.of_marks(MAX_MARKS)
        await self._emit(room, {"type": "mark", "mark": mark.to_dict()})

    async def raise_hand(self, room: Room, hand: Hand) -> None:
        parts = ("hands", "hands_seen")
        record = json.dumps(hand.to_record())
        answer = await self._run("RAISE", room.id, parts, hand.id, record, MAX_HANDS, hand.owner)
        if answer[0] == "full":
            raise RoomFullError.of_hands(MAX_HANDS)
        for replaced in answer[2:]:
            await self._emit(room, {"type": "lowered", "hand": replaced})
        await self._emit(room, {"type": "hands"})

    async def lower_hand(self, room: Room, hand_id: str) -> None:
        async with self._reach():
            lowered = await self._redis.hdel(name_key(room.id, "hands"), hand_id)
            await self._redis.hdel(name_key(room.id, "hands_seen"), hand_id)
        if lowered:
            await self._emit(room, {"type": "lowered", "hand": hand_id})
            await self._emit(room, {"type": "hands"})

    async def _part(self, room: Room, member: str, *, gone: int) -> None:
        with suppress(RoomUnknownError, RoomEndedError):
            await self._run("PART", room.id, ("people",), member, gone, ABSENCE)
            await self._emit(room, {"type": "present"})

    async def _run(self, name: str, room_id: str, parts: tuple[str, ...], *arguments: str | int) -> list[Any]:
        """What a script says of a room. Waits while another process holds the lock."""
        keys = [name_key(room_id, part) for part in ("lock", "meta", *parts)]
        async with self._reach():
            for _ in range(LOCK_MS // 10):
                answer: list[Any] = await self._scripts[name](keys=keys, args=list(arguments))
                if answer[0] != "locked":
                    break
                await asyncio.sleep(0.01)
            else:
                raise UnavailableError("the room is being counted")
        if answer[0] == "unknown":
            raise RoomUnknownError
        if answer[0] == "ended":
            raise RoomEndedError
        return answer

    async def _emit(self, room: Room, event: Event) -> None:
        async with self._reach():
            await self._redis.publish(f"{PREFIX}{room.id}", json.dumps(event))

    @asynccontextmanager
    async def _reach(self) -> AsyncIterator[None]:
        try:
            yield
        except self._errors as error:
            self._complain(error)
            raise UnavailableError from error

    def _complain(self, error: Exception) -> None:
        if time.monotonic() - self._complained_s >= COMPLAINT_S:
            self._complained_s = time.monotonic()
            LOG.error("Redis cannot be reached: %s; trying again", error)

    async def _read_events(self, ready: asyncio.Event) -> None:
        """Hand events to the listener, for ever; after a lost connection, again from the next event on."""
        wait_s = 0.1
        while True:
            try:
                async with self._news.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.psubscribe(f"{PREFIX}*")
                    if ready.is_set():
                        self.listener("", {"type": "back"})
                    ready.set()
                    wait_s = 0.1
                    while True:
                        message = await pubsub.get_message(timeout=1.0)
                        if message is not None:
                            self.listener(message["channel"].removeprefix(PREFIX), json.loads(message["data"]))
            except self._errors as error:
                self._complain(error)
                # The other connections are as lost, and each would fail the command that meets it first.
                await self._redis.connection_pool.disconnect(inuse_connections=False)
                self.listener("", {"type": "away"})
            await asyncio.sleep(wait_s)
            wait_s = min(5.0, wait_s * 2)


def _ask_time(url: str, timeout_s: float) -> float:
    """What time Redis has, s since 1970; before the server starts, so that it can be said plainly if nobody answers."""
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s) as client:
            answer: Any = client.time()
    except ValueError as error:
        raise UsageError(f"the URL of Redis is none ({error})", advice="Use redis://HOST:PORT/0.") from None
    except (redis.RedisError, OSError) as error:
        raise UnavailableError(
            f"Redis cannot be reached ({error})", advice="Check --redis, and that Redis runs there."
        ) from None
    seconds, microseconds = answer
    return float(seconds) + float(microseconds) / 1e6
