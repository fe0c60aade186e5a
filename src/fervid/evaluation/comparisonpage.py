"""The comparison as one HTML page, with a link to each model's own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from fervid.evaluation.comparison import (
    Comparison,
    ComparisonRow,
    ComparisonSection,
    Difference,
    format_difference,
    format_p,
    gather_notes,
    tabulate_comparison,
)
from fervid.evaluation.figures import DARK, LIGHT
from fervid.evaluation.page import build_document, build_notes, describe_data

_WIDTH, _HEIGHT = 150, 18
"""Of the picture of an interval, px."""

_CAPTION: Final = """Tinted: the best of its row, as far as the figures shown tell. Small: 95 % interval of each model
by itself; overlapping intervals do not mean that two models are equal, see below."""

_TRUTHS: Final = {"official": "the labels", "FER+ majority": "the FER+ majority"}

STYLE: Final = f"""
table.models th.middle {{ text-align: center; }}
table.models td.left {{ text-align: left; }}
table.models tbody th[colspan] {{ padding-top: 1.6rem; font-size: 1.02rem; }}
table.models td.figure {{ white-space: nowrap; }}
table.models td.figure small {{ display: block; color: var(--faint); font-size: .78rem; }}
table.models td.best {{ font-weight: 700; background: rgb(var(--accent) / .12); }}
table.models td.best small {{ font-weight: 400; }}
table.models th[scope=row] {{ position: sticky; left: 0; background: var(--paper); font-weight: 500; }}
table.models th[scope=row] small {{
  display: block; width: 14rem; white-space: normal; font-size: .78rem; line-height: 1.3; font-weight: 400;
  color: var(--faint);
}}
.hidden {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
svg.interval {{ display: block; margin: auto; }}
svg.interval .zero {{ stroke: {LIGHT.faint}; stroke-dasharray: 2 2; }}
svg.interval .span {{ stroke: {LIGHT.accent}; stroke-width: 2; }}
svg.interval circle {{ fill: {LIGHT.accent}; }}
@media (prefers-color-scheme: dark) {{
  svg.interval .zero {{ stroke: {DARK.faint}; }}
  svg.interval .span {{ stroke: {DARK.accent}; }}
  svg.interval circle {{ fill: {DARK.accent}; }}
}}
@media (max-width: 40rem) {{ table.models th[scope=row] small {{ width: 7rem; }} }}
"""
"""Of tables that compare, beside the style that all pages share."""


def build_comparison_page(comparison: Comparison, addresses: Sequence[str]) -> str:
    """The whole page, readable in light and dark, on paper and by a screen reader.

    Args:
        comparison: what to show.
        addresses: of each model's own page, relative to this one.
    """
    c, first = comparison, comparison.evaluations[0]
    title = f"{len(c.names)} models on {first.split}"
    links = [f'<a href="{escape(a)}">{escape(name)}</a>' for name, a in zip(c.names, addresses, strict=True)]
    items = "".join(
        f'<li><a href="{escape(address)}">{escape(evaluation.model)}</a></li>'
        for address, evaluation in zip(addresses, c.evaluations, strict=True)
    )
    body = f"""<h1>{escape(title)}</h1>
<p class="faint">{describe_data(first)}</p>
{build_notes(gather_notes(c))}
<p>Each model's own page has its classification reports, confusion matrices, calibration and risk:</p>
<ol>{items}</ol>
<h2>Side by side</h2>
{build_table(tabulate_comparison(c), links, _CAPTION)}
<h2>Is the difference more than chance?</h2>
<p>Every model against {escape(c.names[0])} on the same faces, face by face. Only faces that one gets right and the
other wrong count; where the interval holds 0, these faces cannot tell the two apart.</p>
{_build_differences(c)}"""
    return build_document(title, body, STYLE)


def build_table(
    sections: Sequence[ComparisonSection], links: Sequence[str], caption: str, *, counted: str = "faces"
) -> str:
    """Sections as one HTML table.

    Args:
        sections: rows under headings.
        links: heading of each column, HTML.
        caption: below the table, HTML.
        counted: what the last column counts.
    """
    head = "".join(f'<th scope="col">{link}</th>' for link in links)
    told: set[str] = set()
    bodies = "\n".join(
        f'<tbody><tr><th colspan="{len(links) + 2}" scope="colgroup" class="left">{escape(section.title)}</th></tr>\n'
        + "\n".join(_build_row(row, told) for row in section.rows)
        + "</tbody>"
        for section in sections
    )
    return f"""<div class="wide"><table class="models">
<thead><tr><th scope="col" class="left">figure</th>{head}<th scope="col">{counted}</th></tr></thead>
{bodies}
<caption>{caption}</caption>
</table></div>"""


def _build_row(row: ComparisonRow, told: set[str]) -> str:
    """A row that says what it means unless a row above did."""
    meaning = "" if row.meaning in told else f"<small>{escape(row.meaning)}</small>"
    told.add(row.meaning)
    cells = "".join(
        f'<td class="figure{" best" if best else ""}">{escape(cell.value)}'
        f"{'<span class=hidden> (best)</span>' if best else ''}"
        f"{f'<small>{escape(cell.interval)}</small>' if cell.interval else ''}</td>"
        for cell, best in zip(row.cells, row.best, strict=True)
    )
    return f'<tr><th scope="row">{escape(row.name)}{meaning}</th>{cells}<td>{escape(row.n)}</td></tr>'


def _build_differences(comparison: Comparison) -> str:
    names = {evaluation.model: name for name, evaluation in zip(comparison.names, comparison.evaluations, strict=True)}
    widest = max(max(-d.difference.low, d.difference.high) for d in comparison.differences)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(names[d.model])}<small>{d.head} against {_TRUTHS[d.truth]}, '
        f"{d.difference.n:,} faces</small></th>"
        f'<td class="figure"><b>{format_difference(d)[0]}</b><small>{format_difference(d)[1]}</small></td>'
        f"<td>{_draw_interval(d, max(widest, 0.01))}</td><td>{d.only_model:,}</td><td>{d.only_reference:,}</td>"
        f'<td class="figure left">{d.verdict}<small>p {"" if d.p < 0.001 else "= "}{format_p(d.p)}</small></td></tr>'
        for d in comparison.differences
    )
    return f"""<div class="wide"><table class="models">
<thead><tr><th scope="col" class="left">model</th><th scope="col">points</th>
<th scope="col" class="middle">0</th><th scope="col">only it</th>
<th scope="col">only {escape(comparison.names[0])}</th><th scope="col" class="left">verdict</th></tr></thead>
<tbody>
{rows}
</tbody>
<caption>Points: of percent; small and drawn, their 95 % interval, paired percentile bootstrap, 2,000 resamples of the
faces. Only it, only {escape(comparison.names[0])}: faces that one alone gets right. p: McNemar's exact test. Each line
stands for itself: of twenty equal models, one looks different by chance.</caption>
</table></div>"""


def _draw_interval(difference: Difference, widest: float) -> str:
    """A dot with its interval on an axis whose middle is 0 and whose ends are ∓ ``widest``."""
    low, value, high = (
        round(_WIDTH / 2 + share / widest * (_WIDTH / 2 - 6), 1)
        for share in (difference.difference.low, difference.difference.value, difference.difference.high)
    )
    points, interval = format_difference(difference)
    middle, y = _WIDTH / 2, _HEIGHT / 2
    return (
        f'<svg class="interval" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{points} points, interval {interval}">'
        f'<line class="zero" x1="{middle}" x2="{middle}" y1="0" y2="{_HEIGHT}"/>'
        f'<line class="span" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/><circle cx="{value}" cy="{y}" r="3.5"/></svg>'
    )
