"""The expression network, loaded and calibrated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fervid.classification.calibration import softmax
from fervid.classification.preprocess import preprocess
from fervid.errors import ContractError, UsageError
from fervid.geometry import central_box
from fervid.models.runtime import create_session, read_metadata
from fervid.models.spec import INPUT, OUTPUTS, ModelSpec
from fervid.models.store import load_model
from fervid.results import Box


@dataclass(frozen=True, slots=True)
class Prediction:
    """Calibrated answers for N faces.

    Attributes:
        probabilities: ``(N, labels)`` float64 in the order of ``spec.labels``.
        votes: ``(N, 8)`` float64 in the order of :data:`fervid.emotions.VOTE_LABELS`.
    """

    probabilities: NDArray[np.float64]
    votes: NDArray[np.float64]


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
        inputs = [i.name for i in self._session.get_inputs()]
        outputs = [o.name for o in self._session.get_outputs()]
        if inputs != [INPUT] or outputs[: len(OUTPUTS)] != list(OUTPUTS):
            raise ContractError(
                f"{file.name} has the inputs {inputs} and outputs {outputs}, not {[INPUT]} and {list(OUTPUTS)}",
                advice="Use a model exported by fervid train, or a bundled one.",
            )
        self.spec = ModelSpec.from_metadata(read_metadata(self._session), file.name)
        self.identity = file.identity

    def predict(
        self, images: Sequence[NDArray[np.uint8]], boxes: Sequence[Box] | None = None, *, batch_size: int = 64
    ) -> Prediction:
        """Read the expression of one face per picture.

        Args:
            images: each ``(H, W)`` grey or ``(H, W, 3)`` RGB uint8.
            boxes: the face's square in each, in FER2013's framing; None takes the whole picture.
            batch_size: faces in the network at a time.
        """
        if boxes is not None and len(boxes) != len(images):
            raise UsageError(f"{len(boxes)} boxes for {len(images)} pictures", advice="Give one box per picture.")
        squares = boxes or [central_box(image.shape[1], image.shape[0]) for image in images]
        parts = [preprocess(image, [square], self.spec) for image, square in zip(images, squares, strict=True)]
        empty = np.empty((0, 1, self.spec.size, self.spec.size), dtype=np.float32)
        return self.predict_inputs(np.concatenate([empty, *parts]), batch_size=batch_size)

    def predict_inputs(self, inputs: NDArray[np.float32], *, batch_size: int = 64) -> Prediction:
        """The same for ``(N, 1, S, S)`` inputs made by :func:`.preprocess.preprocess`."""
        emotion_parts, vote_parts = [np.empty((0, len(self.spec.labels)))], [np.empty((0, len(self.spec.vote_labels)))]
        for start in range(0, len(inputs), batch_size):
            emotion_logits, vote_logits = self.run(inputs[start : start + batch_size])
            emotion_parts.append(softmax(emotion_logits, self.spec.temperature))
            vote_parts.append(softmax(vote_logits, self.spec.votes_temperature))
        return Prediction(np.concatenate(emotion_parts), np.concatenate(vote_parts))

    def run(self, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both heads' raw logits, ``(N, labels)`` and ``(N, 8)`` float32, in one run of the network."""
        emotion_logits, vote_logits = self._session.run(list(OUTPUTS), {INPUT: inputs})
        return emotion_logits, vote_logits
