"""``fervid train``: a recipe and faces in, a checked ONNX file out."""

from __future__ import annotations

import dataclasses
import importlib.util
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fervid.cli.export import print_export
from fervid.cli.terminal import INTERRUPTED, print_note, show_progress, stderr
from fervid.emotions import emotions_for
from fervid.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fervid.training.expressions.config import TrainingConfig
    from fervid.training.expressions.loop import Progress

RUNS: Final = Path("training-runs")
"""Where a run's folder is made unless -o names one; Git ignores it in this project."""

ROOMY: Final = 100
"""Columns from which the live bar tells the step as well."""


def train(
    config: Annotated[Path, typer.Argument(help="Recipe in TOML, as runs/base.toml.")],
    data: Annotated[Path, typer.Option("--data", help="Faces in Parquet, as fervid data prepare writes them.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run; training-runs/NAME when absent.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; one per core when absent.")] = None,
    labels: Annotated[
        int | None, typer.Option(help="7, or 6 to learn disgust as anger; the recipe's when absent.")
    ] = None,
) -> None:
    """Train an expression network and export it as ONNX.

    The run's folder holds NAME.onnx, curves.png, metrics.jsonl, config.json and weights.pt. The same command continues
    a run that was interrupted after its last finished epoch; it exports a finished one again.
    """
    for module in ("torch", "onnx", "pyarrow"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError.for_extra("train", module, "fervid train")
    from fervid.training.expressions.checkpoint import check_folder, read_metrics
    from fervid.training.expressions.config import TrainingConfig
    from fervid.training.expressions.data import load_training_data
    from fervid.training.expressions.export import export_onnx
    from fervid.training.expressions.loop import choose_device
    from fervid.training.expressions.loop import train as train_network

    recipe = override_labels(TrainingConfig.from_toml(config), labels)
    folder = output or RUNS / recipe.name
    choose_device(device)
    check_folder(recipe, folder)
    with show_progress("reading", "faces") as advance:
        faces = load_training_data(data, recipe, progress=advance)
    print_note(
        f"{len(faces.images):,} Training faces ({faces.dropped:,} duplicates left out), "
        f"{len(faces.validation_emotions):,} PublicTest faces; run in {folder}"
    )
    finished = len(read_metrics(folder))
    if finished:
        done = finished == recipe.schedule.epochs
        print_note("the run is finished: exporting it again" if done else f"continuing after epoch {finished}")
    try:
        with show_training() as on_progress:
            network = train_network(recipe, faces, folder, device=device, threads=threads, on_progress=on_progress)
        print_note("exporting, and checking the file against torch")
        exported = export_onnx(network, faces, folder / f"{recipe.name}.onnx", precision=recipe.export.precision)
    except KeyboardInterrupt:
        kept = len(read_metrics(folder))
        again = ["fervid", "train", str(config), "--data", str(data), "-o", str(folder)]
        again += ["--labels", str(labels)] if labels is not None else []
        again += ["--device", device] if device != "auto" else []
        again += ["--threads", str(threads)] if threads is not None else []
        print_note(f"interrupted; {kept} of {recipe.schedule.epochs} epochs are kept. Continue with:")
        print_note(f"  {shlex.join(again)}")
        raise typer.Exit(INTERRUPTED) from None
    print_export(exported, len(faces.validation_emotions))


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
        accuracy = ""

        def on_progress(progress: Progress) -> None:
            nonlocal accuracy
            if progress.metrics:
                accuracy = f" · PublicTest {progress.metrics['public_accuracy'] * 100:.1f} %"
                bar.console.print(describe_epoch(progress), markup=False)
            step = f", step {progress.step}/{progress.steps}"
            bar.update(
                task,
                description=f"epoch {progress.epoch}/{progress.epochs}" + (step if console.width >= ROOMY else ""),
                completed=(progress.epoch - 1) * progress.steps + progress.step,
                total=progress.epochs * progress.steps,
                state=f"loss {progress.loss:.3f} · {progress.images_per_s:,.0f} img/s{accuracy}"
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
        f"PublicTest {line['public_accuracy'] * 100:.1f} %",
    ]
    if "public_votes_accuracy" in line:
        parts.append(f"FER+ {line['public_votes_accuracy'] * 100:.1f} %")
    if progress.epoch < progress.epochs:
        parts.append(f"{format_duration(progress.remaining_s)} left")
    return "  ".join(parts)


def format_duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
