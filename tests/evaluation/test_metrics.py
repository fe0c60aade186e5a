"""Measures against values computed by hand and against their textbook definitions, spelled out row by row."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fervid.classification.calibration import softmax
from fervid.errors import UsageError
from fervid.evaluation.metrics import (
    accuracy,
    average_scores,
    bootstrap_interval,
    calibration_error_interval,
    class_scores,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    macro_f1_interval,
    negative_log_likelihood,
    reliability_bins,
    risk_coverage,
    risk_coverage_area,
    risk_coverage_area_interval,
    row_losses,
    wilson_interval,
)

CLASSES = 4
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
labels = st.integers(0, CLASSES - 1)
label_pairs = st.lists(st.tuples(labels, labels), min_size=1, max_size=60)
logit_rows = arrays(np.float64, (5, CLASSES), elements=st.floats(-50, 50))


def one_hot(answers, confidence=1.0, classes=CLASSES):
    rest = (1 - confidence) / (classes - 1)
    return np.where(np.eye(classes, dtype=bool)[answers], confidence, rest)


@patient
@given(logit_rows, st.floats(-30, 30), st.floats(0.2, 5))
def test_softmax_is_a_distribution_and_ignores_a_shift(logits, shift, temperature):
    probabilities = softmax(logits, temperature)
    assert np.all(probabilities >= 0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(softmax(logits + shift, temperature), probabilities, atol=1e-9)
    np.testing.assert_allclose(softmax(logits / temperature), probabilities, atol=1e-9)


@patient
@given(logit_rows)
def test_softmax_keeps_the_order_and_flattens_with_temperature(logits):
    cold, warm = softmax(logits, 1.0), softmax(logits, 3.0)
    top = logits.argmax(axis=1)
    rows = np.arange(len(logits))
    np.testing.assert_allclose(cold[rows, top], cold.max(axis=1))
    assert np.all(warm.max(axis=1) <= cold.max(axis=1) + 1e-12)


def test_softmax_by_hand():
    np.testing.assert_allclose(softmax(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])
    np.testing.assert_allclose(softmax(np.array([[1000.0, 0.0]])), [[1.0, 0.0]])


def test_confusion_matrix_by_hand():
    matrix = confusion_matrix(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 2]), 3)
    np.testing.assert_array_equal(matrix, [[1, 1, 0], [0, 1, 0], [1, 0, 2]])


@patient
@given(label_pairs)
def test_confusion_sums_and_accuracy_is_trace_over_sum(pairs):
    truths, answers = np.array(pairs).T
    matrix = confusion_matrix(truths, answers, CLASSES)
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(truths, minlength=CLASSES))
    np.testing.assert_array_equal(matrix.sum(axis=0), np.bincount(answers, minlength=CLASSES))
    assert accuracy(one_hot(answers), truths) == pytest.approx(np.trace(matrix) / matrix.sum())


@patient
@given(label_pairs)
def test_class_scores_follow_the_definition(pairs):
    matrix = confusion_matrix(*np.array(pairs).T, CLASSES)
    for c, scores in enumerate(class_scores(matrix)):
        true_positives = sum(t == c and a == c for t, a in pairs)
        false_positives = sum(t != c and a == c for t, a in pairs)
        false_negatives = sum(t == c and a != c for t, a in pairs)
        found = true_positives + false_positives
        support = true_positives + false_negatives
        assert scores.support == support
        assert scores.precision == pytest.approx(true_positives / found if found else 0)
        assert scores.recall == pytest.approx(true_positives / support if support else 0)
        doubled = 2 * true_positives + false_positives + false_negatives
        assert scores.f1 == pytest.approx(2 * true_positives / doubled if doubled else 0)


@patient
@given(label_pairs)
def test_averages_follow_the_definition(pairs):
    matrix = confusion_matrix(*np.array(pairs).T, CLASSES)
    scores = class_scores(matrix)
    present = sorted({label for pair in pairs for label in pair})
    assert macro_f1(matrix) == pytest.approx(sum(scores[c].f1 for c in present) / len(present))
    macro, weighted = average_scores(matrix), average_scores(matrix, weighted=True)
    assert macro.f1 == pytest.approx(macro_f1(matrix))
    assert macro.precision == pytest.approx(sum(scores[c].precision for c in present) / len(present))
    assert weighted.recall == pytest.approx(np.trace(matrix) / matrix.sum())  # a known identity
    assert weighted.f1 == pytest.approx(sum(s.f1 * s.support for s in scores) / len(pairs))
    assert macro.support == weighted.support == len(pairs)


def test_class_scores_by_hand():
    first, second = class_scores(np.array([[8, 2], [4, 6]]))
    assert (first.precision, first.recall, first.f1, first.support) == pytest.approx((8 / 12, 0.8, 8 / 11, 10))
    assert (second.precision, second.recall, second.f1, second.support) == pytest.approx((0.75, 0.6, 2 / 3, 10))
    assert macro_f1(np.array([[8, 2], [4, 6]])) == pytest.approx((8 / 11 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("hits", "n", "expected"),
    [  # scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")
        (8, 10, (0.490162, 0.943318)),
        (0, 10, (0.0, 0.277533)),
        (10, 10, (0.722467, 1.0)),
        (302, 491, (0.571297, 0.657059)),
    ],
)
def test_wilson_interval(hits, n, expected):
    assert wilson_interval(hits, n) == pytest.approx(expected, abs=1e-6)


@patient
@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_ends_where_the_share_found_is_just_within_chance(counts):
    hits, n = counts
    low, high = wilson_interval(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    for share in (low, high):
        reach = 1.959964 * math.sqrt(share * (1 - share) / n)
        assert abs(hits / n - share) == pytest.approx(reach, abs=1e-9)


def test_only_the_recall_of_a_class_with_rows_has_an_interval():
    matrix = np.array([[8, 2, 0], [4, 6, 0], [0, 0, 0]])
    first, _, third = class_scores(matrix)
    assert (first.recall_low, first.recall_high) == wilson_interval(8, 10)
    for scores in (third, average_scores(matrix), average_scores(matrix, weighted=True)):
        assert scores.recall_low is scores.recall_high is None


def test_a_class_that_never_occurs_is_left_out_but_one_that_is_only_answered_counts():
    assert macro_f1(np.array([[3, 0, 0], [0, 2, 0], [0, 0, 0]])) == 1
    assert macro_f1(np.array([[3, 0, 1], [0, 2, 0], [0, 0, 0]])) == pytest.approx((6 / 7 + 1 + 0) / 3)
    nothing = np.zeros((3, 3), dtype=np.int64)
    assert macro_f1(nothing) == average_scores(nothing).f1 == average_scores(nothing, weighted=True).f1 == 0


def test_negative_log_likelihood_by_hand():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    assert negative_log_likelihood(probabilities, np.array([0, 1, 0])) == pytest.approx(
        (math.log(2) - math.log(0.75)) / 3
    )
    assert row_losses(probabilities, np.array([0, 0, 1]))[2] == pytest.approx(-math.log(1e-12))  # not infinite


def test_calibration_error_by_hand():
    confidence = [0.95, 0.95, 0.95, 0.95, 0.55, 0.55]
    probabilities = np.array([[c, 1 - c] for c in confidence])
    truths = np.array([0, 0, 0, 1, 0, 1])
    # 10 bins: four faces at 0.95 with accuracy 0.75, two at 0.55 with accuracy 0.5
    assert expected_calibration_error(probabilities, truths, bins=10) == pytest.approx(4 / 6 * 0.2 + 2 / 6 * 0.05)
    filled = [part for part in reliability_bins(probabilities, truths, bins=10) if part.count]
    assert [(part.count, part.accuracy) for part in filled] == [(2, 0.5), (4, 0.75)]
    assert [part.confidence for part in filled] == pytest.approx([0.55, 0.95])


def test_calibration_error_of_a_perfectly_calibrated_construct_is_zero():
    parts, truths = [], []
    for percent in range(30, 101, 10):  # of 100 rows with confidence p, p·100 are right
        parts.append(one_hot(np.zeros(100, dtype=int), percent / 100))
        truths += [0] * percent + [1] * (100 - percent)
    assert expected_calibration_error(np.concatenate(parts), np.array(truths)) == pytest.approx(0, abs=1e-12)


@patient
@given(logit_rows, arrays(np.int64, 5, elements=labels), st.integers(1, 20))
def test_calibration_error_lies_in_0_to_1_and_the_bins_hold_every_row(logits, truths, bins):
    probabilities = softmax(logits)
    assert 0 <= expected_calibration_error(probabilities, truths, bins=bins) <= 1
    parts = reliability_bins(probabilities, truths, bins=bins)
    assert sum(part.count for part in parts) == len(truths)
    right = sum(part.count * part.accuracy for part in parts if part.accuracy is not None)
    assert right / len(truths) == pytest.approx(accuracy(probabilities, truths))
    for part in parts:
        assert part.confidence is None or part.low - 1e-9 <= part.confidence <= part.high + 1e-9


@patient
@given(arrays(np.float64, st.integers(1, 80), elements=st.floats(-100, 100)), st.integers(0, 5))
def test_bootstrap_interval_contains_the_mean_and_repeats(values, seed):
    low, high = bootstrap_interval(values, resamples=400, seed=seed)
    assert low - 1e-9 <= values.mean() <= high + 1e-9
    assert values.min() - 1e-9 <= low <= high <= values.max() + 1e-9
    assert (low, high) == bootstrap_interval(values, resamples=400, seed=seed)


def test_bootstrap_interval_agrees_with_the_normal_approximation():
    correct = np.arange(3589) < 2512  # 70 %
    low, high = bootstrap_interval(correct)
    margin = 1.96 * math.sqrt(correct.mean() * (1 - correct.mean()) / 3589)
    assert (low, high) == pytest.approx((correct.mean() - margin, correct.mean() + margin), abs=0.0015)
    narrow = bootstrap_interval(correct, level=0.5)
    assert low < narrow[0] < correct.mean() < narrow[1] < high


def test_intervals_agree_with_drawing_the_rows():
    rng = np.random.default_rng(4)
    truths = rng.integers(0, CLASSES, 600)
    answers = np.where(rng.random(600) < 0.6, truths, rng.integers(0, CLASSES, 600))
    pairs = np.stack([truths, answers], axis=1)
    draws = [pairs[rng.integers(0, 600, 600)].T for _ in range(2000)]
    hits = [np.mean(truth == answer) for truth, answer in draws]
    scores = [macro_f1(confusion_matrix(truth, answer, CLASSES)) for truth, answer in draws]
    assert bootstrap_interval(truths == answers) == pytest.approx(np.quantile(hits, [0.025, 0.975]), abs=0.006)
    matrix = confusion_matrix(truths, answers, CLASSES)
    low, high = macro_f1_interval(matrix)
    assert (low, high) == pytest.approx(np.quantile(scores, [0.025, 0.975]), abs=0.006)
    assert low < macro_f1(matrix) < high
    assert (low, high) == macro_f1_interval(matrix)


def make_answers(n, excess, seed=0):
    """Answers of two classes, right as often as their confidence says less ``excess``, and the truths."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5 + excess, 1, n)
    truths = (rng.random(n) >= confidence - excess).astype(np.int64)
    return np.stack([confidence, 1 - confidence], axis=1), truths


