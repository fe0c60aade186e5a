"""Where films and their results lie. Every name is the server's own; nothing that a client says becomes one."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from fervid.web.errors import StorageError

RESULTS: Final = {
    "annotated.mp4": "video/mp4",
    "frames.csv": "text/csv; charset=utf-8",
    "frames.jsonl": "application/x-ndjson",
    "frames.parquet": "application/vnd.apache.parquet",
    "summary.json": "application/json",
    "timeline.json": "application/json",
    "timeline.png": "image/png",
}
"""The files that a film can have, and their media types; no other name is served."""

DESERTED_S: Final = 6 * 3600.0
"""A server of which nothing else is known has ended when it has not touched its folder for so long."""

_ID: Final = re.compile(r"[0-9a-f]{32}")


def create_id() -> str:
    """128 random bits."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Whether ``text`` can be an id."""
    return _ID.fullmatch(text) is not None


class FilmFolders:
    """The folders of films below one.

    ``jobs/ID/`` has the film, the journal of its reading and its results; ``servers/OWNER/`` what a server that runs is
    receiving, and a lock that tells whether it does run.

    Args:
        root: holds all of it; made if absent, readable by its owner alone.

    Raises:
        StorageError: it cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._jobs, self._servers = root / "jobs", root / "servers"
        try:
            for folder in (root, self._jobs, self._servers):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StorageError(
                f"cannot make the folder {root} ({error.strerror})", advice="Choose another with --data-dir."
            ) from None

    def of_job(self, job_id: str) -> Path:
        """The folder of a job."""
        if not is_id(job_id):
            raise ValueError(job_id)
        return self._jobs / job_id

    def film(self, job_id: str) -> Path:
        """The film that was handed over; gone once it has been read."""
        return self.of_job(job_id) / "film"

    def journal(self, job_id: str) -> Path:
        """What was read of it so far."""
        return self.of_job(job_id) / "journal"

    def results(self, job_id: str) -> Path:
        """The folder of its results."""
        return self.of_job(job_id) / "results"

    def result(self, job_id: str, name: str) -> Path | None:
        """A result, if it is there."""
        path = self.results(job_id) / name
        return path if name in RESULTS and path.is_file() else None

    def accept(self, job_id: str, upload: Path) -> Path:
        """Make a received file the film of a new job; returns where it is now."""
        self.results(job_id).mkdir(parents=True, mode=0o700)
        return upload.rename(self.film(job_id))

    def remove(self, job_id: str) -> None:
        """Remove everything of a job."""
        shutil.rmtree(self.of_job(job_id), ignore_errors=True)

    def remove_film(self, job_id: str) -> None:
        """Remove the film and the journal of its reading: it is read."""
        self.film(job_id).unlink(missing_ok=True)
        self.journal(job_id).unlink(missing_ok=True)

    def remove_results(self, job_id: str) -> None:
        """Remove what an ended reading left, whole files and parts; the film and its journal stay."""
        with contextlib.suppress(FileNotFoundError):
            for path in self.results(job_id).iterdir():
                path.unlink(missing_ok=True)

    def remove_strangers(self, known: set[str], older_than_s: float) -> int:
        """Remove folders of no job, once they are so old that a job of them would be gone as well."""
        count = 0
        for folder in self._jobs.iterdir():
            if folder.name not in known and is_id(folder.name) and _age(folder) > older_than_s:
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
        return count

    def list_servers(self) -> list[str]:
        """The servers that run or did not clear up."""
        return [folder.name for folder in self._servers.iterdir() if is_id(folder.name)]

    def of_server(self, owner: str) -> Path:
        """The folder of a server."""
        return self._servers / owner

    def is_alive(self, owner: str) -> bool | None:
        """Whether that server runs; None when it uses another folder, or the system has no such locks."""
        try:
            import fcntl

            with (self.of_server(owner) / "lock").open("r+b") as lock:  # NFS locks only what may be written
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except (ImportError, OSError):
            return None
        return False

    def is_deserted(self, owner: str) -> bool:
        """Whether that server has not said for hours that it uses its folder."""
        return _age(self.of_server(owner)) > DESERTED_S

    def remove_server(self, owner: str) -> None:
        """Remove what a dead server was receiving."""
        shutil.rmtree(self.of_server(owner), ignore_errors=True)

    def measure_free(self) -> int:
        """Free bytes of the disk."""
        return shutil.disk_usage(self.root).free


class ServerFolder:
    """The folder of a server that runs: locked, and removed at the end.

    Args:
        folders: among these.

    Attributes:
        owner: the server's id.
        path: of its folder, where uploads grow.

    Raises:
        StorageError: entered, it cannot be made.
    """

    def __init__(self, folders: FilmFolders) -> None:
        self.owner = create_id()
        self.path = folders.of_server(self.owner)
        self._folders = folders
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        # The folder appears with its lock held: another server must not take it for a dead one's.
        made = self.path.with_name(f".{self.owner}")
        try:
            made.mkdir(mode=0o700)
            self._lock = (made / "lock").open("wb")
            with contextlib.suppress(ImportError):
                import fcntl

                fcntl.flock(self._lock, fcntl.LOCK_EX)
            made.rename(self.path)
        except OSError as error:
            if self._lock is not None:
                self._lock.close()
            shutil.rmtree(made, ignore_errors=True)
            raise StorageError(
                f"cannot write in the folder {self._folders.root} ({error.strerror})",
                advice="Free some of its disk, or choose another with --data-dir.",
            ) from None
        return self

    def touch(self) -> None:
        """Say that the folder is in use, where no lock does."""
        with contextlib.suppress(OSError):
            os.utime(self.path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folders.remove_server(self.owner)
        if self._lock is not None:
            self._lock.close()


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
