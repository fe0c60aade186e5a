"""Write the figures of the bundled models into README.md and the model cards, or check them.

    python runs/quote_figures.py faces.parquet [photos.parquet]   # evaluates, rewrites what stands between the markers
    python runs/quote_figures.py faces.parquet --check            # exit status 1 when a quoted figure is not today's

The markers are ``<!-- figures:NAME -->``, ``<!-- corruptions:NAME -->`` and ``<!-- detection:NAME -->``, each closed by
the same with a slash and without the name, which is the model's. Reading the faces in 24 spoilt versions takes minutes,
and finding faces in photos gives times, which are never the same twice: these tables are measured only when they are
not of today's file, and checked by the file that they name.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from fervid.classification.classifier import Classifier
from fervid.cli.terminal import show_progress
from fervid.datasets.faceset import PRIVATE_TEST, FaceSet
from fervid.datasets.parquet import read_faces
from fervid.datasets.photos import iterate_photos
from fervid.detection.selection import create_detector
from fervid.errors import FervidError
from fervid.evaluation.detection import CURVE_FROM, DetectionEvaluation, evaluate_detector
from fervid.evaluation.detection_report import describe_photos, format_detection_markdown
from fervid.evaluation.evaluation import Evaluation, evaluate_model
from fervid.evaluation.heads import Estimate
from fervid.evaluation.metrics import wilson_interval
from fervid.evaluation.robustness import HEADS, CorruptionBenchmark, evaluate_corruptions
from fervid.evaluation.summary import SummaryRow, format_estimate, format_recall, summarise, summarise_corruptions
from fervid.models.store import list_bundled

ROOT = Path(__file__).resolve().parents[1]
BUNDLED = ROOT / "src" / "fervid" / "models" / "bundled"
MARKED = re.compile(
    r"(<!-- (?P<kind>figures|corruptions|detection):(?P<name>[\w-]+) -->\n).*?(<!-- /(?P=kind) -->)", re.DOTALL
)


def main() -> int:
    """Evaluate, then write or compare; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces")
    parser.add_argument("photos", nargs="?", help="photos with marked faces, for the detectors")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()

    stale = find_stale(read_faces(arguments.faces), arguments.photos, measure=not arguments.check)
    for path, text in stale.items():
        if arguments.check:
            print(f"{path.relative_to(ROOT)} does not quote today's figures", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and arguments.check else 0


def find_stale(faces: FaceSet, photos: str | None = None, *, measure: bool = False) -> dict[Path, str]:
    """The documents whose figures differ from what the models do, with the text they should have.

    Args:
        faces: FER2013's; expression models are measured on PrivateTest.
        photos: path of photos with marked faces; detectors are measured on those held out, beside their peers.
        measure: measure tables that are of other files, where that takes long; otherwise they only lose their content.
    """
    bundled = list_bundled()
    classifiers = {entry.name: Classifier(entry.name) for entry in bundled if entry.kind == "expression"}
    identities = {entry.name: f"{entry.name}@{entry.sha256[:12]}" for entry in bundled}

    @cache
    def evaluate(name: str) -> Evaluation:
        return evaluate_model(classifiers[name], faces, PRIVATE_TEST)

    @cache
    def corrupt(name: str) -> CorruptionBenchmark:
        with show_progress(f"corruptions, {identities[name]}", "faces") as advance:
            return evaluate_corruptions(classifiers[name], faces, PRIVATE_TEST, on_progress=advance)

    @cache
    def find(name: str) -> list[DetectionEvaluation]:
        if photos is None:
            raise SystemExit(f"{name}'s figures need the photos: give photos.parquet as the second argument")
        return find_in_photos(name, photos)

    def quote(match: re.Match[str], *, full: bool) -> str:
        kind, name = match["kind"], match["name"]
        if kind == "figures":
            return match[1] + format_figures(evaluate(name), full=full) + match[4]
        if f"`{identities[name]}`" in match[0]:
            return match[0]
        if not measure:
            return match[1] + match[4]
        if kind == "corruptions":
            return match[1] + format_corruptions(corrupt(name), full=full) + match[4]
        return match[1] + format_detectors(identities[name], find(name)) + match[4]

    return _requote([ROOT / "README.md", *sorted(BUNDLED.glob("*.md"))], quote)


def find_in_photos(name: str, path: str) -> list[DetectionEvaluation]:
    """What a detector and its peers find in the photos held out."""
    photos, evaluations = list(iterate_photos(path, split="validation")), []
    for detector in dict.fromkeys((name, "yunet", "haar")):
        try:
            threshold = create_detector(detector).score_threshold
        except FervidError as error:
            print(f"{detector} is left out: {error}", file=sys.stderr)
            continue
        found = create_detector(detector, score_threshold=min(CURVE_FROM, threshold))
        with show_progress(f"evaluating {detector}", "photos") as advance:
            evaluations.append(evaluate_detector(found, photos, threshold=threshold, on_progress=advance))
    return evaluations


def format_detectors(identity: str, evaluations: Sequence[DetectionEvaluation]) -> str:
    """Markdown table of detectors side by side."""
    title = f"`{identity}` and its peers on {describe_photos(evaluations[0])}"
    return f"{title}\n\n{format_detection_markdown(evaluations)}"


def _requote(paths: list[Path], quote: Callable[..., str]) -> dict[Path, str]:
    stale = {}
    for path in paths:
        text = path.read_text(encoding="utf-8")
        wanted = MARKED.sub(partial(quote, full=path.parent == BUNDLED), text)
        if wanted != text:
            stale[path] = wanted
    return stale


def format_figures(evaluation: Evaluation, *, full: bool) -> str:
    """Markdown tables: the headline figures, and with ``full`` the classification reports."""
    title = f"`{evaluation.model}` on {evaluation.split}, in brackets 95 % intervals"
    lines = [title, "", *_tabulate("figure", summarise(evaluation))]
    if full:
        for head in (evaluation.label_head, evaluation.answer):
            lines += ["", f"| {head.name} | precision | recall | F1 | faces |", "|---|---:|---:|---:|---:|"]
            lines += [
                f"| {label} | {s.precision:.3f} | {format_recall(s)} | {s.f1:.3f} | {s.support:,} |"
                for label, s in zip(evaluation.labels, head.classes, strict=True)
            ]
    return "\n".join([*lines, ""])


def format_corruptions(benchmark: CorruptionBenchmark, *, full: bool) -> str:
    """Markdown tables: what bad pictures leave of each head, and with ``full`` of the answer by corruption."""
    title = f"`{benchmark.model}` on {benchmark.split}, eight corruptions in three strengths"
    lines = [title, "", *_tabulate("figure", summarise_corruptions(benchmark))]
    measured = benchmark.measure("answer", "FER+ majority")
    if full and measured is not None:
        n = measured.clean.n
        lines += ["", "| answer, FER+ majority | strength 1 | 2 | 3 | faces |", "|---|---:|---:|---:|---:|"]
        for name, row in zip(benchmark.corruptions, measured.accuracy, strict=True):
            cells = [format_estimate(Estimate(share, *wilson_interval(share * n, n), n)) for share in row.tolist()]
            lines.append(f"| {name} | {' | '.join(map(str, cells))} | {n:,} |")
    return "\n".join([*lines, ""])


def _tabulate(first: str, rows: list[SummaryRow]) -> list[str]:
    return [
        f"| {first} | {' | '.join(HEADS)} | faces |",
        "|---|---:|---:|---:|---:|",
        *(f"| {row.name} | {' | '.join(map(str, row.cells))} | {row.n} |" for row in rows),
    ]


if __name__ == "__main__":
    sys.exit(main())
