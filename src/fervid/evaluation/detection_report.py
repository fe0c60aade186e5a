"""Detectors side by side: the table that terminal, page and model card share, the curve, the files of a report."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from fervid.evaluation.comparison import ComparisonRow, ComparisonSection, make_row, name_models
from fervid.evaluation.comparisonpage import STYLE, build_table
from fervid.evaluation.detection import PRECISION, DetectionEvaluation, SizeFigures
from fervid.evaluation.detection_metrics import OVERLAP
from fervid.evaluation.embedding import embed_svg
from fervid.evaluation.figures import DARK, LIGHT, Theme, add_axes, percent_axis, render
from fervid.evaluation.page import build_document, build_notes
from fervid.evaluation.report import make_folder, write_files
from fervid.evaluation.summary import Cell, format_estimate, format_percent
from fervid.pipeline import DEFAULT_MIN_FACE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA: Final = "fervid-detectors/1"
"""Name and version of the JSON of several detectors."""

Evaluations = Sequence[DetectionEvaluation]


def tabulate_detectors(evaluations: Evaluations) -> list[ComparisonSection]:
    """Every figure of every detector, measured on the same photos, in words."""
    first = evaluations[0]
    overall = [e.overall for e in evaluations]
    sections = [ComparisonSection(f"Faces of {first.overall.low:g} px and more", tuple(_list_overall(evaluations)))]
    if len(first.kinds) > 1:
        rows = [row for kind in first.kinds for row in _list_shares([e.kinds[kind] for e in evaluations], kind)]
        sections.append(ComparisonSection("By kind of photo", tuple(rows)))
    bands = [[e.bands[i] for e in evaluations] for i in range(len(first.bands))]
    filled = [band for band in bands if band[0].recall is not None]
    rows = [row for band in filled for row in _list_shares(band, _name_band(band[0]))]
    sections.append(ComparisonSection("By height of the face", tuple(rows)))
    if any(figures.landmarks for figures in overall):
        sections.append(ComparisonSection("Five points", tuple(_list_landmarks(overall))))
    if first.background is not None:
        sections.append(ComparisonSection("Photos that show nobody", tuple(_list_background(evaluations))))
    return sections


def _list_overall(evaluations: Evaluations) -> Iterator[ComparisonRow]:
    overall = [e.overall for e in evaluations]
    yield from _list_shares(overall, "")
    strict = [Cell("" if e.strict is None else format_percent(e.strict[0])) for e in evaluations]
    meaning = f"the most that some threshold finds while {format_percent(PRECISION, 0)} of the detections are a face"
    yield make_row(f"recall at {format_percent(PRECISION, 0)} precision", strict, "higher", meaning=meaning)
    areas = [f.average_precision for f in overall]
    cells = [Cell("unknown" if area is None else f"{area:.3f}") for area in areas]
    yield make_row("average precision", cells, "higher", meaning="area under the precision–recall curve")
    thresholds = [Cell(f"{e.threshold:g}") for e in evaluations]
    yield make_row("threshold", thresholds, "", meaning="score from which a detection counts; each detector's own")
    times = [Cell(f"{e.latency_ms:.1f} ms") for e in evaluations]
    photos = f"{sum(evaluations[0].photos.values()):,}"
    meaning = "median of a photo on this machine, weak hits for the curve included; for speed ask fervid benchmark"
    yield make_row("time", times, "lower", n=photos, meaning=meaning)


def _list_shares(figures: Sequence[SizeFigures], name: str) -> Iterator[ComparisonRow]:
    recalls = [f.recall for f in figures]
    n = "" if recalls[0] is None else f"{recalls[0].n:,}"
    prefix = f"{name}: " if name else ""
    cells = [format_estimate(recall) for recall in recalls]
    yield make_row(f"{prefix}recall", cells, "higher", n=n, meaning="share of the marked faces that are found")
    cells = [Cell() if f.precision is None else format_estimate(f.precision) for f in figures]
    yield make_row(f"{prefix}precision", cells, "higher", meaning="share of the detections that are a face")


def _list_landmarks(overall: Sequence[SizeFigures]) -> Iterator[ComparisonRow]:
    meaning = "mean distance of the five points, as a share of the distance between the eyes"
    points = [f.landmarks for f in overall]
    counts = {p.n for p in points if p is not None}
    n = f"{counts.pop():,}" if len(counts) == 1 else ""
    median = [Cell("" if p is None else format_percent(p.median)) for p in points]
    yield make_row("error, median", median, "lower", n=n, meaning=meaning)
    worse = [Cell("" if p is None else format_percent(p.p90)) for p in points]
    yield make_row("error, nine in ten are better", worse, "lower", n=n, meaning=meaning)


def _list_background(evaluations: Evaluations) -> Iterator[ComparisonRow]:
    figures = [e.background for e in evaluations]
    clean = [format_estimate(None if b is None else b.clean) for b in figures]
    n = "" if figures[0] is None else f"{figures[0].clean.n:,}"
    yield make_row("clean", clean, "higher", n=n, meaning="share of the photos in which nothing is found")


def name_detectors(evaluations: Evaluations) -> tuple[str, ...]:
    """What the detectors are called side by side, see :func:`.comparison.name_models`."""
    return name_models([e.identity for e in evaluations])


def _name_band(figures: SizeFigures) -> str:
    return f"{figures.low:g} px and more" if figures.high is None else f"{figures.low:g}–{figures.high:g} px"


def describe_photos(evaluation: DetectionEvaluation) -> str:
    """What was measured on and how it was read, in one line."""
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in evaluation.photos.items() if n)
    skipped = f", {evaluation.skipped:,} could not be read" if evaluation.skipped else ""
    low, least = evaluation.overall.low, evaluation.min_face
    usual = ", as fervid reads photos unless told otherwise" if low == DEFAULT_MIN_FACE else ""
    below = f"; for the band below, of {least:g} px and more" if least < low else ""
    photos = f"{sum(evaluation.photos.values()):,} photos ({kinds}; data {evaluation.data}{skipped})"
    return f"{photos}, read for faces of {low:g} px and more{usual}{below}"


def draw_precision_recall(
    evaluations: Evaluations, *, theme: Theme = LIGHT, file_format: Literal["png", "svg"] = "png"
) -> bytes:
    """Precision by recall of every detector, each one's own threshold marked; an encoded picture."""
    return render(_draw_precision_recall, (6.4, 4.8), evaluations, theme, file_format)


