"""Everything that can be made of a film in one pass: tables, a timeline, a summary, an annotated film."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fervid.errors import UsageError
from fervid.files import STDOUT, check_destinations, explain_failures, open_text
from fervid.results import Frame
from fervid.sinks.parquet import ParquetWriter
from fervid.sinks.table import CsvWriter, JsonLinesWriter
from fervid.streaming.drawing import FilmDrawer, FilmStyle
from fervid.streaming.film import FilmStream
from fervid.streaming.thumbnails import Thumbnails
from fervid.tracking.summary import Summariser, Summary
from fervid.video.library import FILM_SUFFIXES
from fervid.video.problems import Problem
from fervid.video.writing import SUFFIXES, VideoWriter

if TYPE_CHECKING:
    from fervid.drawing.timeline import Chart, Timeline

JOURNAL_SUFFIX: Final = ".fervid-journal"
_LONGEST: Final = 255
"""Name that file systems hold, bytes."""
_KEPT: Final = 40
"""Letters of a name that is too long which its journal's begins with."""

_ENDINGS: Final[Mapping[str, frozenset[str]]] = {"film": SUFFIXES, "plot": frozenset({".png", ".html"})}


class Writer(Protocol):
    """Takes one frame after another."""

    def write(self, result: Frame) -> None:
        """Add one frame."""


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """What to make of a film. Tables may be ``-``, which is stdout.

    Attributes:
        film: an annotated film, with the sound of the source.
        style: what is drawn on it.
        csv: a row per face and frame.
        json: an object per frame, one per line.
        parquet: the table as Parquet.
        plot: a timeline, ``.png`` or ``.html``.
        thumbnails: the timeline shows a face per person.
        timeline: the timeline as JSON, see :func:`.timelinedata.describe_timeline`.
        summary: the summary as JSON.
    """

    film: str | None = None
    style: FilmStyle = "labels"
    csv: str | None = None
    json: str | None = None
    parquet: str | None = None
    plot: str | None = None
    thumbnails: bool = False
    timeline: str | None = None
    summary: str | None = None

    @property
    def destinations(self) -> dict[str, str]:
        """What was asked for, by name."""
        names = ("film", "csv", "json", "parquet", "plot", "timeline", "summary")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def files(self) -> list[Path]:
        """The files to make."""
        return [Path(value) for value in self.destinations.values() if value != STDOUT]

    @property
    def uses_stdout(self) -> bool:
        """Whether data goes to stdout."""
        return STDOUT in self.destinations.values()

    @property
    def needs_images(self) -> bool:
        """Whether frames are drawn on or cut from."""
        return self.film is not None or (self.thumbnails and self.plot is not None)

    @property
    def journal(self) -> Path | None:
        """Where an interrupted run leaves what it knows: hidden beside the first file; None without any file."""
        return self.files[0].with_name(_name_journal(self.files[0].name)) if self.files else None

    def check(self, source: Path) -> None:
        """Find what cannot work before any of it is begun.

        Raises:
            UsageError: two outputs share a place, a film would be overwritten, or an ending is wrong.
        """
        places = self.destinations
        check_destinations(places, tables=places.keys() - {"film"}, media=FILM_SUFFIXES, sources=[source])
        for name, endings in _ENDINGS.items():
            place = self.destinations.get(name, "")
            if place and Path(place).suffix.lower() not in endings:
                raise UsageError(f"no {name} ends like {place}", advice=f"Use one of {', '.join(sorted(endings))}.")
        if self.parquet == STDOUT:
            raise UsageError("Parquet cannot go to stdout", advice="Give a file.")
        if self.thumbnails and self.plot is None:
            raise UsageError("thumbnails belong to a timeline", advice="Add --plot FILE.")
        if self.style != "labels" and self.film is None:
            raise UsageError("emoji are drawn on a film", advice="Add -o FILM.")


def _name_journal(name: str) -> str:
    """The name of a file's journal, which may be no longer than the file's own may be."""
    journal = f".{name}{JOURNAL_SUFFIX}"
    if len(os.fsencode(journal)) <= _LONGEST:
        return journal
    return f".{name[:_KEPT]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}{JOURNAL_SUFFIX}"


