"""The process that runs what is timed, and nothing else.

It is told on its command line what to load, and by lines of JSON on stdin what to run; it answers by lines of JSON on
what was stdout. What the loaded code prints goes to stderr instead.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from fervid.errors import FervidError

WARM_UP_S: Final = 0.05
WARM_UP_RUNS: Final = 2
"""A new batch size is run at least so long and so often before the first run that counts."""


def main() -> None:
    """Load, say so, then serve requests until stdin ends."""
    request = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        serve(request, sys.stdin, answers)
    except (Exception, SystemExit) as error:  # a peer may raise, or leave, as it likes
        _write(answers, {"error": describe_error(error)})


def serve(request: dict[str, Any], requests: IO[str], answers: IO[str]) -> None:
    """Load what is asked for and answer one request per line.

    Args:
        request: ``{"kind", "name", "threads", "portrait", "batch"}``; the portrait is an ``.npy`` file.
        requests: lines of ``{"batch", "seconds", "least"}``.
        answers: takes ``{"load_s", "first_s", "answer", "peak_bytes"}`` when loaded, then ``{"seconds", "processor_s",
            "peak_bytes"}`` per line.
    """
    began = time.perf_counter()
    import numpy as np  # here, because every subject that is loaded has to wait for it

    from fervid.evaluation.speed.subjects import load_subject

    prepare = load_subject(request["kind"], request["name"], request["threads"], np.load(request["portrait"]))
    runs = {request["batch"]: prepare(request["batch"])}
    loaded = time.perf_counter()
    answer = runs[request["batch"]]()
    first = time.perf_counter()
    _write(
        answers,
        {
            "load_s": loaded - began,
            "first_s": first - loaded,
            "answer": answer if isinstance(answer, str | int) else None,
            "peak_bytes": measure_peak_memory(),
        },
    )
    warm: set[int] = set()
    for line in requests:
        wish = json.loads(line)
        batch = wish["batch"]
        if batch not in runs:
            runs = {batch: prepare(batch)}  # the inputs of other sizes need not stay in memory
            warm.clear()
        if batch not in warm:
            time_runs(runs[batch], WARM_UP_S, WARM_UP_RUNS)
            warm.add(batch)
        seconds, processor_s = time_runs(runs[batch], wish["seconds"], wish["least"])
        _write(answers, {"seconds": seconds, "processor_s": processor_s, "peak_bytes": measure_peak_memory()})


def time_runs(run: Callable[[], object], seconds: float, least: int) -> tuple[list[float], float]:
    """Run for so long, and at least so often.

    Returns:
        Wall time of every run, and the processor time of all of them over all threads, s.
    """
    durations: list[float] = []
    processor = time.process_time()
    until = time.perf_counter() + seconds
    while len(durations) < least or time.perf_counter() < until:
        began = time.perf_counter()
        run()
        durations.append(time.perf_counter() - began)
    return durations, time.process_time() - processor


def measure_peak_memory() -> int:
    """Most memory that this process has had resident, bytes; 0 where the system does not tell."""
    # Not getrusage: on Linux its maximum starts at the size of the parent that started this process.
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def describe_error(error: BaseException) -> str:
    """One line that says what went wrong."""
    if isinstance(error, FervidError):
        return str(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _write(answers: IO[str], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
