"""Results as CSV, with columns that never change, as JSON lines, and as a data frame."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

from fervid import exchange
from fervid.errors import UsageError
from fervid.exchange import COLUMNS
from fervid.results import Analysis, Failure

if TYPE_CHECKING:
    import pandas

__all__ = ["COLUMNS", "CsvWriter", "JsonLinesWriter", "list_rows", "to_pandas"]


def list_rows(result: Analysis | Failure) -> list[tuple[Any, ...]]:
    """One row per face with the values of :data:`COLUMNS`; None where there is none. A failure has no rows.

    Raises:
        UsageError: it is something else, such as a face of :meth:`fervid.Analyzer.classify`.
    """
    if not isinstance(result, Analysis | Failure):
        raise UsageError(
            f"a {type(result).__name__} is not the result of a picture",
            advice="Give analyses, frames or failures; of faces alone, face.to_dict() says everything.",
        )
    return exchange.list_rows(result.to_dict())


def to_pandas(results: Iterable[Analysis | Failure]) -> pandas.DataFrame:
    """Many results as one table: a row per face with the columns :data:`COLUMNS`, of the same types always.

    A picture without faces and a failure give no row. Films come as the frames of :meth:`fervid.Analyzer.video`,
    folders as the answers of :meth:`fervid.Analyzer.map`.

    Raises:
        UsageError: ``results`` is a single result, or has something that is none.
        MissingExtraError: pandas is not installed.
    """
    if not isinstance(results, Iterable):
        raise UsageError(
            f"to_pandas makes a table of many results, and was given one object ({type(results).__name__})",
            advice="Give a list: [analysis].",
        )
    return exchange.build_data_frame(row for result in results for row in list_rows(result))


class CsvWriter:
    """Writes the header at once and a row per face; a picture without faces gives no row.

    Args:
        stream: a text stream opened with ``newline=""``.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def write(self, result: Analysis | Failure) -> None:
        """Add the rows of one result; a failure gives none."""
        self._writer.writerows(list_rows(result))


class JsonLinesWriter:
    """Writes one compact JSON object per result, failures included, each on a line of its own.

    Args:
        stream: a text stream.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, result: Analysis | Failure) -> None:
        """Add one line."""
        self._stream.write(json.dumps(result.to_dict(), ensure_ascii=False) + "\n")
