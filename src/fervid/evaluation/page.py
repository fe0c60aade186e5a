"""The evaluation as one HTML page: no script, nothing fetched from elsewhere, faces only when examples are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Final

from fervid.evaluation import corruptionmap, examples
from fervid.evaluation.embedding import embed_svg
from fervid.evaluation.evaluation import Evaluation
from fervid.evaluation.figures import DARK, LIGHT, draw_reliability, draw_risk_coverage
from fervid.evaluation.heads import HeadEvaluation
from fervid.evaluation.metrics import ClassScores
from fervid.evaluation.robustness import CorruptionBenchmark
from fervid.evaluation.summary import (
    SummaryRow,
    describe_confidence,
    describe_labels,
    format_percent,
    format_recall,
    rank_confusions,
    summarise,
    summarise_corruptions,
)
from fervid.wording import count_nouns

NO_BREAK: Final = "\N{NO-BREAK SPACE}"
"""Stands before every percent sign of the page, so that no line begins with one."""

_STYLE: Final = f"""
:root {{
  color-scheme: light dark;
  --paper: {LIGHT.background}; --ink: {LIGHT.ink}; --faint: {LIGHT.faint}; --line: #dfe4ec; --accent: 36 89 179;
  --link: 36 89 179;
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --paper: {DARK.background}; --ink: {DARK.ink}; --faint: {DARK.faint}; --line: #2a3240; --accent: 64 118 214;
    --link: 110 163 247;
  }}
}}
* {{ box-sizing: border-box; }}
body {{
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}}
h1 {{ margin: 0; font-size: 1.7rem; line-height: 1.2; }}
h2 {{ margin: 2.75rem 0 .5rem; font-size: 1.2rem; }}
h3 {{ margin: 1.75rem 0 .5rem; font-size: 1rem; }}
p {{ margin: .4rem 0; max-width: 44rem; }}
.faint, caption, td.meaning {{ color: var(--faint); }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
caption {{ caption-side: bottom; text-align: left; padding-top: .5rem; font-size: .875rem; }}
th, td {{ padding: .35rem .8rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }}
th {{ font-weight: 600; }}
thead th {{ color: var(--faint); font-weight: 500; }}
th[scope=row], td.meaning, thead th:first-child, th.left {{ text-align: left; }}
th:first-child, td:first-child {{ padding-left: 0; }}
td.meaning {{ white-space: normal; min-width: 15rem; font-size: .9rem; }}
td.value {{ font-weight: 600; }}
td.value small, td.recall small {{ display: block; font-weight: 400; color: var(--faint); }}
tr.average th, tr.average td {{ border-bottom: 0; }}
table.matrix td {{
  min-width: 4.6rem; text-align: center; line-height: 1.2; border: 2px solid var(--paper);
  background: rgb(var(--accent) / var(--share));
}}
table.matrix td.full {{ color: #fff; }}
table.matrix td.hit {{ font-weight: 700; }}
table.matrix td small {{ display: block; font-weight: 400; opacity: .8; }}
table.matrix th {{ border: 0; }}
table.matrix thead th {{ text-align: center; }}
.notes {{ border-left: 3px solid rgb(var(--accent)); padding: .1rem 0 .1rem 1rem; }}
figure {{ margin: 1rem 0 2rem; max-width: 40rem; }}
img {{ display: block; width: 100%; height: auto; }}
figcaption {{ color: var(--faint); font-size: .875rem; }}
a {{ color: rgb(var(--link)); }}
ol {{ padding-left: 1.2rem; margin: .4rem 0; }}
@media (max-width: 40rem) {{ th, td {{ padding: .3rem .45rem; }} table.matrix td {{ min-width: 3.4rem; }} }}
@media print {{ body {{ max-width: none; padding: 0; }} h2, figure, table {{ break-inside: avoid; }} }}
"""


def build_page(
    evaluation: Evaluation,
    corruptions: CorruptionBenchmark | None = None,
    faces: examples.Examples | None = None,
    *,
    home: str = "",
) -> str:
    """The whole page, readable in light and dark, on paper and by a screen reader.

    Args:
        evaluation: what to show.
        corruptions: shown as well.
        faces: shown as well, with a warning not to publish the page.
        home: relative address of the comparison that the page is part of; empty when there is none.
    """
    e = evaluation
    title = f"{e.model} on {e.split}"
    back = f'<p><a href="{escape(home)}">← all models side by side</a></p>' if home else ""
    body = f"""{back}<h1>{escape(title)}</h1>
<p class="faint">{describe_data(e)}</p>
{examples.WARNING if faces else ""}
{build_notes(e.notes)}
<h2>Figures</h2>
<p>{_describe_heads(e)}</p>
{_build_summary([head.name for head in e.heads], summarise(e))}
{"".join(_build_head(e, head) for head in (e.label_head, e.answer))}
<h2>Does it know when it is unsure?</h2>
{_build_figure(partial(draw_risk_coverage, e), "Risk–coverage curve", _describe_risk(e))}
{_build_corruptions(corruptions) if corruptions else ""}
{examples.build_examples(faces) if faces else ""}"""
    style = (corruptionmap.STYLE if corruptions else "") + (examples.STYLE if faces else "")
    return build_document(title, body, style)


def build_document(title: str, body: str, style: str = "", *, kind: str = "evaluation") -> str:
    """An HTML document around ``body``; ``style`` follows the style sheet that all pages share."""
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)} · fervid {escape(kind)}</title>
<style>{_STYLE}{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
    return page.replace(" %", NO_BREAK + "%")


def describe_data(evaluation: Evaluation) -> str:
    """What was measured on, in one line of HTML."""
    return f"""{count_nouns(evaluation.n, "face")} (data {escape(evaluation.data)}) · {describe_labels(evaluation)} ·
expressions as people labelled them, which is not what anyone felt"""


def build_notes(notes: Sequence[str]) -> str:
    """What could not be said; nothing without notes."""
    return f"""<div class="notes">{"".join(f"<p>{escape(note)}</p>" for note in notes)}</div>""" if notes else ""


def _describe_heads(evaluation: Evaluation) -> str:
    if evaluation.votes_head is None:
        return (
            "The answer is the label head's, which learned the labels. The votes head had no votes to learn from: "
            "what it says is left out."
        )
    return (
        "The network has two heads: one learned the labels, the other how ten people vote. The answer is what fervid "
        f"says: {format_percent(1 - evaluation.blend, 0)} label head, {format_percent(evaluation.blend, 0)} votes head."
    )


def _build_summary(columns: Sequence[str], figures: Sequence[SummaryRow]) -> str:
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(row.name)}</th>'
        + "".join(f'<td class="value">{escape(c.value)} <small>{escape(c.interval)}</small></td>' for c in row.cells)
        + f'<td>{escape(row.n)}</td><td class="meaning">{escape(row.meaning)}</td></tr>'
        for row in figures
    )
    return f"""<div class="wide"><table>
<thead><tr><th scope="col">figure</th>{head}<th scope="col">faces</th>
<th scope="col" class="left">meaning</th></tr></thead>
<tbody>
{rows}
</tbody>
<caption>Small: 95 % interval, bootstrap, 2,000 resamples of the faces; Wilson's of 0 and 100 %.</caption>
</table></div>"""


def _build_head(evaluation: Evaluation, head: HeadEvaluation) -> str:
    title = {"label head": "The label head", "answer": "The answer"}[head.name]
    return f"""<h2>{title}, expression by expression</h2>
{_build_classification_report(evaluation, head)}
<h3>What is taken for what</h3>
{_build_confusion_matrix(evaluation, head)}
{_build_confusions(evaluation, head)}
<h3>How sure it is, and how right</h3>
{_build_figure(partial(draw_reliability, evaluation, head), "Reliability diagram", _describe_reliability(head))}
"""


def _build_corruptions(benchmark: CorruptionBenchmark) -> str:
    return f"""<h2>What is left on bad pictures?</h2>
<p>Every face was read again in 24 spoilt versions: what lenses, cameras, films and detectors do to faces, in three
strengths, of which a person still reads even the third.</p>
{_build_summary(benchmark.heads, summarise_corruptions(benchmark))}
<h3>The answer, corruption by corruption</h3>
{corruptionmap.build_corruption_map(benchmark)}
"""


def _build_classification_report(evaluation: Evaluation, head: HeadEvaluation) -> str:
    rows = [_build_scores(str(e), s) for e, s in zip(evaluation.labels, head.classes, strict=True)]
    rows.append(_build_scores("macro average", head.macro_average, "average"))
    rows.append(_build_scores("weighted average", head.weighted_average, "average"))
    return f"""<div class="wide"><table>
<thead><tr><th scope="col">expression</th><th scope="col">precision</th><th scope="col">recall</th>
<th scope="col">F1</th><th scope="col">support</th></tr></thead>
<tbody>
{chr(10).join(rows)}
</tbody>
<caption>Precision: how often the answer is right. Recall: how many of the labelled faces are found; small, its 95 %
interval (Wilson's).</caption>
</table></div>"""


def _build_scores(name: str, scores: ClassScores, kind: str = "") -> str:
    recall = format_recall(scores)
    return (
        f'<tr class="{kind}"><th scope="row">{escape(name)}</th><td>{scores.precision:.3f}</td>'
        f'<td class="recall">{recall.value} <small>{recall.interval}</small></td><td>{scores.f1:.3f}</td>'
        f"<td>{scores.support:,}</td></tr>"
    )


def _build_confusion_matrix(evaluation: Evaluation, head: HeadEvaluation) -> str:
    columns = "".join(f'<th scope="col">{escape(label)}</th>' for label in evaluation.labels)
    rows = []
    for i, (label, counts) in enumerate(zip(evaluation.labels, head.confusion.tolist(), strict=True)):
        total = max(1, sum(counts))
        cells = []
        for j, count in enumerate(counts):
            share = count / total
            kind = " ".join(word for word, on in (("hit", i == j), ("full", share > 0.75)) if on)
            cells.append(
                f'<td class="{kind}" style="--share:{0.05 + 0.95 * share:.3f}">'
                f"{format_percent(share, 0)}<small>{count:,}</small></td>"
            )
        rows.append(f'<tr><th scope="row">{escape(label)}</th>{"".join(cells)}</tr>')
    return f"""<div class="wide"><table class="matrix">
<thead><tr><th scope="col">labelled ↓ answered →</th>{columns}</tr></thead>
<tbody>
{chr(10).join(rows)}
</tbody>
<caption>Percent of the row, and faces below it.</caption>
</table></div>"""


def _build_confusions(evaluation: Evaluation, head: HeadEvaluation) -> str:
    confusions = rank_confusions(evaluation, head)
    if not confusions:
        return ""
    items = "".join(
        f"<li>{c.label} answered as {c.answer}: {count_nouns(c.count, 'face')}, "
        f"{format_percent(c.share)} of {c.label}</li>"
        for c in confusions
    )
    return f"<p>The most frequent mistakes:</p><ol>{items}</ol>"


def _build_figure(draw: Callable[..., bytes], name: str, text: str) -> str:
    light, dark = (embed_svg(draw(theme=theme, file_format="svg")) for theme in (LIGHT, DARK))
    return f"""<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">
<img src="{light}" alt="{escape(name)}. {escape(text)}"></picture><figcaption>{escape(text)}</figcaption></figure>"""


def _describe_reliability(head: HeadEvaluation) -> str:
    return (
        f"When it says 70 %, is it right 70 % of the time, by the labels? Bars on the diagonal say yes. "
        f"Its confidence is {describe_confidence(head)}."
    )


def _describe_risk(evaluation: Evaluation) -> str:
    if evaluation.certain is None:
        return "The fewer faces are answered, the most confident first, the fewer answers are wrong."
    text = (
        f"At its threshold of {evaluation.threshold:g} the product answers "
        f"{format_percent(1 - evaluation.uncertain.value)} of the faces and differs from the label on "
        f"{format_percent(1 - evaluation.certain.value)} of those; answering every face, on "
        f"{format_percent(1 - evaluation.answer.accuracy.value)}."
    )
    if evaluation.certain_majority is None or evaluation.answer.majority_accuracy is None:
        return text
    return (
        f"{text} From the FER+ majority it differs on "
        f"{format_percent(1 - evaluation.certain_majority.value)} instead of "
        f"{format_percent(1 - evaluation.answer.majority_accuracy.value)}."
    )