def test_calibration_error_interval_is_turned_round_the_draws_of_rows():
    probabilities, truths = make_answers(600, 0.08)
    rng = np.random.default_rng(4)
    draws = [rng.integers(0, 600, 600) for _ in range(1000)]
    errors = [expected_calibration_error(probabilities[rows], truths[rows]) for rows in draws]
    error = expected_calibration_error(probabilities, truths)
    low, high = calibration_error_interval(probabilities, truths)
    above, below = np.quantile(errors, [0.975, 0.025])
    assert (low, high) == pytest.approx((2 * error - above, 2 * error - below), abs=0.006)
    assert low < error < high < below + error  # the draws lie higher
    assert (low, high) == calibration_error_interval(probabilities, truths)


@pytest.mark.parametrize(("excess", "held_at_least"), [(0, 45), (0.03, 42), (0.12, 42)])
def test_calibration_error_interval_holds_the_error_without_chance(excess, held_at_least):
    held = 0
    for seed in range(50):
        low, high = calibration_error_interval(*make_answers(400, excess, seed))
        held += low <= excess <= high
    assert held >= held_at_least


@patient
@given(logit_rows, arrays(np.int64, 5, elements=labels), st.integers(1, 5))
def test_calibration_error_interval_holds_the_error_of_the_sample(logits, truths, rows):
    probabilities, truths = softmax(logits)[:rows], truths[:rows]
    low, high = calibration_error_interval(probabilities, truths)
    assert 0 <= low <= expected_calibration_error(probabilities, truths) <= high <= 1


