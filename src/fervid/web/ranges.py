"""Files of which a browser may ask for a part, so that it can seek in a film."""

from __future__ import annotations

from typing import Final

from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from fervid.web.errors import NotFoundError, RangeError, RequestError, WebError, answer_error

_ADVICE: Final = "Ask for bytes=FIRST-LAST, or leave Range out."


class PartialFileResponse(FileResponse):
    """A file; one that has gone is an error in the one shape, and so is a range that it has not, or that is none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error: WebError | None = None
        headers: dict[str, str] = {}
        started = False

        async def translate(message: Message) -> None:
            nonlocal error, started
            if message["type"] == "http.response.start" and message["status"] == 416:
                error = RangeError("the file has no such range", advice=_ADVICE)
                headers["Content-Range"] = Headers(raw=message["headers"])["content-range"]
            elif message["type"] == "http.response.start" and message["status"] == 400:
                error = RequestError("the header Range is broken", advice=_ADVICE)
            elif error is None:
                started = True
                await send(message)

        try:
            await super().__call__(scope, receive, translate)
        except RuntimeError:  # which Starlette makes of a file that is not there
            if started:
                raise
            error = NotFoundError("the file has gone", advice="It was deleted, or built anew; load the page again.")
        if error is not None:
            await answer_error(error, headers)(scope, receive, send)
