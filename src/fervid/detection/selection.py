"""Which detector to take."""

from __future__ import annotations

from typing import Final

from fervid.detection.detector import Detector
from fervid.errors import ContractError, ModelError, UnknownModelError, UsageError
from fervid.models.store import is_path, list_published

DETECTORS: Final = ("auto", "faces", "haar", "yunet")
"""The names that :func:`create_detector` knows."""


def check_name(name: str) -> str:
    """The name as it is, when it may stand for a detector: one of :data:`DETECTORS`, or the path of a file.

    Raises:
        UsageError: it is neither.
    """
    if name in DETECTORS or is_path(name):
        return name
    raise UsageError(f"there is no detector {name!r}", advice=_list_known())


def choose_detector() -> str:
    """The name that ``auto`` stands for on this machine.

    ``faces`` when the package holds it, else ``yunet`` when its file is here (``fervid models pull yunet``), else
    ``haar`` when OpenCV is installed.

    Raises:
        ModelError: there is none of them.
    """
    from fervid.detection import faces, haar, yunet

    for name, room in (("faces", faces), ("yunet", yunet), ("haar", haar)):
        if room.is_available():
            return name
    raise ModelError(
        "there is no face detector on this machine",
        advice='Run: fervid models pull yunet; or: pip install "fervid[haar]"',
    )


def create_detector(
    name: str = "auto", *, threads: int | None = None, score_threshold: float | None = None
) -> Detector:
    """The detector of that name.

    Args:
        name: one of :data:`DETECTORS`, where ``auto`` is what :func:`choose_detector` says; or the path of an ``.onnx``
            file exported by ``fervid train``.
        threads: within one run; None means one per core.
        score_threshold: weaker hits are left out; None means the detector's own.

    Raises:
        UnknownModelError: no such name, no such file.
        ContractError: the name or the file is no face detector's.
        MissingExtraError: ``haar`` is asked for and OpenCV is not installed.
        ModelError: the detector's file is not on this machine, or not the published one.
    """
    if name == "auto":
        name = choose_detector()
    if name == "yunet":
        from fervid.detection.yunet import YuNetDetector

        return YuNetDetector(threads=threads, score_threshold=score_threshold)
    if name == "haar":
        from fervid.detection.haar import HaarDetector

        return HaarDetector(score_threshold=score_threshold)
    if name == "faces" or is_path(name):
        from fervid.detection.faces import FacesDetector

        return FacesDetector(name, threads=threads, score_threshold=score_threshold)
    if any(published.name == name and published.kind == "expression" for published in list_published()):
        raise ContractError(f"{name} is no face detector; it reads expressions", advice=_list_known())
    raise UnknownModelError(f"there is no detector {name!r}", advice=_list_known())


def _list_known() -> str:
    return f"Known: {', '.join(DETECTORS)}; or give the path of a detector's .onnx file."