@pytest.mark.parametrize("digits", [9, 1, 0])  # of confidence: none are equal, many are, all are
def test_area_interval_agrees_with_drawing_the_rows(digits):
    probabilities, truths = make_answers(400, 0)
    confidence, correct = probabilities[:, 0].round(digits), truths == 0
    rng = np.random.default_rng(4)
    draws = [rng.integers(0, 400, 400) for _ in range(1000)]
    areas = [risk_coverage_area(confidence[rows], correct[rows]) for rows in draws]
    low, high = risk_coverage_area_interval(confidence, correct)
    assert (low, high) == pytest.approx(np.quantile(areas, [0.025, 0.975]), abs=0.006)
    assert low < risk_coverage_area(confidence, correct) < high


def test_nothing_to_draw_from_is_an_error():
    with pytest.raises(UsageError, match="no rows"):
        bootstrap_interval(np.empty(0))
    with pytest.raises(UsageError, match="no rows"):
        macro_f1_interval(np.zeros((3, 3), dtype=np.int64))
    with pytest.raises(UsageError, match="no rows"):
        calibration_error_interval(np.empty((0, 3)), np.empty(0, dtype=np.int64))
    with pytest.raises(UsageError, match="no rows"):
        risk_coverage_area_interval(np.empty(0), np.empty(0, dtype=bool))
    with pytest.raises(UsageError, match="no rows"):
        wilson_interval(0, 0)


def test_risk_coverage_by_hand():
    coverage, risk = risk_coverage(np.array([0.6, 0.9, 0.7, 0.8]), np.array([False, True, True, False]))
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(risk, [0, 1 / 2, 1 / 3, 2 / 4])


confidence_rows = st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.5001, 0.9]), st.booleans()), min_size=1, max_size=40)


@patient
@given(confidence_rows, st.randoms())
def test_risk_coverage_ends_at_the_error_and_does_not_depend_on_the_order_of_rows(rows, random):
    confidence, correct = (np.array(column) for column in zip(*rows, strict=True))
    coverage, risk = risk_coverage(confidence, correct)
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx(1 - correct.mean())
    assert np.all((risk >= 0) & (risk <= 1 + 1e-12))
    order = list(range(len(rows)))
    random.shuffle(order)
    np.testing.assert_allclose(risk_coverage(confidence[order], correct[order])[1], risk, atol=1e-12)
    for threshold in set(confidence):  # at every threshold: exactly the error among the rows that reach it
        answered = confidence >= threshold
        assert risk[answered.sum() - 1] == pytest.approx(1 - correct[answered].mean())
