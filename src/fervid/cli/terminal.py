"""What every verb shares: where text goes, how progress looks, what the exit statuses mean."""

from __future__ import annotations

import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from fervid.errors import FervidError, UsageError, escape_bytes

if TYPE_CHECKING:
    from rich.console import Console

ERROR: Final = 1
USAGE: Final = 2
SOME_FAILED: Final = 3
INTERRUPTED: Final = 130

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def exit_status(error: FervidError) -> int:
    """2 for a wrong argument, 1 for everything else."""
    return USAGE if isinstance(error, UsageError) else ERROR


def stdout() -> Console:
    """Console for data: tables and text that the user asked for."""
    return _create_console(sys.stdout)


def stderr() -> Console:
    """Console for progress, notes and errors."""
    return _create_console(sys.stderr)


def _create_console(stream: IO[str] | None) -> Console:
    from rich.console import Console

    if stream is None:  # it is closed: what people would read goes nowhere
        stream = io.StringIO()
    # No emoji codes: in the name scan:b:2.jpg, :b: would become a sign.
    return Console(file=stream, highlight=False, emoji=False, soft_wrap=not stream.isatty())


def drop_stdout() -> None:
    """Let go of what stdout did not take: the interpreter would try again at its end, and fail in words of its own."""
    sys.stdout = io.StringIO()


def print_error(error: FervidError) -> None:
    """One or two lines on stderr: what was wrong, and what to do."""
    console = stderr()
    console.print(f"[bold red]error[/] ({error.code}): ", end="")
    console.print(escape_controls(error.message), markup=False)
    if error.advice:
        console.print(f"  {escape_controls(error.advice)}", markup=False)


def print_note(text: str) -> None:
    """One line on stderr."""
    # A console of its own would write into the line of a progress bar.
    print(escape_controls(text), file=sys.stderr)


def escape_controls(text: str) -> str:
    r"""Text for one line of a terminal: what would move its cursor, as in a name, is shown as ``\n``, ``\x1b``."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), escape_bytes(text))


def format_command(words: Sequence[str]) -> str:
    """A command as one line that the system's shell takes apart into these words again; cmd.exe keeps single quotes."""
    if os.name != "nt":
        return shlex.join(words)
    from subprocess import list2cmdline

    return list2cmdline(words)


@contextmanager
def show_progress(
    description: str, unit: str = "", *, beside_data: bool = False
) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar with speed and time left on stderr, when stderr is a terminal.

    Args:
        description: what is done.
        unit: of what is counted.
        beside_data: whether data goes to stdout meanwhile; on a terminal that shows both there is no bar then.

    Yields:
        A function of (done, total or None) to call as work goes on.
    """
    if not sys.stderr.isatty() or (beside_data and sys.stdout is not None and sys.stdout.isatty()):
        yield lambda _done, _total: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr(), transient=True) as progress:
        task = progress.add_task(description, total=None)

        def advance(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield advance


def write_output(destination: str, text: str) -> None:
    """Write text (UTF-8) to a file, whole or not at all; ``-`` is stdout.

    Raises:
        OutputError: it cannot be written.
    """
    from fervid.files import open_text

    with open_text(destination) as stream:
        stream.write(text)
