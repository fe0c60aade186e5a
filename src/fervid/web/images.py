"""``POST /images``: a picture in, every face and its expression out."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from enum import StrEnum
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, Final, Literal, cast

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from numpy.typing import NDArray
from starlette.datastructures import FormData, UploadFile

from fervid.emotions import LabelCount
from fervid.errors import UsageError
from fervid.imaging import load_image
from fervid.pipeline import DEFAULT_MIN_FACE, Analyzer
from fervid.results import Analysis
from fervid.web.errors import MediaTypeError
from fervid.web.limits import Places, RateLimiter, name_client
from fervid.web.schemas import ImageAnswer
from fervid.web.settings import Settings
from fervid.web.workers import Cancellation, Workers

SMALLEST_FACE: Final = 8.0
"""Smaller faces are not to be asked for: looking for them takes long, and nobody could read them, px."""
LARGEST_FACE: Final = 10_000.0
PICTURE_RATE: Final = 20.0
PICTURE_BURST: Final = 100.0
"""Pictures per second of one address, and at once."""

_IN_MEMORY: Final = 1_000_000
_JPEG_QUALITY: Final = 92
_BINARY: Final = {"type": "string", "format": "binary"}
_REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["image"], "properties": {"image": _BINARY}},
        },
        **{f"image/{kind}": {"schema": _BINARY} for kind in ("jpeg", "png", "webp", "bmp", "tiff", "gif")},
        "application/octet-stream": {"schema": _BINARY},
    },
}


class Drawing(StrEnum):
    """What is drawn on the picture that comes back."""

    NONE = "none"
    BOXES = "boxes"
    EMOJI = "emoji"
    EXPLAIN = "explain"


def create_router(settings: Settings, workers: Workers) -> APIRouter:
    """The route ``/images``. Bodies are limited by :class:`.BodyGuard`."""
    router = APIRouter(tags=["photos"])
    limiter = RateLimiter(PICTURE_RATE, PICTURE_BURST, "pictures")
    # Each lies in a file of its own while it comes and waits: those that come slowly must not fill the disk.
    coming = Places(4 * workers.most, "pictures are on their way", retry_after_s=2)
    waiting = Places(workers.most, "pictures are waiting", retry_after_s=2)

    @router.post(
        "/images",
        response_model=ImageAnswer,
        openapi_extra={"requestBody": _REQUEST_BODY},
        description=f"Send a picture of {settings.max_upload_mb:g} MB and {settings.max_pixels:,} pixels at most, "
        "as the field `image` of a form or as the body itself. It is read in memory and forgotten.",
    )
    async def read_image(
        request: Request,
        labels: Annotated[int, Query(ge=6, le=7, description="6 counts disgust as anger.")] = 7,
        min_face: Annotated[
            float, Query(ge=SMALLEST_FACE, le=LARGEST_FACE, description="Height of the smallest face looked for, px.")
        ] = DEFAULT_MIN_FACE,
        evidence: Annotated[bool, Query(description="Every face says where in it its answer comes from.")] = False,
        annotated: Annotated[
            Drawing, Query(description="The picture comes back with this drawn on it.")
        ] = Drawing.NONE,
    ) -> Response:
        """Every face of a picture and its expression."""
        client = name_client(request)
        limiter.check(client)
        analyzer = workers.analyzer.derive(labels=cast("LabelCount", labels), min_face=min_face)
        with coming.take(client):
            file, form = await receive_file(request, "image")
            try:
                with waiting.take(client):
                    answer = await workers.run_for(
                        request, lambda cancellation: _read(file, analyzer, evidence, annotated, cancellation)
                    )
            finally:
                await form.close() if form is not None else file.close()
        return Response(answer, media_type="application/json")

    return router


async def receive_file(request: Request, field: str) -> tuple[IO[bytes], FormData | None]:
    """A file as a form's field or as the body itself; large ones lie in a nameless temporary file.

    Returns:
        The file, and the form that it belongs to, which is to be closed; None when it is the body, and to be closed.

    Raises:
        MediaTypeError: the body is neither a form nor a picture.
        UsageError: the form has no such file.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        form = await request.form(max_files=4, max_fields=16)
        upload = form.get(field)
        if not isinstance(upload, UploadFile):
            await form.close()
            raise UsageError(f"the form has no file {field!r}", advice=f"Send the picture as the field {field}.")
        return cast("IO[bytes]", upload.file), form
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise MediaTypeError(
            f"the media type is {kind[:60]!r}",
            advice=f"Send a form (multipart/form-data) with the field {field}, or the picture itself as image/….",
        )
    file = cast("IO[bytes]", SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115, closed by the caller
    try:
        async for chunk in request.stream():
            if file.tell() + len(chunk) > _IN_MEMORY:
                await asyncio.to_thread(file.write, chunk)
            else:
                file.write(chunk)
    except BaseException:
        file.close()
        raise
    return file, None


def _read(file: IO[bytes], analyzer: Analyzer, evidence: bool, drawing: Drawing, cancellation: Cancellation) -> bytes:
    """The answer as JSON: large ones take too long for the event loop to write."""
    cancellation.check()
    file.seek(0)
    image = load_image(file.read(), max_pixels=analyzer.max_pixels)
    cancellation.check()
    analysis = analyzer.analyze(image, evidence=evidence or drawing is Drawing.EXPLAIN)
    answer = analysis.to_dict()
    if not evidence:
        for face in answer["faces"]:
            face.pop("evidence", None)
    if drawing is not Drawing.NONE:
        cancellation.check()
        data = base64.b64encode(encode_jpeg(_draw(image, analysis, drawing))).decode("ascii")
        answer["annotated"] = {"media_type": "image/jpeg", "data": data}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _draw(
    image: NDArray[np.uint8], analysis: Analysis, drawing: Literal[Drawing.BOXES, Drawing.EMOJI, Drawing.EXPLAIN]
) -> NDArray[np.uint8]:
    from fervid.drawing.annotation import annotate
    from fervid.drawing.emojification import emojify
    from fervid.drawing.evidence import explain

    if drawing is Drawing.BOXES:
        return annotate(image, analysis)
    return emojify(image, analysis) if drawing is Drawing.EMOJI else explain(image, analysis)


def encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    """A ``(H, W, 3)`` RGB uint8 picture as JPEG."""
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(image).save(target, format="JPEG", quality=_JPEG_QUALITY)
    return target.getvalue()
