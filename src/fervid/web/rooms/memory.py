"""Rooms in the memory of one process; a restart ends them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from fervid.web.rooms.aggregation import (
    ABSENCE,
    Ledger,
    Person,
    Sums,
    Tally,
    Values,
    close_bucket,
    place_contribution,
)
from fervid.web.rooms.clock import SteadyClock
from fervid.web.rooms.errors import RoomEndedError, RoomFullError, RoomUnknownError
from fervid.web.rooms.room import (
    MAX_HANDS,
    MAX_MARKS,
    Hand,
    Mark,
    Record,
    Room,
    Row,
    build_row,
    build_rows,
    make_record,
)
from fervid.web.rooms.store import HAND_PATIENCE, Contents, Event, Listener, Receipt, Store, ignore_event, is_present

SWEEP_S: Final = 30.0
"""Rooms are over at most so long after their time."""


@dataclass(slots=True)
class _Shelf:
    room: Room
    bucket: int = 0
    people: dict[str, Person] = field(default_factory=dict)
    crowds: dict[int, int] = field(default_factory=dict)
    next_crowd: int = 1
    sums: Sums = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    hands: dict[str, Hand] = field(default_factory=dict)
    hands_seen: dict[str, int] = field(default_factory=dict)

    def count_present(self, bucket: int) -> int:
        return sum(is_present(person, bucket) for person in self.people.values())


class MemoryStore(Store):
    """Keeps rooms in this process; all of it runs on one event loop, so that every method is one step.

    Args:
        clock: s since 1970; None is a steady one.
    """

    def __init__(self, *, clock: Callable[[], float] | None = None) -> None:
        self.listener: Listener = ignore_event
        self.clock = clock or SteadyClock()
        self._rng = random.SystemRandom()
        self._shelves: dict[str, _Shelf] = {}
        self._codes: dict[str, str] = {}
        self._sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._sweeper = asyncio.create_task(self._keep_sweeping(), name="fervid-rooms-sweeper")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._shelves.clear()
        self._codes.clear()

    async def create(self, room: Room) -> bool:
        self._sweep()
        if room.code in self._codes:
            return False
        self._shelves[room.id] = _Shelf(room)
        self._codes[room.code] = room.id
        return True

    async def count(self) -> int:
        self._sweep()
        return len(self._shelves)

    async def find(self, room_id: str) -> Room | None:
        shelf = self._find(room_id)
        return None if shelf is None else shelf.room

    async def find_code(self, code: str) -> Room | None:
        return await self.find(self._codes.get(code, ""))

    async def end(self, room: Room) -> None:
        shelf = self._find(room.id)
        if shelf is None or shelf.room.ended:
            return
        shelf.room = replace(shelf.room, ended=True)
        shelf.people.clear()
        shelf.sums.clear()
        shelf.hands.clear()
        shelf.hands_seen.clear()
        self._codes.pop(room.code, None)
        self._emit(room, {"type": "ended"})

    async def delete(self, room: Room) -> None:
        if self._shelves.pop(room.id, None) is not None:
            if self._codes.get(room.code) == room.id:
                del self._codes[room.code]
            self._emit(room, {"type": "deleted"})

    async def open_bucket(self, room: Room) -> int:
        return self._open(room).bucket

    async def join(self, room: Room, member: str) -> None:
        shelf = self._open(room)
        known = shelf.people.get(member)
        if known is None and len(shelf.people) >= room.max_known:
            raise RoomFullError.of_known(room.max_known)
        if (known is None or not is_present(known, shelf.bucket)) and (
            shelf.count_present(shelf.bucket) >= room.max_participants
        ):
            raise RoomFullError.of_participants(room.max_participants)
        shelf.people[member] = replace(known or Person(), seen=shelf.bucket, gone=False)
        self._emit(room, {"type": "present"})

    async def contribute(self, room: Room, member: str, values: Values) -> Receipt:
        shelf = self._open(room)
        person = shelf.people.get(member)
        if person is None:
            raise RoomUnknownError("this participant is not in the room", advice="Join again.")
        counted, crowd = place_contribution(person, shelf.bucket)
        if counted != "already":
            shelf.people[member] = replace(person, contributed=shelf.bucket, seen=shelf.bucket)
        if crowd is not None:
            shelf.sums[crowd] = shelf.sums.get(crowd, Tally(0, (0,) * len(values))).add(values)
        return Receipt(shelf.bucket, counted)

    async def touch(self, room: Room, members: Sequence[str], hands: Sequence[str]) -> None:
        shelf = self._find(room.id)
        if shelf is None:
            return
        for member in members:
            if member in shelf.people:
                shelf.people[member] = replace(shelf.people[member], seen=shelf.bucket)
        shelf.hands_seen.update({hand: shelf.bucket for hand in hands if hand in shelf.hands})

    async def disconnect(self, room: Room, member: str) -> None:
        self._change(room, member, gone=False)

    async def leave(self, room: Room, member: str) -> None:
        self._change(room, member, gone=True)

    async def close_bucket(self, room: Room, now: float) -> Row | None:
        shelf = self._find(room.id)
        following = room.find_bucket(now)
        if shelf is None or shelf.room.ended or following <= shelf.bucket:
            return None
        closed = shelf.bucket
        ledger = Ledger(closed, shelf.people, shelf.crowds, shelf.next_crowd)
        closing = close_bucket(ledger, shelf.sums, following, room.rules, self._rng)
        shelf.bucket, shelf.next_crowd = following, closing.ledger.next_crowd
        shelf.people, shelf.crowds, shelf.sums = dict(closing.ledger.people), dict(closing.ledger.crowds), {}
        for hand in [h for h, seen in shelf.hands_seen.items() if following - seen > HAND_PATIENCE]:
            await self.lower_hand(room, hand)
        record = make_record(closed, closing)
        if record is None:
            return None
        shelf.records.append(record)
        row = build_row(room, record)
        self._emit(room, {"type": "row", "row": row.to_dict()})
        return row

    async def read(self, room: Room) -> Contents:
        shelf = self._find(room.id)
        if shelf is None:
            raise RoomUnknownError
        hands, present = await self.read_present(room)
        marks = tuple(shelf.marks)
        rows = await asyncio.to_thread(build_rows, room, tuple(shelf.records))  # there may be a day of them
        return Contents(rows, marks, hands, present)

    async def read_present(self, room: Room) -> tuple[tuple[Hand, ...], int]:
        shelf = self._find(room.id)
        if shelf is None:
            raise RoomUnknownError
        hands = sorted(shelf.hands.values(), key=lambda hand: hand.at_s)
        return tuple(hands), shelf.count_present(shelf.bucket)

    async def add_mark(self, room: Room, mark: Mark) -> None:
        shelf = self._open(room)
        if len(shelf.marks) >= MAX_MARKS:
            raise RoomFullError.of_marks(MAX_MARKS)
        shelf.marks.append(mark)
        self._emit(room, {"type": "mark", "mark": mark.to_dict()})

    async def raise_hand(self, room: Room, hand: Hand) -> None:
        shelf = self._open(room)
        for other in [h.id for h in shelf.hands.values() if hand.owner and h.owner == hand.owner and h.id != hand.id]:
            await self.lower_hand(room, other)
        if hand.id not in shelf.hands and len(shelf.hands) >= MAX_HANDS:
            raise RoomFullError.of_hands(MAX_HANDS)
        shelf.hands[hand.id] = hand
        shelf.hands_seen[hand.id] = shelf.bucket
        self._emit(room, {"type": "hands"})

    async def lower_hand(self, room: Room, hand_id: str) -> None:
        shelf = self._find(room.id)
        if shelf is not None and shelf.hands.pop(hand_id, None) is not None:
            shelf.hands_seen.pop(hand_id, None)
            self._emit(room, {"type": "lowered", "hand": hand_id})
            self._emit(room, {"type": "hands"})

    def _change(self, room: Room, member: str, *, gone: bool) -> None:
        shelf = self._find(room.id)
        if shelf is not None and member in shelf.people:
            person = shelf.people[member]
            shelf.people[member] = replace(person, seen=shelf.bucket - ABSENCE, gone=gone or person.gone)
            self._emit(room, {"type": "present"})

    def _find(self, room_id: str) -> _Shelf | None:
        shelf = self._shelves.get(room_id)
        if shelf is not None and self.clock() >= shelf.room.expires_at:
            self._sweep()
            return None
        return shelf

    def _open(self, room: Room) -> _Shelf:
        shelf = self._find(room.id)
        if shelf is None:
            raise RoomUnknownError
        if shelf.room.ended:
            raise RoomEndedError
        return shelf

    async def _keep_sweeping(self) -> None:
        """Rooms are deleted in time, also those that nobody asks for any more."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self._sweep()

    def _sweep(self) -> None:
        now = self.clock()
        for shelf in [s for s in self._shelves.values() if now >= s.room.expires_at]:
            del self._shelves[shelf.room.id]
            self._codes.pop(shelf.room.code, None)
            self._emit(shelf.room, {"type": "deleted"})

    def _emit(self, room: Room, event: Event) -> None:
        self.listener(room.id, event)
