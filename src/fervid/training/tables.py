"""Recipes: nested plain tables, as TOML and JSON give them, to dataclasses, every key, type and range checked."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fervid.errors import ConfigError

Precision = Literal["float16", "float32", "int8"]
"""How an exported file stores its weights; with int8 it computes in integers too, see :mod:`.quantisation`."""

UNSTATED: Final = "not stated"
"""What an exported file says of a licence that its recipe does not name."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """The tables of a recipe. Raises ConfigError when there is no such file or it is not TOML."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))  # Windows' Notepad may put a mark before it
    except OSError as error:
        raise ConfigError(f"cannot read the recipe {path} ({error.strerror})") from None
    except ValueError as error:  # of TOML, of UTF-8, or of an integer with too many digits for Python
        raise ConfigError(f"{path} is not TOML ({error})") from None


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError unless low ≤ value ≤ high."""
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value:g}", advice=f"It must lie between {low:g} and {high:g}.")


def check_pair(name: str, pair: tuple[float, float], low: float, high: float) -> None:
    """Raise ConfigError unless both values lie in the range and rise."""
    for value in pair:
        check_range(name, value, low, high)
    if pair[0] > pair[1]:
        raise ConfigError(f"{name} is {list(pair)}", advice="Give the lower value first.")


def check_name(name: str) -> None:
    """Raise ConfigError unless a recipe's name can name a folder and a file everywhere."""
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"name is {name!r}", advice="Use letters, digits, '-' and '_'.")


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """The file that the trained network becomes; it has no part in training.

    Attributes:
        precision: how it stores its weights.
        licence: of its weights: an SPDX identifier, or other words in one line; the file says "not stated" where it is
            empty.
    """

    precision: Precision = "float16"
    licence: str = ""

    def __post_init__(self) -> None:
        if not self.licence.isprintable() or self.licence != self.licence.strip():
            raise ConfigError(
                f"export.licence is {self.licence!r}, not one line of text",
                advice='Give an SPDX identifier, as "Apache-2.0", or a few words.',
            )
        known = typing.get_args(Precision)
        if self.precision not in known:
            raise ConfigError(f"export.precision is {self.precision!r}", advice=f"Use one of: {', '.join(known)}.")


def build_dataclass(kind: Any, table: Any, where: str = "") -> Any:
    """An instance of the dataclass ``kind``, its inner dataclasses and tuples included.

    Args:
        kind: a dataclass; its annotations are what values must be. An int serves for a float.
        table: keys and values; what is absent takes its default.
        where: path of the table within the outermost one, with a dot behind it; errors name it.

    Raises:
        ConfigError: an unknown or missing key, or a wrong type; or what ``kind`` itself finds wrong.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{where.rstrip('.') or 'the recipe'} is {table!r}, not a table")
    hints = typing.get_type_hints(kind)
    names = {f.name: f for f in dataclasses.fields(kind)}
    for key in table:
        if key not in names:
            raise ConfigError(f"unknown key {where}{key}", advice=f"Known here: {', '.join(names)}.")
    for name, f in names.items():
        no_default = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if no_default and name not in table:
            raise ConfigError(f"{where}{name} is missing", advice="Add it to the recipe.")
    return kind(**{key: _convert(hints[key], value, f"{where}{key}") for key, value in table.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    if type(value) is int and not -(2**63) <= value < 2**63:  # no float may hold it, so neither range nor format does
        raise ConfigError(f"{where} has more digits than an integer of TOML may have", advice="64 bits are the limit.")
    if dataclasses.is_dataclass(hint):
        return build_dataclass(hint, value, f"{where}.")
    if typing.get_origin(hint) is tuple:
        if isinstance(value, str) and typing.get_args(hint) == (str, Ellipsis):
            return (value,) if value else ()  # one text stands for a list of one
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} is {value!r}, not a list")
        inner = typing.get_args(hint)
        if inner[-1] is Ellipsis:
            return tuple(_convert(inner[0], v, where) for v in value)
        if len(value) != len(inner):
            raise ConfigError(f"{where} has {len(value)} values, not {len(inner)}")
        return tuple(_convert(h, v, where) for h, v in zip(inner, value, strict=True))
    if typing.get_origin(hint) is typing.Literal:
        hint = str  # which strings, the dataclass says
    accepted = (int, float) if hint is float else (hint,)
    if type(value) not in accepted:  # an exact match: True is no number
        raise ConfigError(f"{where} is {value!r}, not of type {hint.__name__}")
    return float(value) if hint is float else value
