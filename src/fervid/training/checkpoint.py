"""What every training run leaves in its folder, and how it is read back.

``config.json`` is the recipe, ``weights.pt`` the averaged weights alone, written when the run is finished,
``checkpoint.pt`` what a run needs to go on, ``metrics.jsonl`` one line per finished epoch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self

import torch
from torch import nn

from fervid.errors import ConfigError, ModelError, OutputError
from fervid.files import write_file
from fervid.training.recipes import is_recipe
from fervid.training.tensorfiles import load_tensors, save_tensors

CONFIG_FILE: Final = "config.json"
CHECKPOINT_FILE: Final = "checkpoint.pt"
WEIGHTS_FILE: Final = "weights.pt"
METRICS_FILE: Final = "metrics.jsonl"

MOST_DIFFERENCES: Final = 3
"""Between two recipes, that an error names."""

ANEW: Final = "Give another folder with -o, or delete this one to begin anew."


def write_config(folder: Path, table: dict[str, Any]) -> None:
    """Write ``config.json``; the folder is made if absent. Raises OutputError when it cannot be written."""
    write_file(folder / CONFIG_FILE, json.dumps(table, indent=2) + "\n")


def read_config_table(folder: Path) -> dict[str, Any]:
    """What ``config.json`` holds. Raises ConfigError when the folder holds none, or a damaged one."""
    path = folder / CONFIG_FILE
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read {path} ({error.strerror})", advice="Give the folder of a run of fervid train."
        ) from None
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON ({error})", advice="Train again into another folder.") from None
    return table


class Recipe(Protocol):
    """What the recipes of expression networks and detectors have in common; both are frozen dataclasses."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def export(self) -> object:
        """How the finished network is written."""

    def to_dict(self) -> dict[str, Any]:
        """As ``config.json`` holds it."""

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Self:
        """Read what :meth:`to_dict` made."""


def claim_folder(config: Recipe, folder: Path) -> None:
    """Make the folder of a run, or recognise it as this recipe's.

    Raises:
        ConfigError: as :func:`check_folder`.
        OutputError: it cannot be written to.
    """
    check_folder(config, folder)
    if not (is_begun(folder) and (folder / CONFIG_FILE).exists()):
        write_config(folder, config.to_dict())


def check_folder(config: Recipe, folder: Path) -> None:
    """Look whether a run of this recipe may use the folder, and leave it as it is.

    A recipe that no epoch was finished of gives way to any other.

    Raises:
        ConfigError: it holds a run of another recipe, or what is left of one that can neither go on nor be exported,
            or a ``config.json`` of something else.
        OutputError: nothing can be there.
    """
    try:
        begun = is_begun(folder)
    except OSError as error:
        raise OutputError.for_place(folder, error) from None
    if not begun:
        _check_place(folder)
        return
    check_recipe(config, folder)
    if not (folder / CHECKPOINT_FILE).exists() and not is_complete(folder):
        missing = " and ".join(name for name in (CONFIG_FILE, CHECKPOINT_FILE) if not (folder / name).exists())
        raise ConfigError(f"{folder} holds what is left of a run, which cannot go on without {missing}", advice=ANEW)


def _check_place(folder: Path) -> None:
    """Raise ConfigError when a run would write its ``config.json`` over one that is not fervid's."""
    path = folder / CONFIG_FILE
    if not path.exists():
        return
    try:
        table: Any = read_config_table(folder)
    except ConfigError:
        table = None
    if not is_recipe(table):
        raise ConfigError(
            f"{path} is no recipe of fervid, and the run would write over it", advice="Give another folder with -o."
        )


def is_begun(folder: Path) -> bool:
    """Whether a folder holds anything that a run has learned."""
    return any((folder / name).exists() for name in (CHECKPOINT_FILE, METRICS_FILE, WEIGHTS_FILE))


def is_complete(folder: Path) -> bool:
    """Whether a folder holds all that is needed of a finished run; its ``checkpoint.pt`` no longer is."""
    return all((folder / name).exists() for name in (CONFIG_FILE, WEIGHTS_FILE))


