"""The vocabulary: the only place where a label is spelled.

FER2013 (Goodfellow et al. 2013, arXiv:1307.0414) has seven emotions, in the order of :data:`EMOTIONS`.
FER+ (Barsoum et al. 2016, arXiv:1608.01041) asked ten people about each of its faces and added contempt;
:data:`VOTE_LABELS` keeps the seven in FER2013's order and puts contempt last.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

from fervid.errors import UsageError

if TYPE_CHECKING:
    import numpy as np  # the command line reads labels without waiting for NumPy
    from numpy.typing import NDArray


class Emotion(StrEnum):
    """One of FER2013's seven expressions; a member is its own lower-case name."""

    ANGRY = "angry"
    DISGUST = "disgust"
    FEAR = "fear"
    HAPPY = "happy"
    SAD = "sad"
    SURPRISE = "surprise"
    NEUTRAL = "neutral"

    @property
    def character(self) -> str:
        """The emoji character that stands for the expression."""
        return _CHARACTERS[self]


_CHARACTERS: Final = dict(zip(Emotion, "😠🤢😨😊😢😲😐", strict=True))

LabelCount = Literal[6, 7]

EMOTIONS: Final[tuple[Emotion, ...]] = tuple(Emotion)
"""The seven, in FER2013's order: the index is the number in Kaggle's CSV."""

EMOTIONS_WITHOUT_DISGUST: Final[tuple[Emotion, ...]] = tuple(e for e in Emotion if e is not Emotion.DISGUST)
"""The six of systems that fold disgust (1.5 % of FER2013) into anger."""

CONTEMPT: Final = "contempt"
VOTE_LABELS: Final[tuple[str, ...]] = (*EMOTIONS, CONTEMPT)
"""The eight expressions a FER+ tagger can vote for."""

_ALIASES: Final = {
    "anger": Emotion.ANGRY,
    "disgusted": Emotion.DISGUST,
    "fearful": Emotion.FEAR,
    "scared": Emotion.FEAR,
    "happiness": Emotion.HAPPY,
    "sadness": Emotion.SAD,
    "surprised": Emotion.SURPRISE,
}


def parse_emotion(text: str) -> Emotion:
    """The emotion that a label, a folder name or a digit 0–6 means.

    Raises:
        UsageError: the text is none of the vocabulary.
    """
    word = text.strip().lower()
    if len(word) == 1 and word in "0123456":
        return EMOTIONS[int(word)]
    if word in _ALIASES:
        return _ALIASES[word]
    try:
        return Emotion(word)
    except ValueError:
        raise UsageError(f"unknown emotion {text!r}", advice=f"Use 0–6 or one of: {', '.join(EMOTIONS)}.") from None


def emotions_for(labels: int) -> tuple[Emotion, ...]:
    """The emotions of the seven- or the six-label system.

    Raises:
        UsageError: ``labels`` is neither 7 nor 6.
    """
    if labels == 7:
        return EMOTIONS
    if labels == 6:
        return EMOTIONS_WITHOUT_DISGUST
    raise UsageError(f"no system of {labels} labels", advice="Use labels=7, or labels=6 to fold disgust into anger.")


def fold_disgust(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Add the share of disgust to that of anger: ``(…, 7)`` becomes ``(…, 6)``."""
    if values.shape[-1] != len(EMOTIONS):
        raise UsageError(
            f"cannot fold disgust into anger: the last axis has length {values.shape[-1]}, not {len(EMOTIONS)}",
            advice="Give seven values in FER2013's order.",
        )
    import numpy as np

    folded = np.delete(values, EMOTIONS.index(Emotion.DISGUST), axis=-1)
    folded[..., 0] += values[..., EMOTIONS.index(Emotion.DISGUST)]
    return folded


def fold_label_indices(indices: NDArray[np.integer]) -> NDArray[np.int64]:
    """Map indices into :data:`EMOTIONS` to indices into :data:`EMOTIONS_WITHOUT_DISGUST`, disgust counting as angry."""
    import numpy as np

    targets = [Emotion.ANGRY if e is Emotion.DISGUST else e for e in EMOTIONS]
    table = np.array([EMOTIONS_WITHOUT_DISGUST.index(e) for e in targets], dtype=np.int64)
    return np.asarray(table[indices], dtype=np.int64)
