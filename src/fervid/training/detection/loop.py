"""The training run of a detector, top to bottom: scenes, network, epochs, checkpoints, metrics.

A run lives in one folder, see :mod:`fervid.training.checkpoint`; ``curves.png`` is drawn again after every epoch.
Starting it again continues after the last finished epoch, and the result equals an uninterrupted run on the same
processor (a GPU adds up in no fixed order): each scene draws its randomness from (seed, number) alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from fervid.errors import ConfigError
from fervid.training.average import WeightAverage
from fervid.training.checkpoint import (
    check_folder,
    check_recipe,
    claim_folder,
    find_data,
    load_checkpoint,
    load_finished,
    restore,
    save_checkpoint,
    save_weights,
    start_from,
    write_metrics,
)
from fervid.training.detection.assignment import make_grid
from fervid.training.detection.config import DetectionConfig
from fervid.training.detection.curves import draw_curves
from fervid.training.detection.data import SceneLoader, TrainingPhotos
from fervid.training.detection.losses import compute_losses
from fervid.training.detection.network import DetectionNetwork
from fervid.training.detection.validation import evaluate_network, find_highest, summarise
from fervid.training.devices import choose_device, explain_shortage, flush_denormals
from fervid.training.progress import Progress

GRADIENT_LIMIT: Final = 10.0
"""Norm to which a step's gradient is cut down: a first step can be wild."""

ALARMS: Final = (0.3, 0.7)
"""Scores of the surest cell from which a photo without a face is shown more often, and most often."""

EMPHASIS: Final = 6.0
"""How many times as often, at most."""


