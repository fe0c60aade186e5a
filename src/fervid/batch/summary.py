"""What is in the result of a run, counted by DuckDB over its Parquet: memory does not grow with the archive."""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fervid.batch.manifest import FILE, RunManifest
from fervid.batch.tables import FACES, FAILURES, INPUTS, PARTS
from fervid.emotions import EMOTIONS
from fervid.errors import InputError, UsageError, escape_bytes
from fervid.extras import require

if TYPE_CHECKING:
    import duckdb

MOST_FAILURES: Final = 20
_MICROSECONDS_OF_HOUR: Final = 3_600_000_000
_MICROSECONDS_OF_DAY: Final = 24 * _MICROSECONDS_OF_HOUR
_SINCE_MIDNIGHT: Final = (  # of times before 1970, too, which are negative
    f"((epoch_us(modified) % {_MICROSECONDS_OF_DAY} + {_MICROSECONDS_OF_DAY}) % {_MICROSECONDS_OF_DAY})"
)

UNKNOWN: Final = "unknown"
"""The hour of what nobody says a time of."""

_KEYS: Final = {
    "all": "''",
    "kind": "kind",
    "folder": r"regexp_replace(source, '/[^/]*$', '')",
    "hour": f"coalesce(lpad(CAST({_SINCE_MIDNIGHT} // {_MICROSECONDS_OF_HOUR} AS VARCHAR), 2, '0'), '{UNKNOWN}')",
    "source": "source",
}
"""What inputs are grouped by: name to SQL. An hour is when the file was last written, UTC."""

_LISTED: Final = frozenset({"folder", "source"})
"""Groups of which there may be too many to show all."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Figures of some inputs.

    Attributes:
        group: ``all``, ``kind``, ``folder``, ``hour`` or ``source``.
        name: which one.
        inputs: photos and films.
        failed: of these.
        faces: rows; of a film, one per person and frame.
        uncertain: of these, without an expression.
        counts: of these, with each of the seven expressions.
    """

    group: str
    name: str
    inputs: int
    failed: int
    faces: int
    uncertain: int
    counts: tuple[int, ...]

    def share(self, count: int) -> float:
        """As a share of the rows; 0 where there are none."""
        return count / self.faces if self.faces else 0.0


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Failures of one kind: the error's code, how many there are, and the first one's source and message."""

    code: str
    count: int
    source: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What is in a result.

    Attributes:
        folder: of the run.
        run: its manifest, with the source as the tables name it.
        size_bytes: of all inputs.
        empty: inputs that were read and show nobody.
        rows: of every group; of folders and sources those of most faces.
        left_out: how many of ``folder`` and ``source`` are not among the rows.
        failures: by code.
    """

    folder: Path
    run: RunManifest
    size_bytes: int
    empty: int
    rows: tuple[GroupRow, ...]
    left_out: dict[str, int]
    failures: tuple[FailureRow, ...]

    @property
    def total(self) -> GroupRow:
        """Everything."""
        return self.rows[0]

    def list_group(self, group: str) -> tuple[GroupRow, ...]:
        """The rows of one group."""
        return tuple(row for row in self.rows if row.group == group)

    def shorten(self, name: str) -> str:
        """A folder or file as a reader knows it: from the source of the run on, where it lies in it."""
        root = self.run.source.rstrip("/")
        return "." if name == root else name.removeprefix(f"{root}/")


def summarise(folder: Path, *, top: int = 20) -> Report:
    """Count what is in the result of a run, finished or not.

    Args:
        folder: of the run.
        top: folders and sources that are listed.

    Raises:
        MissingExtraError: DuckDB is not installed.
        UsageError: there is no run in the folder, or it has done nothing yet.
        InputError: a table cannot be read.
    """
    require("batch", "fervid batch report", "duckdb")
    import duckdb

    run = RunManifest.read(folder)
    if run is None:
        raise UsageError(f"there is no run in {folder} ({FILE} is missing)", advice="Give the --out of fervid batch.")
    if not any((folder / INPUTS).glob(PARTS)):
        raise UsageError(f"the run in {folder} has done nothing yet", advice="Run fervid batch again.")
    run = replace(run, source=escape_bytes(run.source))
    try:
        with (
            _name_plainly(folder) as place,
            duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"}) as database,
        ):
            return replace(_count(database, place, run, top), folder=folder)
    except duckdb.Error as error:
        raise InputError(
            f"cannot count {folder} ({str(error).splitlines()[0]})",
            advice="If a table is damaged, the same fervid batch reads its inputs again.",
        ) from None


