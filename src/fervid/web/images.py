"""``POST /images``: a picture in, every face and its expression out."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from numpy.typing import NDArray

from fervid.errors import SizeError
from fervid.imaging import load_image
from fervid.pipeline import DEFAULT_MIN_FACE, Analyzer
from fervid.results import Analysis
from fervid.web.errors import MediaTypeError, TooManyError
from fervid.web.forms import FileForm
from fervid.web.labels import LABELS, limit_labels
from fervid.web.limits import Memory, Places, RateLimiter, drain, name_client
from fervid.web.schemas import ImageAnswer
from fervid.web.settings import MEGABYTE, Settings
from fervid.web.workers import SHARED_PIXELS, Cancellation, Workers

SMALLEST_FACE: Final = 8.0
"""Smaller faces are not to be asked for: looking for them takes long, and nobody could read them, px."""
LARGEST_FACE: Final = 10_000.0
PICTURE_RATE: Final = 20.0
PICTURE_BURST: Final = 100.0
"""Pictures per second of one address, and at once."""
PICTURE_BYTES: Final = 400 * MEGABYTE
"""Pictures that come and wait are in memory, together no more than this, or than four of the largest."""
LARGE_PICTURES: Final = 8
"""So many pictures of more than :data:`.SHARED_PIXELS` may wait: one thread reads them, each for seconds."""
FIELD: Final = "image"
"""The form's field."""

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
    # Each is in memory while it comes and waits: those that come slowly must not fill it.
    coming = Places(4 * workers.most, "pictures are on their way", retry_after_s=2)
    memory = Memory(
        max(PICTURE_BYTES, 4 * int(settings.max_upload_mb * MEGABYTE)), "of pictures are on their way", retry_after_s=2
    )
    waiting = Places(workers.most, "pictures are waiting", retry_after_s=2)
    large = Places(LARGE_PICTURES, "large pictures are waiting", retry_after_s=5)

    @router.post(
        "/images",
        response_model=ImageAnswer,
        openapi_extra={"requestBody": _REQUEST_BODY},
        description=f"Send a picture of {settings.max_upload_mb:g} MB and {settings.max_pixels:,} pixels at most, "
        "as the field `image` of a form or as the body itself. It is read in memory and forgotten.",
    )
    async def read_image(
        request: Request,
        labels: Annotated[int, Query(ge=6, le=7, description=LABELS)] = 7,
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
        analyzer = workers.analyzer.derive(labels=limit_labels(labels, workers.analyzer), min_face=min_face)
        small = analyzer.derive(max_pixels=min(analyzer.max_pixels, SHARED_PIXELS))

        async def read(picture: bytes, analyzer: Analyzer, *, alone: bool) -> bytes:
            return await workers.run_for(
                request,
                lambda cancellation: _read(picture, analyzer, evidence, annotated, cancellation),
                alone=alone,
            )

        with coming.take(client), memory.take(client) as grow:
            try:
                picture = await receive_picture(request, grow)
            except TooManyError:
                await drain(request.receive)  # a client that still sends may never read the answer
                raise
            with waiting.take(client):
                try:
                    answer = await read(picture, small, alone=False)
                except SizeError as error:
                    if not error.pixels:  # by its header, that is: nothing has been decoded
                        raise
                    if error.pixels > analyzer.max_pixels:
                        answer = await read(picture, analyzer, alone=False)  # refused again, and told this limit
                    else:
                        with large.take(client):
                            answer = await read(picture, analyzer, alone=True)
        return Response(answer, media_type="application/json")

    return router


async def receive_picture(request: Request, grow: Callable[[int], None]) -> bytes:
    """The picture that comes as a form's field or as the body itself; it is nowhere but in memory.

    Args:
        request: with the picture.
        grow: told of every further byte before it is kept; may refuse it.

    Raises:
        MediaTypeError: the body is neither a form nor a picture.
        RequestError: it is a broken form.
        UsageError: the form has no such file, or several.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    form = FileForm(content_type, FIELD, "picture") if kind == "multipart/form-data" else None
    if form is None and not kind.startswith("image/") and kind != "application/octet-stream":
        raise MediaTypeError(
            f"the media type is {kind[:60]!r}",
            advice=f"Send a form (multipart/form-data) with the field {FIELD}, or the picture itself as image/….",
        )
    picture = bytearray()
    async for chunk in request.stream():
        grow(len(chunk))
        if form is None:
            picture += chunk
        else:
            form.feed(chunk)
            picture += form.fetch()
    if form is not None:
        form.check_whole()
    return bytes(picture)


def _read(picture: bytes, analyzer: Analyzer, evidence: bool, drawing: Drawing, cancellation: Cancellation) -> bytes:
    """The answer as JSON: large ones take too long for the event loop to write."""
    cancellation.check()
    image = load_image(picture, max_pixels=analyzer.max_pixels)
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
