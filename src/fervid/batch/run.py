"""A run from its source to its tables: list, leave out what is done, let an engine do the rest."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fervid.batch.films import remove_records
from fervid.batch.listing import Item, list_inputs, name_source
from fervid.batch.locks import hold_lock
from fervid.batch.manifest import RunManifest, tell_time
from fervid.batch.settings import Settings
from fervid.batch.tables import Counts, check_free, read_done, remove_damaged, remove_leftovers
from fervid.batch.tasks import Outcome, Plan, Task
from fervid.errors import UsageError
from fervid.extras import require

CHUNK: Final = 500
"""Photos of a chunk: what an interruption costs at most, per worker."""


class Engine(Protocol):
    """Does tasks, somewhere; nothing of it runs any more when its block has ended."""

    def run(self, plan: Plan) -> Iterator[tuple[Task, Outcome]]:
        """Do all tasks of a plan, in any order."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        done: inputs that are read, of this run.
        total: inputs that this run has to read.
        ranges_done: ranges of long films that are read.
        ranges: of so many.
    """

    done: int
    total: int
    ranges_done: int = 0
    ranges: int = 0


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did.

    Attributes:
        new: what it added.
        all: what there is now.
        stale: inputs that are done and are no longer in the source as they were: changed, moved or removed.
        unreachable: inputs that could not be had and are left to the next run: addresses or discs that did not answer,
            files that were gone when they were read, pictures too large for the memory that was left.
    """

    new: Counts
    all: Counts
    stale: int
    unreachable: int = 0


@dataclass(slots=True)
class _Listing:
    """Counts of what :func:`_plan_tasks` saw."""

    inputs: int = 0
    planned: int = 0
    known: int = 0


def run_batch(
    source: str,
    out: Path,
    settings: Settings,
    open_engine: Callable[[Settings], Engine],
    *,
    chunk: int = CHUNK,
    report: Callable[[Progress], None] = lambda _: None,
) -> RunSummary:
    """Read everything of ``source`` that is not done yet.

    Args:
        source: see :func:`.listing.list_inputs`.
        out: folder of the results; made if absent. A second run goes on with what is there.
        settings: how to read.
        open_engine: gives the engine for the resolved settings, to be entered; called when there is something to do.
        chunk: photos that are written together.
        report: called whenever something is done.

    Raises:
        MissingExtraError: pyarrow is not installed.
        UsageError: there is nothing in the source, or ``out`` holds a run of another source or other settings, or
            tables of something else, or is written by another run.
        InputError: the source cannot be listed.
        OutputError: a file cannot be written.
        ModelError: a model is not here.
    """
    if chunk < 1:
        raise UsageError(f"chunk is {chunk}", advice="Use 1 or more.")
    require("batch", "fervid batch", "pyarrow")
    resolved = settings.resolve()
    with hold_lock(out):
        manifest = RunManifest.begin(name_source(source), resolved)
        before = RunManifest.read(out)
        if before is not None:
            before.check(manifest, out)
            manifest = dataclasses.replace(manifest, began=before.began, seconds=before.seconds)
        began = time.monotonic()
        if before is None:  # nothing here is a run's, which begins with its manifest
            check_free(out)
        else:
            remove_damaged(out)
            remove_leftovers(out)
        done, counts = read_done(out)
        manifest = dataclasses.replace(manifest, counts=counts)
        listing = _Listing()
        plan = Plan.write(out / ".plan-1.parquet", _plan_tasks(list_inputs(source), chunk, done, listing))
        try:
            if listing.inputs == 0 and before is None:
                raise UsageError(
                    f"there are no photos or films in {name_source(source)}", advice="Check what is in it."
                )
            if plan.count:
                manifest.write(out)
                try:
                    with open_engine(resolved) as engine:
                        _do(plan, engine, out, listing.planned, report)
                finally:  # of an interruption, and of workers that died
                    remove_leftovers(out)
        finally:
            plan.remove()
        everything = read_done(out)[1] if plan.count else counts
        new = Counts(*(a - b for a, b in zip(everything, counts, strict=True)))
        unreachable = listing.planned - new.inputs
        if not unreachable:
            remove_records(out)
        if plan.count or (before is not None and not before.complete):
            seconds = round(manifest.seconds + time.monotonic() - began, 1)
            done_now = dataclasses.replace(
                manifest, complete=not unreachable, counts=everything, ended=tell_time(), seconds=seconds
            )
            done_now.write(out)
    return RunSummary(new, everything, len(done) - listing.known, unreachable)


def _plan_tasks(items: Iterable[Item], chunk: int, done: NDArray[np.uint64], listing: _Listing) -> Iterator[Task]:
    """Tasks for what is not done. An unchanged source gives the same chunks again, done ones left out."""
    photos: list[Item] = []

    def finish(step_items: list[Item], step: str) -> Iterator[Task]:
        listing.inputs += len(step_items)
        ids = np.array([int(item.id, 16) for item in step_items], dtype=np.uint64)
        found = _contains(done, ids)
        listing.known += int(found.sum())
        left = tuple(item for item, known in zip(step_items, found.tolist(), strict=True) if not known)
        task = Task("film" if step == "film" else "photos", left)
        if left:
            listing.planned += len(left)
            yield task

    for item in items:
        if item.kind == "film":
            yield from finish([item], "film")
            continue
        photos.append(item)
        if len(photos) == chunk:
            yield from finish(photos, "photos")
            photos = []
    if photos:
        yield from finish(photos, "photos")


def _contains(done: NDArray[np.uint64], ids: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of ``ids`` are among the sorted ``done``."""
    if len(done) == 0:
        return np.zeros(len(ids), dtype=bool)
    places = np.minimum(np.searchsorted(done, ids), len(done) - 1)
    return np.asarray(done[places] == ids)


@dataclass(slots=True)
class _Pass:
    """What the passes over a plan have in common."""

    done: int = 0
    ranges: list[Task] = field(default_factory=list)


def _do(plan: Plan, engine: Engine, out: Path, total: int, report: Callable[[Progress], None]) -> None:
    """Photos and short films first, then the ranges of long films, then what joins them."""
    state = _Pass()
    report(Progress(0, total))
    for _, outcome in _watch(engine.run(plan)):
        state.done += outcome.counts.inputs
        state.ranges += outcome.follow
        report(Progress(state.done, total))
    if not state.ranges:
        return
    ranges = Plan.write(out / ".plan-2.parquet", state.ranges)
    films = [list(group) for _, group in itertools.groupby(state.ranges, key=lambda task: task.items)]
    joins = Plan.write(out / ".plan-3.parquet", (Task("join", film[0].items, None, len(film)) for film in films))
    try:
        for number, _ in enumerate(_watch(engine.run(ranges)), start=1):
            report(Progress(state.done, total, number, ranges.count))
        for _, outcome in _watch(engine.run(joins)):
            state.done += outcome.counts.inputs
            report(Progress(state.done, total, ranges.count, ranges.count))
    finally:
        ranges.remove()
        joins.remove()


def _watch(results: Iterator[tuple[Task, Outcome]]) -> Iterator[tuple[Task, Outcome]]:
    """The results, until one says that the run cannot go on."""
    for task, outcome in results:
        if outcome.error is not None:
            raise outcome.error
        yield task, outcome
