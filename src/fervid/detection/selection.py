"""Which detector to take."""

from __future__ import annotations

from typing import Final

from fervid.detection.detector import Detector
from fervid.errors import UnknownModelError

DETECTORS: Final = ("auto", "haar", "yunet")
"""The names that :func:`create_detector` knows."""


def create_detector(name: str = "auto", *, threads: int | None = None) -> Detector:
    """The detector of that name.

    ``auto`` is YuNet when its file is on this machine (``fervid models pull yunet``), else OpenCV's Haar cascade, which
    is part of every install.

    Raises:
        UnknownModelError: no such name.
        ModelError: ``yunet`` is asked for and its file is not on this machine, or not the published one.
    """
    if name == "auto":
        from fervid.detection.yunet import is_available

        name = "yunet" if is_available() else "haar"
    if name == "yunet":
        from fervid.detection.yunet import YuNetDetector

        return YuNetDetector(threads=threads)
    if name == "haar":
        from fervid.detection.haar import HaarDetector

        return HaarDetector()
    raise UnknownModelError(f"there is no detector {name!r}", advice=f"Known: {', '.join(DETECTORS)}.")
