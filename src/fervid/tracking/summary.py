"""What a film says of each person, in one pass and in memory that does not grow with its length."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.emotions import EMOTIONS, Emotion
from fervid.errors import escape_bytes
from fervid.notebook import build_table, format_share
from fervid.results import SCHEMA, Distribution, Frame
from fervid.spans import GAP_S, Span, Spans
from fervid.wording import count_nouns

SUMMARY_COLUMNS: Final = (
    "source", "track", "first_s", "last_s", "seen_s", "coverage", "dominant",
    *(f"s_{emotion}" for emotion in EMOTIONS), "uncertain", "changes", "longest", "longest_start_s", "longest_s",
)  # fmt: skip
"""The columns of a summary as a table; ``s_…`` are shares of the time in which the person was seen."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time over which a person showed one expression without a break, s."""

    emotion: Emotion
    start_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """One person of a film.

    Attributes:
        track_id: who.
        first_s: when first seen, seconds of the film.
        last_s: until when.
        seen_s: for how long altogether; short misses of the detector count as seen.
        coverage: ``seen_s`` as a share of the film.
        shares: of ``seen_s`` by expression; with ``uncertain`` they sum to 1.
        uncertain: share of ``seen_s`` without a certain expression.
        probabilities: their mean over ``seen_s``.
        transitions: how often one expression followed another: uncertain time in between does not count, absence ends
            what came before.
        longest: the longest time with one expression; None when all was uncertain.
    """

    track_id: int
    first_s: float
    last_s: float
    seen_s: float
    coverage: float
    shares: Mapping[Emotion, float]
    uncertain: float
    probabilities: Distribution
    transitions: Mapping[tuple[Emotion, Emotion], int]
    longest: Stretch | None

    @property
    def dominant(self) -> Emotion | None:
        """The expression shown for the longest time; None when all was uncertain."""
        best = max(self.shares, key=lambda emotion: self.shares[emotion])
        return best if self.shares[best] > 0 else None

    @property
    def changes(self) -> int:
        """How often the expression changed."""
        return sum(self.transitions.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it; seconds with three decimals, shares with six."""
        transitions: dict[str, dict[str, int]] = {}
        for (before, after), count in sorted(self.transitions.items()):
            transitions.setdefault(str(before), {})[str(after)] = count
        longest = self.longest
        return {
            "track": self.track_id,
            "first_s": round(self.first_s, 3),
            "last_s": round(self.last_s, 3),
            "seen_s": round(self.seen_s, 3),
            "coverage": round(self.coverage, 6),
            "dominant": None if self.dominant is None else str(self.dominant),
            "shares": {str(emotion): round(share, 6) for emotion, share in self.shares.items()},
            "uncertain": round(self.uncertain, 6),
            "probabilities": self.probabilities.to_dict(),
            "transitions": transitions,
            "changes": self.changes,
            "longest": longest and {
                "emotion": str(longest.emotion),
                "start_s": round(longest.start_s, 3),
                "seconds": round(longest.seconds, 3),
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """A film.

    Attributes:
        people: in the order of their numbers; those seen for no time at all are left out.
        start_s: time of the first frame.
        seconds: from there to the end of the last, which is the film's at most where that is known.
        frames: how many were looked at.
        untracked: faces without a number, mostly flickers of the detector; they are left out.
        source: the film.
        model: the network that answered.
    """

    people: tuple[PersonSummary, ...]
    start_s: float
    seconds: float
    frames: int
    untracked: int
    source: str | None
    model: str | None

    def to_dict(self) -> dict[str, Any]:
        """``{"schema": "fervid/1", …}``."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "model": self.model,
            "start_s": round(self.start_s, 3),
            "seconds": round(self.seconds, 3),
            "frames": self.frames,
            "untracked": self.untracked,
            "people": [person.to_dict() for person in self.people],
        }

    def _repr_html_(self) -> str:
        columns = ["person", "seen", *map(str, EMOTIONS), "uncertain", "mostly"]
        rows = [
            [
                str(person.track_id),
                f"{person.seen_s:.1f}\N{NO-BREAK SPACE}s",
                *(format_share(person.shares[emotion]) if emotion in person.shares else "–" for emotion in EMOTIONS),
                format_share(person.uncertain),
                person.dominant or "–",
            ]
            for person in self.people
        ]
        title = [self.source or "", f"{self.seconds:.1f} s", count_nouns(self.frames, "frame"), self.model or ""]
        return build_table(title, columns, rows, "Shares of the time in which a person was seen.")

    def to_rows(self) -> list[dict[str, Any]]:
        """A row per person with the keys :data:`SUMMARY_COLUMNS`; what does not apply is None."""
        rows = []
        for person in self.people:
            data, longest = person.to_dict(), person.longest
            row = {column: data.get(column) for column in SUMMARY_COLUMNS}
            row |= {f"s_{emotion}": share for emotion, share in data["shares"].items()}
            row |= {"source": self.source}
            if longest is not None:
                start_s, seconds = round(longest.start_s, 3), round(longest.seconds, 3)
                row |= {"longest": str(longest.emotion), "longest_start_s": start_s, "longest_s": seconds}
            rows.append(row)
        return rows


