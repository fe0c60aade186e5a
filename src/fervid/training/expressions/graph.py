"""The network as an ONNX graph, and the graph as a table of layers.

The graph is built by hand (:mod:`fervid.training.onnxgraph`). What may go wrong in such a translation is what
:func:`.export.check_parity` looks for.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from fervid.errors import ModelError
from fervid.models.spec import EVIDENCE_OUTPUTS, INPUT, LOGIT_OUTPUTS, Layer, ModelSpec, layers_to_metadata
from fervid.training.expressions.network import ExpressionNetwork, MirroredNetwork, ResidualBlock, SqueezeExcitation
from fervid.training.onnxgraph import BATCH_AXIS, IR_VERSION, OPSET, FloatPrecision, Graph

HEADS: Final = ("emotion_head", "vote_head")
"""Names of the last convolutions, which give the evidence maps."""


def build_model(
    folded: ExpressionNetwork | MirroredNetwork, spec: ModelSpec, *, precision: FloatPrecision, producer: str
) -> onnx.ModelProto:
    """The ONNX model of a network without norms, checked, with spec and layer table in its metadata.

    Args:
        folded: from :func:`fold_norms`, and :func:`round_weights` when it is to be stored as float16.
        spec: of the network, calibrated.
        precision: how the weights are stored. ``float16`` halves the file; a Cast turns them back into float32, which
            ONNX Runtime does once, when it loads the file. All arithmetic is in float32.
        producer: version of fervid.
    """
    graph = Graph(precision)
    network = folded.network if isinstance(folded, MirroredNetwork) else folded
    mirror = network is not folded
    note = " Each face is read with its mirror image." if mirror else ""
    _add_network(graph, network, mirror=mirror)
    side, heads = spec.size, (len(spec.labels), len(spec.vote_labels))
    with torch.inference_mode():
        plane = network.blocks(network.stem(torch.zeros(1, 1, side, side))).shape[-1]
    value = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            spec.name,
            [value(INPUT, TensorProto.FLOAT, [BATCH_AXIS, 1, side, side])],
            [
                *(
                    value(name, TensorProto.FLOAT, [BATCH_AXIS, n])
                    for name, n in zip(LOGIT_OUTPUTS, heads, strict=True)
                ),
                *(
                    value(name, TensorProto.FLOAT, [BATCH_AXIS, n, plane, plane])
                    for name, n in zip(EVIDENCE_OUTPUTS, heads, strict=True)
                ),
            ],
            graph.initializers,
            doc_string=f"Facial expression of one grey face each: {INPUT} is (N, 1, {side}, {side}) float32, "
            f"(grey level − {spec.mean:g}) / {spec.std:g}; {LOGIT_OUTPUTS[0]} are {', '.join(spec.labels)}; "
            f"{LOGIT_OUTPUTS[1]} are {', '.join(spec.vote_labels)}; the mean of an evidence map is its logit.{note}",
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
    helper.set_model_props(model, spec.to_metadata() | layers_to_metadata(tabulate_layers(model)))
    onnx.checker.check_model(model, full_check=True)
    return model


def tabulate_layers(model: onnx.ModelProto) -> list[Layer]:
    """One row per operation for a batch of one: shape, parameters, floating-point operations.

    An activation shares the row of the operation it follows. Casts of stored weights are no rows. Counted are additions
    and multiplications: 2 per multiply-add of a convolution or a matrix product, 1 per element of a sum or product, 1
    per averaged value of a pooling; activations count as 0.
    """
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    shapes = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim[1:]) for v in values}
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer if tensor.data_type in floats}
    images = {INPUT: 1}  # that a tensor holds of a face: two where its mirror image is read too
    rows: dict[str, Layer] = {}  # by the name of what the operation gives
    for node in graph.node:
        output, known = node.output[0], [images[name] for name in node.input if name in images]
        count = sum(known) if node.op_type == "Concat" else 1 if node.op_type == "Split" else max(known, default=0)
        images |= dict.fromkeys(node.output, count)
        if node.op_type == "Cast" and node.input[0] in weights:
            weights[output] = weights[node.input[0]]
        elif node.op_type in ("Relu", "Sigmoid"):
            before = rows.pop(node.input[0])
            rows[output] = replace(before, operation=f"{before.operation} + {node.op_type}")
        else:
            held = [weights[name] for name in node.input if name in weights]
            rows[output] = Layer(
                node.name,
                _describe(node),
                shapes[output],
                sum(prod(shape) for shape in held),
                count * _count_operations(node, shapes[output], shapes.get(node.input[0], ()), held),
            )
    return list(rows.values())


def _add_network(graph: Graph, network: ExpressionNetwork, *, mirror: bool) -> None:
    """The graph of :class:`.network.ExpressionNetwork` without norms, dropout and stochastic depth.

    With ``mirror`` that of :class:`.network.MirroredNetwork`: a batch of N faces is followed by their N mirror images,
    and of the two evidence maps of a face the second is turned back.
    """
    x = graph.add("Concat", "mirror", [INPUT, _flip(graph, "mirror.flip", INPUT)], axis=0) if mirror else INPUT
    convolutions = [module for module in network.stem if isinstance(module, nn.Conv2d)]
    for number, module in enumerate(convolutions, start=1):
        x = graph.relu(f"stem.conv{number}", graph.conv(f"stem.conv{number}", module, x))
    for number, block in enumerate(network.blocks):
        if not isinstance(block, ResidualBlock):
            raise ModelError(f"block {number} is {type(block).__name__}, which the exporter does not know")
        x = _add_block(graph, f"blocks.{number}", block, x)
    heads = (network.emotion_head, network.vote_head)
    for name, head, logits, evidence in zip(HEADS, heads, LOGIT_OUTPUTS, EVIDENCE_OUTPUTS, strict=True):
        if mirror:
            both = graph.pointwise(name, head, x, f"{name}.output")
            plain, mirrored = graph.split(f"{name}.split", both, 2)
            graph.add("Mean", f"{name}.mean", [plain, _flip(graph, f"{name}.flip", mirrored)], evidence)
        else:
            graph.pointwise(name, head, x, evidence)
        graph.add("Flatten", f"{name}.flatten", [graph.add("GlobalAveragePool", f"{name}.pool", [evidence])], logits)


def _flip(graph: Graph, name: str, x: str) -> str:
    """Left and right exchanged."""
    values = {"starts": -1, "ends": np.iinfo(np.int64).min, "axes": 3, "steps": -1}
    bounds = [graph.constant(f"{name}.{key}", np.array([value])) for key, value in values.items()]
    return graph.add("Slice", name, [x, *bounds])


def _add_block(graph: Graph, name: str, block: ResidualBlock, x: str) -> str:
    y = graph.relu(f"{name}.conv1", graph.conv(f"{name}.conv1", block.conv1, x))
    y = graph.conv(f"{name}.conv2", block.conv2, y)
    if isinstance(block.attention, SqueezeExcitation):
        y = _add_attention(graph, f"{name}.attention", block.attention, y)
    if isinstance(block.shortcut, nn.Sequential):
        pool, convolution, _ = block.shortcut
        halving: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}  # ceil_mode as in torch
        if isinstance(pool, nn.AvgPool2d):
            x = graph.add("AveragePool", f"{name}.shortcut.pool", [x], **halving, count_include_pad=0)
        elif isinstance(pool, nn.MaxPool2d):
            x = graph.add("MaxPool", f"{name}.shortcut.pool", [x], **halving)
        elif not isinstance(pool, nn.Identity):
            raise ModelError(f"{name}.shortcut.pool is {pool}, which the exporter does not know")
        x = graph.conv(f"{name}.shortcut.conv", convolution, x)
    return graph.relu(f"{name}.sum", graph.add("Add", f"{name}.sum", [x, y]))


def _add_attention(graph: Graph, name: str, attention: SqueezeExcitation, x: str) -> str:
    gate = graph.add("GlobalAveragePool", f"{name}.pool", [x])
    gate = graph.relu(f"{name}.reduce", graph.conv(f"{name}.reduce", attention.reduce, gate))
    gate = graph.add("Sigmoid", f"{name}.expand.sigmoid", [graph.conv(f"{name}.expand", attention.expand, gate)])
    return graph.add("Mul", f"{name}.scale", [x, gate])


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _describe(node: onnx.NodeProto) -> str:
    attributes = _attributes(node)
    kernel, strides = attributes.get("kernel_shape", []), attributes.get("strides", [1])
    text = f"{node.op_type} {'×'.join(map(str, kernel))}".rstrip()
    return f"{text} /{strides[0]}" if strides[0] > 1 else text


def _count_operations(
    node: onnx.NodeProto, output: tuple[int, ...], first_input: tuple[int, ...], weights: list[tuple[int, ...]]
) -> int:
    match node.op_type:
        case "Conv":
            return 2 * prod(output) * prod(weights[0][1:])
        case "GlobalAveragePool":
            return prod(first_input)
        case "AveragePool":
            return prod(output) * int(prod(_attributes(node)["kernel_shape"]))
        case "Add" | "Mul":
            return prod(output)
        case "Mean":
            return len(node.input) * prod(output)
        case "Flatten" | "MaxPool" | "Slice" | "Concat" | "Split":  # comparisons are neither additions nor products
            return 0
        case other:
            raise ModelError(f"the layer table does not know {other}")
