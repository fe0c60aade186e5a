"""The two values that every result is made of: a rectangle, and probabilities by label."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fervid.errors import UsageError


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in float px of the upright picture, half-open: x1 ≤ x < x2, y1 ≤ y < y2.

    Raises:
        UsageError: a coordinate is not finite, or x2 < x1 or y2 < y1.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        values = (self.x1, self.y1, self.x2, self.y2)
        if not all(math.isfinite(v) for v in values) or self.x2 < self.x1 or self.y2 < self.y1:
            raise UsageError(f"{values} is no box", advice="Give finite x1 ≤ x2 and y1 ≤ y2.")
        for name, value in zip(("x1", "y1", "x2", "y2"), values, strict=True):
            object.__setattr__(self, name, float(value))

    @property
    def width(self) -> float:
        """x2 − x1."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """y2 − y1."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Width × height, px²."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Distribution(Mapping[str, float]):
    """Probabilities by label, in a fixed order; reads like a dict, and equals one of the same labels and values.

    Args:
        labels: the labels.
        values: as many probabilities, each in 0–1, that sum to 1 (± 0.001).

    Raises:
        UsageError: lengths differ, a label repeats, or the values are no distribution.
    """

    labels: tuple[str, ...]
    values_tuple: tuple[float, ...] = field(repr=False)

    def __init__(self, labels: Sequence[str], values: Sequence[float] | NDArray[np.floating]) -> None:
        names, numbers = tuple(labels), tuple(float(v) for v in values)
        if len(names) != len(numbers) or len(set(names)) != len(names):
            raise UsageError(f"{len(numbers)} values for the labels {names}", advice="Give one value per label.")
        if not all(-1e-6 <= v <= 1 + 1e-6 for v in numbers) or abs(sum(numbers) - 1) > 1e-3:
            raise UsageError(f"{numbers} is no distribution", advice="Values lie in 0–1 and sum to 1.")
        object.__setattr__(self, "labels", names)
        object.__setattr__(self, "values_tuple", numbers)

    def __getitem__(self, label: str) -> float:
        try:
            return self.values_tuple[self.labels.index(label)]
        except ValueError:
            raise KeyError(label) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))  # a Mapping's order is no part of its equality

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def top(self) -> str:
        """The most probable label; the first of them on a tie."""
        return self.labels[self.values_tuple.index(max(self.values_tuple))]

    @property
    def array(self) -> NDArray[np.float64]:
        """``(len,)`` float64, a fresh copy in label order."""
        return np.array(self.values_tuple)

    def to_dict(self) -> dict[str, float]:
        """Plain dict with six decimals, as JSON carries it."""
        return {str(label): round(value, 6) for label, value in self.items()}
