"""A float32 graph as one of 8-bit integers, calibrated on faces, not trained for it (arXiv:1712.05877).

Activations are uint8 with one scale a tensor, weights int8 with one scale an output channel and no offset, biases
int32. The graph stays one of ordinary operators between QuantizeLinear and DequantizeLinear, which any runtime can
compute in floating point as it stands and ONNX Runtime turns into integer arithmetic when it loads the file.

Weights lie between −64 and 64, not 127: processors without VNNI, and WebAssembly, add two products of an activation and
a weight in 16 bits and cut off what is beyond. 255 × (64 + 64) fits, so every machine gives the same sums.

A face is rounded to whole grey levels first: what it began as, but for resizing, which no two processors do alike to
the last bit. From there to the heads all sums are of integers, so Python and browsers see the same face. In floating
point stay the heads, so that logits and evidence are not rounded.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fervid.models.spec import INPUT, LOGIT_OUTPUTS, ModelSpec
from fervid.training.expressions.graph import HEADS

LEVELS: Final = 64
"""Largest magnitude of a quantised weight."""

STEPS: Final = 255
"""Of a quantised activation, from its lowest value to its highest."""

BINS: Final = 2048
"""Of the histogram from which an activation's range is chosen."""

SHARES: Final = np.linspace(0.3, 1.0, 36)
"""Of the observed extremes, as ends of a range to choose from."""

OPERATORS: Final = frozenset({"Conv", "Add", "Mul", "Sigmoid", "AveragePool", "MaxPool", "GlobalAveragePool"})
"""Those that are computed in integers. A Relu is the lower end of the range of what it gives."""

BATCH: Final = 64

Logits = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Range:
    """The values of an activation that uint8 stands for; those beyond become the nearest end. It holds zero."""

    low: float
    high: float

    @property
    def scale(self) -> np.float32:
        """What one step is worth."""
        return np.float32((self.high - self.low) / STEPS or 1.0)

    @property
    def zero(self) -> np.uint8:
        """The step that stands for zero."""
        return np.uint8(np.clip(np.round(-self.low / self.scale), 0, STEPS))


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
    ranges = measure_ranges(model, inputs, quantised - {shown})
    black = float(np.round(spec.mean))
    ranges[shown] = Range(-black / spec.std, (STEPS - black) / spec.std)  # a step is a grey level
    for node in model.graph.node:
        if node.op_type == "MaxPool" and node.output[0] in ranges:
            ranges[node.output[0]] = ranges[node.input[0]]  # then it compares integers
    graph = _QuantisedGraph(model, ranges)
    if shown == INPUT:
        graph.round_input()
    for node in model.graph.node:
        graph.add(node, integer=node.name in integer)
    result = copy.deepcopy(model)
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(graph.nodes)
    result.graph.initializer.extend(graph.initializers)
    onnx.checker.check_model(result, full_check=True)
    return result


def measure_ranges(model: onnx.ModelProto, inputs: NDArray[np.float32], tensors: Iterable[str]) -> dict[str, Range]:
    """For each tensor the range whose rounding and clipping together cost the least mean squared error."""
    names = sorted(tensors)
    observed = copy.deepcopy(model)
    del observed.graph.output[:]
    observed.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = open_session(observed)
    batches = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
    extremes = dict.fromkeys(names, (0.0, 0.0))
    for batch in batches:
        for name, values in zip(names, session.run(names, {INPUT: batch}), strict=True):
            low, high = extremes[name]
            extremes[name] = min(low, float(values.min())), max(high, float(values.max()))
    counts = {name: np.zeros(BINS, dtype=np.int64) for name in names}
    for batch in batches:
        for name, values in zip(names, session.run(names, {INPUT: batch}), strict=True):
            counts[name] += np.histogram(values, BINS, extremes[name])[0]
    return {name: choose_range(*extremes[name], counts[name]) for name in names}


