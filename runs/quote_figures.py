"""Write the figures of the bundled models into README.md and the model cards, or check them.

    python runs/quote_figures.py faces.parquet            # evaluates, rewrites what stands between the markers
    python runs/quote_figures.py faces.parquet --check    # exit status 1 when a quoted figure is not today's

The markers are ``<!-- figures:NAME -->`` and ``<!-- /figures -->``; NAME is the model's.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from fervid.classification.classifier import Classifier
from fervid.datasets.faceset import PRIVATE_TEST, FaceSet
from fervid.datasets.parquet import read_faces
from fervid.evaluation.evaluation import Evaluation, evaluate_model
from fervid.evaluation.summary import COLUMNS, summarise
from fervid.models.store import list_bundled

ROOT = Path(__file__).resolve().parents[1]
MARKED = re.compile(r"(<!-- figures:(?P<name>[\w-]+) -->\n).*?(<!-- /figures -->)", re.DOTALL)


def main() -> int:
    """Evaluate, then write or compare; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()

    stale = find_stale(read_faces(arguments.faces))
    for path, text in stale.items():
        if arguments.check:
            print(f"{path.relative_to(ROOT)} does not quote today's figures", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and arguments.check else 0


def find_stale(faces: FaceSet) -> dict[Path, str]:
    """The documents whose figures differ from what the models do on PrivateTest, with the text they should have."""
    evaluations = {
        entry.name: evaluate_model(Classifier(entry.name), faces, PRIVATE_TEST)
        for entry in list_bundled()
        if entry.kind == "expression"
    }
    cards = [ROOT / "src" / "fervid" / "models" / "bundled" / f"{name}.md" for name in evaluations]
    stale = {}
    for path in [ROOT / "README.md", *cards]:
        text = path.read_text(encoding="utf-8")
        full = path in cards

        def quote(match: re.Match[str], full: bool = full) -> str:
            return match[1] + format_figures(evaluations[match["name"]], full=full) + match[3]

        wanted = MARKED.sub(quote, text)
        if wanted != text:
            stale[path] = wanted
    return stale


def format_figures(evaluation: Evaluation, *, full: bool) -> str:
    """Markdown tables: the headline figures, and with ``full`` the classification reports."""
    lines = [
        f"`{evaluation.model}` on {evaluation.split}",
        "",
        f"| figure | {' | '.join(COLUMNS)} | faces |",
        "|---|---:|---:|---:|---:|",
        *(f"| {row.name} | {' | '.join(map(str, row.cells))} | {row.n} |" for row in summarise(evaluation)),
    ]
    if full:
        for head in (evaluation.label_head, evaluation.answer):
            lines += ["", f"| {head.name} | precision | recall | F1 | faces |", "|---|---:|---:|---:|---:|"]
            lines += [
                f"| {label} | {s.precision:.3f} | {s.recall:.3f} | {s.f1:.3f} | {s.support:,} |"
                for label, s in zip(evaluation.labels, head.classes, strict=True)
            ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
