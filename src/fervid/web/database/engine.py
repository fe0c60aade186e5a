"""The connection to SQLite or PostgreSQL."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from fervid.errors import MissingExtraError, UsageError, mask_credentials
from fervid.web.database.migration import migrate
from fervid.web.errors import DatabaseError

LOG: Final = logging.getLogger("fervid.web.database")

_BUSY_MS: Final = 10_000
_POOL_S: Final = 10
"""Whoever finds all connections taken waits so long for one."""
_POSTGRES: Final = {
    "connect_timeout": 10,
    # A machine that is gone says nothing: without these the system believes in it for minutes, or for ever.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""What libpq is told where the URL says nothing else; seconds, and milliseconds for the last."""
_DRIVERS: Final = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite": "sqlite"}


class Database:
    """An open database whose tables are those of this version.

    Shared by threads; every call blocks, so the event loop calls it in a thread.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

    Attributes:
        engine: SQLAlchemy's.

    Raises:
        UsageError: the URL is of another kind, or none.
        MissingExtraError: PostgreSQL is wanted and psycopg is not installed.
        DatabaseError: the database cannot be reached, or a newer version has changed it.
    """

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        self.engine = _create_engine(parsed)
        place = _describe(parsed)
        try:
            migrate(self.engine)
        except DBAPIError as error:
            self.close()
            raise DatabaseError(
                f"the database {place} cannot be used ({_shorten(error)})",
                advice="Check its address, its rights, and that it runs.",
            ) from None
        except BaseException:
            self.close()
            raise
        self.engine.dispose()  # nothing stays open until something is asked

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads.

        Raises:
            DatabaseError: the database does not answer.
        """
        with _explain(), self.engine.connect() as connection:
            yield connection.execution_options(fervid_reads=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed when the block ends without an error.

        Raises:
            DatabaseError: the database does not answer.
        """
        with _explain(), self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _explain() -> Iterator[None]:
    try:
        yield
    except (IntegrityError, DataError):  # what was written is wrong, not the database
        raise
    except (DBAPIError, PoolTimeoutError) as error:
        LOG.error("the database does not answer: %s", _shorten(error))
        raise DatabaseError(
            "the server's database does not answer", advice="Try again; its operator finds why in the server's log."
        ) from error


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UsageError("the database's URL is none", advice="Use sqlite:///PATH or postgresql://…") from None
    kind = parsed.drivername.partition("+")[0]
    if kind not in _DRIVERS or (kind == "sqlite" and parsed.database in (None, "", ":memory:")):
        raise UsageError(
            f"no database of fervid is {_describe(parsed)!r}",
            advice="Use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.",
        )
    return parsed.set(drivername=_DRIVERS[kind])


def _create_engine(url: URL) -> Engine:
    try:
        if url.drivername != "sqlite":
            options = {name: value for name, value in _POSTGRES.items() if name not in url.query}
            return create_engine(url, pool_pre_ping=True, pool_timeout=_POOL_S, connect_args=options)
        assert url.database is not None
        _make_folder(Path(url.database).parent)
        engine = create_engine(url, pool_timeout=_POOL_S, connect_args={"timeout": _BUSY_MS / 1000})
    except (NoSuchModuleError, ArgumentError):
        raise UsageError("the database's URL is none", advice="Use sqlite:///PATH or postgresql://…") from None
    except ImportError:
        raise MissingExtraError.for_extra("postgres", "psycopg", "PostgreSQL") from None
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise DatabaseError(
            f"cannot make the folder {folder} ({error.strerror})", advice="Choose another with --data-dir."
        ) from None


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so, see _begin_sqlite
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={_BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that writes takes the lock at once: one that had read before could not wait for it.
    reads = connection.get_execution_options().get("fervid_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _describe(url: URL) -> str:
    """A URL as it may be shown: the query can have a password, too."""
    return mask_credentials(url.render_as_string(hide_password=True))


def _shorten(error: DBAPIError | PoolTimeoutError) -> str:
    return re.sub(r"\s+", " ", str(error.orig if isinstance(error, DBAPIError) else error)).strip()[:300]
