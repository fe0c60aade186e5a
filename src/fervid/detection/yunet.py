"""YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y): another project's face detector, fetched on request."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fervid.detection.network import NetworkDetector
from fervid.models.detectorspec import DetectorSpec
from fervid.models.runtime import create_session
from fervid.models.store import find_published, load_model, locate

FILES: Final = ("yunet-dynamic", "yunet")
"""Published files, the better first: the first reads any size, the second 640×640."""

SPEC: Final = DetectorSpec(
    name="yunet",
    version="2023mar",
    colour_order="BGR",
    mean=0.0,
    std=1.0,
    score_threshold=0.7,
    overlap_threshold=0.3,
    smallest_face=20.0,
    largest_face=480.0,
    framing=(0.933, 0.004, -0.012),
    training_data="WIDER FACE",
    licence="MIT",
    recipe="ShiqiYu/libfacedetection.train",
)
"""The file carries none; the framing is measured by ``benchmarks/measure_framing.py``."""


def is_available() -> bool:
    """Whether a YuNet file is on this machine."""
    return _find_name() is not None


def _find_name() -> str | None:
    """The better of the published files that are on this machine."""
    return next((name for name in FILES if locate(find_published(name)) is not None), None)


class YuNetDetector(NetworkDetector):
    """YuNet, loaded; thread-safe.

    Args:
        threads: within one run; None means one per core.
        score_threshold: weaker hits are left out; None means the threshold of :data:`SPEC`.

    Raises:
        ModelError: no file of it is on this machine, or it is not the published one.
    """

    def __init__(self, *, threads: int | None = None, score_threshold: float | None = None) -> None:
        file = replace(load_model(_find_name() or FILES[-1]), name=SPEC.name)
        super().__init__(file, create_session(file, threads=threads), SPEC, score_threshold=score_threshold)
