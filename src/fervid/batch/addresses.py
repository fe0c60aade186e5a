"""Addresses of remote inputs, and the file systems of fsspec behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from fervid.errors import FervidError, InputError, UsageError
from fervid.extras import require

_LASTING: Final = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_LASTING_STATUS: Final = frozenset({401, 403, 404, 410})
_USER: Final = re.compile(r"(?:(?<=://)[^/?#@:\s]*:|(?<=http://)|(?<=https://))[^/?#\s]*@", re.IGNORECASE)
"""``user:password@`` of an address; the web's may be a token alone, others' before an ``@`` names a container."""

_WEB: Final = frozenset({"http", "https"})

_SIGNATURES: Final = ("sig", "signature", "x-amz-signature", "x-goog-signature")
_SIGNERS: Final = ("x-amz-credential", "x-amz-security-token", "x-goog-credential", "awsaccesskeyid", "googleaccessid")
_SECRETS: Final = (
    *(*_SIGNATURES, *_SIGNERS),
    *("password", "passwd", "pwd", "secret", "client_secret", "token", "access_token", "api_key", "apikey"),
)
"""Parameters of a query that are secret for sure; a ``key`` or a ``user`` may be what people tell photos by."""

_SIGNED: Final = (
    *(*_SIGNATURES, *_SIGNERS),
    *(f"x-{who}-{what}" for who in ("amz", "goog") for what in ("algorithm", "date", "expires", "signedheaders")),
    *("expires", "policy", "key-pair-id"),
    *("se", "ske", "skoid", "sks", "skt", "sktid", "skv", "sp", "spr", "sr", "srt", "ss", "st", "sv"),
)
"""What object stores sign with and say of it: another one whenever the address is signed again."""

_ASKED_SINGLY: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "http", "https"})
"""File systems that are asked for one file by itself; others list its folder, and need to remember that."""


def _match(names: Iterable[str]) -> re.Pattern[str]:
    """Parameters of a query, in two groups: what stands before the value, and the value."""
    return re.compile(rf"([?&](?:{'|'.join(names)})=)((?:(?!::)[^&#\s])*)", re.IGNORECASE)


_SECRET, _SIGNATURE, _PART = _match(_SECRETS), _match(_SIGNATURES), _match(_SIGNED)


class UnreachableError(InputError):
    """An input, most often a remote one, did not answer, or not to its end; it may do so another time."""

    code = "input.unreachable"


def is_address(source: str) -> bool:
    """Whether a source names a file system of fsspec: ``s3://…``, ``gs://…``, ``memory://…``."""
    return "://" in source


def is_web(address: str) -> bool:
    """Whether an address is one of the web, where a ``?`` begins a query and every folder is a page."""
    return address.partition("://")[0].lower() in _WEB


def mask_secrets(text: str) -> str:
    """A text without the users' names and passwords in the addresses that it holds, and ``***`` for secrets in queries.

    Those are passwords, tokens, keys of interfaces and signatures.
    """
    return _SECRET.sub(r"\1***", _USER.sub("", text))


def drop_access(address: str) -> str:
    """An address without user and password, and without its signature: what changes while the file stays the same.

    Tokens and keys in a query stay: two photos may differ by nothing else.
    """
    plain = _USER.sub("", address)
    return _PART.sub("", plain) if _SIGNATURE.search(plain) else plain


def find_file(address: str) -> str:
    """The path of a file in its address: the first of a chain (``zip://a.jpg::s3://…``), of the web without a query."""
    for protocol, path in _split_chain(address):
        if path:
            return re.split("[?#]", path)[0] if is_web(f"{protocol}://") else path
    return address


def open_file_system(address: str) -> tuple[Any, str]:
    """The file system of fsspec that knows an address, and the path in it.

    An object store remembers no listings, which would be those of a whole archive in the end.

    Raises:
        MissingExtraError: fsspec is not installed.
        UsageError: there is no such file system, it needs more than the address says, or what is not installed.
        InputError: it is not there, or not for us.
        UnreachableError: it does not answer.
    """
    require("batch", "Reading addresses", "fsspec")
    import fsspec

    try:
        try:
            system, path = fsspec.core.url_to_fs(address, **_forget_listings(address))
        except TypeError:  # a file system that takes no such option, or one that the address lacks
            system, path = fsspec.core.url_to_fs(address)
    except Exception as error:  # some connect at once; every file system has kinds of its own
        shown, reason = mask_secrets(address), explain(error)
        if isinstance(error, ImportError):
            raise UsageError(f"{shown} needs another package ({reason})", advice="Install the one it names.") from None
        if isinstance(error, TypeError | ValueError):
            raise UsageError(f"{shown} cannot be opened ({reason})", advice="Check how it begins.") from None
        kind = InputError if is_lasting(error) else UnreachableError
        raise kind(f"cannot open {shown} ({reason})", advice="Check the address and your permissions.") from None
    return system, path


def _forget_listings(address: str) -> dict[str, dict[str, bool]]:
    """The option that says so, for each such file system of a chain."""
    return {name: {"use_listings_cache": False} for name, _ in _split_chain(address) if name in _ASKED_SINGLY}


def _split_chain(address: str) -> Iterator[tuple[str, str]]:
    """Protocol and path of each part of ``simplecache::zip://a.jpg::/data/a.zip``; one of them may be empty."""
    for link in address.split("::"):
        protocol, mark, path = link.partition("://")
        is_word = re.fullmatch("[a-z]+", link) is not None  # to fsspec a protocol
        yield (protocol, path) if mark or is_word else ("", link)


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
    return mask_secrets((str(error).splitlines() or [""])[0] or type(error).__name__)


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
