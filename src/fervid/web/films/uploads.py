"""A film on its way from the client to the disk: never in memory, never under a name of the client's."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from fervid.errors import UsageError
from fervid.web.errors import StorageError, TooLargeError
from fervid.web.films.jobs import clean_name
from fervid.web.forms import FileForm

FIELD: Final = "video"
"""The form's field."""

_FLUSH_BYTES: Final = 1_000_000
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
    form = FileForm(request.headers.get("content-type", ""), FIELD, "film")
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
        name = clean_name(form.check_whole())
        if size == 0:
            raise UsageError(f"{name} is empty", advice="Send a film with something in it.")
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.errno not in _FULL:
            raise
        raise _full() from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Upload(path, name, size)


def _write(file: IO[bytes], data: bytes, measure_spare: Callable[[], int]) -> int:
    if measure_spare() < len(data):
        raise _full()
    file.write(data)
    file.flush()
    return len(data)


def _full() -> StorageError:
    return StorageError("the server's disk is full", advice="Delete films that are not needed.")


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(
        f"the film has more than {max_bytes / 1e6:g} MB",
        advice="Send a smaller one, or start the server with a larger --max-film-mb.",
    )
