"""A film read from its first frame to its last, and everything that is planned made of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from fervid.streaming.film import FilmStream
from fervid.streaming.journal import Journal
from fervid.streaming.outputs import FilmOutputs, OutputPlan
from fervid.tracking.summary import Summary
from fervid.video.problems import Problem


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a film is read.

    Attributes:
        frames: so many are done.
        total: of about so many; None when the film's headers do not say.
        time_s: of the last one, seconds of the film.
    """

    frames: int
    total: int | None
    time_s: float


@dataclass(frozen=True, slots=True)
class Production:
    """What became of a film.

    Attributes:
        summary: of its people.
        problems: what was wrong with the film, and what could not be carried over to the annotated one.
    """

    summary: Summary
    problems: tuple[Problem, ...]


def produce(
    stream: FilmStream,
    plan: OutputPlan,
    journal: Journal | None = None,
    *,
    threads: int | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> Production:
    """Read ``stream`` and make all outputs; they appear, whole, when it is through, and none if it cannot be read.

    Args:
        stream: the film.
        plan: what to make, see :meth:`.OutputPlan.check`.
        journal: what was read before an interruption, and is read now; it is kept after an error.
        threads: of the encoder; None means one per core.
        report: called after each frame.

    Raises:
        InputError: the film cannot be read.
        OutputError: a file cannot be written.
        MissingExtraError: pyarrow is not installed, and Parquet is wanted.
        UsageError: the selection lies behind the film's end.
    """
    selection = stream.selection
    with (
        FilmOutputs(plan, stream, start_s=selection.start_s, end_s=selection.end_s, threads=threads) as outputs,
        contextlib.closing(stream.read(journal, keep_images=plan.needs_images)) as frames,
    ):
        total = stream.count_frames()
        for done, (frame, image) in enumerate(frames, start=1):
            outputs.add(frame, image)
            report(Progress(done, None if total is None else max(done, total), frame.time_s))
    if journal is not None:
        journal.remove()
    assert outputs.summary is not None
    return Production(outputs.summary, (*stream.problems, *outputs.problems))
