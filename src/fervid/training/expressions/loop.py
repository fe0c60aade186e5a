"""The training run, top to bottom: data, network, epochs, checkpoints, metrics.

A run lives in one folder, see :mod:`fervid.training.checkpoint`; ``curves.png`` is drawn again after every epoch.
Starting it again continues after the last finished epoch, and the result equals an uninterrupted run on the same
processor (a GPU adds up in no fixed order): each epoch draws its randomness from (seed, epoch) alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

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
from fervid.training.devices import choose_device, explain_shortage, flush_denormals
from fervid.training.expressions.augmentation import augment
from fervid.training.expressions.config import ScheduleConfig, TrainingConfig
from fervid.training.expressions.curves import draw_curves
from fervid.training.expressions.data import TrainingData
from fervid.training.expressions.losses import TargetTable, compute_loss, teaches_votes
from fervid.training.expressions.mixing import draw_shares, mix
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.expressions.precision import choose_precision
from fervid.training.expressions.sharpness import climb, keep_noise
from fervid.training.expressions.teachers import load_soft_targets
from fervid.training.expressions.unfolding import read_initial_weights
from fervid.training.expressions.validation import validate
from fervid.training.noise import Noise, Share, share_noise
from fervid.training.normalisation import share_statistics
from fervid.training.progress import Progress
from fervid.training.team import ALONE, Team

GPU_REPORT_STEPS = 20
"""Steps between two reports on a GPU: reading the loss waits for the device, so it is not done at every step."""


@explain_shortage()
@flush_denormals()
def train(
    config: TrainingConfig,
    data: TrainingData,
    folder: Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    team: Team = ALONE,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> ExpressionNetwork:
    """Train a network, continue a run that was interrupted, or read back one that is finished.

    Where nothing teaches the votes head (see :func:`.losses.teaches_votes`) and no initial weights bring one that has
    learned, it gives every expression the same share.

    Args:
        config: the recipe.
        data: the faces, see :func:`.data.load_training_data`.
        folder: the run's folder; made if absent.
        device: ``auto`` (CUDA when there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        threads: torch's on a CPU; None leaves them as they are.
        team: the processes that train together, see :func:`fervid.training.team.join_team`; the recipe's batches are
            shared among them, so the run is the same with any number, up to rounding. Only the leader writes files.
        on_progress: called after every step (every 20th on a GPU) and every epoch, in every process.

    Returns:
        The averaged network (EMA weights) in evaluation mode, on the CPU.

    Raises:
        ConfigError: the folder holds a run of another recipe, on other data or with other teachers, or what is left of
            one; a teacher, the initial weights or the device is not there or does not fit; there are fewer faces than
            a batch; the loss is no longer finite.
        DatasetError: a teacher is damaged or saw other faces.
        ModelError: the folder's checkpoint, weights or metrics are damaged.
        OutputError: the folder cannot be written to.
        TeamStoppedError: another process of the team has failed.
        FervidError: there is too little memory.
    """
    schedule = config.schedule
    place, share = team.do_all(lambda: _share_work(config, data, device, team))
    steps = len(data.images) // schedule.batch_size
    team.lead(lambda: check_folder(config, folder))
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(config.seed)

    network = ExpressionNetwork(config.network, config.labels).to(place)
    if not teaches_votes(data, config):
        network.silence_votes()  # else what it says by chance would be taken for how people vote
    checkpoint = team.lead(lambda: load_checkpoint(folder, place if team.size == 1 else torch.device("cpu")))
    finished = team.lead(lambda: load_finished(folder)) if checkpoint is None else None
    trained_with = team.lead(lambda: find_data(folder, checkpoint))
    team.do_all(partial(_check_fact, trained_with, data.digest, f"{folder} holds a run on other data"))
    if finished is not None:
        team.do_all(partial(restore, network, finished, folder))
        return network.eval().cpu()
    initial = ""
    if config.initial_weights and checkpoint is None:
        read = partial(read_initial_weights, config=config, data=data)
        initial = team.do_all(lambda: start_from(network, config.initial_weights, read))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = WeightAverage(network, schedule.ema)
    optimizer = _make_optimizer(network, config)
    metrics: list[dict[str, Any]] = []
    facts: dict[str, Any] = {}
    if checkpoint is not None:
        metrics, facts = checkpoint["metrics"], checkpoint.get("facts", {})
        initial = str(facts.get("initial_weights", ""))
        team.do_all(partial(restore, network, checkpoint["network"], folder))
        team.do_all(partial(restore, average.network, checkpoint["average"], folder))
        optimizer.load_state_dict(checkpoint["optimizer"])
        team.lead(partial(write_metrics, folder, metrics))
    if len(metrics) == schedule.epochs:
        if team.leads:
            draw_curves(metrics, folder / "curves.png", title=config.name)
            save_weights(folder, average.network)
        return average.network.cpu()

    taught = team.do_all(lambda: load_soft_targets(config, data))
    teachers = "" if taught is None else taught.digest
    team.do_all(partial(_check_fact, facts.get("teachers"), teachers, f"{folder} holds a run with other teachers"))
    team.lead(lambda: claim_folder(config, folder))
    images, table = data.images.to(place), TargetTable(data, config, place, taught)
    if facts.get("device") == place.type:  # measuring again could decide otherwise, and the run would no longer repeat
        autocast = bool(facts["bfloat16"])
    else:
        rows, size = schedule.batch_size // team.size, schedule.size_at(len(metrics))
        autocast = team.lead(lambda: choose_precision(network, rows, size, place))
    if share is not None:
        share_noise(network, share)
        share_statistics(network, team)

    forward = torch.compile(network, dynamic=False) if schedule.compile else network

    for epoch in range(len(metrics), schedule.epochs):
        began = time.perf_counter()
        size = schedule.size_at(epoch)
        generator = torch.Generator(place).manual_seed(config.seed * 100_003 + epoch)
        torch.manual_seed(config.seed * 100_003 + epoch)  # dropout and stochastic depth draw from the global source
        noise = Noise(generator, share)
        order = torch.randperm(len(images), device=place, generator=generator)
        alpha, batch_size = config.augmentation.mixup, schedule.batch_size
        shares = draw_shares(steps, batch_size, alpha, seed=config.seed, epoch=epoch, place=place) if alpha else None
        if shares is not None and share is not None:
            shares = shares[:, share.rows]
        network.train()
        losses: list[Tensor] = []
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, epoch + step / steps)
            batch = order[step * batch_size : (step + 1) * batch_size]
            batch = batch if share is None else batch[share.rows]
            faces, mirrored = augment(
                images[batch],
                size,
                config.augmentation,
                mean=data.spec.mean,
                std=data.spec.std,
                noise=noise,
            )
            targets = table.select(batch, mirrored)
            if shares is not None:
                faces, targets = mix(faces, targets, shares[step])
            repeat_noise = keep_noise(place) if schedule.sam_radius else None
            with torch.autocast(place.type, torch.bfloat16, enabled=autocast):
                emotion_logits, vote_logits = forward(faces)
            weight = 1.0 if share is None else share.weight
            loss = compute_loss(emotion_logits, vote_logits, targets, config) * weight
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            loss = team.add_up_gradients(network.parameters(), loss.detach())
            if repeat_noise is not None:
                with climb(network, schedule.sam_radius):
                    repeat_noise()
                    with torch.autocast(place.type, torch.bfloat16, enabled=autocast):
                        emotion_logits, vote_logits = forward(faces)
                    uphill = compute_loss(emotion_logits, vote_logits, targets, config) * weight
                    uphill.backward()  # type: ignore[no-untyped-call]
                    team.add_up_gradients(network.parameters(), uphill.detach())
            optimizer.step()
            average.update(epoch * steps + step)
            losses.append(loss)
            if place.type == "cpu" or (step + 1) % GPU_REPORT_STEPS == 0:
                elapsed, done = time.perf_counter() - began, (step + 1) / steps
                speed = (step + 1) * schedule.batch_size / elapsed
                remaining = estimate_remaining(schedule, epoch, done, elapsed)
                on_progress(
                    Progress(epoch + 1, schedule.epochs, step + 1, steps, size, float(losses[-1]), speed, remaining)
                )
        mean_loss = float(torch.stack(losses).mean())
        team.do_all(partial(_check_loss, mean_loss, epoch))
        speed = steps * schedule.batch_size / (time.perf_counter() - began)
        figures = team.lead(lambda: validate(average.network, data, place))
        end = math.nextafter(epoch + 1, 0)  # a restart may lift the rate at the next epoch's very beginning
        metrics.append(
            {
                "epoch": epoch + 1,
                "size": size,
                "learning_rate": round(learning_rate(config, end), 6),
                "train_loss": round(mean_loss, 5),
                "images_per_s": round(speed, 1),
                **({"data": data.digest} if epoch == 0 else {}),
                **({"initial_weights": initial} if initial and epoch == 0 else {}),
                **figures,
                "seconds": round(time.perf_counter() - began, 1),
            }
        )
        facts = {"data": data.digest, "device": place.type, "bfloat16": autocast, "teachers": teachers}
        facts["initial_weights"] = initial
        if team.leads:
            check_recipe(config, folder)  # another run may have claimed the folder before the first epoch was finished
            save_checkpoint(folder, network, average.network, optimizer, metrics, facts)
            draw_curves(metrics, folder / "curves.png", title=config.name)
        remaining = estimate_remaining(schedule, epoch, 1.0, time.perf_counter() - began)
        on_progress(
            Progress(epoch + 1, schedule.epochs, steps, steps, size, mean_loss, speed, remaining, dict(metrics[-1]))
        )
    if team.leads:
        save_weights(folder, average.network)
    return average.network.cpu()


def learning_rate(config: TrainingConfig, epoch: float) -> float:
    """The rate at a point of the schedule, in epochs."""
    warmup = config.schedule.warmup_epochs
    if epoch < warmup:
        return config.schedule.learning_rate * min(1.0, max(epoch, 0.02) / warmup)
    first, stop, rate = config.schedule.cycle_at(epoch)
    start = max(first, warmup)
    return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, (epoch - start) / max(1e-9, stop - start))))


def estimate_remaining(schedule: ScheduleConfig, epoch: int, done: float, elapsed_s: float) -> float:
    """Seconds left when ``done`` (above 0, to 1) of ``epoch`` (from 0) took ``elapsed_s``.

    An epoch costs as the square of its input size.
    """
    costs = [schedule.size_at(e) ** 2 for e in range(schedule.epochs)]
    left = (1 - done) * costs[epoch] + sum(costs[epoch + 1 :])
    return elapsed_s / (done * costs[epoch]) * left


def _share_work(
    config: TrainingConfig, data: TrainingData, device: str, team: Team
) -> tuple[torch.device, Share | None]:
    """The device of this process and its rows of a batch. Raises ConfigError when there are too few of either."""
    place, batch_size = team.place(choose_device(device)), config.schedule.batch_size
    if len(data.images) < batch_size:
        raise ConfigError(
            f"{len(data.images)} training faces are fewer than one batch of {batch_size}",
            advice="Lower schedule.batch_size.",
        )
    return place, team.share(batch_size, place)


def _check_fact(kept: str | None, now: str, message: str) -> None:
    """Raise ConfigError, with this message, when a run began otherwise; an early checkpoint does not say how."""
    if kept not in (None, now):
        raise ConfigError(message, advice="Give another folder with -o.")


def _check_loss(loss: float, epoch: int) -> None:
    """Raise ConfigError when it is no longer finite."""
    if not math.isfinite(loss):
        raise ConfigError(f"the loss became {loss} in epoch {epoch + 1}", advice="Lower the learning rate.")


def _make_optimizer(network: ExpressionNetwork, config: TrainingConfig) -> torch.optim.SGD:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]  # norms and biases are not decayed (arXiv:1812.01187)
    groups = [{"params": decayed, "weight_decay": config.schedule.weight_decay}, {"params": others, "weight_decay": 0}]
    momentum = config.schedule.momentum
    return torch.optim.SGD(groups, lr=config.schedule.learning_rate, momentum=momentum, nesterov=momentum > 0)
