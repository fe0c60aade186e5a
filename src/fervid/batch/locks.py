"""One run at a time writes to a folder, and none begins before the processes of the last one are gone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from fervid.errors import FervidError, OutputError, UsageError

try:
    import fcntl
except ModuleNotFoundError:
    raise FervidError(
        "fervid batch needs the file locks of a POSIX system, and this system has none",
        advice="Run it on Linux or macOS; on Windows in WSL or Docker.",
    ) from None

_DRIVER: Final = ".driver.lock"
_WORKERS: Final = ".workers.lock"
_PATIENCE_S: Final = 30.0
_STEP_S: Final = 0.05


@contextlib.contextmanager
def hold_lock(out: Path) -> Iterator[None]:
    """Be the only driver of ``out``.

    Raises:
        UsageError: another run writes there.
        OutputError: nobody can.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        driver = (out / _DRIVER).open("w")
    except OSError as error:
        raise OutputError.for_place(out, error, advice="Choose another --out.") from None
    with driver, (out / _WORKERS).open("w") as workers:
        if not _try(driver):
            raise UsageError(f"another run is writing to {out}", advice="Wait for it, or choose another --out.")
        deadline = time.monotonic() + _PATIENCE_S
        while not _try(workers):
            if time.monotonic() > deadline:
                raise UsageError(f"workers of an earlier run still write to {out}", advice="End them first.")
            time.sleep(_STEP_S)
        fcntl.flock(workers, fcntl.LOCK_UN)
        yield


@contextlib.contextmanager
def share_lock(out: Path) -> Iterator[None]:
    """Be one of the workers of ``out``.

    Raises:
        OSError: it cannot be locked.
    """
    with (out / _WORKERS).open("a+") as workers:  # over NFS a shared lock is of a file that may be read
        fcntl.flock(workers, fcntl.LOCK_SH)
        yield


def _try(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise OutputError(
            f"cannot lock {file.name} ({error.strerror})", advice="Give an --out on a file system that has locks."
        ) from None
    return True