@contextmanager
def _name_plainly(folder: Path) -> Iterator[Path]:
    """The folder under a name that DuckDB takes, which is UTF-8."""
    if escape_bytes(str(folder)) == str(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="fervid-") as place:
        link = Path(place) / "run"
        link.symlink_to(folder.resolve())
        yield link


def _count(database: duckdb.DuckDBPyConnection, folder: Path, run: RunManifest, top: int) -> Report:
    for table, pattern in ((INPUTS, PARTS), (FAILURES, PARTS), (FACES, f"*/{PARTS}")):
        place = f"{glob.escape(str(folder / table))}/{pattern}".replace("'", "''")
        # Only faces/kind=… says something: the folder itself may be called source=camera1.
        kind = ", regexp_extract(filename, 'kind=([a-z]+)/[^/]*$', 1) AS kind" if table == FACES else ""
        options = "hive_partitioning = false" + (", filename = true" if kind else "")
        done = "" if table == INPUTS else f" WHERE input IN (SELECT input FROM {INPUTS})"  # of chunks that are done
        database.execute(f"CREATE VIEW {table} AS SELECT *{kind} FROM read_parquet('{place}', {options}){done}")
    rows: list[GroupRow] = []
    left_out: dict[str, int] = {}
    for group in _KEYS:
        found = list(_count_group(database, group, top if group in _LISTED else None))
        rows += found
        if group in _LISTED:
            (distinct,) = _fetch_one(database, f"SELECT count(DISTINCT {_KEYS[group]}) FROM {INPUTS}")
            left_out[group] = distinct - len(found)
    size, empty = _fetch_one(
        database, f"SELECT coalesce(sum(bytes), 0), count(*) FILTER (NOT failed AND faces = 0) FROM {INPUTS}"
    )
    failures = database.execute(
        f"SELECT code, count(*) AS n, arg_min(source, input), arg_min(message, input) FROM {FAILURES} "
        f"GROUP BY code ORDER BY n DESC, code LIMIT {MOST_FAILURES}"
    ).fetchall()
    return Report(
        folder, run, int(size), empty, tuple(rows), left_out, tuple(FailureRow(*failure) for failure in failures)
    )


def _count_group(database: duckdb.DuckDBPyConnection, group: str, limit: int | None) -> Iterator[GroupRow]:
    key = _KEYS[group]
    counts = ", ".join(f"count(*) FILTER (emotion = '{emotion}') AS {emotion}" for emotion in EMOTIONS)
    order = "rows DESC, name" if limit is not None else "name"
    query = f"""
        WITH i AS (SELECT {key} AS name, count(*) AS inputs, count(*) FILTER (failed) AS failed,
                          coalesce(sum(faces), 0) AS rows FROM {INPUTS} GROUP BY 1),
             chosen AS (SELECT * FROM i ORDER BY {order} {"" if limit is None else f"LIMIT {limit}"}),
             f AS (SELECT {key} AS name, count(*) AS faces, count(*) FILTER (emotion IS NULL) AS uncertain, {counts}
                   FROM {FACES} WHERE {key} IN (SELECT name FROM chosen) GROUP BY 1)
        SELECT chosen.name, inputs, failed, faces, uncertain, {", ".join(EMOTIONS)}
        FROM chosen LEFT JOIN f ON chosen.name = f.name ORDER BY {order.replace("name", "chosen.name")}"""
    for name, inputs, failed, *numbers in database.execute(query).fetchall():
        faces, uncertain, *emotions = (int(number or 0) for number in numbers)
        yield GroupRow(group, name or UNKNOWN if group != "all" else "", inputs, failed, faces, uncertain, (*emotions,))


def _fetch_one(database: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = database.execute(query).fetchone()
    assert row is not None
    return row
