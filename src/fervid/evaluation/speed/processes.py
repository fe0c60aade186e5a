"""Starting workers with a given number of threads, and asking them to run things.

Threads are limited where each library reads its limit: ONNX Runtime in the session's options, BLAS, OpenCV and
TensorFlow in variables that they read once, when they are loaded. That is why everything is timed in fresh processes;
changing the limits later in one process would miss some of them. :attr:`.timing.Timing.cores_busy` shows whether a
limit was kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from fervid.errors import ModelError
from fervid.evaluation.speed.subjects import Kind
from fervid.evaluation.speed.timing import Burst

THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
LOAD_TIMEOUT_S: Final = 300.0
"""TensorFlow alone may take a minute; a peer may fetch its weights."""

RUN_TIMEOUT_S: Final = 120.0
"""Beyond the time that was asked for."""

# The worker must find what this process finds, wherever it was started from.
_START: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop())
from fervid.evaluation.speed.worker import main
main()
"""


class Worker:
    """A fresh process with one subject in it; a context manager that ends it.

    Args:
        kind: of subject, see :func:`.subjects.load_subject`.
        name: of the subject.
        threads: it may use.
        portrait: ``.npy`` file of the portrait; pixels that are ready spare it a decoder.
        batch: what its first run is made with.

    Attributes:
        load_ms: importing and loading, without starting Python.
        first_ms: its first run.
        answer: what the first run answered, where that is a word or a number.
        first_peak_bytes: peak memory after the first run.
        peak_bytes: peak memory so far.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """

    def __init__(self, kind: Kind, name: str, threads: int, portrait: Path, *, batch: int = 1) -> None:
        request = {"kind": kind, "name": name, "threads": threads, "portrait": str(portrait), "batch": batch}
        self.name = name
        self._messages = tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(request), json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            text=True,
            encoding="utf-8",
            env=limit_threads(os.environ, threads),
        )
        try:
            ready = self._read(LOAD_TIMEOUT_S)
        except BaseException:
            self.close()
            raise
        self.load_ms: float = ready["load_s"] * 1000
        self.first_ms: float = ready["first_s"] * 1000
        self.answer: str | int | None = ready["answer"]
        self.first_peak_bytes: int = ready["peak_bytes"]
        self.peak_bytes: int = self.first_peak_bytes

    def time(self, batch: int, seconds: float, least: int) -> Burst:
        """Run a batch for so long and at least so often; the first call with a new size warms up before.

        Raises:
            ModelError: it failed or stopped.
        """
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps({"batch": batch, "seconds": seconds, "least": least}) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._explain_end() from None
        answer = self._read(seconds + RUN_TIMEOUT_S)
        self.peak_bytes = answer["peak_bytes"]
        return Burst(tuple(answer["seconds"]), answer["processor_s"])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._messages):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(timeout_s, end)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if late.is_set():
            raise ModelError(f"{self.name} took longer than {timeout_s:.0f} s")
        if not line:
            raise self._explain_end()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ModelError(answer["error"])
        return answer

    def _explain_end(self) -> ModelError:
        status = self._process.wait()
        self._messages.seek(0)
        lines = [line.strip() for line in self._messages.read().splitlines() if line.strip()]
        last = f": {lines[-1][:200]}" if lines else ""
        return ModelError(f"{self.name} ended with status {status}{last}")


def limit_threads(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """The environment with every library told to use so many threads, and no graphics processor."""
    told = dict(environment) | dict.fromkeys(THREAD_VARIABLES, str(threads))
    return told | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
