"""The tables. A change here comes with a migration; a test compares both."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Double, Index, Integer, MetaData, String, Table, Text

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Names of constraints are the same on every database, so that migrations can speak of them."""

FILM_JOBS: Final = Table(
    "film_jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("status", String(16), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("duration_s", Double),
    Column("options", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("queued_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("progress", Double, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("seconds_left", Double),
    Column("warnings", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("attempt", Integer, nullable=False),
    Column("owner", String(32)),
    Column("heartbeat_at", Double),
    Index(None, "status", "queued_at"),
    Index(None, "owner"),
)
"""One film each. Times are seconds since 1970; ``owner`` is the server that reads it or has not yet let go of it."""

STATEMENTS: Final = Table(
    "statements",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("version", String(32), nullable=False),
    Column("recorded_at", Double, nullable=False),
)
"""What an operator stated when the server was allowed to collect expressions. Rows are only ever added."""
