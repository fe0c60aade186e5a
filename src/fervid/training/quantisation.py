"""From floating point to 8-bit integers, calibrated on what a network sees, not trained for it (arXiv:1712.05877).

Activations are uint8 with one scale a tensor, weights int8 with one scale an output channel and no offset, biases
int32. A graph stays one of ordinary operators between QuantizeLinear and DequantizeLinear, which any runtime can
compute in floating point as it stands and ONNX Runtime turns into integer arithmetic when it loads the file.

Weights lie between −64 and 64, not 127: processors without VNNI, and WebAssembly, add two products of an activation and
a weight in 16 bits and cut off what is beyond. 255 × (64 + 64) fits, so every machine gives the same sums.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from fervid.training.onnxgraph import Graph

LEVELS: Final = 64
"""Largest magnitude of a quantised weight."""

STEPS: Final = 255
"""Of a quantised activation, from its lowest value to its highest."""

BINS: Final = 2048
"""Of the histogram from which an activation's range is chosen."""

SHARES: Final = np.linspace(0.3, 1.0, 36)
"""Of the observed extremes, as ends of a range to choose from."""


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


def measure_ranges(
    model: onnx.ModelProto, batches: Sequence[NDArray[np.float32]], tensors: Iterable[str]
) -> dict[str, Range]:
    """For each tensor the range whose rounding and clipping together cost the least mean squared error.

    Args:
        model: of one input, in floating point.
        batches: what it is shown, one after another.
        tensors: names.
    """
    names = sorted(tensors)
    observed = copy.deepcopy(model)
    del observed.graph.output[:]
    observed.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session, shown = open_session(observed), model.graph.input[0].name
    extremes = dict.fromkeys(names, (0.0, 0.0))
    for batch in batches:
        for name, values in zip(names, session.run(names, {shown: batch}), strict=True):
            low, high = extremes[name]
            extremes[name] = min(low, float(values.min())), max(high, float(values.max()))
    counts = {name: np.zeros(BINS, dtype=np.int64) for name in names}
    for batch in batches:
        for name, values in zip(names, session.run(names, {shown: batch}), strict=True):
            counts[name] += np.histogram(values, BINS, extremes[name])[0]
    return {name: choose_range(*extremes[name], counts[name]) for name in names}


def choose_range(low: float, high: float, counts: NDArray[np.int64]) -> Range:
    """The range for values between ``low`` (≤ 0) and ``high`` (≥ 0) that are distributed as ``counts`` says.

    A narrower range has finer steps and cuts off more; sought is the least sum of both squared errors.
    """
    centres = low + (np.arange(len(counts)) + 0.5) / len(counts) * (high - low)
    lows = SHARES * low if low < 0 else np.zeros(1)
    highs = SHARES * high if high > 0 else np.zeros(1)
    below = np.maximum(lows[:, None] - centres, 0) ** 2 @ counts
    above = np.maximum(centres - highs[:, None], 0) ** 2 @ counts
    sums = np.concatenate([[0], np.cumsum(counts)])
    first, last = np.searchsorted(centres, lows, "left"), np.searchsorted(centres, highs, "right")
    inside = sums[np.maximum(last, first[:, None])] - sums[first][:, None]
    errors = below[:, None] + above + inside * ((highs - lows[:, None]) / STEPS) ** 2 / 12
    lower, upper = np.unravel_index(int(errors.argmin()), errors.shape)
    return Range(float(lows[lower]), float(highs[upper]))


def quantise_activation(graph: Graph, name: str, values: Range) -> str:
    """Add what rounds an activation to uint8; its name."""
    steps = [graph.constant(f"{name}.scale", np.asarray(values.scale))]
    steps += [graph.constant(f"{name}.zero", np.asarray(values.zero))]
    return graph.add("QuantizeLinear", f"{name}.quantise", [name, *steps], f"{name}.quantised")


def restore_activation(graph: Graph, name: str, rounded: str = "") -> str:
    """Add what makes uint8 real again; its name.

    Args:
        graph: to which :func:`quantise_activation` was added.
        name: of the activation.
        rounded: what holds its values, where they were moved since.
    """
    rounded = rounded or f"{name}.quantised"
    label = rounded.removesuffix(".quantised")
    inputs = [rounded, f"{name}.scale", f"{name}.zero"]
    return graph.add("DequantizeLinear", f"{label}.restore", inputs, f"{label}.dequantised")


def quantise_weights(
    graph: Graph,
    weight: str,
    bias: str,
    kernel: NDArray[np.float32],
    offset: NDArray[np.float32],
    *,
    scale: np.float32,
) -> None:
    """Add a convolution's weights and bias in integers, and what makes them real again under their names.

    Args:
        graph: to add them to.
        weight: name.
        bias: name.
        kernel: ``(outputs, inputs, height, width)``.
        offset: ``(outputs,)``.
        scale: that of the convolution's input, in whose steps its bias is counted too.
    """
    largest = np.abs(kernel).reshape(len(kernel), -1).max(axis=1)
    # A channel of next to no weights gets steps that are coarse enough for its bias to fit into 31 bits.
    scales = np.maximum(largest / LEVELS, np.abs(offset) / (scale * 2.0**30)).astype(np.float32)
    scales[scales == 0] = 1.0
    steps = np.clip(np.round(kernel / scales[:, None, None, None]), -LEVELS, LEVELS).astype(np.int8)
    _store(graph, weight, steps, scales)
    _store(graph, bias, np.round(offset / (scale * scales)).astype(np.int32), scale * scales)


def _store(graph: Graph, name: str, steps: NDArray[np.signedinteger], scales: NDArray[np.float32]) -> None:
    inputs = [
        graph.constant(f"{name}.quantised", steps),
        graph.constant(f"{name}.scale", scales),
        graph.constant(f"{name}.zero", np.zeros(len(scales), dtype=steps.dtype)),
    ]
    graph.add("DequantizeLinear", f"{name}.restore", inputs, name, axis=0)


def open_session(model: onnx.ModelProto, *, as_written: bool = False) -> Any:
    """A session on one thread, so that a machine gives one answer; ``as_written`` without the runtime's rewriting."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
