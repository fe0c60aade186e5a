"""What ``fervid evaluate`` prints: its figures as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fervid.cli.layout import print_fitting
from fervid.cli.terminal import stdout
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from rich.table import Table

    from fervid.evaluation.comparison import Comparison, ComparisonSection, Difference
    from fervid.evaluation.detection import DetectionEvaluation
    from fervid.evaluation.evaluation import Evaluation
    from fervid.evaluation.heads import HeadEvaluation
    from fervid.evaluation.robustness import CorruptionBenchmark, Robustness
    from fervid.evaluation.summary import SummaryRow


def print_detectors(evaluations: Sequence[DetectionEvaluation], notes: Sequence[str], split: str) -> None:
    """A table on stdout: the figures of every detector side by side."""
    from fervid.evaluation.detection_report import describe_photos, name_detectors, tabulate_detectors

    console, names = stdout(), name_detectors(evaluations)
    title = f"{', '.join(e.identity for e in evaluations)} on {split}: {describe_photos(evaluations[0])}"
    console.print(title, style="bold", markup=False)
    console.print()
    print_fitting(console, [_tabulate_sections(tabulate_detectors(evaluations), names, counted="n")])
    if len(names) > 1:
        console.print("*: best of the row   ±: half the 95 % bootstrap interval, photos drawn")
    for note in notes:
        console.print(note, markup=False)


def print_evaluation(evaluation: Evaluation, benchmark: CorruptionBenchmark | None = None) -> None:
    """Tables on stdout: the figures of all heads, then classification report and confusion matrix of two.

    Then those on spoilt faces, where they were measured.
    """
    from fervid.evaluation.summary import describe_labels, summarise

    console = stdout()
    title = (
        f"{evaluation.model} on {evaluation.split}: {count_nouns(evaluation.n, 'face')}, {describe_labels(evaluation)}"
    )
    console.print(title, style="bold", markup=False)
    console.print()
    print_fitting(console, [_tabulate_summary([head.name for head in evaluation.heads], summarise(evaluation))])
    console.print("±: half the 95 % bootstrap interval, which for ECE reaches further down than up")
    if evaluation.votes_head is None:
        console.print("answer = label head; the votes head has learned nothing")
    else:
        console.print(f"answer = {1 - evaluation.blend:.2f} × label head + {evaluation.blend:.2f} × votes head")
    for head in (evaluation.label_head, evaluation.answer):
        for table in (_tabulate_classes, _tabulate_confusion):
            console.print()
            print_fitting(console, [table(evaluation, head)])
    console.print("in brackets: 95 % interval (Wilson's)")
    for note in evaluation.notes:
        console.print()
        console.print(note, markup=False)
    if benchmark is not None:
        print_corruptions(benchmark)


def print_corruptions(benchmark: CorruptionBenchmark) -> None:
    """Tables on stdout: what bad pictures leave of all heads, then of the answer by corruption and strength."""
    from fervid.evaluation.summary import summarise_corruptions

    console = stdout()
    console.print()
    console.print(f"mean of {len(benchmark.corruptions)} corruptions in three strengths", style="bold")
    console.print()
    print_fitting(console, [_tabulate_summary(benchmark.heads, summarise_corruptions(benchmark))])
    for measure in benchmark.measures:
        if measure.head == "answer":
            console.print()
            print_fitting(console, [_tabulate_corruptions(benchmark, measure)])


def print_comparison(comparison: Comparison) -> None:
    """Tables on stdout: the figures of every model side by side, then what their differences are worth."""
    from fervid.evaluation.comparison import TESTED, gather_notes, tabulate_comparison
    from fervid.evaluation.summary import describe_labels

    console, first = stdout(), comparison.evaluations[0]
    title = f"{len(comparison.names)} models on {first.split}: {count_nouns(first.n, 'face')}, {describe_labels(first)}"
    console.print(title, style="bold", markup=False)
    console.print(", ".join(evaluation.model for evaluation in comparison.evaluations), markup=False)
    console.print()
    print_fitting(console, [_tabulate_sections(tabulate_comparison(comparison), comparison.names)])
    console.print("*: best of the row   ±: half the 95 % bootstrap interval of each by itself")
    console.print()
    console.print(f"What the differences from {comparison.names[0]} are worth", style="bold", markup=False)
    for head, truth in TESTED:
        found = [d for d in comparison.differences if (d.head, d.truth) == (head, truth)]
        if found:
            console.print()
            print_fitting(console, [_tabulate_differences(found, comparison)])
    console.print("interval: paired bootstrap, 95 %; if it holds 0, these faces cannot tell the two apart")
    console.print("p: McNemar's exact test on the faces that only one gets right")
    for note in gather_notes(comparison):
        console.print()
        console.print(note, markup=False)


def _tabulate_sections(sections: Sequence[ComparisonSection], names: Sequence[str], *, counted: str = "faces") -> Table:
    from rich.markup import escape

    table = _create_table("figure", *map(escape, names), counted)
    for section in sections:
        table.add_section()
        table.add_row(f"[bold]{section.title}[/]")
        for row in section.rows:
            cells = zip(row.cells, row.best, strict=True)
            shown = (f"[bold]* {cell.short}[/]" if best else cell.short for cell, best in cells)
            table.add_row(f"  {row.name}", *shown, row.n)
    return table


def _tabulate_differences(differences: Sequence[Difference], comparison: Comparison) -> Table:
    from rich.markup import escape

    from fervid.evaluation.comparison import format_difference, format_p

    identities = [evaluation.model for evaluation in comparison.evaluations]
    truth = {"official": "accuracy", "FER+ majority": "FER+ majority"}[differences[0].truth]
    table = _create_table(
        f"{differences[0].head}, {truth}", "points", "interval", "only it", f"only {escape(comparison.names[0])}", "p"
    )
    for d in differences:
        name = comparison.names[identities.index(d.model)]
        table.add_row(escape(name), *format_difference(d), f"{d.only_model:,}", f"{d.only_reference:,}", format_p(d.p))
    return table


def _tabulate_summary(columns: Sequence[str], rows: Sequence[SummaryRow]) -> Table:
    table = _create_table("figure", *columns, "faces")
    for row in rows:
        table.add_row(row.name, *(cell.short for cell in row.cells), row.n)
    return table


def _tabulate_classes(evaluation: Evaluation, head: HeadEvaluation) -> Table:
    from fervid.evaluation.summary import format_recall

    table = _create_table(head.name, "precision", "recall", "F1", "support")
    averages = (("macro average", head.macro_average), ("weighted average", head.weighted_average))
    for name, scores in (*zip(evaluation.labels, head.classes, strict=True), *averages):
        table.add_row(
            name, f"{scores.precision:.3f}", str(format_recall(scores)), f"{scores.f1:.3f}", f"{scores.support:,}"
        )
        if name == evaluation.labels[-1]:
            table.add_section()
    return table


def _tabulate_confusion(evaluation: Evaluation, head: HeadEvaluation) -> Table:
    table = _create_table("label ↓ answer →", *evaluation.labels)
    for i, (label, counts) in enumerate(zip(evaluation.labels, head.confusion.tolist(), strict=True)):
        table.add_row(label, *(f"[bold]{count}[/]" if i == j else str(count) for j, count in enumerate(counts)))
    return table


def _tabulate_corruptions(benchmark: CorruptionBenchmark, measure: Robustness) -> Table:
    from fervid.evaluation.summary import format_percent

    truth = {"official": "accuracy", "FER+ majority": "FER+ majority"}[measure.truth]
    table = _create_table(f"{measure.head}, {truth}", "strength 1", "strength 2", "strength 3", "mean")
    for name, row in zip(benchmark.corruptions, measure.accuracy, strict=True):
        table.add_row(name, *(format_percent(value) for value in (*row, row.mean())))
    return table


def _create_table(first: str, *others: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
