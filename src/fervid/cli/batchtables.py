"""The figures of a result on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fervid.emotions import EMOTIONS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fervid.batch.summary import GroupRow, Report

_TITLES = {
    "kind": "photos and films",
    "folder": "folders",
    "hour": "hour of the file (UTC)",
    "source": "files with most faces",
}


def print_report(console: Console, report: Report) -> None:
    """Totals, one table per group, failures."""
    total = report.total
    state = "complete" if report.run.complete else "not complete"
    console.print(
        f"{total.inputs:,} inputs, {total.failed:,} failed, {report.empty:,} without a face; {total.faces:,} rows of "
        f"faces, {total.share(total.uncertain):.1%} uncertain ({state})",
        markup=False,
    )
    for group, title in _TITLES.items():
        if rows := report.list_group(group):
            console.print(_build_table(title, rows))
            if left := report.left_out.get(group, 0):
                console.print(f"and {left:,} more", markup=False)
    for failure in report.failures:
        console.print(f"{failure.code} × {failure.count:,}, such as: {failure.message}", markup=False)


def _build_table(title: str, rows: Sequence[GroupRow]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(title, overflow="fold")
    for column in ("inputs", "failed", "faces", "uncertain", *EMOTIONS):
        table.add_column(column, justify="right")
    for row in rows:
        shares = [f"{row.share(count):.0%}" if row.faces else "" for count in (row.uncertain, *row.counts)]
        table.add_row(Text(row.name), f"{row.inputs:,}", f"{row.failed:,}", f"{row.faces:,}", *shares)
    return table
