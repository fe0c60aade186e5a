"""Films whose every frame says its number, a detector that knows who is on which, and a network without weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.classification.classifier import Prediction
from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.emotions import EMOTIONS, VOTE_LABELS
from fervid.reading import FaceReader
from fervid.results import Box
from fervid.video.writing import VideoWriter

WIDTH, HEIGHT = 160, 120
SIDE = WIDTH // 16

People = Callable[[int], Sequence[Detection]]
"""Who is on the frame of that number."""


def draw(number: int, grey: int = 80, size: tuple[int, int] = (WIDTH, HEIGHT)) -> NDArray[np.uint8]:
    """A frame with its number as sixteen squares along its upper edge; below, a slope of grey levels."""
    width, height = size
    image = np.full((height, width, 3), grey, dtype=np.uint8)
    image += (np.arange(width) // 4).astype(np.uint8)[None, :, None]
    for bit in range(16):
        image[: height // 6, bit * width // 16 : (bit + 1) * width // 16] = 255 if number >> bit & 1 else 0
    return image


def read_number(image: NDArray[np.uint8]) -> int:
    """The number that a frame carries."""
    middle = image[image.shape[0] // 12, image.shape[1] // 32 :: image.shape[1] // 16, 1]
    return sum(1 << bit for bit, value in enumerate(middle[:16]) if value > 127)


def face_at(x: float, y: float, side: float = 24.0, score: float = 0.9) -> Detection:
    """A square face with points."""
    points = np.array([(0.3, 0.35), (0.7, 0.35), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]) * side + (x, y)
    return Detection(Box(x, y, x + side, y + side), score, points)


@dataclass
class ScriptedDetector:
    """Answers by the number that a frame carries."""

    people: People
    looked: list[int] = field(default_factory=list)
    name: str = "script"
    framing: Framing = field(default_factory=lambda: Framing(1.0, 0.0, 0.0))
    score_threshold: float = 0.5

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:  # noqa: ARG002
        number = read_number(image)
        self.looked.append(number)
        return list(self.people(number))


class GreyClassifier:
    """Answers by the mean and the middle of the crop; remembers how many faces it was given at once."""

    identity = "grey@000000000000"
    spec = SimpleNamespace(
        size=8, crop=1.0, mean=0.0, std=255.0, threshold=0.3, labels=EMOTIONS, vote_labels=VOTE_LABELS, blend=0.5
    )

    def __init__(self) -> None:
        self.asked: list[int] = []

    def predict_inputs(self, inputs: NDArray[np.float32]) -> Prediction:
        self.asked.append(len(inputs))
        level = inputs.reshape(len(inputs), 64).mean(axis=1).astype(np.float64)
        weights = np.exp(3 * np.sin(level[:, None] * 9 + np.arange(8)))
        seven, eight = weights[:, :7], weights
        seven, eight = seven / seven.sum(axis=1, keepdims=True), eight / eight.sum(axis=1, keepdims=True)
        return Prediction(seven, eight, seven)


@dataclass
class TimedArray:
    """A frame."""

    image: NDArray[np.uint8]
    index: int
    time_s: float


def make_frames(count: int, rate: float = 25.0, cuts: Sequence[int] = ()) -> Iterator[TimedArray]:
    """Frames 0 to count − 1; at each cut the scene changes."""
    for number in range(count):
        scene = sum(number >= cut for cut in cuts)
        image = draw(number, 80 + scene * 60 % 180)
        if scene % 2:
            image[HEIGHT // 6 :] = np.flip(image[HEIGHT // 6 :], axis=1) // 2
            image[HEIGHT // 3 : HEIGHT // 2 + 10 * scene, :: 1 + scene] = 220
        yield TimedArray(image, number, number / rate)


def two_people(number: int) -> list[Detection]:
    """One walks to the right, is hidden for half a second and flickers once; another comes later and goes."""
    faces = []
    if not 30 <= number < 42 and number != 55:
        faces.append(face_at(10 + number, 30))
    if 20 <= number < 70:
        faces.append(face_at(120 - 0.5 * number, 80, 28))
    return faces


@pytest.fixture
def make_reader() -> Callable[[], FaceReader]:
    """A reader of faces without weights."""

    def make() -> FaceReader:
        classifier: Any = GreyClassifier()
        return FaceReader(classifier, EMOTIONS)

    return make


def write_film(path: Path, count: int = 100, rate: float = 25.0, cuts: Sequence[int] = ()) -> Path:
    """The frames of :func:`make_frames` as a film."""
    with VideoWriter(path, frame_rate=rate, quality=12) as writer:
        for frame in make_frames(count, rate, cuts):
            writer.write(frame.image, frame.time_s)
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds with a cut after two and a half."""
    pytest.importorskip("av")
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4", cuts=[63])
