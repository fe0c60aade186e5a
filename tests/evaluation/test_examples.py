"""Examples of errors: the right faces, what people saw of them, and pixels in the page alone."""

import io
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fervid.emotions import Emotion
from fervid.errors import UsageError
from fervid.evaluation.evaluation import evaluate_model
from fervid.evaluation.examples import build_examples, describe_example, pick_examples
from fervid.evaluation.page import build_page
from fervid.evaluation.report import write_report

PNG = "data:image/png;base64,"


@pytest.fixture(scope="module")
def small(make_world, make_votes):
    """Six faces: three confident mistakes (two of angry), one right, two that stay below the threshold of 0.5."""
    votes = make_votes(
        {"happiness": 9, "anger": 1},
        {"anger": 4, "sadness": 4, "NF": 2},
        {"happiness": 10},
        {"happiness": 10},
        {"neutral": 3, "unknown": 7},
        {"fear": 10},
    )
    truths, answers = np.array([0, 0, 1, 3, 6, 2]), np.array([3, 4, 0, 3, 4, 2])
    return make_world(truths, answers, np.array([0.7, 0.9, 0.6, 0.99, 0.3, 0.2]), votes=votes)


@pytest.fixture(scope="module")
def evaluation(small):
    return evaluate_model(small.classifier, small.faces, "PrivateTest")


@pytest.fixture(scope="module")
def examples(evaluation, small):
    return pick_examples(evaluation, small.faces, 8)


def rows(group):
    return [example.row for example in group.shown]


def test_the_most_confident_mistakes_come_first(examples):
    assert [group.label for group in examples.errors] == list(Emotion)
    assert rows(examples.errors[0]) == [1, 0]
    assert rows(examples.errors[1]) == [2]
    assert [group.found for group in examples.errors] == [2, 1, 0, 0, 0, 0, 0]
    first = examples.errors[0].shown[0]
    assert (first.label, first.answer, first.confidence) == (Emotion.ANGRY, Emotion.SAD, pytest.approx(0.9))


def test_uncertain_answers_are_no_mistakes(examples):
    assert rows(examples.uncertain) == [5, 4]  # the least confident first, whether right or wrong
    assert examples.uncertain.label is None
    guesses = examples.uncertain.shown[1].guesses
    assert len(guesses) == 3
    assert guesses[0] == (Emotion.SAD, pytest.approx(0.3))
    assert [share for _, share in guesses] == sorted((share for _, share in guesses), reverse=True)


def test_pixels_and_votes_are_those_of_the_row(examples, small):
    faces = small.faces
    for group in (*examples.errors, examples.uncertain):
        for example in group.shown:
            assert np.array_equal(example.image, faces.images[example.row])
    second, first = examples.errors[0].shown
    assert first.votes == (("happy", 9), ("angry", 1))
    assert first.majority is Emotion.HAPPY
    assert second.votes == (("sad", 4), ("angry", 4), ("not-a-face", 2))
    assert second.majority is None  # a tie


def test_no_more_than_asked_for(world):
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    examples = pick_examples(evaluation, world.faces, 3)
    answers = evaluation.answer.probabilities
    for i, group in enumerate(examples.errors):
        wrong = (evaluation.truth.labels == i) & (answers.argmax(axis=1) != i) & (answers.max(axis=1) >= 0.5)
        assert group.found == wrong.sum() > 3
        assert len(group.shown) == 3
        assert [e.confidence for e in group.shown] == pytest.approx(np.sort(answers.max(axis=1)[wrong])[::-1][:3])


def test_six_labels_fold_what_people_saw(small):
    evaluation = evaluate_model(small.classifier, small.faces, "PrivateTest", labels=6)
    examples = pick_examples(evaluation, small.faces, 8)
    assert [group.label for group in examples.errors] == list(evaluation.labels)
    assert rows(examples.errors[0]) == [1, 0]  # row 2, disgust answered as angry, is right now


def test_faces_of_another_evaluation_are_refused(evaluation, small):
    other = replace(small.faces, images=255 - small.faces.images)
    with pytest.raises(UsageError, match="not those that fake@"):
        pick_examples(evaluation, other, 8)
    with pytest.raises(UsageError, match="0 examples"):
        pick_examples(evaluation, small.faces, 0)


@pytest.mark.usefixtures("blank_figures")
def test_page_shows_each_face_with_words(evaluation, examples, small, parse_page):
    page = build_page(evaluation, faces=examples)
    checker = parse_page(page)
    assert checker.open == []
    assert "script" not in checker.seen
    pictures = [value.removeprefix(PNG) for name, value in checker.attributes if name == "src" and PNG in value]
    shown = [e for group in (*examples.errors, examples.uncertain) for e in group.shown]
    assert len(pictures) == len(shown) == 5
    for picture, example in zip(pictures, shown, strict=True):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(b64decode(picture)))), small.faces.images[example.row])
    words = [value for name, value in checker.attributes if name == "alt"]
    for example in shown:
        assert describe_example(example).replace(" %", "\N{NO-BREAK SPACE}%") in words
    assert "labelled angry, answered as happy (70 %); people saw 9 happy, 1 angry." in describe_example(shown[1])
    assert "Do not publish this page" in page
    assert "no confident mistake" in page
    assert page.count('<span class="agreed">✓ 9 happy, 1 angry') == 1
    assert "So it is with 1 of these 3." in page


def test_page_without_votes_says_nothing_of_them(make_world):
    world = make_world(np.array([0, 3]), np.array([3, 3]), np.array([0.9, 0.9]))
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    part = build_examples(pick_examples(evaluation, world.faces, 8))
    assert "people saw 1" not in part
    assert "So it is" not in part
    assert "unsure" not in part
    assert "answered as happy (90 %)." in part


@pytest.mark.usefixtures("blank_figures")
def test_pixels_are_in_the_page_alone(evaluation, examples, tmp_path):
    write_report(evaluation, tmp_path / "without")
    write_report(evaluation, tmp_path / "with", examples=examples)
    for path in (tmp_path / "without").iterdir():
        same = path.read_bytes() == (tmp_path / "with" / path.name).read_bytes()
        assert same is (path.name != "index.html")
    assert PNG not in (tmp_path / "without" / "index.html").read_text(encoding="utf-8")
