"""From a trained network to the file that fervid runs: calibrated, stored, checked against torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

import fervid
from fervid.classification.calibration import blend_heads, restrict_votes, softmax
from fervid.classification.classifier import Classifier
from fervid.errors import ContractError
from fervid.evaluation.fitting import choose_threshold, fit_blend, fit_temperature
from fervid.evaluation.metrics import accuracy
from fervid.files import make_file
from fervid.models.spec import ModelSpec
from fervid.training.expressions.data import TrainingData, sample_inputs
from fervid.training.expressions.graph import build_model
from fervid.training.expressions.network import ExpressionNetwork, MirroredNetwork
from fervid.training.expressions.norms import measure_norms
from fervid.training.expressions.quantisation import Logits, quantise_model, run_model
from fervid.training.expressions.validation import predict
from fervid.training.onnxgraph import (
    find_precision,
    fold_norms,
    replace_spec,
    store_weights,
)
from fervid.training.tables import UNSTATED, Precision

PARITY_FACES: Final = 512
"""PublicTest faces on which a file is held against what it says; int8 is held against the network on all of them."""

TOLERANCE: Final = 1e-4
"""Largest difference of a probability between torch and ONNX Runtime."""

ROUNDING_TOLERANCE: Final = 0.02
"""Largest difference that storing the weights as float16 may make to a probability."""

INTEGER_TOLERANCE: Final = 0.03
"""Largest difference of a probability between integer arithmetic and the same file computed in floating point.

They differ where a sum lies so near the middle between two steps that they round it to different ones.
"""

AGREEMENT: Final = 0.9
"""Least share of faces for which int8 must name the emotion that the trained network names."""

LOSS_TOLERANCE: Final = 0.01
"""Largest part of PublicTest by which int8 may answer worse than the trained network."""

LOST_FACES: Final = 2
"""So many faces it may lose even where they are a larger part: among few faces, one or two are chance."""

CALIBRATION_FACES: Final = 512
"""Training faces on which int8's ranges are measured."""

_CPU: Final = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Parity:
    """How close a file comes to the network it was made from; probabilities of both heads, calibrated.

    Attributes:
        faces: compared with the network as it was trained.
        written_faces: compared with what the file says; fewer for int8, which is slow in floating point.
        precision: how the file stores its weights.
        max_difference: largest difference between ONNX Runtime and what the file says: torch with the weights that it
            stores, or for int8 the same graph computed in floating point.
        trained_difference: the same against the network as it was trained, on all ``faces``: what rounding costs.
        trained_agreement: share of the faces for which file and trained network name the same emotion.
    """

    faces: int
    written_faces: int
    precision: Precision
    max_difference: float
    trained_difference: float
    trained_agreement: float


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """A file that was written.

    Attributes:
        path: where it lies.
        size_bytes: of the file.
        spec: its contract.
        public_accuracy: of the label head on PublicTest, with the weights that the file stores.
        trained_accuracy: the same of the network as it was trained.
        parity: how close it comes to the trained network.
        knows_votes: whether the votes head has learned anything; one that has not gives each of the eight expressions
            the share 1/8, whatever the face.
    """

    path: Path
    size_bytes: int
    spec: ModelSpec
    public_accuracy: float
    trained_accuracy: float
    parity: Parity
    knows_votes: bool


