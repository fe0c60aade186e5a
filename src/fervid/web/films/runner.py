"""The threads that give queued films to processes, watch them, and clear up after servers that died."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from fervid.web.errors import DatabaseError
from fervid.web.films.folders import FilmFolders, ServerFolder
from fervid.web.films.jobs import Job, Status
from fervid.web.films.processes import WorkerProcess
from fervid.web.films.store import JobStore
from fervid.web.films.worker import INTERNAL, ReadTask
from fervid.web.settings import Settings

LOG: Final = logging.getLogger("fervid.web.films")

TICK_S: Final = 0.5
BEAT_S: Final = 5.0
SWEEP_S: Final = 30.0
STALE_S: Final = 60.0
"""A server of another machine that has not said for so long that it lives is dead."""
STOP_S: Final = 10.0
_PACE_S: Final = 20.0

STOPPED: Final = {
    "code": "web.stopping",
    "message": "the server stopped while it read this film",
    "advice": "Run it again: it goes on where it stopped.",
}
MISSING: Final = {
    "code": "web.not_found",
    "message": "the film has gone from the server's disk",
    "advice": "Hand it over again.",
}


class Pace:
    """Estimates when a reading ends from how fast it has been lately; what a journal held went faster."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, float]] = deque()

    def estimate(self, progress: float, now_s: float) -> float | None:
        """Seconds left; None before there is anything to go by."""
        self._marks.append((now_s, progress))
        while now_s - self._marks[0][0] > _PACE_S:
            self._marks.popleft()
        began_s, before = self._marks[0]
        if now_s - began_s < 1 or progress <= before:
            return None
        return (1 - progress) * (now_s - began_s) / (progress - before)


