"""The figures of a result as CSV: one row per group."""

from __future__ import annotations

import csv
import io
from typing import Final

from fervid.batch.summary import Report
from fervid.emotions import EMOTIONS

COLUMNS: Final = ("group", "name", "inputs", "failed", "faces", "uncertain", *map(str, EMOTIONS))
"""Counts; ``name`` is empty for ``all``."""


def build_csv(report: Report) -> str:
    """All rows of the report, with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in report.rows:
        writer.writerow((row.group, row.name, row.inputs, row.failed, row.faces, row.uncertain, *row.counts))
    return stream.getvalue()
