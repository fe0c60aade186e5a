"""Headers on every answer, and whose requests are answered at all.

A page of another site can make a browser talk to this server: directly, which ``Origin`` tells, or by letting its own
name point to this address (DNS rebinding), which ``Host`` tells. Programs that are no browsers send no ``Origin`` and
are let in; there are no cookies, so a browser carries no right that its page has not got.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fervid.errors import FervidError
from fervid.web.errors import ForbiddenError, OriginError, refuse
from fervid.web.origins import split_host, split_origin
from fervid.web.settings import Settings, is_loopback

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "style-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
"""On every answer. With the three of ``Cross-Origin`` browsers give WebAssembly its threads."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class SecurityGuard:
    """Refuses unknown hosts and foreign origins; adds the headers.

    Args:
        app: what is guarded.
        settings: ``host`` and ``origins`` say under which names the server is reached.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._loopback = settings.is_loopback
        self._origins = {split for origin in settings.origins if (split := split_origin(origin)) is not None}
        self._names = {"localhost", settings.host.lower().strip("[]")}
        self._names |= {name for _, name, _ in self._origins}
        if not self._loopback:
            own = socket.gethostname().lower()
            self._names |= {own, f"{own}.local", socket.getfqdn().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = _add_headers(send)
        refusal = self._refuse(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refuse(refusal, scope, send)

    def _refuse(self, scope: Scope) -> FervidError | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._knows(host):
            return ForbiddenError(
                f"this server does not go by the name {host[:100]!r}",
                advice="Open it by its address, or start it with --origin and the address you use.",
            )
        origin = headers.get("origin")
        if origin is None or (scope["type"] == "http" and scope["method"] in _SAFE_METHODS):
            return None
        sought = split_origin(origin)
        if sought is not None and (sought in self._origins or sought[1:] == split_host(host, sought[0])):
            return None
        return OriginError(
            f"a page of {origin[:100]} may not ask this",
            advice="Open the server's own page, or start it with --origin and that address.",
        )

    def _knows(self, host: str) -> bool:
        split = split_host(host, "http")
        if split is None:
            return False
        name = split[0]
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return is_loopback(name) or not self._loopback  # nobody else's name points to an address that is no name


def _add_headers(send: Send) -> Send:
    async def add(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            message.setdefault("headers", [])
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return add