def export_onnx(
    network: ExpressionNetwork,
    data: TrainingData,
    path: str | Path,
    *,
    precision: Precision = "float16",
    licence: str = "",
    mirror: bool = False,
    clean_norms: bool = False,
) -> ExportedModel:
    """Write a network as ONNX, with everything that is needed to run it in the metadata.

    The file has opset 17, a free batch size, input ``faces``, outputs ``emotion_logits`` and ``vote_logits``, and the
    evidence maps that these are the means of. The same network gives the same bytes. It takes its name only after
    :func:`check_parity`.

    Args:
        network: as :func:`.loop.train` returns it.
        data: that it was trained with; PublicTest calibrates it, and for int8 some Training faces too.
        path: of the file.
        precision: how the weights are stored: ``float16`` (2 bytes a weight), ``float32``, or ``int8`` (1 byte, and
            integer arithmetic, see :mod:`.quantisation`).
        licence: of the weights, in one line; an empty one is stated as "not stated".
        mirror: the file reads each face and its mirror image, see :class:`.network.MirroredNetwork`.
        clean_norms: the norms' statistics are measured anew before, see :func:`.norms.measure_norms`.

    Raises:
        ModelError: a weight does not fit into float16.
        ContractError: ONNX Runtime gives other answers than torch, or int8 costs too much accuracy.
        OutputError: the file cannot be written.
    """
    labels, producer = data.validation_emotions, fervid.__version__
    data = replace(data, spec=replace(data.spec, licence=licence or UNSTATED))
    network = measure_norms(network, data) if clean_norms else network
    reader = MirroredNetwork(network) if mirror else network
    folded = fold_norms(reader)
    trained = predict(folded, data.validation_inputs, _CPU)
    if precision == "int8":
        model = build_model(folded, data.spec, precision="float32", producer=producer)
        model = quantise_model(model, calibration_inputs(data), data.spec)
        logits = run_model(model, _to_numpy(data.validation_inputs))
        spec = calibrate(*logits, data)
        replace_spec(model, spec)
    else:
        stored = store_weights(folded, precision)
        logits = trained if precision == "float32" else predict(stored, data.validation_inputs, _CPU)
        spec = calibrate(*logits, data)
        model = build_model(stored, spec, precision=precision, producer=producer)
    public_accuracy, trained_accuracy = (accuracy(softmax(head), labels) for head, _ in (logits, trained))
    lost = round((trained_accuracy - public_accuracy) * len(labels))
    if precision == "int8" and lost > max(LOSS_TOLERANCE * len(labels), LOST_FACES):
        raise ContractError(
            f"int8 answers {public_accuracy:.2%} of PublicTest rightly, the network {trained_accuracy:.2%}",
            advice="Export as float16.",
        )
    content = model.SerializeToString(deterministic=True)
    compared = data.validation_inputs if precision == "int8" else data.validation_inputs[:PARITY_FACES]
    with make_file(path) as part:
        part.write_bytes(content)
        parity = check_parity(reader, part, compared)
    knows_votes = bool(logits[1].any())
    return ExportedModel(Path(path), len(content), spec, public_accuracy, trained_accuracy, parity, knows_votes)


def calibration_inputs(data: TrainingData) -> NDArray[np.float32]:
    """``(N, 1, S, S)`` inputs from Training faces that are spread evenly over the split, as the product sees them."""
    return _to_numpy(sample_inputs(data, CALIBRATION_FACES))


def calibrate(
    emotion_logits: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    vote_logits: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    data: TrainingData,
) -> ModelSpec:
    """The spec of a trained network, with what PublicTest says about its logits.

    Each head has a temperature (:func:`.fitting.fit_temperature`): the label head's is fitted against the labels, the
    votes head's against the votes. The answer blends both so that it is as good for both truths
    (:func:`.fitting.fit_blend`); an answer is given where it is more likely right than wrong, by the FER+ majority
    (:func:`.fitting.choose_threshold`). Where nobody voted the label head answers alone, and the labels are the truth.
    It also answers alone where the votes head knows nothing.
    """
    labels = data.validation_emotions
    temperature = round(fit_temperature(emotion_logits, labels), 4)
    probabilities = softmax(emotion_logits, temperature)
    votes_temperature, blend, voted = 1.0, 0.0, data.validation_has_votes
    if voted.any() and vote_logits.any():
        votes_temperature = round(fit_temperature(vote_logits[voted], data.validation_votes[voted]), 4)
        votes, known = softmax(vote_logits, votes_temperature), len(data.spec.labels)
        shares = restrict_votes(data.validation_votes.astype(np.float64), known)
        blend = fit_blend(probabilities[voted], restrict_votes(votes[voted], known), labels[voted], shares[voted])
        blend = round(blend, 2)
        probabilities = blend_heads(probabilities, votes, blend)
    judged = data.validation_majority >= 0
    truths = data.validation_majority[judged] if judged.any() else labels
    rows = probabilities[judged] if judged.any() else probabilities
    threshold = choose_threshold(rows.max(axis=1), rows.argmax(axis=1) == truths)
    return replace(
        data.spec,
        temperature=temperature,
        votes_temperature=votes_temperature,
        blend=blend,
        threshold=math.floor(threshold * 100) / 100,  # two decimals, rounded to answer rather than not
    )