def check_recipe(config: Recipe, folder: Path) -> None:
    """Look whether ``config.json``, if it is there, is this recipe's.

    A run may be exported as another recipe says: that changes nothing of the run.

    Raises:
        ConfigError: it is another's.
    """
    if not (folder / CONFIG_FILE).exists():
        return
    table = read_config_table(folder)
    try:
        before = replace(config.from_dict(table), export=config.export)
    except ConfigError:  # of the other task, or of a version with other keys
        before = None
    if before != config:
        found = [] if before is None else list(_compare(before.to_dict(), config.to_dict()))
        which = f": {', '.join(found[:MOST_DIFFERENCES])}" if found else ""
        more = ", …" if len(found) > MOST_DIFFERENCES else ""
        raise ConfigError(f"{folder} holds a run of another recipe{which}{more}", advice="Give another folder with -o.")


def _compare(there: Any, here: Any, where: str = "") -> Iterator[str]:
    """In what two recipes differ, key by key."""
    if isinstance(there, dict):
        for key, value in there.items():
            yield from _compare(value, here[key], f"{where}.{key}".lstrip("."))
    elif there != here:
        yield f"{where} is {there!r} there, {here!r} here"


def load_average(folder: Path) -> dict[str, Any]:
    """The averaged (EMA) weights of a run, from ``weights.pt``, or as they stand while it is not finished; on the CPU.

    Raises:
        ModelError: it holds none, or damaged ones.
    """
    place = torch.device("cpu")
    if (folder / WEIGHTS_FILE).exists():
        return load_tensors(folder / WEIGHTS_FILE, place)
    checkpoint = load_checkpoint(folder, place)
    if checkpoint is None:
        raise ModelError(f"{folder} holds no weights", advice="Train at least one epoch.")
    average: dict[str, Any] = checkpoint["average"]
    return average


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    metrics: list[dict[str, Any]],
    facts: dict[str, Any],
) -> None:
    """Write ``checkpoint.pt`` and ``metrics.jsonl`` after an epoch; ``facts`` are what a continued run must repeat.

    Raises:
        OutputError: they cannot be written.
    """
    state = {
        "epochs": len(metrics),
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "metrics": metrics,
        "facts": facts,
    }
    save_tensors(folder / CHECKPOINT_FILE, state)
    write_metrics(folder, metrics)


def write_metrics(folder: Path, metrics: list[dict[str, Any]]) -> None:
    """Write ``metrics.jsonl`` from the lines of ``checkpoint.pt``, which a continued run does first of all.

    A disc that was full just after a checkpoint has kept its epoch's line out, and after the last epoch none follows.

    Raises:
        OutputError: it cannot be written.
    """
    write_file(folder / METRICS_FILE, "".join(json.dumps(line) + "\n" for line in metrics))


def load_checkpoint(folder: Path, place: torch.device) -> dict[str, Any] | None:
    """The tables that :func:`save_checkpoint` wrote, or None before the first epoch's end, or when it was deleted.

    Raises:
        ModelError: the file is damaged.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    complete = is_complete(folder)
    advice = f"Delete it: the run is finished, and {WEIGHTS_FILE} is all that it needs." if complete else ANEW
    state = load_tensors(path, place, advice=advice)
    missing = [key for key in ("network", "average", "optimizer", "metrics") if key not in state]
    if missing:
        raise ModelError(f"{path} is damaged (it has no {missing[0]})", advice=advice)
    return state


def load_finished(folder: Path) -> dict[str, Any] | None:
    """The weights of a finished run whose ``checkpoint.pt`` was deleted, on the CPU; None of any other folder.

    Raises:
        ModelError: they are damaged.
    """
    if (folder / CHECKPOINT_FILE).exists() or not is_complete(folder):
        return None
    return load_tensors(folder / WEIGHTS_FILE, torch.device("cpu"), advice=ANEW)


def find_data(folder: Path, checkpoint: dict[str, Any] | None) -> str | None:
    """Digest of the data that a run learns from; None when it has none yet, or is too old to say.

    Args:
        folder: of the run.
        checkpoint: from :func:`load_checkpoint`; when it was deleted, the first line of ``metrics.jsonl`` says it.

    Raises:
        ModelError: ``metrics.jsonl`` is needed and damaged.
    """
    facts = next(iter(read_metrics(folder)), {}) if checkpoint is None else checkpoint.get("facts", {})
    digest: str | None = facts.get("data")
    return digest


def count_epochs(folder: Path, epochs: int) -> int:
    """How many epochs of a run are finished and kept, of so many.

    ``metrics.jsonl`` does not say: it may lack the last one's line, and outlive the weights.

    Raises:
        ModelError: the checkpoint is damaged.
    """
    checkpoint = load_checkpoint(folder, torch.device("cpu"))
    if checkpoint is not None:
        return len(checkpoint["metrics"])
    return epochs if is_complete(folder) else 0


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's ``metrics.jsonl``; empty when it has none yet.

    Raises:
        ModelError: a line is no JSON.
    """
    path = folder / METRICS_FILE
    if not path.exists():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    except ValueError as error:
        raise ModelError(
            f"{path} is damaged ({error})", advice="Remove the line, or the folder to begin the run anew."
        ) from None


