"""``fervid evaluate``: how good a model is on a labelled split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.cli.options import JsonOption
from fervid.cli.terminal import print_note, show_progress, stdout, write_output
from fervid.errors import UsageError
from fervid.files import check_destinations

if TYPE_CHECKING:
    from rich.table import Table

    from fervid.evaluation.comparison import Comparison, ComparisonSection, Difference
    from fervid.evaluation.detection import DetectionEvaluation
    from fervid.evaluation.evaluation import Evaluation
    from fervid.evaluation.heads import HeadEvaluation
    from fervid.evaluation.robustness import CorruptionBenchmark, Robustness
    from fervid.evaluation.summary import SummaryRow


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Names, or paths of .onnx files; base if none. Several are compared with the first."),
    ] = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            "--detector",
            metavar="NAME",
            help="Measure face detectors on photos instead: faces, yunet, haar, an .onnx file, or all; repeatable.",
        ),
    ] = None,
    peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="With --detector: the other detectors that are here, too.")
    ] = True,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Faces in Parquet, as fervid data prepare writes them; with --detector, photos in Parquet."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Training, PublicTest or PrivateTest (if none); with --detector training, validation (if none), all."
        ),
    ] = None,
    labels: Annotated[int, typer.Option(help="7, or 6 to count disgust as anger.")] = 7,
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Read the faces again in 24 spoilt versions too: 25 times the work.")
    ] = False,
    json_file: JsonOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for a page, figures, CSV and JSON.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Faces of each kind of error on the page, which must not be published then.")
    ] = 8,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; one per core when absent.")] = None,
) -> None:
    """Measure models on a split of FER2013: accuracy with and without leaked faces, calibration, confusions.

    With --detector, measure face detectors on photos with marked faces: recall by size, precision, landmarks.
    """
    if json_file is not None:
        sources = [data or Path("photos.parquet" if detector else "faces.parquet"), *(models or ())]
        check_destinations({"--json": json_file}, tables=(), media=(), sources=sources)
    if detector:
        if models or corruptions or labels != 7:
            raise UsageError(
                "--detector measures detectors; models, --labels and --corruptions are about expressions",
                advice="Run fervid evaluate twice.",
            )
        evaluate_detectors(
            detector, data or Path("photos.parquet"), split or "validation",
            peers=peers, json_file=json_file, output=output, threads=threads,
        )  # fmt: skip
        return
    data, split = data or Path("faces.parquet"), split or "PrivateTest"
    from fervid.classification.classifier import Classifier
    from fervid.datasets.parquet import read_faces
    from fervid.evaluation.comparison import check_comparison, compare_evaluations
    from fervid.evaluation.evaluation import evaluate_model
    from fervid.evaluation.examples import pick_examples
    from fervid.evaluation.report import (
        format_comparison_json,
        format_json,
        make_folder,
        write_comparison,
        write_report,
    )
    from fervid.evaluation.robustness import evaluate_corruptions
    from fervid.evaluation.speed.benchmark import read_facts

    names = models or ["base"]
    classifiers = [Classifier(name, threads=threads) for name in names]
    check_comparison(classifiers, split, labels)
    with show_progress("reading", "faces") as advance:
        faces = read_faces(data, progress=advance)
    if output is not None:
        make_folder(output)  # before the minutes that are lost where it cannot be made
    evaluations, benchmarks = [], []
    for classifier in classifiers:
        with show_progress(f"evaluating {classifier.identity}", "faces") as advance:
            evaluations.append(evaluate_model(classifier, faces, split, labels=labels, on_progress=advance))
        if corruptions:
            with show_progress(f"corruptions, {classifier.identity}", "faces") as advance:
                benchmarks.append(evaluate_corruptions(classifier, faces, split, labels=labels, on_progress=advance))
    shown = [pick_examples(evaluation, faces, examples) for evaluation in evaluations if output and examples]

    if len(evaluations) > 1:
        comparison = compare_evaluations(evaluations, read_facts(names), benchmarks)
        if json_file is not None:
            write_output(json_file, format_comparison_json(comparison))
        if json_file != "-":
            print_comparison(comparison)
        if output is not None:
            print_note(f"report: {write_comparison(comparison, output, examples=shown)}")
    else:
        evaluation, benchmark = evaluations[0], benchmarks[0] if benchmarks else None
        if json_file is not None:
            write_output(json_file, format_json(evaluation, benchmark))
        if json_file != "-":
            print_evaluation(evaluation)
            if benchmark is not None:
                print_corruptions(benchmark)
        if output is not None:
            page = write_report(evaluation, output, corruptions=benchmark, examples=shown[0] if shown else None)
            print_note(f"report: {page}")
    if shown:
        print_note("It shows faces of the data set: do not publish it, or leave them out with --examples 0.")


def evaluate_detectors(
    names: Sequence[str],
    data: Path,
    split: str,
    *,
    peers: bool,
    json_file: str | None,
    output: Path | None,
    threads: int | None,
) -> None:
    """Measure face detectors on the same photos and show them side by side."""
    from fervid.datasets.photos import SPLITS, iterate_photos
    from fervid.detection.selection import create_detector
    from fervid.errors import DatasetError
    from fervid.evaluation.detection import CURVE_FROM, evaluate_detector
    from fervid.evaluation.detection_report import format_detection_json, write_detection_report
    from fervid.evaluation.report import make_folder

    if split not in (*SPLITS, "all"):
        raise UsageError(f"unknown split {split!r}", advice=f"Use one of: {', '.join(SPLITS)}, all.")
    thresholds, notes = choose_detectors(names, peers=peers)
    bad: list[DatasetError] = []
    photos = list(iterate_photos(data, split=None if split == "all" else split, on_bad=bad.append))  # type: ignore[arg-type]
    if output is not None:
        make_folder(output)
    evaluations = []
    for name, threshold in thresholds.items():
        with show_progress(f"evaluating {name}", "photos") as advance:
            found = create_detector(name, threads=threads, score_threshold=min(CURVE_FROM, threshold))
            evaluations.append(
                evaluate_detector(found, photos, threshold=threshold, on_progress=advance, on_bad=bad.append)
            )
    notes += [f"Left out: {message}" for message in dict.fromkeys(str(error) for error in bad)]
    if json_file is not None:
        write_output(json_file, format_detection_json(evaluations, notes, split))
    if json_file != "-":
        print_detectors(evaluations, notes, split)
    if output is not None:
        print_note(f"report: {write_detection_report(evaluations, notes, split, output)}")


def choose_detectors(names: Sequence[str], *, peers: bool) -> tuple[dict[str, float], list[str]]:
    """The detectors to measure with their thresholds, those asked for first, and notes on peers that are not here.

    Raises:
        UsageError: a name that nobody knows.
        FervidError: one that was asked for by name cannot be used.
    """
    from fervid.detection.selection import DETECTORS, check_name, choose_detector, create_detector
    from fervid.errors import FervidError

    asked = [choose_detector() if name == "auto" else check_name(name) for name in names if name != "all"]
    known = [name for name in DETECTORS if name != "auto"] if peers or "all" in names else []
    thresholds, notes = {}, []
    for name in dict.fromkeys([*asked, *known]):
        try:
            thresholds[name] = create_detector(name, threads=1).score_threshold
        except FervidError as error:
            if name in asked:
                raise
            notes.append(f"{name} was left out: {error.message}.")
    if not thresholds:
        raise UsageError("there is no detector to measure", advice=" ".join(notes))
    return thresholds, notes


def print_detectors(evaluations: Sequence[DetectionEvaluation], notes: Sequence[str], split: str) -> None:
    """A table on stdout: the figures of every detector side by side."""
    from fervid.evaluation.detection_report import describe_photos, tabulate_detectors

    console, names = stdout(), [evaluation.detector for evaluation in evaluations]
    console.print(f"{', '.join(names)} on {split}: {describe_photos(evaluations[0])}", style="bold", markup=False)
    console.print()
    console.print(_tabulate_sections(tabulate_detectors(evaluations), names, counted="n"))
    if len(names) > 1:
        console.print("*: best of the row   ±: half the 95 % bootstrap interval, photos drawn")
    for note in notes:
        console.print(note, markup=False)


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


def print_comparison(comparison: Comparison) -> None:
    """Tables on stdout: the figures of every model side by side, then what their differences are worth."""
    from fervid.evaluation.comparison import TESTED, gather_notes, tabulate_comparison
    from fervid.evaluation.summary import describe_labels

    console, first = stdout(), comparison.evaluations[0]
    title = f"{len(comparison.names)} models on {first.split}: {first.n:,} faces, {describe_labels(first)}"
    console.print(title, style="bold", markup=False)
    console.print(", ".join(evaluation.model for evaluation in comparison.evaluations), markup=False)
    console.print()
    console.print(_tabulate_sections(tabulate_comparison(comparison), comparison.names))
    console.print("*: best of the row   ±: half the 95 % bootstrap interval of each by itself")
    console.print()
    console.print(f"What the differences from {comparison.names[0]} are worth", style="bold", markup=False)
    for head, truth in TESTED:
        found = [d for d in comparison.differences if (d.head, d.truth) == (head, truth)]
        if found:
            console.print()
            console.print(_tabulate_differences(found, comparison))
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
