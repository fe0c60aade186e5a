"""What one client may ask of the server: bytes, time and how often."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from fervid.web.errors import RequestError, SlowError, TooLargeError, TooManyError, close_with_error

BODY_BYTES: Final = 64_000
"""A request's body where no route says otherwise."""
REQUEST_RATE: Final = 100.0
REQUEST_BURST: Final = 500.0
"""Requests per second of one address, and at once: a school may stand behind it."""
MOST_SOCKETS: Final = 1024
"""WebSockets of one address at the same time: a room that is full may stand behind it, and twice after its Wi-Fi failed
for a moment, since dead connections count until their pings are given up."""
FORM_BYTES: Final = 16_000
"""What a form adds to the file in it."""
IDLE_S: Final = 30.0
"""A body may pause for so long."""
SLOWEST: Final = 1_000
"""Bytes per second that a body comes at, on average, once it has taken :data:`IDLE_S`."""

_DRAIN_BYTES: Final = 64_000_000
_DRAIN_S: Final = 5.0
_MOST_CLIENTS: Final = 10_000


class TokenBucket:
    """Lets events through at a rate, with bursts.

    Args:
        rate: events per second in the long run.
        burst: events at once.
        clock: seconds that only grow.
    """

    __slots__ = ("_burst", "_clock", "_rate", "_tokens", "_updated_s")

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._updated_s = burst, clock()

    def take(self, tokens: float = 1.0) -> float:
        """Take tokens, if they are there.

        Returns:
            0.0 when they were; otherwise after how many seconds they will be, and nothing is taken.
        """
        wait_s = self.wait(tokens)
        if wait_s == 0:
            self._tokens -= tokens
        return wait_s

    def wait(self, tokens: float = 1.0) -> float:
        """After how many seconds so many tokens will be there; 0.0 when they are."""
        now_s = self._clock()
        self._tokens = min(self._burst, self._tokens + (now_s - self._updated_s) * self._rate)
        self._updated_s = now_s
        return max(0.0, (tokens - self._tokens) / self._rate)

    def spend(self, tokens: float = 1.0) -> None:
        """Take tokens that may not be there: they are owed; a negative number gives back."""
        self.wait()
        self._tokens -= tokens


