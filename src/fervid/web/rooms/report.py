"""A session to keep: CSV of its rows, and a page that stands alone, without script and without any request."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from fervid.web.rooms.aggregation import estimate_interval
from fervid.web.rooms.charts import (
    average_shares,
    choose_colour,
    collect_bins,
    draw_lost,
    draw_people,
    draw_shares,
    format_time,
    name_option,
)
from fervid.web.rooms.room import LOST, Mark, Room, Row
from fervid.web.rooms.store import Contents

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = """
:root {
  color-scheme: light dark; --paper: #fff; --ink: #16181d; --faint: #59616e; --line: #dfe4ec; --panel: #f5f7fa;
  --empty: #e6e9ee;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171c; --ink: #e9edf3; --faint: #9aa4b2; --line: #2b323d; --panel: #1c2027; --empty: #333a45; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.25rem 1.25rem 4rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.25rem 0 .4rem; font-size: 1.15rem; }
p { margin: .35rem 0; max-width: 46rem; }
.faint, caption { color: var(--faint); }
.facts { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.4rem 0 0; padding: 0; list-style: none; }
.facts li { padding: .6rem 1rem; background: var(--panel); border-radius: .6rem; min-width: 8.5rem; }
.facts b { display: block; font-size: 1.45rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: .6rem 0; padding: 0; list-style: none; }
.legend i { display: inline-block; width: .85em; height: .85em; margin-right: .45em; border-radius: .2em; }
.legend i.hidden { background: repeating-linear-gradient(135deg, var(--faint) 0 1px, transparent 1px 5px); }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 12px; fill: var(--faint); }
svg .grid { stroke: var(--line); }
svg .people { fill: var(--faint); }
svg .hatch { stroke: var(--faint); stroke-opacity: .55; }
svg line.mark { stroke: var(--ink); stroke-dasharray: 3 3; }
svg text.mark { fill: var(--ink); font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { caption-side: bottom; text-align: left; padding-top: .5rem; font-size: .875rem; }
th, td { padding: .32rem .75rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; }
thead th { color: var(--faint); font-weight: 500; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
td.words { white-space: normal; text-align: left; min-width: 9rem; overflow-wrap: anywhere; }
details summary { cursor: pointer; margin: 1.5rem 0 .5rem; font-weight: 600; }
@media (max-width: 40rem) { svg { min-width: 38rem; } th, td { padding: .3rem .45rem; } }
@media print { body { max-width: none; padding: 0; } h2, svg, tr { break-inside: avoid; } }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """From one mark to the next."""

    name: str
    start_s: float
    end_s: float
    rows: tuple[Row, ...]


def format_csv(room: Room, contents: Contents) -> str:
    """One line per bucket and one per mark, in the order of time; times are seconds since the room was made."""
    stream = io.StringIO()
    shares = [f"share_{option}" for option in room.options]
    bounds = [f"{end}_{option}" for option in room.options for end in ("low", "high")]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["start_s", "end_s", "contributors", "withheld", "why", "lost", *shares, *bounds, "mark"])
    empty = [""] * (len(shares) + len(bounds))
    lines: list[tuple[float, list[object]]] = [
        (mark.at_s, [mark.at_s, "", "", "", "", "", *empty, _defuse(mark.text)]) for mark in contents.marks
    ]
    for row in contents.rows:
        values: list[object] = list(empty)
        if row.shares is not None and row.intervals is not None:
            values = [row.shares[o] for o in room.options]
            values += [bound for o in room.options for bound in row.intervals[o]]
        lost = "" if row.lost is None else row.lost
        facts = [row.start_s, row.end_s, row.contributors, row.withheld, row.why or "", lost]
        lines.append((row.start_s, [*facts, *values, ""]))
    writer.writerows(line for _, line in sorted(lines, key=lambda pair: pair[0]))
    return stream.getvalue()


def _defuse(text: str) -> str:
    """Words that a spreadsheet would run as a formula are text (OWASP, "CSV injection")."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def build_report(room: Room, contents: Contents) -> str:
    """The session as one HTML page."""
    title = room.title or "A session"
    began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(room.created_at))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)} · fervid room</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="faint">{_describe(room)} · begun {began}</p>
{_build_facts(contents)}
{_build_charts(room, contents)}
{_build_sections(room, contents)}
{_build_minutes(room, contents.rows)}
<h2>What these figures are</h2>
<p>Sums over groups of at least {room.min_group} people, every {room.bucket_s:g} s. Hatched: nothing may be shown,
because too few answered, or because somebody had left and a sum before minus a sum after would have been about them.
Intervals are Wilson's, 95 %, for as many people as contributed. No answer of a single person was stored.
{_explain(room)}</p>
</body>
</html>
"""


def _describe(room: Room) -> str:
    if room.kind == "expressions":
        return "expressions as participants' own browsers read them"
    return "how it goes, as participants said" if room.question == "pace" else "mood, as participants said"


def _explain(room: Room) -> str:
    if room.kind != "expressions":
        return ""
    return "An expression is not an emotion: these are shares of faces as a network read them, not what anyone felt."


def _build_facts(contents: Contents) -> str:
    rows = contents.rows
    shown = [row for row in rows if row.shares is not None]
    most = max((row.contributors for row in shown), default=0)
    seconds = rows[-1].end_s - rows[0].start_s if rows else 0.0
    facts = [(format_time(seconds), "from the first answer to the last"), (str(most), "people at most")]
    lost = [(row.lost, row) for row in shown if row.lost is not None]
    if lost:
        count, row = max(lost, key=lambda pair: (pair[0] / pair[1].contributors, pair[0]))
        facts.append((f"{count} of {row.contributors}", f"lost at {format_time(row.start_s)}, the most"))
    facts.append((str(len(contents.marks)), "marks"))
    items = "".join(f"<li><b>{value}</b>{escape(words)}</li>" for value, words in facts)
    return f'<ul class="facts">{items}</ul>'


def _build_charts(room: Room, contents: Contents) -> str:
    if not contents.rows:
        return "<p>Nobody answered.</p>"
    legend = "".join(
        f'<li><i style="background:{choose_colour(option)}"></i>{escape(name_option(room, option))}</li>'
        for option in reversed(room.options)
    )
    charts = f"""<h2>Answers over time</h2>
<ul class="legend">{legend}<li><i class="hidden"></i>not shown</li></ul>
<div class="wide">{draw_shares(room, contents.rows, contents.marks)}</div>
<p class="faint">How many contributed</p>
<div class="wide">{draw_people(contents.rows)}</div>"""
    if LOST in room.options:
        charts += f"""
<h2>Who was lost</h2>
<p class="faint">Line: share of those who contributed; band: its 95 % interval.</p>
<div class="wide">{draw_lost(contents.rows, contents.marks)}</div>"""
    return charts


def cut_sections(rows: Sequence[Row], marks: Sequence[Mark]) -> list[Section]:
    """The session from mark to mark; before the first mark it has no name."""
    if not rows:
        return []
    start, end = rows[0].start_s, rows[-1].end_s
    cuts = [(max(start, mark.at_s), f"{number} {mark.text}") for number, mark in enumerate(marks, 1) if mark.at_s < end]
    if not cuts or cuts[0][0] > start:
        cuts.insert(0, (start, "from the beginning"))
    ends = [*(time_s for time_s, _ in cuts[1:]), end]
    return [
        Section(name, begin, until, tuple(row for row in rows if begin <= row.start_s < until))
        for (begin, name), until in zip(cuts, ends, strict=True)
    ]


def _build_sections(room: Room, contents: Contents) -> str:
    if not contents.rows:
        return ""
    head = "".join(f'<th scope="col">{escape(name_option(room, option))}</th>' for option in room.options)
    lines = []
    for section in cut_sections(contents.rows, contents.marks):
        shares, people = average_shares(section.rows)
        cells = "<td>–</td>" * (1 + len(room.options))
        if shares is not None:
            cells = f"<td>{people:.0f}</td>" + "".join(f"<td>{100 * shares[o]:.0f} %</td>" for o in room.options)
        span = f"{format_time(section.start_s)}–{format_time(section.end_s)}"
        lines.append(f'<tr><td>{span}</td><td class="words">{escape(section.name)}</td>{cells}</tr>')
    return f"""<h2>From mark to mark</h2>
<div class="wide"><table>
<thead><tr><th scope="col">time</th><th scope="col"></th><th scope="col">people</th>{head}</tr></thead>
<tbody>
{chr(10).join(lines)}
</tbody>
<caption>Means over all answers that are shown; people: in the mean.</caption>
</table></div>"""


def _build_minutes(room: Room, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(name_option(room, option))}</th>' for option in room.options)
    lines = []
    for each in collect_bins(rows, most=60):
        cells = "<td>–</td>" * (1 + len(room.options))
        if each.shares is not None:
            people = max(1, round(each.contributors))
            cells = f"<td>{people}</td>"
            for option in room.options:
                low, high = estimate_interval(each.shares[option], people)
                share = f"{100 * each.shares[option]:.0f} %"
                cells += f'<td>{share} <span class="faint">{100 * low:.0f}–{100 * high:.0f}</span></td>'
        lines.append(f"<tr><td>{format_time(each.start_s)}</td>{cells}</tr>")
    return f"""<details><summary>All figures</summary>
<div class="wide"><table>
<thead><tr><th scope="col">from</th><th scope="col">people</th>{head}</tr></thead>
<tbody>
{chr(10).join(lines)}
</tbody>
<caption>Faint: 95 % interval. The CSV has every bucket.</caption>
</table></div></details>"""
