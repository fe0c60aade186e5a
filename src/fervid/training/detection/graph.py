"""The detector's network as an ONNX graph that takes pictures of any size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from fervid.errors import ModelError
from fervid.models.detectorspec import INPUT, DetectorSpec
from fervid.training.detection.network import (
    LEVELS,
    OUTPUTS,
    STRIDES,
    Convolution,
    DetectionNetwork,
    SeparableConvolution,
)
from fervid.training.onnxgraph import BATCH_AXIS, IR_VERSION, OPSET, FloatPrecision, Graph, fold_norms

PARTS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
"""What the sixteen numbers of a cell are, in order, by the names of the file's outputs."""


def fold_network(network: DetectionNetwork) -> DetectionNetwork:
    """A copy in evaluation mode whose norms, and the division of the input, are part of the convolutions.

    Its :attr:`levels` is 1, and it is shortened (:meth:`.network.DetectionNetwork.shorten`); it differs from the
    network by rounding alone.
    """
    folded = fold_norms(network)
    first = folded.stage8.down2
    if not isinstance(first, Convolution):
        raise ModelError(f"the network begins with {type(first).__name__}, which the exporter does not know")
    with torch.no_grad():
        first.conv.weight.div_(LEVELS)
    folded.levels = 1.0
    folded.shorten()
    return folded


class DetectorGraph(Graph):
    """A graph in floating point, as its nodes are added; in and out are as :mod:`fervid.models.detectorspec` says.

    Args:
        precision: how weights are stored.
    """

    def describe_input(self) -> tuple[onnx.ValueInfoProto, str]:
        """The graph's input, and what it is, in words."""
        value = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [BATCH_AXIS, 3, "H", "W"])
        return value, "(N, 3, H, W) float32"

    def sum(self, name: str, x: str, y: str) -> str:
        return self.add("Add", name, [x, y])

    def add_enlarged(self, stride: int, x: str, above: str) -> str:
        """``x`` and what lies above it, twice as wide and high."""
        scales = self.constant(f"enlarge{stride}.scales", np.array([1, 1, 2, 2], dtype=np.float32))
        options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.sum(f"sum{stride}", x, self.add("Resize", f"enlarge{stride}", [above, "", scales], **options))

    def answer(self, stride: int, parts: Sequence[tuple[nn.Module, str]]) -> None:
        """The outputs of one stride.

        Args:
            stride: px of a cell.
            parts: last convolution and what it reads: one that gives all numbers, or the points' apart, last.
        """
        names = (f"head{stride}", f"landmarks{stride}")
        numbers = [self.conv(name, head, x) for name, (head, x) in zip(names, parts, strict=False)]
        joined = numbers[0] if len(numbers) == 1 else self.add("Concat", f"numbers{stride}", numbers, axis=1)
        shape = self.constant(f"flatten{stride}.shape", np.array([0, OUTPUTS, -1], dtype=np.int64))
        flat = self.add("Reshape", f"flatten{stride}", [joined, shape])
        self.split_numbers(stride, self.add("Transpose", f"transpose{stride}", [flat], perm=[0, 2, 1]), len(PARTS))

    def split_numbers(self, stride: int, rows: str, count: int) -> None:
        """Name the outputs that stand side by side in ``rows``, the first ``count``; two become probabilities."""
        sizes = self.constant(f"split{stride}.sizes", np.array([size for _, size in PARTS[:count]], dtype=np.int64))
        names = [f"head{stride}.cls", f"head{stride}.obj", f"bbox_{stride}", f"kps_{stride}"][:count]
        self.nodes.append(helper.make_node("Split", [rows, sizes], names, name=f"split{stride}", axis=2))
        for kind in ("cls", "obj"):
            self.add("Sigmoid", f"{kind}{stride}.sigmoid", [f"head{stride}.{kind}"], f"{kind}_{stride}")


def build_model(
    folded: DetectionNetwork, spec: DetectorSpec, *, precision: FloatPrecision, producer: str
) -> onnx.ModelProto:
    """The ONNX model of a network, checked, with its spec in its metadata.

    Args:
        folded: from :func:`fold_network`, and :func:`fervid.training.onnxgraph.round_weights` when it is to be stored
            as float16.
        spec: what the file says of itself.
        precision: how the weights are stored; all arithmetic is in float32.
        producer: version of fervid.
    """
    return assemble_model(DetectorGraph(precision), folded, spec, producer=producer)


def assemble_model(
    graph: DetectorGraph, folded: DetectionNetwork, spec: DetectorSpec, *, producer: str
) -> onnx.ModelProto:
    """The model of a network in a graph that is still empty, checked, with its spec in its metadata."""
    add_network(graph, folded)
    value, form = graph.describe_input()
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            spec.name,
            [value],
            [
                helper.make_tensor_value_info(
                    f"{kind}_{stride}", TensorProto.FLOAT, [BATCH_AXIS, f"cells_{stride}", size]
                )
                for kind, size in PARTS
                for stride in STRIDES
            ],
            graph.initializers,
            doc_string=f"Faces in a picture: {INPUT} is {form} {spec.colour_order} of 0–255, H and W "
            f"multiples of {STRIDES[-1]}. For each stride S: class, objectness, box and points of every cell of S px, "
            "row by row, in YuNet's layout.",
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fervid",
        producer_version=producer,
        domain="fervid",
        model_version=1,
        doc_string=f"{spec.name} {spec.version}, licence {spec.licence}. Trained on {spec.training_data}. "
        f"{spec.recipe}.",
    )
    helper.set_model_props(model, spec.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    return model


def add_network(graph: DetectorGraph, network: DetectionNetwork) -> None:
    """Add everything between the picture and the outputs."""
    planes, x = [], INPUT
    for stride, stage in zip(STRIDES, (network.stage8, network.stage16, network.stage32), strict=True):
        for name, block in stage.named_children():
            x = _add_block(graph, f"stage{stride}.{name}", block, x)
        planes.append(x)
    planes[0] = graph.conv("lateral8", network.lateral8, planes[0])
    above = ""
    for level in reversed(range(len(STRIDES))):
        stride, plane, block = STRIDES[level], planes[level], network.smooth[level]
        name = f"smooth{stride}"
        if level == 0 and isinstance(block, SeparableConvolution):  # the network is shortened
            plane = graph.add_enlarged(stride, plane, graph.conv(f"{name}.pointwise", block.pointwise, above))
            above = graph.relu(name, graph.conv(f"{name}.depthwise", block.depthwise, plane))
        else:
            above = _add_block(graph, name, block, graph.add_enlarged(stride, plane, above) if above else plane)
        parts = [(network.heads[level], above)]
        if network.branches is not None and network.landmark_heads is not None:
            y = above
            for number, block in enumerate(network.branches[level].children()):
                y = _add_block(graph, f"landmarks{stride}.{number}", block, y)
            parts.append((network.landmark_heads[level], y))
        graph.answer(stride, parts)


def _add_block(graph: DetectorGraph, name: str, block: nn.Module, x: str) -> str:
    if isinstance(block, Convolution):
        y = graph.relu(name, graph.conv(name, block.conv, x))
    elif isinstance(block, SeparableConvolution):
        y = graph.conv(f"{name}.pointwise", block.pointwise, x)
        y = graph.relu(name, graph.conv(f"{name}.depthwise", block.depthwise, y))
    else:
        raise ModelError(f"{name} is {type(block).__name__}, which the exporter does not know")
    return graph.sum(f"{name}.sum", x, y) if block.residual else y
