"""What a face detector needs to be used, carried inside its ONNX file.

The network is anchor-free, of YuNet's kind (Wu et al. 2023, doi:10.1007/s11633-023-1423-y). Its input is
``(1, 3, H, W)`` float32, H and W multiples of the largest stride: (level 0–255 − mean) / std. One whose layout is
``pixels`` takes the levels themselves, ``(1, H, W, 3)`` uint8. For each stride S, with a cell for every S×S px, row by
row, it has four outputs, float32:

==============  =================  ============================================================================
``cls_S``       ``(1, cells, 1)``  probability that it is a face, 0–1
``obj_S``       ``(1, cells, 1)``  probability that something is there, 0–1; the score is √(cls × obj)
``bbox_S``      ``(1, cells, 4)``  centre's offset from the cell's corner in S px (x, y), logarithm of size / S (w, h)
``kps_S``       ``(1, cells, 10)`` five points' offsets from the cell's corner in S px, x and y in turn: right eye,
                                   left eye, nose, right and left mouth corner (the person's right)
==============  =================  ============================================================================

:class:`DetectorSpec` stands as JSON under the same key, ``fervid.spec``, as an expression network's; ``task`` tells
them apart.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, get_args

from fervid.errors import ContractError
from fervid.models.spec import SPEC_KEY, check_values, find_task, is_finite

TASK: Final = "detection"
"""What ``task`` of the spec says."""

INPUT: Final = "image"
"""Name that training gives to the network's input."""

ColourOrder = Literal["RGB", "BGR"]

Layout = Literal["planes", "pixels"]


def output_names(strides: Sequence[int]) -> list[str]:
    """Names of the network's outputs: all classes, then objectness, boxes and points."""
    return [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in strides]


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """The contract between a face detector and whoever runs it.

    Attributes:
        name: the detector's name.
        version: of the weights.
        colour_order: of the input's three channels.
        mean: level (0–255) that becomes 0, all channels alike.
        std: levels that become 1.
        score_threshold: detections of a lower score are left out unless asked for.
        overlap_threshold: of two detections that overlap more than this (IoU), the better stays.
        smallest_face: height of the smallest face box that is found well when a picture is read as it is, px.
        largest_face: height of the largest, px; larger faces are found in a reduced picture.
        framing: square of FER2013's framing around a box: its side as a share of the box's height, and how far its
            centre lies to the right of and below the box's, as shares of the side.
        training_data: what it was trained on, in words.
        licence: of the weights, an SPDX identifier or other words; "not stated" when their recipe says none.
        recipe: the recipe it was trained with, in words or as a path of the project.
        strides: of the grids, px, rising.
        layout: of the input: ``planes``, one colour after the other, float32; or ``pixels`` as they are, uint8.
    """

    name: str
    version: str
    colour_order: ColourOrder
    mean: float
    std: float
    score_threshold: float
    overlap_threshold: float
    smallest_face: float
    largest_face: float
    framing: tuple[float, float, float]
    training_data: str
    licence: str
    recipe: str
    strides: tuple[int, ...] = (8, 16, 32)
    layout: Layout = "planes"

    def __post_init__(self) -> None:
        check_values(self)
        if self.colour_order not in get_args(ColourOrder):
            raise ContractError(f"{self.name}: unknown colour order {self.colour_order!r}", advice="Update fervid.")
        if self.layout not in get_args(Layout):
            raise ContractError(f"{self.name}: unknown layout {self.layout!r}", advice="Update fervid.")
        if self.layout == "pixels" and (self.mean, self.std) != (0, 1):
            raise ContractError(f"{self.name}: pixels are levels as they are, not of mean {self.mean}, std {self.std}")
        whole = {stride for stride in self.strides if type(stride) is int and stride >= 1}
        if not self.strides or list(self.strides) != sorted(whole):
            raise ContractError(f"{self.name}: the strides are {self.strides}, not rising from 1 px or more")
        if any(self.strides[-1] % stride for stride in self.strides):
            raise ContractError(f"{self.name}: the strides {self.strides} do not divide the last of them")
        if len(self.framing) != 3 or not all(is_finite(number) for number in self.framing):
            raise ContractError(f"{self.name}: the framing is {self.framing}, not three finite numbers")
        if not (self.std > 0 and self.framing[0] > 0 and 0 < self.smallest_face < self.largest_face):
            raise ContractError(f"{self.name}: the std, the framing or a size is not positive, or sizes do not rise")
        for what, share in (("score", self.score_threshold), ("overlap", self.overlap_threshold)):
            if not 0 <= share <= 1:
                raise ContractError(f"{self.name}: the {what} threshold is {share}, not between 0 and 1")

    @property
    def outputs(self) -> list[str]:
        """Names of the network's outputs, see :func:`output_names`."""
        return output_names(self.strides)

    def to_metadata(self) -> dict[str, str]:
        """The ONNX metadata that :meth:`from_metadata` reads back."""
        return {SPEC_KEY: json.dumps({"task": TASK, **dataclasses.asdict(self)}, ensure_ascii=False)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], name: str) -> Self:
        """Read the spec of a file; ``name`` stands for it in errors.

        Raises:
            ContractError: the file carries no spec, one of another task, or one that this version does not understand.
        """
        task = find_task(metadata)
        if task is None:
            raise ContractError(
                f"{name} carries no {SPEC_KEY}", advice="Use a detector exported by fervid train, or a bundled one."
            )
        if task != TASK:
            raise ContractError(
                f"{name} is no face detector; its task is {task}", advice="fervid models list shows the detectors."
            )
        try:
            table: dict[str, Any] = json.loads(metadata[SPEC_KEY])
            del table["task"]
            table["strides"], table["framing"] = tuple(table["strides"]), tuple(table["framing"])
            return cls(**table)
        except (ValueError, TypeError, KeyError) as error:
            raise ContractError(f"{name} carries a damaged {SPEC_KEY} ({error})", advice="Export it again.") from None
