"""SQLite and PostgreSQL: one path of migrations, transactions of several threads, and what cannot be used."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import exc, func, insert, inspect, select, text

import fervid
from fervid.errors import UsageError
from fervid.web.database import engine
from fervid.web.database.engine import Database
from fervid.web.database.migration import configure
from fervid.web.database.statements import StatementStore
from fervid.web.database.tables import METADATA, STATEMENTS
from fervid.web.errors import DatabaseError


def test_migrations_make_the_tables_of_this_version(database_url: str) -> None:
    with Database(database_url) as database, database.read() as connection:
        names = set(inspect(connection).get_table_names())
        assert names == {*METADATA.tables, "alembic_version"}
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == ScriptDirectory.from_config(configure()).get_current_head()


def test_the_history_of_migrations_is_one_line() -> None:
    script = ScriptDirectory.from_config(configure())
    assert len(script.get_heads()) == len(script.get_bases()) == 1


def test_opening_again_keeps_what_is_there(database_url: str) -> None:
    with Database(database_url) as database:
        StatementStore(database).record("lawful here")
    with Database(database_url) as database:
        assert [s.text for s in StatementStore(database).list()] == ["lawful here"]


def test_servers_may_start_together(database_url: str) -> None:
    barrier = threading.Barrier(4)

    def start(_: int) -> int:
        barrier.wait()
        with Database(database_url) as database, database.read() as connection:
            return len(inspect(connection).get_table_names())

    pool_size = 4
    with ThreadPoolExecutor(pool_size) as pool:
        assert list(pool.map(start, range(pool_size))) == [len(METADATA.tables) + 1] * pool_size


def test_statements_are_recorded_with_time_and_version(database_url: str) -> None:
    with Database(database_url) as database:
        store = StatementStore(database)
        assert store.list() == []
        first = store.record("Consent was given – ärztlich begleitet.")
        second = store.record("Another.")
        assert first.version == fervid.__version__
        assert store.list() == [second, first]
        assert second.recorded_at >= first.recorded_at > 1.7e9


def test_threads_that_write_wait_for_each_other(database_url: str) -> None:
    with Database(database_url) as database:

        def write(number: int) -> None:
            with database.write() as connection:
                found = connection.execute(select(func.count()).select_from(STATEMENTS)).scalar()
                row = {"text": f"{number} after {found}", "version": "1", "recorded_at": 0.0}
                connection.execute(insert(STATEMENTS).values(row))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(80)))
        with database.read() as connection:
            assert connection.execute(select(func.count()).select_from(STATEMENTS)).scalar() == 80


def test_a_failing_block_writes_nothing(database_url: str) -> None:
    with Database(database_url) as database:

        def fail() -> None:
            with database.write() as connection:
                connection.execute(insert(STATEMENTS).values(text="half", version="1", recorded_at=0.0))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert StatementStore(database).list() == []


def test_a_newer_database_is_refused(database_url: str) -> None:
    with Database(database_url) as database, database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer version"):
        Database(database_url)


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "sqlite+foo:"])
def test_what_is_no_database_is_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Database(url)
    assert "sqlite:///PATH" in caught.value.advice


@pytest.mark.parametrize(
    "url",
    ["postgres://somebody:secret@127.0.0.1:1/nothing", "postgres://127.0.0.1:1/nothing?user=a&password=secret"],
)
def test_a_database_that_does_not_answer_is_an_error_without_its_password(url: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(DatabaseError) as caught:
        Database(url)
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in caught.value.message
    with pytest.raises(UsageError) as refused:
        Database(url.replace("postgres:", "mysql:"))
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_an_error_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, not a database, " * 100)
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match="cannot be used"):
        Database(f"sqlite:///{path}")
    assert path.read_bytes() == before
    with pytest.raises(DatabaseError, match="cannot make the folder"):
        Database(f"sqlite:///{path}/below/fervid.db")


def test_a_database_that_goes_away_is_an_error_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Database(f"sqlite:///{folder / 'fervid.db'}") as database:
        store = StatementStore(database)
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(DatabaseError, match="does not answer"):
            store.list()
        with pytest.raises(DatabaseError, match="does not answer"):
            store.record("lost")
        (tmp_path / "elsewhere").rename(folder)
        assert store.list() == []


@pytest.mark.parametrize(
    "kind",
    [exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.ProgrammingError, exc.DatabaseError, None],
)
def test_whatever_the_database_refuses_is_an_error_in_words(sqlite_url: str, kind: type[exc.DBAPIError] | None) -> None:
    """As one that may only be read since another took its place, or one whose file is damaged."""
    error = exc.TimeoutError("no place") if kind is None else kind("SELECT 1", None, Exception("read-only"))
    with Database(sqlite_url) as database:
        for use in (database.read, database.write):
            with pytest.raises(DatabaseError, match="does not answer"), use():
                raise error


@pytest.mark.parametrize("kind", [exc.IntegrityError, exc.DataError])
def test_what_is_wrong_with_a_row_is_not_the_databases(sqlite_url: str, kind: type[exc.DBAPIError]) -> None:
    with Database(sqlite_url) as database, pytest.raises(kind), database.write():
        raise kind("INSERT", None, Exception("twice"))


def test_nobody_waits_long_for_a_connection(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_POOL_S", 0.05)

    def hold(database: Database, connections: int) -> None:
        with ExitStack() as stack:
            for _ in range(connections):
                stack.enter_context(database.read())

    with Database(sqlite_url) as database, pytest.raises(DatabaseError, match="does not answer"):
        hold(database, 100)


def test_a_connection_that_was_cut_is_replaced(postgres_url: str) -> None:
    with Database(postgres_url) as database, Database(postgres_url) as other:
        store = StatementStore(database)
        store.record("before")
        with database.write() as connection:
            process = connection.execute(text("SELECT pg_backend_pid()")).scalar()
        with other.write() as connection:
            cut = text("SELECT pg_terminate_backend(:process, 10000)")  # waits until it has ended
            assert connection.execute(cut, {"process": process}).scalar() is True
        assert [statement.text for statement in store.list()] == ["before"]
