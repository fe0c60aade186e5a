"""``FER`` as the package ``fer`` (25.10) has it, answered by fervid. Change the import, and nothing else::

    from fervid.compat.fer import FER      # before: from fer import FER

Boxes, names, their order and what stands for nobody are those of ``fer``; faces come from left to right. What ``fer``
cannot say is lost: uncertain faces get a most probable expression like all others. The class ``Video`` of ``fer`` has
no counterpart here; films are read by :meth:`fervid.Analyzer.video`.
"""

from __future__ import annotations

import base64
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from fervid.emotions import EMOTIONS
from fervid.errors import ImageError, UsageError
from fervid.geometry import clip_box
from fervid.imaging import load_image
from fervid.pipeline import Analyzer
from fervid.values import Box

if TYPE_CHECKING:
    from fervid.results import Face

ImageLike: TypeAlias = "NDArray[np.uint8] | str | os.PathLike[str]"
"""What ``fer`` reads, BGR or grey as OpenCV has it, a path, or a ``data:image/…;base64,`` text."""

NumpyRects: TypeAlias = "NDArray[np.integer] | Sequence[Sequence[int]]"
"""Rectangles of x, y, width, height, px."""


class DetectedFace(TypedDict):
    """One face of an answer.

    Attributes:
        box: [x, y, width, height], whole px.
        emotions: the seven by name, in FER2013's order, probabilities of two decimals.
    """

    box: list[int]
    emotions: dict[str, float]


class FER:
    """Finds faces and reads their expressions, as ``fer.FER`` does.

    Args:
        cascade_file: no effect; with a warning, as all arguments that choose how ``fer`` works inside.
        mtcnn: no effect.
        tfserving: no effect: everything runs here.
        use_tflite: no effect.
        scale_factor: no effect.
        min_face_size: height of the smallest face box looked for, px.
        min_neighbors: no effect.
        offsets: no effect: how tightly a face is cut belongs to the model.
        analyzer: what answers; None loads the default one. Its own ``min_face`` gives way to ``min_face_size``.

    Raises:
        UsageError: an argument that ``fer`` would refuse, too; it is a ValueError.
        ModelError: the model or detector cannot be loaded.
    """

    def __init__(
        self,
        cascade_file: str | None = None,
        mtcnn: bool = False,
        tfserving: bool = False,
        use_tflite: bool = True,
        scale_factor: float = 1.1,
        min_face_size: int = 50,
        min_neighbors: int = 5,
        offsets: tuple[int, int] = (10, 10),
        *,
        analyzer: Analyzer | None = None,
    ) -> None:
        for valid, message in (
            (scale_factor > 1, f"scale_factor is {scale_factor}, not greater than 1.0"),
            (min_face_size >= 1, f"min_face_size is {min_face_size}, not at least 1"),
            (min_neighbors >= 0, f"min_neighbors is {min_neighbors}, not at least 0"),
            (isinstance(offsets, tuple | list) and len(offsets) == 2, f"offsets is {offsets!r}, not (x, y)"),
        ):
            if not valid:
                raise UsageError(message, advice="Leave it at its default: fervid needs it not.")
        ignored = [
            name
            for name, given, default in (
                ("cascade_file", cascade_file, None),
                ("mtcnn", mtcnn, False),
                ("tfserving", tfserving, False),
                ("use_tflite", use_tflite, True),
                ("scale_factor", scale_factor, 1.1),
                ("min_neighbors", min_neighbors, 5),
                ("offsets", tuple(offsets), (10, 10)),
            )
            if given != default
        ]
        if ignored:
            message = f"{', '.join(ignored)}: no effect in fervid, which has a detector and a network of its own"
            warnings.warn(message, UserWarning, stacklevel=2)
        self._analyzer = (analyzer or Analyzer()).derive(labels=7, min_face=float(min_face_size))
        self.emotions: list[DetectedFace] = []

    def detect_emotions(self, img: ImageLike, face_rectangles: NumpyRects | None = None) -> list[DetectedFace]:
        """Every face and how it reads, from left to right; [] when nobody is there.

        Args:
            img: ``(H, W, 3)`` BGR or ``(H, W)`` grey uint8 as OpenCV has it, a path, or a base64 ``data:`` text.
                Nothing is fetched from an address.
            face_rectangles: (x, y, width, height) of faces that you found, as :meth:`find_faces` or a Haar cascade
                gives them; None looks for faces. They are answered in their order.

        Raises:
            InputError: the picture cannot be read.
            UsageError: a rectangle is none.
        """
        image = _load_bgr(img, self._analyzer.max_pixels)
        if face_rectangles is None:
            analysis = self._analyzer.analyze(image)
            boxes = [_round_box(face.box, analysis.size) for face in analysis.faces]
        else:
            boxes = [_read_rectangle(rectangle) for rectangle in face_rectangles]
            framing = self._analyzer.detector.framing
            squares = [framing.apply(Box(x, y, x + width, y + height)) for x, y, width, height in boxes]
            analysis = self._analyzer.analyze(image, boxes=squares)
        pairs = zip(boxes, analysis.faces, strict=True)
        found = [DetectedFace(box=box, emotions=_list_emotions(face)) for box, face in pairs]
        if found:
            self.emotions = found
        return found

    def batch_detect_emotions(self, imgs: Sequence[ImageLike]) -> list[list[DetectedFace]]:
        """:meth:`detect_emotions` of each picture, in their order."""
        return [self.detect_emotions(img) for img in imgs]

    def top_emotion(self, img: ImageLike) -> tuple[str, float] | tuple[None, None]:
        """Name and probability of the leftmost face's most probable expression; (None, None) when nobody is there."""
        found = self.detect_emotions(img)
        if not found:
            return None, None
        emotions = found[0]["emotions"]
        top = max(emotions, key=lambda name: emotions[name])
        return top, emotions[top]

    def find_faces(
        self,
        img: NDArray[np.uint8],
        bgr: bool = True,  # noqa: ARG002
        gray_img: NDArray[np.uint8] | None = None,  # noqa: ARG002
    ) -> list[list[int]]:
        """[x, y, width, height] of every face, from left to right.

        Args:
            img: ``(H, W, 3)`` BGR, or ``(H, W)`` grey when ``bgr`` is False.
            bgr: no effect: the array says which it is.
            gray_img: no effect.
        """
        image = _load_bgr(img, self._analyzer.max_pixels)
        size = (image.shape[1], image.shape[0])
        found = self._analyzer.detector.detect(image, min_face=self._analyzer.min_face)
        return sorted((_round_box(detection.box, size) for detection in found), key=lambda box: box[:2])


