"""An expression network in 8-bit integers, calibrated on faces; :mod:`fervid.training.quantisation` says how.

A face is rounded to whole grey levels first: what it began as, but for resizing, which no two processors do alike to
the last bit. From there to the heads all sums are of integers, so Python and browsers see the same face. In floating
point stay the heads, so that logits and evidence are not rounded.
"""

from __future__ import annotations

import copy
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from fervid.models.spec import INPUT, LOGIT_OUTPUTS, ModelSpec
from fervid.training.expressions.graph import HEADS
from fervid.training.onnxgraph import Graph
from fervid.training.quantisation import (
    STEPS,
    Range,
    measure_ranges,
    open_session,
    quantise_activation,
    quantise_weights,
    restore_activation,
)

OPERATORS: Final = frozenset({"Conv", "Add", "Mul", "Sigmoid", "AveragePool", "MaxPool", "GlobalAveragePool"})
"""Those that are computed in integers. A Relu is the lower end of the range of what it gives."""

BATCH: Final = 64

Logits = tuple[NDArray[np.float64], NDArray[np.float64]]


def quantise_model(model: onnx.ModelProto, inputs: NDArray[np.float32], spec: ModelSpec) -> onnx.ModelProto:
    """The same network in 8-bit integers; inputs, outputs and metadata stay what they are.

    Args:
        model: from :func:`.graph.build_model`, stored as float32.
        inputs: ``(N, 1, S, S)`` float32 faces on which the activations' ranges are measured; a few hundred will do.
        spec: the model's, which says how grey levels become inputs.

    Returns:
        The model, checked. The same model, faces and version of ONNX Runtime give the same bytes.
    """
    integer = _find_integer_nodes(model)
    quantised = _find_quantised(model, integer)
    shown = next(node.input[0] for node in model.graph.node if node.op_type == "Conv")  # faces, or faces and mirrored
    batches = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
    ranges = measure_ranges(model, batches, quantised - {shown})
    black = float(np.round(spec.mean))
    ranges[shown] = Range(-black / spec.std, (STEPS - black) / spec.std)  # a step is a grey level
    for node in model.graph.node:
        if node.op_type == "MaxPool" and node.output[0] in ranges:
            ranges[node.output[0]] = ranges[node.input[0]]  # then it compares integers
    graph = _QuantisedGraph(model, ranges)
    if shown == INPUT:
        graph.round(INPUT)
    for node in model.graph.node:
        graph.convert(node, integer=node.name in integer)
    result = copy.deepcopy(model)
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(graph.nodes)
    result.graph.initializer.extend(graph.initializers)
    onnx.checker.check_model(result, full_check=True)
    return result


def run_model(model: onnx.ModelProto, inputs: NDArray[np.float32], *, as_written: bool = False) -> Logits:
    """Both heads' logits by ONNX Runtime, ``(N, labels)`` and ``(N, 8)``.

    Args:
        model: any with the inputs and outputs of :mod:`fervid.models.spec`.
        inputs: ``(N, 1, S, S)`` float32.
        as_written: compute every operator in floating point, as the file says, instead of what the runtime makes of it.
    """
    session = open_session(model, as_written=as_written)
    starts = range(0, len(inputs), BATCH)
    parts = [session.run(list(LOGIT_OUTPUTS), {INPUT: inputs[start : start + BATCH]}) for start in starts]
    emotion_logits, vote_logits = (np.concatenate(head).astype(np.float64) for head in zip(*parts, strict=True))
    return emotion_logits, vote_logits


def _find_integer_nodes(model: onnx.ModelProto) -> set[str]:
    heads = {*HEADS, *(f"{name}.pool" for name in HEADS)}
    return {node.name for node in model.graph.node if node.op_type in OPERATORS} - heads


def _find_quantised(model: onnx.ModelProto, integer: set[str]) -> set[str]:
    """Tensors that integer nodes read or give, behind the Relu where there is one."""
    weights = {tensor.name for tensor in model.graph.initializer}
    rectified = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "Relu"}
    tensors: set[str] = set()
    for node in model.graph.node:
        if node.name in integer:
            tensors |= set(node.input) - weights
            tensors.add(rectified.get(node.output[0], node.output[0]))
    return tensors


class _QuantisedGraph(Graph):
    """The quantised graph, as the float graph's nodes are converted in order."""

    def __init__(self, model: onnx.ModelProto, ranges: dict[str, Range]) -> None:
        super().__init__("float32")
        self._weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._ranges = ranges
        self._replaced: dict[str, str] = {}  # activations by what stands for them

    def round(self, name: str) -> None:
        """From here on an activation is what its integers say."""
        quantise_activation(self, name, self._ranges[name])
        self._replaced[name] = restore_activation(self, name)

    def convert(self, node: onnx.NodeProto, *, integer: bool) -> None:
        node = copy.deepcopy(node)
        weights = [name for name in node.input if name in self._weights]
        if integer and weights:
            (weight, kernel), (bias, offset) = ((name, self._weights[name]) for name in weights)
            quantise_weights(self, weight, bias, kernel, offset, scale=self._ranges[node.input[0]].scale)
        else:
            for name in weights:
                self.constant(name, self._weights[name])
        for position, name in enumerate(node.input):
            node.input[position] = self._replaced.get(name, name)
        self.nodes.append(node)
        for name in node.output:
            if name in self._ranges:
                self.round(name)
