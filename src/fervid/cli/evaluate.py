"""``fervid evaluate``: how good a model is on a labelled split."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from fervid.cli.evaluationtables import print_comparison, print_detectors, print_evaluation
from fervid.cli.options import JsonOption, check_output_folder
from fervid.cli.outputs import make_places, take_steps
from fervid.cli.terminal import print_note, show_progress, write_output
from fervid.errors import UsageError
from fervid.files import check_destinations


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
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            callback=check_output_folder,
            help="Folder for a page, figures, CSV and JSON.",
        ),
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Faces of each kind of error on the page, which must not be published then.")
    ] = 8,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; one per core when absent.")] = None,
) -> None:
    """Measure models on a split of FER2013: accuracy with and without leaked faces, calibration, confusions.

    With --detector, measure face detectors on photos with marked faces: recall by size, precision, landmarks.
    """
    data = data or Path("photos.parquet" if detector else "faces.parquet")
    check_outputs(json_file, output, [data, *(models or ()), *(detector or ())])
    if detector:
        if models or corruptions or labels != 7:
            raise UsageError(
                "--detector measures detectors; models, --labels and --corruptions are about expressions",
                advice="Run fervid evaluate twice.",
            )
        evaluate_detectors(
            detector, data, split or "validation",
            peers=peers, json_file=json_file, output=output, threads=threads,
        )  # fmt: skip
        return
    split = split or "PrivateTest"
    from fervid.classification.classifier import Classifier
    from fervid.datasets.parquet import read_faces
    from fervid.evaluation.comparison import check_comparison, compare_evaluations
    from fervid.evaluation.evaluation import evaluate_model
    from fervid.evaluation.examples import pick_examples
    from fervid.evaluation.report import format_comparison_json, format_json, write_comparison, write_report
    from fervid.evaluation.robustness import evaluate_corruptions
    from fervid.evaluation.speed.benchmark import read_facts

    names = models or ["base"]
    classifiers = [Classifier(name, threads=threads) for name in names]
    check_comparison(classifiers, split, labels)
    facts = read_facts(names) if len(names) > 1 else []
    with show_progress("reading", "faces") as advance:
        faces = read_faces(data, progress=advance)
    make_places(json_file, folder=output)
    evaluations, benchmarks = [], []
    for classifier in classifiers:
        with show_progress(f"evaluating {classifier.identity}", "faces") as advance:
            evaluations.append(evaluate_model(classifier, faces, split, labels=labels, on_progress=advance))
        if corruptions:
            with show_progress(f"corruptions, {classifier.identity}", "faces") as advance:
                benchmarks.append(evaluate_corruptions(classifier, faces, split, labels=labels, on_progress=advance))
    shown = [pick_examples(evaluation, faces, examples) for evaluation in evaluations if output and examples]
    warning = "It shows faces of the data set: do not publish it, or leave them out with --examples 0." if shown else ""

    if len(evaluations) > 1:
        comparison = compare_evaluations(evaluations, facts, benchmarks)
        hand_out(
            json_file, output,
            tables=lambda: print_comparison(comparison),
            text=lambda: format_comparison_json(comparison),
            report=lambda folder: write_comparison(comparison, folder, examples=shown), warning=warning,
        )  # fmt: skip
    else:
        evaluation, benchmark = evaluations[0], benchmarks[0] if benchmarks else None
        picked = shown[0] if shown else None
        hand_out(
            json_file, output,
            tables=lambda: print_evaluation(evaluation, benchmark),
            text=lambda: format_json(evaluation, benchmark),
            report=lambda folder: write_report(evaluation, folder, corruptions=benchmark, examples=picked),
            warning=warning,
        )  # fmt: skip


def check_outputs(json_file: str | None, output: str | None, sources: Sequence[str | Path]) -> None:
    """Refuse outputs that would be lost. Raises UsageError like :func:`fervid.files.check_destinations`."""
    places = {} if json_file is None else {"--json": json_file}
    if output is not None and not os.path.isdir(output):  # noqa: PTH112 - of a closed folder it is to be no, no error
        places["-o"] = output
    check_destinations(places, tables=(), media=(), sources=sources)


def hand_out(
    json_file: str | None,
    output: str | None,
    *,
    tables: Callable[[], None],
    text: Callable[[], str],
    report: Callable[[str], Path],
    warning: str = "",
) -> None:
    """Print the tables, write the report and the JSON; what one of them cannot do is no loss of the others.

    Args:
        json_file: where the JSON goes, if anywhere; no tables where that is stdout.
        output: folder of the report, if any.
        tables: prints them.
        text: gives the JSON.
        report: writes it into a folder, and gives the path of its page.
        warning: said of the report.

    Raises:
        OutputError: a file cannot be written.
    """

    def write(folder: str) -> None:
        print_note(f"report: {report(folder)}")
        if warning:
            print_note(warning)

    steps = [] if json_file == "-" else [tables]
    if output is not None:
        steps.append(lambda: write(output))
    if json_file is not None:
        steps.append(lambda: write_output(json_file, text()))
    take_steps(*steps)


def evaluate_detectors(
    names: Sequence[str],
    data: Path,
    split: str,
    *,
    peers: bool,
    json_file: str | None,
    output: str | None,
    threads: int | None,
) -> None:
    """Measure face detectors on the same photos and show them side by side."""
    from fervid.datasets.photos import SPLITS, iterate_photos
    from fervid.detection.selection import create_detector
    from fervid.errors import DatasetError
    from fervid.evaluation.detection import CURVE_FROM, evaluate_detector
    from fervid.evaluation.detection_report import format_detection_json, write_detection_report

    if split not in (*SPLITS, "all"):
        raise UsageError(f"unknown split {split!r}", advice=f"Use one of: {', '.join(SPLITS)}, all.")
    thresholds, notes = choose_detectors(names, peers=peers)
    bad: list[DatasetError] = []
    photos = list(iterate_photos(data, split=None if split == "all" else split, on_bad=bad.append))  # type: ignore[arg-type]
    make_places(json_file, folder=output)
    evaluations = []
    for name, threshold in thresholds.items():
        with show_progress(f"evaluating {name}", "photos") as advance:
            found = create_detector(name, threads=threads, score_threshold=min(CURVE_FROM, threshold))
            evaluations.append(
                evaluate_detector(found, photos, threshold=threshold, on_progress=advance, on_bad=bad.append)
            )
    notes += [f"Left out: {message}" for message in dict.fromkeys(str(error) for error in bad)]
    hand_out(
        json_file, output,
        tables=lambda: print_detectors(evaluations, notes, split),
        text=lambda: format_detection_json(evaluations, notes, split),
        report=lambda folder: write_detection_report(evaluations, notes, split, folder),
    )  # fmt: skip


def choose_detectors(names: Sequence[str], *, peers: bool) -> tuple[dict[str, float], list[str]]:
    """The detectors to measure with their thresholds, those asked for first, and notes on peers that are not here.

    One that is given twice, under the same name, is measured once.

    Raises:
        UsageError: a name that nobody knows.
        FervidError: one that was asked for by name cannot be used.
    """
    from fervid.detection.detector import identify
    from fervid.detection.selection import DETECTORS, check_name, choose_detector, create_detector
    from fervid.errors import FervidError

    asked = [choose_detector() if name == "auto" else check_name(name) for name in names if name != "all"]
    known = [name for name in DETECTORS if name != "auto"] if peers or "all" in names else []
    thresholds: dict[str, float] = {}
    notes, identities = list[str](), set[str]()
    for name in dict.fromkeys([*asked, *known]):
        try:
            found = create_detector(name, threads=1)
            identity = identify(found)
            if identity not in identities:
                thresholds[name] = found.score_threshold
            identities.add(identity)
        except FervidError as error:
            if name in asked:
                raise
            notes.append(f"{name} was left out: {error.message}.")
    if not thresholds:
        raise UsageError("there is no detector to measure", advice=" ".join(notes))
    return thresholds, notes
