"""The detector's network in 8-bit integers, from the picture's bytes to the heads; see :mod:`..quantisation`.

Its input is the picture as it lies in memory, ``(N, H, W, 3)`` uint8, whose levels are the first convolution's integers
as they are. What ONNX Runtime makes of the graph keeps the channels of a pixel side by side throughout, so that nothing
is converted or moved on the way. Three parts are put otherwise than the network has them, with the same results:

- The first convolution, of three channels, would take as long as the two largest together. Four neighbouring pixels of
  a row are one of twelve channels, and two neighbouring cells of its output are one of twice the channels.
- A plane is enlarged by writing it twice, along its rows and then row by row; the runtime's own Resize of uint8 takes
  five times as long.
- The heads are products of matrices whose rows are the cells, which is the order that the outputs have. They stay in
  floating point, so that boxes and points are not rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import nn

from fervid.errors import ModelError
from fervid.models.detectorspec import INPUT, DetectorSpec
from fervid.training.detection.graph import PARTS, DetectorGraph, assemble_model
from fervid.training.detection.network import DetectionNetwork
from fervid.training.onnxgraph import BATCH_AXIS
from fervid.training.quantisation import (
    STEPS,
    Range,
    measure_ranges,
    quantise_activation,
    quantise_weights,
    restore_activation,
)

GROUP: Final = 4
"""Pixels of a row that the first convolution reads as one; a picture's width is a multiple."""

READERS: Final = frozenset({"Conv", "Add", "Resize"})
"""Operators that take rounded activations."""

TO_ROWS: Final = (0, 2, 3, 1)
"""From planes to pixels with their channels side by side."""

TO_PLANES: Final = (0, 3, 1, 2)
"""And back."""


