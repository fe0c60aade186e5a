"""The folder of a detector's run; :mod:`fervid.training.checkpoint` says what is in it."""

from __future__ import annotations

from pathlib import Path

from fervid.training.checkpoint import load_average, read_config_table, restore
from fervid.training.detection.config import DetectionConfig
from fervid.training.detection.network import DetectionNetwork


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
    network = DetectionNetwork(read_config(folder).network)
    restore(network, load_average(folder), folder)
    return network.eval()
