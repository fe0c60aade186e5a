"""YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y) over ONNX Runtime, decoded here.

The network is anchor-free: each cell of three grids (strides 8, 16, 32 px) gives a class and an objectness
probability, a box and five points. It reads BGR, 0–255.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.detection import framing
from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.detection.resizing import resize, resize_longest
from fervid.errors import ContractError
from fervid.geometry import suppress_overlaps
from fervid.models.runtime import create_session
from fervid.models.store import find_published, load_model, locate
from fervid.results import Box

FILES: Final = ("yunet-dynamic", "yunet")
"""Published files, the better first: the first reads any size, the second 640×640."""

STRIDES: Final = (8, 16, 32)
LONGEST_SIDE: Final = 1280
"""Larger pictures are reduced to this before the search, px."""

SCORE_THRESHOLD: Final = 0.7
OVERLAP_THRESHOLD: Final = 0.3


def is_available() -> bool:
    """Whether a YuNet file is on this machine."""
    return _find_name() is not None


def _find_name() -> str | None:
    """The better of the published files that are on this machine."""
    return next((name for name in FILES if locate(find_published(name)) is not None), None)


class YuNetDetector:
    """YuNet, loaded; thread-safe.

    Args:
        threads: within one run; None means one per core.
        score_threshold: weaker hits are left out.

    Raises:
        ModelError: no file of it is on this machine, or it is not the published one.
    """

    name = "yunet"
    framing: Framing = framing.YUNET

    def __init__(self, *, threads: int | None = None, score_threshold: float = SCORE_THRESHOLD) -> None:
        self.score_threshold = score_threshold
        self._session = create_session(load_model(_find_name() or FILES[-1]), threads=threads)
        self._input = self._session.get_inputs()[0]
        self._outputs = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
        missing = set(self._outputs) - {output.name for output in self._session.get_outputs()}
        if missing:
            raise ContractError(f"the YuNet file lacks the outputs {', '.join(sorted(missing))}")
        height, width = self._input.shape[2:]
        self._fixed = (width, height) if isinstance(width, int) and isinstance(height, int) else None

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
        """See :class:`.detector.Detector`."""
        canvas, factor = self._fit(image)
        tensor = np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1), dtype=np.float32)[None]
        names = self._outputs
        outputs = dict(zip(names, self._session.run(names, {self._input.name: tensor}), strict=True))
        height, width = canvas.shape[:2]
        boxes, scores, landmarks = decode(outputs, width, height)
        good = (scores >= self.score_threshold) & (boxes[:, 3] - boxes[:, 1] >= min_face * factor)
        boxes, scores, landmarks = boxes[good], scores[good], landmarks[good]
        return [
            Detection(Box(*(boxes[i] / factor)), min(1.0, float(scores[i])), landmarks[i] / factor)
            for i in suppress_overlaps(boxes, scores, OVERLAP_THRESHOLD)
        ]

    def _fit(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
        """The picture at the top left of a canvas that the network accepts, and its factor."""
        if self._fixed is None:
            small, factor = resize_longest(image, LONGEST_SIDE)
            width, height = (-(-side // STRIDES[-1]) * STRIDES[-1] for side in (small.shape[1], small.shape[0]))
        else:
            width, height = self._fixed
            factor = min(1.0, width / image.shape[1], height / image.shape[0])
            small = image
            if factor < 1:
                small = resize(image, max(1, int(image.shape[1] * factor)), max(1, int(image.shape[0] * factor)))
        canvas = np.zeros((height, width, 3), dtype=np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        return canvas, factor


def decode(
    outputs: dict[str, NDArray[np.float32]], width: int, height: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Every cell's box, score and points.

    Args:
        outputs: ``cls_S`` and ``obj_S`` ``(1, cells, 1)``, ``bbox_S`` ``(1, cells, 4)`` and ``kps_S``
            ``(1, cells, 10)`` for each stride S, cells row by row.
        width: of the network's input, px.
        height: of the network's input, px.

    Returns:
        ``(N, 4)`` boxes x1, y1, x2, y2 in px of the input, ``(N,)`` scores √(class × objectness), ``(N, 5, 2)`` points.
    """
    boxes, scores, landmarks = [], [], []
    for stride in STRIDES:
        columns, rows = width // stride, height // stride
        cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2).astype(np.float64)
        classes = np.clip(outputs[f"cls_{stride}"][0, :, 0].astype(np.float64), 0, 1)
        objectness = np.clip(outputs[f"obj_{stride}"][0, :, 0].astype(np.float64), 0, 1)
        offsets = outputs[f"bbox_{stride}"][0].astype(np.float64)
        centres = (cells + offsets[:, :2]) * stride
        halves = np.exp(np.minimum(offsets[:, 2:], 20)) * stride / 2
        boxes.append(np.concatenate([centres - halves, centres + halves], axis=1))
        scores.append(np.sqrt(classes * objectness))
        points = outputs[f"kps_{stride}"][0].astype(np.float64).reshape(-1, 5, 2)
        landmarks.append((points + cells[:, None]) * stride)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(landmarks)
