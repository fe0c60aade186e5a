"""Errors of the web app, and the one shape in which every error leaves the server.

::

    FervidError
    └── WebError              code             status
        ├── RequestError      web.request      400
        ├── ForbiddenError    web.forbidden    403
        ├── OriginError       web.origin       403
        ├── NotFoundError     web.not_found    404
        ├── MethodError       web.method       405
        ├── SlowError         web.slow         408
        ├── ConflictError     web.conflict     409
        ├── TooLargeError     web.too_large    413
        ├── MediaTypeError    web.media_type   415
        ├── RangeError        web.range        416
        ├── TooManyError      web.too_many     429, with Retry-After
        ├── GoneError         web.gone         499, which nobody sees
        ├── InternalError     web.internal     500
        ├── StoppingError     web.stopping     503
        ├── DatabaseError     web.database     503
        └── StorageError      web.storage      507

Over HTTP the body is ``{"schema": "fervid/1", "error": {"code", "message", "advice"}}``; over a WebSocket a message
``{"type": "error", "error": {…}}`` comes before the close. Nothing else tells of the server: no traceback, no path.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, cast

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketState

from fervid.errors import (
    ContractError,
    FervidError,
    InputError,
    MissingExtraError,
    SizeError,
    UnknownModelError,
    UsageError,
)
from fervid.results import SCHEMA

LOG: Final = logging.getLogger("fervid.web")

CLOSE_POLICY: Final = 1008
CLOSE_TOO_LARGE: Final = 1009
CLOSE_INTERNAL: Final = 1011


class WebError(FervidError):
    """A request that cannot be answered; ``status`` is HTTP's."""

    code = "web"
    status: ClassVar[int] = 500

    @property
    def headers(self) -> dict[str, str]:
        """What the answer carries besides."""
        return {}


class RequestError(WebError):
    """The request cannot be understood."""

    code = "web.request"
    status = 400


class ForbiddenError(WebError):
    """The server does not do this for this client."""

    code = "web.forbidden"
    status = 403


class OriginError(WebError):
    """Another site's page asks."""

    code = "web.origin"
    status = 403


class NotFoundError(WebError):
    """There is nothing at this address."""

    code = "web.not_found"
    status = 404


class MethodError(WebError):
    """The address knows other methods."""

    code = "web.method"
    status = 405


class SlowError(WebError):
    """The client sends too slowly."""

    code = "web.slow"
    status = 408


class ConflictError(WebError):
    """Not in the state that things are in."""

    code = "web.conflict"
    status = 409


class TooLargeError(WebError):
    """More bytes than the limit."""

    code = "web.too_large"
    status = 413


class MediaTypeError(WebError):
    """Bytes of another kind than this address takes."""

    code = "web.media_type"
    status = 415


class RangeError(WebError):
    """A part of a file that it has not got."""

    code = "web.range"
    status = 416


class TooManyError(WebError):
    """Too many requests, or too much is waiting already.

    Args:
        retry_after_s: when another try may succeed.
    """

    code = "web.too_many"
    status = 429

    def __init__(self, message: str, *, advice: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message, advice=advice or f"Try again in {max(1, math.ceil(retry_after_s))} s.")
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))}


class GoneError(WebError):
    """The client did not wait for the answer."""

    code = "web.gone"
    status = 499


class InternalError(WebError):
    """The server failed; its log says why."""

    code = "web.internal"
    status = 500


class StoppingError(WebError):
    """The server is being stopped."""

    code = "web.stopping"
    status = 503


class DatabaseError(WebError):
    """The database cannot be used."""

    code = "web.database"
    status = 503


class StorageError(WebError):
    """The disk is full, or cannot be written."""

    code = "web.storage"
    status = 507


INTERNAL: Final = InternalError("the server failed", advice="Its log says why; try again, or tell its operator.")

_STATUS: Final[Mapping[type[FervidError], int]] = {
    SizeError: 413,
    InputError: 422,
    UsageError: 422,
    ContractError: 422,
    UnknownModelError: 404,
    MissingExtraError: 501,
}

_OF_STATUS: Final[Mapping[int, WebError]] = {
    error.status: error
    for error in (
        RequestError("the request cannot be understood", advice="See the API's description."),
        ForbiddenError("this is not allowed"),
        NotFoundError("there is nothing at this address", advice="See the API's description."),
        MethodError("this address does not take that method", advice="See the header Allow."),
        TooLargeError("the request is too large", advice="Send less."),
        MediaTypeError("this address does not take that media type", advice="See the API's description."),
    )
}


def find_status(error: FervidError) -> int:
    """The HTTP status that an error is answered with."""
    if isinstance(error, WebError):
        return error.status
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def describe_error(error: FervidError) -> dict[str, Any]:
    """The JSON body of an error."""
    return {"schema": SCHEMA, "error": hide_internals(error).to_dict()}


