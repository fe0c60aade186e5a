"""The content of remote inputs, fetched through fsspec; what fails for a moment is tried again.

Local ones are read where they are, by others; here they only answer or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, TypeVar

from fervid.batch.addresses import UnreachableError, explain, is_lasting, open_file_system
from fervid.batch.listing import Item
from fervid.errors import FervidError, InputError

Content = TypeVar("Content")


WAITS_S: Final = (0.5, 3.0)
"""Before the second and the third attempt."""


def read_bytes(item: Item) -> bytes:
    """The content of a remote input. Raises InputError like :func:`fetch`."""
    return fetch(item, lambda stream: stream.read())


def fetch(item: Item, take: Callable[[IO[bytes]], Content]) -> Content:
    """What ``take`` makes of a remote input; it is called again when the connection breaks under it.

    Raises:
        UnreachableError: the input cannot be opened, or not be read to its end, three times in a row.
        InputError: it is not there, or not for us.
        UsageError: its address names no file system, or one that needs more.
        FervidError: as ``take`` raises it.
    """
    _check_answer(item)
    system, path = open_file_system(item.source)
    for wait_s in (*WAITS_S, None):
        try:
            with system.open(path, "rb") as stream:
                return take(stream)
        except FervidError:
            raise
        except Exception as error:  # every file system has kinds of its own
            if is_lasting(error):
                raise InputError(
                    f"cannot read {item.shown} ({explain(error)})", advice="Check the address and your permissions."
                ) from None
            if wait_s is None:
                raise UnreachableError(f"cannot read {item.shown} ({explain(error)})", advice="Try again.") from None
        time.sleep(wait_s)
    raise AssertionError("the last attempt returns or raises")


def locate_local(item: Item) -> Path:
    """The path of a local input that can be opened, or whose reader will say why not.

    Raises:
        UnreachableError: it was listed and is not there now, or its disc or share does not answer.
    """
    _check_answer(item)
    path = Path(item.source)
    try:
        with path.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        if item.is_away(error):
            raise UnreachableError(f"cannot open {item.shown} ({error.strerror})", advice="Try again.") from None
    except ValueError:  # a null byte
        pass
    return path


def _check_answer(item: Item) -> None:
    if not item.answers:
        raise UnreachableError(f"{item.shown} did not answer when it was listed", advice="Try again.")
