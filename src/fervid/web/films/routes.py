"""``/videos``: films in, jobs and their results out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import PurePath
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from fervid.tracking.smoothing import SMOOTH_S
from fervid.web.errors import RequestError
from fervid.web.films.answers import JobAnswer, JobsAnswer, describe_job
from fervid.web.films.folders import RESULTS
from fervid.web.films.jobs import FilmOptions, Job
from fervid.web.films.service import FilmService
from fervid.web.films.uploads import FIELD
from fervid.web.films.worker import MOST_DRAWN
from fervid.web.labels import LABELS
from fervid.web.limits import Places, name_client
from fervid.web.ranges import PartialFileResponse
from fervid.web.settings import Settings

POLL_S: Final = 0.5
"""Watchers hear of a change after no more than this."""
ALIVE_S: Final = 15.0
"""Watchers hear something so often, or proxies would close the connection."""
MOST_WATCHERS: Final = 100

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": text,
        "content": {
            kind.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}} for kind in RESULTS.values()
        },
    }
    for status, text in ((200, "The file."), (206, "The range of it that was asked for."))
}
_ANNOTATED: Final = f"Make a film with faces marked, if its frames have {MOST_DRAWN:,} pixels at most."
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Events `job`.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


def create_router(settings: Settings, films: FilmService) -> APIRouter:
    """The routes. Bodies are limited by :class:`.BodyGuard`, and once more while the film is written."""
    router = APIRouter(prefix="/videos", tags=["films"])
    watchers = Watchers(films, settings)

    def describe(job: Job) -> JobAnswer:
        return JobAnswer(job=describe_job(job, films.folders, settings.film_hours))

    @router.post(
        "",
        status_code=202,
        openapi_extra=_BODY,
        description=f"Send a film of {settings.max_film_mb:g} MB and {settings.max_film_s:g} s at most, as the field "
        f"`{FIELD}` of a form. It is read by a job: follow that, then fetch its files. The film itself is deleted once "
        f"it is read; the results {settings.film_hours:g} hours later.",
    )
    async def read_film(
        request: Request,
        labels: Annotated[int, Query(ge=6, le=7, description=LABELS)] = 7,
        every_s: Annotated[
            float | None,
            Query(gt=0, le=3600, allow_inf_nan=False, description="One frame in so many seconds, not every one."),
        ] = None,
        smooth_s: Annotated[
            float, Query(ge=0, le=60, allow_inf_nan=False, description="Memory of the smoothed answers, s; 0 is off.")
        ] = SMOOTH_S,
        annotated: Annotated[bool, Query(description=_ANNOTATED)] = True,
    ) -> JobAnswer:
        """Hand over a film."""
        options = FilmOptions(labels, every_s, smooth_s, annotated)
        try:
            job = await films.receive(request, options)
        except ClientDisconnect:
            raise RequestError("the upload ended early", advice="Send the film again.") from None
        if await request.is_disconnected():  # taken back while it was looked at: nobody knows of the job
            await asyncio.to_thread(films.delete, job.id)
            raise RequestError("the upload was taken back", advice="Send the film again.")
        return await asyncio.to_thread(describe, job)

    @router.get("")
    def list_films() -> JobsAnswer:
        """The jobs of this server, the newest first."""
        jobs = films.store.list_newest()
        return JobsAnswer(jobs=[describe_job(job, films.folders, settings.film_hours) for job in jobs])

    @router.get("/{job_id}")
    def get_film(job_id: str) -> JobAnswer:
        """How far a film is."""
        return describe(films.find(job_id))

    @router.post("/{job_id}/cancel")
    def cancel_film(job_id: str) -> JobAnswer:
        """Stop reading a film."""
        return describe(films.cancel(job_id))

    @router.post("/{job_id}/retry")
    def retry_film(job_id: str) -> JobAnswer:
        """Read a failed or cancelled film again; what was read already is not read twice."""
        return describe(films.retry(job_id))

    @router.delete("/{job_id}", status_code=204)
    def delete_film(job_id: str) -> None:
        """Forget a film and all its files."""
        films.delete(job_id)

    @router.get("/{job_id}/files/{name}", response_class=Response, responses=_FILES)
    def get_file(
        job_id: str, name: str, download: Annotated[bool, Query(description="Save it instead of showing it.")] = False
    ) -> PartialFileResponse:
        """A result of a film that is done."""
        job, path = films.find_result(job_id, name)
        filename = f"{PurePath(job.name).stem}-{name}" if download else None
        # The same bytes for ever, but not after the film was deleted: asked for again each time.
        headers = {"Cache-Control": "private, no-cache"}
        return PartialFileResponse(path, media_type=RESULTS[name], filename=filename, headers=headers)

    @router.get("/{job_id}/events", response_class=StreamingResponse, responses=_EVENTS)
    async def watch_film(job_id: str, request: Request) -> StreamingResponse:
        """Server-sent events `job`, each with `{"job": …}`: now, on each change, and last when nothing more happens."""
        first = await asyncio.to_thread(films.find, job_id)
        client = name_client(request)
        watchers.places.check(client)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(watchers.watch(first, client), media_type="text/event-stream", headers=headers)

    return router


class Watchers:
    """Tells clients how jobs change.

    Args:
        films: whose.
        settings: of the server.

    Attributes:
        places: of those who watch.
    """

    def __init__(self, films: FilmService, settings: Settings) -> None:
        self.places = Places(MOST_WATCHERS, "pages watch films", retry_after_s=10)
        self._films = films
        self._settings = settings

    async def watch(self, job: Job | None, client: str) -> AsyncIterator[str]:
        """The lines of one client's stream."""
        with self.places.take(client):
            told, silent_s = "", 0.0
            while job is not None and not self._films.stopping.is_set():
                text = await asyncio.to_thread(self._describe, job)
                if text != told:
                    told, silent_s = text, 0.0
                    yield f"event: job\ndata: {text}\n\n"
                elif silent_s >= ALIVE_S:
                    silent_s = 0.0
                    yield ": still there\n\n"
                if job.is_settled:
                    return
                await asyncio.sleep(POLL_S)
                silent_s += POLL_S
                job = await asyncio.to_thread(self._films.store.find, job.id)

    def _describe(self, job: Job) -> str:
        return JobAnswer(job=describe_job(job, self._films.folders, self._settings.film_hours)).model_dump_json()
