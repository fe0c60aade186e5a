"""What took minutes to measure is not lost: places are made before, and one that fails takes no other with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from fervid.files import STDOUT


def make_places(*files: str | None, folder: str | None = None) -> None:
    """Make the outputs' folders, before the minutes that are lost where they cannot be made.

    Args:
        files: outputs, of which the folder is made; none for stdout (``-``), nor for an output not asked for (None).
        folder: an output that is a folder itself.

    Raises:
        OutputError: a folder cannot be made.
    """
    from fervid.evaluation.report import make_folder

    if folder is not None:
        make_folder(Path(folder))
    for file in files:
        if file is not None and file != STDOUT:
            make_folder(Path(file).parent)


def take_steps(*steps: Callable[[], None]) -> None:
    """Take all steps in this order, each whatever the others raise; the last error is raised at the end."""
    with contextlib.ExitStack() as stack:  # which takes the last one first
        for step in reversed(steps):
            stack.callback(step)
