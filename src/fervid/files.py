"""Files are found by patterns, and appear whole or not at all."""

from __future__ import annotations

import errno
import glob
import io
import os
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from fervid.errors import OutputError, UsageError

STDOUT: Final = "-"
"""What stands for stdout where a file is asked for."""


_NO_FILE: Final = "it is a folder, a device or a pipe"


def check_destinations(
    places: Mapping[str, str],
    *,
    tables: Collection[str],
    media: Collection[str],
    sources: Iterable[str | Path] = (),
) -> None:
    """Find outputs that would be lost, or destroy something, before any of them is begun.

    Args:
        places: of the outputs, by what they are called; ``-`` is stdout.
        tables: names of those that are no pictures and no films.
        media: endings of pictures or films, which no table has: ``--csv *.jpg`` would name one of the inputs.
        sources: what is read.

    Raises:
        UsageError: two outputs share a place, one takes that of a picture, a film or a source, or is no file.
    """
    taken: dict[str, str] = {}
    for name, place in places.items():
        if not place:
            raise UsageError(f"{name} is empty", advice="Name a file, or - for stdout.")
        if place != STDOUT and os.path.exists(place) and not os.path.isfile(place):  # noqa: PTH110, PTH113
            raise UsageError(f"cannot write to {place}: {_NO_FILE}", advice="Name a file, or - for stdout.")
        target = place if place == STDOUT else os.path.realpath(place)
        if target in taken:
            shown = "stdout" if place == STDOUT else place
            raise UsageError(f"both {taken[target]} and {name} go to {shown}", advice="Give each a place of its own.")
        taken[target] = name
        if name in tables and Path(place).suffix.lower() in media:
            raise UsageError(
                f"{place} would be overwritten with a table", advice=f"{name} takes a name to write to, or -."
            )
        if place != STDOUT and any(_is_same(place, source) for source in sources):
            raise UsageError(f"{place} would be overwritten while it is read", advice="Give another name.")


def _is_same(place: str, source: str | Path) -> bool:
    try:
        return Path(place).samefile(source)
    except (OSError, ValueError):  # one is not there, or no path at all
        return False


def find_matches(pattern: str) -> list[str]:
    """The files and folders that a glob means, in the order of names; none when nothing matches.

    ``**`` stands for any folders but hidden ones, and at the end for all that is in them. Unlike :func:`glob.glob`'s it
    enters a folder once, whatever links lead there: past two that lead back up, that one finds no end. Of several paths
    the one without links stays.
    """
    return sorted({str(Path(path)) for path in _match(os.curdir, Path(pattern).parts)})


def _match(root: str, parts: tuple[str, ...]) -> Iterator[str]:
    """Paths below ``root`` that fit a pattern's parts."""
    cut = parts.index("**") if "**" in parts else len(parts)
    matches = glob.glob(str(Path(*parts[:cut])), root_dir=root)  # noqa: PTH207 - absolute patterns are allowed
    found = [os.path.join(root, path) for path in matches]  # noqa: PTH118
    if cut == len(parts):
        yield from found
        return
    rest = parts[cut + 1 :]
    while rest[:1] == ("**",):
        rest = rest[1:]
    for place in found:
        for folder, _ in walk_folders(place, hidden=False):
            yield from _match(folder, rest or ("*",))


def walk_folders(
    top: str, *, hidden: bool = True, on_error: Callable[[OSError], object] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """A folder and those below it, each once, with the names of its files.

    Links to folders are entered when the others have been; they may lead back up. Of several links to one folder the
    same is entered every time.

    Args:
        top: the folder to begin with.
        hidden: whether folders below it whose names begin with a dot are entered.
        on_error: is told of a folder that cannot be listed, which is passed over.
    """
    seen: set[str] = set()
    waiting = deque([top])
    while waiting:
        for folder, names, files in os.walk(waiting.popleft(), onerror=on_error):
            real = os.path.realpath(folder)
            if real in seen:
                names.clear()
                continue
            seen.add(real)
            names[:] = sorted(name for name in names if hidden or not name.startswith("."))
            paths = [os.path.join(folder, name) for name in names]  # noqa: PTH118
            waiting.extend(path for path in paths if os.path.islink(path))  # noqa: PTH114
            yield folder, files


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Yield a ``.part`` path beside ``path`` to write to; it takes the final name when the block ends without an error.

    The folder is made if absent. On an error, an interrupt included, the part is removed and an existing file at
    ``path`` stays as it was. A link stays one; a folder, a device or a pipe is refused, which the part would replace.
    Of several that write the same path at the same time, the last to end has it, whole.
    """
    final = Path(os.path.realpath(path))
    if final.exists() and not final.is_file():
        raise OSError(errno.EINVAL, _NO_FILE, str(path))
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f".{os.urandom(8).hex()}.part")  # the final name may be as long as a name can be
    try:
        yield part
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def explain_failures(place: str | Path) -> Iterator[None]:
    """The system's errors as :class:`OutputError` of this place, except that the reader of stdout has left."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError.for_place("stdout" if place == STDOUT else place, error) from None


@contextmanager
def make_file(path: str | Path) -> Iterator[Path]:
    """:func:`write_atomically`, for a file that is all that the block writes.

    Raises:
        OutputError: it cannot be written.
    """
    with explain_failures(path), write_atomically(path) as part:
        yield part


@contextmanager
def open_text(place: str) -> Iterator[IO[str]]:
    """Open a file of text (UTF-8) that appears, whole, when the block ends without an error; ``-`` is stdout.

    Raises:
        OutputError: it cannot be written.
    """
    if place == STDOUT:
        if sys.stdout is None:
            raise OutputError("cannot write stdout (it is closed)", advice="Leave it open, or name a file.")
        with explain_failures(place):
            if isinstance(sys.stdout, io.TextIOWrapper):  # data are as in a file, whatever the terminal's encoding is
                sys.stdout.reconfigure(encoding="utf-8", errors=sys.stdout.errors)
            yield sys.stdout
        return
    with make_file(place) as part, part.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def write_file(path: str | Path, content: str | bytes) -> None:
    """Write a file of text (UTF-8) or bytes, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with make_file(path) as part:
        if isinstance(content, str):
            part.write_text(content, encoding="utf-8")
        else:
            part.write_bytes(content)
