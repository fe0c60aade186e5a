"""The threads that read pictures: a fixed number, with a queue of bounded length before them.

The event loop never decodes a picture nor runs a network. Networks release Python's lock while they run, so the threads
share one analyzer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self, TypeVar

from fervid.pipeline import Analyzer
from fervid.web.errors import StoppingError, TooManyError
from fervid.web.settings import Settings

T = TypeVar("T")

QUEUE_PER_WORKER: Final = 32
"""So many pictures may wait for each worker; the next one is refused."""


class Workers:
    """Runs functions in a bounded number of threads.

    Args:
        settings: ``workers``, and what the analyzer is made of.

    Attributes:
        analyzer: finds and reads faces; shared by the threads.
        waiting: calls that have not been answered.
    """

    def __init__(self, settings: Settings) -> None:
        self.analyzer = Analyzer(
            settings.model, settings.detector, threads=settings.threads, max_pixels=settings.max_pixels
        )
        self.waiting = 0
        self._most = settings.workers * (1 + QUEUE_PER_WORKER)
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="fervid-reader")
        self._open = True

    async def run(self, work: Callable[[], T], *, queued: bool = True) -> T:
        """What ``work`` returns or raises, from one of the threads.

        When the caller is cancelled before a thread was free, the work is not done at all.

        Args:
            work: no more than a second or two of it.
            queued: refuse when the queue is full; False for those who never have more than one call waiting.

        Raises:
            TooManyError: too much is waiting.
            StoppingError: the server is being stopped.
        """
        if not self._open:
            raise StoppingError("the server is being stopped", advice="Try again when it is back.")
        if queued and self.waiting >= self._most:
            raise TooManyError(f"{self.waiting} pictures are waiting already", retry_after_s=2)
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self.waiting -= 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)
