"""A folder that shows an evaluation: a page to read, the figures to put elsewhere, the numbers to compute with."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from fervid.errors import InputError
from fervid.evaluation.corruptionmap import draw_corruption_map
from fervid.evaluation.corruptions import STRENGTHS
from fervid.evaluation.evaluation import Evaluation
from fervid.evaluation.figures import draw_confusion_matrix, draw_reliability, draw_risk_coverage
from fervid.evaluation.page import build_page
from fervid.evaluation.robustness import CorruptionBenchmark
from fervid.files import write_atomically

PAGE = "index.html"


def write_report(evaluation: Evaluation, folder: str | Path, *, corruptions: CorruptionBenchmark | None = None) -> Path:
    """Write ``index.html`` (self-contained), ``report.json``, ``classification_report.csv`` and PNG figures.

    Args:
        evaluation: what to show.
        folder: made if absent; files of the same names are replaced, each whole or not at all.
        corruptions: shown as well, with ``corruptions.csv`` and ``corruptions.png``.

    Returns:
        The path of the page.

    Raises:
        InputError: the folder cannot be written to.
    """
    _make_folder(Path(folder))
    files = {
        "report.json": format_json(evaluation, corruptions).encode(),
        "classification_report.csv": format_classification_report(evaluation).encode(),
        **{
            f"{what}_{name}.png": draw(evaluation, head)
            for name, head in (("label_head", evaluation.label_head), ("answer", evaluation.answer))
            for what, draw in (("confusion_matrix", draw_confusion_matrix), ("reliability", draw_reliability))
        },
        "risk_coverage.png": draw_risk_coverage(evaluation),
        PAGE: build_page(evaluation, corruptions).encode(),
    }
    if corruptions is not None:
        files["corruptions.csv"] = format_corruptions(corruptions).encode()
        files["corruptions.png"] = draw_corruption_map(corruptions)
    try:
        for name, data in files.items():
            with write_atomically(Path(folder) / name) as part:
                part.write_bytes(data)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return Path(folder) / PAGE


def format_json(evaluation: Evaluation, corruptions: CorruptionBenchmark | None = None) -> str:
    """The evaluation as JSON text, the same bytes for the same evaluation; ``corruptions`` under that key."""
    extra = {} if corruptions is None else {"corruptions": corruptions.to_dict()}
    return json.dumps(evaluation.to_dict() | extra, indent=2, ensure_ascii=False) + "\n"


def format_classification_report(evaluation: Evaluation) -> str:
    """Precision, recall, F1 and support of every label and the two averages, for each head, as CSV text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["head", "label", "precision", "recall", "f1", "support"])
    for head in evaluation.heads:
        for label, scores in head.to_dict(evaluation.labels)["classification_report"].items():
            writer.writerow([head.name, label, *(scores[key] for key in ("precision", "recall", "f1", "support"))])
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


def _make_folder(folder: Path) -> None:
    """Fail before the figures are drawn, not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: str | Path, error: OSError) -> InputError:
    reason = error.strerror or error
    return InputError(f"cannot write the report to {folder} ({reason})", advice="Choose another folder with -o.")
