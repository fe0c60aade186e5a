"""The operator's statement, recorded before the first room that reads expressions can be made."""

from __future__ import annotations

from fervid.web.database.engine import Database
from fervid.web.database.statements import StatementStore


def record_statement(database_url: str, text: str) -> None:
    """Record it with the time and the version of fervid.

    Raises:
        DatabaseError: it cannot be recorded.
    """
    with Database(database_url) as database:
        StatementStore(database).record(text)
