"""From a trained detector to the file that fervid and the browser run, checked against the network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

import fervid
from fervid.datasets.photos import LabelledPhoto
from fervid.detection.decoding import HEARD
from fervid.detection.detector import Detector
from fervid.detection.faces import FacesDetector
from fervid.detection.yunet import SPEC as YUNET
from fervid.errors import ContractError
from fervid.evaluation.detection import CURVE_FROM, DetectionEvaluation, evaluate_detector
from fervid.files import make_file
from fervid.models.detectorspec import INPUT, DetectorSpec
from fervid.models.runtime import create_session, read_metadata
from fervid.models.store import load_model
from fervid.pipeline import DEFAULT_MIN_FACE
from fervid.training.detection.config import DetectionConfig
from fervid.training.detection.data import TrainingPhotos
from fervid.training.detection.graph import build_model, fold_network
from fervid.training.detection.integers import build_integer_model
from fervid.training.detection.network import STRIDES, DetectionNetwork
from fervid.training.detection.scenes import Album
from fervid.training.detection.validation import (
    OVERLAP_THRESHOLD,
    THRESHOLD,
    enlarge_tiny,
    pad_picture,
    split_outputs,
)
from fervid.training.onnxgraph import find_precision, replace_spec, store_weights
from fervid.training.quantisation import open_session
from fervid.training.tables import UNSTATED, Precision

PHOTOS_DIGEST: Final = "721fd673b040"
"""Of the photos that this project trains its detectors with, see :class:`.data.TrainingPhotos`."""

RECIPES: Final = ("faces-1", "faces-2", "faces")
"""This project's own, in ``runs/``."""

SMALLEST, LARGEST = 20.0, 320.0
"""Heights of the faces that are found well in a single reading, px. Smaller ones are found too, but better enlarged."""

MIN_FACE: Final = DEFAULT_MIN_FACE
"""Height of the smallest faces that the threshold is chosen for, px: pictures are read for it as the product reads them
unless told otherwise."""

CLEAN: Final = 0.99
"""Share of the photos without a face in which the threshold leaves no detection."""

PARITY_PICTURES: Final = 24
TOLERANCE: Final = 1e-3
"""Largest difference of a probability, or of a box or a point in strides, between ONNX Runtime and torch."""

ROUNDING_TOLERANCE: Final = 0.05
"""The same against the network before its weights were rounded to float16, of probabilities."""

INTEGER_TOLERANCE: Final = 0.1
"""The same between integer arithmetic and the same file computed in floating point, boxes and points of faces alone.

They differ where a sum lies so near the middle between two steps that they round it to different ones.
"""

LOSS_TOLERANCE: Final = 0.01
"""By how much int8's average precision on the validation photos may be less than the network's."""

CALIBRATION: Final = {"people": 64, "heads": 32, "background": 16}
"""Training photos, by kind, on which int8's ranges are measured."""

