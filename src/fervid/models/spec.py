"""What a network needs to be used, carried inside its ONNX file.

The metadata of the file has two keys: ``fervid.spec`` (the JSON of :class:`ModelSpec`) and ``fervid.layers`` (the JSON
list of :class:`Layer`). Training writes them; Python, the browser and the model cards read them; nothing is guessed
from a file name.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS
from fervid.errors import ContractError

SPEC_KEY: Final = "fervid.spec"
LAYERS_KEY: Final = "fervid.layers"
KERNEL: Final = "triangle"
"""The one resize kernel, :func:`fervid.imaging.crop_resize`."""

TASK: Final = "expression"
"""Task of a spec that names none; :mod:`fervid.models.detectorspec` has the other."""

INPUT: Final = "faces"
"""Name of the network's input, ``(N, 1, S, S)`` float32: (grey level − mean) / std."""

LOGIT_OUTPUTS: Final = ("emotion_logits", "vote_logits")
"""Names of the label head's and the votes head's outputs, ``(N, labels)`` and ``(N, 8)`` float32."""

EVIDENCE_OUTPUTS: Final = ("emotion_evidence", "vote_evidence")
"""Names of the class activation maps, ``(N, labels, h, w)`` and ``(N, 8, h, w)`` float32.

The mean of a map is the logit, so a map says what each place of the face adds to it (Zhou et al. 2016,
arXiv:1512.04150). Models exported by others may lack them; then their answers cannot be explained.
"""


def find_task(metadata: Mapping[str, str]) -> str | None:
    """What the network of a file is for: ``expression`` or ``detection``; None when the file carries no spec."""
    text = metadata.get(SPEC_KEY)
    if text is None:
        return None
    try:
        table = json.loads(text)
    except ValueError:
        return TASK  # damaged; reading it will say so
    return str(table.get("task", TASK)) if isinstance(table, dict) else TASK


def check_values(spec: Any) -> None:
    """Look whether the texts of a spec are texts and its numbers finite, which JSON that was made by hand may miss.

    Args:
        spec: a dataclass; fields that are neither ``str``, ``float`` nor ``int`` are left to itself.

    Raises:
        ContractError: one is not; the field ``name`` stands for the spec.
    """
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        if field.type == "str" and not isinstance(value, str):
            raise ContractError(f"{spec.name}: the {field.name} is {value!r}, not a text")
        if field.type in ("float", "int") and not is_finite(value):
            raise ContractError(f"{spec.name}: the {field.name} is {value!r}, not a finite number")
        if field.type == "int" and not isinstance(value, int):
            raise ContractError(f"{spec.name}: the {field.name} is {value!r}, not a whole number")


