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
from websockets.frames import Frame
from websockets.http11 import Request

from fervid.errors import UsageError
from fervid.web.app import create_app
from fervid.web.settings import Settings

LARGEST_MESSAGE: Final = 4_000_000
"""Of a WebSocket, bytes: more is cut off by the protocol; routes refuse less than that in words."""
LARGEST_OF_ROOMS: Final = 16_000
"""The same of rooms, whose messages are small: many may be on their way at once."""
MOST_FRAGMENTS: Final = 1_000
"""A WebSocket's message comes in no more parts: empty ones add nothing to its size, and are kept all the same."""
MOST_FILES: Final = 65_536
"""Sockets and files that the server opens at the same time, where the system lets it; many systems begin with 1024."""
PING_S: Final = 20.0
HEADERS_S: Final = 15.0
"""The headers of a request come within so long, and so does what is left of a body that has been answered, or the
connection is closed."""
STALL_S: Final = 20.0
"""A client that takes nothing of its answer for so long is dropped; when the connection was to be closed behind that
answer, after twice as long at most."""
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
        WebError: the database, Redis or the data folder cannot be used.
    """
    check_certificate(settings)
    raise_file_limit()
    listener = open_socket(settings)
    try:
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")  # stderr; nothing below warnings
        app = create_app(settings)
        server = Server(
            settings, app, lambda: notify(describe_address(settings, listener)), stop=app.state.stop_watching
        )
        try:
            server.run(sockets=[listener])
        except SystemExit:  # all that uvicorn says of a start that failed
            if app.state.failure is None:
                raise
            raise app.state.failure from None
    finally:
        listener.close()


class Server(uvicorn.Server):
    """Uvicorn as fervid runs it.

    Args:
        settings: certificate, and whether a proxy is trusted.
        app: what is served.
        ready: is called once it answers.
        stop: is called when it is to end, before it waits for open requests: those that would last end themselves.
        ping_s: WebSockets are pinged so often, and dropped when no answer comes for as long.
    """

    def __init__(
        self,
        settings: Settings,
        app: ASGIApp,
        ready: Callable[[], None],
        *,
        stop: Callable[[], None] = lambda: None,
        ping_s: float = PING_S,
    ) -> None:
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
        self._ready, self._stop = ready, stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        log = logging.getLogger("uvicorn.error")
        log.addFilter(_keep_silent)  # why it fails is raised by serve()
        try:
            await super().startup(sockets)
        finally:
            log.removeFilter(_keep_silent)
        if not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stop()
        await super().shutdown(sockets)


_UNTOLD: Final = (
    "Invalid UTF-8 sequence",  # ends a WebSocket with 1007
    "Invalid HTTP request received",  # answered with 400
    "Unsupported upgrade request",  # answered as if nothing but HTTP had been asked for
    "Cancel %s running task(s)",  # those that the server does not wait for when it is stopped
)
"""Any client could fill the log with these; and who stops the server need not be told what that ends."""


def _is_for_the_operator(record: logging.LogRecord) -> bool:
    cancelled = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cancelled and not str(record.msg).startswith(_UNTOLD)


def _keep_silent(_: logging.LogRecord) -> bool:
    return False


class _StallTimer:
    """Ends a connection whose peer takes nothing of what waits for it.

    Args:
        loop: of the connection.
        transport: of the connection.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop, self._transport = loop, transport
        self._handle: asyncio.TimerHandle | None = None
        # asyncio itself ends a TLS connection that is closed, after 30 s, and does not say how much of it still waits.
        self._is_tls = transport.get_extra_info("sslcontext") is not None
        self._looking = loop.call_later(STALL_S, self._look)

    def start(self) -> None:
        """What waits is more than a little."""
        self._cancel()
        self._handle = self._loop.call_later(STALL_S, self._check, self._transport.get_write_buffer_size())

    def stop(self) -> None:
        """It has been taken, or so much of it that only a little waits."""
        if not self._transport.is_closing():
            self._cancel()

    def end(self) -> None:
        """The connection is lost, or another protocol's."""
        self._cancel()
        self._looking.cancel()

    def _look(self) -> None:
        """Whoever closes it, the transport waits for the peer to take even a little, and tells nobody."""
        if not self._transport.is_closing():
            self._looking = self._loop.call_later(STALL_S, self._look)
        elif self._handle is None and not self._is_tls:
            self.start()

    def _check(self, before: int) -> None:
        if self._is_tls and self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() < before:
            self.start()
        else:
            self._transport.abort()  # close would wait for the peer

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class TimedProtocol(H11Protocol):
    """HTTP whose clients may not hold a connection open without asking for anything or taking it."""

    _timer: asyncio.TimerHandle | None = None
    _awaited: object = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._stall = _StallTimer(self.loop, self.transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # it is being answered, or was
            self.transport.close()
        if self.cycle is not None:  # its app has begun: a second answer, or more of this one, would be an error of ours
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        super().handle_websocket_upgrade(event)
        self._stall.end()  # the WebSocket has its own
        self.cycle = None  # type: ignore[assignment]  # nothing more is asked here

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.start()

    def resume_writing(self) -> None:
        self._stall.stop()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.end()
        self._wait_for(None)
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Between requests uvicorn's own timer runs until the first byte; from then on it is this one."""
        state = self.conn.their_state
        if state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete:
            self._wait_for(self.cycle)  # nobody reads that body, so no guard of bodies is left
        else:
            self._wait_for(h11.IDLE if state is h11.IDLE else None)

    def _wait_for(self, awaited: object) -> None:
        """Headers, or the rest of a body; further bytes of the same give no more time."""
        if awaited is self._awaited:
            return
        self._awaited = awaited
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if awaited is None else self.loop.call_later(HEADERS_S, self.transport.close)


class TimedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose client is dropped when it takes nothing, sends too much, or no longer answers pings."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._stall = _StallTimer(self.loop, self.transport)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.start()

    def resume_writing(self) -> None:
        self._stall.stop()
        super().resume_writing()

    def handle_connect(self, event: Request) -> None:
        if unquote(event.path).startswith("/ws/rooms/"):
            self.conn.max_message_size = LARGEST_OF_ROOMS
        super().handle_connect(event)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < MOST_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(1009, "too many fragments")
            self.handle_parser_exception()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.loop.call_later(1.0, self.transport.abort)  # the route learns that it is over, whatever still waits

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.end()
        super().connection_lost(exc)
