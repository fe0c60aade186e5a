"""What operators stated when they let a server collect expressions."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Row, insert, select

import fervid
from fervid.web.database.engine import Database
from fervid.web.database.tables import STATEMENTS


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        text: the operator's words.
        version: of fervid at that time.
        recorded_at: when, seconds since 1970.
    """

    text: str
    version: str
    recorded_at: float


class StatementStore:
    """Records statements, and nothing takes one away.

    Args:
        database: where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, text: str) -> Statement:
        """Record a statement; one that says the same as the last is recorded again, with its own time."""
        statement = Statement(text, fervid.__version__, time.time())
        row = {"text": statement.text, "version": statement.version, "recorded_at": statement.recorded_at}
        with self._database.write() as connection:
            connection.execute(insert(STATEMENTS).values(row))
        return statement

    def list(self) -> list[Statement]:
        """All of them, the newest first."""
        query = select(STATEMENTS).order_by(STATEMENTS.c.id.desc())
        with self._database.read() as connection:
            return [_read(row) for row in connection.execute(query)]


def _read(row: Row[*tuple[object, ...]]) -> Statement:
    values = row._mapping
    return Statement(values["text"], values["version"], values["recorded_at"])
