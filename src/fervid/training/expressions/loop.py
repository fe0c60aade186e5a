"""The training run, top to bottom: data, network, epochs, checkpoints, metrics.

A run lives in one folder: ``config.json``, ``metrics.jsonl`` (a line per epoch), ``checkpoint.pt`` (everything needed
to go on), ``curves.png``, and at the end ``NAME.onnx``. Starting it again continues after the last finished epoch, and
the result equals an uninterrupted run: each epoch draws its randomness from (seed, epoch) alone.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fervid.errors import ConfigError
from fervid.evaluation.metrics import accuracy, expected_calibration_error, softmax
from fervid.files import write_atomically
from fervid.training.expressions.augmentation import augment
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.expressions.precision import choose_precision

EVALUATION_BATCH = 256


@dataclass(slots=True)
class Progress:
    """Where a run stands; handed to the caller after every step."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    images_per_s: float
    remaining_s: float
    metrics: dict[str, Any] = field(default_factory=dict)
    """The line of the epoch just finished; empty within an epoch."""


def train(
    config: TrainingConfig,
    data: TrainingData,
    folder: Path,
    *,
    device: str = "auto",
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> ExpressionNetwork:
    """Train a network, or continue a run that was interrupted.

    Args:
        config: the recipe.
        data: the faces, see :func:`.data.load_training_data`.
        folder: the run's folder; made if absent.
        device: ``auto`` (CUDA when there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        on_progress: called after every step and every epoch.

    Returns:
        The averaged network (EMA weights) in evaluation mode, on the CPU.

    Raises:
        ConfigError: the folder holds a run of another recipe, or the device is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim_folder(config, folder)
    torch.set_flush_denormal(True)
    place = choose_device(device)
    torch.manual_seed(config.seed)

    network = ExpressionNetwork(config.network, config.labels).to(place).to(memory_format=torch.channels_last)
    average = ExpressionNetwork(config.network, config.labels).to(place).to(memory_format=torch.channels_last)
    average.load_state_dict(network.state_dict())
    average.eval()
    optimizer = _make_optimizer(network, config)
    start = _resume(folder, network, average, optimizer, place)

    images, emotions = data.images.to(place), data.emotions.to(place)
    votes, has_votes = data.votes.to(place), data.has_votes.to(place)
    schedule = config.schedule
    steps = len(images) // schedule.batch_size
    if steps == 0:
        raise ConfigError(
            f"{len(images)} training faces are fewer than one batch of {schedule.batch_size}",
            advice="Lower schedule.batch_size.",
        )
    cost = _ImageCost(config, steps * schedule.batch_size)
    autocast = choose_precision(network, images[: schedule.batch_size], schedule.size_at(0), place)

    for epoch in range(start, schedule.epochs):
        began = time.perf_counter()
        size = schedule.size_at(epoch)
        generator = torch.Generator(place).manual_seed(config.seed * 100_003 + epoch)
        torch.manual_seed(config.seed * 100_003 + epoch)  # dropout and stochastic depth draw from the global source
        order = torch.randperm(len(images), device=place, generator=generator)
        network.train()
        losses: list[Tensor] = []
        for step in range(steps):
            at = epoch + step / steps
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, at)
            rows = order[step * schedule.batch_size : (step + 1) * schedule.batch_size]
            x = augment(
                images[rows], size, config.augmentation, mean=data.mean, std=data.std, generator=generator
            )
            with torch.autocast(place.type, torch.bfloat16, enabled=autocast):
                emotion_logits, vote_logits = network(x)
                loss = F.cross_entropy(
                    emotion_logits.float(), emotions[rows], label_smoothing=config.loss.label_smoothing
                )
                if config.loss.votes_weight:
                    per_face = F.cross_entropy(vote_logits.float(), votes[rows], reduction="none")
                    loss = loss + config.loss.votes_weight * (per_face * has_votes[rows]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            _update_average(average, network, schedule.ema, epoch * steps + step)
            losses.append(loss.detach())
            if place.type == "cpu" or step % 20 == 19:  # reading the loss would stall a GPU at every step
                elapsed = time.perf_counter() - began
                speed = (step + 1) * schedule.batch_size / elapsed
                on_progress(
                    Progress(epoch, schedule.epochs, step + 1, steps, float(losses[-1]), speed, cost.remaining(at, elapsed))
                )
        mean_loss = float(torch.stack(losses).mean())
        if not math.isfinite(mean_loss):
            raise ConfigError(f"the loss became {mean_loss} in epoch {epoch + 1}", advice="Lower the learning rate.")
        train_s = time.perf_counter() - began
        line = {
            "epoch": epoch + 1,
            "size": size,
            "learning_rate": round(learning_rate(config, epoch + 1), 6),
            "train_loss": round(mean_loss, 5),
            "images_per_s": round(steps * schedule.batch_size / train_s, 1),
            **evaluate_epoch(average, data, place),
            "seconds": round(time.perf_counter() - began, 1),
        }
        _save(folder, network, average, optimizer, epoch + 1, line)
        on_progress(
            Progress(
                epoch, schedule.epochs, steps, steps, mean_loss, line["images_per_s"],
                cost.remaining(epoch + 1, line["seconds"]), line,
            )  # fmt: skip
        )
    return average.cpu().eval()


def choose_device(name: str) -> torch.device:
    """The device that ``name`` means. Raises ConfigError when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"unknown device {name!r}", advice="Use auto, cpu, cuda or cuda:N.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("there is no CUDA device", advice="Use --device cpu, or auto.")
    return device


def learning_rate(config: TrainingConfig, epoch: float) -> float:
    """The rate at a point of the schedule, in epochs."""
    schedule = config.schedule
    if epoch < schedule.warmup_epochs:
        return schedule.learning_rate * max(epoch, 0.02) / schedule.warmup_epochs
    done = (epoch - schedule.warmup_epochs) / max(1e-9, schedule.epochs - schedule.warmup_epochs)
    return schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def evaluate_epoch(network: nn.Module, data: TrainingData, place: torch.device) -> dict[str, float]:
    """Accuracy and loss on PublicTest, the split that recipes are selected on."""
    emotion_logits, vote_logits = predict(network, data.validation_inputs, place)
    emotions, majority = data.validation_emotions, data.validation_majority
    probabilities = softmax(emotion_logits)
    picked = probabilities[np.arange(len(emotions)), emotions]
    line = {
        "public_accuracy": round(accuracy(probabilities, emotions), 5),
        "public_nll": round(float(-np.log(np.maximum(picked, 1e-12)).mean()), 5),
        "public_ece": round(expected_calibration_error(probabilities, emotions), 5),
    }
    known = majority >= 0
    if known.any():
        line["public_votes_accuracy"] = round(accuracy(vote_logits[known, :7], majority[known]), 5)
    return line


def predict(
    network: nn.Module, inputs: Tensor, place: torch.device
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Both heads' logits as float64 arrays for ``(N, 1, S, S)`` normalised inputs."""
    network.eval()
    emotion_parts, vote_parts = [], []
    with torch.inference_mode():
        for batch in inputs.split(EVALUATION_BATCH):
            emotion_logits, vote_logits = network(batch.to(place))
            emotion_parts.append(emotion_logits.double().cpu())
            vote_parts.append(vote_logits.double().cpu())
    return torch.cat(emotion_parts).numpy(), torch.cat(vote_parts).numpy()


class _ImageCost:
    """Time left, knowing that an epoch's cost grows with the square of its input size."""

    def __init__(self, config: TrainingConfig, images: int) -> None:
        sizes = [config.schedule.size_at(e) ** 2 for e in range(config.schedule.epochs)]
        self._sizes = sizes

    def remaining(self, at: float, epoch_elapsed_s: float) -> float:
        """Seconds left at epoch ``at`` (fractional), when the current epoch has taken ``epoch_elapsed_s`` so far."""
        epoch = min(int(at), len(self._sizes) - 1)
        part = at - int(at)
        current = self._sizes[epoch if part else max(0, epoch - 1)]
        per_unit = epoch_elapsed_s / (current * max(part or 1.0, 1e-3))
        left = sum(self._sizes[int(at) + 1 :]) + (1 - part) * (self._sizes[int(at)] if at < len(self._sizes) else 0)
        return per_unit * left


def _make_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.SGD:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]  # norms and biases are not decayed (arXiv:1812.01187)
    groups = [{"params": decayed, "weight_decay": config.schedule.weight_decay}, {"params": others, "weight_decay": 0}]
    return torch.optim.SGD(groups, lr=0.1, momentum=config.schedule.momentum, nesterov=True)


@torch.no_grad()
def _update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    decay = min(decay, (step + 1) / (step + 10))  # the first steps would otherwise weigh for ever
    state, target = network.state_dict(), average.state_dict()
    floats = [k for k, v in target.items() if v.is_floating_point()]
    torch._foreach_lerp_([target[k] for k in floats], [state[k] for k in floats], 1 - decay)
    for key, value in target.items():
        if not value.is_floating_point():
            value.copy_(state[key])


def _claim_folder(config: TrainingConfig, folder: Path) -> None:
    path = folder / "config.json"
    wanted = json.loads(json.dumps(config.to_dict()))
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != wanted:
            raise ConfigError(f"{folder} holds a run of another recipe", advice="Give another folder with -o.")
        return
    with write_atomically(path) as part:
        part.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")


def _save(
    folder: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, epochs: int,
    line: dict[str, Any],
) -> None:  # fmt: skip
    metrics = read_metrics(folder)[: epochs - 1] + [line]
    state = {
        "epochs": epochs,
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "metrics": metrics,
    }
    with write_atomically(folder / "checkpoint.pt") as part:
        torch.save(state, part)
    with write_atomically(folder / "metrics.jsonl") as part:
        part.write_text("".join(json.dumps(m) + "\n" for m in metrics), encoding="utf-8")


def _resume(
    folder: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, place: torch.device
) -> int:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, map_location=place, weights_only=True)
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epochs"])


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's ``metrics.jsonl``; empty when it has none yet."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
