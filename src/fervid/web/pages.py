"""The built front end: pages, hashed assets, what to run where it has not been built."""

from __future__ import annotations

import asyncio
import functools
import gzip
import lzma
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from fervid.web.errors import NotFoundError, refuse
from fervid.web.ranges import PartialFileResponse
from fervid.web.settings import API

STATIC: Final = Path(__file__).parent / "static"

PAGES: Final = (
    "/",
    "/photo",
    "/film",
    "/film/{film_id}",
    "/live",
    "/rooms",
    "/rooms/host/{room_id}",
    "/join",
    "/join/{code}",
)
"""Addresses of the front end's own router; all are answered with its one page."""

_YEAR: Final = "public, max-age=31536000, immutable"
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_TEXT: Final = ("text/", "application/json", "application/manifest")

_UNBUILT: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>fervid: the pages are not built</title>
<link rel="stylesheet" href="{API}/docs.css">
</head>
<body>
<main>
<h1>The pages are not built</h1>
<p>This server runs from a clone of the project, without its front end. With <a href="https://nodejs.org">Node</a> 20.19
or newer, run in the project's folder</p>
<pre>make serve</pre>
<p>or, with this server running,</p>
<pre>cd frontend &amp;&amp; npm ci &amp;&amp; npm run build</pre>
<p>and load this page again. Packages from the index carry the pages already.</p>
<p>The API is here: <a href="{API}/docs">{API}/docs</a>.</p>
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Built:
    """What was built, by address."""

    stamp: int
    files: Mapping[str, Path]


class Pages:
    """The files of a folder by their address; a build while the server runs is noticed.

    Only what was found by walking the folder is served, so no address can lead out of it.

    Args:
        folder: where ``npm run build`` writes.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._built: _Built | None = None

    @property
    def files(self) -> Mapping[str, Path]:
        """Paths by address; empty when nothing was built."""
        try:
            stamp = (self._folder / "index.html").stat().st_mtime_ns
        except OSError:
            self._built = None
            return {}
        if self._built is None or self._built.stamp != stamp:
            found = (path for path in self._folder.rglob("*") if path.is_file())
            self._built = _Built(stamp, {f"/{path.relative_to(self._folder).as_posix()}": path for path in found})
        return self._built.files

    def answer_page(self, request: Request) -> Response:
        """The front end's page, or what to run."""
        return self._answer_page(request, 200)

    def _answer_page(self, request: Request, status: int) -> Response:
        path = self.files.get("/index.html")
        if path is None:
            return HTMLResponse(_UNBUILT, status, headers={"Cache-Control": "no-cache"})
        return self._answer_file(request, "/index.html", path, status)

    def answer_file(self, request: Request, address: str) -> Response:
        """A built file.

        Raises:
            NotFoundError: there is none at this address, and nobody asks for a page.
        """
        path = self.files.get(address)
        if path is not None and address != "/index.html":
            return self._answer_file(request, address, path)
        packed = self.files.get(f"{address}.xz")
        if packed is not None:
            return _answer_packed(request, address, packed)
        if self.files and "text/html" in request.headers.get("accept", "") and not address.startswith(("/api", "/ws")):
            return self._answer_page(request, 404)  # the page says so in its own words
        raise NotFoundError("there is nothing at this address", advice=f"See {API}/docs, or begin at /.")

    def _answer_file(self, request: Request, address: str, path: Path, status: int = 200) -> Response:
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers = {"Cache-Control": _YEAR if address.startswith("/assets/") else "no-cache"}
        accepted = {part.partition(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")}
        for encoding, suffix in _ENCODINGS:
            smaller = self.files.get(address + suffix)
            if smaller is not None:
                headers["Vary"] = "Accept-Encoding"
                if encoding in accepted and "range" not in request.headers:
                    headers["Content-Encoding"] = encoding
                    path = smaller
                    break
        charset = "; charset=utf-8" if kind.startswith(_TEXT) else ""
        return PartialFileResponse(path, status, headers=headers, media_type=f"{kind}{charset}")


def _answer_packed(request: Request, address: str, path: Path) -> Response:
    """A file that the package carries in a form that no browser reads: half the size of what they read."""
    headers = {"Cache-Control": _YEAR, "Vary": "Accept-Encoding"}
    packed = "gzip" in request.headers.get("accept-encoding", "")
    if packed:
        headers["Content-Encoding"] = "gzip"
    data = _repack(path, path.stat().st_mtime_ns, packed)
    return Response(data, headers=headers, media_type=_TYPES.get(Path(address).suffix, "application/octet-stream"))


@functools.lru_cache(maxsize=8)
def _repack(path: Path, _stamp: int, packed: bool) -> bytes:
    """What :mod:`lzma` packed, as gzip or as it is: made once, or whoever asks often could fill the memory."""
    data = lzma.decompress(path.read_bytes())
    return gzip.compress(data, compresslevel=6, mtime=0) if packed else data


def create_router(pages: Pages) -> APIRouter:
    """The addresses of the front end's router."""
    router = APIRouter(include_in_schema=False)
    for address in PAGES:
        router.add_api_route(address, pages.answer_page, methods=["GET", "HEAD"], response_class=HTMLResponse)
    return router


def install_files(app: FastAPI, pages: Pages) -> None:
    """Answer with built files where no route knows the address.

    A route that takes every address would hide that others know it with another method.
    """
    unknown = app.router.default

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            response = await asyncio.to_thread(pages.answer_file, Request(scope), scope["path"])  # it may unpack
            await response(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse(NotFoundError("there is no WebSocket at this address"), scope, send)
        else:
            await unknown(scope, receive, send)

    app.router.default = answer
