"""The figures of a result as one HTML page: no script, nothing fetched from elsewhere, no picture of anybody."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from fervid.batch.summary import GroupRow, Report
from fervid.drawing.palette import emotion_colour
from fervid.emotions import EMOTIONS
from fervid.errors import escape_bytes
from fervid.evaluation.page import build_document
from fervid.wording import count_nouns

_TITLES: Final = {
    "kind": ("Photos and films", "A photo has one row per face, a film one per person and frame that was read."),
    "folder": ("Folders", "Those of most faces."),
    "hour": ("Hours of the day", "When the file was last written, UTC."),
    "source": ("Files", "Those of most faces."),
}

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")

_COLOURS: Final = "".join(
    f".bar .{emotion}, .key .{emotion} {{ background: rgb{emotion_colour(emotion)}; }}\n" for emotion in EMOTIONS
)
_STYLE: Final = f"""
body {{ max-width: 72rem; }}
.tiles {{ display: flex; flex-wrap: wrap; gap: .75rem 2.5rem; margin: 1.5rem 0; }}
.tiles div {{ min-width: 7rem; }}
.tiles b {{ display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }}
.bar {{ display: flex; height: 1.1rem; min-width: 12rem; border: 1px solid var(--line); background: var(--paper); }}
.bar span {{ display: block; height: 100%; }}
.key {{ display: flex; flex-wrap: wrap; gap: .25rem 1.4rem; margin: .75rem 0 1rem; font-size: .9rem; }}
.key b {{ font-weight: 600; font-variant-numeric: tabular-nums; }}
.key i {{ display: inline-block; width: .9rem; height: .9rem; margin-right: .4rem; vertical-align: -.1rem;
  border: 1px solid var(--line); }}
