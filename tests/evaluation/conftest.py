"""A classifier whose answers are set by the test, and faces made for it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from fervid.classification.calibration import blend_heads
from fervid.classification.classifier import Prediction
from fervid.datasets.faceset import SPLITS, VOTE_COLUMNS, FaceSet
from fervid.emotions import EMOTIONS, VOTE_LABELS, emotions_for


@dataclass
class FakeClassifier:
    """Answers what ``table`` says for the face whose first pixel pair spells the row."""

    probabilities: np.ndarray
    votes: np.ndarray
    threshold: float = 0.5
    blend: float = 0.0
    identity: str = "fake@0123456789ab"
    batches: list[int] = field(default_factory=list)

    @property
    def spec(self):
        labels = emotions_for(self.probabilities.shape[1])
        return SimpleNamespace(labels=labels, threshold=self.threshold, blend=self.blend)

    def predict(self, images):
        self.batches.append(len(images))
        rows = [int(image[0, 0]) * 256 + int(image[0, 1]) for image in images]
        labels, votes = self.probabilities[rows], self.votes[rows]
        return Prediction(blend_heads(labels, votes, self.blend), votes, labels)


@dataclass
class World:
    """Faces of a split with the classifier that knows them.

    ``answers`` and ``truths`` index EMOTIONS; ``confidence`` is given to the answer, the rest is shared evenly.
    """

    truths: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray
    split: str = "PrivateTest"
    threshold: float = 0.5
    votes: np.ndarray | None = None
    vote_answers: np.ndarray | None = None

    @property
    def faces(self):
        n = len(self.truths)
        images = np.random.default_rng(0).integers(0, 256, (n, 48, 48), dtype=np.uint8)
        images[:, 0, 0], images[:, 0, 1] = np.arange(n) // 256, np.arange(n) % 256
        splits = np.full(n, SPLITS.index(self.split), dtype=np.int64)
        return FaceSet(images, np.asarray(self.truths, dtype=np.int64), splits, self.votes)

    @property
    def classifier(self):
        rest = (1 - self.confidence) / (len(EMOTIONS) - 1)
        probabilities = np.repeat(rest[:, None], len(EMOTIONS), axis=1)
        probabilities[np.arange(len(self.answers)), self.answers] = self.confidence
        chosen = self.answers if self.vote_answers is None else self.vote_answers
        return FakeClassifier(probabilities, np.eye(len(VOTE_LABELS))[chosen], self.threshold)


def count_votes(**counts):
    """One row of FER+ counts by FER+'s own column names."""
    return [counts.get(name, 0) for name in VOTE_COLUMNS.values()]


@pytest.fixture
def world():
    """600 faces, about 70 % answered right, surer when right, with FER+ votes that follow the label."""
    rng = np.random.default_rng(3)
    truths = rng.integers(0, 7, 600)
    right = rng.random(600) < 0.7
    answers = np.where(right, truths, (truths + rng.integers(1, 7, 600)) % 7)
    confidence = np.clip(0.35 + 0.4 * right + rng.uniform(0, 0.25, 600), 0, 1)
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    votes = np.array([count_votes(**{names[t]: 7, "contempt": 3}) for t in truths], dtype=np.int64)
    return World(truths, answers, confidence, votes=votes)


class Page(HTMLParser):
    """Fails on a tag that is not closed in its turn; gathers tags and attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "img", "source", "br", "link"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="session")
def parse_page():
    return Page


@pytest.fixture(scope="session")
def make_world():
    return World


@pytest.fixture(scope="session")
def make_votes():
    return lambda *rows: np.array([count_votes(**row) for row in rows], dtype=np.int64)
