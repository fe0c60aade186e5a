"""Which training a recipe asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fervid.errors import ConfigError
from fervid.training.tables import read_toml

if TYPE_CHECKING:
    from fervid.training.detection.config import DetectionConfig
    from fervid.training.expressions.config import TrainingConfig

TASKS: Final = ("expression", "detection")
"""What ``task``, a key of the recipe's top level, may say; an absent one says the first."""

COMMON_KEYS: Final = frozenset({"name", "seed", "network", "schedule", "loss"})
"""Which ``config.json`` has had in every version, whatever the task."""


def is_recipe(table: Any) -> bool:
    """Whether what a JSON file holds is the whole recipe of either task, of this version or another."""
    return isinstance(table, dict) and table.keys() >= COMMON_KEYS


def read_recipe(path: str | Path) -> TrainingConfig | DetectionConfig:
    """Read a recipe of either task.

    Raises:
        ConfigError: no such file, not TOML, an unknown task or key, a wrong type or a value out of range.
    """
    table = read_toml(path)
    task = table.get("task", TASKS[0])
    if task == "detection":
        from fervid.training.detection.config import DetectionConfig

        return DetectionConfig.from_dict(table)
    if task == "expression":
        from fervid.training.expressions.config import TrainingConfig

        return TrainingConfig.from_dict({key: value for key, value in table.items() if key != "task"})
    raise ConfigError(f"task is {task!r}", advice=f"Use one of: {', '.join(TASKS)}.")
