"""The figures of a result on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from fervid.cli.layout import print_fitting
from fervid.cli.terminal import escape_controls
from fervid.emotions import EMOTIONS
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fervid.batch.summary import GroupRow, Report

_TITLES = {
    "kind": "kind",
    "folder": "folders",
    "hour": "hour (UTC)",
    "source": "files",
}
_LAYOUTS: Final = ((19, ", "), (12, "\n"))
"""Characters that longer names have at least, and what parts the expressions most often shown."""


def print_report(console: Console, report: Report) -> None:
    """Totals, one table per group, failures."""
    total = report.total
    state = "complete" if report.run.complete else "not complete"
    console.print(
        f"{count_nouns(total.inputs, 'input')}, {total.failed:,} failed, {report.empty:,} without a face; "
        f"{count_nouns(total.faces, 'row')} of faces, {total.share(total.uncertain):.1%} uncertain ({state})",
        markup=False,
    )
    for group, title in _TITLES.items():
        if rows := report.list_group(group):
            named = [(escape_controls(report.shorten(row.name)), row) for row in rows]
            print_fitting(console, (_build_table(title, named, *layout) for layout in _LAYOUTS))
            if left := report.left_out.get(group, 0):
                console.print(f"and {left:,} more", markup=False)
    for failure in report.failures:
        console.print(f"{failure.code} × {failure.count:,}, such as: {escape_controls(failure.message)}", markup=False)


def _build_table(title: str, rows: Sequence[tuple[str, GroupRow]], least: int, parting: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    longest = max(map(len, (title, *(name for name, _ in rows))))
    table.add_column(title, overflow="fold", min_width=min(least, longest))
    for column in ("inputs", "failed", "faces", "uncertain"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("most often", no_wrap=True)
    for name, row in rows:
        uncertain = f"{row.share(row.uncertain):.0%}" if row.faces else ""
        figures = (f"{row.inputs:,}", f"{row.failed:,}", f"{row.faces:,}", uncertain)
        table.add_row(Text(name), *figures, parting.join(_list_most_often(row)))
    return table


def _list_most_often(row: GroupRow) -> list[str]:
    """The two expressions that most of the faces show."""
    ranked = sorted(zip(row.counts, EMOTIONS, strict=True), key=lambda pair: -pair[0])[:2]
    return [f"{emotion} {row.share(count):.0%}" for count, emotion in ranked if count]