@explain_shortage()
@flush_denormals()
def train(
    config: DetectionConfig,
    data: TrainingPhotos,
    folder: Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    workers: int = 1,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> DetectionNetwork:
    """Train a network, continue a run that was interrupted, or read back one that is finished.

    Args:
        config: the recipe.
        data: the photos, see :func:`.data.load_training_photos`.
        folder: the run's folder; made if absent.
        device: ``auto`` (CUDA when there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        threads: torch's on a CPU; None leaves them as they are.
        workers: processes that compose scenes; the result does not depend on how many.
        on_progress: called after every step and every epoch.

    Returns:
        The averaged network (EMA weights) in evaluation mode, on the CPU.

    Raises:
        ConfigError: the folder holds a run of another recipe or on other photos, or what is left of one; the device or
            the initial weights are not there or do not fit; the loss is no longer finite.
        ModelError: the folder's checkpoint, weights or metrics are damaged.
        OutputError: the folder cannot be written to.
        FervidError: there is too little memory, or a process that composes scenes was ended.
    """
    place = choose_device(device)
    schedule = config.schedule
    check_folder(config, folder)
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(config.seed)
    network = DetectionNetwork(config.network).to(place)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    checkpoint = load_checkpoint(folder, place)
    finished = load_finished(folder)
    if find_data(folder, checkpoint) not in (None, data.digest):
        raise ConfigError(f"{folder} holds a run on other photos", advice="Give another folder with -o.")
    if finished is not None:
        restore(network, finished, folder)
        return network.eval().cpu()
    if config.initial_weights and checkpoint is None:
        start_from(network, config.initial_weights)
    average = WeightAverage(network, schedule.ema)
    optimizer = _make_optimizer(network, config)
    loader = SceneLoader(data.album, config, workers=workers)
    steps = len(loader)
    metrics: list[dict[str, Any]] = []
    if checkpoint is not None:
        metrics = checkpoint["metrics"]
        restore(network, checkpoint["network"], folder)
        restore(average.network, checkpoint["average"], folder)
        optimizer.load_state_dict(checkpoint["optimizer"])
        loader.hardness.copy_(checkpoint["facts"]["hardness"])
        write_metrics(folder, metrics)
    elif config.initial_weights:
        _emphasise(loader, average.network, data, place)
    claim_folder(config, folder)
    grid = make_grid(schedule.size, schedule.size, place)

    for epoch in range(len(metrics), schedule.epochs):
        began = time.perf_counter()
        network.train()
        sums: dict[str, Tensor] = {}
        for step, batch in enumerate(loader.iterate(epoch)):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, epoch + step / steps)
            batch = batch.to(place)
            images = batch.images.float().contiguous(memory_format=torch.channels_last)
            parts = compute_losses(network(images), batch, grid, config.loss)
            optimizer.zero_grad(set_to_none=True)
            parts["loss"].backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_LIMIT)
            optimizer.step()
            average.update(epoch * steps + step)
            for key, part in parts.items():
                sums[key] = sums.get(key, 0) + part.detach()
            elapsed = time.perf_counter() - began
            on_progress(
                Progress(
                    epoch + 1,
                    schedule.epochs,
                    step + 1,
                    steps,
                    schedule.size,
                    float(parts["loss"].detach()),
                    (step + 1) * schedule.batch_size / elapsed,
                    elapsed * (steps * (schedule.epochs - epoch) / (step + 1) - 1),
                )
            )
        means = {key: float(total) / steps for key, total in sums.items()}
        if not math.isfinite(means["loss"]):
            raise ConfigError(
                f"the loss became {means['loss']} in epoch {epoch + 1}", advice="Lower the learning rate."
            )
        speed = steps * schedule.batch_size / (time.perf_counter() - began)
        line: dict[str, Any] = {
            "epoch": epoch + 1,
            "learning_rate": round(learning_rate(config, epoch + 1), 7),
            "images_per_s": round(speed, 1),
            **{f"train_{key}": round(value, 5) for key, value in means.items()},
            **({"data": data.digest} if epoch == 0 else {}),
        }
        if (epoch + 1) % schedule.validate_every == 0 or epoch + 1 == schedule.epochs:
            line |= summarise(evaluate_network(average.network, data.validation, place))
            line["hard_backgrounds"] = _emphasise(loader, average.network, data, place)
        line["seconds"] = round(time.perf_counter() - began, 1)
        metrics.append(line)
        facts = {"data": data.digest, "hardness": loader.hardness.clone()}
        check_recipe(config, folder)  # another run may have claimed the folder before the first epoch was finished
        save_checkpoint(folder, network, average.network, optimizer, metrics, facts)
        draw_curves(metrics, folder / "curves.png", title=config.name)
        remaining = (time.perf_counter() - began) * (schedule.epochs - epoch - 1)
        on_progress(
            Progress(
                epoch + 1, schedule.epochs, steps, steps, schedule.size, means["loss"], speed, remaining, dict(line)
            )
        )
    draw_curves(metrics, folder / "curves.png", title=config.name)
    save_weights(folder, average.network)
    return average.network.cpu()


def learning_rate(config: DetectionConfig, epoch: float) -> float:
    """The rate at a point of the schedule, in epochs."""
    schedule = config.schedule
    if epoch < schedule.warmup_epochs:
        return schedule.learning_rate * min(1.0, max(epoch, 0.01) / schedule.warmup_epochs)
    share = (epoch - schedule.warmup_epochs) / max(1e-9, schedule.epochs - schedule.warmup_epochs)
    return schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def _emphasise(loader: SceneLoader, network: DetectionNetwork, data: TrainingPhotos, place: torch.device) -> int:
    """Let photos without a face be shown more often the more they look like one to the network; how many do."""
    nobody = [picture.pixels for picture in data.album.background]
    alarms = torch.from_numpy(find_highest(network, nobody, place))
    low, high = ALARMS
    loader.hardness.copy_(1 + (EMPHASIS - 1) * ((alarms - low) / (high - low)).clamp(0, 1))
    return int((alarms > low).sum())


def _make_optimizer(network: DetectionNetwork, config: DetectionConfig) -> torch.optim.AdamW:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]  # norms and biases are not decayed (arXiv:1812.01187)
    decay, rate = config.schedule.weight_decay, config.schedule.learning_rate
    groups = [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, foreach=True)
