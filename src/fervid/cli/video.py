"""``fervid video``: a film in, one timeline per person out."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, cast

import typer

from fervid.cli.options import (
    SMOOTH_S,
    DetectorOption,
    EmojiPlacementOption,
    LabelsOption,
    MinFaceOption,
    ModelOption,
    Placement,
    SmoothOption,
    ThreadsOption,
    check_placement,
)
from fervid.cli.terminal import format_command, print_note, show_progress, stdout
from fervid.errors import FervidError, UsageError
from fervid.signals import handle_signals

if TYPE_CHECKING:
    from fervid.emotions import LabelCount
    from fervid.streaming.film import FilmStream
    from fervid.streaming.journal import Journal
    from fervid.streaming.outputs import OutputPlan
    from fervid.tracking.summary import Summary


FileOption = str | None


def video(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="A film: MP4, MOV, MKV, WebM, AVI, GIF and more.")],
    output: Annotated[
        FileOption, typer.Option("-o", "--output", metavar="FILM", help="Save the film with its faces marked, as .mp4.")
    ] = None,
    emoji: Annotated[bool, typer.Option("--emoji", help="Mark faces with emoji instead of labels.")] = False,
    emoji_placement: EmojiPlacementOption = Placement.OVER,
    csv_file: Annotated[
        FileOption, typer.Option("--csv", metavar="FILE", help="Save CSV, one row per face and frame; - is stdout.")
    ] = None,
    json_file: Annotated[
        FileOption,
        typer.Option("--json", metavar="FILE", help="Save JSON, one object per frame and line; - is stdout."),
    ] = None,
    parquet_file: Annotated[
        FileOption, typer.Option("--parquet", metavar="FILE", help="Save the CSV's columns as Parquet.")
    ] = None,
    plot: Annotated[
        FileOption, typer.Option("--plot", metavar="FILE", help="Save a timeline, one lane per person: .png or .html.")
    ] = None,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help="Show a face per person in the timeline.")] = False,
    summary: Annotated[bool, typer.Option("--summary/--no-summary", help="Print a table of people.")] = True,
    summary_json: Annotated[
        FileOption, typer.Option("--summary-json", metavar="FILE", help="Save that table as JSON; - is stdout.")
    ] = None,
    start: Annotated[float, typer.Option(min=0.0, metavar="SEC", help="Leave out what comes before.")] = 0.0,
    end: Annotated[float | None, typer.Option(min=0.0, metavar="SEC", help="Leave out what comes after.")] = None,
    every: Annotated[
        float, typer.Option(min=0.0, metavar="SEC", help="Read one frame in so many seconds; 0: every one.")
    ] = 0.0,
    smooth: SmoothOption = SMOOTH_S,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the same command was interrupted.")] = False,
    labels: LabelsOption = 7,
    detector: DetectorOption = "auto",
    min_face: MinFaceOption = 32.0,
    model: ModelOption = "small",
    threads: ThreadsOption = None,
) -> None:
    """Follow everybody in a film: who showed which expression when.

    Prints a table of people: share of time per expression, the longest stretch, changes. All files are made in one
    pass, and appear when it is complete. An interrupted run leaves a journal beside the first file and goes on with
    --resume.
    """
    check_placement(emoji_placement, emoji=emoji)
    film = choose_film(paths)
    from fervid.streaming.outputs import OutputPlan

    plan = OutputPlan(
        film=output,
        style=emoji_placement.value if emoji else "labels",
        csv=csv_file,
        json=json_file,
        parquet=parquet_file,
        plot=plot,
        thumbnails=thumbnails,
        summary=summary_json,
    )
    plan.check(film)
    if resume and plan.journal is None:
        raise UsageError("nothing is saved that could go on", advice="--resume needs an output file, such as --csv.")

    from fervid.pipeline import Analyzer

    analyzer = Analyzer(model, detector, labels=cast("LabelCount", labels), threads=threads, min_face=min_face)
    stream = analyzer.video(film, start_s=start, end_s=end, every_s=every or None, smooth_s=smooth)
    with stream, contextlib.ExitStack() as stack:
        journal = None if plan.journal is None else stack.enter_context(open_journal(plan.journal, stream, resume))
        found = read_film(stream, plan, journal, threads)
    if summary and not plan.uses_stdout:
        from fervid.cli.filmtable import print_summary

        print_summary(stdout(), found, analyzer.detector.name)


def choose_film(paths: list[str]) -> Path:
    """The one film to read.

    Raises:
        UsageError: there are several, or it is a folder.
    """
    film = Path(paths[0])
    if len(paths) > 1 or film.is_dir():
        what = f"{len(paths)} films" if len(paths) > 1 else f"the folder {film}"
        folder = str(film) if film.is_dir() else "FOLDER"
        raise UsageError(
            f"one film at a time, got {what}",
            advice=f"For a whole folder: {format_command(['fervid', 'batch', folder, '--out', 'DIR'])}. "
            'Or: for film in *.mp4; do fervid video "$film" --csv "$film.csv"; done',
        )
    return film


def open_journal(path: Path, stream: FilmStream, resume: bool) -> Journal:
    """The journal, begun or taken up; says which when that may surprise."""
    from fervid.streaming.journal import Journal, is_resumable

    header = stream.describe()
    left = not resume and is_resumable(path, header)
    journal = Journal(path, header, resume=resume)
    if resume and journal.is_empty:
        print_note("there is nothing to go on with: starting from the beginning")
    elif left:
        print_note("an interrupted run is started over; --resume would have gone on with it")
    return journal


def read_film(stream: FilmStream, plan: OutputPlan, journal: Journal | None, threads: int | None) -> Summary:
    """Make everything that is planned; says what is wrong with the film, and how to go on after an interruption."""
    from fervid.streaming.production import Progress, produce

    time_s = stream.selection.start_s
    try:
        with stop_on_terminate(), show_progress("Reading", "frames", beside_data=plan.uses_stdout) as advance:

            def report(progress: Progress) -> None:
                nonlocal time_s
                time_s = progress.time_s
                advance(progress.frames, progress.total)

            made = produce(stream, plan, journal, threads=threads, report=report)
    except (KeyboardInterrupt, FervidError):
        if journal is not None and not journal.is_empty:
            print_note(f"stopped at {time_s:.1f} s; the same command with --resume goes on from there")
        raise
    for problem in made.problems:
        print_note(f"warning: {problem.message}")
    for path in plan.files:
        print_note(f"saved {path}")
    return made.summary


@contextlib.contextmanager
def stop_on_terminate() -> Iterator[None]:
    """A polite kill is an interruption as well: nothing half is left."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with handle_signals(interrupt, signal.SIGTERM):
        yield
