"""Where rooms are kept: what every store does. One keeps them in memory, one in Redis; the same tests run over both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fervid.web.rooms.aggregation import Counted, Person, Values
from fervid.web.rooms.room import Hand, Mark, Room, Row

Event = dict[str, Any]
"""``{"type": "row" | "mark" | "hands" | "present" | "lowered" | "ended" | "deleted", …}``; tells nothing of one person
but their hand. With an empty room, ``{"type": "away" | "back"}``: news are lost, come again."""

Listener = Callable[[str, Event], None]
"""Called with a room's id and what happened in it, wherever it happened."""

MAX_ROOMS: Final = 1000

HAND_PATIENCE: Final = 3
"""Buckets after which a hand is lowered that no server process vouches for."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a contribution.

    Attributes:
        bucket: the open one.
        counted: whether and how it counts.
    """

    bucket: int
    counted: Counted


@dataclass(frozen=True, slots=True)
class Contents:
    """What a host sees."""

    rows: tuple[Row, ...]
    marks: tuple[Mark, ...]
    hands: tuple[Hand, ...]
    present: int


class Store(AbstractAsyncContextManager["Store"], Protocol):
    """Rooms, and the news of them.

    Methods that change a room do nothing to one that is not there: it may have expired a moment ago.
    Every method raises UnavailableError when what the store needs cannot be reached.
    """

    listener: Listener
    """Told of every event of every room, from any process."""

    clock: Callable[[], float]
    """s since 1970; passes steadily, and agrees in all processes that share the rooms."""

    async def create(self, room: Room) -> bool:
        """Keep a new room; False when its code is taken."""

    async def count(self) -> int:
        """Rooms that are kept."""

    async def find(self, room_id: str) -> Room | None:
        """The room of an id, ended ones too."""

    async def find_code(self, code: str) -> Room | None:
        """The room that is joined by a code; ended ones have none."""

    async def end(self, room: Room) -> None:
        """Nobody can contribute any more; the rows stay. Emits ``ended``."""

    async def delete(self, room: Room) -> None:
        """Nothing of the room is left. Emits ``deleted``."""

    async def open_bucket(self, room: Room) -> int:
        """The number of the bucket that contributions go to.

        Raises:
            RoomUnknownError: the room is gone.
        """

    async def join(self, room: Room, member: str) -> None:
        """A participant is there, for the first time or again. Emits ``present``.

        Raises:
            RoomUnknownError: the room is gone.
            RoomFullError: as many are there as may be, or came lately.
        """

    async def contribute(self, room: Room, member: str, values: Values) -> Receipt:
        """Add a contribution to the sums of the open bucket, and forget it.

        Raises:
            RoomUnknownError: the room is gone, or the participant did not join.
            RoomEndedError: the room has ended.
        """

    async def touch(self, room: Room, members: Sequence[str], hands: Sequence[str]) -> None:
        """These participants are still connected and these hands still raised."""

    async def disconnect(self, room: Room, member: str) -> None:
        """A participant's connection is lost; they may come back. Emits ``present``."""

    async def leave(self, room: Room, member: str) -> None:
        """A participant left. Emits ``present``."""

    async def close_bucket(self, room: Room, now: float) -> Row | None:
        """Close the open bucket if it is over; the row, when this process closed it and there is one. Emits ``row``."""

    async def read(self, room: Room) -> Contents:
        """What the host sees."""

    async def read_present(self, room: Room) -> tuple[tuple[Hand, ...], int]:
        """The hands, first raised first, and how many are there."""

    async def add_mark(self, room: Room, mark: Mark) -> None:
        """Keep a mark. Emits ``mark``.

        Raises:
            RoomFullError: there are as many as may be.
        """

    async def raise_hand(self, room: Room, hand: Hand) -> None:
        """Raise a hand, or rename the one of that id; another one of its owner is lowered. Emits ``hands``.

        Raises:
            RoomFullError: there are as many as may be.
        """

    async def lower_hand(self, room: Room, hand_id: str) -> None:
        """Lower a hand; it may be down already. Emits ``lowered`` and ``hands``."""


def ignore_event(room_id: str, event: Event) -> None:
    """A listener of nobody."""


def is_present(person: Person, bucket: int) -> bool:
    """Whether a participant's browser is connected, as far as is known in ``bucket``."""
    return not person.gone and bucket - person.seen <= 1
