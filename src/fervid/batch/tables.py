"""The result on disk: three tables, a part of each per chunk, named by the chunk.

``faces/kind=…/CHUNK.parquet``, ``failures/CHUNK.parquet`` and, last, ``inputs/CHUNK.parquet``: a chunk is done when the
last is there. What an interruption left of others is removed before the next run, and so is what a power cut damaged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fervid.batch.addresses import explain
from fervid.batch.listing import Item, Kind
from fervid.errors import FervidError, InputError, OutputError, UsageError
from fervid.sinks.parquet import TYPES, RowWriter
from fervid.sinks.table import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

FACES: Final = "faces"
INPUTS: Final = "inputs"
FAILURES: Final = "failures"
PARTS: Final = "[0-9a-f]" * 16 + ".parquet"
"""A pattern of the names of parts; other files in their folders are somebody else's."""

KINDS: Final[tuple[Kind, ...]] = ("photo", "film")

_MAGIC: Final = b"PAR1"
_LENGTH_BYTES: Final = 4

_ITEM: Final = {"input": "string", "source": "string", "kind": "string", "bytes": "int64", "modified": "time"}
_SIZE: Final = {"width": "int32", "height": "int32"}
_COLUMNS: Final = {
    FACES: {
        **{column: TYPES[column] for column in COLUMNS},
        **{name: kind for name, kind in _ITEM.items() if name not in ("source", "kind")},
        **_SIZE,
    },
    INPUTS: {
        **_ITEM,
        "etag": "string",
        **_SIZE,
        "frames": "int64",
        "faces": "int64",
        "problems": "string",
        "failed": "bool_",
    },
    FAILURES: {**_ITEM, "code": "string", "message": "string", "advice": "string"},
}


class Reading(NamedTuple):
    """What became of one input that could be read.

    Attributes:
        item: the input.
        size: (width, height), px.
        faces: rows of it.
        frames: that were read; None for a photo.
        problems: of a film, one sentence each.
    """

    item: Item
    size: tuple[int, int]
    faces: int
    frames: int | None = None
    problems: str | None = None


class Failed(NamedTuple):
    """An input that could not be read."""

    item: Item
    error: FervidError


class Counts(NamedTuple):
    """How much there is."""

    inputs: int = 0
    failed: int = 0
    faces: int = 0

    def plus(self, other: Counts) -> Counts:
        """The sum of both."""
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


def list_columns(table: str) -> tuple[str, ...]:
    """The columns of ``faces``, ``inputs`` or ``failures``, in their order; ``kind`` of faces is in the path."""
    return tuple(_COLUMNS[table])


class Chunk:
    """The result of one chunk, to be filled and then kept with :meth:`commit`.

    Args:
        out: folder of the run.
        name: of the chunk.
        kind: of all its inputs.

    Attributes:
        counts: what was added.

    Raises:
        OSError: its files cannot be written; so do its methods.
    """

    def __init__(self, out: Path, name: str, kind: Kind) -> None:
        self._out = out
        self._name = name
        self._readings: list[Reading] = []
        self._failures: list[Failed] = []
        self.counts = Counts()
        self._faces = RowWriter(out / FACES / f"kind={kind}" / f"{name}.parquet", _COLUMNS[FACES])

    def add_faces(self, item: Item, size: tuple[int, int], rows: Iterable[Sequence[Any]]) -> int:
        """Add rows of :func:`fervid.sinks.table.list_rows`; says how many there were."""
        _, _, _, size_bytes, modified = describe_item(item)
        extra = (item.id, size_bytes, modified, *size)
        full = [(item.shown, *row[1:], *extra) for row in rows]
        self._faces.add(full)
        return len(full)

    def add(self, result: Reading | Failed) -> None:
        """Say what became of an input, after its faces."""
        if isinstance(result, Failed):
            self._failures.append(result)
            self.counts = self.counts.plus(Counts(1, 1, 0))
        else:
            self._readings.append(result)
            self.counts = self.counts.plus(Counts(1, 0, result.faces))

    def commit(self) -> Counts:
        """The chunk is done: all of it appears, its list of inputs last."""
        self._faces.__exit__(None, None, None)
        with RowWriter(self._out / FAILURES / f"{self._name}.parquet", _COLUMNS[FAILURES]) as writer:
            writer.add((*describe_item(f.item), *f.error.to_dict().values()) for f in self._failures)
        rows = [
            (*describe_item(r.item), r.item.etag, *r.size, r.frames, r.faces, r.problems, False) for r in self._readings
        ]
        rows += [
            (*describe_item(f.item), f.item.etag, None, None, None, 0, None, True) for f in self._failures
        ]  # fmt: skip
        with RowWriter(locate_chunk(self._out, self._name), _COLUMNS[INPUTS]) as writer:
            writer.add(rows)
        return self.counts

    def discard(self) -> None:
        """Nothing of the chunk stays."""
        error = InterruptedError()
        self._faces.__exit__(InterruptedError, error, None)


