"""A film that a server reads, read or will read."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fervid.tracking.smoothing import SMOOTH_S

NAME_LENGTH: Final = 200
"""Of a film's name, characters."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Status(StrEnum):
    """Where a job stands. ``DELETED`` is seen by nobody: its files go as soon as no process reads them."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


SETTLED: Final = (Status.DONE, Status.FAILED, Status.CANCELLED)
"""Nothing more happens by itself."""


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """How a film is read.

    Attributes:
        labels: 7, or 6 to fold disgust into anger; a network that knows only six gives six.
        every_s: one frame in so many seconds; None is every frame.
        smooth_s: memory of the smoothed answers, s; 0 is off.
        annotated: whether an annotated film is made.
    """

    labels: int = 7
    every_s: float | None = None
    smooth_s: float = SMOOTH_S
    annotated: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the database. Times are seconds since 1970.

    Attributes:
        id: 32 hexadecimal digits, at random.
        name: what the client calls the film; shown, and used for nothing else.
        status: where it stands.
        bytes: of the film.
        width: of its frames, px.
        height: of its frames, px.
        duration_s: by its headers; None when they do not say, or cannot be true.
        options: how it is read.
        created_at: when it was handed over.
        queued_at: since when it waits, or waited.
        started_at: when reading began.
        finished_at: when it was settled.
        progress: 0–1.
        frames: so many are read.
        seconds_left: an estimate; None before there is one.
        warnings: what is wrong with the film, or with its results.
        error: why it failed, in the one shape of errors.
        attempt: how often reading began; tells a reader whether it still is the one that is wanted.
        owner: the server that reads it, or has not let go of it yet.
        heartbeat_at: when that server last said that it lives.
    """

    id: str
    name: str
    status: Status
    bytes: int
    width: int
    height: int
    duration_s: float | None
    options: FilmOptions
    created_at: float
    queued_at: float
    started_at: float | None = None
    finished_at: float | None = None
    progress: float = 0.0
    frames: int = 0
    seconds_left: float | None = None
    warnings: tuple[str, ...] = ()
    error: dict[str, Any] | None = None
    attempt: int = 0
    owner: str | None = None
    heartbeat_at: float | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.status in SETTLED


def clean_name(name: str) -> str:
    """A client's name of a film as it may be shown: its last part, without what cannot be seen; never empty."""
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(c for c in last if unicodedata.category(c) not in _UNSEEN)
    return re.sub(r"\s+", " ", seen).strip()[:NAME_LENGTH].strip() or "film"
