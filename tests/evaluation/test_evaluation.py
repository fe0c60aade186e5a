"""The protocol: which faces count, what is folded, what is unknown and said to be."""

import json

import numpy as np
import pytest

from fervid.datasets.faceset import SPLITS, FaceSet
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS
from fervid.errors import DatasetError, UsageError
from fervid.evaluation.evaluation import CHUNK, evaluate_model
from fervid.evaluation.heads import Estimate
from fervid.evaluation.metrics import (
    bootstrap_interval,
    calibration_error_interval,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    negative_log_likelihood,
    risk_coverage_area,
    risk_coverage_area_interval,
    wilson_interval,
)

ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL = range(7)


def join(*sets):
    votes = None if any(s.votes is None for s in sets) else np.concatenate([s.votes for s in sets])
    return FaceSet(
        np.concatenate([s.images for s in sets]),
        np.concatenate([s.emotions for s in sets]),
        np.concatenate([s.splits for s in sets]),
        votes,
    )


def as_training(images):
    zeros = np.zeros(len(images), dtype=np.int64)
    return FaceSet(images, zeros, zeros + SPLITS.index("Training"))


def test_figures_equal_the_measures_of_the_answers(world):
    classifier, faces = world.classifier, world.faces
    evaluation = evaluate_model(classifier, faces, "PrivateTest")
    correct = world.answers == world.truths
    matrix = confusion_matrix(world.truths, world.answers, 7)
    assert (evaluation.model, evaluation.split, evaluation.labels) == ("fake@0123456789ab", "PrivateTest", EMOTIONS)
    assert evaluation.label_head.accuracy.value == pytest.approx(correct.mean())
    assert (evaluation.label_head.accuracy.low, evaluation.label_head.accuracy.high) == bootstrap_interval(correct)
    assert (
        evaluation.label_head.accuracy.low < evaluation.label_head.accuracy.value < evaluation.label_head.accuracy.high
    )
    assert evaluation.label_head.accuracy.n == len(faces) == 600
    assert evaluation.label_head.macro_f1.value == pytest.approx(macro_f1(matrix))
    assert (
        evaluation.label_head.macro_f1.low < evaluation.label_head.macro_f1.value < evaluation.label_head.macro_f1.high
    )
    np.testing.assert_array_equal(evaluation.label_head.confusion, matrix)
    assert [scores.support for scores in evaluation.label_head.classes] == np.bincount(world.truths).tolist()
    assert evaluation.label_head.macro_average.f1 == pytest.approx(evaluation.label_head.macro_f1.value)
    assert evaluation.label_head.weighted_average.recall == pytest.approx(evaluation.label_head.accuracy.value)
    assert evaluation.label_head.nll.value == pytest.approx(
        negative_log_likelihood(classifier.probabilities, world.truths)
    )
    error, area = evaluation.label_head.ece, evaluation.label_head.aurc
    assert error.value == pytest.approx(expected_calibration_error(classifier.probabilities, world.truths))
    assert (error.low, error.high) == calibration_error_interval(classifier.probabilities, world.truths)
    assert area.value == pytest.approx(risk_coverage_area(world.confidence, correct))
    assert (area.low, area.high) == pytest.approx(risk_coverage_area_interval(world.confidence, correct))
    assert error.n == area.n == 600
    assert sum(part.count for part in evaluation.label_head.reliability) == 600
    assert len(evaluation.label_head.reliability) == 15


@pytest.mark.parametrize("hits", [0, 9])
def test_a_share_of_none_or_all_has_wilsons_interval(hits):
    share = Estimate.of_mean(np.arange(9) < hits)
    assert (share.value, share.n) == (hits / 9, 9)
    assert (share.low, share.high) == wilson_interval(hits, 9)
    assert share.high - share.low > 0.2
    assert Estimate.of_mean(np.ones(9)) == Estimate(1, 1, 1, 9)  # a mean of numbers, which are no share