.uncertain {{ background: repeating-linear-gradient(45deg, var(--line) 0 2px, transparent 2px 6px); }}
table.groups {{ table-layout: fixed; width: 100%; min-width: 44rem; }}
table.groups th, table.groups td {{ width: 6rem; }}
table.groups th.name {{ width: 32%; white-space: normal; overflow-wrap: anywhere; font-weight: 500; }}
table.groups .chart {{ width: auto; padding-left: 1.5rem; }}
.hours {{ width: 100%; height: auto; }}
.hours text {{ font: 11px system-ui, sans-serif; fill: currentColor; }}
.hours .unsure {{ fill: url(#unsure); stroke: var(--line); stroke-width: .5; }}
.hours .rule {{ stroke: var(--line); }}
details {{ margin-top: .5rem; }}
{_COLOURS}"""


def build_report(report: Report) -> str:
    """The whole page, readable in light and dark, on paper and by a screen reader."""
    total, title = report.total, escape_bytes(report.folder.resolve().name)
    tiles = {
        "inputs": f"{total.inputs:,}",
        "of data": _format_bytes(report.size_bytes),
        "rows of faces": f"{total.faces:,}",
        "uncertain": f"{total.share(total.uncertain):.1%}".replace("%", " %"),
        "without a face": f"{report.empty:,}",
        "failed": f"{total.failed:,}",
    }
    shown = "".join(f"<div><b>{escape(value)}</b>{escape(name)}</div>" for name, value in tiles.items())
    run = report.run
    state = "complete" if run.complete else "not complete: the same fervid batch goes on"
    groups = "".join(_build_group(report, group) for group in _TITLES if report.list_group(group))
    body = f"""<h1>{escape(title)}</h1>
<p class="faint">{escape(run.source)} · read with {escape(str(run.settings["model"]))} and
{escape(str(run.settings["detector"]))} · {escape(state)}</p>
<p class="faint">An expression is what a face shows, not what anyone felt.</p>
<div class="tiles">{shown}</div>
{_build_bar(total)}
{_build_key(total)}
{groups}
{_build_failures(report)}"""
    return build_document(title, body, _STYLE, kind="batch")


def _build_key(total: GroupRow) -> str:
    """What the colours are, and how much of all faces each is."""
    pairs = [*zip(map(str, EMOTIONS), total.counts, strict=True), ("uncertain", total.uncertain)]
    words = "".join(f'<span><i class="{n}"></i>{n} <b>{_format_share(total, count)}</b></span>' for n, count in pairs)
    return f'<div class="key">{words}</div>'


def _build_bar(row: GroupRow) -> str:
    """The shares of the expressions as one bar; its words are for screen readers and for the mouse."""
    parts = [(str(e), n) for e, n in zip(EMOTIONS, row.counts, strict=True) if n]
    parts += [("uncertain", row.uncertain)] if row.uncertain else []
    shares = [(name, f"{name} {row.share(count):.1%}".replace("%", " %"), row.share(count)) for name, count in parts]
    spans = "".join(f'<span class="{n}" style="width:{share:.4%}" title="{text}"></span>' for n, text, share in shares)
    words = ", ".join(text for _, text, _ in shares) or "no faces"
    return f'<div class="bar" role="img" aria-label="{words}">{spans}</div>'


def _build_group(report: Report, group: str) -> str:
    rows, (title, note) = report.list_group(group), _TITLES[group]
    left = report.left_out.get(group, 0)
    more = f" {left:,} more are not listed." if left else ""
    table = _build_table(title, [(report.shorten(row.name), row) for row in rows])
    if group == "hour":
        table = f"{_draw_hours(rows)}<details><summary>As a table</summary>{table}</details>"
    return f"<h2>{title}</h2><p>{note}{more}</p>{table}"


def _build_table(title: str, rows: Sequence[tuple[str, GroupRow]]) -> str:
    lines = "\n".join(
        f'<tr><th scope="row" class="name">{escape(name)}</th><td>{row.inputs:,}</td><td>{row.failed:,}</td>'
        f"<td>{row.faces:,}</td><td>{_format_share(row, row.uncertain)}</td>"
        f'<td class="chart">{_build_bar(row)}</td></tr>'
        for name, row in rows
    )
    return f"""<div class="wide"><table class="groups">
<thead><tr><th scope="col" class="name">{escape(title.lower())}</th><th scope="col">inputs</th>
<th scope="col">failed</th><th scope="col">faces</th><th scope="col">uncertain</th>
<th scope="col" class="left chart">expressions</th></tr></thead>
<tbody>
{lines}
</tbody>
</table></div>"""


def _draw_hours(rows: Sequence[GroupRow]) -> str:
    """A column for each hour of the day, as high as it has faces, in the colours of what they show."""
    by_hour = {row.name: row for row in rows}
    most = max((row.faces for row in rows), default=0) or 1
    step, height, left, top = 40.0, 180.0, 44.0, 16.0
    parts = [
        f'<line class="rule" x1="{left}" x2="{left + 24 * step}" y1="{y:g}" y2="{y:g}"/>'
        f'<text x="{left - 8}" y="{y + 4:g}" text-anchor="end">{value:,}</text>'
        for value, y in ((most, top), (0, top + height))
    ]
    for hour in range(24):
        x = left + hour * step + 5
        parts.append(f'<text x="{x + 15:g}" y="{top + height + 18:g}" text-anchor="middle">{hour:02d}</text>')
        row = by_hour.get(f"{hour:02d}")
        if row is None or not row.faces:
            continue
        y = top + height
        counts = [*zip(map(str, EMOTIONS), row.counts, strict=True), ("uncertain", row.uncertain)]
        words = ", ".join(f"{name} {count:,}" for name, count in counts if count)
        parts.append(f"<g><title>{hour:02d}:00, {count_nouns(row.faces, 'face')}: {words}</title>")
        for emotion, count in zip(EMOTIONS, row.counts, strict=True):
            tall = height * count / most
            y -= tall
            if count:
                colour = f"rgb{emotion_colour(emotion)}"
                parts.append(f'<rect x="{x:g}" y="{y:.2f}" width="30" height="{tall:.2f}" fill="{colour}"/>')
        if row.uncertain:
            tall = height * row.uncertain / most
            parts.append(f'<rect class="unsure" x="{x:g}" y="{y - tall:.2f}" width="30" height="{tall:.2f}"/>')
        parts.append("</g>")
    hatch = (
        '<defs><pattern id="unsure" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line class="rule" x1="1" x2="1" y1="0" y2="6" stroke-width="2"/></pattern></defs>'
    )
    box = f"0 0 {left + 24 * step + 4:g} {top + height + 28:g}"
    label = f"Faces by hour of the day; at most {most:,}"
    return f'<svg class="hours" viewBox="{box}" role="img" aria-label="{label}">{hatch}{"".join(parts)}</svg>'


def _build_failures(report: Report) -> str:
    if not report.failures:
        return ""
    lines = "\n".join(
        f'<tr><th scope="row">{escape(f.code)}</th><td>{f.count:,}</td>'
        f'<td class="meaning">{escape(f.message)}<br>{escape(report.shorten(f.source))}</td></tr>'
        for f in report.failures
    )
    return f"""<h2>Failures</h2><p>All of them stand in failures/*.parquet.</p><div class="wide"><table>
<thead><tr><th scope="col">code</th><th scope="col">inputs</th><th scope="col" class="left">such as</th></tr></thead>
<tbody>
{lines}
</tbody>
</table></div>"""


def _format_share(row: GroupRow, count: int) -> str:
    return f"{row.share(count):.1%}".replace("%", " %") if row.faces else ""


def _format_bytes(size: int) -> str:
    number, unit = float(size), 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.3g} {_UNITS[unit]}" if unit else f"{size} B"
