"""Film jobs as clients see them."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from fervid.web.films.folders import RESULTS, FilmFolders
from fervid.web.films.jobs import Job, Status
from fervid.web.labels import LABELS
from fervid.web.schemas import ErrorBody, Share
from fervid.web.settings import API


class FileModel(BaseModel):
    """A result."""

    name: str = Field(description="One of " + ", ".join(RESULTS) + ".")
    media_type: str
    bytes: int
    url: str = Field(description="On this server; takes ranges, and ?download=1 to be saved.")


class OptionsModel(BaseModel):
    """How the film is read."""

    labels: int = Field(description=f"As asked for. {LABELS}")
    every_s: float | None
    smooth_s: float
    annotated: bool


class JobModel(BaseModel):
    """A film that is read, was read or will be."""

    id: str
    status: str = Field(
        description="queued, running, done, failed or cancelled.",
        json_schema_extra={"enum": [str(s) for s in Status if s is not Status.DELETED]},
    )
    progress: Share
    seconds_left: float | None = Field(description="An estimate; null before there is one.")
    created: datetime
    finished: datetime | None = Field(description="When it was done, failed or cancelled.")
    expires: datetime | None = Field(description="When it will be deleted with all its files; null while it runs.")
    name: str = Field(description="What it was called when it was handed over.")
    bytes: int = Field(description="Of the film.")
    size: list[int] = Field(description="Width, height of its frames, px.", min_length=2, max_length=2)
    duration_s: float | None = Field(description="By the film's headers, which may be wrong; null if they say nothing.")
    frames: int = Field(description="So many are read.")
    options: OptionsModel
    warnings: list[str] = Field(description="What is wrong with the film, in words.")
    error: ErrorBody | None = Field(description="Why it failed.")
    files: list[FileModel] = Field(description="The results; none before it is done.")


class JobAnswer(BaseModel):
    """One job."""

    job: JobModel


class JobsAnswer(BaseModel):
    """The jobs of this server, the newest first."""

    jobs: list[JobModel]


def describe_job(job: Job, folders: FilmFolders, film_hours: float) -> JobModel:
    """A job as clients see it."""
    options = job.options
    finished = None if job.finished_at is None or not job.is_settled else job.finished_at
    return JobModel(
        id=job.id,
        status=str(job.status),
        progress=job.progress,
        seconds_left=None if job.seconds_left is None else round(job.seconds_left, 1),
        created=_tell_time(job.created_at),
        finished=None if finished is None else _tell_time(finished),
        expires=None if finished is None else _tell_time(finished + film_hours * 3600),
        name=job.name,
        bytes=job.bytes,
        size=[job.width, job.height],
        duration_s=None if job.duration_s is None else round(job.duration_s, 3),
        frames=job.frames,
        options=OptionsModel(
            labels=options.labels, every_s=options.every_s, smooth_s=options.smooth_s, annotated=options.annotated
        ),
        warnings=list(job.warnings),
        error=None if job.error is None else ErrorBody(**job.error),
        files=_list_files(job, folders) if job.status is Status.DONE else [],
    )


def _list_files(job: Job, folders: FilmFolders) -> list[FileModel]:
    files = []
    for name, media_type in RESULTS.items():
        url = f"{API}/videos/{job.id}/files/{name}"
        with contextlib.suppress(FileNotFoundError):  # it has none of that name, or is being deleted
            size = (folders.results(job.id) / name).stat().st_size
            files.append(FileModel(name=name, media_type=media_type, bytes=size, url=url))
    return files


def _tell_time(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds, 3), UTC)
