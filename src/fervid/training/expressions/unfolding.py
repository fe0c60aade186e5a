"""An exported file turned back into a network that can learn: one's own, or one that fervid came with.

A file holds no norms (:func:`fervid.training.onnxgraph.fold_norms` made them part of the convolutions), and its weights
are rounded. What it says stays as it is; what learning needs beside that is measured anew on faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from fervid.errors import ConfigError
from fervid.models.runtime import create_session, read_metadata
from fervid.models.spec import ModelSpec
from fervid.training.checkpoint import read_run
from fervid.training.expressions.augmentation import augment
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData, sample_inputs
from fervid.training.expressions.losses import TargetTable, compute_loss
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.expressions.norms import BATCH, FACES
from fervid.training.expressions.origins import find_initial_weights
from fervid.training.noise import Noise
from fervid.training.onnxgraph import fold_norms

GRADIENT_BATCHES: Final = 4
"""From which the size of a layer's gradients is measured."""

OPERATORS: Final[dict[type[nn.Module], str]] = {
    nn.Conv2d: "Conv",
    nn.Linear: "Conv",
    nn.AvgPool2d: "AveragePool",
    nn.MaxPool2d: "MaxPool",
}
"""What the exporter makes of a layer."""


def read_initial_weights(path: str, config: TrainingConfig, data: TrainingData) -> tuple[str, dict[str, Tensor]]:
    """What :func:`fervid.training.checkpoint.start_from` begins with: a run's weights, or an exported file's.

    Args:
        path: as :func:`.origins.find_initial_weights` takes it.
        config: the recipe that begins.
        data: that it trains with.

    Returns:
        The first 12 hexadecimal digits of the file's SHA-256, and the state of the recipe's network.

    Raises:
        ConfigError: there is no such file, or it is another architecture's.
        ModelError: it is damaged.
    """
    file = find_initial_weights(path)
    if file is None:
        return read_run(path)
    spec = ModelSpec.from_metadata(read_metadata(create_session(file)), file.name)
    if len(spec.labels) != config.labels:
        raise ConfigError(
            f"the initial weights {path} know {len(spec.labels)} labels, the recipe {config.labels}",
            advice=f"Set labels = {len(spec.labels)}.",
        )
    network = unfold(onnx.load_from_string(file.data), path, config, data)
    return file.sha256[:12], network.state_dict()


def unfold(model: onnx.ModelProto, path: str, config: TrainingConfig, data: TrainingData) -> ExpressionNetwork:
    """The recipe's network, with norms again, that answers as the file does before it is rounded to integers.

    Each norm gets the mean and the variance that its convolution gives on clean Training faces, as
    :func:`.norms.measure_norms` does, and the scale and the offset that undo them. The length of a convolution's
    weights then no longer matters to the answer, but it says how far a step turns them: it becomes the one at which
    steps and decay are in balance.

    Args:
        model: from :func:`.export.export_onnx`, of any precision.
        path: of the file, for messages.
        config: the recipe.
        data: faces to measure with.

    Raises:
        ConfigError: the file holds another network than the recipe's.
    """
    network = ExpressionNetwork(config.network, config.labels).eval()
    folded = fold_norms(network)
    _copy_weights(model, folded, path)
    _shift_input(folded, ModelSpec.from_metadata({p.key: p.value for p in model.metadata_props}, path), data.spec)
    sums: dict[str, _Moments] = {name: _Moments(norm.num_features) for name, _, norm in _find_norms(network)}
    for name, moments in sums.items():
        folded.get_submodule(name).register_forward_hook(lambda _, __, output, moments=moments: moments.add(output))
    with torch.no_grad():
        for batch in torch.split(sample_inputs(data, FACES), BATCH):
            folded(torch.cat([batch, batch.flip(-1)]))
    for name, module in folded.named_modules():  # the layers that no norm follows
        if name not in sums and isinstance(module, nn.Conv2d | nn.Linear):
            network.get_submodule(name).load_state_dict(module.state_dict())
    _set_norms(network, folded, sums, dict.fromkeys(sums, 1.0))
    if config.schedule.weight_decay > 0:
        with torch.random.fork_rng(devices=[]):  # dropout draws from the global source
            torch.manual_seed(config.seed)
            lengths = _balance_lengths(network, config, data)
        _set_norms(network, folded, sums, lengths)
    return network.eval()


