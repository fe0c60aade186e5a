"""Rows as a Parquet file; results, with the columns of every CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from fervid.errors import MissingExtraError
from fervid.files import write_atomically
from fervid.results import Analysis, Failure
from fervid.sinks.table import COLUMNS, list_rows

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP: Final = 20_000
"""Rows that are kept in memory before they are written."""

TYPES: Final = {
    **dict.fromkeys(COLUMNS, "float64"),
    **dict.fromkeys(("source", "emotion", "model"), "string"),
    "frame": "int64",
    "face": "int32",
    "track": "int32",
}
"""Of every column, by pyarrow's name of the type."""


class RowWriter:
    """Writes rows to a Parquet file, which appears, whole, when the ``with`` block ends without an error.

    Memory does not grow with its length.

    Args:
        path: of the file; its folder is made if absent.
        types: of its columns, by pyarrow's names; ``time`` is microseconds since 1970, UTC.

    Raises:
        MissingExtraError: pyarrow is not installed (extra ``data``).
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, types: Mapping[str, str]) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise MissingExtraError.for_extra("data", "pyarrow", "Writing Parquet") from None
        time = pa.timestamp("us", tz="UTC")
        columns = [(name, time if kind == "time" else getattr(pa, kind)()) for name, kind in types.items()]
        self._schema: pa.Schema = pa.schema(columns)
        self._rows: list[Sequence[Any]] = []
        self._file: AbstractContextManager[Path] = write_atomically(path)
        part = self._file.__enter__()
        try:
            self._stream = part.open("wb")  # pyarrow takes no path that is no UTF-8
            self._writer = pq.ParquetWriter(self._stream, self._schema, compression="zstd")
        except BaseException as error:
            self._file.__exit__(type(error), error, error.__traceback__)
            raise

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows with the columns' values, None where there is none."""
        self._rows += rows
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._rows:
                self._flush()
            self._writer.close()
            self._stream.close()
        except BaseException as failure:
            for opened in (self._writer, self._stream):  # the first is not to write to the second when it is forgotten
                with suppress(Exception):
                    opened.close()
            self._file.__exit__(type(failure), failure, failure.__traceback__)
            if kind is None:
                raise
            return
        self._file.__exit__(kind, error, trace)


class ParquetWriter(RowWriter):
    """Writes a row per face with the columns :data:`.table.COLUMNS`; what does not apply is null.

    Args:
        path: of the file.

    Raises:
        MissingExtraError: pyarrow is not installed (extra ``data``).
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, TYPES)

    def write(self, result: Analysis | Failure) -> None:
        """Add the rows of one result; a failure gives none."""
        self.add(list_rows(result))
