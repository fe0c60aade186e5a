"""What a run leaves in its folder, and how it is read back.

``config.json`` is the architecture and everything else of the recipe, ``weights.pt`` the averaged weights alone: these
two are all that :func:`load_network` needs. ``checkpoint.pt`` is what a run needs to go on, ``metrics.jsonl`` one line
per finished epoch.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from fervid.errors import ConfigError, ModelError
from fervid.files import write_atomically
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.network import ExpressionNetwork

CONFIG_FILE: Final = "config.json"
CHECKPOINT_FILE: Final = "checkpoint.pt"
WEIGHTS_FILE: Final = "weights.pt"
METRICS_FILE: Final = "metrics.jsonl"


def claim_folder(config: TrainingConfig, folder: Path) -> None:
    """Make the folder of a run, or recognise it as this recipe's.

    Raises:
        ConfigError: it holds a run of another recipe.
    """
    check_folder(config, folder)
    if (folder / CONFIG_FILE).exists():
        return
    with write_atomically(folder / CONFIG_FILE) as part:
        part.write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")


def check_folder(config: TrainingConfig, folder: Path) -> None:
    """Raise ConfigError when the folder holds a run of another recipe; leave it as it is.

    A run may be exported as another recipe says: that changes nothing of the run.
    """
    if (folder / CONFIG_FILE).exists() and replace(read_config(folder), export=config.export) != config:
        raise ConfigError(f"{folder} holds a run of another recipe", advice="Give another folder with -o.")


def check_data(folder: Path, digest: str) -> None:
    """Raise ConfigError when the folder's run saw other faces than those of this :attr:`.data.TrainingData.digest`."""
    checkpoint = load_checkpoint(folder, torch.device("cpu"))
    facts = checkpoint.get("facts", {}) if checkpoint is not None else {}
    if facts.get("data", digest) != digest:
        raise ConfigError(f"{folder} holds a run on other data", advice="Give the faces that it was trained with.")


def read_config(folder: Path) -> TrainingConfig:
    """The recipe of a run. Raises ConfigError when the folder holds none, or a damaged one."""
    path = folder / CONFIG_FILE
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read {path} ({error.strerror})", advice="Give the folder of a run of fervid train."
        ) from None
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON ({error})", advice="Train again into another folder.") from None
    return TrainingConfig.from_dict(table)


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    metrics: list[dict[str, Any]],
    **facts: str | bool,
) -> None:
    """Write ``checkpoint.pt`` and ``metrics.jsonl`` after an epoch; ``facts`` are what a continued run must repeat."""
    state = {
        "epochs": len(metrics),
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "metrics": metrics,
        "facts": facts,
    }
    with write_atomically(folder / CHECKPOINT_FILE) as part:
        torch.save(state, part)
    with write_atomically(folder / METRICS_FILE) as part:
        part.write_text("".join(json.dumps(line) + "\n" for line in metrics), encoding="utf-8")


def load_checkpoint(folder: Path, place: torch.device) -> dict[str, Any] | None:
    """The tables that :func:`save_checkpoint` wrote, or None before the first epoch's end.

    Raises:
        ModelError: the file is damaged.
    """
    if not (folder / CHECKPOINT_FILE).exists():
        return None
    return _load(folder / CHECKPOINT_FILE, place)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's ``metrics.jsonl``; empty when it has none yet."""
    path = folder / METRICS_FILE
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def save_weights(folder: Path, network: nn.Module) -> None:
    """Write ``weights.pt``, the state of the finished network."""
    with write_atomically(folder / WEIGHTS_FILE) as part:
        torch.save(network.state_dict(), part)


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
    place = torch.device("cpu")
    if (folder / WEIGHTS_FILE).exists():
        weights = _load(folder / WEIGHTS_FILE, place)
    else:
        checkpoint = load_checkpoint(folder, place)
        if checkpoint is None:
            raise ModelError(f"{folder} holds no weights", advice="Train at least one epoch.")
        weights = checkpoint["average"]
    network = ExpressionNetwork(config.network, config.labels)
    restore(network, weights, folder)
    return network.eval()


def start_from(network: nn.Module, path: str | Path) -> str:
    """Copy the weights of another run, ``weights.pt`` or its folder, into a network that begins.

    Returns:
        The first 12 hexadecimal digits of the file's SHA-256.

    Raises:
        ConfigError: there is no such file, or it is another architecture's.
        ModelError: it is damaged.
    """
    path = Path(path)
    file = path / WEIGHTS_FILE if path.is_dir() else path
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise ConfigError(
            f"cannot read the initial weights {file} ({error.strerror})",
            advice="Give the weights.pt of a finished run; a relative path begins where you are.",
        ) from None
    try:
        network.load_state_dict(_load(file, torch.device("cpu")))
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ConfigError(
            f"the initial weights {file} do not fit the recipe's network ({reason})",
            advice="Give the recipe the [network] and labels of the run that they come from.",
        ) from None
    return digest


def restore(network: nn.Module, weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Copy weights into a network. Raises ModelError when they are another architecture's."""
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"the weights in {folder} do not fit its {CONFIG_FILE} ({reason})",
            advice="Train again into another folder.",
        ) from None


def _load(path: Path, place: torch.device) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location=place, weights_only=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(f"{path} is damaged ({reason})", advice="Delete it and train again.") from None
    return state
