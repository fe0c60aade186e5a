"""What an analysis answers with: frozen values that know how to become JSON and back.

Pixels count from the top left corner of the upright picture. Arrays inside are copies and read-only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fervid.emotions import Emotion
from fervid.errors import FervidError, UsageError, escape_bytes
from fervid.exchange import build_data_frame, build_detections, list_rows
from fervid.notebook import build_analysis, build_face, build_failure
from fervid.values import Box, Distribution

if TYPE_CHECKING:
    import pandas
    import supervision

__all__ = ["SCHEMA", "Analysis", "Box", "Distribution", "Evidence", "Face", "Failure", "Frame", "Quality"]

SCHEMA: Final = "fervid/1"
"""Name and version of the JSON that :meth:`Analysis.to_dict` gives."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How readable a face is.

    Attributes:
        size_px: side of the square the network was given, in px of the picture.
        sharpness: variance of the Laplacian of that square at 48 px, grey levels²; low values mean blur.
        roll_deg: tilt of the line between the eyes, clockwise positive; None without landmarks.
        yaw: how far the nose stands from the middle of the eyes, as a share of the distance between them,
            negative to the picture's left; None without landmarks.
    """

    size_px: float
    sharpness: float
    roll_deg: float | None = None
    yaw: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Plain dict, as JSON carries it."""
        return {
            "size_px": round(self.size_px, 2),
            "sharpness": round(self.sharpness, 2),
            "roll_deg": None if self.roll_deg is None else round(self.roll_deg, 2),
            "yaw": None if self.yaw is None else round(self.yaw, 3),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Where in a face its answer comes from.

    ``evidence["happy"]`` is a map of places: what each adds to the log-odds of happy against the other expressions,
    likely ones foremost; above 0 speaks for happy, below 0 for a rival. The network decides at the resolution of its
    last layer: where that is 3 × 3, a place is a ninth of the face, and it has seen pixels beyond its borders. Read a
    map as "more around the mouth than around the eyes", not as an outline.

    Attributes:
        labels: the expressions.
        maps: ``(labels, h, w)`` float64, read-only; their means follow the log-odds, they do not equal them.
        square: the part of the picture that the network saw, px; the places divide it evenly. It may leave the picture.
        angle_deg: how far that square is turned clockwise around its middle, as the face is tilted.

    Raises:
        UsageError: the maps have another shape, or a value is not finite.
    """

    labels: tuple[str, ...]
    maps: NDArray[np.float64]
    square: Box
    angle_deg: float = 0.0

    def __post_init__(self) -> None:
        maps = np.array(self.maps, dtype=np.float64)
        if maps.ndim != 3 or len(maps) != len(self.labels) or 0 in maps.shape:
            found = f"evidence of the shape {maps.shape} for {len(self.labels)} labels"
            raise UsageError(found, advice="Give (labels, h, w).")
        if not (np.isfinite(maps).all() and math.isfinite(self.angle_deg)):
            raise UsageError("evidence that is not finite", advice="Give finite numbers.")
        maps.flags.writeable = False
        object.__setattr__(self, "maps", maps)

    def __getitem__(self, label: str) -> NDArray[np.float64]:
        """``(h, w)``, read-only: the map of one expression."""
        if label not in self.labels:
            raise KeyError(label)
        return np.asarray(self.maps[self.labels.index(label)])

    def __reduce__(self) -> tuple[Any, ...]:
        return _reduce(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evidence) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(frozenset(self.labels))  # equal up to the rounding of JSON: nothing that is rounded may count

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it; px and ``angle_deg``, there only when it is not 0, with two decimals."""
        square, angle_deg = self.square, round(self.angle_deg, 2)
        return {
            "square": [round(v, 2) for v in (square.x1, square.y1, square.x2, square.y2)],
            **({"angle_deg": angle_deg} if angle_deg else {}),
            "maps": {str(label): self[label].round(4).tolist() for label in self.labels},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The evidence that :meth:`to_dict` described, up to its rounding."""
        labels, maps = _read_labels(data["maps"]), np.array(list(data["maps"].values()), dtype=np.float64)
        return cls(labels, maps, Box(*data["square"]), data.get("angle_deg", 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face and how its expression reads.

    Attributes:
        box: where the detector saw the face.
        score: the detector's confidence, 0–1.
        emotion: the most probable emotion, or None when ``confidence`` is below the model's threshold (uncertain).
            In a smoothed film the label that has established itself.
        confidence: calibrated probability of ``emotion``, of the most probable one when it is None.
        probabilities: over the seven (or six) emotions; what the network says of this picture alone.
        votes: how ten people would vote, over eight expressions (FER+); of this picture alone.
        landmarks: ``(5, 2)`` float64 px (right eye, left eye, nose, right and left mouth corner; the person's right),
            or None when the detector gives none.
        quality: how readable the face is.
        track_id: the same number for the same person in a film, until a cut or two seconds of absence; None in photos,
            and for a face that was seen too shortly to get one.
        evidence: where in the face the answer comes from; None unless it was asked for.
        smoothed: ``probabilities`` averaged over the last moments of the track; ``emotion`` and ``confidence`` are read
            from it. None in photos and without smoothing.
    """

    box: Box
    score: float
    emotion: Emotion | None
    confidence: float
    probabilities: Distribution
    votes: Distribution
    landmarks: NDArray[np.float64] | None = None
    quality: Quality | None = None
    track_id: int | None = None
    evidence: Evidence | None = None
    smoothed: Distribution | None = None

    def __post_init__(self) -> None:
        if self.landmarks is not None:
            points = np.array(self.landmarks, dtype=np.float64)
            if points.shape != (5, 2):
                raise UsageError(f"landmarks have the shape {points.shape}", advice="Give (5, 2).")
            points.flags.writeable = False
            object.__setattr__(self, "landmarks", points)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reduce(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Face) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.emotion, round(self.confidence, 6), self.track_id))  # as JSON has them, see __eq__

    @property
    def basis(self) -> Distribution:
        """What ``emotion`` and ``confidence`` come from: ``smoothed`` where there is some, else ``probabilities``."""
        return self.probabilities if self.smoothed is None else self.smoothed

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it; px with two decimals, probabilities with six.

        The keys ``evidence`` and ``smoothed`` are there only when the face has some.
        """
        box, optional = self.box, {"evidence": self.evidence, "smoothed": self.smoothed}
        return {
            "box": [round(v, 2) for v in (box.x1, box.y1, box.x2, box.y2)],
            "score": round(self.score, 6),
            "emotion": None if self.emotion is None else str(self.emotion),
            "confidence": round(self.confidence, 6),
            "probabilities": self.probabilities.to_dict(),
            "votes": self.votes.to_dict(),
            "landmarks": None if self.landmarks is None else [[round(x, 2), round(y, 2)] for x, y in self.landmarks],
            "quality": None if self.quality is None else self.quality.to_dict(),
            "track": self.track_id,
            **{key: value.to_dict() for key, value in optional.items() if value is not None},
        }

    def _repr_html_(self) -> str:
        return build_face(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The face that :meth:`to_dict` described, up to its rounding."""
        quality = data.get("quality")
        landmarks = data.get("landmarks")
        evidence, smoothed = data.get("evidence"), data.get("smoothed")
        return cls(
            box=Box(*data["box"]),
            score=data["score"],
            emotion=None if data["emotion"] is None else Emotion(data["emotion"]),
            confidence=data["confidence"],
            probabilities=_read_distribution(data["probabilities"]),
            votes=_read_distribution(data["votes"]),
            landmarks=None if landmarks is None else np.array(landmarks, dtype=np.float64),
            quality=None if quality is None else Quality(**quality),
            track_id=data.get("track"),
            evidence=None if evidence is None else Evidence.from_dict(evidence),
            smoothed=None if smoothed is None else _read_distribution(smoothed),
        )


