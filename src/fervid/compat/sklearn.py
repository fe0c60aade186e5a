"""An expression network as a classifier of scikit-learn: for ``Pipeline``, ``cross_val_score``, metrics and voting.

scikit-learn is not needed until it asks for its tags.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fervid.arrays import iterate_pictures
from fervid.classification.classifier import Classifier
from fervid.emotions import EMOTIONS, Emotion, emotions_for, fold_disgust, parse_emotion
from fervid.errors import UsageError
from fervid.imaging import ImageLike, load_image

if TYPE_CHECKING:
    import sklearn.utils

_PARAMETERS: Final = ("model", "labels", "threads", "batch_size")


class ExpressionClassifier:
    """Reads faces that are already cut out: a trained network with ``predict``, ``predict_proba`` and ``score``.

    It is fitted from the beginning: ``fit`` trains nothing, it learns how ``y`` spells the expressions, so that
    ``predict`` answers in the same words or numbers. There is no "uncertain": every face gets its most probable
    expression.

    ``X`` is a sequence of pictures that each show one face in FER2013's square, see :meth:`fervid.Analyzer.classify`:
    whatever :func:`fervid.load_image` reads, ``(N, H, W)`` or ``(N, H, W, 3)`` uint8, or ``(N, S²)`` whole grey levels
    of 0–255, a square face per row. Of a picture that is not square, the central square is read.

    Args:
        model: a name, or the path of an ``.onnx`` file exported by ``fervid train``.
        labels: 7, or 6 to fold disgust into anger.
        threads: within the network; None means one per core.
        batch_size: faces in the network, and cut out in memory, at a time.

    Attributes:
        classes_: ``(labels,)`` sorted: names, or FER2013's numbers when ``y`` was numbers; the columns of
            ``predict_proba``.
    """

    _estimator_type: Final = "classifier"

    def __init__(
        self,
        model: str | os.PathLike[str] = "base",
        labels: int = 7,
        threads: int | None = None,
        batch_size: int = 64,
    ) -> None:
        # As scikit-learn wants it: what is given is kept as it is, and looked at when it is used.
        self.model = model
        self.labels = labels
        self.threads = threads
        self.batch_size = batch_size
        self._loaded: tuple[tuple[Any, ...], Classifier] | None = None
        self._spellings: dict[Emotion, Any] = {}

    @property
    def classes_(self) -> NDArray[Any]:
        return np.array(sorted(self._spell(emotion) for emotion in emotions_for(self.labels)))

    def fit(self, X: Sequence[ImageLike] | NDArray[Any], y: ArrayLike) -> Self:  # noqa: N803
        """Learn how ``y`` spells the expressions; the network stays as it was trained.

        Args:
            X: not looked at, but for their number.
            y: ``(N,)`` names, in any spelling of :func:`fervid.emotions.parse_emotion`, or FER2013's numbers 0–6.

        Raises:
            UsageError: no labels, or another number of them, an unknown label, or two spellings of one expression.
        """
        values = np.asarray(y)
        if values.ndim != 1 or len(values) != len(X) or not len(values):
            raise UsageError(f"labels of the shape {values.shape} for {len(X)} faces", advice="Give one label a face.")
        known, spellings = emotions_for(self.labels), dict[Emotion, Any]()
        for spelling in np.unique(values):
            emotion = parse_emotion(str(spelling))
            if emotion in known and spellings.setdefault(emotion, spelling) is not spelling:
                both = f"{spellings[emotion]} and {spelling} are both {emotion}"
                raise UsageError(both, advice="Spell an expression one way.")
        self._spellings = spellings
        return self

    def predict(self, X: Sequence[ImageLike] | NDArray[Any]) -> NDArray[Any]:  # noqa: N803
        """``(N,)`` the most probable class of each face, one of ``classes_``.

        Raises:
            InputError: a picture cannot be read.
            UsageError: ``X`` is a single picture, or ``labels`` or ``batch_size`` is out of range.
        """
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def predict_proba(self, X: Sequence[ImageLike] | NDArray[Any]) -> NDArray[np.float64]:  # noqa: N803
        """``(N, labels)`` calibrated probabilities, in the order of ``classes_``.

        Raises:
            InputError: a picture cannot be read.
            UsageError: ``X`` is a single picture, or ``labels`` or ``batch_size`` is out of range.
        """
        classifier, emotions = self._load(), emotions_for(self.labels)
        if len(emotions) > len(classifier.spec.labels):
            raise UsageError(f"{classifier.identity} was trained on six labels", advice="Use labels=6.")
        answers = classifier.predict(map(load_image, _iterate_chips(X)), batch_size=self.batch_size)
        values: NDArray[np.floating] = answers.probabilities
        if len(emotions) < values.shape[1]:
            values = fold_disgust(values)
        spelt = [self._spell(emotion) for emotion in emotions]
        order = sorted(range(len(emotions)), key=lambda index: spelt[index])
        return np.asarray(values[:, order], dtype=np.float64)

    def score(
        self,
        X: Sequence[ImageLike] | NDArray[Any],  # noqa: N803
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Accuracy: the (weighted) share of faces whose class is that of ``y``, however ``y`` spells it."""
        known = emotions_for(self.labels)
        meant = [_fold(parse_emotion(str(label)), known) for label in np.asarray(y)]
        said = [_fold(parse_emotion(str(label)), known) for label in self.predict(X)]
        hits = np.array([one is other for one, other in zip(meant, said, strict=True)], dtype=np.float64)
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        return float(np.average(hits, weights=weights))

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """The arguments by name; ``deep`` changes nothing."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def set_params(self, **parameters: Any) -> Self:
        """Change arguments. Raises UsageError, which is a ValueError, on one that there is not."""
        for name, value in parameters.items():
            if name not in _PARAMETERS:
                raise UsageError(f"no parameter {name!r}", advice=f"Use one of: {', '.join(_PARAMETERS)}.")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> sklearn.utils.Tags:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(two_d_array=True, three_d_array=True),
            requires_fit=False,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None}  # a session does not pickle; other processes load their own

    def __repr__(self) -> str:
        return f"ExpressionClassifier({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"

    def _load(self) -> Classifier:
        key = (self.model, self.threads)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = (key, Classifier(self.model, threads=self.threads))
        return self._loaded[1]

    def _spell(self, emotion: Emotion) -> Any:
        """How ``y`` spelt it; what ``y`` did not have is spelt in its manner."""
        if emotion in self._spellings:
            return self._spellings[emotion]
        other = next(iter(self._spellings.values()), "")
        return type(other)(EMOTIONS.index(emotion)) if str(other).isdigit() else emotion.value


def _fold(emotion: Emotion, known: Sequence[Emotion]) -> Emotion:
    return emotion if emotion in known else Emotion.ANGRY


def _iterate_chips(pictures: Sequence[ImageLike] | NDArray[Any]) -> Iterator[ImageLike]:
    """One picture after another, of whatever ``X`` is."""
    if not isinstance(pictures, np.ndarray) or pictures.ndim != 2:
        return iterate_pictures(pictures, "predict")
    side = math.isqrt(pictures.shape[1])
    # Row by row: of all at once, the copies would take a multiple of the memory of the rows.
    whole = np.issubdtype(pictures.dtype, np.integer) or all((row == np.round(row)).all() for row in pictures)
    if side * side != pictures.shape[1] or not whole or pictures.min(initial=0) < 0 or pictures.max(initial=0) > 255:
        raise UsageError(
            f"rows of {pictures.shape[1]} {pictures.dtype} are no faces",
            advice="Give a square face per row, as whole grey levels of 0–255.",
        )
    return (row.reshape(side, side).astype(np.uint8) for row in pictures)