class FilmOutputs:
    """The outputs of one film, open; files appear, whole, when the ``with`` block ends without an error.

    Args:
        plan: what to make; see :meth:`OutputPlan.check`.
        stream: the film.
        start_s: what of its sound to leave out, s.
        end_s: where its sound ends, s.
        threads: of the encoder; None means one per core.

    Raises:
        MissingExtraError: pyarrow is not installed.
        OutputError: a file cannot be written.
    """

    def __init__(
        self,
        plan: OutputPlan,
        stream: FilmStream,
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
        threads: int | None = None,
    ) -> None:
        self.plan = plan
        self.summary: Summary | None = None
        self._stack = contextlib.ExitStack()
        self._summariser = Summariser(end_s=stream.end_s)
        self._writers: list[tuple[str, Writer]] = []
        self._film: VideoWriter | None = None
        self._drawer: FilmDrawer | None = None
        self._timeline: Timeline | None = None
        self._thumbnails = Thumbnails() if plan.thumbnails else None
        with contextlib.ExitStack() as stack:
            self._open(stack, stream, start_s or None, end_s, threads)
            self._stack = stack.pop_all()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be carried over to the annotated film."""
        return () if self._film is None else self._film.problems

    def add(self, frame: Frame, image: NDArray[np.uint8] | None) -> None:
        """Take the next frame, with its picture where :attr:`OutputPlan.needs_images`."""
        self._summariser.add(frame)
        for place, writer in self._writers:
            with explain_failures(place):
                writer.write(frame)
        if self._timeline is not None:
            self._timeline.add(frame)
        if image is None:
            return
        if self._thumbnails is not None:
            self._thumbnails.add(frame, image)
        if self._film is not None and self._drawer is not None:
            self._film.write(self._drawer.draw(image, frame), frame.time_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is not None:
                self._stack.__exit__(kind, error, trace)
                return
            self._finish()

    def _open(
        self,
        stack: contextlib.ExitStack,
        stream: FilmStream,
        start_s: float | None,
        end_s: float | None,
        threads: int | None,
    ) -> None:
        plan = self.plan
        if plan.csv is not None:
            self._writers.append((plan.csv, CsvWriter(stack.enter_context(open_text(plan.csv)))))
        if plan.json is not None:
            self._writers.append((plan.json, JsonLinesWriter(stack.enter_context(open_text(plan.json)))))
        if plan.parquet is not None:  # after the others, so that it is closed before them: then most is written
            stack.enter_context(explain_failures(plan.parquet))
            self._writers.append((plan.parquet, stack.enter_context(ParquetWriter(Path(plan.parquet)))))
        if plan.plot is not None or plan.timeline is not None:
            from fervid.drawing.timeline import Timeline

            self._timeline = Timeline(end_s=stream.end_s)
        if plan.film is not None:
            self._drawer = FilmDrawer(plan.style)
            self._film = stack.enter_context(
                VideoWriter(
                    plan.film,
                    frame_rate=stream.frame_rate,
                    audio_from=stream.info.source,
                    start_s=start_s,
                    end_s=end_s,
                    shown_until_s=stream.end_s,
                    threads=threads,
                )
            )

    def _finish(self) -> None:
        self.summary = self._summariser.finish()
        if self._timeline is not None:
            self._finish_timeline(self._timeline.finish(), self.summary)
        if self.plan.summary is not None:
            with open_text(self.plan.summary) as text:
                text.write(json.dumps(self.summary.to_dict(), ensure_ascii=False, indent=2) + "\n")

    def _finish_timeline(self, chart: Chart, summary: Summary) -> None:
        if self.plan.plot is not None:
            from fervid.drawing.timeline import plot_timeline

            pictures = None if self._thumbnails is None else self._thumbnails.pictures
            plot_timeline(chart, self.plan.plot, thumbnails=pictures)
        if self.plan.timeline is not None:
            from fervid.streaming.timelinedata import describe_timeline

            with open_text(self.plan.timeline) as text:
                text.write(json.dumps(describe_timeline(chart, summary), ensure_ascii=False, separators=(",", ":")))
