"""From any source to one Parquet of checked faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import FaceRow
from fervid.datasets.parquet import write_faces
from fervid.datasets.sources import Source
from fervid.datasets.votes import join_votes
from fervid.errors import DatasetError

ERRORS_KEPT: Final = 5
"""How many of the rows that were skipped are remembered with their reasons."""


@dataclass(slots=True)
class Skipped:
    """Bad rows that were passed over.

    Attributes:
        count: how many.
        errors: the first few, with their reasons.
    """

    count: int = 0
    errors: list[DatasetError] = field(default_factory=list)

    def add(self, error: DatasetError) -> None:
        """Count one."""
        self.count += 1
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append(error)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was written.

    Attributes:
        counts: ``(3, 7)`` rows by split and emotion.
        skipped: the rows that were not.
    """

    counts: NDArray[np.int64]
    skipped: Skipped

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return int(self.counts.sum())


def prepare_faces(
    source: Source,
    output: str | Path,
    *,
    votes: str | Path | None = None,
    skip_bad: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Preparation:
    """Check every row of a source and write it to a Parquet, in bounded memory.

    Args:
        source: as :func:`fervid.datasets.sources.open_source` recognised it.
        output: the Parquet; it appears whole or not at all.
        votes: FER+'s ``fer2013new.csv``, to be joined.
        skip_bad: pass over bad rows and count them, instead of stopping at the first.
        progress: called with (rows done, rows in all) now and then.

    Raises:
        DatasetError: a bad row (it names file and line) unless ``skip_bad``, no good row at all, votes that do not
            belong to the source, or a source that was damaged or replaced.
        OutputError: the output cannot be written.
    """
    rows = source.iterate()
    if votes is not None:
        if not source.in_order:
            raise DatasetError(
                f"votes cannot be joined to {source.path}: its pictures are not in the order of fer2013.csv",
                advice="Prepare from fer2013.csv, or from a Parquet or a whole export made of it.",
            )
        rows = join_votes(rows, votes)
    skipped = Skipped()
    good = keep_good(_report(rows, source.total, progress), skipped if skip_bad else None)
    try:
        counts = write_faces(output, good)
    except DatasetError as error:
        if skipped.count:
            first = skipped.errors[0]
            raise DatasetError(f"{error.message}; {skipped.count:,} were skipped, first: {first}") from None
        raise
    return Preparation(counts, skipped)


def keep_good(rows: Iterator[FaceRow | DatasetError], skipped: Skipped | None) -> Iterator[FaceRow]:
    """The good rows; a bad one is added to ``skipped``, or raised when that is None."""
    for row in rows:
        if isinstance(row, FaceRow):
            yield row
        elif skipped is None:
            raise row
        else:
            skipped.add(row)


def _report(
    rows: Iterator[FaceRow | DatasetError], total: int, progress: Callable[[int, int], None] | None
) -> Iterator[FaceRow | DatasetError]:
    for done, row in enumerate(rows, start=1):
        yield row
        if progress is not None and (done % 100 == 0 or done == total):
            progress(done, total)
