"""``GET /health``: that the server is up, and what it is."""

from __future__ import annotations

import time

from fastapi import APIRouter
from pydantic import BaseModel, Field

import fervid
from fervid.web.settings import Settings
from fervid.web.workers import Workers


class Limits(BaseModel):
    """What the server takes."""

    max_upload_mb: float = Field(description="Of a picture, 10⁶ bytes.")
    max_pixels: int = Field(description="Width × height of a picture.")
    max_film_mb: float = Field(description="Of a film, 10⁶ bytes.")
    max_film_s: float = Field(description="Duration of a film, s.")


class Health(BaseModel):
    """That the server is up, and what it is."""

    status: str = Field(description="Always ok.", examples=["ok"])
    version: str = Field(description="Of fervid.")
    model: str = Field(description="The network that reads expressions, name@sha256[:12].")
    video_model: str = Field(description="What reads films and cameras.")
    detector: str = Field(description="What finds faces.")
    uptime_s: float = Field(description="Since the start, s.")
    limits: Limits


def create_router(settings: Settings, workers: Workers) -> APIRouter:
    """The route ``/health``."""
    router = APIRouter(tags=["server"])
    started = time.monotonic()

    @router.get("/health")
    async def get_health() -> Health:
        """Whether the server is up, and what it is."""
        analyzer = workers.analyzer
        return Health(
            status="ok",
            version=fervid.__version__,
            model=analyzer.classifier.identity,
            video_model=workers.video_analyzer.classifier.identity,
            detector=analyzer.detector.name,
            uptime_s=round(time.monotonic() - started, 3),
            limits=Limits(
                max_upload_mb=settings.max_upload_mb,
                max_pixels=settings.max_pixels,
                max_film_mb=settings.max_film_mb,
                max_film_s=settings.max_film_s,
            ),
        )

    return router
