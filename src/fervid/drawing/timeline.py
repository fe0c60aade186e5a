"""Who showed which expression when: a film as one lane per person.

:class:`Timeline` takes frames one after another and keeps a bounded number of bins, which grow with the film;
:func:`plot_timeline` makes a picture of it, or a page that can be zoomed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.emotions import EMOTIONS, Emotion
from fervid.errors import UsageError, escape_bytes
from fervid.files import write_file
from fervid.results import Frame
from fervid.spans import GAP_S, Span, Spans
from fervid.wording import count_nouns

BINS: Final = 3000
"""Most bins of a lane: about two for each pixel of a wide screen."""
MOST_LANES: Final = 40
"""Of more people only those seen longest get a lane."""
_FIRST_BIN_S: Final = 0.02

Thumbnails = Mapping[int, NDArray[np.uint8]]
"""A small picture per track, each ``(H, W, 3)`` uint8 RGB."""


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One person.

    Attributes:
        track_id: who.
        first: the lane's first bin.
        label_s: ``(n, labels + 1)`` float64 seconds of each bin under each label; the last column is uncertain. A bin
            without any is absence.
        probabilities: ``(n, labels)`` float64, their means over the seconds of the bin; 0 in absence.
    """

    track_id: int
    first: int
    label_s: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    @property
    def seen_s(self) -> float:
        """How long the person was seen."""
        return float(self.label_s.sum())

    @property
    def shares(self) -> NDArray[np.float64]:
        """``(labels + 1,)``: shares of the seen time."""
        return np.asarray(self.label_s.sum(axis=0) / max(self.seen_s, 1e-9))

    def find_main(self, labels: Sequence[Emotion]) -> tuple[str, float]:
        """What was shown longest, ``uncertain`` included, and its share of the seen time."""
        best = int(np.argmax(self.shares))
        return "uncertain" if best == len(labels) else str(labels[best]), float(self.shares[best])


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """What a timeline shows.

    Attributes:
        labels: of the lanes' columns.
        start_s: where the first bin begins, seconds of the film.
        seconds: from there to the end of the last frame, which is the film's at most where that is known.
        bin_s: width of a bin.
        lanes: in the order in which people appeared.
        hidden: people who were seen too shortly to get a lane.
        untracked: faces without a number, which no lane shows.
        source: the film.
    """

    labels: tuple[Emotion, ...]
    start_s: float
    seconds: float
    bin_s: float
    lanes: tuple[Lane, ...]
    hidden: int
    untracked: int
    source: str | None