def describe_item(item: Item) -> tuple[Any, ...]:
    """The values of the columns input, source, kind, bytes and modified (µs)."""
    return item.id, item.shown, item.kind, item.size, None if item.modified_ns is None else item.modified_ns // 1000


def locate_chunk(out: Path, name: str) -> Path:
    """The file that says a chunk is done."""
    return out / INPUTS / f"{name}.parquet"


def count_chunk(out: Path, name: str) -> Counts:
    """What a chunk that is done holds.

    Raises:
        InputError: its list cannot be read.
    """
    return _count(_read(locate_chunk(out, name), ["faces", "failed"]))


def _count(table: pa.Table) -> Counts:
    columns = ([int(value or 0) for value in table.column(name).to_pylist()] for name in ("failed", "faces"))
    failed, faces = map(sum, columns)
    return Counts(table.num_rows, failed, faces)


def list_chunks(out: Path) -> Iterator[str]:
    """Names of the chunks that are done."""
    folder = out / INPUTS
    if folder.is_dir():
        yield from (file.stem for file in folder.iterdir() if is_part(file))


def is_part(file: Path) -> bool:
    """Whether a file is a finished part of a table."""
    return fnmatchcase(file.name, PARTS)


def read_done(out: Path) -> tuple[NDArray[np.uint64], Counts]:
    """Ids of all inputs that are done, sorted, 8 bytes each; and what there is of them.

    Raises:
        InputError: a chunk's list cannot be read.
    """
    parts, total = [np.zeros(0, dtype=np.uint64)], Counts()
    for name in list_chunks(out):
        table = _read(locate_chunk(out, name), ["input", "faces", "failed"])
        parts.append(np.array([int(str(i), 16) for i in table.column("input").to_pylist()], dtype=np.uint64))
        total = total.plus(_count(table))
    return np.sort(np.concatenate(parts)), total


def _read(path: Path, columns: list[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as stream, pq.ParquetFile(stream) as file:  # pyarrow takes no path that is no UTF-8
            return file.read(columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"cannot read {path} ({explain(error)})",
            advice="If it is damaged, remove it; the same command then reads its inputs again.",
        ) from None


def check_free(out: Path) -> None:
    """Refuse a folder without a run whose tables are of something else: they would be mixed, and cleaned away.

    Raises:
        UsageError: a folder of tables holds Parquet files.
        OutputError: it cannot be listed.
    """
    with _explain_errors("look into", out):
        mixed = [
            folder
            for folder in _list_folders(out)
            if any(file.suffix == ".parquet" and not file.name.startswith(".") for file in folder.iterdir())
        ]
    if mixed:
        raise UsageError(f"{mixed[0]} holds tables of something else", advice="Give another --out.")


def remove_damaged(out: Path) -> None:
    """Make chunks undone of which a part is missing, empty or cut, as a power cut leaves it.

    Only the end of each file is looked at: there may be hundreds of thousands.

    Raises:
        OutputError: a file cannot be read or removed.
    """
    with _explain_errors("clean", out):
        for name in list(list_chunks(out)):
            faces = [out / FACES / f"kind={kind}" / f"{name}.parquet" for kind in KINDS]
            parts = (locate_chunk(out, name), out / FAILURES / f"{name}.parquet")
            if not (all(map(_is_whole, parts)) and any(map(_is_whole, faces))):
                locate_chunk(out, name).unlink()


def _is_whole(file: Path) -> bool:
    """Whether a file ends as Parquet does: length of its footer, magic word."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            if size <= 2 * len(_MAGIC) + _LENGTH_BYTES:
                return False
            stream.seek(size - len(_MAGIC) - _LENGTH_BYTES)
            length, magic = int.from_bytes(stream.read(_LENGTH_BYTES), "little"), stream.read()
    except FileNotFoundError:
        return False
    return magic == _MAGIC and 0 < length <= size - 2 * len(_MAGIC) - _LENGTH_BYTES


def remove_leftovers(out: Path) -> None:
    """Remove parts of chunks that are not done, and files that were being written.

    Raises:
        OutputError: a file cannot be removed.
    """
    with _explain_errors("clean", out):
        done = set(list_chunks(out))
        for folder in _list_folders(out):
            for file in folder.iterdir():
                is_half = file.name.startswith(".") and file.name.endswith(".part")  # others' are not hidden
                if is_half or (is_part(file) and file.stem not in done):
                    file.unlink()


def _list_folders(out: Path) -> list[Path]:
    """The folders of parts that are there."""
    folders = (out / INPUTS, out / FAILURES, *(out / FACES / f"kind={kind}" for kind in KINDS))
    return [folder for folder in folders if folder.is_dir()]


@contextmanager
def _explain_errors(what: str, out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot {what} {out} ({error.strerror})", advice="Check its permissions.") from None
