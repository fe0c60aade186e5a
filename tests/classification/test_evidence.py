"""Evidence is what changes the answer: checked against the answer's own derivative."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.classification.calibration import blend_heads, restrict_votes, softmax
from fervid.classification.classifier import HeadMaps, Prediction
from fervid.classification.evidence import blend_evidence, contrast_maps
from fervid.emotions import EMOTIONS, fold_disgust

Array = NDArray[np.float64]


def log_odds(probabilities: Array) -> Array:
    return np.log(probabilities / (1 - probabilities))


def predict(labels: Array, votes: Array, share: float) -> Prediction:
    label_probabilities, shares = softmax(labels), softmax(votes)
    return Prediction(blend_heads(label_probabilities, shares, share), shares, label_probabilities)


@pytest.fixture
def logits(rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.normal(0, 2, (20, 7)), rng.normal(0, 2, (20, 8))


@pytest.mark.parametrize("labels", [7, 6])
@pytest.mark.parametrize("head", ["labels", "votes"])
def test_one_heads_evidence_is_the_derivative_of_its_log_odds(
    logits: tuple[Array, Array], rng: np.random.Generator, labels: int, head: str
) -> None:
    share = float(head == "votes")
    change = rng.normal(0, 1, (20, 7 if head == "labels" else 8))
    maps = HeadMaps(
        *(change[:, :, None, None] if head == h else np.ones((20, n, 1, 1)) for h, n in (("labels", 7), ("votes", 8)))
    )
    found = blend_evidence(maps, predict(*logits, share), share, labels)
    answers = []
    for step in (-1e-5, 1e-5):
        moved = [
            part + step * change if name == head else part
            for name, part in zip(("labels", "votes"), logits, strict=True)
        ]
        answer = predict(*moved, share).probabilities
        answers.append(log_odds(np.asarray(fold_disgust(answer)) if labels == 6 else answer))
    assert found[:, :, 0, 0] == pytest.approx((answers[1] - answers[0]) / 2e-5, abs=1e-4)


def test_each_head_counts_as_much_as_it_gives_to_the_answer(
    logits: tuple[Array, Array], rng: np.random.Generator
) -> None:
    prediction = predict(*logits, 0.4)
    maps = HeadMaps(rng.normal(0, 1, (20, 7, 3, 3)), rng.normal(0, 1, (20, 8, 3, 3)))
    found = blend_evidence(maps, prediction, 0.4, 7)
    alone = contrast_maps(maps.labels, prediction.label_probabilities)
    votes = restrict_votes(prediction.votes, 7)
    other = contrast_maps(maps.votes[:, :7], votes)
    part = (0.4 * votes / prediction.probabilities)[:, :, None, None]
    assert found == pytest.approx((1 - part) * alone + part * other, abs=1e-6)


def test_what_speaks_for_the_runner_up_speaks_against() -> None:
    probabilities = np.array([[0.02, 0.02, 0.02, 0.5, 0.02, 0.4, 0.02]])
    maps = np.zeros((1, 7, 1, 3))
    happy, surprise, fear = (EMOTIONS.index(e) for e in ("happy", "surprise", "fear"))
    maps[0, happy, 0, 0] = maps[0, surprise, 0, 1] = maps[0, fear, 0, 2] = 1
    found = contrast_maps(maps, probabilities)[0, happy, 0]
    assert found == pytest.approx([1, -0.8, -0.04])
    assert contrast_maps(np.full((1, 7, 2, 2), 9.0), probabilities) == pytest.approx(np.zeros((1, 7, 2, 2)))


def test_certainty_divides_by_nothing() -> None:
    sure = Prediction(np.eye(7)[[3]], np.eye(8)[[3]], np.eye(7)[[3]])
    maps = HeadMaps(np.ones((1, 7, 2, 2)), np.ones((1, 8, 2, 2)))
    for labels in (6, 7):
        found = blend_evidence(maps, sure, 0.5, labels)
        assert found.shape == (1, labels, 2, 2)
        assert found == pytest.approx(np.zeros((1, labels, 2, 2)), abs=1e-6)


def test_a_network_that_knows_six_labels(logits: tuple[Array, Array], rng: np.random.Generator) -> None:
    six = softmax(logits[0][:, :6])
    votes = softmax(logits[1])
    prediction = Prediction(blend_heads(six, votes, 0.5), votes, six)
    maps = HeadMaps(rng.normal(0, 1, (20, 6, 3, 3)), rng.normal(0, 1, (20, 8, 3, 3)))
    assert blend_evidence(maps, prediction, 0.5, 6).shape == (20, 6, 3, 3)


def test_no_faces_have_no_evidence() -> None:
    none = Prediction(np.empty((0, 7)), np.empty((0, 8)), np.empty((0, 7)))
    maps = HeadMaps(np.empty((0, 7, 1, 1)), np.empty((0, 8, 1, 1)))
    assert len(blend_evidence(maps, none, 0.5, 7)) == 0