def _reduce(value: Evidence | Face) -> tuple[Any, ...]:
    """What pickle and copy make it anew from: arrays that they set themselves could be written to."""
    return type(value), tuple(getattr(value, each.name) for each in fields(value))


def _read_distribution(data: Mapping[str, float]) -> Distribution:
    return Distribution(_read_labels(data), list(data.values()))


def _read_labels(data: Mapping[str, Any]) -> tuple[str, ...]:
    known = {str(e): e for e in Emotion}
    return tuple(known.get(label, label) for label in data)


@dataclass(frozen=True, slots=True)
class Analysis:
    """Every face of one picture.

    Attributes:
        faces: from left to right; empty when nobody is there.
        size: (width, height) of the upright picture, px.
        model: the network that answered, ``name@sha256[:12]``.
        detector: the detector that looked; ``given`` where the caller knew the boxes.
        source: the path or name the picture came from; None for arrays and bytes.
        timings_ms: milliseconds per step; not part of equality and JSON, so that a second run compares equal.
    """

    faces: tuple[Face, ...]
    size: tuple[int, int]
    model: str
    detector: str
    source: str | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """``{"schema": "fervid/1", …}``: the same from the API, the command line and every server."""
        return {
            "schema": SCHEMA,
            "source": self.source and escape_bytes(self.source),
            "size": list(self.size),
            "model": self.model,
            "detector": self.detector,
            "faces": [face.to_dict() for face in self.faces],
        }

    def to_pandas(self) -> pandas.DataFrame:
        """A row per face with the columns of every CSV (:data:`fervid.exchange.COLUMNS`), of the same types always.

        For many results at once see :func:`fervid.to_pandas`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return build_data_frame(list_rows(self.to_dict()))

    def to_supervision(self) -> supervision.Detections:
        """The faces as ``sv.Detections``; see :func:`fervid.exchange.build_detections` for what stands where.

        Raises:
            MissingExtraError: supervision is not installed.
        """
        return build_detections(self.to_dict())

    def _repr_html_(self) -> str:
        return build_analysis(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The analysis that :meth:`to_dict` described.

        Raises:
            UsageError: the JSON is of another schema, or of a :class:`Failure`.
        """
        return cls(**_read_analysis(data))


