"""Detectors side by side on pictures of a camera's sizes, one thread."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from fervid.errors import ModelError
from fervid.evaluation.speed.processes import Worker
from fervid.evaluation.speed.records import Search
from fervid.evaluation.speed.rounds import Effort, time_rounds
from fervid.evaluation.speed.timing import Timing, compare_bursts

WIDTHS: Final = (640, 320)
"""Of the pictures, px; they are 4 : 3 and hold the portrait as high as they are."""


def compare_searches(names: Sequence[str], effort: Effort, portrait: Path) -> tuple[Search, ...]:
    """Time detectors in turn, each in a process of its own; the first that works is the reference.

    Those that cannot be used here are left out; the table of single detectors says why.
    """
    searches = []
    for width in WIDTHS:
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            for name in names:
                try:
                    workers[name] = stack.enter_context(Worker("detector", name, 1, portrait, batch=width))
                except ModelError:
                    continue
            failures: dict[str, str] = {}
            bursts = time_rounds(workers, width, effort, failures)
            reference = next(iter(bursts), "")
            for name, row in bursts.items():
                ratio = compare_bursts(row, bursts[reference])
                faces = int(workers[name].answer or 0)
                searches.append(Search(name, width, width * 3 // 4, faces, Timing.of_bursts(row), ratio))
    return tuple(searches)
