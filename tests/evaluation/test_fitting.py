"""Temperatures, the blend of two heads, and the threshold of "uncertain"."""

import numpy as np
import pytest

from fervid.classification.calibration import softmax
from fervid.evaluation.fitting import choose_threshold, fit_blend, fit_temperature


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7, 3.0])
def test_temperature_is_recovered_from_labels_and_from_distributions(temperature):
    rng = np.random.default_rng(7)
    calibrated = rng.normal(size=(20_000, 5)) * 2
    shares = softmax(calibrated)
    drawn = (rng.random((20_000, 1)) < shares.cumsum(axis=1)).argmax(axis=1)
    assert fit_temperature(calibrated * temperature, shares) == pytest.approx(temperature, rel=1e-3)
    assert fit_temperature(calibrated * temperature, drawn) == pytest.approx(temperature, rel=0.04)


def test_temperature_stays_between_its_ends():
    logits = np.tile([[0.4, 0.0], [0.0, 0.4]], (500, 1))
    right, wrong = np.tile([0, 1], 500), np.tile([1, 0], 500)
    assert fit_temperature(logits, right) == pytest.approx(0.2, rel=2e-3)  # always right: as sure as allowed
    assert fit_temperature(logits, wrong) == pytest.approx(5.0, rel=2e-3)  # always wrong: as unsure as allowed


def test_labels_are_fitted_by_briers_score():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(6000, 3)) * 1.5
    right = rng.random(6000) < np.where(np.ptp(logits, axis=1) > 3, 0.97, 0.5)  # too unsure at the top, too sure below
    labels = np.where(right, logits.argmax(axis=1), (logits.argmax(axis=1) + 1) % 3)

    def score(temperature):
        return ((softmax(logits, temperature) - np.eye(3)[labels]) ** 2).sum(axis=1).mean()

    best = fit_temperature(logits, labels)
    assert score(best) < min(score(best * 1.03), score(best / 1.03))
    assert abs(fit_temperature(logits, np.eye(3)[labels]) / best - 1) > 0.03  # by cross-entropy it is another one


def test_a_few_faces_that_are_all_right_prove_little():
    logits = 4 * np.eye(7)[np.arange(20) % 7]
    assert 0.5 < fit_temperature(logits, np.arange(20) % 7) < 0.9
    assert fit_temperature(logits[:2], np.arange(2)) > 0.8


def test_blend_goes_to_the_head_that_is_right():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 500)
    right, wrong = np.full((500, 4), 0.1), np.full((500, 4), 0.25)
    right[np.arange(500), labels] = 0.7
    votes = np.eye(4)[labels]
    assert fit_blend(right, wrong, labels, votes) < 0.01
    assert fit_blend(wrong, right, labels, votes) > 0.99


def test_blend_between_two_truths_is_the_best_on_a_grid():
    rng = np.random.default_rng(2)
    label_head, votes_head = softmax(rng.normal(size=(800, 5))), softmax(rng.normal(size=(800, 5)))
    labels = (rng.random((800, 1)) < label_head.cumsum(axis=1)).argmax(axis=1)

    def loss(share):
        answer = (1 - share) * label_head + share * votes_head
        return -np.log(answer[np.arange(800), labels]).mean() - (votes_head * np.log(answer)).sum(axis=1).mean()

    grid = np.linspace(0, 1, 1001)
    best = grid[np.argmin([loss(share) for share in grid])]
    assert 0.2 < best < 0.8
    assert fit_blend(label_head, votes_head, labels, votes_head) == pytest.approx(best, abs=2e-3)


def test_threshold_withholds_what_is_more_likely_wrong():
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.2, 1, 40_000)
    correct = rng.random(40_000) < confidence  # calibrated: below one half an answer is more likely wrong
    assert choose_threshold(confidence, correct) == pytest.approx(0.5, abs=0.03)
    assert choose_threshold(confidence, correct, cost=0.3) == pytest.approx(0.7, abs=0.03)


def test_threshold_at_its_ends():
    confidence = np.array([0.9, 0.6, 0.3])
    assert choose_threshold(confidence, np.array([True, True, True])) == 0.0  # nothing is to be withheld
    assert choose_threshold(confidence, np.array([True, True, False])) == pytest.approx(0.45)
    assert choose_threshold(np.array([0.9, 0.9, 0.9, 0.3]), np.array([1, 1, 0, 0], dtype=bool)) == pytest.approx(0.6)
    assert choose_threshold(confidence, np.array([False, False, False])) == 1.0
    assert choose_threshold(np.empty(0), np.empty(0, dtype=bool)) == 1.0
    assert choose_threshold(confidence, np.array([True, True, False]), cost=0.0) == 1.0
    assert choose_threshold(np.array([0.5, 0.5]), np.array([True, True])) == 0.0