def _read_analysis(data: Mapping[str, Any]) -> dict[str, Any]:
    if data.get("schema") != SCHEMA:
        raise UsageError(f"the schema is {data.get('schema')!r}, not {SCHEMA!r}", advice="Read it with its writer.")
    if "error" in data:
        raise UsageError("the JSON is of an input that could not be read", advice='Leave it out, or read its "error".')
    faces = tuple(Face.from_dict(face) for face in data["faces"])
    others = {name: data[name] for name in ("model", "detector", "source")}
    return {"faces": faces, "size": tuple(data["size"]), **others}


@dataclass(frozen=True, slots=True)
class Frame(Analysis):
    """Every face of one frame of a film.

    Attributes:
        index: of the frame in its stream, from 0; frames that were not looked at count too.
        time_s: when the frame is shown, from the stream's timestamps, seconds from the start of the film.

    Raises:
        UsageError: the index is negative, or the time is not finite.
    """

    index: int = field(kw_only=True)
    time_s: float = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.index < 0 or not math.isfinite(self.time_s):
            raise UsageError(f"frame {self.index} at {self.time_s} s", advice="Give an index from 0, a finite time.")
        object.__setattr__(self, "index", int(self.index))  # NumPy's numbers are no JSON
        object.__setattr__(self, "time_s", float(self.time_s))

    def to_dict(self) -> dict[str, Any]:
        """That of an :class:`Analysis`, and ``frame`` and ``time_s`` (six decimals)."""
        data = Analysis.to_dict(self)  # super() does not survive slots=True before Python 3.14
        return {**data, "frame": self.index, "time_s": round(self.time_s, 6)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The frame that :meth:`to_dict` described.

        Raises:
            UsageError: the JSON is of another schema, or of a photo.
        """
        if "frame" not in data:
            raise UsageError("the JSON is of a photo, not of a frame", advice="Read it with Analysis.from_dict.")
        return cls(**_read_analysis(data), index=data["frame"], time_s=data["time_s"])


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that could not be analysed, in the place of its :class:`Analysis`."""

    source: str
    error: FervidError

    def to_dict(self) -> dict[str, Any]:
        """Plain dict with the error's one JSON shape."""
        return {"schema": SCHEMA, "source": escape_bytes(self.source), "error": self.error.to_dict()}

    def _repr_html_(self) -> str:
        return build_failure(self.to_dict())
