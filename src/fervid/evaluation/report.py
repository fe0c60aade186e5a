"""A folder that shows evaluations: a page to read, the figures to put elsewhere, the numbers to compute with."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fervid.errors import OutputError
from fervid.evaluation.comparison import Comparison
from fervid.evaluation.comparisonpage import build_comparison_page
from fervid.evaluation.corruptionmap import draw_corruption_map
from fervid.evaluation.corruptions import STRENGTHS
from fervid.evaluation.evaluation import Evaluation
from fervid.evaluation.examples import Examples
from fervid.evaluation.figures import draw_confusion_matrix, draw_reliability, draw_risk_coverage
from fervid.evaluation.page import build_page
from fervid.evaluation.robustness import CorruptionBenchmark
from fervid.files import write_atomically

PAGE: Final = "index.html"


def write_report(
    evaluation: Evaluation,
    folder: str | Path,
    *,
    corruptions: CorruptionBenchmark | None = None,
    examples: Examples | None = None,
    home: str = "",
) -> Path:
    """Write ``index.html`` (self-contained), ``report.json``, ``classification_report.csv`` and PNG figures.

    Args:
        evaluation: what to show.
        folder: made if absent; files of the same names are replaced, each whole or not at all.
        corruptions: shown as well, with ``corruptions.csv`` and ``corruptions.png``.
        examples: shown on the page as well, which must not be published then; in no other file.
        home: relative address of the comparison that the page is part of; empty when there is none.

    Returns:
        The path of the page.

    Raises:
        OutputError: the folder cannot be written to.
    """
    make_folder(Path(folder))
    files = {
        "report.json": format_json(evaluation, corruptions).encode(),
        "classification_report.csv": format_classification_report(evaluation).encode(),
        **{
            f"{what}_{name}.png": draw(evaluation, head)
            for name, head in (("label_head", evaluation.label_head), ("answer", evaluation.answer))
            for what, draw in (("confusion_matrix", draw_confusion_matrix), ("reliability", draw_reliability))
        },
        "risk_coverage.png": draw_risk_coverage(evaluation),
        PAGE: build_page(evaluation, corruptions, examples, home=home).encode(),
    }
    if corruptions is not None:
        files["corruptions.csv"] = format_corruptions(corruptions).encode()
        files["corruptions.png"] = draw_corruption_map(corruptions)
    return write_files(Path(folder), files)


def write_comparison(comparison: Comparison, folder: str | Path, *, examples: Sequence[Examples] = ()) -> Path:
    """Write ``index.html`` and ``report.json`` of the comparison, and each model's report in a folder beside them.

    Args:
        comparison: what to show.
        folder: made if absent; files of the same names are replaced, each whole or not at all.
        examples: each model's, in the same order, or none; see :func:`write_report`.

    Returns:
        The path of the comparison's page.

    Raises:
        OutputError: the folder cannot be written to.
    """
    make_folder(Path(folder))
    places = name_folders(comparison.names)
    for i, (evaluation, place) in enumerate(zip(comparison.evaluations, places, strict=True)):
        write_report(
            evaluation,
            Path(folder) / place,
            corruptions=comparison.corruptions[i] if comparison.corruptions else None,
            examples=examples[i] if examples else None,
            home=f"../{PAGE}",
        )
    page = build_comparison_page(comparison, [f"{place}/{PAGE}" for place in places])
    return write_files(Path(folder), {"report.json": format_comparison_json(comparison).encode(), PAGE: page.encode()})


def name_folders(names: Sequence[str]) -> list[str]:
    """A folder for each model: its name where every system allows it, and no two alike, whatever their case."""
    folders: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"
        folder, taken = plain, {other.lower() for other in folders}
        for number in range(2, len(names) + 2):
            if folder.lower() not in taken:
                break
            folder = f"{plain}-{number}"
        folders.append(folder)
    return folders


def format_json(evaluation: Evaluation, corruptions: CorruptionBenchmark | None = None) -> str:
    """The evaluation as JSON text, the same bytes for the same evaluation; ``corruptions`` under that key."""
    extra = {} if corruptions is None else {"corruptions": corruptions.to_dict()}
    return json.dumps(evaluation.to_dict() | extra, indent=2, ensure_ascii=False) + "\n"


def format_comparison_json(comparison: Comparison) -> str:
    """The comparison as JSON text, the same bytes for the same comparison."""
    return json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False) + "\n"


def format_classification_report(evaluation: Evaluation) -> str:
    """Precision, recall, F1 and support of every label and the two averages, for each head, as CSV text.

    ``recall_low`` and ``recall_high`` are the ends of the recall's 95 % interval; empty for averages.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    columns = ("precision", "recall", "f1", "support", "recall_low", "recall_high")
    writer.writerow(["head", "label", *columns])
    for head in evaluation.heads:
        for label, scores in head.to_dict(evaluation.labels)["classification_report"].items():
            writer.writerow([head.name, label, *(scores[key] for key in columns)])
    return stream.getvalue()


def format_corruptions(benchmark: CorruptionBenchmark) -> str:
    """Accuracy of every head against every truth under every condition, as CSV text; strength 0 is the clean faces."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["head", "truth", "corruption", "strength", "accuracy", "faces"])
    for m in benchmark.measures:
        writer.writerow([m.head, m.truth, "clean", 0, round(m.clean.value, 6), m.clean.n])
        for name, row in zip(benchmark.corruptions, m.accuracy.round(6).tolist(), strict=True):
            for strength, value in zip(STRENGTHS, row, strict=True):
                writer.writerow([m.head, m.truth, name, strength, value, m.clean.n])
    return stream.getvalue()


def make_folder(folder: Path) -> None:
    """Make it, so that failing comes before the figures are drawn, not after.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError.for_place(folder, error) from None


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files by name, each whole or not at all, the page last of all; give its path.

    Raises:
        OutputError: the folder cannot be written to.
    """
    try:
        for name, data in sorted(files.items(), key=lambda file: file[0] == PAGE):
            with write_atomically(folder / name) as part:
                part.write_bytes(data)
    except OSError as error:
        raise OutputError.for_place(folder, error) from None
    return folder / PAGE
