"""Write the figures of the bundled models into README.md and the model cards, or check them.

    python runs/quote_figures.py faces.parquet            # evaluates, rewrites what stands between the markers
    python runs/quote_figures.py faces.parquet --check    # exit status 1 when a quoted figure is not today's

The markers are ``<!-- figures:NAME -->`` and ``<!-- corruptions:NAME -->``, each closed by the same with a slash and
without the name, which is the model's. Reading the faces in 24 spoilt versions takes minutes: a corruption table is
measured only when it is not of today's file, and checked by the file that it names.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fervid.classification.classifier import Classifier
from fervid.cli.terminal import show_progress
from fervid.datasets.faceset import PRIVATE_TEST, FaceSet
from fervid.datasets.parquet import read_faces
from fervid.evaluation.evaluation import Evaluation, evaluate_model
from fervid.evaluation.robustness import CorruptionBenchmark, evaluate_corruptions
from fervid.evaluation.summary import COLUMNS, SummaryRow, format_percent, summarise, summarise_corruptions
from fervid.models.store import list_bundled

ROOT = Path(__file__).resolve().parents[1]
BUNDLED = ROOT / "src" / "fervid" / "models" / "bundled"
MARKED = re.compile(r"(<!-- (?P<kind>figures|corruptions):(?P<name>[\w-]+) -->\n).*?(<!-- /(?P=kind) -->)", re.DOTALL)


def main() -> int:
    """Evaluate, then write or compare; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()

    stale = find_stale(read_faces(arguments.faces), measure=not arguments.check)
    for path, text in stale.items():
        if arguments.check:
            print(f"{path.relative_to(ROOT)} does not quote today's figures", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and arguments.check else 0


def find_stale(faces: FaceSet, *, measure: bool = False) -> dict[Path, str]:
    """The documents whose figures differ from what the models do on PrivateTest, with the text they should have.

    Args:
        faces: FER2013's.
        measure: measure corruption tables that are of other files; otherwise they only lose their content.
    """
    classifiers = {entry.name: Classifier(entry.name) for entry in list_bundled() if entry.kind == "expression"}

    @cache
    def evaluate(name: str) -> Evaluation:
        return evaluate_model(classifiers[name], faces, PRIVATE_TEST)

    @cache
    def corrupt(name: str) -> CorruptionBenchmark:
        with show_progress(f"corruptions, {classifiers[name].identity}", "faces") as advance:
            return evaluate_corruptions(classifiers[name], faces, PRIVATE_TEST, on_progress=advance)

    def quote(match: re.Match[str], *, full: bool) -> str:
        name = match["name"]
        if match["kind"] == "figures":
            return match[1] + format_figures(evaluate(name), full=full) + match[4]
        if f"`{classifiers[name].identity}`" in match[0]:
            return match[0]
        return match[1] + (format_corruptions(corrupt(name), full=full) if measure else "") + match[4]

    return _requote([ROOT / "README.md", *(BUNDLED / f"{name}.md" for name in classifiers)], quote)


def _requote(paths: list[Path], quote: Callable[..., str]) -> dict[Path, str]:
    stale = {}
    for path in paths:
        text = path.read_text(encoding="utf-8")
        full = path.parent == BUNDLED
        wanted = MARKED.sub(lambda match, full=full: quote(match, full=full), text)
        if wanted != text:
            stale[path] = wanted
    return stale


def format_figures(evaluation: Evaluation, *, full: bool) -> str:
    """Markdown tables: the headline figures, and with ``full`` the classification reports."""
    lines = [f"`{evaluation.model}` on {evaluation.split}", "", *_tabulate("figure", summarise(evaluation))]
    if full:
        for head in (evaluation.label_head, evaluation.answer):
            lines += ["", f"| {head.name} | precision | recall | F1 | faces |", "|---|---:|---:|---:|---:|"]
            lines += [
                f"| {label} | {s.precision:.3f} | {s.recall:.3f} | {s.f1:.3f} | {s.support:,} |"
                for label, s in zip(evaluation.labels, head.classes, strict=True)
            ]
    return "\n".join([*lines, ""])


def format_corruptions(benchmark: CorruptionBenchmark, *, full: bool) -> str:
    """Markdown tables: what bad pictures leave of each head, and with ``full`` of the answer by corruption."""
    title = f"`{benchmark.model}` on {benchmark.split}, eight corruptions in three strengths"
    lines = [title, "", *_tabulate("figure", summarise_corruptions(benchmark))]
    measured = benchmark.measure("answer", "FER+ majority")
    if full and measured is not None:
        lines += ["", "| answer, FER+ majority | strength 1 | 2 | 3 | mean |", "|---|---:|---:|---:|---:|"]
        lines += [
            f"| {name} | {' | '.join(format_percent(value) for value in (*row, row.mean()))} |"
            for name, row in zip(benchmark.corruptions, measured.accuracy, strict=True)
        ]
    return "\n".join([*lines, ""])


def _tabulate(first: str, rows: list[SummaryRow]) -> list[str]:
    return [
        f"| {first} | {' | '.join(COLUMNS)} | faces |",
        "|---|---:|---:|---:|---:|",
        *(f"| {row.name} | {' | '.join(map(str, row.cells))} | {row.n} |" for row in rows),
    ]


if __name__ == "__main__":
    sys.exit(main())
