"""A network of YuNet's layout that looks for faces in pictures of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fervid.detection.decoding import HEARD, decode, merge_cells
from fervid.detection.detector import Detection
from fervid.detection.framing import Framing
from fervid.detection.passes import Pass, Tile, find_cut, plan_passes
from fervid.detection.resizing import resize_region
from fervid.errors import ContractError
from fervid.geometry import suppress_overlaps
from fervid.models.detectorspec import DetectorSpec
from fervid.models.store import ModelFile
from fervid.results import Box

if TYPE_CHECKING:
    import onnxruntime

TILE: Final = 1280
"""Largest side of what a network that takes any size reads at once, px."""

CONTAINMENT: Final = 0.6
"""Of two detections of which more than this share of the smaller lies in the other, the better stays. No two of the
13,330 faces marked in photos.parquet lie so; a nostril or an eye seen as a face in an enlarged one does."""

INPUTS: Final = {
    "planes": ("tensor(float)", "(1, 3, H, W) float32"),
    "pixels": ("tensor(uint8)", "(1, H, W, 3) uint8"),
}
"""By the spec's layout, the type of a network's input as ONNX Runtime names it, and what it is in words."""

Found = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""``(N, 4)`` boxes, ``(N,)`` scores and ``(N, 5, 2)`` points."""


class NetworkDetector:
    """A network of YuNet's layout, loaded; thread-safe.

    Args:
        file: the network; its name is what results say found the face.
        session: of the network.
        spec: what it needs.
        score_threshold: weaker hits are left out; None means the spec's.

    Raises:
        ContractError: the network lacks the input or an output.
    """

    def __init__(
        self,
        file: ModelFile,
        session: onnxruntime.InferenceSession,
        spec: DetectorSpec,
        *,
        score_threshold: float | None,
    ) -> None:
        self.name = name = file.name
        self.identity = file.identity
        self.spec = spec
        self.framing = Framing(*spec.framing)
        self.score_threshold = spec.score_threshold if score_threshold is None else score_threshold
        self._session = session
        missing = set(spec.outputs) - {output.name for output in session.get_outputs()}
        if missing:
            raise ContractError(
                f"{name} lacks the outputs {', '.join(sorted(missing))}", advice="Export the detector again."
            )
        inputs = session.get_inputs()
        kind, form = INPUTS[spec.layout]
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != kind:
            found = ", ".join(f"{node.name} {node.shape} {node.type}" for node in inputs)
            raise ContractError(f"{name} takes {found}", advice=f"A detector of {spec.layout} takes one {form}.")
        self._input = inputs[0].name
        height, width = inputs[0].shape[2:] if spec.layout == "planes" else inputs[0].shape[1:3]
        self._fixed = (width, height) if isinstance(width, int) and isinstance(height, int) else None

    def plan(self, width: int, height: int, *, min_face: float) -> tuple[Pass, ...]:
        """The passes in which a picture of that size is read."""
        spec = self.spec
        tile = self._fixed or (TILE, TILE)
        return plan_passes(
            width, height, min_face=min_face, smallest=spec.smallest_face, largest=spec.largest_face, tile=tile
        )

    def detect(self, image: NDArray[np.uint8], *, min_face: float) -> list[Detection]:
        """See :class:`.detector.Detector`."""
        height, width = image.shape[:2]
        return self.read(image, self.plan(width, height, min_face=min_face), least=min_face)

    def read(self, image: NDArray[np.uint8], passes: Sequence[Pass], *, least: float) -> list[Detection]:
        """Faces of a ``(H, W, 3)`` RGB uint8 picture, best first.

        Args:
            image: the picture.
            passes: in which it is read, from :meth:`plan`.
            least: height of the lowest box that counts, px of the picture; the passes do not depend on it.
        """
        # A finer pass has read what is lower than the network finds: what a coarser one sees there is mostly no face.
        coarser = (self.spec.smallest_face * image.shape[0] / reading.height for reading in passes[1:])
        lowest = [least, *(max(least, height) for height in coarser)]
        pairs = zip(passes, lowest, strict=True)
        found = [self._read_tile(image, reading, tile, low) for reading, low in pairs for tile in reading.tiles]
        boxes, scores, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
        kept = suppress_overlaps(boxes, scores, self.spec.overlap_threshold, containment=CONTAINMENT)
        return [Detection(Box(*boxes[i]), min(1.0, float(scores[i])), points[i]) for i in kept]

    def _read_tile(self, image: NDArray[np.uint8], reading: Pass, tile: Tile, least: float) -> Found:
        """What one tile of one pass shows, px of the picture."""
        factor = np.array([image.shape[1] / reading.width, image.shape[0] / reading.height])
        region = (tile.x1 * factor[0], tile.y1 * factor[1], tile.x2 * factor[0], tile.y2 * factor[1])
        boxes, scores, points = merge_cells(
            *self._look(resize_region(image, region, tile.width, tile.height)),
            overlap_threshold=self.spec.overlap_threshold,
            score_threshold=self.score_threshold,
        )
        offset = np.array([tile.x1, tile.y1])
        boxes = boxes + np.tile(offset, 2)
        good = ((boxes[:, 3] - boxes[:, 1]) * factor[1] >= least) & ~find_cut(boxes, tile, reading)
        return boxes[good] * np.tile(factor, 2), scores[good], (points[good] + offset) * factor

    def _look(self, image: NDArray[np.uint8]) -> Found:
        """Run the network on a picture that it can take in one piece, px of that picture."""
        height, width = image.shape[:2]
        step = self.spec.strides[-1]
        columns, rows = self._fixed or (-(-width // step) * step, -(-height // step) * step)
        tensor = self._to_tensor(image if self.spec.colour_order == "RGB" else image[:, :, ::-1], columns, rows)
        names = self.spec.outputs
        outputs = dict(zip(names, self._session.run(names, {self._input: tensor}), strict=True))
        return decode(outputs, columns, rows, self.spec.strides, score_threshold=min(HEARD, self.score_threshold))

    def _to_tensor(self, image: NDArray[np.uint8], columns: int, rows: int) -> NDArray[np.uint8] | NDArray[np.float32]:
        """The network's input; what lies beyond the picture is black."""
        height, width = image.shape[:2]
        if self.spec.layout == "pixels":
            if (height, width) == (rows, columns):
                return np.ascontiguousarray(image)[None]
            pixels = np.zeros((1, rows, columns, 3), dtype=np.uint8)
            pixels[0, :height, :width] = image
            return pixels
        planes = np.zeros((1, 3, rows, columns), dtype=np.float32)
        planes[0, :, :height, :width] = image.transpose(2, 0, 1)
        if (self.spec.mean, self.spec.std) != (0, 1):
            planes -= self.spec.mean
            planes /= self.spec.std
        return planes