def _load_bgr(source: Any, max_pixels: int) -> NDArray[np.uint8]:
    """``(H, W, 3)`` uint8 RGB of anything that ``fer`` reads."""
    if isinstance(source, np.ndarray):
        order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(source.shape[2] if source.ndim == 3 else 1)
        return load_image(source if order is None else source[..., order], max_pixels=max_pixels)
    if isinstance(source, str) and source.startswith("data:image/"):
        try:
            data = base64.b64decode(source.partition(",")[2], validate=True)
        except ValueError as error:  # or binascii.Error, which is one
            raise ImageError(f"the data: text is not base64 ({error})") from None
        return load_image(data, max_pixels=max_pixels)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        raise ImageError("fervid fetches no pictures", advice="Download it, and give the file.")
    if isinstance(source, str | os.PathLike):
        return load_image(source, max_pixels=max_pixels)
    raise ImageError(
        f"cannot read a picture from {type(source).__name__}", advice="Give a BGR array, a path or a data: text."
    )


def _round_box(box: Box, size: tuple[int, int]) -> list[int]:
    """[x, y, width, height] in whole px, within the picture, so that it cuts an array."""
    inside = clip_box(box, *size)
    x1, y1, x2, y2 = (round(value) for value in (inside.x1, inside.y1, inside.x2, inside.y2))
    return [x1, y1, x2 - x1, y2 - y1]


def _read_rectangle(rectangle: Sequence[int] | NDArray[np.integer]) -> list[int]:
    values = [int(value) for value in rectangle]
    if len(values) != 4 or values[2] <= 0 or values[3] <= 0:
        raise UsageError(f"{values} is no rectangle", advice="Give (x, y, width, height) with an area.")
    return values


def _list_emotions(face: Face) -> dict[str, float]:
    return {str(emotion): round(face.probabilities[emotion], 2) for emotion in EMOTIONS}
