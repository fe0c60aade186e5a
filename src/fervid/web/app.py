"""The web app, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

import fervid
from fervid.web import apidocs, health, images, live, models, pages
from fervid.web.database.engine import Database
from fervid.web.database.statements import StatementStore
from fervid.web.errors import ErrorGuard, install_error_handlers
from fervid.web.films import routes as film_routes
from fervid.web.films.service import FilmService
from fervid.web.limits import FORM_BYTES, BodyGuard, RateGuard, SocketGuard
from fervid.web.rooms.routes import create_routers
from fervid.web.rooms.service import Rooms
from fervid.web.schemas import ErrorAnswer
from fervid.web.security import SecurityGuard
from fervid.web.settings import API, MEGABYTE, Settings
from fervid.web.workers import Workers


def create_app(settings: Settings) -> FastAPI:
    """The app of one server.

    Networks are loaded and the database is opened here, so that a wrong one ends the start. Everything else begins in
    the lifespan, in the order written there, and ends in reverse. Whoever runs the app finds in its ``state`` why that
    did not begin (``failure``, an exception or None), and what ends the answers that last as long as a film is read
    (``stop_watching()``).

    Raises:
        ModelError: the model or detector is unknown, damaged or not on this machine.
        WebError: the database or the data folder cannot be used.
        MissingExtraError: the database needs an extra.
    """
    workers = Workers(settings)
    database = Database(settings.database_url)
    rooms = Rooms(settings, record_statement=StatementStore(database).record)
    films = FilmService(settings, database)

    @asynccontextmanager
    async def run_services(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as services:
            services.callback(database.close)
            try:
                await services.enter_async_context(workers)
                await services.enter_async_context(rooms)
                await services.enter_async_context(films)
            except Exception as error:
                app.state.failure = error
                raise
            yield

    app = FastAPI(
        title="fervid",
        version=fervid.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        description=apidocs.DESCRIPTION,
        lifespan=run_services,
        responses={"default": {"model": ErrorAnswer, "description": "What was wrong, and what to do."}},
    )
    app.state.failure = None
    app.state.stop_watching = films.stopping.set
    install_error_handlers(app)
    app.include_router(health.create_router(settings, workers), prefix=API)
    app.include_router(images.create_router(settings, workers), prefix=API)
    app.include_router(models.create_router(settings), prefix=API)
    app.include_router(film_routes.create_router(settings, films), prefix=API)
    app.include_router(live.create_router(workers))
    rooms_rest, rooms_sockets = create_routers(rooms)
    app.include_router(rooms_rest, prefix=API)
    app.include_router(rooms_sockets)
    app.include_router(apidocs.create_router(app))
    built = pages.Pages()
    app.include_router(pages.create_router(built))
    pages.install_files(app, built)
    # Those added last see a request first.
    larger = {
        f"{API}/images": int(settings.max_upload_mb * MEGABYTE) + FORM_BYTES,
        f"{API}/videos": int(settings.max_film_mb * MEGABYTE) + FORM_BYTES,
    }
    app.add_middleware(BodyGuard, larger=larger)
    app.add_middleware(SocketGuard)
    app.add_middleware(RateGuard)
    app.add_middleware(ErrorGuard)
    app.add_middleware(SecurityGuard, settings=settings)
    return app
