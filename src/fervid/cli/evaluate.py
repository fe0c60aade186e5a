"""``fervid evaluate``: how good a model is on a labelled split."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.cli.terminal import print_note, show_progress, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from fervid.evaluation.evaluation import Evaluation
    from fervid.evaluation.heads import HeadEvaluation
    from fervid.evaluation.robustness import CorruptionBenchmark, Robustness
    from fervid.evaluation.summary import SummaryRow


def evaluate(
    model: Annotated[str, typer.Argument(help="A model's name, or the path of an .onnx file.")] = "base",
    data: Annotated[Path, typer.Option("--data", help="Faces in Parquet, as fervid data prepare writes them.")] = Path(
        "faces.parquet"
    ),
    split: Annotated[str, typer.Option(help="Training, PublicTest or PrivateTest.")] = "PrivateTest",
    labels: Annotated[int, typer.Option(help="7, or 6 to count disgust as anger.")] = 7,
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Read the faces again in 24 spoilt versions too: 25 times the work.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for a page, figures, CSV and JSON.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; one per core when absent.")] = None,
) -> None:
    """Measure a model on a split of FER2013: accuracy with and without leaked faces, calibration, confusions."""
    from fervid.classification.classifier import Classifier
    from fervid.datasets.parquet import read_faces
    from fervid.evaluation.evaluation import check_request, evaluate_model
    from fervid.evaluation.report import format_json, write_report
    from fervid.evaluation.robustness import evaluate_corruptions

    classifier = Classifier(model, threads=threads)
    check_request(classifier, split, labels)
    with show_progress("reading", "faces") as advance:
        faces = read_faces(data, progress=advance)
    with show_progress("evaluating", "faces") as advance:
        evaluation = evaluate_model(classifier, faces, split, labels=labels, on_progress=advance)
    benchmark = None
    if corruptions:
        with show_progress("corruptions", "faces") as advance:
            benchmark = evaluate_corruptions(classifier, faces, split, labels=labels, on_progress=advance)
    if as_json:
        sys.stdout.write(format_json(evaluation, benchmark))
    else:
        print_evaluation(evaluation)
        if benchmark is not None:
            print_corruptions(benchmark)
    if output is not None:
        print_note(f"report: {write_report(evaluation, output, corruptions=benchmark)}")


def print_evaluation(evaluation: Evaluation) -> None:
    """Tables on stdout: the figures of all heads, then classification report and confusion matrix of two."""
    from fervid.evaluation.summary import describe_labels, summarise

    console = stdout()
    title = f"{evaluation.model} on {evaluation.split}: {evaluation.n:,} faces, {describe_labels(evaluation)}"
    console.print(title, style="bold", markup=False)
    console.print()
    console.print(_tabulate_summary(summarise(evaluation)))
    console.print("±: half the 95 % bootstrap interval")
    console.print(f"answer = {1 - evaluation.blend:.2f} × label head + {evaluation.blend:.2f} × votes head")
    for head in (evaluation.label_head, evaluation.answer):
        for table in (_tabulate_classes, _tabulate_confusion):
            console.print()
            console.print(table(evaluation, head))
    for note in evaluation.notes:
        console.print()
        console.print(note, markup=False)


def print_corruptions(benchmark: CorruptionBenchmark) -> None:
    """Tables on stdout: what bad pictures leave of all heads, then of the answer by corruption and strength."""
    from fervid.evaluation.summary import summarise_corruptions

    console = stdout()
    console.print()
    console.print(f"mean of {len(benchmark.corruptions)} corruptions in three strengths", style="bold")
    console.print()
    console.print(_tabulate_summary(summarise_corruptions(benchmark)))
    for measure in benchmark.measures:
        if measure.head == "answer":
            console.print()
            console.print(_tabulate_corruptions(benchmark, measure))


def _tabulate_summary(rows: Sequence[SummaryRow]) -> Table:
    from fervid.evaluation.summary import COLUMNS

    table = _create_table("figure", *COLUMNS, "faces")
    for row in rows:
        table.add_row(row.name, *(cell.short for cell in row.cells), row.n)
    return table


def _tabulate_classes(evaluation: Evaluation, head: HeadEvaluation) -> Table:
    table = _create_table(head.name, "precision", "recall", "F1", "support")
    averages = (("macro average", head.macro_average), ("weighted average", head.weighted_average))
    for name, scores in (*zip(evaluation.labels, head.classes, strict=True), *averages):
        table.add_row(
            name, f"{scores.precision:.3f}", f"{scores.recall:.3f}", f"{scores.f1:.3f}", f"{scores.support:,}"
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