def is_finite(value: object) -> bool:
    """Whether it is a number that a float can hold; JSON has infinity, and integers beyond any float."""
    largest = sys.float_info.max
    return isinstance(value, int | float) and not isinstance(value, bool) and -largest <= value <= largest


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The contract between an expression network and whoever runs it.

    Attributes:
        name: the model's name.
        version: of the weights.
        labels: what ``emotion_logits`` stand for, in order.
        vote_labels: what ``vote_logits`` stand for, in order.
        size: input side S, px.
        crop: share of the face's square (FER2013's framing) that is shown to the network.
        kernel: how the crop is resized.
        mean: grey level (0–255) that becomes 0.
        std: grey levels that become 1.
        temperature: by which ``emotion_logits`` are divided before the softmax.
        votes_temperature: the same for ``vote_logits``.
        blend: share of the votes head in the answer; the label head has the rest.
        threshold: confidence of the answer below which it is "uncertain".
        training_data: what it was trained on, in words.
        licence: of the weights, an SPDX identifier or other words; "not stated" when their recipe says none.
        recipe: the recipe it was trained with, in words or as a path of the project.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    size: int
    crop: float
    mean: float
    std: float
    temperature: float
    votes_temperature: float
    threshold: float
    training_data: str
    licence: str
    recipe: str
    blend: float = 0.0
    vote_labels: tuple[str, ...] = VOTE_LABELS
    kernel: str = KERNEL

    def __post_init__(self) -> None:
        check_values(self)
        if self.labels not in (EMOTIONS, EMOTIONS_WITHOUT_DISGUST) or self.vote_labels != VOTE_LABELS:
            raise ContractError(f"{self.name}: unknown labels {self.labels} / {self.vote_labels}")
        if self.kernel != KERNEL:
            raise ContractError(f"{self.name}: unknown resize kernel {self.kernel!r}", advice="Update fervid.")
        if not (self.size > 0 and self.crop > 0 and self.std > 0 and self.temperature > 0 < self.votes_temperature):
            raise ContractError(f"{self.name}: a size, crop, std or temperature is not positive")
        for what, share in (("threshold", self.threshold), ("blend", self.blend)):
            if not 0 <= share <= 1:
                raise ContractError(f"{self.name}: the {what} is {share}, not between 0 and 1")

    def to_metadata(self) -> dict[str, str]:
        """The ONNX metadata that :meth:`from_metadata` reads back."""
        return {SPEC_KEY: json.dumps(dataclasses.asdict(self), ensure_ascii=False)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], name: str) -> Self:
        """Read the spec of a file; ``name`` stands for it in errors.

        Raises:
            ContractError: the file carries no spec, one of another task, or one that this version does not understand.
        """
        text = metadata.get(SPEC_KEY)
        if text is None:
            raise ContractError(
                f"{name} carries no {SPEC_KEY}", advice="Use a model exported by fervid train, or a bundled one."
            )
        task = find_task(metadata)
        if task != TASK:
            raise ContractError(
                f"{name} is no expression network; its task is {task}",
                advice="fervid models list shows what is what; a detector's file goes to detector or --detector.",
            )
        try:
            table = json.loads(text)
            table["labels"], table["vote_labels"] = tuple(table["labels"]), tuple(table["vote_labels"])
            return cls(**table)
        except (ValueError, TypeError, KeyError) as error:
            raise ContractError(f"{name} carries a damaged {SPEC_KEY} ({error})", advice="Export it again.") from None


@dataclass(frozen=True, slots=True)
class Layer:
    """One operation of the network, for a batch of one face.

    Attributes:
        name: where it stands in the network.
        operation: ONNX operator, with kernel and stride where it has them.
        output: shape of what it gives, without the batch axis.
        parameters: weights it holds.
        flops: multiplications and additions (2 per multiply-add).
    """

    name: str
    operation: str
    output: tuple[int, ...]
    parameters: int
    flops: int


def layers_to_metadata(layers: list[Layer]) -> dict[str, str]:
    """The ONNX metadata that :func:`layers_from_metadata` reads back."""
    return {LAYERS_KEY: json.dumps([dataclasses.astuple(layer) for layer in layers])}


def layers_from_metadata(metadata: Mapping[str, str]) -> list[Layer]:
    """The layer table of a file; empty when it carries none.

    Raises:
        ContractError: it is damaged.
    """
    try:
        rows = json.loads(metadata.get(LAYERS_KEY, "[]"))
        return [_read_layer(name, op, tuple(shape), weights, flops) for name, op, shape, weights, flops in rows]
    except (ValueError, TypeError) as error:
        raise ContractError(f"the model carries a damaged {LAYERS_KEY} ({error})", advice="Export it again.") from None


def _read_layer(name: Any, operation: Any, output: tuple[Any, ...], parameters: Any, flops: Any) -> Layer:
    """A row of the table. Raises ValueError when it is not made of texts and of counts that 64 bits can hold."""
    counts = (*output, parameters, flops)
    if not all(isinstance(text, str) for text in (name, operation)):
        raise ValueError(f"the layer {name!r} has the operation {operation!r}: not texts")
    if not all(type(count) is int and 0 <= count < 2**63 for count in counts):
        raise ValueError(f"the layer {name!r} has the counts {counts}")
    return Layer(name, operation, output, parameters, flops)
