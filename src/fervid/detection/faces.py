"""Detectors trained by ``fervid train``: ``faces``, which is part of the package, and files of one's own."""

from __future__ import annotations

import os
from typing import Final

from fervid.detection.network import NetworkDetector
from fervid.models.detectorspec import DetectorSpec
from fervid.models.runtime import create_session, read_metadata
from fervid.models.store import list_bundled, load_model

NAME: Final = "faces"
"""The one in the package."""


def is_available() -> bool:
    """Whether the package holds :data:`NAME`."""
    return any(published.name == NAME for published in list_bundled())


class FacesDetector(NetworkDetector):
    """A detector that carries its own spec, loaded; thread-safe.

    Args:
        model: a bundled detector's name, or the path of an ``.onnx`` file.
        threads: within one run; None means one per core.
        score_threshold: weaker hits are left out; None means the file's own.

    Raises:
        ContractError: the file is no detector that fervid can run.
        ModelError: there is no such file, or it is not the published one.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = NAME,
        *,
        threads: int | None = None,
        score_threshold: float | None = None,
    ) -> None:
        file = load_model(model)
        session = create_session(file, threads=threads)
        spec = DetectorSpec.from_metadata(read_metadata(session), file.name)
        super().__init__(file, session, spec, score_threshold=score_threshold)