def _draw_precision_recall(figure: Figure, evaluations: Evaluations, theme: Theme) -> None:
    axes = add_axes(figure, theme)
    figure.subplots_adjust(left=0.13, right=0.95, bottom=0.12, top=0.93)
    colours = (theme.accent, theme.warm, "#2a9d6f", "#9a5bd0", theme.faint)
    lowest, leftmost = 0.9, 1.0
    for i, (name, evaluation) in enumerate(zip(name_detectors(evaluations), evaluations, strict=True)):
        colour = colours[i % len(colours)]
        points = [(p.recall, p.precision) for p in evaluation.curve if p.precision is not None]
        axes.plot(
            [r for r, _ in points], [p for _, p in points], color=colour, linewidth=2.2, zorder=4,
            label=f"{name}, dot: threshold {evaluation.threshold:g}",
        )  # fmt: skip
        overall = evaluation.overall
        if overall.recall is not None and overall.precision is not None:
            axes.plot([overall.recall.value], [overall.precision.value], "o", color=colour, markersize=8, zorder=5)
            lowest = min(lowest, overall.precision.value - 0.05)
            leftmost = min(leftmost, overall.recall.value)
    axes.axhline(PRECISION, color=theme.faint, linewidth=1.2, linestyle=(0, (4, 3)), zorder=2)
    axes.set_xlim(max(0, math.floor(leftmost * 10 - 2) / 10), 1)
    axes.set_ylim(max(0, lowest), 1.002)
    axes.set_xlabel(f"recall, faces of {evaluations[0].overall.low:g} px and more")
    axes.set_ylabel("precision")
    axes.xaxis.set_major_formatter(percent_axis())
    axes.yaxis.set_major_formatter(percent_axis())
    axes.legend(loc="lower left", frameon=False, labelcolor=theme.ink, fontsize=9)


