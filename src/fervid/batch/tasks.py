"""What one process does at a time, and what it answers; a plan is a file of tasks, too long to be kept in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self

from fervid.batch.listing import Item
from fervid.batch.tables import Counts
from fervid.errors import FervidError, OutputError
from fervid.files import write_atomically

Step = Literal["photos", "film", "range", "join"]

_GROUP: Final = 16
"""Tasks that are read at once."""


class Range(NamedTuple):
    """A part of a film: frames from ``start_s`` to before ``end_s``; None is the film's end."""

    number: int
    start_s: float
    end_s: float | None


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work.

    Attributes:
        step: ``photos`` (a chunk), ``film`` (a short one as a whole; of a long one, its ranges are planned), ``range``
            (one of them), ``join`` (all of them to rows).
        items: its photos, or its film.
        range: of a ``range``.
        ranges: how many, of a ``join``.
        attempts: processes that ended over it.
    """

    step: Step
    items: tuple[Item, ...]
    range: Range | None = None
    ranges: int = 0
    attempts: int = 0

    @property
    def chunk(self) -> str:
        """Name of the chunk that it makes: 16 hex digits that depend on its inputs alone."""
        ids = "".join(item.id for item in self.items)
        return hashlib.blake2b(ids.encode(), digest_size=8).hexdigest()

    def split(self) -> tuple[Self, Self]:
        """Two tasks of half the photos each."""
        middle = len(self.items) // 2
        return replace(self, items=self.items[:middle]), replace(self, items=self.items[middle:])

    def to_json(self) -> str:
        """ASCII; names that are no UTF-8 survive."""
        items = [item.to_list() for item in self.items]
        return json.dumps([self.step, items, self.range, self.ranges], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The task that :meth:`to_json` described."""
        step, items, part, ranges = json.loads(text)
        return cls(step, tuple(Item.from_list(v) for v in items), None if part is None else Range(*part), ranges)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task.

    Attributes:
        counts: what was written.
        follow: the ranges of a long film, to be read next.
        error: why the run cannot go on.
    """

    counts: Counts = field(default_factory=Counts)
    follow: tuple[Task, ...] = ()
    error: FervidError | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; an error is not among them."""
        return {"counts": list(self.counts), "follow": [task.to_json() for task in self.follow]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The outcome that :meth:`to_json` described."""
        return cls(Counts(*data["counts"]), tuple(Task.from_json(text) for text in data["follow"]))


class Plan:
    """Tasks in a file, in their order.

    Args:
        path: of the file.
        count: of the tasks in it.
    """

    def __init__(self, path: Path, count: int) -> None:
        self.path = path
        self.count = count

    @classmethod
    def write(cls, path: Path, tasks: Iterable[Task]) -> Self:
        """Write the tasks as they come.

        Raises:
            OutputError: the file cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema, count, waiting = pa.schema([("task", pa.string())]), 0, list[str]()
        try:
            with (
                write_atomically(path) as part,
                part.open("wb") as stream,  # pyarrow takes no path that is no UTF-8
                pq.ParquetWriter(stream, schema, compression="zstd") as writer,
            ):

                def flush() -> None:
                    writer.write_table(pa.table([pa.array(waiting, pa.string())], schema=schema))

                for task in tasks:
                    waiting.append(task.to_json())
                    count += 1
                    if len(waiting) == _GROUP:
                        flush()
                        waiting.clear()
                if waiting:
                    flush()
        except OSError as error:
            raise OutputError.for_place(path, error) from None
        return cls(path, count)

    def __iter__(self) -> Iterator[Task]:
        import pyarrow.parquet as pq

        with self.path.open("rb") as stream, pq.ParquetFile(stream) as file:
            for group in range(file.num_row_groups):
                for text in file.read_row_group(group).column(0).to_pylist():
                    yield Task.from_json(str(text))

    def read(self, number: int) -> Task:
        """One task."""
        import pyarrow.parquet as pq

        with self.path.open("rb") as stream, pq.ParquetFile(stream) as file:
            return Task.from_json(file.read_row_group(number // _GROUP).column(0)[number % _GROUP].as_py())

    def remove(self) -> None:
        """The plan is done."""
        self.path.unlink(missing_ok=True)
