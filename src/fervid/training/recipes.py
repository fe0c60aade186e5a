"""Which training a recipe asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fervid.errors import ConfigError
from fervid.training.tables import read_toml

if TYPE_CHECKING:
    from fervid.training.detection.config import DetectionConfig
    from fervid.training.expressions.config import TrainingConfig

TASKS: Final = ("expression", "detection")
"""What ``task``, a key of the recipe's top level, may say; an absent one says the first."""


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