def choose_range(low: float, high: float, counts: NDArray[np.int64]) -> Range:
    """The range for values between ``low`` (≤ 0) and ``high`` (≥ 0) that are distributed as ``counts`` says.

    A narrower range has finer steps and cuts off more; sought is the least sum of both squared errors.
    """
    centres = low + (np.arange(len(counts)) + 0.5) / len(counts) * (high - low)
    best, least = Range(low, high), np.inf
    for lower in SHARES * low if low < 0 else [0.0]:
        below = counts @ np.maximum(lower - centres, 0) ** 2
        for upper in SHARES * high if high > 0 else [0.0]:
            inside = counts[(centres >= lower) & (centres <= upper)].sum()
            above = counts @ np.maximum(centres - upper, 0) ** 2
            error = below + above + inside * ((upper - lower) / STEPS) ** 2 / 12
            if error < least:
                best, least = Range(float(lower), float(upper)), float(error)
    return best


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


def open_session(model: onnx.ModelProto, *, as_written: bool = False) -> Any:
    """A session on one thread, so that a machine gives one answer; ``as_written`` without the runtime's rewriting."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


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


class _QuantisedGraph:
    """Nodes and weights of the quantised graph as the float graph's nodes are added in order."""

    def __init__(self, model: onnx.ModelProto, ranges: dict[str, Range]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._ranges = ranges
        self._replaced: dict[str, str] = {}  # activations by what stands for them

    def round_input(self) -> None:
        self._quantise_activation(INPUT, self._ranges[INPUT])

    def add(self, node: onnx.NodeProto, *, integer: bool) -> None:
        node = copy.deepcopy(node)
        weights = [name for name in node.input if name in self._weights]
        if integer and weights:
            self._quantise_weights(*weights, scale=self._ranges[node.input[0]].scale)
        else:
            for name in weights:
                self._store(name, self._weights[name])
        for position, name in enumerate(node.input):
            node.input[position] = self._replaced.get(name, name)
        self.nodes.append(node)
        for name in node.output:
            if name in self._ranges:
                self._quantise_activation(name, self._ranges[name])

    def _quantise_activation(self, name: str, values: Range) -> None:
        steps = [self._store(f"{name}.scale", values.scale), self._store(f"{name}.zero", values.zero)]
        rounded, restored = f"{name}.quantised", f"{name}.dequantised"
        self.nodes.append(helper.make_node("QuantizeLinear", [name, *steps], [rounded], name=f"{name}.quantise"))
        self.nodes.append(helper.make_node("DequantizeLinear", [rounded, *steps], [restored], name=f"{name}.restore"))
        self._replaced[name] = restored

    def _quantise_weights(self, weight: str, bias: str, *, scale: np.float32) -> None:
        """``scale`` is that of the convolution's input, in whose steps its bias is counted too."""
        kernel, offset = self._weights[weight], self._weights[bias]
        largest = np.abs(kernel).reshape(len(kernel), -1).max(axis=1)
        # A channel of next to no weights gets steps that are coarse enough for its bias to fit into 31 bits.
        scales = np.maximum(largest / LEVELS, np.abs(offset) / (scale * 2.0**30)).astype(np.float32)
        scales[scales == 0] = 1.0
        steps = np.clip(np.round(kernel / scales[:, None, None, None]), -LEVELS, LEVELS).astype(np.int8)
        self._store_quantised(weight, steps, scales)
        self._store_quantised(bias, np.round(offset / (scale * scales)).astype(np.int32), scale * scales)

    def _store_quantised(self, name: str, steps: NDArray[np.signedinteger], scales: NDArray[np.float32]) -> None:
        inputs = [
            self._store(f"{name}.quantised", steps),
            self._store(f"{name}.scale", scales),
            self._store(f"{name}.zero", np.zeros(len(scales), dtype=steps.dtype)),
        ]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [name], name=f"{name}.restore", axis=0))

    def _store(self, name: str, values: NDArray[Any] | np.generic) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name
