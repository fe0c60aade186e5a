"""Results as a Parquet file with the columns of every CSV."""

from __future__ import annotations

from contextlib import AbstractContextManager
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


class ParquetWriter:
    """Writes a row per face with the columns :data:`.table.COLUMNS`; what does not apply is null.

    The file appears, whole, when the ``with`` block ends without an error. Memory does not grow with its length.

    Args:
        path: of the file; its folder is made if absent.

    Raises:
        MissingExtraError: pyarrow is not installed (extra ``data``).
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise MissingExtraError.for_extra("data", "pyarrow", "Writing Parquet") from None
        self._schema: pa.Schema = pa.schema([(column, getattr(pa, TYPES[column])()) for column in COLUMNS])
        self._rows: list[tuple[Any, ...]] = []
        self._file: AbstractContextManager[Path] = write_atomically(path)
        self._writer = pq.ParquetWriter(self._file.__enter__(), self._schema, compression="zstd")

    def write(self, result: Analysis | Failure) -> None:
        """Add the rows of one result; a failure gives none."""
        self._rows += list_rows(result)
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(COLUMNS)
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
        except BaseException as failure:
            self._file.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._file.__exit__(kind, error, trace)
