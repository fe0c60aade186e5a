"""A chunk of photos to rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from fervid.batch.addresses import UnreachableError
from fervid.batch.films import wrap_error
from fervid.batch.listing import Item
from fervid.batch.remote import read_bytes
from fervid.batch.tables import Chunk, Failed, Reading
from fervid.errors import FervidError, InputError
from fervid.pipeline import Analyzer
from fervid.results import Failure
from fervid.sinks.table import list_rows

BATCH: Final = 16
"""Photos whose faces go through the network together; as many are in memory."""

_FETCHED_AHEAD: Final = 32


def read_photos(analyzer: Analyzer, items: Iterable[Item], chunk: Chunk) -> None:
    """Read photos into ``chunk``, failures included; those whose address, disc or share does not answer are left out.

    Raises:
        FervidError: what would go wrong with every photo, such as a package that is not installed.
        MemoryError: there is too little for so many at once, or for one.
    """
    fetched: deque[Item] = deque()

    def offer() -> Iterator[bytes | Path]:
        for item, data in _fetch(item for item in items if item.answers):
            if isinstance(data, FervidError):
                _add_failure(chunk, item, data)
                continue
            fetched.append(item)
            yield data

    for result in analyzer.map(offer(), batch_size=BATCH):
        item = fetched.popleft()
        if isinstance(result, Failure):
            _add_failure(chunk, item, result.error)
        else:
            faces = chunk.add_faces(item, result.size, list_rows(result))
            chunk.add(Reading(item, result.size, faces))


def read_photos_singly(analyzer: Analyzer, items: Iterable[Item], chunk: Chunk) -> None:
    """The same one by one, to find those over which an error is raised that nobody foresaw: they are failures.

    Those for which there is too little memory are left out.

    Raises:
        FervidError: as :func:`read_photos`.
        OSError: the chunk cannot be written.
    """
    for item in items:
        try:
            read_photos(analyzer, (item,), chunk)
        except (FervidError, OSError):
            raise
        except MemoryError:  # no fault of the photo
            continue
        except Exception as error:
            chunk.add(Failed(item, wrap_error(error)))


def _add_failure(chunk: Chunk, item: Item, error: FervidError) -> None:
    """Note a failure of a photo, unless the machine failed: it would be one for ever."""
    cause = error.__context__  # what the system said
    if isinstance(cause, MemoryError):
        raise cause
    if not isinstance(error, InputError):
        raise error
    away = isinstance(cause, OSError) and not item.is_remote and item.is_away(cause)
    if not away and not isinstance(error, UnreachableError):
        chunk.add(Failed(item, error))


def _fetch(items: Iterable[Item]) -> Iterator[tuple[Item, Path | bytes | FervidError]]:
    """What the analyzer reads: paths as they are, remote photos as bytes, fetched ahead by several threads."""
    waiting: deque[tuple[Item, Future[bytes | FervidError]]] = deque()
    with ThreadPoolExecutor(_FETCHED_AHEAD // 4) as pool:
        for item in items:
            if not item.is_remote:
                yield item, Path(item.source)
                continue
            waiting.append((item, pool.submit(_read_or_fail, item)))
            if len(waiting) >= _FETCHED_AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def _read_or_fail(item: Item) -> bytes | FervidError:
    try:
        return read_bytes(item)
    except FervidError as error:
        return error
