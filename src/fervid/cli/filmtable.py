"""A film's people as a terminal table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fervid.cli.layout import print_fitting
from fervid.cli.tables import draw_bar
from fervid.cli.terminal import escape_controls
from fervid.drawing.timeline import describe_people, format_time
from fervid.tracking.summary import PersonSummary, Summary
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

MOST_PEOPLE: Final = 12
"""Of more, those seen longest are printed."""
_LEAST: Final = 0.005
"""Expressions of a smaller share of the time are not listed."""
_BAR: Final = 12
_SHORT_BAR: Final = 6
_WIDE: Final = 90
"""Terminals of so many columns have room for the longer bar."""


def print_summary(console: Console, summary: Summary, detector: str) -> None:
    """Who was seen for how long, with which expressions for which share of that time."""
    from rich.text import Text

    count = len(summary.people)
    people = describe_people(count, summary.untracked)
    seconds = format_seconds(summary.seconds)
    console.print(
        Text.assemble(
            (escape_controls(summary.source or "film"), "bold"),
            f"  {seconds}, {count_nouns(summary.frames, 'frame')}, {people}  ",
            (f"{summary.model}, {detector}", "dim"),
        )
    )
    if not count:
        return
    shown = sorted(sorted(summary.people, key=lambda p: -p.seen_s)[:MOST_PEOPLE], key=lambda p: p.track_id)
    bars = (_BAR, _SHORT_BAR) if console.width >= _WIDE else (_SHORT_BAR,)
    print_fitting(console, (_build_table(shown, bar) for bar in bars))
    if count > len(shown):
        console.print(f"[dim]and {count - len(shown)} more, seen more shortly; --summary-json has them all[/]")


def _build_table(people: Sequence[PersonSummary], bar: int) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("seen", no_wrap=True)
    table.add_column("share of that time", no_wrap=True)
    table.add_column("longest", no_wrap=True)
    table.add_column("changes", no_wrap=True)
    for person in people:
        shares = _draw_shares(person, bar)
        table.add_row(f"#{person.track_id}", _describe_time(person), shares, *_describe_changes(person))
    return table


def format_seconds(seconds: float) -> str:
    """``4.2 s`` below a minute, then ``1:04``, ``1:02:03``."""
    return f"{seconds:.1f} s" if seconds < 59.95 else format_time(seconds)


def _describe_time(person: PersonSummary) -> str:
    where = f"{format_seconds(person.first_s)} – {format_seconds(person.last_s)}"
    return f"{format_seconds(person.seen_s)} ({person.coverage:.0%})\n[dim]{where}[/]"


def _draw_shares(person: PersonSummary, bar: int) -> Table:
    from rich.table import Table

    bars = Table.grid(padding=(0, 1))
    bars.add_column(no_wrap=True)
    bars.add_column(width=bar)
    bars.add_column(justify="right", no_wrap=True)
    for emotion, share in sorted(person.shares.items(), key=lambda item: -item[1]):
        if share >= _LEAST:
            style = "bold" if emotion is person.dominant else "dim"
            bars.add_row(f"{emotion.character} {emotion}", draw_bar(share, bar), f"{share:.0%}", style=style)
    if person.uncertain >= _LEAST:
        bars.add_row("[yellow]? uncertain[/]", draw_bar(person.uncertain, bar), f"{person.uncertain:.0%}", style="dim")
    return bars


def _describe_changes(person: PersonSummary) -> tuple[str, str]:
    longest = person.longest
    stretch = "–"
    if longest is not None:
        stretch = f"{longest.emotion} {format_seconds(longest.seconds)}\n[dim]from {format_seconds(longest.start_s)}[/]"
    often = sorted(person.transitions.items(), key=lambda item: (-item[1], item[0]))[:3]
    lines = [f"[dim]{before} → {after}{f' ×{count}' if count > 1 else ''}[/]" for (before, after), count in often]
    return stretch, "\n".join([str(person.changes), *lines])
