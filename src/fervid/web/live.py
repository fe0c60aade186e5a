"""``/ws/live``: frames of a camera in, everybody's expression out, for browsers that cannot read them themselves.

The client sends ``{"type": "start", "labels": 7, "smooth_s": 0.5}``, then pictures as binary messages. While one is
read only the newest that arrived is kept; ``dropped`` counts the others. Each answer is
``{"type": "frame", "frame": {fervid/1}, "dropped": n, "ms": …}``, or ``{"type": "error", "error": {…}}`` for a picture
that cannot be read, after which the next one may come. Another ``start`` begins anew.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, MutableMapping
from typing import Annotated, Any, Final, Literal

import numpy as np
from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from fervid.errors import FervidError, InputError
from fervid.imaging import load_image
from fervid.pipeline import Analyzer
from fervid.results import Frame
from fervid.tracking.smoothing import SMOOTH_S
from fervid.video.reading import VideoFrame
from fervid.web.errors import (
    INTERNAL,
    LOG,
    RequestError,
    SlowError,
    TooLargeError,
    TooManyError,
    close_with_error,
    explain_validation,
)
from fervid.web.images import encode_jpeg
from fervid.web.labels import limit_labels
from fervid.web.limits import Places, TokenBucket, name_client
from fervid.web.settings import LEAST_SIDE
from fervid.web.workers import Workers

LARGEST_FRAME: Final = 2_000_000
"""Bytes of one picture."""
MOST_PIXELS: Final = 3840 * 2160
LIVE_MIN_FACE: Final = 40.0
"""Faces lower than this are not looked for, px; as ``fervid camera``."""
MESSAGE_RATE: Final = 60.0
MESSAGE_BURST: Final = 120.0
"""Messages per second that a client may send in the long run, and at once."""
MOST_CONNECTIONS: Final = 32
START_S: Final = 10.0
"""The first message comes within so long."""
SEND_S: Final = 10.0
"""An answer is taken within so long, or the client is dropped."""


class Start(BaseModel):
    """The first message of a client."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["start"]
    labels: Annotated[int, Field(ge=6, le=7)] = 7
    smooth_s: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = SMOOTH_S


class PushedStream:
    """A live stream that is given its frames one by one, rather than asking for them.

    Args:
        analyzer: reads them.
        smooth_s: memory of the smoothed answers, s.
    """

    def __init__(self, analyzer: Analyzer, smooth_s: float) -> None:
        self._analyzer = analyzer
        self._next: VideoFrame | None = None
        self._count = 0
        self._answers = analyzer.stream(self._take(), live=True, smooth_s=smooth_s)

    def read(self, data: bytes, time_s: float) -> Frame:
        """Everybody on the next frame, which is encoded; ``time_s`` is later than that of the one before.

        From any thread, but from one at a time.

        Raises:
            InputError: the frame cannot be decoded; the stream goes on with the next one.
        """
        image = load_image(data, max_pixels=min(MOST_PIXELS, self._analyzer.max_pixels))
        self._next = VideoFrame(image, self._count, time_s)
        self._count += 1
        return next(self._answers)  # live streams answer every frame before they ask for the next one

    def _take(self) -> Iterator[VideoFrame]:
        while True:
            frame, self._next = self._next, None
            assert frame is not None
            yield frame


