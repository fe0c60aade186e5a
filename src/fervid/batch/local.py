"""The engine of one machine: worker processes, one task each at a time, replaced when they die."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fervid.batch.locks import share_lock
from fervid.batch.settings import Settings
from fervid.batch.tasks import Outcome, Plan, Task
from fervid.batch.worker import Worker, give_up
from fervid.errors import FervidError

ATTEMPTS: Final = 2
"""A task that ended so many processes is split; one photo or film that did is a failure."""

_STARTS: Final = 3
_PATIENCE_S: Final = 5.0


class LocalEngine:
    """Worker processes on this machine, started when there is work for them.

    Args:
        settings: how to read.
        out: folder of the run.
        workers: processes; 0 does everything in this one.
        threads: of each worker's networks; None shares the cores among them.
    """

    def __init__(self, settings: Settings, out: Path, *, workers: int, threads: int | None = None) -> None:
        self._settings = settings
        self._out = out
        self._count = workers
        self._threads = threads or max(1, (os.cpu_count() or 1) // max(1, workers))
        self._hands: list[_Hand] = []
        self._inline: Worker | None = None

    def run(self, plan: Plan) -> Iterator[tuple[Task, Outcome]]:
        """Do all tasks of a plan, in any order."""
        return self._run_here(plan) if self._count == 0 else self._run_workers(plan)

    @property
    def processes(self) -> tuple[int, ...]:
        """Ids of the workers that run."""
        return tuple(hand.process.pid for hand in self._hands if hand.process.pid is not None)

    def close(self) -> None:
        """End the workers, whatever they do: what they have not finished is not there."""
        for hand in self._hands:
            hand.stop()
        self._hands = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run_here(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Outcome]]:
        if self._inline is None:
            self._inline = Worker(self._settings, self._out, self._threads)
        for task in tasks:
            yield task, self._inline.run(task)

    def _run_workers(self, plan: Plan) -> Iterator[tuple[Task, Outcome]]:
        waiting, remaining = deque[Task](), iter(plan)
        deaths = 0
        while True:
            self._employ(min(self._count, plan.count))
            for hand in self._hands:
                if hand.task is None and (task := waiting.popleft() if waiting else next(remaining, None)) is not None:
                    hand.give(task)
            busy = [hand for hand in self._hands if hand.task is not None]
            if not busy:
                return
            ready = connection.wait([hand.pipe for hand in busy])
            for hand in busy:
                if hand.pipe not in ready:
                    continue
                assert hand.task is not None
                task = hand.task
                try:
                    outcome = hand.receive()
                except (EOFError, OSError):  # it died
                    self._hands.remove(hand)
                    hand.stop()
                    deaths += not hand.has_started
                    if deaths >= _STARTS:
                        raise FervidError(
                            "worker processes end before they begin", advice="Free some memory, or use fewer --workers."
                        ) from None
                    again = _retry(task) if hand.has_started else [task]
                    waiting += again
                    if not again:
                        yield task, give_up(self._out, task)
                    continue
                if outcome is not None:
                    deaths = 0
                    yield task, outcome

    def _employ(self, count: int) -> None:
        while len(self._hands) < count:
            self._hands.append(_Hand(self._settings, self._out, self._threads))


def _retry(task: Task) -> list[Task]:
    """What to do instead of a task over which a process has died; nothing when one input did it, twice."""
    tried = dataclasses.replace(task, attempts=task.attempts + 1)
    if tried.attempts < ATTEMPTS:
        return [tried]
    if len(task.items) == 1:
        return []
    return [dataclasses.replace(half, attempts=ATTEMPTS - 1) for half in task.split()]


class _Hand:
    """One worker process, as the driver knows it."""

    def __init__(self, settings: Settings, out: Path, threads: int) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.task: Task | None = None
        self.has_started = False
        self.process: BaseProcess = context.Process(
            target=_work, args=(theirs, settings, out, threads), name="fervid-worker", daemon=True
        )
        self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        self.task = task
        with contextlib.suppress(OSError):  # it died; waiting for its answer will tell
            self.pipe.send(task)

    def receive(self) -> Outcome | None:
        """The outcome of the task; None when the process says that it has loaded its networks.

        Raises:
            EOFError: it has died.
            OSError: it has died.
        """
        message = self.pipe.recv()
        if message is None:
            self.has_started = True
            return None
        assert isinstance(message, Outcome)
        self.task = None
        return message

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join(_PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _work(pipe: Connection, settings: Settings, out: Path, threads: int) -> None:
    """A worker's life: load, then do what comes until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the driver ends its workers
    threading.Thread(target=_end_with_driver, daemon=True).start()
    with share_lock(out):
        try:
            worker = Worker(settings, out, threads)
        except FervidError as error:
            pipe.send(Outcome(error=error))
            return
        pipe.send(None)
        while True:
            try:
                task = pipe.recv()
            except EOFError:
                return
            pipe.send(worker.run(task))


def _end_with_driver() -> None:
    """Nobody would note down what is done after the driver's death; another run may have begun by then."""
    driver = parent_process()
    if driver is not None:
        connection.wait([driver.sentinel])
        os._exit(1)
