"""Work ahead in a thread, by a bounded number of items."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from fervid.errors import UsageError

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Iterates over ``source`` in a thread of its own, at most ``size`` items ahead of whoever iterates over this.

    An exception of the source is raised where its item would have come. Stopping early (:meth:`close`, the end of a
    ``with`` block, or forgetting the object) ends the thread, closes the source if it is a generator, and waits for
    both.

    Raises:
        UsageError: ``size`` is less than 1.
    """

    def __init__(self, source: Iterable[T], size: int) -> None:
        if size < 1:
            raise UsageError(f"a queue of {size} items", advice="Use 1 or more.")
        items: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(size)
        stop = threading.Event()
        # The thread must not hold this object: that it is forgotten is a reason to stop. A daemon thread does not keep
        # the interpreter from ending, and the finalizer ends it before the interpreter does.
        thread = threading.Thread(target=_fill, args=(iter(source), items, stop), name="fervid-prefetch", daemon=True)
        self._items = items
        self._done = False
        self.close = weakref.finalize(self, _end, thread, items, stop)
        thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._done or not self.close.alive:
            raise StopIteration
        item = self._items.get()
        if isinstance(item, tuple):
            return item[0]
        self._done = True
        self.close()
        if item is None:
            raise StopIteration
        raise item

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _fill(source: Iterator[T], items: queue.Queue[tuple[T] | BaseException | None], stop: threading.Event) -> None:
    """The thread: one-tuples are items, None is the end."""
    last: BaseException | None = None
    try:
        for item in source:
            if stop.is_set():
                break
            items.put((item,))
            del item  # while the next one is made, this one belongs to the consumer alone
    except BaseException as error:  # it must reach the consumer, whatever it is
        last = error
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()
        del source
        if not stop.is_set():
            items.put(last)


def _end(thread: threading.Thread, items: queue.Queue[tuple[T] | BaseException | None], stop: threading.Event) -> None:
    """Stop the thread and wait for it, making room in the queue until it has seen the stop."""
    stop.set()
    if thread is threading.current_thread():  # collected there; the flag is enough
        return
    while thread.is_alive():
        try:
            items.get(timeout=0.02)
        except queue.Empty:
            thread.join(0.001)
    while not items.empty():
        items.get()
    items.put(None)  # whoever still waits for an item in another thread
