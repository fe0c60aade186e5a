"""Processes that read films, as the server sees them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from fervid.web.films.worker import INTERNAL, ProbeTask, ReadTask

LOG: Final = logging.getLogger("fervid.web.films")

PROBE_S: Final = 60.0
"""Finding out what a film is takes no longer."""
SILENCE_S: Final = 900.0
"""A process that says nothing for so long hangs; the end of a long film takes minutes to write."""


class WorkerProcess:
    """A process at its task; it ends with the ``with`` block at the latest.

    Args:
        task: what it does.

    Attributes:
        hung: whether it was killed because it said nothing.
    """

    def __init__(self, task: ProbeTask | ReadTask) -> None:
        self.hung = False
        self._heard_s = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fervid.web.films.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # a Ctrl-C in the terminal is the server's to handle
        )
        assert self._process.stdin is not None
        kind = "probe" if isinstance(task, ProbeTask) else "read"
        with contextlib.suppress(OSError):  # it is gone already: its messages end at once
            self._process.stdin.write(json.dumps({"task": kind, **dataclasses.asdict(task)}) + "\n")
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def read_messages(self) -> Iterator[dict[str, Any]]:
        """What it says, until its end."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._heard_s = time.monotonic()
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def kill(self) -> None:
        """End it now; from any thread."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def kill_silent(self, silence_s: float = SILENCE_S) -> None:
        """End it if it has said nothing for so long."""
        if time.monotonic() - self._heard_s >= silence_s and self._process.poll() is None:
            self.hung = True
            self.kill()

    def describe_end(self) -> str:
        """How it ended, for the log."""
        code = self._process.wait()
        if self.hung:
            return "it said nothing for too long"
        return f"signal {-code}" if code < 0 else f"status {code}"

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        self._process.wait()


def run_probe(task: ProbeTask, *, limit_s: float = PROBE_S) -> dict[str, Any]:
    """What a film is, from a process of its own: ``{"width", "height", "duration_s"}``, or ``{"error": {…}}``."""
    with WorkerProcess(task) as process:
        timer = threading.Timer(limit_s, process.kill_silent, (0.0,))
        timer.start()
        try:
            for message in process.read_messages():
                known = message.pop("event") == "probed"
                return message if known else {"error": message["error"]}
        finally:
            timer.cancel()
        end = process.describe_end()
    if process.hung:
        advice = "It is damaged, or the server is busy; convert it, or try again."
        text = f"{task.name} cannot be opened within {limit_s:g} s"
        return {"error": {"code": "input.video", "message": text, "advice": advice}}
    LOG.error("the process that looked at a film ended: %s", end)
    return {"error": dict(INTERNAL)}
