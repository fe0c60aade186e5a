"""How an archive is read: what decides its rows, and nothing else."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from fervid.detection.haar import identify_haar
from fervid.detection.selection import choose_detector, create_detector
from fervid.emotions import LabelCount
from fervid.errors import ModelError, UnknownModelError, UsageError
from fervid.models.runtime import create_session, read_metadata
from fervid.models.spec import ModelSpec
from fervid.models.store import is_path, load_model
from fervid.pipeline import DEFAULT_MIN_FACE, Analyzer, check_labels, check_min_face
from fervid.tracking.smoothing import SMOOTH_S

EVERY_S: Final = 0.5
RANGE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How an archive is read.

    Attributes:
        model: name or path of the network.
        detector: name or path; ``auto`` until :meth:`resolve`.
        labels: 7, or 6 to fold disgust into anger.
        min_face: height of the smallest face looked for, px.
        every_s: one frame of a film for each interval of so many seconds; 0 is every frame.
        smooth_s: memory of a film's smoothed answers, s; 0 is off.
        range_s: longer films are split into ranges of about so many seconds; rows do not depend on it, records do.
        identity: of the network, ``name@sha256[:12]``; empty until :meth:`resolve`.
        detector_identity: of the detector; empty until then.

    Raises:
        UsageError: a value is out of its range.
    """

    model: str = "base"
    detector: str = "auto"
    labels: LabelCount = 7
    min_face: float = DEFAULT_MIN_FACE
    every_s: float = EVERY_S
    smooth_s: float = SMOOTH_S
    range_s: float = RANGE_S
    identity: str = ""
    detector_identity: str = ""

    def __post_init__(self) -> None:
        check_min_face(self.min_face)
        for name, value in (("every_s", self.every_s), ("smooth_s", self.smooth_s)):
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name} is {value}", advice="Use 0 seconds or more.")
        if not (math.isfinite(self.range_s) and self.range_s > 0):
            raise UsageError(f"range_s is {self.range_s}", advice="Use more than 0 seconds.")

    def resolve(self) -> Self:
        """The same with names that mean one thing on every machine, and with the identities of what they name.

        Raises:
            ModelError: a model is not here, or is no expression network, or the detector is none.
            MissingExtraError: the detector ``haar`` needs OpenCV, which is not installed.
            UsageError: the network knows only six labels.
        """
        file = load_model(self.model)
        # Now, and not when a worker loads it: by then the folder of results would hold a run that cannot go on.
        check_labels(
            self.labels,
            ModelSpec.from_metadata(read_metadata(create_session(file, threads=1)), file.name),
            file.identity,
        )
        found = self._identify()
        create_detector(found.detector, threads=1)
        return replace(found, model=_make_absolute(found.model), detector=_make_absolute(found.detector))

    def _identify(self) -> Self:
        detector = choose_detector() if self.detector == "auto" else self.detector
        return replace(
            self,
            detector=detector,
            identity=load_model(self.model).identity,
            detector_identity=_identify_detector(detector),
        )

    def create_analyzer(self, threads: int | None) -> Analyzer:
        """The analyzer that these settings mean, checked to be the same one on every machine.

        Raises:
            ModelError: a model is not here, or another one than where the run was begun.
        """
        found = self._identify()
        for wanted, here in (
            (self.identity, found.identity),
            (self.detector_identity, found.detector_identity),
        ):
            if wanted not in ("", here):
                raise ModelError(
                    f"this machine has {here}, the run was begun with {wanted}",
                    advice="Install the same version of fervid on every machine.",
                )
        return Analyzer(found.model, found.detector, labels=self.labels, threads=threads, min_face=self.min_face)

    def describe(self) -> dict[str, Any]:
        """What decides the rows, as ``run.json`` keeps it and a second run is compared with."""
        return {
            "model": self.identity,
            "detector": self.detector_identity,
            "labels": self.labels,
            "min_face": self.min_face,
            "every_s": self.every_s,
            "smooth_s": self.smooth_s,
            "range_s": self.range_s,
        }


def _make_absolute(model: str) -> str:
    """A path for workers that run in other folders; a name as it is."""
    return os.path.abspath(model) if is_path(model) else model  # noqa: PTH100 - links stay, as the user gave them


def _identify_detector(name: str) -> str:
    try:
        return load_model(name).identity
    except UnknownModelError:
        if name != "haar":
            raise
        return identify_haar()
