"""The expression network, loaded and calibrated."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fervid.classification.calibration import blend_heads, softmax
from fervid.classification.preprocess import preprocess, stack_inputs
from fervid.errors import ContractError, UsageError
from fervid.geometry import Square, central_square
from fervid.models.runtime import create_session, read_metadata
from fervid.models.spec import EVIDENCE_OUTPUTS, INPUT, LOGIT_OUTPUTS, ModelSpec
from fervid.models.store import load_model


@dataclass(frozen=True, slots=True)
class Prediction:
    """Calibrated answers for N faces.

    Attributes:
        probabilities: ``(N, labels)`` float64 in the order of ``spec.labels``: the answer, both heads blended.
        votes: ``(N, 8)`` float64 in the order of :data:`fervid.emotions.VOTE_LABELS`: the votes head.
        label_probabilities: ``(N, labels)`` float64: the label head alone, which is what FER2013's accuracy is about.
    """

    probabilities: NDArray[np.float64]
    votes: NDArray[np.float64]
    label_probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.probabilities)

    def __getitem__(self, rows: slice) -> Prediction:
        return Prediction(self.probabilities[rows], self.votes[rows], self.label_probabilities[rows])


@dataclass(frozen=True, slots=True)
class HeadMaps:
    """What each place of N faces adds to the calibrated logits of both heads; the mean of a map is its logit.

    Attributes:
        labels: ``(N, labels, h, w)`` float, of the label head, in the order of ``spec.labels``.
        votes: ``(N, 8, h, w)`` float, of the votes head, in the order of :data:`fervid.emotions.VOTE_LABELS`. The h × w
            places divide the network's input evenly.
    """

    labels: NDArray[np.floating]
    votes: NDArray[np.floating]


class Classifier:
    """An expression network in memory; thread-safe.

    Args:
        model: a name (``base``) or the path of an ``.onnx`` file that carries a spec.
        threads: within one run; None means one per core.

    Raises:
        ModelError: unknown, not the published bytes, or without the contract of :mod:`fervid.models.spec`.
    """

    def __init__(self, model: str | os.PathLike[str] = "base", *, threads: int | None = None) -> None:
        file = load_model(model)
        self._session = create_session(file, threads=threads)
        self.spec = ModelSpec.from_metadata(read_metadata(self._session), file.name)
        inputs = [i.name for i in self._session.get_inputs()]
        outputs = [o.name for o in self._session.get_outputs()]
        if inputs != [INPUT] or outputs[: len(LOGIT_OUTPUTS)] != list(LOGIT_OUTPUTS):
            raise ContractError(
                f"{file.name} has the inputs {inputs} and outputs {outputs}, not {[INPUT]} and {list(LOGIT_OUTPUTS)}",
                advice="Use a model exported by fervid train, or a bundled one.",
            )
        self.identity = file.identity
        self.explainable = set(EVIDENCE_OUTPUTS) <= set(outputs)

    def predict(
        self, images: Iterable[NDArray[np.uint8]], squares: Sequence[Square] | None = None, *, batch_size: int = 64
    ) -> Prediction:
        """Read the expression of one face per picture.

        Args:
            images: each ``(H, W)`` grey or ``(H, W, 3)`` RGB uint8; without ``squares`` one is asked for after another,
                and none is kept.
            squares: the face's square in each, in FER2013's framing; None takes the central square of each picture.
            batch_size: faces in the network, and cut out in memory, at a time.

        Raises:
            UsageError: ``batch_size`` is out of range, or there are more or fewer squares than pictures.
        """
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}", advice="Use 1 or more.")
        if squares is None:
            pairs = ((image, Square(central_square(image.shape[1], image.shape[0]))) for image in images)
            return self._predict_pairs(pairs, batch_size)
        pictures = list(images)
        if len(squares) != len(pictures):
            raise UsageError(
                f"{len(squares)} squares for {len(pictures)} pictures", advice="Give one square per picture."
            )
        return self._predict_pairs(zip(pictures, squares, strict=True), batch_size)

    def _predict_pairs(self, pairs: Iterable[tuple[NDArray[np.uint8], Square]], batch_size: int) -> Prediction:
        parts = (preprocess(image, [square], self.spec) for image, square in pairs)
        batches = iter(lambda: list(islice(parts, batch_size)), [])
        return self._predict_batches(stack_inputs(batch, self.spec) for batch in batches)

    def predict_inputs(self, inputs: NDArray[np.float32], *, batch_size: int = 64) -> Prediction:
        """The same for ``(N, 1, S, S)`` inputs made by :func:`.preprocess.preprocess`."""
        return self._predict_batches(inputs[i : i + batch_size] for i in range(0, len(inputs), batch_size))

    def _predict_batches(self, batches: Iterable[NDArray[np.float32]]) -> Prediction:
        label_parts, vote_parts = [np.empty((0, len(self.spec.labels)))], [np.empty((0, len(self.spec.vote_labels)))]
        for inputs in batches:
            emotion_logits, vote_logits = self.run(inputs)
            label_parts.append(softmax(emotion_logits, self.spec.temperature))
            vote_parts.append(softmax(vote_logits, self.spec.votes_temperature))
        labels, votes = np.concatenate(label_parts), np.concatenate(vote_parts)
        return Prediction(blend_heads(labels, votes, self.spec.blend), votes, labels)

    def run(self, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both heads' raw logits, ``(N, labels)`` and ``(N, 8)`` float32, in one run of the network."""
        emotion_logits, vote_logits = self._session.run(list(LOGIT_OUTPUTS), {INPUT: inputs})
        return emotion_logits, vote_logits

    def map_evidence(self, inputs: NDArray[np.float32], *, batch_size: int = 64) -> HeadMaps:
        """What each place of the face adds to each head's logits: class activation maps (arXiv:1512.04150).

        Args:
            inputs: ``(N, 1, S, S)`` made by :func:`.preprocess.preprocess`.
            batch_size: faces in the network at a time.

        Raises:
            ContractError: the file has no evidence outputs.
        """
        if not self.explainable:
            raise ContractError(
                f"{self.identity} has no outputs {list(EVIDENCE_OUTPUTS)}",
                advice="Export it again with today's fervid train, or use a bundled model.",
            )
        label_parts = [np.empty((0, len(self.spec.labels), 1, 1))]
        vote_parts = [np.empty((0, len(self.spec.vote_labels), 1, 1))]
        for start in range(0, len(inputs), batch_size):
            labels, votes = self._session.run(list(EVIDENCE_OUTPUTS), {INPUT: inputs[start : start + batch_size]})
            label_parts.append(labels / self.spec.temperature)
            vote_parts.append(votes / self.spec.votes_temperature)
        skip = 1 if len(inputs) else 0  # the empty part has no network's places
        return HeadMaps(np.concatenate(label_parts[skip:]), np.concatenate(vote_parts[skip:]))
