"""Rooms as the routes and sockets use them: who may do what."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

from fervid.errors import UsageError
from fervid.web.errors import TooManyError
from fervid.web.limits import Places, RateLimiter
from fervid.web.rooms import codes
from fervid.web.rooms.aggregation import Values
from fervid.web.rooms.audience import Audience
from fervid.web.rooms.errors import (
    RoomEndedError,
    RoomFullError,
    RoomKeyError,
    RoomUnknownError,
    UnavailableError,
    check_kind,
)
from fervid.web.rooms.links import MAX_HOSTS, Link, dump
from fervid.web.rooms.room import BUCKET_S, HOLD_S, LARGEST_GROUP, Hand, Kind, Mark, Question, Room
from fervid.web.rooms.selection import create_store
from fervid.web.rooms.store import MAX_ROOMS, Contents, Receipt, Store
from fervid.web.settings import Settings

GUESSES: Final = 20
"""Wrong codes or keys of one address in a minute."""

LOOKUPS: Final = GUESSES // 2
"""Codes that are looked up at the same time: fewer than :data:`GUESSES`, so that a class whose right codes are all
under way is not taken for somebody who guesses."""

READS: Final = 4
"""Rooms that hosts read at the same time: a day of rows takes a thread for a second, which slows everything else."""


class Rooms:
    """All rooms of a server.

    Args:
        settings: ``min_group``, ``room_hours``, ``redis_url``, ``allow_expression_rooms``, ``statement``.
        record_statement: keeps the operator's statement; called in a thread at the start, when expression rooms are
            allowed.
        store: instead of the one that ``settings`` name.
        bucket_s: how long sums run.
        hold_s: how long a page repeats one choice.

    Attributes:
        reads: a place is taken while a host reads a whole room.

    Raises:
        UsageError: expression rooms are allowed without a statement.
        MissingExtraError: Redis is wanted and redis-py is not installed.
        UnavailableError: Redis is wanted and does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        record_statement: Callable[[str], object] | None = None,
        store: Store | None = None,
        bucket_s: float = BUCKET_S,
        hold_s: float = HOLD_S,
    ) -> None:
        if settings.allow_expression_rooms and not settings.statement.strip():
            raise UsageError(
                "expression rooms are allowed without a statement",
                advice="Say who runs this server, why, and on which legal ground: --statement TEXT. It is recorded.",
            )
        if settings.min_group > LARGEST_GROUP:
            raise UsageError(f"min_group is {settings.min_group}", advice=f"Use {LARGEST_GROUP} or less.")
        self.settings = settings
        self.bucket_s, self.hold_s = bucket_s, hold_s
        self._record_statement = record_statement
        self._store = store or create_store(settings)
        self._clock = self._store.clock
        self._audience = Audience(self._store, lambda room: self.describe(room, type="snapshot"))
        self._guesses = codes.AddressLimit("too many wrong codes or keys", GUESSES, 300)
        self.reads = Places(READS, "rooms are being read", retry_after_s=2)
        self._lookups = asyncio.Semaphore(LOOKUPS)
        self._creations = codes.AddressLimit("too many rooms are made", 20, 300)
        share = MAX_ROOMS / 4  # while a room lasts as much comes again: half of all at most
        self._share = RateLimiter(share / (settings.room_hours * 3600), share, "rooms")

    async def __aenter__(self) -> Self:
        if self.settings.allow_expression_rooms and self._record_statement is not None:
            await asyncio.to_thread(self._record_statement, self.settings.statement)
        await self._store.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._audience.stop()
        await self._store.__aexit__(kind, error, trace)

    async def create(
        self, kind: Kind, question: Question | None, title: str, min_group: int | None, address: str
    ) -> tuple[Room, str]:
        """A new room, and the host's key, which nobody can be told again.

        Raises:
            ExpressionRoomsError: the server does not make this kind.
            UsageError: the group is smaller than the server allows, or larger than is of use.
            TooManyError: this address, or everybody, makes too many.
        """
        check_kind(kind, allowed=self.settings.allow_expression_rooms)
        least = self.settings.min_group
        group = least if min_group is None else min_group
        if not least <= group <= LARGEST_GROUP:
            raise UsageError(f"min_group is {group}", advice=f"Use {least} to {LARGEST_GROUP}.")
        if await self._store.count() >= MAX_ROOMS:
            raise TooManyError(f"{MAX_ROOMS} rooms are open, which is all a server holds", retry_after_s=600)
        self._creations.spend(address)
        self._share.check(address)
        now = self._clock()
        key = codes.make_key()
        for _ in range(20):
            room = Room(
                codes.make_id(),
                codes.hash_key(key),
                codes.make_code(),
                kind,
                (question or "pace") if kind == "pulse" else None,
                title,
                group,
                now,
                now + self.settings.room_hours * 3600,
                self.bucket_s,
                self.hold_s,
            )
            if await self._store.create(room):
                return room, key
        raise TooManyError("no free code was found", retry_after_s=1)

    async def find_by_code(self, text: str, address: str) -> Room:
        """The room that is joined by a code.

        Raises:
            RoomUnknownError: none is.
            TooManyError: this address, or everybody, guessed wrong too often.
        """
        async with self._lookups:
            self._guesses.spend(address)  # first: while this one is looked up, others of the address may guess
            try:
                room = await self._store.find_code(codes.normalise_code(text))
            except UnavailableError:
                self._guesses.give_back(address)
                raise
        if room is None:
            raise RoomUnknownError("no room has this code")
        self._guesses.give_back(address)
        return room

    async def admit(self, room_id: str, text: str, address: str) -> Room:
        """The room of an id, for whoever has its code too: also when others at their address guessed wrong too often.

        Raises:
            RoomUnknownError: there is none, or its code is another.
            RoomEndedError: it has ended.
            TooManyError: the code is wrong, and this address, or everybody, guessed wrong too often.
        """
        room = await self._store.find(room_id)
        if room is None:
            raise RoomUnknownError
        if codes.normalise_code(text) != room.code:
            self._guesses.spend(address)
            raise RoomUnknownError("the code is another room's")
        if room.ended:
            raise RoomEndedError
        return room

    async def authorise(self, room_id: str, key: str, address: str) -> Room:
        """The room of an id, for whoever has its key: also when others at their address guessed wrong too often.

        Raises:
            RoomUnknownError: there is none.
            RoomKeyError: the key is another.
            TooManyError: it is, and this address, or everybody, guessed wrong too often.
        """
        room = await self._store.find(room_id)
        if room is not None and codes.is_key(key, room.key_hash):
            return room
        self._guesses.spend(address)
        raise RoomUnknownError if room is None else RoomKeyError

    async def read(self, room: Room) -> Contents:
        """What the host sees."""
        return await self._store.read(room)

    async def describe(self, room: Room, **more: Any) -> str:
        """What the host sees, as JSON; with ``more`` before it."""
        contents = await self._store.read(room)
        snapshot = {
            **more,
            "room": room.to_dict(),
            "now_s": round(self._clock() - room.created_at, 3),
            "present": contents.present,
            "marks": [mark.to_dict() for mark in contents.marks],
            "hands": [hand.to_dict() for hand in contents.hands],
        }
        return await asyncio.to_thread(lambda: dump({**snapshot, "rows": [row.to_dict() for row in contents.rows]}))

    async def mark(self, room: Room, text: str) -> Mark:
        """Mark this moment."""
        mark = Mark(secrets.token_urlsafe(6), round(self._clock() - room.created_at, 3), text)
        await self._store.add_mark(room, mark)
        return mark

    async def lower_hand(self, room: Room, hand_id: str) -> None:
        """Somebody was heard."""
        await self._store.lower_hand(room, hand_id)

    async def end(self, room: Room) -> Room:
        """Nobody contributes any more."""
        await self._store.end(room)
        found = await self._store.find(room.id)
        if found is None:
            raise RoomUnknownError
        return found

    async def delete(self, room: Room) -> None:
        """Nothing is left."""
        await self._store.delete(room)

    async def attach_participant(self, room: Room, link: Link, token: str) -> None:
        """Let somebody in, and welcome them.

        Raises:
            RoomUnknownError: the room is gone.
            RoomEndedError: it has ended.
            RoomFullError: as many are there as may be.
        """
        await self._store.close_bucket(room, self._clock())  # nobody may have been there to close it
        link.member = codes.hash_token(room.id, token)
        link.hand_owner = codes.hash_token(f"hand:{room.id}", token)
        await self._store.join(room, link.member)
        bucket = await self._store.open_bucket(room)
        self._audience.open(room).admit(link)
        ends_in_s = max(0.0, room.find_end(bucket) - self._clock())
        link.send({"type": "welcome", "room": room.to_dict(), "bucket": bucket, "ends_in_s": round(ends_in_s, 3)})

    async def attach_host(self, room: Room, link: Link, address: str) -> None:
        """Show a host the room.

        Raises:
            RoomUnknownError: the room is gone.
            RoomFullError: as many hosts are there as may be.
            TooManyError: this address, or everybody, reads too many rooms now.
        """
        local = self._audience.open(room)
        if len(local.hosts) >= MAX_HOSTS:
            raise RoomFullError.of_hosts(MAX_HOSTS)
        link.keep()  # news of the time in which the snapshot is made come after it
        local.hosts.add(link)
        with self.reads.take(address):
            link.release(await self.describe(room, type="snapshot"))

    async def contribute(self, room: Room, link: Link, values: Values) -> Receipt:
        """Count what a participant sent, and forget it."""
        try:
            return await self._store.contribute(room, link.member, values)
        except RoomUnknownError:  # this process was away for so long that others forgot its participants
            await self._store.join(room, link.member)
            return await self._store.contribute(room, link.member, values)

    async def raise_hand(self, room: Room, link: Link, name: str) -> Hand:
        """Raise a participant's hand, or rename it; one that they raised over another connection is lowered."""
        if link.hand is None:
            at_s = round(self._clock() - room.created_at, 3)
            hand = Hand(secrets.token_urlsafe(6), name, at_s, link.hand_owner)
        else:
            hand = replace(link.hand, name=name)
        await self._store.raise_hand(room, hand)
        link.hand = hand
        return hand

    async def lower_own_hand(self, room: Room, link: Link) -> None:
        """A participant lowers their hand."""
        hand, link.hand = link.hand, None
        if hand is not None:
            await self._store.lower_hand(room, hand.id)

    async def detach(self, room: Room, link: Link, *, left: bool = False) -> None:
        """A browser is gone: ``left`` when it said so."""
        local = self._audience.find(room.id)
        if local is not None:
            local.participants.discard(link)
            local.hosts.discard(link)
        if not link.member:
            return
        elsewhere = local is not None and any(other.member == link.member for other in local.participants)
        with suppress(UnavailableError, RoomUnknownError, RoomEndedError):  # what is left behind expires
            await self.lower_own_hand(room, link)
            if left:
                await self._store.leave(room, link.member)
            elif not elsewhere:
                await self._store.disconnect(room, link.member)
