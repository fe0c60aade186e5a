"""What an operator decides about a server. Imports no web framework: the command line reads it before anything else."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fervid.errors import UsageError
from fervid.imaging import MAX_PIXELS
from fervid.web.origins import split_origin

API: Final = "/api/v1"
"""Where REST begins."""

MEGABYTE: Final = 1_000_000
LEAST_GROUP: Final = 3
"""No room shows anything of fewer people, whatever the operator says."""

FILM_PIXELS: Final = 36_000_000
"""Frames of films have no more than this, which is 8K, whatever pictures may have: decoders keep many of them."""
LEAST_SIDE: Final = 64
"""Of the picture that a server reads when it starts, px; whoever limits pixels limits them to no less."""

_LARGEST: Final = {
    "room_hours": 31 * 24.0,  # a room's day is up to 2 MB of memory
    "max_upload_mb": 10_000.0,
    "max_film_mb": 1_000_000.0,
    "max_film_s": 365 * 24 * 3600.0,
    "film_hours": 100 * 365.25 * 24,
}
"""Whole numbers of bytes and dates are made of these; more than that is a slip."""


def default_data_dir() -> Path:
    """The user's own folder for films, results and the database."""
    import platformdirs

    return Path(platformdirs.user_data_dir("fervid", appauthor=False))


@dataclass(frozen=True, slots=True)
class Settings:
    """How one server behaves. Every field is a flag of ``fervid serve`` and a variable ``FERVID_…``.

    Attributes:
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        model: reads expressions in photos; a name or the path of an ``.onnx`` file.
        video_model: reads them in films, and in the pictures of cameras that browsers cannot read themselves.
        detector: finds faces; as ``--detector``.
        threads: of the network within one run.
        workers: pictures that are read at the same time; 0 is one per core.
        data_dir: films, their results and the database lie here.
        database_url: of SQLAlchemy; empty means SQLite in ``data_dir``.
        redis_url: rooms are shared by several servers through it; None keeps them in memory.
        allow_expression_rooms: whether rooms may collect expressions.
        statement: the operator's, why expression rooms are lawful here; recorded.
        min_group: rooms show nothing of fewer contributors.
        room_hours: after so long a room is deleted, h.
        max_upload_mb: of a picture, 10⁶ bytes.
        max_pixels: width × height of a picture, and of a film's frame where that is less than :data:`FILM_PIXELS`.
        max_film_mb: of a film, 10⁶ bytes.
        max_film_s: duration of a film, s.
        film_jobs: films that are read at the same time.
        film_hours: results of films are kept so long, h.
        origins: ``scheme://host[:port]`` under which the server is reached besides its own address, as behind a proxy.
        ssl_certfile: PEM file of the certificate; with it the server speaks HTTPS.
        ssl_keyfile: PEM file of its key.

    Raises:
        UsageError: a value is out of its range.
    """

    host: str = "127.0.0.1"
    port: int = 8642
    model: str = "base"
    video_model: str = "small"
    detector: str = "auto"
    threads: int = 1
    workers: int = 0
    data_dir: Path = field(default_factory=default_data_dir)
    database_url: str = ""
    redis_url: str | None = None
    allow_expression_rooms: bool = False
    statement: str = ""
    min_group: int = 5
    room_hours: float = 24.0
    max_upload_mb: float = 25.0
    max_pixels: int = MAX_PIXELS
    max_film_mb: float = 2048.0
    max_film_s: float = 7200.0
    film_jobs: int = 1
    film_hours: float = 24.0
    origins: tuple[str, ...] = ()
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    def __post_init__(self) -> None:
        _require(0 <= self.port <= 65535, f"port is {self.port}", "Use 1–65535, or 0 for a free one.")
        _require(self.workers >= 0, f"workers is {self.workers}", "Use 1 or more, or 0 for one per core.")
        _require(
            self.max_pixels >= LEAST_SIDE**2,
            f"max_pixels is {self.max_pixels}",
            f"Use {LEAST_SIDE**2:,} or more.",
        )
        for name in ("threads", "film_jobs"):
            _require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}", "Use 1 or more.")
        for name, largest in _LARGEST.items():
            value, option = getattr(self, name), f"--{name.replace('_', '-')}"
            advice = f"Give {option} a number above 0, {largest:,.0f} at most."
            _require(0 < value <= largest, f"{name} is {value}", advice)
        _require(
            self.min_group >= LEAST_GROUP,
            f"min_group is {self.min_group}",
            f"Use {LEAST_GROUP} or more: fewer people could be told apart.",
        )
        for origin in self.origins:
            _require(
                split_origin(origin) is not None,
                f"{origin!r} is no origin",
                "Give one such as https://fervid.example.org.",
            )
        _require(
            self.ssl_keyfile is None or self.ssl_certfile is not None,
            "there is a key but no certificate",
            "Give --ssl-certfile as well.",
        )
        for path in (self.ssl_certfile, self.ssl_keyfile):
            _require(path is None or path.is_file(), f"{path} is no file", "Give the path of a PEM file.")
        if not self.database_url:
            object.__setattr__(self, "database_url", _address_sqlite(self.data_dir / "fervid.sqlite3"))
        if not self.workers:
            object.__setattr__(self, "workers", os.cpu_count() or 1)

    @property
    def scheme(self) -> str:
        """``https`` with a certificate, else ``http``."""
        return "http" if self.ssl_certfile is None else "https"

    @property
    def film_pixels(self) -> int:
        """Width × height of a film's frame, at most."""
        return min(self.max_pixels, FILM_PIXELS)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _address_sqlite(path: Path) -> str:
    """The URL of a file, whatever characters its path has."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path)).render_as_string()


def _require(condition: bool, message: str, advice: str) -> None:
    if not condition:
        raise UsageError(message, advice=advice)
