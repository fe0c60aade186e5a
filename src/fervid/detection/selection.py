"""Which detector to take."""

from __future__ import annotations

from typing import Final

from fervid.detection.detector import Detector
from fervid.errors import UnknownModelError

DETECTORS: Final = ("auto", "haar", "yunet")
"""The names that :func:`create_detector` knows."""


def create_detector(
    name: str = "auto", *, threads: int | None = None, score_threshold: float | None = None
) -> Detector:
    """The detector of that name.

    ``auto`` is YuNet when its file is on this machine (``fervid models pull yunet``), else OpenCV's Haar cascade, which
    is part of every install.

    Args:
        name: one of :data:`DETECTORS`.
        threads: within one run; None means one per core.
        score_threshold: weaker hits are left out; None means the detector's own.

    Raises:
        UnknownModelError: no such name.
        ModelError: ``yunet`` is asked for and its file is not on this machine, or not the published one.
    """
    if name == "auto":
        from fervid.detection.yunet import is_available

        name = "yunet" if is_available() else "haar"
    if name == "yunet":
        from fervid.detection import yunet

        threshold = yunet.SCORE_THRESHOLD if score_threshold is None else score_threshold
        return yunet.YuNetDetector(threads=threads, score_threshold=threshold)
    if name == "haar":
        from fervid.detection import haar

        return haar.HaarDetector(score_threshold=haar.SCORE_THRESHOLD if score_threshold is None else score_threshold)
    raise UnknownModelError(f"there is no detector {name!r}", advice=f"Known: {', '.join(DETECTORS)}.")