class RateLimiter:
    """A :class:`TokenBucket` for every client; those not seen for long are forgotten.

    Args:
        rate: events per second of one client in the long run.
        burst: events of one client at once.
        what: for the error: "pictures".
        clock: seconds that only grow.
    """

    def __init__(
        self, rate: float, burst: float, what: str = "requests", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._what, self._clock = rate, burst, what, clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def check(self, client: str) -> None:
        """Count one event of a client.

        Raises:
            TooManyError: it has had too many.
        """
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = TokenBucket(self._rate, self._burst, clock=self._clock)
            if len(self._buckets) > _MOST_CLIENTS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(client)
        wait_s = bucket.take()
        if wait_s > 0:
            raise TooManyError(f"too many {self._what} from this address", retry_after_s=wait_s)


class Places:
    """Room for so many at the same time, of which one client never takes more than half.

    Args:
        most: at the same time.
        what: for the error: "films are being received".
        retry_after_s: when another try may succeed.
    """

    def __init__(self, most: int, what: str, *, retry_after_s: float) -> None:
        self._most, self._what, self._retry_after_s = most, what, retry_after_s
        self._taken: Counter[str] = Counter()

    def check(self, client: str) -> None:
        """Whether there is a place for a client.

        Raises:
            TooManyError: there is none, or it has its half.
        """
        count = self._taken.total()
        if count >= self._most:
            raise TooManyError(f"{count} {self._what} already", retry_after_s=self._retry_after_s)
        own = self._taken[client]
        if own >= max(1, self._most // 2):
            raise TooManyError(f"{own} {self._what} for this address already", retry_after_s=self._retry_after_s)

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """A place for as long as the block lasts.

        Raises:
            TooManyError: as :meth:`check`.
        """
        self.check(client)
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]


class Memory:
    """Bytes that are kept at the same time, of which one client never keeps more than half.

    Args:
        most: bytes at the same time.
        what: for the error: "of pictures are on their way".
        retry_after_s: when another try may succeed.
    """

    def __init__(self, most: int, what: str, *, retry_after_s: float) -> None:
        self._most, self._what, self._retry_after_s = most, what, retry_after_s
        self._kept: Counter[str] = Counter()

    @contextmanager
    def take(self, client: str) -> Iterator[Callable[[int], None]]:
        """A function that asks for so many bytes more, which are given back when the block ends.

        The function raises :class:`.TooManyError` when there are no more, or the client has its half.
        """
        count = 0

        def grow(more: int) -> None:
            nonlocal count
            kept, own = self._kept.total(), self._kept[client]
            if kept + more > self._most or own + more > self._most // 2:
                raise TooManyError(f"{kept / 1e6:.3g} MB {self._what} already", retry_after_s=self._retry_after_s)
            self._kept[client] += more
            count += more

        try:
            yield grow
        finally:
            self._kept[client] -= count
            if not self._kept[client]:
                del self._kept[client]


def name_client(connection: HTTPConnection) -> str:
    """Who asks, as far as rates go; see :func:`name_address`."""
    return name_address(connection.client.host) if connection.client is not None else ""


def name_address(address: str) -> str:
    """The client of an address: whoever has one IPv6 address has the 2⁶⁴ of its network, so those are one client."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:  # as a socket that takes both kinds tells of IPv4
        return str(parsed.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(parsed) >> 64 << 64)}/64"


class RateGuard:
    """Refuses a client that asks for too much at once, whatever it asks for.

    Args:
        app: what is guarded.
        rate: requests and connections per second of one address in the long run.
        burst: requests of one address at once.
    """

    def __init__(self, app: ASGIApp, *, rate: float = REQUEST_RATE, burst: float = REQUEST_BURST) -> None:
        self._app = app
        self._limiter = RateLimiter(rate, burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"].startswith(("/api/", "/ws/")):
            self._limiter.check(name_client(HTTPConnection(scope)))
        await self._app(scope, receive, send)


class SocketGuard:
    """Refuses a WebSocket of a client that has too many open; in words, which browsers show of no other refusal.

    Args:
        app: what is guarded.
        most: WebSockets of one address at the same time.
    """

    def __init__(self, app: ASGIApp, *, most: int = MOST_SOCKETS) -> None:
        self._app = app
        self._most = most
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        client = name_client(HTTPConnection(scope))
        count = self._open[client]
        if count >= self._most:
            websocket = WebSocket(scope, receive, send)
            await websocket.accept()
            error = TooManyError(f"{count} connections of this address are open already", retry_after_s=30)
            await close_with_error(websocket, error)
            return
        self._open[client] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


class BodyGuard:
    """Refuses bodies that are too large, before and while they are read, and those that come too slowly.

    Args:
        app: what is guarded.
        larger: bytes that a body may have, by path; :data:`BODY_BYTES` elsewhere.
        idle_s: a body may pause for so long.
    """

    def __init__(self, app: ASGIApp, larger: Mapping[str, int], *, idle_s: float = IDLE_S) -> None:
        self._app = app
        self._larger = larger
        self._idle_s = idle_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(
            scope["path"].rstrip("/"), BODY_BYTES
        )  # with a slash it is sent on to the path without
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdecimal() and len(declared) < 19):
            raise RequestError(f"the Content-Length is {declared[:40]!r}", advice="Send a number.")
        if int(declared) > limit:
            if "expect" not in headers:  # a client that still sends when the connection is closed may miss the answer
                await drain(receive)
            raise _too_large(int(declared), limit)
        await self._app(scope, _Body(receive, limit, self._idle_s).receive, send)


class _Body:
    """Counts the bytes and watches the time of one body."""

    def __init__(self, receive: Receive, limit: int, idle_s: float) -> None:
        self._receive, self._limit, self._idle_s = receive, limit, idle_s
        self._began_s = time.monotonic()
        self._bytes = 0
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()  # waits until the client goes, however long that is
        try:
            async with asyncio.timeout(self._idle_s):
                message = await self._receive()
        except TimeoutError:
            raise self._slow() from None
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._bytes > self._limit:
                await drain(self._receive)
                raise _too_large(self._bytes, self._limit)
            late_s = time.monotonic() - self._began_s - self._idle_s
            if not self._whole and late_s * SLOWEST > self._bytes:
                raise self._slow()
        return message

    def _slow(self) -> SlowError:
        return SlowError(
            f"after {self._bytes} bytes the rest is too slow", advice="Try again over a better connection."
        )


def _too_large(count: int, limit: int) -> TooLargeError:
    return TooLargeError(
        f"the request has {count / 1e6:.3g} MB or more", advice=f"The limit here is {limit / 1e6:.3g} MB; send less."
    )


async def drain(receive: Receive) -> None:
    """Read what else comes and forget it, for a while."""
    count = 0
    try:
        async with asyncio.timeout(_DRAIN_S):
            while count < _DRAIN_BYTES:
                message = await receive()
                count += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
