"""Bringing a database to the tables of this version, with Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from fervid.web.errors import DatabaseError

_LOCK: Final = 0x6665727669640001
"""PostgreSQL's advisory lock of this name keeps servers that start together apart."""


def migrate(engine: Engine) -> None:
    """Run the migrations that this database has not seen, in one transaction.

    Raises:
        DatabaseError: a newer version of fervid has changed the database.
        sqlalchemy.exc.DBAPIError: the database does not answer.
    """
    with engine.begin() as connection:  # SQLite's transactions that write exclude each other
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _LOCK})
        try:
            command.upgrade(configure(connection), "head")
        except CommandError:
            raise DatabaseError(
                "the database was changed by a newer version of fervid",
                advice="Start that version, or give another --database.",
            ) from None


def configure(connection: Connection | None = None) -> Config:
    """Alembic's configuration: the migrations of the package, on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