class _Moments:
    """Mean and standard deviation of a layer's channels, over everything it gives."""

    def __init__(self, channels: int) -> None:
        self._count = 0
        self._sums = torch.zeros(2, channels, dtype=torch.float64)

    def add(self, output: Tensor) -> None:
        self._count += output.numel() // output.shape[1]
        values = output.double()
        self._sums += torch.stack([values.sum((0, 2, 3)), values.square().sum((0, 2, 3))])

    @property
    def mean(self) -> Tensor:
        return self._sums[0] / self._count

    @property
    def std(self) -> Tensor:
        return (self._sums[1] / self._count - self.mean**2).clamp(min=1e-12).sqrt()


def _find_norms(network: nn.Module) -> Iterator[tuple[str, nn.Conv2d, nn.BatchNorm2d]]:
    """Every convolution that a norm follows, by name, with the norm."""
    for place, parent in network.named_modules():
        before: tuple[str, nn.Module] | None = None
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d) and before is not None and isinstance(before[1], nn.Conv2d):
                yield f"{place}.{before[0]}".lstrip("."), before[1], child
            before = name, child


@torch.no_grad()
def _set_norms(network: nn.Module, folded: nn.Module, sums: dict[str, _Moments], lengths: dict[str, float]) -> None:
    """Give each convolution's filters the length of their layer, and its norm what makes up for it."""
    for name, convolution, norm in _find_norms(network):
        source, moments = folded.get_submodule(name).state_dict(), sums[name]
        weight, bias = source["weight"].double(), source["bias"].double()
        scale = lengths[name] / weight.flatten(1).norm(dim=1).clamp(min=1e-9)
        variance = (scale * moments.std) ** 2
        convolution.weight.copy_(weight * scale[:, None, None, None])
        state = norm.state_dict()
        state["running_mean"].copy_(scale * (moments.mean - bias))
        state["running_var"].copy_(variance)
        state["weight"].copy_((variance + norm.eps).sqrt() / scale)
        state["bias"].copy_(moments.mean)


def _balance_lengths(network: nn.Module, config: TrainingConfig, data: TrainingData) -> dict[str, float]:
    """The length of each layer's filters at which weight decay takes what the steps add.

    For weights before a norm, with rate η, decay λ, momentum α and L the mean square of the gradient where their length
    is 1, it is (η L / 2 λ (1 − α))^¼ (Wan et al. 2021, "Spherical Motion Dynamics", arXiv:2006.08419, theorem 1, where
    η λ is small).

    Args:
        network: whose filters have length 1.
        config: the recipe.
        data: faces to learn from.
    """
    place, schedule = torch.device("cpu"), config.schedule
    table = TargetTable(data, config, place)
    generator = torch.Generator(place).manual_seed(config.seed)
    squares = {name: 0.0 for name, _, _ in _find_norms(network)}
    size, rows = schedule.size_at(0), min(BATCH, len(data.images))
    network.train()
    for _ in range(GRADIENT_BATCHES):
        chosen = torch.randperm(len(data.images), generator=generator)[:rows]
        faces, mirrored = augment(
            data.images[chosen],
            size,
            config.augmentation,
            mean=data.spec.mean,
            std=data.spec.std,
            noise=Noise(generator, None),
        )
        emotion_logits, vote_logits = network(faces)
        loss = compute_loss(emotion_logits, vote_logits, table.select(chosen, mirrored), config)
        weights = [convolution.weight for _, convolution, _ in _find_norms(network)]
        for name, gradient in zip(squares, torch.autograd.grad(loss, weights), strict=True):
            squares[name] += float(gradient.flatten(1).square().sum(dim=1).mean()) / GRADIENT_BATCHES
    factor = schedule.learning_rate / (2 * schedule.weight_decay * (1 - schedule.momentum))
    return {name: max(factor * square, 1e-8) ** 0.25 for name, square in squares.items()}


