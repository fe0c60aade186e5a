"""Forms with one file in them, taken apart while they come: not in memory as a whole, nor in a temporary file."""

from __future__ import annotations

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from fervid.errors import UsageError
from fervid.web.errors import MediaTypeError, RequestError

_PART_HEADERS: Final = 16


class FileForm:
    """Takes a form apart as it arrives, and keeps the bytes of one file until they are fetched.

    Args:
        content_type: of the request.
        field: the name of the file's field.
        what: the file is: "film".

    Attributes:
        name: what the client calls the file, as it was sent; None before its part has begun.

    Raises:
        MediaTypeError: the request is no form.
        RequestError: its boundary is missing or too long.
    """

    def __init__(self, content_type: str, field: str, what: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind == b"multipart/form-data" and not boundary:
            raise RequestError("the form has no boundary", advice="Let the program that makes the form say its type.")
        if kind != b"multipart/form-data" or not boundary:
            raise MediaTypeError(
                f"the media type is {content_type[:60]!r}",
                advice=f"Send a form (multipart/form-data) with the {what} as its field {field}.",
            )
        self.name: str | None = None
        self._wanted, self._what = field, what
        self._is_whole = False
        self._pending = bytearray()
        self._taking = False
        self._field = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                boundary,
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
            UsageError: there is a second file of that field.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _explain(error) from None

    @property
    def waiting(self) -> int:
        """How many bytes of the file can be fetched."""
        return len(self._pending)

    def fetch(self) -> bytes:
        """The bytes of the file that have arrived since the last call."""
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def check_whole(self) -> str:
        """That the form has come to its end, and the name of the file in it.

        Raises:
            RequestError: it ends early.
            UsageError: it has no such file.
        """
        if not self._is_whole:
            raise RequestError("the form ends early", advice="Send it again, whole.")
        if self.name is None:
            raise UsageError(
                f"the form has no file {self._wanted!r}", advice=f"Send the {self._what} as the field {self._wanted}."
            )
        return self.name

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
        self._taking = options.get(b"name") == self._wanted.encode() and b"filename" in options
        if self._taking:
            if self.name is not None:
                raise UsageError(f"the form has several {self._what}s", advice=f"Send one {self._what} at a time.")
            self.name = options[b"filename"].decode("utf-8", errors="replace")

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._taking:
            self._pending += data[start:end]

    def _end(self) -> None:
        self._taking = False

    def _finish(self) -> None:
        self._is_whole = True


def _explain(error: FormParserError) -> RequestError:
    return RequestError(f"the form is broken ({error})", advice="Send a form as browsers and curl -F make it.")
