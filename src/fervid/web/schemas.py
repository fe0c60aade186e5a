"""``fervid/1`` as OpenAPI describes it: the shapes that :mod:`fervid.results` writes, for readers of the API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
BoxArray = Annotated[
    list[float], Field(min_length=4, max_length=4, description="x1, y1, x2, y2, px of the upright picture, half-open.")
]
Point = Annotated[list[float], Field(min_length=2, max_length=2, description="x, y, px.")]
Shares = Annotated[dict[str, Share], Field(description="Probability by label, in a fixed order; they sum to 1.")]


class ErrorBody(BaseModel):
    """What was wrong and what to do."""

    code: str = Field(description="Stable, such as input.image or web.too_large.", examples=["input.image"])
    message: str = Field(description="What was wrong, and what was got.")
    advice: str = Field(description="What to do; may be empty.")


class _Answer(BaseModel):
    """Anything with the name of its schema."""

    model_config = ConfigDict(serialize_by_alias=True)

    schema_: Literal["fervid/1"] = Field(alias="schema", default="fervid/1")


class ErrorAnswer(_Answer):
    """Every error of every address."""

    error: ErrorBody


class QualityModel(BaseModel):
    """How readable a face is."""

    size_px: float = Field(description="Side of the square the network was given, px of the picture.")
    sharpness: float = Field(description="Variance of the Laplacian at 48 px, grey levels²; low is blurred.")
    roll_deg: float | None = Field(description="Tilt of the line between the eyes, clockwise positive.")
    yaw: float | None = Field(description="How far the nose stands from the middle of the eyes; negative: left.")


class EvidenceModel(BaseModel):
    """Where in a face its answer comes from."""

    square: BoxArray
    angle_deg: float = Field(default=0.0, description="How far the square is turned, clockwise; there when it is.")
    maps: dict[str, list[list[float]]] = Field(description="By expression, rows of places: log-odds each adds.")


class FaceModel(BaseModel):
    """One face and how its expression reads."""

    box: BoxArray
    score: Share = Field(description="The detector's confidence.")
    emotion: str | None = Field(
        description="The most probable expression, or null when confidence is below the model's threshold (uncertain). "
        "In a smoothed film and live the one that has established itself."
    )
    confidence: Share = Field(
        description="Calibrated probability of emotion, of the most probable expression when it is null."
    )
    probabilities: Shares
    votes: Shares = Field(description="How ten people would vote, over eight expressions.")
    landmarks: list[Point] | None = Field(description="Right eye, left eye, nose, right and left mouth corner.")
    quality: QualityModel | None
    track: int | None = Field(
        description="The same number for the same person in a film, until a cut or two seconds of absence; null in "
        "photos, and for a face seen too shortly to get one."
    )
    evidence: EvidenceModel | None = Field(default=None, description="There only when asked for.")
    smoothed: Shares | None = Field(default=None, description="There only in films and live.")


class AnalysisModel(_Answer):
    """Every face of one picture."""

    source: str | None
    size: Annotated[list[int], Field(min_length=2, max_length=2, description="Width, height, px.")]
    model: str = Field(description="name@sha256[:12]")
    detector: str
    faces: list[FaceModel] = Field(description="From left to right; empty when nobody is there.")


class FrameModel(AnalysisModel):
    """Every face of one frame."""

    frame: int = Field(ge=0)
    time_s: float


class AnnotatedPicture(BaseModel):
    """A picture with what was read drawn on it."""

    media_type: Literal["image/jpeg"]
    data: str = Field(description="Base64.", json_schema_extra={"contentEncoding": "base64"})


class ImageAnswer(AnalysisModel):
    """Every face of the picture that was sent."""

    annotated: AnnotatedPicture | None = Field(default=None, description="There only when asked for.")