@torch.no_grad()
def _copy_weights(model: onnx.ModelProto, folded: ExpressionNetwork, path: str) -> None:
    """Copy a file's weights, as real numbers, into a network without norms. Raises ConfigError when they do not fit."""
    arrays = _read_weights(model)
    nodes = {node.name: node for node in model.graph.node}
    found = 0
    for source, module in _name_layers(folded):
        for key, parameter in module.named_parameters():
            array = arrays.get(f"{source}.{key}")
            if array is None or array.size != parameter.numel() or array.shape[: parameter.ndim] != parameter.shape:
                held = "no such layer" if array is None else f"{array.shape}"
                raise ConfigError(
                    f"the initial weights {path} do not fit the recipe's network ({source}.{key} is {held} there, "
                    f"{tuple(parameter.shape)} here)",
                    advice="Give the recipe the network of the file that they come from.",
                )
            parameter.copy_(torch.tensor(array).reshape(parameter.shape))
            found += 1
        there, here = _describe_node(nodes.get(source)), _describe_layer(module)  # of which weights say nothing
        if there != here:
            raise ConfigError(
                f"the initial weights {path} do not fit the recipe's network ({source} is {there} there, {here} here)",
                advice="Give the recipe the network of the file that they come from.",
            )
    if found != len(arrays):
        raise ConfigError(
            f"the initial weights {path} do not fit the recipe's network ({len(arrays)} tensors there, {found} here)",
            advice="Give the recipe the network of the file that they come from.",
        )


def _name_layers(folded: ExpressionNetwork) -> Iterator[tuple[str, nn.Module]]:
    """Every layer that the exporter makes a node of, with the node's name."""
    stem = {f"stem.{i}": f"stem.conv{i // 3 + 1}" for i, m in enumerate(folded.stem) if isinstance(m, nn.Conv2d)}
    for name, module in folded.named_modules():
        if type(module) in OPERATORS:
            plain = name.replace(".shortcut.0", ".shortcut.pool").replace(".shortcut.1", ".shortcut.conv")
            yield stem.get(name, plain), module


def _describe_node(node: onnx.NodeProto | None) -> str:
    if node is None:
        return "no such layer"
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return f"{node.op_type} of stride {attributes.get('strides', [1])[0]}"


def _describe_layer(module: nn.Module) -> str:
    stride = getattr(module, "stride", 1)
    return f"{OPERATORS[type(module)]} of stride {stride[0] if isinstance(stride, tuple) else stride}"


@torch.no_grad()
def _shift_input(folded: ExpressionNetwork, there: ModelSpec, here: ModelSpec) -> None:
    """Make the first convolution see in today's normalised faces what it saw in those of the file.

    Exact but for the border, where the padding is the mean of each. The mean and the standard deviation of grey levels
    are those of the faces that are trained with (:attr:`.data.TrainingData.spec`).
    """
    first = folded.stem[0]
    assert isinstance(first, nn.Conv2d)
    assert first.bias is not None
    first.bias.add_(first.weight.sum((1, 2, 3)) * ((here.mean - there.mean) / there.std))
    first.weight.mul_(here.std / there.std)


def _read_weights(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Weights and biases by name, whatever the file stores them as."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weights: dict[str, NDArray[np.float32]] = {}
    for name, array in stored.items():
        plain, _, kind = name.rpartition(".")
        if kind == "quantised":
            steps = stored[f"{plain}.scale"].reshape(-1, *[1] * (array.ndim - 1))
            weights[plain] = (array * steps.astype(np.float64)).astype(np.float32)
        elif kind == "float16":
            weights[plain] = array.astype(np.float32)
        elif kind in ("weight", "bias"):
            weights[name] = array
    return weights
