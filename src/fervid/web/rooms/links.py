"""One browser's WebSocket: what is sent waits in a short queue, so that a slow reader never stalls a room."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from fervid.errors import FervidError
from fervid.web.errors import SlowError, TooManyError, close_with_error
from fervid.web.limits import TokenBucket
from fervid.web.rooms.errors import RoomFullError, RoomMessageError
from fervid.web.rooms.room import Hand, Room

MAX_HOSTS: Final = 8
"""Pages of hosts that a room takes in one process."""

MAX_LINKS: Final = 4
"""Connections of one participant that a room takes in one process: those that are dead and not yet known to be, too."""

BEHIND: Final = 64
"""Messages that a browser may be behind."""

SEND_S: Final = 20.0
FIRST_S: Final = 10.0
BURST: Final = 20
PER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Goodbye:
    error: FervidError | None = None


class Link:
    """A WebSocket of a participant or a host.

    Args:
        websocket: accepted.
        clock: monotonic, s.

    Attributes:
        hand: the raised one; only this link knows whose it is.
        hand_owner: another hash of the participant's token than ``member``, so that a store cannot tell which of its
            people raised a hand.
        member: the hash of a participant's token; empty for hosts.
        since_s: when it was made, by ``clock``.
    """

    def __init__(self, websocket: WebSocket, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.hand: Hand | None = None
        self.hand_owner = ""
        self.member = ""
        self.since_s = clock()
        self._websocket = websocket
        self._queue: asyncio.Queue[str | _Goodbye] = asyncio.Queue(BEHIND + 1)
        self._kept: list[str] | None = None
        self._closing = False
        self._allowance = TokenBucket(PER_S, BURST, clock=clock)

    def send(self, message: dict[str, Any] | str) -> None:
        """Send a message, or its JSON; a browser that is too far behind is dropped."""
        if self._closing:
            return
        text = message if isinstance(message, str) else dump(message)
        if self._kept is not None:
            self._kept.append(text)
        elif self._queue.qsize() >= BEHIND:
            self.close(SlowError("the browser does not read what it is sent", advice="Connect again."))
        else:
            self._queue.put_nowait(text)

    def keep(self) -> None:
        """Keep what is sent, until :meth:`release`."""
        self._kept = []

    def release(self, first: str) -> None:
        """Send ``first``, and after it what was kept."""
        kept, self._kept = self._kept or [], None
        for text in (first, *kept):
            self.send(text)

    def close(self, error: FervidError | None = None) -> None:
        """Close after what was sent; with 1000, or as an error says."""
        if not self._closing:
            self._closing = True
            self._queue.put_nowait(_Goodbye(error))

    async def write(self) -> None:
        """Send what waits until the end; the task that runs it ends with the WebSocket."""
        try:
            while True:
                item = await self._queue.get()
                async with asyncio.timeout(SEND_S):
                    if isinstance(item, str):
                        await self._websocket.send_text(item)
                    elif item.error is not None:
                        await close_with_error(self._websocket, item.error)
                        return
                    else:
                        await self._websocket.close(1000)
                        return
        except (RuntimeError, OSError, TimeoutError, WebSocketDisconnect):  # gone already, or as good as
            return
        finally:
            self._closing = True

    async def receive(self) -> str:
        """The next text.

        Raises:
            WebSocketDisconnect: the browser is gone.
            TooManyError: it sends too much.
            RoomMessageError: it sends bytes.
        """
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        wait_s = self._allowance.take()
        if wait_s > 0:
            raise TooManyError("too many messages", retry_after_s=wait_s)
        text = message.get("text")
        if text is None:
            raise RoomMessageError("messages are text", advice="See docs/rooms.md.")
        return str(text)

    async def receive_first(self) -> str:
        """The first text, which must not be long in coming.

        Raises:
            SlowError: nothing came.
        """
        try:
            async with asyncio.timeout(FIRST_S):
                return await self.receive()
        except TimeoutError:
            raise SlowError(f"nothing came within {FIRST_S:g} s", advice="See docs/rooms.md.") from None

    @property
    def is_open(self) -> bool:
        """Whether the browser can still be told anything."""
        return not self._closing and self._websocket.application_state is WebSocketState.CONNECTED


@dataclass(slots=True)
class Local:
    """What one process has of a room: those who are connected to it here, and what runs for them."""

    room: Room
    participants: set[Link] = field(default_factory=set)
    hosts: set[Link] = field(default_factory=set)
    ticker: asyncio.Task[None] | None = None
    news: asyncio.Task[None] | None = None
    refresh: asyncio.Task[None] | None = None

    def admit(self, link: Link) -> None:
        """Take one more connection of a participant; when there are too many of theirs, the oldest is closed."""
        own = [other for other in self.participants if other.member == link.member]
        if len(own) >= MAX_LINKS:
            oldest = min(own, key=lambda other: other.since_s)
            self.participants.discard(oldest)
            oldest.close(RoomFullError.of_links(MAX_LINKS))
        self.participants.add(link)


def dump(message: dict[str, Any]) -> str:
    """The JSON of a message."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def tell(links: Collection[Link], message: dict[str, Any] | str) -> None:
    """Send a message to each, made into text once."""
    if links:
        text = message if isinstance(message, str) else dump(message)
        for link in list(links):
            link.send(text)
