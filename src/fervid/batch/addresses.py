"""Addresses of remote inputs, and the file systems of fsspec behind them."""

from __future__ import annotations

from typing import Any, Final

from fervid.batch.extras import require
from fervid.errors import UsageError

_LASTING: Final = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_LASTING_STATUS: Final = frozenset({401, 403, 404, 410})


def is_address(source: str) -> bool:
    """Whether a source names a file system of fsspec: ``s3://…``, ``gs://…``, ``memory://…``."""
    return "://" in source


def open_file_system(address: str) -> tuple[Any, str]:
    """The file system of fsspec that knows an address, and the path in it.

    Raises:
        MissingExtraError: fsspec is not installed.
        UsageError: there is no such file system, or what it needs is not installed.
    """
    require("fsspec", "Reading addresses")
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise UsageError(f"{address} needs another package ({error})", advice="Install the one it names.") from None
    except ValueError as error:
        raise UsageError(f"{address} cannot be opened ({error})", advice="Check how it begins.") from None
    return system, path


def is_lasting(error: Exception) -> bool:
    """Whether another attempt would meet the same error: the input is not there, or not for us.

    fsspec calls whatever a web server says FileNotFoundError, and gcsfs knows its own refusals by their words alone.
    """
    cause = error.__cause__ or error
    status = getattr(cause, "status", None)
    if isinstance(status, int):  # aiohttp's
        return status in _LASTING_STATUS
    if type(cause).__module__.partition(".")[0] == "aiohttp":  # nobody answered
        return False
    return isinstance(error, _LASTING) or str(error).startswith("Forbidden")
