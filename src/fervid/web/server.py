"""Runs the app on a socket until somebody ends it."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from fervid.errors import UsageError
from fervid.web.app import create_app
from fervid.web.settings import Settings

LARGEST_MESSAGE: Final = 4_000_000
"""Of a WebSocket, bytes: more is cut off by the protocol; routes refuse less than that in words."""
LARGEST_OF_ROOMS: Final = 16_000
"""The same of rooms, whose messages are small: many may be on their way at once."""
MOST_FILES: Final = 65_536
"""Sockets and files that the server opens at the same time, where the system lets it; many systems begin with 1024."""
PING_S: Final = 20.0
HEADERS_S: Final = 15.0
"""The headers of a request come within so long, or the connection is closed."""
STALL_S: Final = 20.0
"""A client that takes nothing of its answer for so long is dropped."""
STOP_S: Final = 5
"""Open requests may take so long to end when the server is stopped."""


def open_socket(settings: Settings) -> socket.socket:
    """Listen at ``settings.host`` and ``settings.port``.

    Raises:
        UsageError: the address is no address of this machine, or its port is taken or not allowed.
    """
    try:
        kind, _, _, _, address = socket.getaddrinfo(
            settings.host.strip("[]"), settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(
            f"{settings.host!r} is no address ({error.strerror})", advice="Use 127.0.0.1, or 0.0.0.0 for every network."
        ) from None
    listener = socket.socket(kind, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {settings.port} of {settings.host} is in use", advice="Stop what uses it, or choose --port."
            ) from None
        raise UsageError(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror})",
            advice="Choose --host and --port.",
        ) from None
    return listener


def check_certificate(settings: Settings) -> None:
    """Refuse a certificate that cannot be used, or a key that is not its own.

    Raises:
        UsageError: as said.
    """
    if settings.ssl_certfile is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password="")  # never ask on the terminal
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            f"the certificate {settings.ssl_certfile} cannot be used ({error.strerror or error})",
            advice="Give PEM files of a certificate and of its own key, without a password.",
        ) from None


def raise_file_limit() -> None:
    """Let this process open as many files as the system allows it, :data:`MOST_FILES` at most."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def describe_address(settings: Settings, listener: socket.socket) -> str:
    """The URL to open."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"{settings.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def serve(settings: Settings, *, notify: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, whose usual effect follows once everything is closed.

    Args:
        settings: how.
        notify: is told one line once the server answers.

    Raises:
        UsageError: the address cannot be listened on, or the certificate not used.
        ModelError: a model cannot be used.
    """
    check_certificate(settings)
    raise_file_limit()
    listener = open_socket(settings)
    try:
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")  # stderr; nothing below warnings
        app = create_app(settings)
        server = Server(settings, app, lambda: notify(describe_address(settings, listener)))
        server.run(sockets=[listener])
    finally:
        listener.close()


class Server(uvicorn.Server):
    """Uvicorn as fervid runs it.

    Args:
        settings: certificate, and whether a proxy is trusted.
        app: what is served.
        ready: is called once it answers.
        ping_s: WebSockets are pinged so often, and dropped when no answer comes for as long.
    """

    def __init__(self, settings: Settings, app: ASGIApp, ready: Callable[[], None], *, ping_s: float = PING_S) -> None:
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # the client is told
        logging.getLogger("uvicorn.error").addFilter(_is_for_the_operator)
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,  # who asked for what is nobody's business
                server_header=False,
                # A proxy says who asks; without one, X-Forwarded-For is anybody's claim.
                proxy_headers=bool(settings.origins),
                ssl_certfile=settings.ssl_certfile,
                ssl_keyfile=settings.ssl_keyfile,
                http=TimedProtocol,
                ws=TimedWebSocket,
                ws_max_size=LARGEST_MESSAGE,
                ws_ping_interval=ping_s,
                ws_ping_timeout=ping_s,
                ws_per_message_deflate=False,
                timeout_graceful_shutdown=STOP_S,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()


def _is_for_the_operator(record: logging.LogRecord) -> bool:
    """A WebSocket's text that is none ends it with 1007; its traceback would let any client fill the log."""
    return not str(record.msg).startswith("Invalid UTF-8 sequence")


class _StallTimer:
    """Ends a connection whose peer takes nothing of what waits for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.Transport) -> None:
        """What waits is more than a little."""
        self.stop()
        waiting = transport.get_write_buffer_size()
        self._handle = self._loop.call_later(STALL_S, self._check, transport, waiting)

    def stop(self) -> None:
        """It has been taken."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _check(self, transport: asyncio.Transport, before: int) -> None:
        if transport.get_write_buffer_size() < before:
            self.start(transport)
        else:
            transport.abort()  # close would wait for the peer


class TimedProtocol(H11Protocol):
    """HTTP whose clients may not hold a connection open without asking for anything or taking it."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._stall = _StallTimer(self.loop)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.start(self.transport)

    def resume_writing(self) -> None:
        self._stall.stop()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.stop()
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Between requests uvicorn's own timer runs until the first byte; from then on it is this one."""
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEADERS_S, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class TimedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose client is dropped when it takes nothing, sends too much, or no longer answers pings."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._stall = _StallTimer(self.loop)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.start(self.transport)

    def resume_writing(self) -> None:
        self._stall.stop()
        super().resume_writing()

    def handle_connect(self, event: Request) -> None:
        if unquote(event.path).startswith("/ws/rooms/"):
            self.conn.max_message_size = LARGEST_OF_ROOMS
        super().handle_connect(event)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.loop.call_later(1.0, self.transport.abort)  # the route learns that it is over, whatever still waits

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.stop()
        super().connection_lost(exc)
