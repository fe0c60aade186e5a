"""The folder of an expression network's run; :mod:`fervid.training.checkpoint` says what is in it."""

from __future__ import annotations

from pathlib import Path

import torch

from fervid.errors import ConfigError
from fervid.training.checkpoint import (
    find_data,
    load_average,
    load_checkpoint,
    read_config_table,
    read_metrics,
    restore,
)
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.network import ExpressionNetwork


def check_data(folder: Path, digest: str) -> None:
    """Raise ConfigError when the folder's run saw other faces than those of this :attr:`.data.TrainingData.digest`."""
    if find_data(folder, load_checkpoint(folder, torch.device("cpu"))) not in (None, digest):
        raise ConfigError(f"{folder} holds a run on other data", advice="Give the faces that it was trained with.")


def list_origins(folder: Path) -> set[str]:
    """Digests of the files that a run began with; empty when it began by chance."""
    checkpoint = load_checkpoint(folder, torch.device("cpu"))
    if checkpoint is not None:
        begun = checkpoint.get("facts", {}).get("initial_weights", "")
    else:  # it was deleted when the run was finished
        begun = next(iter(read_metrics(folder)), {}).get("initial_weights", "")
    return set(str(begun).split("+")) - {""}


def read_config(folder: Path) -> TrainingConfig:
    """The recipe of a run. Raises ConfigError when the folder holds none, a damaged one, or a detector's."""
    table = read_config_table(folder)
    if "task" in table:  # which those of expression networks do not name
        raise ConfigError(f"{folder} holds a run of a detector", advice="fervid train exports it, as its recipe says.")
    return TrainingConfig.from_dict(table)


def load_network(folder: str | Path) -> ExpressionNetwork:
    """The network of a run: architecture from ``config.json``, averaged (EMA) weights from ``weights.pt``.

    A run that is not finished has no ``weights.pt`` yet; then they come from ``checkpoint.pt``, as they stand.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        ConfigError: the folder holds no run.
        ModelError: it holds no weights, damaged ones, or those of another architecture.
    """
    folder = Path(folder)
    config = read_config(folder)
    network = ExpressionNetwork(config.network, config.labels)
    restore(network, load_average(folder), folder)
    return network.eval()
