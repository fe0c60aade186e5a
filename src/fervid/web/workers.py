"""The threads that read pictures: a fixed number, with a queue of bounded length before them.

One more reads large pictures, one after another: a file of 240 kB may become two gigabytes, and one of those per core
would be more than the machine has.

The event loop never decodes a picture nor runs a network. Networks release Python's lock while they run, so the threads
share one analyzer.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self, TypeVar

from starlette.requests import Request

from fervid.pipeline import Analyzer
from fervid.web.errors import GoneError, StoppingError, TooManyError
from fervid.web.settings import Settings

T = TypeVar("T")

QUEUE_PER_WORKER: Final = 32
"""So many pictures may wait for each worker; the next one is refused."""
SHARED_PIXELS: Final = 25_000_000
"""Pictures of more than this are read one at a time: decoding takes up to 19 bytes a pixel."""


class Cancellation:
    """Set when nobody waits for an answer any more; work that has several steps looks at it between them."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._event.set()

    def check(self) -> None:
        """End the work.

        Raises:
            GoneError: nobody waits any more.
        """
        if self._event.is_set():
            raise GoneError("the client has gone")


class Workers:
    """Runs functions in a bounded number of threads.

    Args:
        settings: ``workers``, and what the analyzer is made of.

    Attributes:
        analyzer: finds and reads faces in photos; shared by the threads.
        video_analyzer: in pictures of a camera, likewise.
        waiting: calls that have not been answered.
        most: so many may be unanswered; the next one is refused.
    """

    def __init__(self, settings: Settings) -> None:
        self.analyzer, self.video_analyzer = (
            Analyzer(model, settings.detector, labels=None, threads=settings.threads, max_pixels=settings.max_pixels)
            for model in (settings.model, settings.video_model)
        )
        self.waiting = 0
        self.most = settings.workers * (1 + QUEUE_PER_WORKER)
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="fervid-reader")
        self._lone = ThreadPoolExecutor(1, thread_name_prefix="fervid-reader-large")
        self._open = True

    async def run(self, work: Callable[[], T], *, queued: bool = True, alone: bool = False) -> T:
        """What ``work`` returns or raises, from one of the threads.

        When the caller is cancelled before a thread was free, the work is not done at all.

        Args:
            work: no more than a second or two of it.
            queued: refuse when the queue is full; False for those who never have more than one call waiting.
            alone: for pictures of more than :data:`SHARED_PIXELS`, of which one is read at a time; how many wait is for
                the caller to limit.

        Raises:
            TooManyError: too much is waiting.
            StoppingError: the server is being stopped.
        """
        if not self._open:
            raise StoppingError("the server is being stopped", advice="Try again when it is back.")
        if alone:
            return await asyncio.get_running_loop().run_in_executor(self._lone, work)
        if queued and self.waiting >= self.most:
            raise TooManyError(f"{self.waiting} pictures are waiting already", retry_after_s=2)
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self.waiting -= 1

    async def run_for(self, request: Request, work: Callable[[Cancellation], T], *, alone: bool = False) -> T:
        """As :meth:`run`, for as long as the client of a request waits; its body must have been read.

        Raises:
            GoneError: it does not wait any more.
        """
        cancellation = Cancellation()
        answer = asyncio.ensure_future(self.run(lambda: work(cancellation), alone=alone))
        gone = asyncio.ensure_future(_wait_until_gone(request))
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise GoneError("the client has gone")
            return answer.result()
        finally:
            cancellation.cancel()
            for task in (answer, gone):
                task.cancel()
            with contextlib.suppress(BaseException):  # whatever it was, nobody waits for it
                await gone

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        for pool in (self._pool, self._lone):
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
