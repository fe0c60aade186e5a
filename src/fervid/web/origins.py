"""Names under which a server is reached, taken apart. Imports no web framework, as ``settings``."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}


def split_host(host: str, scheme: str) -> tuple[str, int] | None:
    """(name, port) of a ``Host``, whose port is the scheme's where it has none; None for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        if not parts.hostname or parts.path or parts.query or parts.fragment or parts.username is not None:
            return None
        return parts.hostname, parts.port or _PORTS[scheme]
    except ValueError:
        return None


def split_origin(origin: str) -> tuple[str, str, int] | None:
    """(scheme, name, port) of an ``Origin``, in lower case; None for ``null`` and whatever else is none."""
    scheme, _, host = origin.lower().removesuffix("/").partition("://")
    split = split_host(host, scheme) if scheme in _PORTS else None
    return None if split is None else (scheme, *split)
