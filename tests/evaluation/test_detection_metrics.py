"""Matching of detections with faces, precision and recall from their scores, and intervals that come from photos."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.evaluation.detection_metrics import (
    IGNORED,
    NOTHING,
    Findings,
    landmark_errors,
    match_detections,
    ratio_interval,
)
from fervid.evaluation.metrics import wilson_interval

NO_BOXES = np.empty((0, 4))
FRONTAL = np.array([[15.0, 20], [35, 20], [25, 30], [17.5, 40], [32.5, 40]])  # points, the eyes 20 px apart


def test_matching_is_greedy_by_score_and_one_to_one():
    faces = np.array([[0.0, 0, 10, 10], [4, 0, 14, 10]])
    boxes = np.array([[1.0, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60], [30, 0, 40, 10]])
    ignored = np.array([[30.0, 0, 40, 10]])
    assert match_detections(boxes, np.array([0.9, 0.8, 0.7, 0.6]), faces, ignored).tolist() == [0, NOTHING, -1, IGNORED]
    assert match_detections(boxes, np.array([0.7, 0.8, 0.7, 0.6]), faces, ignored).tolist() == [1, 0, -1, IGNORED]
    assert match_detections(boxes, np.ones(4), NO_BOXES, NO_BOXES).tolist() == [NOTHING] * 4
    assert match_detections(NO_BOXES, np.empty(0), faces, ignored).tolist() == []


def test_overlap_of_a_half_is_enough():
    faces = np.array([[0.0, 0, 10, 10]])
    assert match_detections(np.array([[0.0, 0, 10, 5]]), np.ones(1), faces, NO_BOXES).tolist() == [0]
    assert match_detections(np.array([[0.0, 0, 10, 4.9]]), np.ones(1), faces, NO_BOXES).tolist() == [NOTHING]


corners = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(4, 12), st.integers(4, 12))
some_boxes = st.lists(corners, max_size=6).map(
    lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], dtype=np.float64).reshape(-1, 4)
)


@settings(deadline=None)
@given(some_boxes, some_boxes, some_boxes, st.randoms())
def test_weaker_detections_change_nothing_about_stronger_ones(boxes, faces, ignored, random):
    scores = np.array(random.sample(range(1, 100), len(boxes)), dtype=np.float64) / 100
    outcome = match_detections(boxes, scores, faces, ignored)
    taken = outcome[outcome >= 0].tolist()
    assert len(taken) == len(set(taken))
    strong = scores > 0.5
    assert match_detections(boxes[strong], scores[strong], faces, ignored).tolist() == outcome[strong].tolist()


def collect(found, alarms):
    """Findings of one photo with these scores."""
    return Findings(
        photos=1,
        face_photo=np.zeros(len(found), dtype=np.int64),
        face_height=np.full(len(found), 50.0),
        face_score=np.array(found, dtype=np.float64),
        face_error=np.full(len(found), np.nan),
        alarm_photo=np.zeros(len(alarms), dtype=np.int64),
        alarm_height=np.full(len(alarms), 50.0),
        alarm_score=np.array(alarms, dtype=np.float64),
    )


def test_average_precision_of_a_worked_example():
    findings = collect([0.9, 0.7, 0.5, -1], [0.8, 0.6])
    thresholds, precision, recall = findings.precision_recall()
    assert thresholds.tolist() == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2, 3 / 5])
    assert recall.tolist() == [0.25, 0.25, 0.5, 0.5, 0.75]
    assert findings.average_precision() == pytest.approx(0.25 * (1 + 2 / 3 + 3 / 5))
    assert findings.recall_at(0.65) == (0.5, 0.7)
    assert findings.recall_at(0.6) == (0.75, 0.5)
    assert collect([0.5], [0.9]).recall_at(0.97) is None


def test_equal_scores_come_together():
    assert collect([0.5], [0.5]).average_precision() == 0.5
    assert collect([-1, -1], []).average_precision() == 0
    assert collect([], [0.5]).average_precision() is None


@settings(deadline=None)
@given(st.lists(st.integers(1, 99), max_size=12), st.lists(st.integers(1, 99), max_size=12), st.integers(0, 4))
def test_average_precision_agrees_with_its_definition(found, alarms, missed):
    findings = collect([s / 100 for s in found] + [-1] * missed, [s / 100 for s in alarms])
    area, faces = 0.0, len(found) + missed
    for k in range(1, len(found) + 1):  # each further face, at the best precision that still finds as many
        precisions = [
            hits / (hits + sum(a >= t for a in alarms)) for t in set(found) if (hits := sum(f >= t for f in found)) >= k
        ]
        area += max(precisions) / faces
    assert findings.average_precision() == (pytest.approx(area) if faces else None)


def test_landmark_errors_of_unknown_and_turned_faces():
    truth = np.tile(FRONTAL, (3, 1, 1))
    truth[1] = np.nan
    truth[2, 1] = truth[2, 0]
    errors = landmark_errors(truth + 1, truth, np.full(3, 50.0))
    assert errors[0] == pytest.approx(2**0.5 / 20)
    assert np.isnan(errors[1])
    assert np.isposinf(errors[2])


def test_the_interval_of_a_ratio_covers_its_truth():
    rng = np.random.default_rng(7)
    covered = 0
    for seed in range(60):
        faces = rng.poisson(3, 80)
        low, high = ratio_interval(rng.binomial(faces, 0.8), faces, seed=seed)
        covered += low <= 0.8 <= high
    assert 51 <= covered <= 60


@pytest.mark.parametrize(
    ("numerators", "denominators", "expected"),
    [
        ([3, 1, 0, 2], [3, 1, 0, 2], wilson_interval(3, 3)),  # all found; a photo without a face counts for nothing
        ([0, 0, 0], [5, 0, 1], wilson_interval(0, 2)),
        ([1, 2], [3, 6], wilson_interval(2 / 3, 2)),
        ([2, 0], [2, 0], wilson_interval(1, 1)),
    ],
)
def test_a_ratio_that_every_draw_gives_has_wilsons_interval_of_the_photos(numerators, denominators, expected):
    low, high = ratio_interval(np.array(numerators), np.array(denominators))
    assert (low, high) == pytest.approx(expected)
    assert high - low > 0.5