def build_detection_page(evaluations: Evaluations, notes: Sequence[str], split: str) -> str:
    """The table and the curve as one HTML page: no script, nothing fetched from elsewhere, no photo."""
    names = name_detectors(evaluations)
    title = f"{', '.join(e.identity for e in evaluations)} on {split}"
    caption = "Tinted: the best of its row. Small: 95 % interval, bootstrap over photos, Wilson's of 0 and 100 %."
    table = build_table(tabulate_detectors(evaluations), [escape(name) for name in names], caption, counted="n")
    light, dark = (embed_svg(_draw_svg(evaluations, theme=theme)) for theme in (LIGHT, DARK))
    body = f"""<h1>{escape(title)}</h1>
<p class="faint">{escape(describe_photos(evaluations[0]))} · a face is found when a detection overlaps its box with an
intersection over union of {OVERLAP:g} or more</p>
{build_notes(notes)}
{table}
<h2>What else a threshold would give</h2>
<figure><picture><source srcset="{dark}" media="(prefers-color-scheme: dark)">
<img src="{light}" alt="Precision by recall"></picture>
<figcaption>Up and right is better. Dashed: {format_percent(PRECISION, 0)} precision.</figcaption></figure>"""
    return build_document(title, body, STYLE)


_draw_svg = partial(draw_precision_recall, file_format="svg")


def format_detection_json(evaluations: Evaluations, notes: Sequence[str], split: str) -> str:
    """All detectors as JSON text: ``{"schema": "fervid-detectors/1", …}``."""
    table = {
        "schema": SCHEMA,
        "split": split,
        "notes": list(notes),
        "detectors": [evaluation.to_dict() for evaluation in evaluations],
    }
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def format_detection_markdown(evaluations: Evaluations) -> str:
    """The table as Markdown, as model cards quote it."""
    lines = [["", *name_detectors(evaluations), "n"], ["---", *("---:" for _ in evaluations), "---:"]]
    for section in tabulate_detectors(evaluations):
        lines.append([f"**{section.title}**", *("" for _ in evaluations), ""])
        lines += [[row.name, *(cell.short for cell in row.cells), row.n] for row in section.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def format_detection_csv(evaluations: Evaluations) -> str:
    """Recall and precision of every detector by height of the face, as CSV text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["detector", "low", "high", "recall", "faces", "precision", "detections", "average_precision"])
    for name, e in zip(name_detectors(evaluations), evaluations, strict=True):
        for f in (e.overall, *e.bands):
            shares = [part for s in (f.recall, f.precision) for part in (("", "") if s is None else (s.value, s.n))]
            cells = [name, f.low, f.high, *shares, f.average_precision]
            writer.writerow([round(c, 6) if isinstance(c, float) else c for c in cells])
    return stream.getvalue()


def write_detection_report(evaluations: Evaluations, notes: Sequence[str], split: str, folder: str | Path) -> Path:
    """Write ``index.html`` (self-contained), ``report.json``, ``detectors.csv``, ``table.md`` and a PNG of the curve.

    Args:
        evaluations: on the same photos, one at least.
        notes: what could not be said.
        split: of the photos, in words.
        folder: made if absent; files of the same names are replaced, each whole or not at all.

    Returns:
        The path of the page.

    Raises:
        OutputError: the folder cannot be written to.
    """
    make_folder(Path(folder))
    files = {
        "report.json": format_detection_json(evaluations, notes, split).encode(),
        "detectors.csv": format_detection_csv(evaluations).encode(),
        "table.md": format_detection_markdown(evaluations).encode(),
        "precision_recall.png": draw_precision_recall(evaluations),
        "index.html": build_detection_page(evaluations, notes, split).encode(),
    }
    return write_files(Path(folder), files)