class FilmRunner:
    """Reads the queued films of a database, so many at a time.

    Args:
        settings: of the server.
        store: the jobs.
        folders: their files.
        server: this server's own folder, whose name is the owner of what it reads.
    """

    def __init__(self, settings: Settings, store: JobStore, folders: FilmFolders, server: ServerFolder) -> None:
        self._settings = settings
        self._store = store
        self._folders = folders
        self._server = server
        self._owner = server.owner
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._readings: dict[str, _Reading] = {}
        self._thread = threading.Thread(target=self._run, name="fervid-films", daemon=True)
        self._beat_s = self._sweep_s = -1e9

    def start(self) -> None:
        """Clear up, and begin."""
        self._thread.start()

    def wake(self) -> None:
        """Something has changed: look now."""
        self._wake.set()

    def stop(self) -> None:
        """End all readings; their films are queued again and go on with the next server."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._step()
            except DatabaseError:  # in the log already
                self._sweep_s = time.monotonic()  # other servers could not say either that they live
                self._stopping.wait(BEAT_S)
            except Exception:
                LOG.exception("looking after films failed")
                self._stopping.wait(BEAT_S)  # the next look may fail alike
            self._wake.wait(TICK_S)
        for reading in self._readings.values():
            reading.stop()
        for reading in self._readings.values():
            reading.join(STOP_S)

    def _step(self) -> None:
        now_s = time.monotonic()
        if now_s - self._sweep_s >= SWEEP_S:
            self._sweep_s = now_s
            self._recover()
            self._expire()
        self._readings = {key: reading for key, reading in self._readings.items() if reading.is_alive()}
        if self._readings and now_s - self._beat_s >= BEAT_S:
            self._beat_s = now_s
            self._store.beat(self._owner)
        self._compare(self._store.list_owned(self._owner))
        while len(self._readings) < self._settings.film_jobs:
            job = self._store.claim(self._owner)
            if job is None:
                break
            reading = _Reading(job, self._settings, self._store, self._folders, self._stopping, self._wake)
            self._readings[job.id] = reading
            reading.start()
        for job in self._store.list_deleted():
            self._folders.remove(job.id)
            self._store.purge(job.id)

    def _compare(self, owned: list[Job]) -> None:
        """Stop readings that are not wanted any more; let go of jobs whose end the database did not take."""
        wanted = {(job.id, job.attempt) for job in owned if job.status == Status.RUNNING}
        for reading in self._readings.values():
            reading.check()
            if (reading.job.id, reading.job.attempt) not in wanted:
                reading.stop()
        for job in owned:
            if job.id not in self._readings:
                self._store.fail(job, INTERNAL)
                self._store.release(job)

    def _recover(self) -> None:
        """What dead servers were reading has failed; what they were receiving goes."""
        self._server.touch()
        running = {self._owner}
        for owner, heartbeat_at in self._store.list_owners().items():
            alive = self._folders.is_alive(owner)
            if alive or (alive is None and time.time() - heartbeat_at < STALE_S):
                running.add(owner)
            elif owner not in running:
                for job in self._store.abandon(owner, STOPPED):
                    if job.status is Status.DONE:  # it died before it let go of it: the results are whole
                        self._folders.remove_film(job.id)
                        continue
                    LOG.warning("a server died while it read the film %s", job.id)
                    self._folders.remove_results(job.id)
        for owner in self._folders.list_servers():
            if owner in running:
                continue
            alive = self._folders.is_alive(owner)
            if alive is False or (alive is None and self._folders.is_deserted(owner)):
                self._folders.remove_server(owner)

    def _expire(self) -> None:
        """What is older than the operator keeps it is deleted."""
        keep_s = self._settings.film_hours * 3600
        self._store.delete_settled(time.time() - keep_s)
        self._folders.remove_strangers(self._store.list_ids(), keep_s)


class _Reading(threading.Thread):
    """One film while it is read."""

    def __init__(
        self,
        job: Job,
        settings: Settings,
        store: JobStore,
        folders: FilmFolders,
        stopping: threading.Event,
        wake: threading.Event,
    ) -> None:
        super().__init__(name=f"fervid-film-{job.id[:8]}", daemon=True)
        self.job = job
        self._settings = settings
        self._store = store
        self._folders = folders
        self._stopping = stopping
        self._wake = wake
        self._process: WorkerProcess | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End it now."""
        self._stopped.set()
        if self._process is not None:
            self._process.kill()

    def check(self) -> None:
        """End it if its process hangs."""
        if self._process is not None:
            self._process.kill_silent()

    def run(self) -> None:
        with contextlib.suppress(DatabaseError):  # the server stops; the next one sees that nobody let go of the film
            try:
                self._read()
            except DatabaseError:
                raise
            except Exception:
                LOG.exception("reading a film failed")
                self._insist(lambda: self._store.fail(self.job, INTERNAL))
            self._store.release(self.job)  # or the runner does, once it can
        self._wake.set()

    def _read(self) -> None:
        job, folders = self.job, self._folders
        film = folders.film(job.id)
        if not film.is_file():
            self._insist(lambda: self._store.fail(job, MISSING))
            return
        folders.remove_results(job.id)
        last: dict[str, Any] = {}
        with WorkerProcess(self._plan(job)) as process:
            self._process = process
            if self._stopped.is_set():
                process.kill()
            pace = Pace()
            for message in process.read_messages():
                last = message
                if message["event"] == "progress":
                    left_s = pace.estimate(message["progress"], time.monotonic())
                    self._report(message["progress"], message["frames"], left_s)
            end = process.describe_end()
        self._conclude(last, end)

    def _conclude(self, last: dict[str, Any], end: str) -> None:
        job, folders = self.job, self._folders
        if last.get("event") == "done":
            if self._insist(lambda: self._store.finish(job, last["warnings"], last["frames"])):
                folders.remove_film(job.id)
                return
        elif last.get("event") == "failed":
            self._insist(lambda: self._store.fail(job, last["error"]))
        elif self._stopping.is_set():
            self._insist(lambda: self._store.requeue(job))
        elif not self._stopped.is_set():
            LOG.error("the process that read a film ended: %s", end)
            self._insist(lambda: self._store.fail(job, INTERNAL))
        folders.remove_results(job.id)

    def _report(self, progress: float, frames: int, left_s: float | None) -> None:
        # A moment without the database costs nothing but this news.
        self._settle(lambda: self._store.report(self.job, progress=progress, frames=frames, seconds_left=left_s))

    def _insist(self, step: Callable[[], bool]) -> bool:
        """Take a step as soon as the database lets it: what became of a film must not be lost with it.

        Raises:
            DatabaseError: it does not answer, and the server stops.
        """
        while True:
            try:
                return step()
            except DatabaseError:
                if self._stopping.is_set():
                    raise
            self._stopping.wait(BEAT_S)

    def _settle(self, step: Callable[[], object]) -> None:
        with contextlib.suppress(DatabaseError):
            step()

    def _plan(self, job: Job) -> ReadTask:
        settings, options = self._settings, job.options
        return ReadTask(
            film=str(self._folders.film(job.id)),
            name=job.name,
            journal=str(self._folders.journal(job.id)),
            results=str(self._folders.results(job.id)),
            model=settings.video_model,
            detector=settings.detector,
            threads=settings.threads,
            max_pixels=settings.film_pixels,
            max_s=settings.max_film_s,
            labels=options.labels,
            every_s=options.every_s,
            smooth_s=options.smooth_s,
            annotated=options.annotated,
        )