def test_the_answer_blends_both_heads(make_world, make_votes):
    world = make_world(
        truths=np.array([HAPPY, HAPPY, SAD]),
        answers=np.array([HAPPY, ANGRY, ANGRY]),
        confidence=np.array([0.6, 0.6, 0.6]),
        votes=make_votes({"happiness": 10}, {"happiness": 10}, {"sadness": 10}),
        vote_answers=np.array([NEUTRAL, HAPPY, SAD]),
    )
    classifier = world.classifier
    for blend, answer in ((0.0, 1 / 3), (0.3, 1 / 3), (0.7, 2 / 3), (1.0, 2 / 3)):
        classifier.blend = blend
        evaluation = evaluate_model(classifier, world.faces, "PrivateTest")
        assert evaluation.blend == blend
        assert evaluation.label_head.accuracy.value == pytest.approx(1 / 3)
        assert evaluation.votes_head.accuracy.value == pytest.approx(2 / 3)
        assert evaluation.answer.accuracy.value == pytest.approx(answer)
        assert evaluation.answer.majority_accuracy.value == pytest.approx(answer)


def test_uncertain_faces_are_those_below_the_threshold(world):
    world.threshold = 0.6
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    certain = world.confidence >= 0.6
    assert 0 < evaluation.uncertain.value < 1
    assert evaluation.uncertain.value == pytest.approx((~certain).mean())
    assert evaluation.certain.n == certain.sum()
    assert evaluation.certain.value == pytest.approx((world.answers == world.truths)[certain].mean())
    assert evaluation.certain.value > evaluation.answer.accuracy.value
    assert evaluation.certain_majority.n == certain.sum()  # every face has a majority, which is its label
    assert evaluation.certain_majority.value == evaluation.certain.value


def test_a_threshold_that_no_face_reaches_is_said(world):
    world.threshold = 1.0
    world.confidence = np.minimum(world.confidence, 0.9)
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    assert evaluation.uncertain.value == 1
    assert evaluation.certain is None
    assert any("every answer is uncertain" in note for note in evaluation.notes)


def test_curve_runs_to_full_coverage_and_the_error(world):
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    coverages = [point.coverage for point in evaluation.label_head.curve]
    assert len(coverages) == 100
    assert coverages == sorted(coverages)
    last = evaluation.label_head.curve[-1]
    assert (last.coverage, last.confidence) == (1, pytest.approx(world.confidence.min()))
    assert last.risk == pytest.approx(1 - evaluation.label_head.accuracy.value)
    assert evaluation.label_head.curve[9].risk < last.risk  # it is surer where it is right
    half = evaluation.label_head.curve[49]
    answered = world.confidence >= half.confidence
    assert half.coverage == pytest.approx(answered.mean())
    assert half.risk == pytest.approx(1 - (world.answers == world.truths)[answered].mean())


def test_twins_in_training_are_left_out(world):
    faces = world.faces
    blurred = np.clip(faces.images[300:350].astype(int) + 2, 0, 255).astype(
        np.uint8
    )  # near: the same, a little brighter
    training = as_training(np.concatenate([faces.images[:40], blurred]))
    evaluation = evaluate_model(world.classifier, join(faces, training), "PrivateTest")
    correct = world.answers == world.truths
    assert evaluation.label_head.accuracy.n == 600
    assert evaluation.label_head.accuracy_deduplicated.n == 560
    assert evaluation.label_head.accuracy_deduplicated.value == pytest.approx(correct[40:].mean())
    assert evaluation.label_head.accuracy_strict.n == 510
    rest = np.r_[40:300, 350:600]
    assert evaluation.label_head.accuracy_strict.value == pytest.approx(correct[rest].mean())
    assert not evaluation.notes or all("strict" not in note for note in evaluation.notes)


def test_nothing_left_without_twins(world):
    faces = world.faces
    evaluation = evaluate_model(world.classifier, join(faces, as_training(faces.images)), "PrivateTest")
    assert evaluation.label_head.accuracy_deduplicated is None
    assert evaluation.label_head.accuracy_strict is None
    assert any("has a twin in Training" in note for note in evaluation.notes)


