"""``fervid train``: a recipe and faces or photos in, a checked ONNX file out."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fervid.cli.export import print_export
from fervid.cli.options import check_output_folder
from fervid.cli.terminal import ERROR, INTERRUPTED, format_command, print_note, show_progress, stderr, stdout
from fervid.emotions import emotions_for
from fervid.errors import UsageError
from fervid.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from fervid.training.detection.config import DetectionConfig
    from fervid.training.detection.export import ExportedDetector
    from fervid.training.expressions.config import TrainingConfig
    from fervid.training.progress import Progress
    from fervid.training.team import Team

EXPORTING: Final = "exporting, and checking the file against torch"

RUNS: Final = Path("training-runs")
"""Where a run's folder is made unless -o names one; Git ignores it in this project."""

ROOMY: Final = 100
"""Columns from which the live bar tells the step as well."""


def train(
    config: Annotated[Path, typer.Argument(help="Recipe in TOML, as runs/base-2.toml or runs/faces-1.toml.")],
    data: Annotated[
        Path,
        typer.Option("--data", help="Faces in Parquet, as fervid data prepare writes them; photos for a detector."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            callback=check_output_folder,
            help="Folder of the run; training-runs/NAME when absent.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of each process; they share the cores when absent.")
    ] = None,
    labels: Annotated[
        int | None, typer.Option(help="7, or 6 to learn disgust as anger; the recipe's when absent.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Train in so many on this machine, with the same result; not for detectors.")
    ] = 1,
) -> None:
    """Train an expression network, or a face detector, and export it as ONNX.

    The run's folder holds NAME.onnx, curves.png, metrics.jsonl, config.json, weights.pt and checkpoint.pt. The same
    command continues a run that was interrupted after its last finished epoch, from checkpoint.pt; it exports a
    finished one again, which needs that file no more. On several machines, or with several GPUs, torchrun starts it.
    """
    require("train", "fervid train", "torch", "onnx", "pyarrow")
    from fervid.training.detection.config import DetectionConfig
    from fervid.training.launching import is_on_one_machine, is_started, run_team
    from fervid.training.recipes import read_recipe

    recipe = read_recipe(config)
    if not isinstance(recipe, DetectionConfig):
        recipe = override_labels(recipe, labels)
    elif labels is not None:
        raise UsageError(f"{config} is the recipe of a detector, which has no labels", advice="Leave --labels out.")
    elif processes > 1 or is_started():
        raise UsageError(f"{config} is the recipe of a detector: one process trains it", advice="Use --threads.")
    folder = RUNS / recipe.name if output is None else Path(output)
    again = ["fervid", "train", str(config), "--data", str(data), "-o", str(folder)]
    again += ["--labels", str(labels)] if labels is not None else []
    again += ["--device", device] if device != "auto" else []
    again += ["--threads", str(threads)] if threads is not None else []
    again += ["--processes", str(processes)] if processes > 1 else []
    if processes > 1 and not is_started():
        shared = [] if threads is not None else ["--threads", str(max(1, (os.cpu_count() or 1) // processes))]
        if status := run_team([sys.executable, "-m", *again, *shared], processes):
            raise typer.Exit(status)
        return
    from fervid.training.checkpoint import count_epochs
    from fervid.training.devices import choose_device
    from fervid.training.team import TeamStoppedError, join_team

    with join_team() as team:
        try:
            with speak_for(team):
                team.do_all(lambda: team.place(choose_device(device)))
                if isinstance(recipe, DetectionConfig):
                    train_detector(recipe, data, folder, device, threads)
                else:
                    train_expressions(recipe, data, folder, device, threads, team)
        except TeamStoppedError:
            if team.leads:
                raise
            raise typer.Exit(ERROR) from None
        except KeyboardInterrupt:
            if team.leads:
                kept = count_epochs(folder, recipe.schedule.epochs)
                said = f"interrupted; {kept} of {recipe.schedule.epochs} epochs are kept."
                others = team.size > 1 and processes == 1  # which torchrun has started, or what does its work
                if others and not is_on_one_machine():  # how they find each other is known to who started them
                    print_note(f"{said} Continue as it was started, on every machine.")
                else:
                    again = ["torchrun", "--nproc-per-node", str(team.size), "-m", *again] if others else again
                    print_note(f"{said} Continue with:")
                    print_note(f"  {format_command(again)}")
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def speak_for(team: Team) -> Iterator[None]:
    """Of a team, only the leader says how it goes; an error that it does not know of is said by whom it befalls."""
    if team.leads:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def train_expressions(
    recipe: TrainingConfig, data: Path, folder: Path, device: str, threads: int | None, team: Team
) -> None:
    """Train, export and describe an expression network."""
    from fervid.training.checkpoint import check_folder
    from fervid.training.expressions.data import load_training_data
    from fervid.training.expressions.export import export_onnx
    from fervid.training.expressions.loop import train as train_network
    from fervid.training.expressions.origins import find_initial_weights

    team.lead(lambda: check_folder(recipe, folder))
    team.lead(lambda: check_beginning(recipe, folder, find_initial_weights))
    with show_progress("reading", "faces") as advance:
        faces = team.do_all(lambda: load_training_data(data, recipe, progress=advance))
    print_note(
        f"{len(faces.images):,} Training faces ({faces.dropped:,} duplicates left out), "
        f"{len(faces.validation_emotions):,} PublicTest faces; run in {folder}"
        + (f"; {team.size} processes" if team.size > 1 else "")
    )
    team.lead(lambda: note_finished(folder, recipe.schedule.epochs))
    with show_training() as on_progress:
        network = train_network(
            recipe, faces, folder, device=device, threads=threads, team=team, on_progress=on_progress
        )
    if not team.leads:
        return
    print_note(EXPORTING)
    exported = export_onnx(network, faces, folder / f"{recipe.name}.onnx", **dataclasses.asdict(recipe.export))
    print_export(exported, len(faces.validation_emotions))


def train_detector(recipe: DetectionConfig, data: Path, folder: Path, device: str, threads: int | None) -> None:
    """Train, export and describe a face detector."""
    from fervid.training.checkpoint import check_folder, find_run
    from fervid.training.detection.data import load_training_photos
    from fervid.training.detection.export import export_onnx
    from fervid.training.detection.loop import train as train_network

    check_folder(recipe, folder)
    check_beginning(recipe, folder, find_run)
    with show_progress("reading", "photos") as advance:
        photos = load_training_photos(data, progress=advance)
    album = photos.album
    print_note(
        f"Training photos: {len(album.people):,} with people, {len(album.heads):,} heads, {len(album.background):,} "
        f"background; {len(photos.validation):,} for validation; run in {folder}"
    )
    note_finished(folder, recipe.schedule.epochs)
    with show_training() as on_progress:
        network = train_network(recipe, photos, folder, device=device, threads=threads, on_progress=on_progress)
    print_note(EXPORTING)
    path = folder / f"{recipe.name}.onnx"
    exported = export_onnx(network, recipe, photos, path, precision=recipe.export.precision)
    print_detector(exported)


def check_beginning(recipe: TrainingConfig | DetectionConfig, folder: Path, find: Callable[[str], object]) -> None:
    """Miss the initial weights of a run before its data are read; one that has begun needs them no more.

    Raises:
        ConfigError: ``find`` does not find them.
        ModelError: they are damaged.
    """
    from fervid.training.checkpoint import is_begun

    if not is_begun(folder):
        for path in recipe.initial_weights:
            find(path)


def note_finished(folder: Path, epochs: int) -> None:
    """Say where a run that was begun before stands."""
    from fervid.training.checkpoint import count_epochs

    finished = count_epochs(folder, epochs)
    if finished:
        print_note(
            "the run is finished: exporting it again" if finished == epochs else f"continuing after epoch {finished}"
        )


def print_detector(exported: ExportedDetector) -> None:
    """What the file is and how it was checked, on stdout."""
    spec, evaluation, parity = exported.spec, exported.evaluation, exported.parity
    rows = [
        ("model", str(exported.path)),
        (
            "size",
            f"{exported.size_bytes / 1e3:.0f} kB ({exported.size_bytes:,} bytes, weights as {parity.precision})",
        ),
        ("threshold", f"{spec.score_threshold:g}"),
    ]
    for figures in (evaluation.overall, evaluation.bands[0]):
        name = f"{figures.low:g} px and more" if figures.high is None else f"{figures.low:g}–{figures.high:g} px"
        found = (
            "no face" if figures.recall is None else f"{figures.recall.value:.1%} of {figures.recall.n:,} faces found"
        )
        right = "" if figures.precision is None else f", {figures.precision.value:.1%} of the detections are faces"
        rows.append(("validation", f"{name}: {found}{right}"))
    if evaluation.overall.landmarks is not None:
        rows.append(("landmarks", f"off by {evaluation.overall.landmarks.median:.1%} of the eyes' distance (median)"))
    if evaluation.background is not None:
        clean = evaluation.background.clean
        rows.append(("background", f"nothing found in {clean.value:.1%} of {clean.n:,} photos without a face"))
    if exported.trained_precision is not None:
        found = f"{evaluation.overall.average_precision or 0:.4f}, {exported.trained_precision:.4f} before rounding"
        rows.append(("precision", f"{found} (average)"))
    held = (
        "within {0:.0e} of torch" if parity.precision != "int8" else "integer sums as in floating point, within {0:.2f}"
    )
    checked = (
        f"{parity.pictures} pictures in ONNX Runtime: {held.format(parity.max_difference)}; probabilities "
        f"within {parity.trained_difference:.0e} of those before rounding"
    )
    for name, text in (*rows, ("checked", checked)):
        stdout().print(f"{name:12}{text}", markup=False)


def override_labels(recipe: TrainingConfig, labels: int | None) -> TrainingConfig:
    """The recipe with another number of labels; then its name says so, since it makes another model.

    Raises:
        UsageError: neither 7 nor 6.
    """
    if labels is None or len(emotions_for(labels)) == recipe.labels:
        return recipe
    return dataclasses.replace(recipe, labels=labels, name=f"{recipe.name}-{labels}")


@contextmanager
def show_training() -> Iterator[Callable[[Progress], None]]:
    """Show a run on stderr: a line per epoch, and below them a live bar when stderr is a terminal.

    Yields:
        A function of the run's progress.
    """
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[state]}"))
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal, expand=True) as bar:
        task = bar.add_task("starting", total=None, state="")
        reached = ""

        def on_progress(progress: Progress) -> None:
            nonlocal reached
            if progress.metrics:
                figures = describe_figures(progress.metrics)
                reached = f" · {figures[0]}" if figures else reached
                bar.console.print(describe_epoch(progress), markup=False)
            step = f", step {progress.step}/{progress.steps}"
            bar.update(
                task,
                description=f"epoch {progress.epoch}/{progress.epochs}" + (step if console.width >= ROOMY else ""),
                completed=(progress.epoch - 1) * progress.steps + progress.step,
                total=progress.epochs * progress.steps,
                state=f"loss {progress.loss:.3f} · {progress.images_per_s:,.0f} img/s{reached}"
                f" · {format_duration(progress.remaining_s)} left",
            )

        yield on_progress


def describe_epoch(progress: Progress) -> str:
    """One line about a finished epoch, of at most 80 columns; ``metrics.jsonl`` holds the rest."""
    line = progress.metrics
    parts = [
        f"epoch {progress.epoch:{len(str(progress.epochs))}}/{progress.epochs}",
        f"{progress.size} px",
        f"loss {line['train_loss']:.3f}",
        *describe_figures(line),
    ]
    if progress.epoch < progress.epochs:
        parts.append(f"{format_duration(progress.remaining_s)} left")
    return "  ".join(parts)


def describe_figures(line: dict[str, Any]) -> list[str]:
    """What an epoch reached on held-out data, the most telling first; empty when it was not measured."""
    names = (
        ("public_accuracy", "PublicTest"),
        ("public_votes_accuracy", "FER+"),
        ("recall_at_97", "found"),
        ("landmark_error", "points"),
    )
    return [f"{name} {line[key] * 100:.1f} %" for key, name in names if line.get(key) is not None]


def format_duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
