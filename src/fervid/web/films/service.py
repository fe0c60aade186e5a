"""Films of one server: from the upload to the results."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from starlette.requests import Request

from fervid.errors import InputError, SizeError, VideoError
from fervid.web.database.engine import Database
from fervid.web.errors import ConflictError, InternalError, NotFoundError, StorageError, TooManyError
from fervid.web.films.folders import FilmFolders, ServerFolder, create_id, is_id
from fervid.web.films.jobs import FilmOptions, Job, Status
from fervid.web.films.processes import run_probe
from fervid.web.films.runner import FilmRunner
from fervid.web.films.store import JobStore
from fervid.web.films.uploads import Upload, receive_film
from fervid.web.films.worker import ProbeTask
from fervid.web.limits import Places, drain, name_client
from fervid.web.settings import MEGABYTE, Settings

MOST_UPLOADS: Final = 4
"""Films that are received at the same time."""
MOST_WAITING: Final = 100
"""Films that wait or are read; no more are taken."""
RESERVE_BYTES: Final = 200 * MEGABYTE
"""The disk is never filled further than to this much."""

_PROBLEMS: Final = {kind.code: kind for kind in (VideoError, SizeError, InputError)}


class FilmService:
    """Films of one server. Its methods block, but for :meth:`receive`; call them in a thread.

    Args:
        settings: of the server.
        database: with the jobs.

    Attributes:
        folders: where the files are.
        store: the jobs.
        stopping: set when the server is to end: nobody is told of jobs any more.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.stopping = threading.Event()
        self.store = JobStore(database)
        self.folders = FilmFolders(settings.data_dir / "films")
        self._settings = settings
        self._places = Places(MOST_UPLOADS, "films are being received", retry_after_s=10)
        self._stack = ExitStack()
        self._server: ServerFolder | None = None
        self._runner: FilmRunner | None = None

    async def receive(self, request: Request, options: FilmOptions) -> Job:
        """Take a film from a request, look what it is, and queue it.

        Raises:
            InputError: it is no film, too long, or has too many pixels.
            WebError: it is too large, the disk is full, or too much is going on; see :func:`.uploads.receive_film`.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._places.take(name_client(request)))
                await asyncio.to_thread(self._check_room, request)
            except (StorageError, TooManyError):
                await drain(request.receive)  # a client that still sends may never read the answer
                raise
            if self._server is None:
                raise InternalError("the server has not started")
            job_id = create_id()
            part = self._server.path / f"{job_id}.part"
            upload = await receive_film(
                request, part, int(self._settings.max_film_mb * MEGABYTE), measure_spare=self._measure_spare
            )
            try:
                return await asyncio.to_thread(self._queue, job_id, upload, options)
            finally:
                part.unlink(missing_ok=True)

    def find(self, job_id: str) -> Job:
        """The job.

        Raises:
            NotFoundError: there is none of that id.
        """
        job = self.store.find(job_id) if is_id(job_id) else None
        if job is None:
            raise NotFoundError("there is no such film", advice="It may have been deleted; see the list of films.")
        return job

    def cancel(self, job_id: str) -> Job:
        """Stop a job; one that is cancelled already stays so.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: it is done, or has failed.
        """
        job = self.find(job_id)
        if not self.store.cancel(job_id):
            job = self.find(job_id)
            if job.status is not Status.CANCELLED:
                raise ConflictError(f"the film is {job.status}", advice="There is nothing to stop.")
        self._wake()
        return self.find(job_id)

    def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: it is none of both, or its film has gone.
        """
        job = self.find(job_id)
        if not self.folders.film(job_id).is_file() and job.status is not Status.DONE:
            raise ConflictError("the film has gone from the server's disk", advice="Hand it over again.")
        if not self.store.retry(job_id):
            raise ConflictError(
                f"the film is {self.find(job_id).status}", advice="Only failed and cancelled ones are read again."
            )
        self._wake()
        return self.find(job_id)

    def delete(self, job_id: str) -> None:
        """Forget a job and all its files, at once where nobody reads it, else as soon as its process has ended.

        Raises:
            NotFoundError: there is none of that id.
        """
        self.find(job_id)
        self.store.delete(job_id)
        for job in self.store.list_deleted():
            if job.id == job_id:
                self.folders.remove(job_id)
                self.store.purge(job_id)
        self._wake()

    def find_result(self, job_id: str, name: str) -> tuple[Job, Path]:
        """A result file of a film that is done.

        Raises:
            NotFoundError: there is no such job, or it has no such file.
        """
        job = self.find(job_id)
        path = self.folders.result(job_id, name) if job.status is Status.DONE else None
        if path is None:
            raise NotFoundError("the film has no such file", advice="See the files of its job.")
        return job, path

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._stack.close)

    def _start(self) -> None:
        self._server = self._stack.enter_context(ServerFolder(self.folders))
        self._runner = FilmRunner(self._settings, self.store, self.folders, self._server)
        self._stack.callback(self._runner.stop)
        self._runner.start()

    def _check_room(self, request: Request) -> None:
        """Whether a film of the size that the request declares may come."""
        if self.store.count_waiting() >= MOST_WAITING:
            raise TooManyError(f"{MOST_WAITING} films are waiting already", retry_after_s=60)
        declared = request.headers.get("content-length", "0")
        size = int(declared) if declared.isascii() and declared.isdecimal() else 0
        if self._measure_spare() < size:
            raise StorageError(
                f"the server's disk has no room for a film of {size / MEGABYTE:.3g} MB",
                advice="Delete films that are not needed.",
            )

    def _measure_spare(self) -> int:
        """Bytes that films may still fill."""
        return self.folders.measure_free() - RESERVE_BYTES

    def _queue(self, job_id: str, upload: Upload, options: FilmOptions) -> Job:
        settings = self._settings
        facts = run_probe(ProbeTask(str(upload.path), upload.name, settings.film_pixels, settings.max_film_s))
        if (error := facts.get("error")) is not None:
            kind = _PROBLEMS.get(error["code"], InternalError)
            raise kind(error["message"], advice=error["advice"])
        now = time.time()
        job = Job(
            id=job_id,
            name=upload.name,
            status=Status.QUEUED,
            bytes=upload.bytes,
            width=facts["width"],
            height=facts["height"],
            duration_s=facts["duration_s"],
            options=options,
            created_at=now,
            queued_at=now,
        )
        self.folders.accept(job_id, upload.path)
        try:
            self.store.add(job)
        except BaseException:
            self.folders.remove(job_id)
            raise
        self._wake()
        return job

    def _wake(self) -> None:
        if self._runner is not None:
            self._runner.wake()
