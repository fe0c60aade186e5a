"""FER+: ten people's votes for each face of FER2013 (Barsoum et al. 2016, arXiv:1608.01041)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fervid.datasets.faceset import SPLITS, VOTE_COLUMNS, FaceRow
from fervid.datasets.parquet import MAX_VOTES
from fervid.datasets.table import describe_lack, open_table
from fervid.errors import DatasetError

_ORDER: Final = "The votes are in the order of fer2013.csv: give all of its rows, in that order."

_COUNTS: Final = {str(count): count for count in range(MAX_VOTES + 1)}


def join_votes(rows: Iterator[FaceRow | DatasetError], path: str | Path) -> Iterator[FaceRow | DatasetError]:
    """Give each row its votes from ``fer2013new.csv``, which has one line per row of ``fer2013.csv``, in its order.

    Rows that FER+ dropped (their ``Image name`` is empty) keep the counts of the file, ten votes for *not a face* for
    all but one. A bad row takes its line with it, and a bad line of votes makes its row bad.

    Raises:
        DatasetError: not a file of FER+, another number of lines than of rows, or a line whose ``Usage`` is not its
            row's; the message names the line.
    """
    table = open_table(Path(path))
    missing = [name for name in ("Usage", *VOTE_COLUMNS.values()) if table.find(name) is None]
    if missing:
        raise DatasetError(describe_lack(path, missing), advice="Give FER+'s fer2013new.csv.")
    usage_at = table.index("Usage")
    places = [table.index(name) for name in VOTE_COLUMNS.values()]
    records = table.records()
    line = 1
    for row in rows:
        line, record = next(records, (line, None))
        if record is None:
            raise DatasetError(f"{path} ends at line {line}, but the faces go on", advice=_ORDER)
        if isinstance(row, DatasetError):
            yield row
            continue
        if isinstance(record, DatasetError):
            yield record
            continue
        where = f"{path}, line {line}"
        if record[usage_at] != SPLITS[row.split]:
            message = f"{where}: Usage is {record[usage_at][:40]!r}, but {row.where} is {SPLITS[row.split]}"
            raise DatasetError(message, advice=_ORDER)
        counts = [record[place] for place in places]
        wrong = next((text for text in counts if text not in _COUNTS), None)
        if wrong is not None:
            yield DatasetError(f"{where}: {wrong[:20]!r} is no number of votes", advice=f"Votes are 0–{MAX_VOTES}.")
            continue
        yield FaceRow(row.image, row.emotion, row.split, tuple(_COUNTS[text] for text in counts), row.where)
    line, record = next(records, (line, None))
    if record is not None:
        raise DatasetError(f"{path}, line {line}: there is no face for these votes", advice=_ORDER)
