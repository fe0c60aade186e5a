"""Tables in the columns that a terminal has: no word and no figure is cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.measure import Measurement
    from rich.table import Table

_UNBOUNDED: Final = 10_000
"""Columns in which every table has room."""


def print_fitting(console: Console, tables: Iterable[Table]) -> None:
    """Print the first of these tables that the terminal has room for; they say the same, the first most comfortably.

    Lines are broken between words; within them only in columns with a ``min_width``, which must fold. Where no table
    has room, the columns of the last one move together; where that is not enough, its rows are printed one below the
    other, a line for each column.
    """
    table = None
    for table in tables:
        if _fit(console, table):
            console.print(table)
            return
    if table is None:
        return
    table.padding = 0
    if _fit(console, table):
        console.print(table)
    else:
        _print_stacked(console, table)


def _fit(console: Console, table: Table) -> bool:
    """Make columns narrower as needed, the widest first; False where words would not fit, with the table as it was."""
    from rich.measure import Measurement

    limits = []
    for column in table.columns:
        cells = (column.header, *column.cells, column.footer)
        sizes = [_measure(console, cell) for cell in cells]
        longest = max(size.maximum for size in sizes)
        least = longest if column.no_wrap else max(map(_find_least, cells, sizes))
        limits.append(Measurement(least if column.min_width is None else column.min_width, longest))
    widths = [size.maximum for size in limits]
    excess = _measure(console, table).maximum - console.width
    if excess <= 0:
        return True
    if excess > sum(size.span for size in limits):
        return False
    for _ in range(excess):
        widest = max((i for i, size in enumerate(limits) if widths[i] > size.minimum), key=lambda i: widths[i])
        widths[widest] -= 1
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width  # Rich would shorten columns that have no room to give
    return True


def _measure(console: Console, what: RenderableType) -> Measurement:
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(width=_UNBOUNDED), what)


def _find_least(cell: RenderableType, size: Measurement) -> int:
    """Columns for its longest word, and for spaces before the first one, which Rich keeps but does not measure."""
    return size.minimum + (len(cell) - len(cell.lstrip()) if isinstance(cell, str) else 0)


def _print_stacked(console: Console, table: Table) -> None:
    """Each row as a block: what its first column says, then a line for each other one that says something."""
    if table.title:
        console.print(table.title, style="bold")
    rows = [*zip(*(column.cells for column in table.columns), strict=True)]
    if table.show_footer:
        rows.append(tuple(column.footer for column in table.columns))
    headings = [column.header for column in table.columns]
    for cells in rows:
        console.print()
        console.print(*filter(None, (headings[0], cells[0])), style="bold", overflow="fold")
        console.print(_build_block(headings[1:], cells[1:], console.width))
    console.print()


def _build_block(headings: Sequence[RenderableType], cells: Sequence[RenderableType], width: int) -> Table:
    from rich.table import Table

    block = Table.grid(padding=(0, 2, 0, 0))
    block.add_column(style="dim", overflow="fold", max_width=width // 3)
    block.add_column(overflow="fold")
    for heading, cell in zip(headings, cells, strict=True):
        if cell:
            block.add_row(heading, cell)
    return block
