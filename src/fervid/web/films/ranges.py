"""Files of which a browser may ask for a part, so that it can seek in a film."""

from __future__ import annotations

from typing import Final

from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from fervid.web.errors import RangeError, RequestError, WebError, answer_error

_ADVICE: Final = "Ask for bytes=FIRST-LAST, or leave Range out."


class PartialFileResponse(FileResponse):
    """A file; a range that it has not, or that is none, is an error in the one shape."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error: WebError | None = None
        headers: dict[str, str] = {}

        async def translate(message: Message) -> None:
            nonlocal error
            if message["type"] == "http.response.start" and message["status"] == 416:
                error = RangeError("the file has no such range", advice=_ADVICE)
                headers["Content-Range"] = Headers(raw=message["headers"])["content-range"]
            elif message["type"] == "http.response.start" and message["status"] == 400:
                error = RequestError("the header Range is broken", advice=_ADVICE)
            elif error is None:
                await send(message)

        await super().__call__(scope, receive, translate)
        if error is not None:
            await answer_error(error, headers)(scope, receive, send)