@dataclass(slots=True)
class _Person:
    """What is counted of one person."""

    first_s: float
    labels: tuple[str, ...]
    sums: NDArray[np.float64]
    last_s: float = 0.0
    seconds: dict[Emotion | None, float] = field(default_factory=lambda: defaultdict(float))
    transitions: Counter[tuple[Emotion, Emotion]] = field(default_factory=Counter)
    before: Emotion | None = None
    current: Stretch | None = None
    longest: Stretch | None = None

    def add(self, span: Span) -> None:
        contiguous = span.start_s <= self.last_s + 1e-6
        if not contiguous:
            self.before = None
        if span.emotion is not None:
            if self.before not in (None, span.emotion):
                self.transitions[self.before, span.emotion] += 1
            self.before = span.emotion
        self._extend(span, contiguous=contiguous)
        self.seconds[span.emotion] += span.seconds
        self.sums += span.seconds * span.probabilities.array
        self.last_s = span.stop_s

    def _extend(self, span: Span, *, contiguous: bool) -> None:
        if span.emotion is None:
            self.current = None
            return
        if self.current is None or not contiguous or self.current.emotion is not span.emotion:
            self.current = Stretch(span.emotion, span.start_s, span.seconds)
        else:
            self.current = Stretch(span.emotion, self.current.start_s, span.stop_s - self.current.start_s)
        if self.longest is None or self.current.seconds > self.longest.seconds + 1e-6:
            self.longest = self.current


class Summariser:
    """Counts what the frames of one film say; memory grows with the number of people alone.

    Args:
        gap_s: a person who is not seen for longer than this is absent in between.
        end_s: where the film ends, seconds of the film: the last frame lasts no longer; None when nobody knows.
    """

    def __init__(self, gap_s: float = GAP_S, *, end_s: float | None = None) -> None:
        self._spans = Spans(gap_s, end_s=end_s)
        self._people: dict[int, _Person] = {}
        self._frames = self._untracked = 0
        self._source: str | None = None
        self._model: str | None = None

    def add(self, frame: Frame) -> None:
        """Count one frame.

        Raises:
            UsageError: the frame is earlier than the last one.
        """
        self._frames += 1
        self._untracked += sum(face.track_id is None for face in frame.faces)
        self._source, self._model = frame.source, frame.model
        self._count(self._spans.add(frame))

    def finish(self) -> Summary:
        """The summary of all frames that were added; none may follow."""
        self._count(self._spans.finish())
        seconds = self._spans.stop_s - self._spans.start_s if self._frames else 0.0
        return Summary(
            people=tuple(_conclude(track, self._people[track], seconds) for track in sorted(self._people)),
            start_s=self._spans.start_s if self._frames else 0.0,
            seconds=seconds,
            frames=self._frames,
            untracked=self._untracked,
            source=self._source and escape_bytes(self._source),
            model=self._model,
        )

    def _count(self, spans: Iterable[Span]) -> None:
        for span in spans:
            if span.track_id not in self._people:
                labels = span.probabilities.labels
                self._people[span.track_id] = _Person(span.start_s, labels, np.zeros(len(labels)), span.start_s)
            self._people[span.track_id].add(span)


def _conclude(track_id: int, person: _Person, film_s: float) -> PersonSummary:
    seen_s = sum(person.seconds.values())
    emotions = [Emotion(label) for label in person.labels]
    return PersonSummary(
        track_id=track_id,
        first_s=person.first_s,
        last_s=person.last_s,
        seen_s=seen_s,
        coverage=min(1.0, seen_s / film_s),
        shares={emotion: person.seconds[emotion] / seen_s for emotion in emotions},
        uncertain=person.seconds[None] / seen_s,
        probabilities=Distribution(person.labels, person.sums / person.sums.sum()),
        transitions=dict(person.transitions),
        longest=person.longest,
    )


def summarise(frames: Iterable[Frame], *, gap_s: float = GAP_S, end_s: float | None = None) -> Summary:
    """Summarise a film in one pass; see :class:`Summariser`."""
    summariser = Summariser(gap_s, end_s=end_s)
    for frame in frames:
        summariser.add(frame)
    return summariser.finish()