class LiveConnection:
    """One client and its stream."""

    def __init__(self, websocket: WebSocket, workers: Workers, analyzer: Analyzer) -> None:
        self._websocket = websocket
        self._workers = workers
        self._analyzer = analyzer
        self._bucket = TokenBucket(MESSAGE_RATE, MESSAGE_BURST)
        self._stream: PushedStream | None = None
        self._newest: tuple[bytes, float] | None = None
        self._arrived = asyncio.Event()
        self._dropped = 0
        self._began_s = 0.0

    async def run(self) -> None:
        """Answer frames until the client goes, or does what it may not."""
        try:
            async with asyncio.timeout(START_S):
                self._take_message(await self._websocket.receive())
        except TimeoutError:
            raise SlowError(f"nothing came for {START_S:g} s", advice='Send {"type": "start"} first.') from None
        answering = asyncio.create_task(self._answer_frames())
        receiving = asyncio.create_task(self._receive_messages())
        try:
            await asyncio.wait((answering, receiving), return_when=asyncio.FIRST_COMPLETED)
            for task in (answering, receiving):
                if task.done():
                    task.result()
        finally:
            answering.cancel()
            receiving.cancel()
            await asyncio.wait((answering, receiving))

    async def _receive_messages(self) -> None:
        while True:
            self._take_message(await self._websocket.receive())

    def _take_message(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        wait_s = self._bucket.take()
        if wait_s > 0:
            raise TooManyError(f"more than {MESSAGE_RATE:g} messages a second", retry_after_s=wait_s)
        data = message.get("bytes")
        if isinstance(data, bytes):
            self._take_frame(data)
        else:
            self._start(str(message.get("text") or ""))

    def _take_frame(self, data: bytes) -> None:
        if self._stream is None:
            raise RequestError("the first message is a picture", advice='Send {"type": "start"} first.')
        if len(data) > LARGEST_FRAME:
            raise TooLargeError(
                f"a frame of {len(data) / 1e6:.2f} MB", advice=f"Send {LARGEST_FRAME / 1e6:g} MB at most; reduce it."
            )
        self._dropped += self._newest is not None
        self._newest = data, time.monotonic()
        self._arrived.set()

    def _start(self, text: str) -> None:
        try:
            start = Start.model_validate_json(text[:1000])
        except ValidationError as error:
            raise explain_validation(error.errors(include_url=False, include_context=False)) from None
        analyzer = self._analyzer.derive(labels=limit_labels(start.labels, self._analyzer))
        self._stream = PushedStream(analyzer, start.smooth_s)
        self._newest, self._dropped, self._began_s = None, 0, time.monotonic()

    async def _answer_frames(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            newest, stream, began_s = self._newest, self._stream, self._began_s
            if newest is None or stream is None:
                continue
            self._newest = None
            data, arrived_s = newest
            try:
                frame = await self._workers.run(lambda: stream.read(data, arrived_s - began_s), queued=False)  # noqa: B023
            except InputError as error:  # of this picture alone
                await self._send({"type": "error", "error": error.to_dict()})
                continue
            if stream is not self._stream:
                continue
            took_ms = (time.monotonic() - arrived_s) * 1000
            answer = {"type": "frame", "frame": frame.to_dict(), "dropped": self._dropped, "ms": round(took_ms, 1)}
            await self._send(answer)

    async def _send(self, answer: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                await self._websocket.send_text(json.dumps(answer, ensure_ascii=False))
        except TimeoutError:
            raise SlowError("answers are not taken", advice="Connect again.") from None


def create_router(workers: Workers) -> APIRouter:
    """The WebSocket ``/ws/live``. Origins are checked by :class:`.SecurityGuard`."""
    router = APIRouter()
    analyzer = workers.video_analyzer.derive(min_face=LIVE_MIN_FACE)
    # Makes the detector of streams, which connections share from then on, and has everything loaded for the first one.
    PushedStream(analyzer, 0.0).read(encode_jpeg(np.zeros((LEAST_SIDE, LEAST_SIDE, 3), np.uint8)), 0.0)
    places = Places(MOST_CONNECTIONS, "cameras are being read", retry_after_s=30)

    @router.websocket("/ws/live")
    async def read_live(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            with places.take(name_client(websocket)):
                await LiveConnection(websocket, workers, analyzer).run()
        except WebSocketDisconnect:
            return
        except FervidError as error:
            await close_with_error(websocket, error)
        except Exception:
            LOG.exception("a live connection failed")
            await close_with_error(websocket, INTERNAL)

    return router
