"""A chunk of photos to rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from fervid.batch.addresses import UnreachableError
from fervid.batch.listing import Item
from fervid.batch.remote import read_bytes
from fervid.batch.tables import Chunk, Failed, Reading
from fervid.errors import FervidError
from fervid.pipeline import Analyzer
from fervid.results import Failure
from fervid.sinks.table import list_rows

BATCH: Final = 16
"""Photos whose faces go through the network together; as many are in memory."""

_FETCHED_AHEAD: Final = 32


def read_photos(analyzer: Analyzer, items: Iterable[Item], chunk: Chunk) -> None:
    """Read photos into ``chunk``, failures included; remote ones that do not answer for now are left out."""
    fetched: deque[Item] = deque()

    def offer() -> Iterator[bytes | Path]:
        for item, data in _fetch(items):
            if isinstance(data, UnreachableError):
                continue
            if isinstance(data, FervidError):
                chunk.add(Failed(item, data))
                continue
            fetched.append(item)
            yield data

    for result in analyzer.map(offer(), batch_size=BATCH):
        item = fetched.popleft()
        if isinstance(result, Failure):
            chunk.add(Failed(item, result.error))
        else:
            faces = chunk.add_faces(item, result.size, list_rows(result))
            chunk.add(Reading(item, result.size, faces))


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
