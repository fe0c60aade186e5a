"""OpenCV's bundled Haar cascade (Viola & Jones 2001, doi:10.1109/CVPR.2001.990517): the offline fallback.

It finds upright frontal faces and gives no landmarks.
"""

from __future__ import annotations

import importlib.util
import math
import threading
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.detection import framing
from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.detection.resizing import resize_longest
from fervid.errors import MissingExtraError, ModelError
from fervid.results import Box

CASCADE: Final = "haarcascade_frontalface_alt.xml"
LONGEST_SIDE: Final = 1600
"""Larger pictures are reduced to this before the search, px."""

SCALE_STEP: Final = 1.1
NEIGHBOURS: Final = 2
SCORE_THRESHOLD: Final = 0.5
"""Weaker hits are left out: of 306 faces of 24 px or more on modern photos 66 % are found at 97 % precision, against
61 % at 92 % with OpenCV's default cascade and five neighbours."""

SMALLEST: Final = 20
"""The cascade's own window, px: it cannot see smaller faces."""

_LAST_THRESHOLD: Final = 105.761  # of the cascade's last stage: what a face sums to at least
_MARGIN_SCALE: Final = 1.5  # margins of true faces run to about 4.5, of false ones to 1.4: scores to 0.95 and to 0.6


def is_available() -> bool:
    """Whether OpenCV is installed."""
    return importlib.util.find_spec("cv2") is not None


def import_opencv() -> ModuleType:
    """OpenCV, which the extra ``haar`` installs.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise MissingExtraError.for_extra("haar", "opencv-python-headless", "the detector haar") from None
    return cv2


def identify_haar() -> str:
    """``haar@opencv-`` and OpenCV's version: the cascade comes with it.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    return f"haar@opencv-{import_opencv().__version__}"


class HaarDetector:
    """OpenCV's frontal face cascade.

    Args:
        score_threshold: weaker hits are left out; None means :data:`SCORE_THRESHOLD`.

    Raises:
        MissingExtraError: OpenCV is not installed.
        ModelError: this build of OpenCV has no cascades (OpenCV 5 ships none).
    """

    name = "haar"
    framing: Framing = framing.HAAR

    def __init__(self, *, score_threshold: float | None = None) -> None:
        cv2 = import_opencv()
        self.score_threshold = SCORE_THRESHOLD if score_threshold is None else score_threshold
        data = getattr(cv2, "data", None)
        if data is None or not Path(data.haarcascades, CASCADE).is_file():
            raise ModelError(
                f"OpenCV {cv2.__version__} has no {CASCADE}",
                advice='Run: pip install "opencv-python-headless<5"; or use the detector yunet.',
            )
        self.identity = identify_haar()
        self._cascade = cv2.CascadeClassifier(str(Path(data.haarcascades, CASCADE)))
        self._lock = threading.Lock()  # a cascade keeps state while it searches

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
        """See :class:`.detector.Detector`. The score grows with the margin of the cascade's last stage."""
        cv2 = import_opencv()
        small, factor = resize_longest(image, LONGEST_SIDE)
        grey = cv2.cvtColor(np.ascontiguousarray(small), cv2.COLOR_RGB2GRAY)
        smallest = max(SMALLEST, math.ceil(min_face * factor))
        if min(grey.shape) < smallest:
            return []
        with self._lock:
            found, _, margins = self._cascade.detectMultiScale3(
                grey,
                scaleFactor=SCALE_STEP,
                minNeighbors=NEIGHBOURS,
                minSize=(smallest, smallest),
                outputRejectLevels=True,
            )
        detections = []
        for (x, y, width, height), margin in zip(np.reshape(found, (-1, 4)), np.ravel(margins), strict=True):
            score = 1 - math.exp(-max(0.0, float(margin) - _LAST_THRESHOLD) / _MARGIN_SCALE)
            if score < self.score_threshold:
                continue
            corners = (float(v) / factor for v in (x, y, x + width, y + height))
            detections.append(Detection(Box(*corners), score))
        return sorted(detections, key=lambda d: -d.score)