def test_without_training_rows_duplicates_are_unknown(world):
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    assert evaluation.label_head.accuracy_deduplicated is evaluation.label_head.accuracy_strict is None
    assert any("no Training rows" in note for note in evaluation.notes)
    accuracies = evaluation.to_dict()["label_head"]["accuracy"]
    assert accuracies["deduplicated"] is accuracies["strict"] is None


def test_training_is_not_compared_with_itself(world):
    world.split = "Training"
    evaluation = evaluate_model(world.classifier, world.faces, "Training")
    assert evaluation.label_head.accuracy_deduplicated is None
    assert any("has seen these faces" in note for note in evaluation.notes)


def test_without_votes_the_majority_is_unknown(world):
    world.votes = None
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    assert evaluation.label_head.majority_accuracy is evaluation.votes_head.majority_accuracy is None
    assert any("no FER+ votes" in note for note in evaluation.notes)


def test_votes_that_name_no_expression_are_not_called_absent(world, make_votes):
    world.votes = np.repeat(make_votes({"anger": 5, "fear": 5}), len(world.truths), axis=0)
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    assert evaluation.answer.majority_accuracy is None
    assert "on no face of this split do the votes name one expression." in " ".join(evaluation.notes)
    assert not any("no FER+ votes" in note for note in evaluation.notes)


def test_majority_counts_faces_with_a_unique_winner_among_the_emotions(make_world, make_votes):
    votes = make_votes(
        {"happiness": 9, "neutral": 1},  # both heads right
        {"sadness": 6, "neutral": 4},  # labelled neutral, so the emotion head's answer is wrong here
        {"anger": 5, "fear": 5},  # a tie: left out
        {"contempt": 6, "anger": 4},  # contempt wins: left out
        {"NF": 10},  # left out
    )
    contempt = VOTE_LABELS.index("contempt")
    world = make_world(
        truths=np.array([HAPPY, NEUTRAL, ANGRY, ANGRY, FEAR]),
        answers=np.array([HAPPY, NEUTRAL, ANGRY, ANGRY, FEAR]),
        confidence=np.full(5, 0.9),
        votes=votes,
        vote_answers=np.array([HAPPY, SAD, ANGRY, ANGRY, FEAR]),
    )
    classifier = world.classifier
    classifier.votes[1, contempt] = 2.0  # the strongest, but no answer among the seven
    evaluation = evaluate_model(classifier, world.faces, "PrivateTest")
    assert (evaluation.label_head.majority_accuracy.value, evaluation.label_head.majority_accuracy.n) == (0.5, 2)
    assert (evaluation.votes_head.majority_accuracy.value, evaluation.votes_head.majority_accuracy.n) == (1.0, 2)


def test_six_labels_fold_disgust_into_anger_everywhere(make_world, make_votes):
    votes = make_votes(
        {"disgust": 10},  # becomes anger
        {"anger": 3, "disgust": 3, "sadness": 4},  # sad for seven labels, angry for six
        {"anger": 5, "disgust": 5},  # a tie for seven labels, angry for six
        {"happiness": 10},
    )
    world = make_world(
        truths=np.array([DISGUST, ANGRY, DISGUST, HAPPY]),
        answers=np.array([ANGRY, DISGUST, SAD, HAPPY]),
        confidence=np.array([0.9, 0.8, 0.7, 0.9]),
        votes=votes,
    )
    seven = evaluate_model(world.classifier, world.faces, "PrivateTest")
    assert seven.label_head.accuracy.value == 0.25
    assert (seven.label_head.majority_accuracy.n, seven.label_head.majority_accuracy.value) == (3, pytest.approx(1 / 3))

    six = evaluate_model(world.classifier, world.faces, "PrivateTest", labels=6)
    assert six.labels == EMOTIONS_WITHOUT_DISGUST
    assert six.label_head.accuracy.value == 0.75
    assert six.label_head.confusion.shape == (6, 6)
    assert six.label_head.confusion[0].tolist() == [2, 0, 0, 1, 0, 0]  # angry: two found, one taken for sad
    assert (six.label_head.majority_accuracy.n, six.label_head.majority_accuracy.value) == (4, 0.75)
    assert (six.votes_head.majority_accuracy.n, six.votes_head.majority_accuracy.value) == (4, 0.75)
    folded = [0.9 + 0.1 / 6, 0.8 + 0.2 / 6, 0.1, 0.9]  # probability of the truth, anger and disgust together
    assert six.label_head.nll.value == pytest.approx(-np.log(folded).mean())


