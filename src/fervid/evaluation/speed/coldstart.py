"""What a user waits for in a fresh process: importing, loading, the first face, the first photo."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fervid.errors import ModelError
from fervid.evaluation.speed.records import ColdStart, ColdStep

if TYPE_CHECKING:
    from fervid.evaluation.speed.benchmark import ModelFacts

TIMEOUT_S: Final = 300.0

_FIRST_FACE: Final = """
import sys
import numpy
from fervid.classification.classifier import Classifier
Classifier(sys.argv[1]).predict([numpy.zeros((48, 48), numpy.uint8)])
"""
_FIRST_PHOTO: Final = """
import sys
import fervid
fervid.analyze(sys.argv[2], model=sys.argv[1], detector=sys.argv[3], labels=int(sys.argv[4]))
"""


def measure_cold_start(
    facts: Sequence[ModelFacts],
    photo: Path,
    detector: str,
    processes: int,
    *,
    warm_up: bool = True,
    on_process: Callable[[], None] = lambda: None,
) -> ColdStart:
    """Start every command in turn, so often, and take the medians.

    Args:
        facts: of the models.
        photo: with a face.
        detector: for the photo.
        processes: per command.
        warm_up: start each once more before, to fill the system's caches.
        on_process: called after each.

    Raises:
        ModelError: a command fails; the message ends with what it said.
    """
    commands = plan_commands(facts, photo, detector)
    seconds: list[list[float]] = [[] for _ in commands]
    for turn in range(-warm_up, processes):
        for (what, _, command), row in zip(commands, seconds, strict=True):
            duration = time_process(what, command)
            if turn >= 0:
                row.append(duration)
            on_process()
    steps = (
        ColdStep(what, model, statistics.median(row) * 1000, len(row))
        for (what, model, _), row in zip(commands, seconds, strict=True)
    )
    return ColdStart(tuple(steps), measure_environment())


def plan_commands(facts: Sequence[ModelFacts], photo: Path, detector: str) -> list[tuple[str, str, list[str]]]:
    """(what it does, with which model, the command), the interpreter alone first; see :func:`measure_cold_start`."""
    python = [sys.executable]
    commands = [
        ("interpreter alone", "", [*python, "-c", "pass"]),
        ("import fervid", "", [*python, "-c", "import fervid"]),
    ]
    for fact in facts:
        model, labels = fact.argument, str(fact.labels)
        given = [model, str(photo), detector, labels]
        shown = [str(photo), "--model", model, "--detector", detector, "--labels", labels]
        commands += [
            ("load the network, read a face", fact.name, [*python, "-c", _FIRST_FACE, model]),
            (f"first photo ({detector}), Python", fact.name, [*python, "-c", _FIRST_PHOTO, *given]),
            (f"first photo ({detector}), command line", fact.name, [*python, "-m", "fervid", "image", *shown]),
        ]
    return commands


def time_process(what: str, command: list[str]) -> float:
    """Wall time from start to end, s.

    Raises:
        ModelError: it fails.
    """
    began = time.perf_counter()
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()]
        raise ModelError(f"{what}: a fresh process failed ({lines[-1] if lines else error.returncode})") from None
    except subprocess.TimeoutExpired:
        raise ModelError(f"{what}: a fresh process took longer than {TIMEOUT_S:.0f} s") from None
    return time.perf_counter() - began


def measure_environment() -> int | None:
    """Bytes that the files of this virtual environment take on disk; None outside of one."""
    if sys.prefix == sys.base_prefix:
        return None
    total = 0
    for folder, _, files in os.walk(sys.prefix):
        for name in files:
            path = Path(folder, name)
            with contextlib.suppress(FileNotFoundError):  # another process's, and gone since the folder was listed
                if not path.is_symlink():
                    total += path.stat().st_blocks * 512
    return total
