"""From a trained detector to the file that fervid and the browser run, checked against the network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

import fervid
from fervid.datasets.photos import LabelledPhoto
from fervid.detection.detector import Detector
from fervid.detection.faces import FacesDetector
from fervid.errors import ContractError
from fervid.evaluation.detection import CURVE_FROM, DetectionEvaluation, evaluate_detector
from fervid.files import write_atomically
from fervid.models.detectorspec import DetectorSpec
from fervid.models.runtime import create_session, read_metadata
from fervid.models.store import load_model
from fervid.training.detection.config import DetectionConfig
from fervid.training.detection.data import TrainingPhotos
from fervid.training.detection.graph import build_model, fold_network
from fervid.training.detection.network import STRIDES, DetectionNetwork
from fervid.training.detection.validation import (
    OVERLAP_THRESHOLD,
    THRESHOLD,
    pad_picture,
    split_outputs,
)
from fervid.training.onnxgraph import FloatPrecision, replace_spec, round_weights

LICENCE: Final = "Apache-2.0"

FRAMING: Final = (0.933, 0.004, -0.012)
"""From a box to FER2013's square: YuNet's, since its boxes are what the network learns to draw."""

SMALLEST, LARGEST = 20.0, 320.0
"""Heights of the faces that are found well in a single reading, px. Smaller ones are found too, but better enlarged."""

MIN_FACE: Final = 20.0
"""Height of the smallest faces that the threshold is chosen for, px."""

CLEAN: Final = 0.99
"""Share of the photos without a face in which the threshold leaves no detection."""

PRECISION: Final = 0.97
"""Share of the detections that the threshold leaves which are faces of the teacher."""

PARITY_PICTURES: Final = 24
TOLERANCE: Final = 1e-3
"""Largest difference of a probability, or of a box or a point in strides, between ONNX Runtime and torch."""

ROUNDING_TOLERANCE: Final = 0.05
"""The same against the network before its weights were rounded to float16, of probabilities."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How close a file comes to its network on real pictures of many sizes.

    Attributes:
        pictures: compared.
        max_difference: largest difference between ONNX Runtime and torch with the weights that the file stores; of
            probabilities, and of boxes and points in strides, where a face may be.
        trained_difference: of probabilities against the network as it was trained.
    """

    pictures: int
    max_difference: float
    trained_difference: float


@dataclass(frozen=True, slots=True)
class ExportedDetector:
    """A file that was written.

    Attributes:
        path: where it lies.
        size_bytes: of the file.
        spec: its contract.
        evaluation: of the file on the validation photos, faces of 20 px and more, at the spec's threshold.
        parity: how close it comes to the trained network.
        precision: how weights are stored.
    """

    path: Path
    size_bytes: int
    spec: DetectorSpec
    evaluation: DetectionEvaluation
    parity: Parity
    precision: FloatPrecision


def export_onnx(
    network: DetectionNetwork,
    config: DetectionConfig,
    data: TrainingPhotos,
    path: str | Path,
    *,
    precision: FloatPrecision = "float16",
) -> ExportedDetector:
    """Write a detector as ONNX, with everything that is needed to run it in the metadata.

    The file has opset 17, a free batch size, height and width, and YuNet's outputs, see
    :mod:`fervid.models.detectorspec`. The same network gives the same bytes. It takes its name only after
    :func:`check_parity`.

    Args:
        network: as :func:`.loop.train` returns it.
        config: the recipe that it was trained with.
        data: that it was trained with; the validation photos choose the threshold.
        path: of the file.
        precision: how the weights are stored; all arithmetic is in float32.

    Raises:
        ModelError: a weight does not fit into float16.
        ContractError: ONNX Runtime gives other answers than torch.
    """
    folded = fold_network(network)
    stored = round_weights(folded) if precision == "float16" else folded
    spec = make_spec(config, data)
    model = build_model(stored, spec, precision=precision, producer=fervid.__version__)
    with write_atomically(path) as part:
        part.write_bytes(model.SerializeToString(deterministic=True))
        parity = check_parity(network, stored, part, data.validation)
        detector = FacesDetector(part.resolve(), score_threshold=CURVE_FROM)
        evaluation = evaluate_detector(detector, data.validation, min_face=MIN_FACE)
        threshold = choose_threshold(evaluation, find_alarms(detector, data.validation))
        spec = replace(spec, score_threshold=threshold)
        replace_spec(model, spec)
        content = model.SerializeToString(deterministic=True)
        part.write_bytes(content)
    evaluation = evaluate_detector(detector, data.validation, threshold=threshold, min_face=MIN_FACE)
    return ExportedDetector(Path(path), len(content), spec, evaluation, parity, precision)


def find_alarms(detector: Detector, photos: Sequence[LabelledPhoto]) -> NDArray[np.float64]:
    """``(M,)`` the highest score in each of the photos that show nobody; 0 where nothing was found."""
    background = (photo.decode() for photo in photos if photo.kind == "background")
    found = (detector.detect(image, min_face=MIN_FACE) for image in background)
    return np.array([max((face.score for face in faces), default=0.0) for faces in found], dtype=np.float64)


def choose_threshold(evaluation: DetectionEvaluation, alarms: NDArray[np.floating]) -> float:
    """The lowest score, in hundredths, that gives the precision of :data:`PRECISION` and leaves :data:`CLEAN` alone.

    Args:
        evaluation: on the validation photos, with a curve.
        alarms: from :func:`find_alarms`; may be empty.
    """
    wanted = [0.0] if evaluation.strict is None else [evaluation.strict[1]]
    if len(alarms):
        wanted.append(float(np.quantile(alarms, CLEAN)))
    return min(0.99, math.ceil(max(wanted) * 100) / 100)


def make_spec(config: DetectionConfig, data: TrainingPhotos) -> DetectorSpec:
    """What the file of a detector says of itself, before its threshold is known."""
    album = data.album
    faces = sum(len(picture.marks.boxes) for picture in (*album.people, *album.heads))
    return DetectorSpec(
        name=config.name,
        version=config.version,
        colour_order="RGB",
        mean=0.0,
        std=1.0,
        score_threshold=THRESHOLD,
        overlap_threshold=OVERLAP_THRESHOLD,
        smallest_face=SMALLEST,
        largest_face=LARGEST,
        framing=FRAMING,
        training_data=f"{len(album.people):,} photos with people and {len(album.heads):,} heads, public collections, "
        f"{faces:,} faces marked by YuNet at several scales; {len(album.background):,} photos without a face",
        licence=LICENCE,
        recipe=f"runs/{config.name}.toml",
        strides=STRIDES,
    )


def check_parity(
    network: DetectionNetwork, stored: DetectionNetwork, path: str | Path, photos: Sequence[LabelledPhoto]
) -> Parity:
    """Compare a file in ONNX Runtime with the network it was exported from, on real pictures of many sizes.

    Args:
        network: as :func:`.loop.train` returns it.
        stored: the network with exactly the weights that the file holds, see :func:`.graph.fold_network`.
        path: of the file.
        photos: to take pictures from.

    Raises:
        ContractError: the answers differ by more than :data:`TOLERANCE`, or, for probabilities, by more than
            :data:`ROUNDING_TOLERANCE` from the network as it was trained.
        ModelError: the file cannot be loaded.
    """
    session = create_session(load_model(Path(path).resolve()), threads=1)
    spec = DetectorSpec.from_metadata(read_metadata(session), Path(path).name)
    largest = trained_largest = 0.0
    pictures = list(_choose_pictures(photos))
    for picture in pictures:
        tensor = pad_picture(picture)
        answers = session.run(spec.outputs, {session.get_inputs()[0].name: tensor})
        with torch.inference_mode():
            expected = split_outputs(stored(torch.from_numpy(tensor)))
            trained = split_outputs(network(torch.from_numpy(tensor)))
        for name, answer in zip(spec.outputs, answers, strict=True):
            if answer.shape != expected[name].shape:
                raise ContractError(f"{name} has the shape {answer.shape}, not {expected[name].shape}")
            largest = max(largest, float(np.abs(answer - expected[name]).max()))
            if name.startswith(("cls", "obj")):
                trained_largest = max(trained_largest, float(np.abs(answer - trained[name]).max()))
    if not (largest <= TOLERANCE and trained_largest <= ROUNDING_TOLERANCE):
        raise ContractError(
            f"ONNX Runtime and torch differ on {len(pictures)} pictures: by up to {largest:.1e}, probabilities by "
            f"{trained_largest:.1e} from the trained network",
            advice="The file is of no use; this is a fault of the exporter or of the runtime.",
        )
    return Parity(len(pictures), largest, trained_largest)


def _choose_pictures(photos: Sequence[LabelledPhoto]) -> Iterator[NDArray[np.uint8]]:
    """Pictures spread over the photos, each cut to another size."""
    rows = np.linspace(0, len(photos) - 1, min(PARITY_PICTURES, len(photos))).astype(int)
    for number, row in enumerate(rows.tolist()):
        picture = photos[row].decode()
        height, width = picture.shape[:2]
        share = 1 - number / (2 * PARITY_PICTURES)
        yield picture[: max(1, round(height * share)), : max(1, round(width * (1.5 - share)))]
