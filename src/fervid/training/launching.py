"""Starting the processes of a team on this machine, as ``torchrun`` would, without its prose and without torch."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from fervid.errors import FervidError
from fervid.signals import handle_signals

VARIABLES: Final = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun says to each process, by the environment."""

PATIENCE_S: Final = 20.0
"""How long the others have to notice that one has failed, and all of them to end when they are interrupted."""

_STEP_S: Final = 0.1


def is_started() -> bool:
    """Whether ``torchrun`` started this process, as one of several."""
    return os.environ.get("WORLD_SIZE", "1") != "1" and all(name in os.environ for name in VARIABLES)


def is_on_one_machine() -> bool:
    """Whether ``torchrun`` started all processes of the team on this machine; others than torchrun do not say."""
    return os.environ.get("LOCAL_WORLD_SIZE") == os.environ.get("WORLD_SIZE")


def run_team(command: Sequence[str], count: int) -> int:
    """Run a command as so many processes that find each other; its status is that of the first which fails.

    SIGTERM interrupts them as Ctrl-C does: none is left when this one ends.

    Raises:
        FervidError: one was killed.
        KeyboardInterrupt: they were interrupted, and did not say themselves with which status that ends.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    processes: list[subprocess.Popen[bytes]] = []
    with _pass_on_terminate(processes):
        try:
            for rank in range(count):
                environment = {**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                processes.append(subprocess.Popen(command, env=environment))
            status = _wait(processes)
        except KeyboardInterrupt:  # a terminal sends it to all of them; the first says how to go on
            status = _wait(processes, PATIENCE_S)
            if status < 0 or len(processes) < count:
                raise
            return status
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(PATIENCE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    if status < 0:
        raise FervidError(
            f"a process of the training was ended by signal {-status}",
            advice="Is there enough memory? The same command goes on after the last finished epoch.",
        )
    return status


@contextmanager
def _pass_on_terminate(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Let SIGTERM, which reaches this process alone, be what Ctrl-C in a terminal is to all of them."""
    if threading.current_thread() is not threading.main_thread():  # no other is told of signals
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        for process in processes:
            process.send_signal(signal.SIGINT)
        raise KeyboardInterrupt

    with handle_signals(interrupt, signal.SIGTERM):
        yield


def _wait(processes: Sequence[subprocess.Popen[bytes]], patience_s: float = float("inf")) -> int:
    """What ended the run, when all have ended or had the time to: a signal's number, negative, before a status.

    Those that have not ended by then are as good as ended by SIGTERM, which comes next.
    """
    deadline = time.monotonic() + patience_s
    while None in (statuses := [process.poll() for process in processes]) and time.monotonic() < deadline:
        if deadline == float("inf") and any(statuses):
            deadline = time.monotonic() + PATIENCE_S
        time.sleep(_STEP_S)
    failed = [status for status in statuses if status]
    running = -signal.SIGTERM if None in statuses else 0
    return next((status for status in failed if status < 0), failed[0] if failed else running)