def save_weights(folder: Path, network: nn.Module) -> None:
    """Write ``weights.pt``, the state of the finished network. Raises OutputError when it cannot be written."""
    save_tensors(folder / WEIGHTS_FILE, network.state_dict())


def start_from(
    network: nn.Module,
    paths: Sequence[str],
    read: Callable[[str], tuple[str, dict[str, Any]]] | None = None,
) -> str:
    """Copy the weights of other runs into a network that begins.

    Of several, the mean of their weights (Wortsman et al. 2022, "Model soups"), which is of use when one began where
    another ended.

    Args:
        network: that begins.
        paths: of the runs.
        read: gives the digest and the state of each; :func:`read_run` when None.

    Returns:
        The digests, joined by ``+``.

    Raises:
        ConfigError: there is no such file, or it is another architecture's than the recipe's or the first one's.
        ModelError: it is damaged.
    """
    digests: list[str] = []
    states: list[dict[str, Any]] = []
    for path in paths:
        digest, state = (read or read_run)(path)
        try:
            network.load_state_dict(state)
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise ConfigError(
                f"the initial weights {path} do not fit the recipe's network ({reason})",
                advice="Give the recipe the network of the run that they come from.",
            ) from None
        if states and _list_shapes(state) != _list_shapes(states[0]):  # a network may take weights of several shapes
            raise ConfigError(
                f"the initial weights {path} are of another network than {paths[0]}, so they have no mean",
                advice="Give one of them, or runs of one network.",
            )
        digests.append(digest)
        states.append(state)
    network.load_state_dict(average_weights(states))
    return "+".join(digests)


def _list_shapes(state: dict[str, Any]) -> dict[str, Any]:
    return {key: getattr(value, "shape", None) for key, value in state.items()}


def read_run(path: str) -> tuple[str, dict[str, Any]]:
    """The first 12 hexadecimal digits of the SHA-256 of a run's ``weights.pt``, and the state that it holds.

    Args:
        path: of the file, or of its folder.

    Raises:
        ConfigError: there is no such file.
        ModelError: it is damaged.
    """
    file = find_run(path)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12], load_tensors(file, torch.device("cpu"))


def find_run(path: str) -> Path:
    """The ``weights.pt`` of a run that another begins from.

    Args:
        path: of the file, or of its folder.

    Raises:
        ConfigError: there is no such file.
    """
    file = Path(path)
    if file.suffix == ".onnx":
        raise ConfigError(
            f"the initial weights {file} are an exported file, from which only expression networks can go on",
            advice="Give the folder of the run that it was exported from.",
        )
    file = file / WEIGHTS_FILE if file.is_dir() else file
    try:
        with file.open("rb"):
            return file
    except OSError as error:
        raise ConfigError(
            f"cannot read the initial weights {file} ({error.strerror})",
            advice="Give the weights.pt of a finished run; a relative path begins where you are.",
        ) from None


def average_weights(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of the weights of networks of one architecture; what is not a real number comes from the first."""
    return {
        key: torch.stack([state[key] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for key, value in states[0].items()
    }


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