def build_integer_model(
    folded: DetectionNetwork,
    model: onnx.ModelProto,
    spec: DetectorSpec,
    pictures: Sequence[NDArray[np.float32]],
    *,
    producer: str,
) -> onnx.ModelProto:
    """The ONNX model of a network that computes in integers, checked, with its spec in its metadata.

    Args:
        folded: from :func:`.graph.fold_network`.
        model: of the same network in floating point, from :func:`.graph.build_model`.
        spec: what the file says of itself; the layout of its input is ``pixels``.
        pictures: ``(1, 3, H, W)`` float32 each, on which the activations' ranges are measured; a hundred will do.
        producer: version of fervid.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    read = {name for node in model.graph.node if node.op_type in READERS for name in node.input}
    ranges = measure_ranges(model, pictures, read - weights - {INPUT, ""})
    return assemble_model(IntegerGraph(ranges), folded, spec, producer=producer)


class IntegerGraph(DetectorGraph):
    """A graph in integers, as its nodes are added. Activations are rounded where the next operation reads them.

    Args:
        ranges: of the activations, by their names in the graph in floating point.
    """

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        super().__init__("float32")
        self._ranges = {**ranges, INPUT: Range(0.0, float(STEPS))}
        self._sources = {INPUT: INPUT}  # of activations: whose range they have
        self._rounded = {INPUT: INPUT}  # and what holds their integers, as planes
        self._restored: dict[str, str] = {}
        self._grouped: dict[str, int] = {}  # channels of a column, where columns are side by side
        self.constant(f"{INPUT}.scale", np.asarray(self._ranges[INPUT].scale))
        self.constant(f"{INPUT}.zero", np.asarray(self._ranges[INPUT].zero))
        self.constant("pixels", np.array([0, 0, -1, 3 * GROUP], dtype=np.int64))
        self.constant("line", np.array([0, 0, -1], dtype=np.int64))

    def describe_input(self) -> tuple[onnx.ValueInfoProto, str]:
        value = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [BATCH_AXIS, "H", "W", 3])
        return value, "(N, H, W, 3) uint8"

    def conv(self, name: str, module: nn.Module, x: str) -> str:
        if not isinstance(module, nn.Conv2d) or module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise ModelError(f"{name} is {module}, which the exporter does not know")
        kernel = module.weight.detach().numpy()
        offset = np.zeros(len(kernel), dtype=np.float32) if module.bias is None else module.bias.detach().numpy()
        rows, columns = module.padding
        strides, pads = list(module.stride), [rows, columns, rows, columns]
        if x == INPUT:
            if (module.kernel_size, module.stride, module.padding) != ((3, 3), (2, 2), (1, 1)):
                raise ModelError(f"the network begins with {module}, which the exporter does not know")
            pixels = self.add("Reshape", f"{INPUT}.groups", [INPUT, "pixels"])
            self._rounded[INPUT] = self.add("Transpose", f"{INPUT}.planes", [pixels], perm=TO_PLANES)
            kernel, offset = group_columns(kernel), np.tile(offset, GROUP // 2)
            strides, pads = [2, 1], [1, 1, 1, 0]
            self._grouped[f"{name}.output"] = module.out_channels
        restored = self._restore(x)
        weight, bias = f"{name}.weight", f"{name}.bias"
        quantise_weights(self, weight, bias, kernel, offset, scale=self._ranges[self._sources[x]].scale)
        return self.add(
            "Conv",
            name,
            [restored, weight, bias],
            kernel_shape=list(kernel.shape[2:]),
            strides=strides,
            dilations=list(module.dilation),
            group=module.groups,
            pads=pads,
        )

    def relu(self, name: str, x: str) -> str:
        result = super().relu(name, x)
        if x in self._grouped:
            self._grouped[result] = self._grouped[x]
        return result

    def sum(self, name: str, x: str, y: str) -> str:
        return self.add("Add", name, [self._restore(x), self._restore(y)])

    def add_enlarged(self, stride: int, x: str, above: str) -> str:
        name, result = f"enlarge{stride}", f"enlarge{stride}.output"
        rows = self.add("Transpose", f"{name}.rows", [self._round(above)], perm=TO_ROWS)
        lines = self.add("Reshape", f"{name}.lines", [self.add("Concat", f"{name}.wide", [rows] * 2, axis=3), "line"])
        twice = self.add("Concat", f"{name}.high", [lines] * 2, axis=2)
        wanted = self.add("Transpose", f"{name}.like", [self._round(x)], perm=TO_ROWS)
        pixels = self.add("Reshape", f"{name}.pixels", [twice, self.add("Shape", f"{name}.shape", [wanted])])
        self._rounded[result] = self.add("Transpose", name, [pixels], result, perm=TO_PLANES)
        self._sources[result] = self._sources[above]
        return self.sum(f"sum{stride}", x, result)

    def answer(self, stride: int, parts: Sequence[tuple[nn.Module, str]]) -> None:
        (head, x), *points = parts
        self.split_numbers(stride, self._multiply(f"head{stride}", head, x), len(PARTS) - len(points))
        for module, y in points:
            self._multiply(f"landmarks{stride}", module, y, f"kps_{stride}")

    def _multiply(self, name: str, module: nn.Module, x: str, output: str = "") -> str:
        """A 1×1 convolution as a product of matrices: ``(N, cells, outputs)``."""
        if not isinstance(module, nn.Conv2d) or module.kernel_size != (1, 1) or module.bias is None:
            raise ModelError(f"{name} is {module}, which the exporter does not know")
        with torch.no_grad():
            matrix = module.weight[:, :, 0, 0].T.contiguous().numpy()
        shape = self.constant(f"{name}.shape", np.array([0, -1, len(matrix)], dtype=np.int64))
        rows = self.add("Transpose", f"{name}.rows", [self._round(x)], perm=TO_ROWS)
        cells = self.add("Reshape", f"{name}.cells", [rows, shape])
        restored = restore_activation(self, self._sources[x], cells)
        product = self.add("MatMul", f"{name}.product", [restored, self.constant(f"{name}.weight", matrix)])
        return self.add("Add", name, [product, self.constant(f"{name}.bias", module.bias.detach().numpy())], output)

    def _restore(self, x: str) -> str:
        """An activation as a convolution or a sum reads it."""
        if x not in self._restored:
            self._restored[x] = restore_activation(self, self._sources.get(x, x), self._round(x))
        return self._restored[x]

    def _round(self, x: str) -> str:
        """What holds the integers of an activation, as planes."""
        if x not in self._rounded:
            rounded = quantise_activation(self, x, self._ranges[x])
            if x in self._grouped:
                rounded = self._separate(x, rounded)
            self._rounded[x], self._sources[x] = rounded, x
        return self._rounded[x]

    def _separate(self, name: str, rounded: str) -> str:
        """Planes whose channels are those of neighbouring columns, as planes of one column each."""
        shape = self.constant(f"{name}.shape", np.array([0, 0, -1, self._grouped[name]], dtype=np.int64))
        rows = self.add("Transpose", f"{name}.rows", [rounded], perm=TO_ROWS)
        pixels = self.add("Reshape", f"{name}.pixels", [rows, shape])
        return self.add("Transpose", f"{name}.planes", [pixels], perm=TO_PLANES)


def group_columns(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The kernel that does to groups of columns what a 3×3 one of stride 2 does to columns.

    Args:
        kernel: ``(O, I, 3, 3)``.

    Returns:
        ``(GROUP / 2 · O, GROUP · I, 3, 2)``: of each row a group and the one before it. Channels of a group are those
        of one column after another.
    """
    outputs, inputs = kernel.shape[:2]
    grouped = np.zeros((GROUP // 2, outputs, GROUP, inputs, 3, 2), dtype=np.float32)
    for column in range(GROUP // 2):
        for x in range(3):
            group, place = divmod(2 * column + x - 1 + GROUP, GROUP)
            grouped[column, :, place, :, :, group] = kernel[:, :, :, x]
    return grouped.reshape(GROUP // 2 * outputs, GROUP * inputs, 3, 2)
