"""A film on its way from the client to the disk: never in memory, never under a name of the client's."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from fervid.errors import UsageError
from fervid.web.errors import MediaTypeError, RequestError, StorageError, TooLargeError
from fervid.web.films.jobs import clean_name

FIELD: Final = "video"
"""The form's field."""

_FLUSH_BYTES: Final = 1_000_000
_PART_HEADERS: Final = 16
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Upload:
    """A received film.

    Attributes:
        path: where it is.
        name: what the client calls it, cleaned.
        bytes: its size.
    """

    path: Path
    name: str
    bytes: int


class FilmForm:
    """Takes a form apart as it arrives, and keeps the film's bytes until they are fetched.

    Args:
        content_type: of the request.

    Attributes:
        name: of the film; None before its part has begun.
        is_whole: whether the form has come to its end.

    Raises:
        MediaTypeError: the request is no form.
    """

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise MediaTypeError(
                f"the media type is {content_type[:60]!r}",
                advice=f"Send a form (multipart/form-data) with the film as its field {FIELD}.",
            )
        self.name: str | None = None
        self.is_whole = False
        self._pending = bytearray()
        self._taking = False
        self._field = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._add_field,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._choose,
                    "on_part_data": self._take,
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
                max_header_count=_PART_HEADERS,
            )
        except FormParserError as error:
            raise _explain(error) from None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the request.

        Raises:
            RequestError: they are no form.
            UsageError: there is a second film.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _explain(error) from None

    @property
    def waiting(self) -> int:
        """How many bytes of the film can be fetched."""
        return len(self._pending)

    def fetch(self) -> bytes:
        """The bytes of the film that have arrived since the last call."""
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def _begin(self) -> None:
        self._headers = {}

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _choose(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"").decode("latin-1")
        _, options = parse_options_header(disposition)
        self._taking = options.get(b"name") == FIELD.encode() and b"filename" in options
        if self._taking:
            if self.name is not None:
                raise UsageError("the form has several films", advice="Send one film at a time.")
            self.name = clean_name(options[b"filename"].decode("utf-8", errors="replace"))

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._taking:
            self._pending += data[start:end]

    def _end(self) -> None:
        self._taking = False

    def _finish(self) -> None:
        self.is_whole = True


async def receive_film(request: Request, path: Path, max_bytes: int, *, measure_spare: Callable[[], int]) -> Upload:
    """Write the film of a form to ``path``; nothing is left there after an error.

    Args:
        request: with the form.
        path: of a file that is not there.
        max_bytes: of the film.
        measure_spare: bytes that may still be written to the disk: others write there too, and not every request says
            how long it is.

    Raises:
        MediaTypeError: the request is no form.
        RequestError: it is a broken one, or ends early.
        UsageError: there is no film in it, an empty one, or several.
        TooLargeError: the film is larger than ``max_bytes``.
        StorageError: the disk is full.
        starlette.requests.ClientDisconnect: the client has gone.
    """
    form = FilmForm(request.headers.get("content-type", ""))
    size = 0
    try:
        with await run_in_threadpool(path.open, "xb") as file:
            async for chunk in request.stream():
                form.feed(chunk)
                if size + form.waiting > max_bytes:
                    raise _too_large(max_bytes)
                if form.waiting >= _FLUSH_BYTES:
                    size += await run_in_threadpool(_write, file, form.fetch(), measure_spare)
            size += await run_in_threadpool(_write, file, form.fetch(), measure_spare)
        if not form.is_whole:
            raise RequestError("the form ends early", advice="Send it again, whole.")
        if form.name is None:
            raise UsageError(f"the form has no file {FIELD!r}", advice=f"Send the film as the field {FIELD}.")
        if size == 0:
            raise UsageError(f"{form.name} is empty", advice="Send a film with something in it.")
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.errno not in _FULL:
            raise
        raise _full() from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Upload(path, form.name, size)


def _write(file: IO[bytes], data: bytes, measure_spare: Callable[[], int]) -> int:
    if measure_spare() < len(data):
        raise _full()
    file.write(data)
    file.flush()
    return len(data)


def _explain(error: FormParserError) -> RequestError:
    return RequestError(f"the form is broken ({error})", advice="Send a form as browsers and curl -F make it.")


def _full() -> StorageError:
    return StorageError("the server's disk is full", advice="Delete films that are not needed.")


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(
        f"the film has more than {max_bytes / 1e6:g} MB",
        advice="Send a smaller one, or start the server with a larger --max-film-mb.",
    )
