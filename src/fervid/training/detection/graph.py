"""The detector's network as an ONNX graph that takes pictures of any size."""

from __future__ import annotations

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

    Its :attr:`levels` is 1; it differs from the network by rounding alone.
    """
    folded = fold_norms(network)
    first = folded.stage8.down2
    if not isinstance(first, Convolution):
        raise ModelError(f"the network begins with {type(first).__name__}, which the exporter does not know")
    with torch.no_grad():
        first.conv.weight.div_(LEVELS)
    folded.levels = 1.0
    return folded


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
    graph = Graph(precision)
    _add_network(graph, folded)
    value = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            spec.name,
            [value(INPUT, TensorProto.FLOAT, [BATCH_AXIS, 3, "H", "W"])],
            [
                value(f"{kind}_{stride}", TensorProto.FLOAT, [BATCH_AXIS, f"cells_{stride}", size])
                for kind, size in PARTS
                for stride in STRIDES
            ],
            graph.initializers,
            doc_string=f"Faces in a picture: {INPUT} is (N, 3, H, W) float32 {spec.colour_order} of 0–255, H and W "
            f"multiples of {STRIDES[-1]}. For each stride S: class, objectness, box and points of every cell of S px, "
            "row by row, in YuNet's layout.",
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fervid",
        producer_version=producer,
        domain="fervid",
        model_version=1,
        doc_string=f"{spec.name} {spec.version}, {spec.licence}. Trained on {spec.training_data}. {spec.recipe}.",
    )
    helper.set_model_props(model, spec.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    return model


def _add_network(graph: Graph, network: DetectionNetwork) -> None:
    planes, x = [], INPUT
    for stride, stage in zip(STRIDES, (network.stage8, network.stage16, network.stage32), strict=True):
        for name, block in stage.named_children():
            x = _add_block(graph, f"stage{stride}.{name}", block, x)
        planes.append(x)
    planes[0] = graph.conv("lateral8", network.lateral8, planes[0])
    scales = graph.constant("twice", np.array([1, 1, 2, 2], dtype=np.float32))
    shape = graph.constant("rows", np.array([0, OUTPUTS, -1], dtype=np.int64))
    sizes = graph.constant("parts", np.array([size for _, size in PARTS], dtype=np.int64))
    above = ""
    for level in reversed(range(len(STRIDES))):
        stride, plane = STRIDES[level], planes[level]
        if above:
            options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            larger = graph.add("Resize", f"enlarge{stride}", [above, "", scales], **options)
            plane = graph.add("Add", f"sum{stride}", [plane, larger])
        above = _add_block(graph, f"smooth{stride}", network.smooth[level], plane)
        numbers = graph.conv(f"head{stride}", network.heads[level], above)
        if network.branches is not None and network.landmark_heads is not None:
            y = above
            for number, block in enumerate(network.branches[level].children()):
                y = _add_block(graph, f"landmarks{stride}.{number}", block, y)
            points = graph.conv(f"landmarks{stride}", network.landmark_heads[level], y)
            numbers = graph.add("Concat", f"numbers{stride}", [numbers, points], axis=1)
        flat = graph.add("Reshape", f"flatten{stride}", [numbers, shape])
        rows = graph.add("Transpose", f"transpose{stride}", [flat], perm=[0, 2, 1])
        names = [f"head{stride}.cls", f"head{stride}.obj", f"bbox_{stride}", f"kps_{stride}"]
        graph.nodes.append(helper.make_node("Split", [rows, sizes], names, name=f"split{stride}", axis=2))
        for kind in ("cls", "obj"):
            graph.add("Sigmoid", f"{kind}{stride}.sigmoid", [f"head{stride}.{kind}"], f"{kind}_{stride}")


def _add_block(graph: Graph, name: str, block: nn.Module, x: str) -> str:
    if isinstance(block, Convolution):
        y = graph.relu(name, graph.conv(name, block.conv, x))
    elif isinstance(block, SeparableConvolution):
        y = graph.conv(f"{name}.pointwise", block.pointwise, x)
        y = graph.relu(name, graph.conv(f"{name}.depthwise", block.depthwise, y))
    else:
        raise ModelError(f"{name} is {type(block).__name__}, which the exporter does not know")
    return graph.add("Add", f"{name}.sum", [x, y]) if block.residual else y