CALIBRATION_SIDE: Final = 416
"""Of them at most so much is shown, px."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How close a file comes to its network on real pictures of many sizes.

    Attributes:
        pictures: compared.
        precision: how the file stores its weights.
        max_difference: largest difference between ONNX Runtime and what the file says: torch with the weights that it
            stores, or for int8 the same graph computed in floating point; of probabilities, and of boxes and points in
            strides (for int8, where a face may be).
        trained_difference: of probabilities against the network as it was trained.
    """

    pictures: int
    precision: Precision
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
        trained_precision: average precision of the network as it was trained, where the file computes in integers.
        parity: how close it comes to the trained network.
    """

    path: Path
    size_bytes: int
    spec: DetectorSpec
    evaluation: DetectionEvaluation
    trained_precision: float | None
    parity: Parity


def export_onnx(
    network: DetectionNetwork,
    config: DetectionConfig,
    data: TrainingPhotos,
    path: str | Path,
    *,
    precision: Precision = "float16",
) -> ExportedDetector:
    """Write a detector as ONNX, with everything that is needed to run it in the metadata.

    The file has opset 17, a free batch size, height and width, and YuNet's outputs, see
    :mod:`fervid.models.detectorspec`. The same network gives the same bytes. It takes its name only after
    :func:`check_parity`.

    Args:
        network: as :func:`.loop.train` returns it.
        config: the recipe that it was trained with.
        data: that it was trained with; the validation photos choose the threshold, and some of the others int8's
            ranges.
        path: of the file.
        precision: how the weights are stored: ``float16`` (2 bytes a weight), ``float32``, or ``int8`` (1 byte, and
            integer arithmetic, see :mod:`.integers`).

    Raises:
        ModelError: a weight does not fit into float16.
        ContractError: ONNX Runtime gives other answers than torch, or int8 finds fewer faces.
        OutputError: the file cannot be written.
    """
    folded, producer = fold_network(network), fervid.__version__
    spec = make_spec(config, data)
    trained: float | None = None
    with make_file(path) as part:
        if precision == "int8":
            model = build_model(folded, spec, precision="float32", producer=producer)
            part.write_bytes(model.SerializeToString())
            evaluation = evaluate_detector(_open(part), data.validation, min_face=MIN_FACE)
            trained = evaluation.overall.average_precision or 0.0
            spec, pictures = replace(spec, layout="pixels"), calibration_pictures(data.album)
            model = build_integer_model(folded, model, spec, pictures, producer=producer)
        else:
            model = build_model(store_weights(folded, precision), spec, precision=precision, producer=producer)
        part.write_bytes(model.SerializeToString(deterministic=True))
        parity = check_parity(network, part, data.validation)
        detector = _open(part)
        evaluation = evaluate_detector(detector, data.validation, min_face=MIN_FACE)
        found = evaluation.overall.average_precision or 0.0
        if trained is not None and trained - found > LOSS_TOLERANCE:
            raise ContractError(
                f"int8 has an average precision of {found:.3f} on the validation photos, the network {trained:.3f}",
                advice="Export as float16.",
            )
        spec = replace(spec, score_threshold=choose_threshold(evaluation, find_alarms(detector, data.validation)))
        replace_spec(model, spec)
        content = model.SerializeToString(deterministic=True)
        part.write_bytes(content)
    evaluation = evaluate_detector(detector, data.validation, threshold=spec.score_threshold, min_face=MIN_FACE)
    return ExportedDetector(Path(path), len(content), spec, evaluation, trained, parity)


def calibration_pictures(album: Album) -> list[NDArray[np.float32]]:
    """``(1, 3, H, W)`` Training photos that are spread evenly over each kind, as large as the product reads them."""
    kinds = {"people": album.people, "heads": album.heads, "background": album.background}
    pictures = []
    for kind, photos in kinds.items():
        for row in np.linspace(0, len(photos) - 1, min(CALIBRATION[kind], len(photos))).astype(int).tolist():
            image = enlarge_tiny(photos[row].pixels)
            top, left = (max(0, (side - CALIBRATION_SIDE) // 2) for side in image.shape[:2])
            pictures.append(pad_picture(image[top : top + CALIBRATION_SIDE, left : left + CALIBRATION_SIDE]))
    return pictures


def _open(path: Path) -> FacesDetector:
    return FacesDetector(path.resolve(), score_threshold=CURVE_FROM)


def find_alarms(detector: Detector, photos: Sequence[LabelledPhoto]) -> NDArray[np.float64]:
    """``(M,)`` the highest score in each of the photos that show nobody; 0 where nothing was found."""
    background = (photo.decode() for photo in photos if photo.kind == "background")
    found = (detector.detect(image, min_face=MIN_FACE) for image in background)
    return np.array([max((face.score for face in faces), default=0.0) for faces in found], dtype=np.float64)


def choose_threshold(evaluation: DetectionEvaluation, alarms: NDArray[np.floating]) -> float:
    """The lowest score, in hundredths, that gives ``evaluation.strict``'s precision and leaves :data:`CLEAN` alone.

    A detector that reaches that precision nowhere gets :data:`.validation.THRESHOLD`, or more.

    Args:
        evaluation: on the validation photos, with a curve.
        alarms: from :func:`find_alarms`; may be empty.
    """
    hundredths = [math.ceil((THRESHOLD if evaluation.strict is None else evaluation.strict[1]) * 100)]
    few = math.floor((1 - CLEAN) * len(alarms) + 1e-9)  # photos that may have one
    if len(alarms):
        hundredths.append(math.floor(np.sort(alarms)[-1 - few] * 100) + 1)
    return min(0.99, max(hundredths) / 100)


def make_spec(config: DetectionConfig, data: TrainingPhotos) -> DetectorSpec:
    """What the file of a detector says of itself, before its threshold is known."""
    album, ours = data.album, data.digest == PHOTOS_DIGEST
    faces = sum(len(picture.marks.boxes) for picture in (*album.people, *album.heads))
    origin, teacher = (", public collections", " by YuNet at several scales") if ours else ("", "")
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
        framing=YUNET.framing,  # its boxes are what the network learns to draw
        training_data=f"{len(album.people):,} photos with people and {len(album.heads):,} heads{origin}, "
        f"{faces:,} faces marked{teacher}; {len(album.background):,} photos without a face",
        licence=config.export.licence or UNSTATED,
        recipe=f"{'runs/' if ours and config.name in RECIPES else ''}{config.name}.toml",
        strides=STRIDES,
    )


def check_parity(network: DetectionNetwork, path: str | Path, photos: Sequence[LabelledPhoto]) -> Parity:
    """Compare a file in ONNX Runtime with the network it was exported from, on real pictures of many sizes.

    A file of floats is held against the network with exactly the weights that it stores. A file of int8 is held against
    itself computed in floating point: sums that do not fit into an integer of the processor would show there.

    Args:
        network: as :func:`.loop.train` returns it.
        path: of the file.
        photos: to take pictures from.

    Raises:
        ContractError: the answers differ by more than :data:`TOLERANCE`, or for int8 by :data:`INTEGER_TOLERANCE`; or
            probabilities of a file of floats by more than :data:`ROUNDING_TOLERANCE` from the network as it was
            trained.
        ModelError: the file cannot be loaded.
    """
    session = create_session(load_model(Path(path).resolve()), threads=1)
    spec = DetectorSpec.from_metadata(read_metadata(session), Path(path).name)
    model = onnx.load(path)
    precision = find_precision(model)
    written = open_session(model, as_written=True) if precision == "int8" else None
    stored = store_weights(fold_network(network), precision)
    largest = trained_largest = 0.0
    pictures = list(_choose_pictures(photos))
    for picture in pictures:
        planes = pad_picture(picture)
        shown = planes if written is None else planes.transpose(0, 2, 3, 1).astype(np.uint8)
        answers = dict(zip(spec.outputs, session.run(spec.outputs, {INPUT: shown}), strict=True))
        trained = _ask(network, planes)
        if written is None:
            expected = _ask(stored, planes)
        else:
            expected = dict(zip(spec.outputs, written.run(spec.outputs, {INPUT: shown}), strict=True))
        for name, answer in answers.items():
            kind, stride = name.split("_")
            if answer.shape != expected[name].shape:
                raise ContractError(f"{name} has the shape {answer.shape}, not {expected[name].shape}")
            differences = np.abs(answer - expected[name])
            if kind in ("cls", "obj"):
                trained_largest = max(trained_largest, float(np.abs(answer - trained[name]).max()))
            elif written is not None:
                scores = expected[f"cls_{stride}"] * expected[f"obj_{stride}"]
                differences = differences[scores[..., 0] >= HEARD**2]
            largest = max(largest, float(differences.max(initial=0.0)))
    tolerance = TOLERANCE if written is None else INTEGER_TOLERANCE
    if not (largest <= tolerance and (trained_largest <= ROUNDING_TOLERANCE or written is not None)):
        raise ContractError(
            f"ONNX Runtime and torch differ on {len(pictures)} pictures: by up to {largest:.1e}, probabilities by "
            f"{trained_largest:.1e} from the trained network",
            advice="The file is of no use; this is a fault of the exporter or of the runtime.",
        )
    return Parity(len(pictures), precision, largest, trained_largest)


def _ask(network: DetectionNetwork, planes: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    with torch.inference_mode():
        return split_outputs(network(torch.from_numpy(planes)))


def _choose_pictures(photos: Sequence[LabelledPhoto]) -> Iterator[NDArray[np.uint8]]:
    """Pictures spread over the photos, each cut to another size."""
    rows = np.linspace(0, len(photos) - 1, min(PARITY_PICTURES, len(photos))).astype(int)
    for number, row in enumerate(rows.tolist()):
        picture = photos[row].decode()
        height, width = picture.shape[:2]
        share = 1 - number / (2 * PARITY_PICTURES)
        yield picture[: max(1, round(height * share)), : max(1, round(width * (1.5 - share)))]
