"""The folder of a detector's run; :mod:`fervid.training.checkpoint` says what is in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from fervid.errors import ConfigError, ModelError
from fervid.training.checkpoint import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    load_checkpoint,
    load_tensors,
    read_config_table,
    restore,
    write_config,
)
from fervid.training.detection.config import DetectionConfig
from fervid.training.detection.network import DetectionNetwork


def claim_folder(config: DetectionConfig, folder: Path) -> None:
    """Make the folder of a run, or recognise it as this recipe's.

    Raises:
        ConfigError: it holds a run of another recipe.
    """
    check_folder(config, folder)
    if not (folder / CONFIG_FILE).exists():
        write_config(folder, config.to_dict())


def check_folder(config: DetectionConfig, folder: Path) -> None:
    """Raise ConfigError when the folder holds a run of another recipe; leave it as it is.

    A run may be exported as another recipe says: that changes nothing of the run.
    """
    if (folder / CONFIG_FILE).exists() and replace(read_config(folder), export=config.export) != config:
        raise ConfigError(f"{folder} holds a run of another recipe", advice="Give another folder with -o.")


def read_config(folder: Path) -> DetectionConfig:
    """The recipe of a run. Raises ConfigError when the folder holds none, or a damaged one."""
    return DetectionConfig.from_dict(read_config_table(folder))


def load_network(folder: str | Path) -> DetectionNetwork:
    """The network of a run: architecture from ``config.json``, averaged (EMA) weights from ``weights.pt``.

    A run that is not finished has no ``weights.pt`` yet; then they come from ``checkpoint.pt``, as they stand.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        ConfigError: the folder holds no run.
        ModelError: it holds no weights, damaged ones, or those of another architecture.
    """
    folder = Path(folder)
    network, place = DetectionNetwork(read_config(folder).network), torch.device("cpu")
    if (folder / WEIGHTS_FILE).exists():
        weights = load_tensors(folder / WEIGHTS_FILE, place)
    else:
        checkpoint = load_checkpoint(folder, place)
        if checkpoint is None:
            raise ModelError(f"{folder} holds no weights", advice="Train at least one epoch.")
        weights = checkpoint["average"]
    restore(network, weights, folder)
    return network.eval()
