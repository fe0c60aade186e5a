"""The process that reads one film: ``python -m fervid.web.films.worker``.

A film is bytes from a stranger, and what decodes it is a large library in C: here it can crash, hang or be killed
without the server noticing more than an end. One line of JSON on stdin says what to do; lines on stdout tell how it
goes. stdin stays open as long as the server lives: when it ends, so does this process, wherever it is.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from fervid.errors import FervidError, InputError, MissingExtraError, SizeError, UsageError, VideoError

NICENESS: Final = 10
"""The server itself, and whoever asks it for less, goes first."""
MIN_FACE: Final = 32.0
"""As in ``fervid video``, px."""
MOST_DRAWN: Final = 9_000_000
"""Frames of more pixels are read but not drawn on: the encoder keeps dozens of them, 1.1 GB at this size."""
REPORT_S: Final = 0.25

INTERNAL: Final = {
    "code": "web.internal",
    "message": "reading the film failed",
    "advice": "The server's log says why; try again, or tell its operator.",
}
FULL: Final = {
    "code": "web.storage",
    "message": "the server's disk is full",
    "advice": "Delete films that are not needed, then try again.",
}

_PLAYLISTS: Final = frozenset({"hls", "concat", "dash", "imf"})
"""Formats of FFmpeg whose files only name others."""

_UNMEASURED: Final = frozenset({"mpegts", "mpeg"})
"""Formats that do not say their duration: FFmpeg's is the last clock less the first, be they of two recordings."""


@dataclass(frozen=True, slots=True)
class ProbeTask:
    """Find out what a film is.

    Attributes:
        film: path.
        name: what the client calls it.
        max_pixels: of a frame.
        max_s: duration.
    """

    film: str
    name: str
    max_pixels: int
    max_s: float


@dataclass(frozen=True, slots=True)
class ReadTask:
    """Read a film.

    Attributes:
        film: path.
        name: what the client calls it.
        journal: what was read of it so far, and is from now on.
        results: folder of the results.
        model: reads expressions.
        detector: finds faces.
        threads: of the networks, the decoder and the encoder.
        max_pixels: of a frame.
        max_s: what comes later is left out.
        labels: see :class:`.jobs.FilmOptions`, as the others.
        every_s: one frame in so many seconds.
        smooth_s: memory of the smoothed answers.
        annotated: whether an annotated film is made, unless its frames have more than :data:`MOST_DRAWN` pixels.
    """

    film: str
    name: str
    journal: str
    results: str
    model: str
    detector: str
    threads: int
    max_pixels: int
    max_s: float
    labels: int
    every_s: float | None
    smooth_s: float
    annotated: bool


