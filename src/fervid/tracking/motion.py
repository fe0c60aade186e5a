"""How a face moves: a Kalman filter over its centre and size, in seconds.

The rate of each coordinate is an Ornstein–Uhlenbeck process: a face goes on as it went for about a second, then nobody
knows. Its transition is exact for any step, so that one filter serves 240 frames a second and one in two seconds.
Noise is measured in face sizes, so that near and far faces move alike; both axes share one covariance.
"""

from __future__ import annotations

import math
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from fervid.results import Box

_RATE: Final = np.array([1.2, 0.4])
"""Standard deviation of the rate: of the centre in sizes per second, of log width and log height per second."""
_MEMORY_S: Final = np.array([1.0, 1.0])
"""After this long a rate is forgotten (by the factor e): of the centre, of width and height."""
_FIRST_RATE: Final = np.array([2.5, 0.4])
"""The same of a face seen once: somebody who walks past goes five or more face sizes in a second."""
_NOISE: Final = np.array([0.05, 0.08])
"""Standard deviation of what a detector says of a face that stands still: of the centre in sizes, of the logarithms."""
_GROUP: Final = np.array([0, 0, 1, 1])
"""x, y share the first covariance, log width and log height the second."""


class Motion:
    """Where a face is, how fast it goes, and how well both are known.

    Args:
        box: where it was first seen.
    """

    __slots__ = ("_covariance", "_state")

    def __init__(self, box: Box) -> None:
        self._state = np.stack([_measure(box), np.zeros(4)], axis=1)  # value and rate of x, y, log width, log height
        self._covariance = np.zeros((2, 2, 2))
        self._covariance[:, 0, 0], self._covariance[:, 1, 1] = _NOISE**2, _FIRST_RATE**2

    @property
    def size(self) -> float:
        """Geometric mean of width and height, px."""
        return math.exp(self._state[2:, 0].mean())

    @property
    def box(self) -> Box:
        """The most likely box, px."""
        x, y, log_width, log_height = self._state[:, 0].tolist()
        half_width, half_height = math.exp(log_width) / 2, math.exp(log_height) / 2
        return Box(x - half_width, y - half_height, x + half_width, y + half_height)

    @property
    def speed(self) -> float:
        """Of the centre, face sizes per second."""
        return float(np.hypot(*self._state[:2, 1])) / self.size

    @property
    def innovation_variance(self) -> NDArray[np.float64]:
        """``(2,)``: how far from here the next detection may lie, sizes² and squared logarithms."""
        return np.asarray(self._covariance[:, 0, 0] + _NOISE**2)

    def predict(self, seconds: float) -> Self:
        """The same face that much later, as a new object."""
        steps = seconds / _MEMORY_S
        kept = np.exp(-steps)
        path = _MEMORY_S * (1 - kept)
        later = type(self).__new__(type(self))
        later._state = np.stack(
            [self._state[:, 0] + path[_GROUP] * self._state[:, 1], kept[_GROUP] * self._state[:, 1]], axis=1
        )
        transition = np.zeros((2, 2, 2))
        transition[:, 0, 0], transition[:, 0, 1], transition[:, 1, 1] = 1, path, kept
        diffusion = np.empty((2, 2, 2))  # doi:10.1103/PhysRev.36.823, eq. 10 and its mixed moments
        diffusion[:, 0, 0] = _MEMORY_S**2 * np.maximum(2 * steps - 3 + 4 * kept - kept**2, 0)
        diffusion[:, 0, 1] = diffusion[:, 1, 0] = _MEMORY_S * (1 - kept) ** 2
        diffusion[:, 1, 1] = 1 - kept**2
        later._covariance = transition @ self._covariance @ transition.mT + _RATE[:, None, None] ** 2 * diffusion
        return later

    def correct(self, box: Box) -> float:
        """Take a detection into account.

        Returns:
            How far the prediction was off, in face sizes.
        """
        offset = _measure(box) - self._state[:, 0]
        error = float(np.hypot(*offset[:2])) / self.size
        gain = self._covariance[:, :, 0] / self.innovation_variance[:, None]
        self._state = self._state + gain[_GROUP] * offset[:, None]
        self._covariance = self._covariance - gain[:, :, None] * self._covariance[:, None, 0, :]
        return error


def compare(motions: list[Motion], boxes: list[Box]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far boxes are from where faces are expected.

    Returns:
        ``(N, M)`` squared Mahalanobis distances (χ² with 4 degrees of freedom for the right box), and ``(N,)``
        logarithms of the determinant of what they were divided by: the vaguer a prediction, the larger.
    """
    if not motions or not boxes:
        return np.zeros((len(motions), len(boxes))), np.zeros(len(motions))
    expected = np.stack([m._state[:, 0] for m in motions])
    variances = np.stack([m.innovation_variance for m in motions])[:, _GROUP]
    units = np.ones((len(motions), 4))
    units[:, :2] = np.array([[m.size] for m in motions])
    offsets = (np.stack([_measure(b) for b in boxes])[None] - expected[:, None]) / units[:, None]
    return (offsets**2 / variances[:, None]).sum(axis=2), np.log(variances).sum(axis=1)


def _measure(box: Box) -> NDArray[np.float64]:
    """x, y of the centre, log width, log height; an empty box counts as 1 px."""
    return np.array([*box.centre, math.log(max(box.width, 1.0)), math.log(max(box.height, 1.0))])
