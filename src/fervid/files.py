"""Files appear whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from fervid.errors import OutputError

STDOUT: Final = "-"
"""What stands for stdout where a file is asked for."""


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Yield a ``.part`` path beside ``path`` to write to; it takes the final name when the block ends without an error.

    The folder is made if absent. On an error, an interrupt included, the part is removed and an existing file at
    ``path`` stays as it was.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f".{final.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def explain_failures(place: str | Path) -> Iterator[None]:
    """The system's errors as :class:`OutputError` of this place, except that the reader of stdout has left."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError.for_place("stdout" if place == STDOUT else place, error) from None


@contextmanager
def make_file(path: str | Path) -> Iterator[Path]:
    """:func:`write_atomically`, for a file that is all that the block writes.

    Raises:
        OutputError: it cannot be written.
    """
    with explain_failures(path), write_atomically(path) as part:
        yield part


@contextmanager
def open_text(place: str) -> Iterator[IO[str]]:
    """Open a file of text (UTF-8) that appears, whole, when the block ends without an error; ``-`` is stdout.

    Raises:
        OutputError: it cannot be written.
    """
    if place == STDOUT:
        yield sys.stdout
        return
    with make_file(place) as part, part.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def write_file(path: str | Path, content: str | bytes) -> None:
    """Write a file of text (UTF-8) or bytes, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with make_file(path) as part:
        if isinstance(content, str):
            part.write_text(content, encoding="utf-8")
        else:
            part.write_bytes(content)
