"""The classifier in scikit-learn's own hands."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone, is_classifier
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

import fervid
from fervid.compat.sklearn import ExpressionClassifier
from fervid.emotions import EMOTIONS
from fervid.errors import UsageError

SORTED = sorted(map(str, EMOTIONS))


@pytest.fixture(scope="module")
def chips(astronaut: Path, portrait: Path) -> list[np.ndarray]:
    """Two faces in three sizes each: a smile, and a calm look."""
    smile = Image.open(astronaut).convert("RGB").crop((165, 50, 285, 170))
    calm = Image.open(portrait).convert("RGB").crop((200, 90, 400, 290))
    return [np.asarray(face.resize((side, side))) for side in (48, 64, 96) for face in (smile, calm)]


@pytest.fixture(scope="module")
def classifier() -> ExpressionClassifier:
    return ExpressionClassifier(model="small", threads=1)


def test_it_answers_without_being_fitted(classifier, chips):
    assert classifier.classes_.tolist() == SORTED
    probabilities = classifier.predict_proba(chips)
    assert probabilities.shape == (6, 7)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    answers = classifier.predict(chips)
    assert set(answers.tolist()) <= set(SORTED)
    assert answers[0] == "happy"
    assert (classifier.classes_[probabilities.argmax(axis=1)] == answers).all()


def test_columns_are_those_of_the_product(classifier, chips):
    faces = fervid.Analyzer("small", "faces", threads=1).classify(chips)
    for row, face in zip(classifier.predict_proba(chips), faces, strict=True):
        assert dict(zip(SORTED, row, strict=True)) == pytest.approx({str(k): v for k, v in face.probabilities.items()})


def test_scikit_learn_takes_it_for_a_classifier(classifier):
    assert is_classifier(classifier)
    check_is_fitted(classifier)
    copy = clone(classifier)
    assert copy is not classifier
    assert copy.get_params() == classifier.get_params() == {
        "model": "small", "labels": 7, "threads": 1, "batch_size": 64,
    }  # fmt: skip
    assert copy.set_params(labels=6).labels == 6
    with pytest.raises(ValueError, match="no parameter 'colour'"):
        copy.set_params(colour=1)


def test_cross_validation_scores_and_predicts(classifier, chips):
    said = classifier.predict(chips)
    y = said.copy()
    y[1] = "fear" if said[1] != "fear" else "sad"
    assert cross_val_score(classifier, chips, y, cv=KFold(3)).mean() == pytest.approx(5 / 6)
    assert cross_val_score(classifier, chips, said, cv=2, scoring="accuracy").tolist() == [1, 1]
    assert cross_val_predict(classifier, chips, said, cv=2).tolist() == said.tolist()
    loss = log_loss(said, classifier.predict_proba(chips), labels=SORTED)  # takes columns to be sorted
    assert loss == pytest.approx(-np.log(classifier.predict_proba(chips).max(axis=1)).mean())


def test_numbers_in_numbers_out(classifier, chips):
    numbers = np.array([EMOTIONS.index(label) for label in classifier.predict(chips)])
    fitted = clone(classifier).fit(chips, numbers)
    assert fitted.classes_.tolist() == list(range(7))
    assert fitted.predict(chips).tolist() == numbers.tolist()
    assert fitted.score(chips, numbers) == 1
    assert cross_val_score(classifier, chips, numbers, cv=2, scoring="accuracy").tolist() == [1, 1]
    # What y does not have is spelt as the rest of it.
    assert clone(classifier).fit(chips[:1], ["3"]).classes_.tolist() == list("0123456")


def test_other_spellings_come_back(classifier, chips):
    fitted = clone(classifier).fit(chips[:2], ["happiness", "sadness"])
    assert fitted.predict(chips[:1]).tolist() == ["happiness"]
    assert fitted.score(chips[:1], ["happy"]) == 1
    assert "angry" in fitted.classes_


def test_six_labels_fold_disgust(classifier, chips):
    six = clone(classifier).set_params(labels=6)
    assert six.classes_.tolist() == [label for label in SORTED if label != "disgust"]
    folded, whole = six.predict_proba(chips), classifier.predict_proba(chips)
    assert folded[:, 0] == pytest.approx(whole[:, 0] + whole[:, 1])
    assert six.fit(chips[:2], ["angry", "disgust"]).classes_[0] == "angry"
    assert six.score(chips[:1], ["happy"]) == 1


def test_rows_of_grey_levels_and_stacks_read_alike(classifier, chips):
    grey = np.stack([np.asarray(Image.fromarray(chip).convert("L")) for chip in chips[:2]])
    expected = classifier.predict_proba(list(grey))
    for faces in (
        grey,
        grey.reshape(2, -1),
        grey.reshape(2, -1).astype(np.float32),
        grey.reshape(2, -1).astype(np.int64),
    ):
        assert classifier.predict_proba(faces) == pytest.approx(expected)
    for wrong in (grey.reshape(2, -1) / 255, grey.reshape(2, -1)[:, :-1], grey.reshape(2, -1).astype(int) - 256):
        with pytest.raises(UsageError, match="are no faces"):
            classifier.predict(wrong)


def test_pictures_are_read_as_the_network_comes_to_them(classifier, chips, monkeypatch):
    """Of thousands, only batch_size inputs are in memory at a time."""
    few, network = clone(classifier).set_params(batch_size=2), classifier._load()
    events = []
    few._loaded = ((few.model, few.threads), network)
    monkeypatch.setattr("fervid.compat.sklearn.load_image", lambda chip: events.append("read") or chip)
    run = type(network).run
    monkeypatch.setattr(type(network), "run", lambda self, inputs: events.append(len(inputs)) or run(self, inputs))
    expected = classifier.predict_proba(chips[:5])
    for faces in (chips[:5], (chip for chip in chips[:5])):
        events.clear()
        assert few.predict_proba(faces) == pytest.approx(expected)
        assert events == ["read", "read", 2, "read", "read", 2, "read", 1]
    events.clear()
    few.predict(np.zeros((3, 48 * 48)))
    assert events == ["read", "read", 2, "read", 1]


def test_a_face_is_not_stretched(classifier, chips):
    wide = np.pad(chips[0], [(0, 0), (9, 9), (0, 0)])
    assert classifier.predict_proba([wide]).tolist() == classifier.predict_proba(chips[:1]).tolist()


def test_it_stands_in_a_pipeline_and_travels_to_other_processes(classifier, chips):
    pipeline = make_pipeline(FunctionTransformer(lambda faces: [face[:, ::-1] for face in faces]), clone(classifier))
    assert pipeline.fit(chips, classifier.predict(chips)).predict(chips)[0] == "happy"
    classifier.predict(chips[:1])
    again = pickle.loads(pickle.dumps(classifier))
    assert again.predict_proba(chips) == pytest.approx(classifier.predict_proba(chips))
    assert repr(again) == "ExpressionClassifier(model='small', labels=7, threads=1, batch_size=64)"


def test_score_weighs_and_nobody_is_an_empty_answer(classifier, chips):
    assert classifier.score(chips[:2], ["happy", "disgust"], sample_weight=[3, 1]) == 0.75
    assert classifier.predict([]).shape == (0,)
    assert classifier.predict_proba([]).shape == (0, 7)


def test_a_single_picture_is_not_read_as_many(classifier, chips):
    for one in (chips[0], "face.png", Image.fromarray(chips[0])):
        with pytest.raises(UsageError, match="predict reads many pictures, and was given one"):
            classifier.predict(one)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batches_of_nothing_are_refused(classifier, chips, batch_size):
    with pytest.raises(UsageError, match=f"batch_size is {batch_size}"):
        clone(classifier).set_params(batch_size=batch_size).predict(chips)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["happy"], "for 2 faces"),
        ([["happy"], ["sad"]], "of the shape"),
        (["happy", "joyful"], "unknown emotion"),
        (["happy", "happiness"], "are both happy"),
    ],
)
def test_labels_that_cannot_be_are_refused(classifier, chips, y, message):
    with pytest.raises(UsageError, match=message):
        clone(classifier).fit(chips[:2], y)