def test_two_halves_of_anger_beat_a_larger_rival_once_folded(make_world):
    world = make_world(np.array([ANGRY]), np.array([SAD]), np.array([0.9]))
    classifier = world.classifier
    classifier.probabilities[0] = [0.3, 0.3, 0.0, 0.0, 0.4, 0.0, 0.0]
    assert evaluate_model(classifier, world.faces, "PrivateTest").label_head.accuracy.value == 0
    assert evaluate_model(classifier, world.faces, "PrivateTest", labels=6).label_head.accuracy.value == 1


def test_a_model_of_six_labels(make_world):
    world = make_world(np.array([DISGUST, SAD]), np.array([ANGRY, SAD]), np.array([0.9, 0.9]))
    classifier = world.classifier
    classifier.probabilities = np.eye(6)[[0, 3]]
    assert evaluate_model(classifier, world.faces, "PrivateTest", labels=6).label_head.accuracy.value == 1
    with pytest.raises(UsageError, match=r"knows 6 labels .*, not 7") as caught:
        evaluate_model(classifier, world.faces, "PrivateTest", labels=7)
    assert "--labels 6, or labels=6 in Python" in caught.value.advice


def test_wrong_requests_are_errors(world):
    with pytest.raises(UsageError, match="unknown split 'Test'"):
        evaluate_model(world.classifier, world.faces, "Test")
    with pytest.raises(UsageError, match="5 labels"):
        evaluate_model(world.classifier, world.faces, "PrivateTest", labels=5)
    with pytest.raises(DatasetError, match="no PublicTest rows"):
        evaluate_model(world.classifier, world.faces, "PublicTest")


def test_progress_ends_at_the_number_of_faces(world):
    calls = []
    classifier = world.classifier
    evaluate_model(classifier, world.faces, "PrivateTest", on_progress=lambda *call: calls.append(call))
    assert calls == [(CHUNK, 600), (2 * CHUNK, 600), (600, 600)]
    assert classifier.batches == [CHUNK, CHUNK, 600 - 2 * CHUNK]


def test_dict_is_json_and_the_same_every_time(world):
    first, second = (evaluate_model(world.classifier, world.faces, "PrivateTest").to_dict() for _ in range(2))
    assert json.dumps(first, allow_nan=False) == json.dumps(second)
    assert first["schema"] == "fervid-evaluation/2"
    for head in ("label_head", "votes_head", "answer"):
        assert first[head]["accuracy"]["official"]["n"] == first["n"] == 600
        assert list(first[head]["classification_report"]) == [*EMOTIONS, "macro average", "weighted average"]
        assert np.array(first[head]["confusion_matrix"]).sum() == 600
        for name in ("ece", "aurc"):
            assert first[head][f"{name}_low"] <= first[head][name] <= first[head][f"{name}_high"]
        for scores in first[head]["classification_report"].values():
            if scores["support"] < 600:
                assert scores["recall_low"] < scores["recall"] < scores["recall_high"]
            else:
                assert scores["recall_low"] is scores["recall_high"] is None
    assert len(first["data"]) == 12


def test_data_digest_follows_pixels_and_labels(world):
    faces = world.faces
    other = FaceSet(faces.images, np.roll(faces.emotions, 1), faces.splits, faces.votes)
    first, second = (evaluate_model(world.classifier, f, "PrivateTest").data for f in (faces, other))
    assert first != second


def test_confusion_matrix_is_read_only(world):
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    with pytest.raises(ValueError, match="read-only"):
        evaluation.label_head.confusion[0, 0] = 1