def hide_internals(error: FervidError) -> FervidError:
    """The error as a client may see it: what failed inside the server stays in its log."""
    if isinstance(error, WebError) or find_status(error) != 500:
        return error
    return INTERNAL


def answer_error(error: FervidError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The HTTP answer that an error becomes."""
    own = error.headers if isinstance(error, WebError) else {}
    return JSONResponse(describe_error(error), find_status(error), headers={**own, **(headers or {})})


async def close_with_error(websocket: WebSocket, error: FervidError, *, timeout_s: float = 5.0) -> None:
    """Tell the client of an accepted WebSocket what was wrong, and close it; a client that is gone is no error."""
    shown = hide_internals(error)
    status = find_status(shown)
    close = CLOSE_TOO_LARGE if status == 413 else CLOSE_INTERNAL if status >= 500 else CLOSE_POLICY
    text = json.dumps({"type": "error", "error": shown.to_dict()}, ensure_ascii=False)
    try:
        async with asyncio.timeout(timeout_s):
            await websocket.send_text(text)
            await websocket.close(close, shown.code)
    except (RuntimeError, OSError, TimeoutError):  # Starlette's WebSocketDisconnect is none: nothing is received here
        return


def install_error_handlers(app: FastAPI) -> None:
    """Every error of a route leaves in the one shape."""
    app.add_exception_handler(FervidError, _handle_fervid)  # type: ignore[arg-type]  # it is for both kinds
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(RequestValidationError, _handle_validation)


async def _handle_fervid(connection: Request | WebSocket, error: Exception) -> JSONResponse | None:
    known = cast("FervidError", error)
    if hide_internals(known) is INTERNAL:
        LOG.error("a request failed: %s", known)
    if isinstance(connection, Request):
        return answer_error(known)
    if connection.application_state is not WebSocketState.CONNECTING:
        await close_with_error(connection, known)
    elif "websocket.http.response" in connection.scope.get("extensions", {}):
        await connection.send_denial_response(answer_error(known))
    else:
        await connection.close(CLOSE_POLICY, known.code)
    return None


async def _handle_http(_: Request, error: Exception) -> JSONResponse:
    http = cast("HTTPException", error)
    if isinstance(http.__cause__, FervidError):  # raised while FastAPI read the body
        return answer_error(http.__cause__)
    if http.status_code >= 500:
        return answer_error(INTERNAL)
    known = _OF_STATUS.get(http.status_code, _OF_STATUS[400])
    return answer_error(known, http.headers)


async def _handle_validation(_: Request, error: Exception) -> JSONResponse:
    return answer_error(explain_validation(cast("RequestValidationError", error).errors()))


def explain_validation(problems: Sequence[Mapping[str, Any]]) -> UsageError:
    """What pydantic says of a request, in one sentence."""
    words = "; ".join(map(_explain_problem, problems[:3]))
    return UsageError(words or "the request is wrong", advice="See the API's description.")


def _explain_problem(problem: Mapping[str, Any]) -> str:
    parts, text = [str(part) for part in problem["loc"]], str(problem["msg"])
    if problem["type"] == "json_invalid":  # of a message over a WebSocket no part is named
        return f"the {parts[0] if parts else 'message'} is no JSON"
    if not text[:2].isupper():  # "UUID input …" stays
        text = text[:1].lower() + text[1:]
    return f"{'.'.join(parts)}: {text}" if parts else text


class ErrorGuard:
    """Outermost but for the headers: what nobody caught is logged and answered as ``web.internal``.

    Args:
        app: what is guarded.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] in (
                "http.response.start",
                "websocket.accept",
                "websocket.close",
            )
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            return  # while its body was read; nobody waits for an answer
        except Exception as error:
            known = error if isinstance(error, FervidError) else INTERNAL
            if hide_internals(known) is INTERNAL:
                LOG.exception("%s failed", scope["type"])
            if not started:
                await refuse(known, scope, send)
            elif scope["type"] == "websocket":
                await _close_quietly(send)


async def refuse(error: FervidError, scope: Scope, send: Send) -> None:
    """Answer a request, or a WebSocket that has not been accepted, with an error."""
    prefix = "websocket." if scope["type"] == "websocket" else ""
    if prefix and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": CLOSE_POLICY, "reason": error.code})
        return
    answer = answer_error(error)
    await send({"type": f"{prefix}http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": f"{prefix}http.response.body", "body": bytes(answer.body)})


async def _close_quietly(send: Send) -> None:
    try:
        await send({"type": "websocket.close", "code": CLOSE_INTERNAL, "reason": INTERNAL.code})
    except (RuntimeError, OSError):  # closed already
        return