def check_parity(network: ExpressionNetwork | MirroredNetwork, path: str | Path, inputs: Tensor) -> Parity:
    """Compare a file, as fervid runs it, with the network it was exported from.

    A file that stores float16 is held against the network whose weights are rounded alike, so that one tolerance serves
    both kinds of float: every face gets the same emotion, and no probability differs by more than 1e-4. The network as
    it was trained is compared too; there, when the file stores float16, a probability may differ by 0.02: far more than
    rounding costs and far less than a wrong translation.

    A file of int8 is held against itself computed in floating point, on the first 512 faces: sums that do not fit into
    an integer of the processor would show there. Of the trained network's answers it must give nine in ten.

    Args:
        network: that was exported.
        path: of the file.
        inputs: ``(N, 1, S, S)`` float32 as :func:`.data.prepare_inputs` makes them; N of 256 or more to be of use.

    Raises:
        ContractError: the answers differ.
        ModelError: the file cannot be loaded.
    """
    classifier = Classifier(Path(path).resolve())
    arrays = _to_numpy(inputs)
    answer = classifier.predict_inputs(arrays)
    model = onnx.load(path)
    precision, spec = find_precision(model), classifier.spec

    def compare(reference: Logits) -> tuple[float, float]:
        emotions, votes = softmax(reference[0], spec.temperature), softmax(reference[1], spec.votes_temperature)
        mine = answer[: len(emotions)]
        largest = max(np.abs(emotions - mine.label_probabilities).max(), np.abs(votes - mine.votes).max())
        same = emotions.argmax(axis=1) == mine.label_probabilities.argmax(axis=1)
        return float(largest), float(same.mean())

    trained_difference, trained_agreement = compare(predict(network, inputs, _CPU))
    written = arrays[:PARITY_FACES] if precision == "int8" else arrays
    if precision == "int8":
        difference, _ = compare(run_model(model, written, as_written=True))
        changed = round((1 - trained_agreement) * len(inputs))
        good = difference <= INTEGER_TOLERANCE and changed <= max((1 - AGREEMENT) * len(inputs), LOST_FACES)
    else:
        stored = store_weights(fold_norms(network), precision)
        difference, agreement = compare(predict(stored, inputs, _CPU))
        tolerance = ROUNDING_TOLERANCE if precision == "float16" else TOLERANCE
        good = difference <= TOLERANCE and agreement == 1.0 and trained_difference <= tolerance
    if not good:
        raise ContractError(
            f"ONNX Runtime and torch differ on {len(inputs)} faces: {1 - trained_agreement:.2%} get another emotion, "
            f"probabilities differ by up to {difference:.1e} ({trained_difference:.1e} from the trained network)",
            advice="The file is of no use; this is a fault of the exporter or of the runtime.",
        )
    return Parity(len(inputs), len(written), precision, difference, trained_difference, trained_agreement)


def _to_numpy(inputs: Tensor) -> NDArray[np.float32]:
    """As ONNX Runtime wants them: channels first in memory too."""
    return inputs.contiguous(memory_format=torch.contiguous_format).numpy()