class Reporter:
    """Writes lines to the server.

    Args:
        stream: to it.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._reported_s = 0.0

    def send(self, event: str, **values: Any) -> None:
        """Write one line."""
        self._stream.write(json.dumps({"event": event, **values}) + "\n")
        self._stream.flush()

    def report(self, frames: int, progress: float) -> None:
        """How far reading is; not more often than the server can use."""
        now_s = time.monotonic()
        if now_s - self._reported_s >= REPORT_S:
            self._reported_s = now_s
            self.send("progress", frames=frames, progress=round(progress, 5))


def probe(task: ProbeTask) -> dict[str, Any]:
    """The facts of a film that its job begins with.

    Raises:
        InputError: it is none, cannot be decoded, is too long or has too many pixels.
    """
    from fervid.video.probing import probe_video

    try:
        info = probe_video(task.film, max_pixels=task.max_pixels)
    except VideoError:
        raise
    except SizeError as error:
        raise SizeError(error.message, advice=f"The limit for films is {task.max_pixels:,}; reduce the film.") from None
    except InputError as error:  # it names what may not be opened
        raise VideoError(error.message, advice="Give a film that stands for itself.") from None
    if _PLAYLISTS & set(info.container.split(",")):
        raise VideoError(f"{task.name} is a playlist, not a film", advice="Give the film that it names.")
    duration_s = info.duration_s
    if duration_s is not None and duration_s > task.max_s:
        measured = info.container not in _UNMEASURED
        if measured or _reaches(task.film, task.max_s, task.max_pixels):
            length = f"{duration_s:,.0f} s" if measured else f"more than {task.max_s:,.0f} s"
            advice = f"The limit is {task.max_s:,.0f} s; cut the film, or start the server with a larger --max-film-s."
            raise SizeError(f"{task.name} lasts {length}", advice=advice)
        duration_s = None
    return {"width": info.size[0], "height": info.size[1], "duration_s": duration_s}


def _reaches(film: str, time_s: float, max_pixels: int) -> bool:
    """Whether a film has a frame from ``time_s`` on, by its packets; they are read, not decoded."""
    from fervid.video.reading import VideoReader

    try:
        return any(True for _ in VideoReader(film, start_s=time_s, threads=1, prefetch=0, max_pixels=max_pixels))
    except UsageError:  # it ends before
        return False


def read(task: ReadTask, reporter: Reporter) -> dict[str, Any]:
    """Make all results; goes on with what the journal has.

    Raises:
        FervidError: the film cannot be read, or a result cannot be written.
    """
    from fervid.pipeline import Analyzer
    from fervid.streaming.journal import Journal
    from fervid.streaming.outputs import OutputPlan
    from fervid.streaming.production import Progress, produce
    from fervid.web.labels import limit_labels

    analyzer = Analyzer(
        task.model,
        task.detector,
        labels=None,
        threads=task.threads,
        min_face=MIN_FACE,
        max_pixels=task.max_pixels,
    )
    analyzer = analyzer.derive(labels=limit_labels(task.labels, analyzer))
    stream = analyzer.video(task.film, end_s=task.max_s, every_s=task.every_s, smooth_s=task.smooth_s, name=task.name)
    folder = Path(task.results)
    width, height = stream.info.size
    is_drawn = task.annotated and width * height <= MOST_DRAWN
    plan = OutputPlan(
        film=str(folder / "annotated.mp4") if is_drawn else None,
        csv=str(folder / "frames.csv"),
        json=str(folder / "frames.jsonl"),
        parquet=str(folder / "frames.parquet") if importlib.util.find_spec("pyarrow") else None,
        plot=str(folder / "timeline.png"),
        timeline=str(folder / "timeline.json"),
        summary=str(folder / "summary.json"),
    )
    last = Progress(0, None, 0.0)

    def report(progress: Progress) -> None:
        nonlocal last
        last = progress
        seconds = min(stream.info.duration_s or task.max_s, task.max_s)
        share = progress.frames / progress.total if progress.total else progress.time_s / seconds
        reporter.report(progress.frames, min(1.0, share))

    with stream, contextlib.ExitStack() as stack:
        header = stream.describe()
        try:
            journal = stack.enter_context(Journal(Path(task.journal), header, resume=True))
        except UsageError:  # of other settings, or damaged
            journal = stack.enter_context(Journal(Path(task.journal), header))
        made = produce(stream, plan, journal, threads=task.threads, report=report)
    warnings = [problem.message for problem in made.problems]
    if task.annotated and not is_drawn:
        warnings.append(
            f"there is no annotated film: its frames would have {width}×{height} px, and the limit is {MOST_DRAWN:,}"
        )
    if stream.is_cut:
        warnings.append(f"only the first {task.max_s:,.0f} s were read, which is the limit")
    return {"frames": last.frames, "warnings": [_redact(w, task.film, task.results, task.name) for w in warnings]}


def describe_failure(error: BaseException, film: str, results: str | None, name: str) -> dict[str, str]:
    """An error as the client may see it: in fervid's words, without a path of the server."""
    full = os.strerror(errno.ENOSPC)
    if isinstance(error, OSError | FervidError) and (
        getattr(error, "errno", None) == errno.ENOSPC or full in str(error)
    ):
        return FULL
    if isinstance(error, InputError | UsageError | MissingExtraError):
        return {key: _redact(text, film, results, name) for key, text in error.to_dict().items()}
    return INTERNAL


def main() -> None:
    """Do what stdin says, and tell stdout."""
    for number in (signal.SIGTERM, signal.SIGINT):  # systemd tells every process of a service; the server ends this one
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    with _take_stdout() as stream:
        reporter = Reporter(stream)
        order = json.loads(sys.stdin.readline())
        threading.Thread(target=_end_with_server, daemon=True).start()
        kind = order.pop("task")
        task = ProbeTask(**order) if kind == "probe" else ReadTask(**order)
        try:
            if isinstance(task, ProbeTask):
                reporter.send("probed", **probe(task))
            else:
                reporter.send("done", **read(task, reporter))
        except Exception as error:
            results = task.results if isinstance(task, ReadTask) else None
            shown = describe_failure(error, task.film, results, task.name)
            if shown is INTERNAL:
                traceback.print_exc()
            reporter.send("failed", error=shown)


def _redact(text: str, film: str, results: str | None, name: str) -> str:
    text = text.replace(film, name)
    if results is not None:  # files are written where links lead to; the longer name first, which may hold the other
        for folder in sorted({results, os.path.realpath(results)}, key=len, reverse=True):
            text = text.replace(f"{folder}{os.sep}", "")
    return text


def _end_with_server() -> None:
    sys.stdin.read()
    os._exit(1)


@contextlib.contextmanager
def _take_stdout() -> Iterator[IO[str]]:
    """The stdout that the server reads; what anything else prints goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        os.dup2(2, 1)
        yield stream


if __name__ == "__main__":
    main()
