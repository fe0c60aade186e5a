"""One process of a run: loads the networks once and does one task after another; the same for every engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from fervid.batch.addresses import UnreachableError
from fervid.batch.films import (
    FilmReader,
    fetch_film,
    is_recorded,
    locate_record,
    locate_records,
    wrap_error,
    write_error,
)
from fervid.batch.listing import Item
from fervid.batch.photos import read_photos, read_photos_singly
from fervid.batch.settings import Settings
from fervid.batch.tables import Chunk, Counts, Failed, Reading, count_chunk, locate_chunk
from fervid.batch.tasks import Outcome, Task
from fervid.errors import FervidError, InputError, OutputError
from fervid.pipeline import Analyzer
from fervid.sinks.table import list_rows


class Worker:
    """Does tasks. What it writes appears whole, under names that depend on the inputs alone.

    Args:
        settings: how to read.
        out: folder of the run.
        threads: of the networks; None means one per core.

    Raises:
        ModelError: a model is not here, or another one than where the run was begun.
    """

    def __init__(self, settings: Settings, out: Path, threads: int | None = None) -> None:
        self._settings = settings
        self._out = out
        self._analyzer = settings.create_analyzer(threads)
        self._made: FilmReader | None = None

    def run(self, task: Task) -> Outcome:
        """Do a task; one that was done before, by a process that could not say so, is not done again."""
        try:
            if task.step != "range" and locate_chunk(self._out, task.chunk).exists():
                return Outcome(count_chunk(self._out, task.chunk))
            if task.step == "photos":
                return Outcome(self._read_photos(task))
            return self._read_film(task)
        except FervidError as error:
            return Outcome(error=error)
        except OSError as error:
            return Outcome(error=describe_failure(self._out, error))

    def _read_photos(self, task: Task) -> Counts:
        try:
            return self._fill_chunk(task, read_photos)
        except (FervidError, OSError):
            raise
        except Exception:  # nobody foresaw it: whose it is will be found, in the same chunk, so that no row is doubled
            return self._fill_chunk(task, read_photos_singly)

    def _fill_chunk(self, task: Task, read: Callable[[Analyzer, Iterable[Item], Chunk], None]) -> Counts:
        chunk = Chunk(self._out, task.chunk, "photo")
        try:
            read(self._analyzer, task.items, chunk)
            if not chunk.counts.inputs:  # none answered; with an empty list they would be done for ever
                chunk.discard()
                return Counts()
            return chunk.commit()
        except BaseException:
            chunk.discard()
            raise

    @property
    def _films(self) -> FilmReader:
        if self._made is None:
            self._made = FilmReader(self._analyzer, self._settings)
        return self._made

    def _read_film(self, task: Task) -> Outcome:
        """Do what a task says of a film; what goes wrong with it is its failure and stops no other film."""
        try:
            if task.step == "join":
                return Outcome(self._join(task, task.items[0], task.ranges))
            return self._read_part(task, task.items[0])
        except (UnreachableError, MemoryError):  # no fault of the film; the next run asks again
            return Outcome()
        except InputError as error:
            return self._fail(task, error)
        except (FervidError, OSError):
            raise
        except Exception as error:
            return self._fail(task, wrap_error(error))

    def _read_part(self, task: Task, item: Item) -> Outcome:
        if task.range is not None and is_recorded(locate_record(self._out, item, task.range.number)):
            return Outcome()
        with fetch_film(item) as path:
            ranges = [task.range] if task.range is not None else self._films.plan_ranges(path)
            if task.range is None and len(ranges) > 1:
                return Outcome(follow=tuple(Task("range", (item,), part) for part in ranges))
            self._films.record(path, ranges[0], locate_record(self._out, item, ranges[0].number))
        return Outcome() if task.range is not None else Outcome(self._join(task, item, 1))

    def _fail(self, task: Task, error: FervidError) -> Outcome:
        item = task.items[0]
        if task.range is not None:  # its film fails when its ranges are joined
            write_error(locate_record(self._out, item, task.range.number), error)
            return Outcome()
        counts = write_failure(self._out, task, error)
        shutil.rmtree(locate_records(self._out, item), ignore_errors=True)
        return Outcome(counts)

    def _join(self, task: Task, item: Item, ranges: int) -> Counts:
        records = [locate_record(self._out, item, number) for number in range(ranges)]
        if not all(record.exists() for record in records):  # the next run asks again for what did not answer
            return Counts()
        chunk = Chunk(self._out, task.chunk, "film")
        try:
            try:
                facts, joined = self._films.join(records, item.shown)
            except FervidError as error:
                chunk.add(Failed(item, error))
            else:
                frames = faces = 0
                for frame in joined:
                    frames += 1
                    faces += chunk.add_faces(item, facts.size, list_rows(frame))
                chunk.add(Reading(item, facts.size, faces, frames, facts.problems))
            counts = chunk.commit()
        except BaseException:
            chunk.discard()
            raise
        shutil.rmtree(locate_records(self._out, item), ignore_errors=True)
        return counts


def write_failure(out: Path, task: Task, error: FervidError) -> Counts:
    """Keep a chunk of one input that cannot be read."""
    chunk = Chunk(out, task.chunk, task.items[0].kind)
    try:
        for item in task.items:
            chunk.add(Failed(item, error))
        return chunk.commit()
    except BaseException:
        chunk.discard()
        raise


def give_up(out: Path, task: Task) -> Outcome:
    """Keep the failure of a task that ended every process which tried it.

    Raises:
        OSError: it cannot be written.
    """
    error = InputError(
        "reading it ended the process, more than once",
        advice="It is damaged in a way that no check finds, or needs more memory.",
    )
    counts = write_failure(out, task, error)
    return Outcome() if task.step == "range" else Outcome(counts)


def describe_failure(out: Path, error: OSError) -> OutputError:
    """The error for a folder that cannot be written."""
    return OutputError.for_place(
        out, error, advice="Free some space or mend its permissions; the same command goes on from here."
    )
