import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fervid.emotions import (
    EMOTIONS,
    EMOTIONS_WITHOUT_DISGUST,
    VOTE_LABELS,
    Emotion,
    emotions_for,
    fold_disgust,
    fold_label_indices,
    parse_emotion,
)
from fervid.errors import UsageError


def test_the_order_is_that_of_fer2013() -> None:
    assert [str(e) for e in EMOTIONS] == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert VOTE_LABELS[:7] == EMOTIONS
    assert VOTE_LABELS[7] == "contempt"


def test_each_emotion_has_its_character() -> None:
    assert "".join(e.character for e in EMOTIONS) == "😠🤢😨😊😢😲😐"


@pytest.mark.parametrize(
    ("text", "emotion"),
    [("0", "angry"), ("6", "neutral"), (" Happy ", "happy"), ("sadness", "sad"), ("SURPRISED", "surprise")],
)
def test_words_and_digits_are_understood(text: str, emotion: str) -> None:
    assert parse_emotion(text) is Emotion(emotion)


@pytest.mark.parametrize("text", ["7", "", "joyful?", "-1", "00"])
def test_other_words_are_refused_with_the_vocabulary(text: str) -> None:
    with pytest.raises(UsageError, match=r"unknown emotion.*angry, disgust"):
        parse_emotion(text)


def test_only_six_and_seven_labels_exist() -> None:
    assert emotions_for(7) == EMOTIONS
    assert emotions_for(6) == EMOTIONS_WITHOUT_DISGUST
    with pytest.raises(UsageError, match="8 labels"):
        emotions_for(8)


@given(st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_folding_keeps_the_sum_and_adds_disgust_to_anger(values: list[float]) -> None:
    folded = fold_disgust(np.array([values]))[0]
    assert folded.shape == (6,)
    assert folded.sum() == pytest.approx(sum(values))
    assert folded[0] == pytest.approx(values[0] + values[1])
    assert list(folded[1:]) == values[2:]


def test_folding_needs_seven_values() -> None:
    with pytest.raises(UsageError, match="length 6"):
        fold_disgust(np.zeros((2, 6)))


def test_label_indices_fold_like_probabilities() -> None:
    one_hot = np.eye(7)
    assert fold_label_indices(np.arange(7)).tolist() == fold_disgust(one_hot).argmax(axis=1).tolist()
