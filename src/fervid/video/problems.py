"""What was wrong with a film that could be read nevertheless."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

ProblemKind = Literal["damaged", "incomplete", "gap", "untimed", "jump", "disordered", "resized", "audio", "encoder"]

_WORDS: Final[dict[ProblemKind, str]] = {
    "damaged": "{count} damaged packet{s}, the first at {time}: pictures from there on may be wrong or missing",
    "incomplete": "the film is incomplete: {detail}",
    "gap": "{count} stretch{es} without frames, {detail} in all, the first at {time}",
    "untimed": "the film carries no usable timestamps: times follow from {detail}",
    "jump": "{count} jump{s} of the timestamps, the first at {time}: the clock runs on",
    "disordered": "{count} frame{s} left out, the first at {time}, shown no later than the frame before",
    "resized": "{count} change{s} of the picture's size, the first at {time}: scaled to {detail}",
    "audio": "{detail}",
    "encoder": "{detail}",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a user should know about a film.

    Attributes:
        kind: ``damaged`` (packets or frames that do not decode cleanly), ``incomplete`` (the file ends early), ``gap``
            (a stretch without frames), ``untimed``, ``jump``, ``disordered`` (timestamps that are absent, jump or
            repeat), ``resized``, ``audio``, ``encoder``.
        message: one sentence for people.
        count: how often.
        time_s: where it was first seen, or None.
    """

    kind: ProblemKind
    message: str
    count: int
    time_s: float | None


@dataclass(slots=True)
class _Entry:
    count: int
    time_s: float | None
    detail: str


class ProblemLog:
    """Gathers problems by kind; needs the same memory for one as for a million.

    Attributes:
        is_cut: whether frames were left out because the selection ends before the film: as was asked, so no problem.
    """

    def __init__(self) -> None:
        self.is_cut = False
        self._entries: dict[ProblemKind, _Entry] = {}

    def add(self, kind: ProblemKind, time_s: float | None = None, detail: str | None = None) -> None:
        """Note one problem; the time of the first and the detail of the last of a kind are kept."""
        entry = self._entries.setdefault(kind, _Entry(0, time_s, ""))
        entry.count += 1
        if entry.time_s is None:
            entry.time_s = time_s
        if detail is not None:
            entry.detail = detail

    def list(self) -> tuple[Problem, ...]:
        """The problems so far, one of each kind."""
        problems: list[Problem] = []
        for kind, entry in list(self._entries.items()):
            time = "an unknown time" if entry.time_s is None else f"{entry.time_s:.2f} s"
            plural = ("", "") if entry.count == 1 else ("s", "es")
            message = _WORDS[kind].format(count=entry.count, s=plural[0], es=plural[1], time=time, detail=entry.detail)
            problems.append(Problem(kind, message, entry.count, entry.time_s))
        return tuple(problems)
