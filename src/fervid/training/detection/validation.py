"""How good a network is on held-out photos, by the same measures as ``fervid evaluate``, and which photos fool it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fervid.datasets.photos import LabelledPhoto
from fervid.detection.decoding import HEARD, decode, merge_cells
from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.detection.passes import LEAST_SIDE, MOST_FOR_LEAST
from fervid.detection.resizing import resize_region
from fervid.detection.yunet import SPEC as YUNET
from fervid.evaluation.detection import CURVE_FROM, DetectionEvaluation, evaluate_detector
from fervid.models.detectorspec import output_names
from fervid.results import Box
from fervid.training.detection.network import STRIDES, DetectionNetwork

OVERLAP_THRESHOLD: Final = 0.4
"""Of two detections that overlap more than this the better stays. Faces of photos.parquet overlap less."""

THRESHOLD: Final = 0.5
"""Score from which a detection counts in the figures that need one."""


class TorchDetector:
    """A network as a :class:`fervid.detection.detector.Detector`, reading each picture once, as large as it is.

    Args:
        network: in evaluation mode.
        place: its device.
        score_threshold: weaker hits are left out.
    """

    name = "torch"
    framing = Framing(*YUNET.framing)  # whose boxes the network learns to draw

    def __init__(self, network: DetectionNetwork, place: torch.device, *, score_threshold: float = CURVE_FROM) -> None:
        self.score_threshold = score_threshold
        self._network, self._place = network, place

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
        """See :class:`fervid.detection.detector.Detector`."""
        padded = pad_picture(image)
        with torch.inference_mode():
            outputs = split_outputs(self._network(torch.from_numpy(padded).to(self._place)))
        height, width = padded.shape[2:]
        found = decode(outputs, width, height, STRIDES, score_threshold=min(HEARD, self.score_threshold))
        boxes, scores, points = merge_cells(
            *found, overlap_threshold=OVERLAP_THRESHOLD, score_threshold=self.score_threshold
        )
        good = np.flatnonzero(boxes[:, 3] - boxes[:, 1] >= min_face)
        return [Detection(Box(*boxes[i]), float(scores[i]), points[i]) for i in good]


def pad_picture(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """``(H, W, 3)`` uint8 to the network's ``(1, 3, H', W')`` float32, black at the right and below."""
    step = STRIDES[-1]
    height, width = (-(-side // step) * step for side in image.shape[:2])
    padded = np.zeros((1, 3, height, width), dtype=np.float32)
    padded[0, :, : image.shape[0], : image.shape[1]] = image.transpose(2, 0, 1)
    return padded


def enlarge_tiny(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture as large as the product reads it (:mod:`fervid.detection.passes`)."""
    height, width = image.shape[:2]
    factor = min(MOST_FOR_LEAST, LEAST_SIDE / max(height, width))
    if factor <= 1:
        return image
    return resize_region(image, (0, 0, width, height), round(width * factor), round(height * factor))


def split_outputs(outputs: Sequence[Tensor]) -> dict[str, NDArray[np.float32]]:
    """The network's answer in the layout of the exported file, see :mod:`fervid.models.detectorspec`."""
    kinds = [
        [part[..., :1].sigmoid() for part in outputs],
        [part[..., 1:2].sigmoid() for part in outputs],
        [part[..., 2:6] for part in outputs],
        [part[..., 6:] for part in outputs],
    ]
    tensors = (tensor.float().cpu().numpy() for kind in kinds for tensor in kind)
    return dict(zip(output_names(STRIDES), tensors, strict=True))


def evaluate_network(
    network: DetectionNetwork, photos: Iterable[LabelledPhoto], place: torch.device
) -> DetectionEvaluation:
    """The figures of a network in evaluation mode on marked photos."""
    return evaluate_detector(TorchDetector(network, place), photos, threshold=THRESHOLD)


def summarise(evaluation: DetectionEvaluation) -> dict[str, Any]:
    """The figures that a line of ``metrics.jsonl`` holds; shares as 0–1."""
    figures: dict[str, Any] = {"average_precision": evaluation.overall.average_precision}
    if evaluation.strict is not None:
        figures["recall_at_97"], figures["threshold_at_97"] = evaluation.strict
    for kind, part in evaluation.kinds.items():
        figures[f"{kind}_average_precision"] = part.average_precision
    if (people := evaluation.kinds.get("people")) is not None:
        figures["people_recall"] = None if people.recall is None else people.recall.value
        figures["people_precision"] = None if people.precision is None else people.precision.value
    band = evaluation.bands[0]
    figures["small_recall"] = None if band.recall is None else band.recall.value
    figures["small_average_precision"] = band.average_precision
    if (landmarks := evaluation.overall.landmarks) is not None:
        figures["landmark_error"] = landmarks.median
    if evaluation.background is not None:
        figures["background_clean"] = evaluation.background.clean.value
    return {key: value if value is None else round(float(value), 5) for key, value in figures.items()}


def find_highest(
    network: DetectionNetwork, images: Sequence[NDArray[np.uint8]], place: torch.device
) -> NDArray[np.float32]:
    """``(pictures,)`` the highest score of any cell in each of some pictures that show nobody.

    Tiny ones are enlarged, as the product does (:mod:`fervid.detection.passes`).
    """
    highest = np.zeros(len(images), dtype=np.float32)
    with torch.inference_mode():
        for i, image in enumerate(images):
            outputs = network(torch.from_numpy(pad_picture(enlarge_tiny(image))).to(place))
            highest[i] = max(float(part[0, :, :2].sigmoid().prod(dim=1).max()) for part in outputs) ** 0.5
    return highest