class Timeline:
    """Collects the frames of one film in one pass; memory depends on the number of people, not on its length.

    Args:
        gap_s: a person who is not seen for longer than this is absent in between.
        end_s: where the film ends, seconds of the film: the last frame lasts no longer; None when nobody knows.
    """

    def __init__(self, gap_s: float = GAP_S, *, end_s: float | None = None) -> None:
        self._spans = Spans(gap_s, end_s=end_s)
        self._untracked = 0
        self._bin_s = _FIRST_BIN_S
        self._labels: tuple[str, ...] = EMOTIONS
        self._bins: dict[int, dict[int, NDArray[np.float64]]] = {}
        self._source: str | None = None

    def add(self, frame: Frame) -> None:
        """Take the next frame into account.

        Raises:
            UsageError: the frame is earlier than the last one.
        """
        self._source = frame.source
        self._untracked += sum(face.track_id is None for face in frame.faces)
        self._paint(self._spans.add(frame))

    def finish(self, most_lanes: int = MOST_LANES) -> Chart:
        """What the frames so far show; none may follow."""
        self._paint(self._spans.finish())
        count = len(self._labels)
        lanes = []
        for track, bins in self._bins.items():
            first, last = min(bins), max(bins)
            table = np.zeros((last - first + 1, 2 * count + 1))
            for index, row in bins.items():
                table[index - first] = row
            seconds = table[:, : count + 1].sum(axis=1, keepdims=True)
            probabilities = np.divide(
                table[:, count + 1 :], seconds, out=np.zeros((len(table), count)), where=seconds > 0
            )
            lanes.append(Lane(track, first, table[:, : count + 1], probabilities))
        kept = sorted(lanes, key=lambda lane: -lane.seen_s)[:most_lanes]
        empty = math.isnan(self._spans.start_s)
        return Chart(
            labels=tuple(Emotion(label) for label in self._labels),
            start_s=0.0 if empty else self._spans.start_s,
            seconds=0.0 if empty else self._spans.stop_s - self._spans.start_s,
            bin_s=self._bin_s,
            lanes=tuple(sorted(kept, key=lambda lane: (lane.first, lane.track_id))),
            hidden=len(lanes) - len(kept),
            untracked=self._untracked,
            source=self._source and escape_bytes(self._source),
        )

    def _paint(self, spans: Iterable[Span]) -> None:
        for span in spans:
            while span.stop_s - self._spans.start_s > BINS * self._bin_s:
                self._halve()
            if not self._bins:
                self._labels = span.probabilities.labels
            self._paint_span(span)

    def _paint_span(self, span: Span) -> None:
        count = len(self._labels)
        row = np.zeros(2 * count + 1)
        row[count if span.emotion is None else self._labels.index(span.emotion)] = 1
        row[count + 1 :] = span.probabilities.array
        bins = self._bins.setdefault(span.track_id, {})
        start, stop = ((t - self._spans.start_s) / self._bin_s for t in (span.start_s, span.stop_s))
        for index in range(int(start), math.ceil(stop)):
            seconds = (min(stop, index + 1) - max(start, index)) * self._bin_s
            if seconds > 0:
                bins[index] = bins.get(index, 0.0) + seconds * row

    def _halve(self) -> None:
        """Join bins by twos: the film is longer than was thought."""
        self._bin_s *= 2
        for track, bins in self._bins.items():
            joined: dict[int, NDArray[np.float64]] = {}
            for index, row in bins.items():
                joined[index // 2] = joined.get(index // 2, 0.0) + row
            self._bins[track] = joined


def plot_timeline(
    frames: Iterable[Frame] | Timeline | Chart,
    path: str | os.PathLike[str],
    *,
    dark: bool = False,
    title: str | None = None,
    thumbnails: Thumbnails | None = None,
) -> None:
    """Draw who showed which expression when.

    Every lane shows the expressions' probabilities, stacked, and above them in a strip the expression that was said;
    uncertain time is hatched, absence empty. At the right is everybody's share of time.

    Args:
        frames: of one film, in their order, or what was collected of them.
        path: ends in ``.png``, or in ``.html`` for a page that stands alone and can be zoomed.
        dark: a dark picture; a page follows its reader's system.
        title: None takes the name of the film.
        thumbnails: a face per track; they are only drawn when given.

    Raises:
        UsageError: the path has another ending.
        OutputError: the file cannot be written.
    """
    final = Path(path)
    suffix = final.suffix.lower()
    if suffix not in (".png", ".html"):
        raise UsageError(f"no timeline ends in {final.suffix!r}", advice="Use .png or .html.")
    chart = _collect(frames)
    name = title if title is not None else Path(chart.source).name if chart.source else "Expressions over time"
    data: bytes
    if suffix == ".png":
        from fervid.drawing.timelinefigure import draw_timeline

        data = draw_timeline(chart, name, dark=dark, thumbnails=thumbnails or {})
    else:
        from fervid.drawing.timelinepage import build_timeline

        data = build_timeline(chart, name, thumbnails=thumbnails or {}).encode()
    write_file(final, data)


def _collect(frames: Iterable[Frame] | Timeline | Chart) -> Chart:
    if isinstance(frames, Chart):
        return frames
    if isinstance(frames, Timeline):
        return frames.finish()
    timeline = Timeline()
    for frame in frames:
        timeline.add(frame)
    return timeline.finish()


def format_time(seconds: float, *, decimals: int = 0) -> str:
    """``1:05``, ``1:00:05``, with decimals ``1:05.2``."""
    ticks = round(seconds * 10**decimals)
    whole, rest = divmod(ticks, 10**decimals)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    fraction = f".{rest:0{decimals}d}" if decimals else ""
    return f"{hours}:{minute:02d}:{second:02d}{fraction}" if hours else f"{minute}:{second:02d}{fraction}"


def describe_people(count: int, untracked: int) -> str:
    """``3 people``; without any, ``nobody``, or that the faces there were have no number."""
    if count:
        return count_nouns(count, "person", "people")
    if not untracked:
        return "nobody"
    return f"nobody for long enough ({count_nouns(untracked, 'face')} without a number)"


def describe_chart(chart: Chart) -> str:
    """``3 people · 12:40``, and who is left out."""
    text = f"{describe_people(len(chart.lanes), chart.untracked)} · {format_time(chart.seconds)}"
    if chart.hidden:
        least = max(min(lane.seen_s for lane in chart.lanes), 0.1)
        shown = f"{least:.3g} s" if least < 59.95 else format_time(least)
        text += f" · {chart.hidden} more, each seen for less than {shown}, are left out"
    return text
