"""The web app, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

import fervid
from fervid.web import health
from fervid.web.errors import ErrorGuard, install_error_handlers
from fervid.web.security import SecurityGuard
from fervid.web.settings import API, Settings
from fervid.web.workers import Workers


def create_app(settings: Settings) -> FastAPI:
    """The app of one server.

    Networks are loaded here, so that a wrong model ends the start. Everything else begins in the lifespan, in the order
    written there, and ends in reverse.

    Raises:
        ModelError: the model or detector is unknown, damaged or not on this machine.
    """
    workers = Workers(settings)

    @asynccontextmanager
    async def run_services(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as services:
            await services.enter_async_context(workers)
            yield

    app = FastAPI(
        title="fervid",
        version=fervid.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        lifespan=run_services,
    )
    install_error_handlers(app)
    app.include_router(health.create_router(settings, workers), prefix=API)
    app.add_middleware(ErrorGuard)
    app.add_middleware(SecurityGuard, settings=settings)  # outermost: the last one added
    return app
