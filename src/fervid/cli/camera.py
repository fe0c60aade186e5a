"""``fervid camera``: a window in which everybody's expression is read as it happens."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, cast

import typer

from fervid.cli.image import open_writers
from fervid.cli.options import (
    SMOOTH_S,
    DetectorOption,
    LabelsOption,
    MinFaceOption,
    ModelOption,
    SmoothOption,
    ThreadsOption,
)
from fervid.cli.terminal import print_note
from fervid.errors import UsageError
from fervid.files import check_destinations
from fervid.signals import handle_signals
from fervid.wording import count_nouns

if TYPE_CHECKING:
    from fervid.emotions import LabelCount
    from fervid.live.recording import FilmRecorder
    from fervid.live.session import SessionSummary
    from fervid.results import Frame


def check_size(text: str) -> str:
    """Refuse a size that is not ``WIDTHxHEIGHT``."""
    read_size(text)
    return text


def read_size(text: str) -> tuple[int, int]:
    """(width, height) of ``1280x720``."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"{text!r} is no size", advice="Give one such as 640x480.")
    return int(width), int(height)


def camera(
    device: Annotated[
        str,
        typer.Argument(
            help="A number from 0, a path such as /dev/video0, an address (rtsp://… or http://…), or a film."
        ),
    ] = "0",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILM", help="Record what is shown, as .mp4.")
    ] = None,
    csv_file: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Save CSV, one row per face and reading; - is stdout.")
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Save JSON, one object per reading; - is stdout.")
    ] = None,
    emoji: Annotated[bool, typer.Option("--emoji", help="Begin with emoji over the faces.")] = False,
    mirror: Annotated[
        bool | None,
        typer.Option("--mirror/--no-mirror", help="Show as a mirror does; plugged-in cameras are, if not given."),
    ] = None,
    window: Annotated[bool, typer.Option("--window/--no-window", help="Show a window.")] = True,
    size: Annotated[
        str, typer.Option(metavar="WxH", callback=check_size, help="Asked of a plugged-in camera, px.")
    ] = "1280x720",
    loop: Annotated[bool, typer.Option("--loop", help="A film begins again when it is over.")] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.0, metavar="SEC", help="End by itself after so long.")
    ] = None,
    smooth: SmoothOption = SMOOTH_S,
    labels: LabelsOption = 7,
    detector: DetectorOption = "auto",
    min_face: MinFaceOption = 40.0,
    model: ModelOption = "small",
    threads: ThreadsOption = None,
) -> None:
    """Show a camera with everybody's expression.

    In the window: e emoji, m mirror, f full screen, q or Esc quits. Ctrl-C ends it as well; what was recorded is saved.
    The picture never waits for the expressions: always the latest one is read. Nothing is stored unless asked.
    """
    from fervid.video.library import FILM_SUFFIXES

    places = {"--json": json_file, "--csv": csv_file, "-o": None if output is None else str(output)}
    check_destinations(
        {name: place for name, place in places.items() if place is not None},
        tables={"--json", "--csv"},
        media=FILM_SUFFIXES,
        sources=[device],
    )
    if not window and not (output or csv_file or json_file):
        raise UsageError("without a window there is nothing to see", advice="Add --csv FILE, --json FILE or -o FILM.")

    from fervid.live.reading import LiveReading
    from fervid.live.recording import FilmRecorder
    from fervid.live.session import Session
    from fervid.live.view import ViewMode, choose_window_size
    from fervid.live.window import Window, load_sdl
    from fervid.pipeline import Analyzer
    from fervid.video.camera import Camera

    if window:
        load_sdl()
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(stop_on_signals())
        writers = stack.enter_context(open_writers(json_file, csv_file))
        source = stack.enter_context(Camera(device, size=read_size(size), loop=loop))
        analyzer = Analyzer(model, detector, labels=cast("LabelCount", labels), threads=threads, min_face=min_face)
        takers: list[Callable[[Frame], object]] = [writer.write for writer in writers]
        if "-" in (json_file, csv_file):
            takers.append(lambda _: sys.stdout.flush())  # whoever reads them there wants them now
        reading = stack.enter_context(LiveReading(source, analyzer, smooth_s=smooth, takers=takers))
        recorder = None
        if output is not None:
            recorder = stack.enter_context(FilmRecorder(output, source, reading, emoji=emoji))
        screen = None
        if window:
            screen = stack.enter_context(Window(f"fervid: {source.name}", choose_window_size(source.size)))
        mode = ViewMode(mirror=source.kind == "device" if mirror is None else mirror, emoji=emoji)
        session = Session(source, reading, window=screen, recorder=recorder, mode=mode, notify=print_note)
        summary = session.run(stop, end_s=seconds)
    print_summary(summary)
    if recorder is not None:
        print_film(recorder)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C or a termination sets; a second Ctrl-C interrupts as usual."""
    stop = threading.Event()

    def ask(number: int, _: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    with handle_signals(ask, signal.SIGINT, signal.SIGTERM):
        yield stop


def print_summary(summary: SessionSummary) -> None:
    """Say what happened at the camera."""
    people = count_nouns(summary.people, "person", "people") if summary.people else "nobody"
    times = "once" if summary.losses == 1 else f"{summary.losses} times"
    losses = f"; the camera was lost {times}" if summary.losses else ""
    print_note(
        f"{summary.seconds:.1f} s: {count_nouns(summary.received, 'picture')}, {summary.answered} read "
        f"({1000 * summary.delay_s:.0f} ms behind), {people}{losses}"
    )


def print_film(recorder: FilmRecorder) -> None:
    """Say what became of the film."""
    left_out = f", {recorder.left_out} left out" if recorder.left_out else ""
    print_note(f"saved {recorder.path} ({count_nouns(recorder.written, 'picture')}{left_out})")
    if recorder.shortened_s:
        print_note(
            f"{recorder.path} is {recorder.shortened_s:.0f} s shorter than the session: "
            "while the camera is away it stands still for an hour at most"
        )
