"""The jobs in the database, and every step that one can take.

Each step is one statement that names the state it starts from, so that of two servers or threads one takes it and the
other sees that it did not.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, update

from fervid.web.database.engine import Database
from fervid.web.database.tables import FILM_JOBS
from fervid.web.films.jobs import SETTLED, FilmOptions, Job, Status

MOST_LISTED: Final = 200
_C: Final = FILM_JOBS.c
_TRIES: Final = 5


class JobStore:
    """Film jobs.

    Args:
        database: where.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(self, job: Job) -> None:
        """Add a new job."""
        row = dataclasses.asdict(job) | {"status": str(job.status), "warnings": list(job.warnings)}
        with self._database.write() as connection:
            connection.execute(insert(FILM_JOBS).values(row))

    def list_newest(self) -> list[Job]:
        """The newest :data:`MOST_LISTED` jobs, newest first."""
        order = (_C.created_at.desc(), _C.id)
        return self._select(_C.status != Status.DELETED, order=order, most=MOST_LISTED)

    def find(self, job_id: str) -> Job | None:
        """The job of that id, or None."""
        return next(iter(self._select(_C.id == job_id, _C.status != Status.DELETED)), None)

    def claim(self, owner: str) -> Job | None:
        """Take the job that has waited longest; None when there is none."""
        for _ in range(_TRIES):
            waiting = self._select(_C.status == Status.QUEUED, _C.owner.is_(None), order=(_C.queued_at, _C.id), most=1)
            if not waiting:
                return None
            job, now = waiting[0], self._clock()
            taken = self._update(
                and_(_C.id == job.id, _C.status == Status.QUEUED, _C.owner.is_(None)),
                status=str(Status.RUNNING),
                owner=owner,
                attempt=job.attempt + 1,
                started_at=now,
                heartbeat_at=now,
            )
            if taken:
                return self.find(job.id)
        return None  # others are quicker; the next look finds what they leave

    def list_owned(self, owner: str) -> list[Job]:
        """The jobs that ``owner`` reads or has not let go of, whatever became of them."""
        return self._select(_C.owner == owner)

    def beat(self, owner: str) -> None:
        """Say that ``owner`` lives."""
        self._update(_C.owner == owner, heartbeat_at=self._clock())

    def report(self, job: Job, *, progress: float, frames: int, seconds_left: float | None) -> bool:
        """Note how far reading is; False when the job is not to be read any more."""
        return self._update(_is_reading(job), progress=progress, frames=frames, seconds_left=seconds_left)

    def finish(self, job: Job, warnings: Sequence[str], frames: int) -> bool:
        """All results are there; False when nobody wants them any more.

        May be said again, when the answer was lost on the way.
        """
        return self._update(
            or_(_is_reading(job), and_(_C.id == job.id, _C.attempt == job.attempt, _C.status == Status.DONE)),
            status=str(Status.DONE),
            progress=1.0,
            frames=frames,
            seconds_left=0.0,
            warnings=list(warnings),
            finished_at=self._clock(),
        )

    def fail(self, job: Job, error: dict[str, str]) -> bool:
        """The film could not be read."""
        return self._update(_is_reading(job), **self._failed(error))

    def requeue(self, job: Job) -> bool:
        """Reading is given up for now: the server is being stopped."""
        return self._update(_is_reading(job), status=str(Status.QUEUED), seconds_left=None)

    def release(self, job: Job) -> None:
        """No process reads the film any more."""
        self._update(and_(_C.id == job.id, _C.owner == job.owner), owner=None, heartbeat_at=None)

    def cancel(self, job_id: str) -> bool:
        """Stop a job that waits or runs; whoever reads it sees that and stops."""
        return self._update(
            and_(_C.id == job_id, _C.status.in_((Status.QUEUED, Status.RUNNING))),
            status=str(Status.CANCELLED),
            seconds_left=None,
            finished_at=self._clock(),
        )

    def retry(self, job_id: str) -> bool:
        """Queue a failed or cancelled job again."""
        return self._update(
            and_(_C.id == job_id, _C.status.in_((Status.FAILED, Status.CANCELLED))),
            status=str(Status.QUEUED),
            queued_at=self._clock(),
            started_at=None,
            finished_at=None,
            progress=0.0,
            frames=0,
            seconds_left=None,
            warnings=[],
            error=None,
        )

    def delete(self, job_id: str) -> bool:
        """Nobody sees the job from now on; :meth:`list_deleted` has it until :meth:`purge`."""
        return self._update(
            and_(_C.id == job_id, _C.status != Status.DELETED), status=str(Status.DELETED), finished_at=self._clock()
        )

    def delete_settled(self, before: float) -> int:
        """Delete what was settled before that time."""
        settled = and_(_C.status.in_(SETTLED), _C.finished_at < before)
        return self._count(settled, status=str(Status.DELETED))

    def list_deleted(self) -> list[Job]:
        """Deleted jobs that no process reads any more."""
        return self._select(_C.status == Status.DELETED, _C.owner.is_(None))

    def purge(self, job_id: str) -> None:
        """Forget a deleted job."""
        with self._database.write() as connection:
            connection.execute(delete(FILM_JOBS).where(_C.id == job_id, _C.status == Status.DELETED))

    def list_ids(self) -> set[str]:
        """The ids of all jobs, deleted ones included."""
        with self._database.read() as connection:
            return set(connection.execute(select(_C.id)).scalars())

    def list_owners(self) -> dict[str, float]:
        """When each server that holds a job last said that it lives."""
        with self._database.read() as connection:
            rows = connection.execute(select(_C.owner, _C.heartbeat_at).where(_C.owner.is_not(None)))
            owners: dict[str, float] = {}
            for owner, heartbeat_at in rows:
                owners[owner] = max(owners.get(owner, 0.0), heartbeat_at or 0.0)
            return owners

    def abandon(self, owner: str, error: dict[str, str]) -> list[Job]:
        """A server is dead: what it read has failed, and is free to be read again.

        Returns:
            What it held.
        """
        held = self.list_owned(owner)
        self._count(and_(_C.owner == owner, _C.status == Status.RUNNING), **self._failed(error))
        self._update(_C.owner == owner, owner=None, heartbeat_at=None)
        return held

    def count_waiting(self) -> int:
        """How many jobs wait or are read."""
        query = select(func.count()).select_from(FILM_JOBS).where(_C.status.in_((Status.QUEUED, Status.RUNNING)))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def _failed(self, error: dict[str, str]) -> dict[str, Any]:
        return {
            "status": str(Status.FAILED),
            "error": error,
            "seconds_left": None,
            "finished_at": self._clock(),
        }

    def _select(self, *where: ColumnElement[bool], order: Sequence[Any] = (), most: int | None = None) -> list[Job]:
        query = select(FILM_JOBS).where(*where).order_by(*order).limit(most)
        with self._database.read() as connection:
            return [_read(row) for row in connection.execute(query)]

    def _update(self, where: ColumnElement[bool], **values: Any) -> bool:
        return self._count(where, **values) > 0

    def _count(self, where: ColumnElement[bool], **values: Any) -> int:
        with self._database.write() as connection:
            return connection.execute(update(FILM_JOBS).where(where).values(values)).rowcount


def _is_reading(job: Job) -> ColumnElement[bool]:
    return and_(_C.id == job.id, _C.owner == job.owner, _C.attempt == job.attempt, _C.status == Status.RUNNING)


def _read(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    values |= {
        "status": Status(values["status"]),
        "options": FilmOptions(**values["options"]),
        "warnings": tuple(values["warnings"]),
    }
    return Job(**values)
