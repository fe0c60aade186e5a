"""Addresses of remote inputs, and the file systems of fsspec behind them."""

from __future__ import annotations

import re
from typing import Any, Final

from fervid.errors import FervidError, InputError, UsageError
from fervid.extras import require

_LASTING: Final = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_LASTING_STATUS: Final = frozenset({401, 403, 404, 410})
_USER: Final = re.compile(r"(?:(?<=://)[^/?#@:\s]*:|(?<=http://)|(?<=https://))[^/?#\s]*@", re.IGNORECASE)
"""``user:password@`` of an address; the web's may be a token alone, others' before an ``@`` names a container."""


class UnreachableError(InputError):
    """A remote input did not answer, or not to its end; it may do so another time."""

    code = "input.unreachable"


def is_address(source: str) -> bool:
    """Whether a source names a file system of fsspec: ``s3://…``, ``gs://…``, ``memory://…``."""
    return "://" in source


def mask_passwords(text: str) -> str:
    """A text without the users' names and passwords in the addresses that it holds."""
    return _USER.sub("", text)


def open_file_system(address: str) -> tuple[Any, str]:
    """The file system of fsspec that knows an address, and the path in it.

    Raises:
        MissingExtraError: fsspec is not installed.
        UsageError: there is no such file system, it needs more than the address says, or what is not installed.
        InputError: it is not there, or not for us.
        UnreachableError: it does not answer.
    """
    require("batch", "Reading addresses", "fsspec")
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address)
    except Exception as error:  # some connect at once; every file system has kinds of its own
        shown, reason = mask_passwords(address), explain(error)
        if isinstance(error, ImportError):
            raise UsageError(f"{shown} needs another package ({reason})", advice="Install the one it names.") from None
        if isinstance(error, TypeError | ValueError):
            raise UsageError(f"{shown} cannot be opened ({reason})", advice="Check how it begins.") from None
        kind = InputError if is_lasting(error) else UnreachableError
        raise kind(f"cannot open {shown} ({reason})", advice="Check the address and your permissions.") from None
    return system, path


def leads_back(address: str, system: Any) -> bool:
    """Whether an address that a file system gave to one of its files leads to that file system again.

    Many leave out of it what they were opened with: a host, a user, an archive.
    """
    try:
        found, _ = open_file_system(address)
    except FervidError:
        return False
    options = found.storage_options
    # A cache's files have the addresses of what it keeps.
    beneath: Any = getattr(system, "fs", None)
    return any(type(found) is type(one) and options == one.storage_options for one in (system, beneath))


def explain(error: Exception) -> str:
    """What an error of others says: its first line, without passwords."""
    return mask_passwords((str(error).splitlines() or [""])[0] or type(error).__name__)


def is_lasting(error: Exception) -> bool:
    """Whether another attempt would meet the same error: the input is not there, or not for us.

    fsspec calls whatever a web server says FileNotFoundError, and gcsfs knows its own refusals by their words alone.
    """
    if isinstance(error, FervidError):
        return not isinstance(error, UnreachableError)
    cause = error.__cause__ or error
    status = getattr(cause, "status", None)
    if isinstance(status, int):  # aiohttp's
        return status in _LASTING_STATUS
    if type(cause).__module__.partition(".")[0] == "aiohttp":  # nobody answered
        return False
    return isinstance(error, _LASTING) or str(error).startswith("Forbidden")
