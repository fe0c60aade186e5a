"""Building ONNX graphs by hand, from torch modules.

The networks need few operators, and building them here gives readable node names, the same bytes every time,
half-precision storage, and no dependency on ``torch.onnx``, its packages or how a torch version traces.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Final, Literal, TypeVar

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fervid.errors import ModelError
from fervid.models.detectorspec import DetectorSpec
from fervid.models.spec import ModelSpec
from fervid.training.tables import Precision

Network = TypeVar("Network", bound=nn.Module)

FloatPrecision = Literal["float16", "float32"]

OPSET: Final = 17
IR_VERSION: Final = 8
"""ONNX 1.12's, the first with opset 17: every ONNX Runtime that fervid allows reads it."""

BATCH_AXIS: Final = "N"


def fold_norms(network: Network) -> Network:
    """A copy in evaluation mode whose batch norms are part of the convolutions before them (arXiv:1712.05877, 3.2).

    Computed in float64; the result differs from the network by rounding alone.
    """
    folded = copy.deepcopy(network).cpu().double().eval()
    for parent in list(folded.modules()):
        before: tuple[str, nn.Module] | None = None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                if before is None or not isinstance(before[1], nn.Conv2d):
                    raise ModelError(f"the batch norm {name} follows no convolution")
                setattr(parent, before[0], fuse_conv_bn_eval(before[1], child))
                setattr(parent, name, nn.Identity())
            before = name, child
    return folded.float()


def round_weights(network: Network) -> Network:
    """A copy whose weights are those that float16 can hold, in float32. Biases stay: they are few.

    Raises:
        ModelError: a weight is too large for float16.
    """
    rounded = copy.deepcopy(network)
    with torch.no_grad():
        for name, weight in rounded.named_parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half())
                if not bool(weight.isfinite().all()):
                    raise ModelError(f"{name} does not fit into float16", advice='Export with precision="float32".')
    return rounded


def store_weights(folded: Network, precision: Precision) -> Network:
    """The network with the weights that a file of that precision holds; int8 is made from float32's."""
    return round_weights(folded) if precision == "float16" else folded


def find_precision(model: onnx.ModelProto) -> Precision:
    """How a model stores its weights."""
    types = {tensor.data_type for tensor in model.graph.initializer}
    if TensorProto.INT8 in types:
        return "int8"
    return "float16" if TensorProto.FLOAT16 in types else "float32"


def replace_spec(model: onnx.ModelProto, spec: ModelSpec | DetectorSpec) -> None:
    """Write another spec into a model's metadata; the rest of it stays."""
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(model, metadata | spec.to_metadata())


class Graph:
    """Nodes and weights as they are added; every method returns the name of what its operation gives.

    Args:
        precision: how weights of more than one axis are stored; ``float16`` ones are cast back when the file is loaded.
    """

    def __init__(self, precision: FloatPrecision) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._precision = precision

    def add(self, operator: str, name: str, inputs: Iterable[str], output: str = "", **attributes: Any) -> str:
        result = output or f"{name}.output"
        self.nodes.append(helper.make_node(operator, list(inputs), [result], name=name, **attributes))
        return result

    def split(self, name: str, x: str, parts: int) -> list[str]:
        """Equal parts of a batch."""
        results = [f"{name}.output{i}" for i in range(1, parts + 1)]
        self.nodes.append(helper.make_node("Split", [x], results, name=name, axis=0))
        return results

    def relu(self, name: str, x: str) -> str:
        return self.add("Relu", f"{name}.relu", [x])

    def conv(self, name: str, module: nn.Module, x: str) -> str:
        if not isinstance(module, nn.Conv2d) or module.padding_mode != "zeros" or isinstance(module.padding, str):
            raise ModelError(f"{name} is {module}, which the exporter does not know")
        rows, columns = module.padding
        return self.add(
            "Conv",
            name,
            [x, *self._parameters(name, module)],
            kernel_shape=list(module.kernel_size),
            strides=list(module.stride),
            dilations=list(module.dilation),
            group=module.groups,
            pads=[rows, columns, rows, columns],
        )

    def pointwise(self, name: str, module: nn.Linear, x: str, output: str) -> str:
        """A linear layer at every place of the plane; averaging commutes with it (CAM, arXiv:1512.04150)."""
        convolution = nn.Conv2d(module.in_features, module.out_features, 1)
        convolution.weight, convolution.bias = nn.Parameter(module.weight[:, :, None, None]), module.bias
        return self.add("Conv", name, [x, *self._parameters(name, convolution)], output, kernel_shape=[1, 1])

    def _parameters(self, name: str, module: nn.Conv2d) -> list[str]:
        tensors = {"weight": module.weight, **({} if module.bias is None else {"bias": module.bias})}
        return [self._tensor(f"{name}.{key}", tensor.detach().contiguous().numpy()) for key, tensor in tensors.items()]

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        """A tensor that is stored as it is."""
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def _tensor(self, name: str, array: NDArray[np.float32]) -> str:
        if self._precision == "float32" or array.ndim < 2:
            return self.constant(name, array)
        stored = f"{name}.float16"
        self.initializers.append(numpy_helper.from_array(array.astype(np.float16), stored))
        return self.add("Cast", f"{name}.cast", [stored], name, to=TensorProto.FLOAT)
