import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fervid.errors import UsageError, VideoError
from fervid.video.prefetching import Prefetcher


def count_threads() -> int:
    return sum(thread.name == "fervid-prefetch" for thread in threading.enumerate())


class Source:
    """Counts up; remembers how far it came, in which thread, and whether it was closed."""

    def __init__(self, length: int, error: BaseException | None = None) -> None:
        self.length = length
        self.error = error
        self.made = 0
        self.closed_in: str | None = None

    def run(self) -> Iterator[int]:
        try:
            for number in range(self.length):
                self.made = number + 1
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed_in = threading.current_thread().name


@pytest.mark.parametrize("size", [1, 3, 100])
def test_items_come_in_their_order(size: int) -> None:
    source = Source(50)
    assert list(Prefetcher(source.run(), size)) == list(range(50))
    assert source.closed_in == "fervid-prefetch"
    assert count_threads() == 0


def test_it_works_ahead_but_not_too_far() -> None:
    source = Source(50)
    with Prefetcher(source.run(), 3) as items:
        assert next(items) == 0
        deadline = time.monotonic() + 5
        while source.made < 5 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)
        assert source.made == 5  # the one taken, three in the queue, one in the making


@pytest.mark.parametrize("error", [VideoError("broken", advice="Mend it."), MemoryError("full"), KeyboardInterrupt()])
def test_an_error_comes_after_the_items_before_it(error: BaseException) -> None:
    seen: list[int] = []
    items = Prefetcher(Source(5, error).run(), 2)
    with pytest.raises(type(error)) as caught:
        seen.extend(items)
    assert caught.value is error
    seen.extend(items)  # and then it is over
    assert count_threads() == 0


def test_stopping_early_closes_the_source_and_ends_the_thread() -> None:
    source = Source(10**6)
    with Prefetcher(source.run(), 4) as items:
        for item in items:
            if item == 3:
                break
    assert source.closed_in == "fervid-prefetch"
    assert count_threads() == 0
    assert list(items) == []
    items.close()


def test_forgetting_it_is_stopping() -> None:
    source = Source(10**6)
    items = Prefetcher(source.run(), 4)
    assert next(items) == 0
    del items
    assert source.closed_in == "fervid-prefetch"
    assert count_threads() == 0


def test_close_from_another_thread_ends_a_waiting_loop() -> None:
    release = threading.Event()

    def wait_forever() -> Iterator[int]:
        yield 0
        release.wait(5)
        yield 1

    items = Prefetcher(wait_forever(), 1)
    assert next(items) == 0
    seen: list[list[Any]] = []
    loop = threading.Thread(target=lambda: seen.append(list(items)))
    loop.start()
    closer = threading.Thread(target=items.close)
    closer.start()
    release.set()
    closer.join(5)
    loop.join(5)
    assert not loop.is_alive()
    assert len(seen) == 1
    assert count_threads() == 0


def test_other_iterables_need_no_close() -> None:
    assert list(Prefetcher([1, 2, 3], 1)) == [1, 2, 3]
    assert list(Prefetcher([], 1)) == []


def test_a_queue_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="0 items"):
        Prefetcher([1], 0)


def test_an_interpreter_with_a_loop_left_open_ends() -> None:
    code = """
import itertools
from fervid.video.prefetching import Prefetcher
items = Prefetcher(itertools.count(), 2)
print(next(items), flush=True)
raise SystemExit(7)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (7, "0", "")
