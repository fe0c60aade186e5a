"""One steady answer per person from many shaky ones.

A running mean weighs what was seen by exp(−age / ``smooth_s``), in seconds: the frame rate and gaps do not matter.
A second mean with a shorter memory watches for changes: when the two differ by a quarter of all probability, the person
has changed and the long one starts afresh from the short one. A label gives way to one that is clearly more probable,
or more probable for long. ``benchmarks/smoothing.py`` measures what this costs and brings; the constants below come
from it: 40 times fewer changes of label than without, 0.15 s later (0.4 s later without the second mean).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.emotions import Emotion
from fervid.errors import UsageError
from fervid.results import Distribution, Face

SMOOTH_S: Final = 0.5
"""Default memory, s."""
MARGIN: Final = 0.1
"""A label gives way to one that is more probable by this; certainty changes half of it beyond the threshold."""

_WATCH: Final = 0.3
"""Memory of the watching mean, as a share of the long one's: blinks are too short for it."""
_CHANGE: Final = 0.25
"""Total variation distance between the means that counts as a change."""
_PATIENCE: Final = 2.0
"""A label that leads by less wins when it has led for this many memories without a break."""
_FORGET_S: Final = 60.0
"""Whoever was not seen for so long does not come back under the same number."""


class _Mean:
    """Exponential mean of samples at any times, free of bias from its beginning on."""

    def __init__(self, memory_s: float, sample: NDArray[np.float64]) -> None:
        self.memory_s = memory_s
        self.value = sample
        self._weight = math.nan

    def add(self, sample: NDArray[np.float64], seconds: float) -> None:
        kept = math.exp(-seconds / self.memory_s)
        if math.isnan(self._weight):  # the first sample stood for as long as it took until the second
            self._weight = 1 - kept
        old, new = self._weight * kept, 1 - kept
        if new > 0:
            self.value = (old * self.value + new * sample) / (old + new)
        self._weight = old + new

    def restart(self, value: NDArray[np.float64], stood_s: float) -> None:
        self.value, self._weight = value, 1 - math.exp(-stood_s / self.memory_s)


class _Person:
    """What is remembered of one track."""

    def __init__(self, probabilities: NDArray[np.float64], time_s: float, smooth_s: float) -> None:
        self.mean = _Mean(smooth_s, probabilities)
        self.watch = _Mean(smooth_s * _WATCH, probabilities)
        self.time_s = time_s
        self.label: int | None = None
        self.labelled = False
        self.rival: int | None = None
        self.rival_s: float | None = None

    def add(self, probabilities: NDArray[np.float64], time_s: float) -> None:
        for mean in (self.mean, self.watch):
            mean.add(probabilities, time_s - self.time_s)
        self.time_s = time_s
        if np.abs(self.mean.value - self.watch.value).sum() / 2 > _CHANGE:
            self.mean.restart(self.watch.value, self.watch.memory_s)

    def choose(self, threshold: float, margin: float) -> int | None:
        """The label, as an index; None is uncertain."""
        values = self.mean.value
        top = int(np.argmax(values))
        rival = top if values[top] >= threshold else None
        if not self.labelled:
            self.label, self.labelled = rival, True
        if rival == self.label:
            self.rival_s = None
            return self.label
        if self.rival_s is None or rival != self.rival:
            self.rival, self.rival_s = rival, self.time_s
        if rival is None or self.label is None:
            lead = 2 * abs(values[top] - threshold)
        else:
            lead = values[top] - values[self.label]
        if lead > margin or self.time_s - self.rival_s >= _PATIENCE * self.mean.memory_s:
            self.label, self.rival_s = rival, None
        return self.label


class Smoother:
    """Smooths the answers of every track of one film.

    Args:
        threshold: below this probability a face is uncertain; the model's ``spec.threshold``.
        smooth_s: memory in seconds; 0 leaves every face as it is.
        margin: see :data:`MARGIN`.

    Raises:
        UsageError: ``smooth_s`` or ``margin`` is negative or not finite.
    """

    def __init__(self, threshold: float, smooth_s: float = SMOOTH_S, *, margin: float = MARGIN) -> None:
        if not (0 <= smooth_s < math.inf and 0 <= margin < 1):
            raise UsageError(
                f"smooth_s is {smooth_s}, margin is {margin}", advice="Use seconds of 0 or more, a margin of 0 to 1."
            )
        self.threshold = threshold
        self.smooth_s = smooth_s
        self.margin = margin
        self._people: dict[int, _Person] = {}

    def smooth(self, faces: Sequence[Face], time_s: float) -> tuple[Face, ...]:
        """Take the faces of the next frame into account.

        Args:
            faces: those without a ``track_id`` are left as they are.
            time_s: of the frame; not before the last one.

        Returns:
            The faces with ``smoothed``, and ``emotion`` and ``confidence`` read from it; ``probabilities`` stay raw.

        Raises:
            UsageError: the time runs backwards.
        """
        if self.smooth_s == 0:
            return tuple(faces)
        self._people = {i: p for i, p in self._people.items() if time_s - p.time_s <= _FORGET_S}
        return tuple(face if face.track_id is None else self._smooth(face, face.track_id, time_s) for face in faces)

    def _smooth(self, face: Face, track_id: int, time_s: float) -> Face:
        person = self._people.get(track_id)
        if person is None:
            person = self._people[track_id] = _Person(face.probabilities.array, time_s, self.smooth_s)
        elif time_s < person.time_s:
            raise UsageError(f"a frame at {time_s} s after {person.time_s} s", advice="Give frames in their order.")
        else:
            person.add(face.probabilities.array, time_s)
        smoothed = Distribution(face.probabilities.labels, person.mean.value)
        label = person.choose(self.threshold, self.margin)
        return dataclasses.replace(
            face,
            emotion=None if label is None else Emotion(smoothed.labels[label]),
            confidence=smoothed[smoothed.top] if label is None else smoothed.values_tuple[label],
            smoothed=smoothed,
        )
