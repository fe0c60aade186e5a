"""Who is who from frame to frame, by motion alone: no appearance, nothing that could recognise a person.

A detection belongs to the track that expected it there. Sure detections find their tracks first, unsure ones may extend
what is left but never begin a track (ByteTrack, Zhang et al. 2022, arXiv:2110.06864). All limits are in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from fervid.errors import UsageError
from fervid.results import Box
from fervid.tracking.assignment import assign
from fervid.tracking.motion import Motion, compare

_GATE: Final = 25.0
"""Squared Mahalanobis distance beyond which a detection is another face: 1 in 20,000 of the right ones (χ², 4)."""
_UNSURE_GATE: Final = 13.3
"""The same for an unsure detection: 1 in 100."""
_REACH: Final = 2.5
"""No face jumps farther than this many of its sizes between two sightings, however long it was away."""


class Track:
    """One person from the first sighting to the last.

    Attributes:
        id: 1, 2, 3 … in the order of confirmation; None before it, and for ever if it never comes.
        box: where the face is, smoothed by the motion model, px; the last sighting's when it is out of sight.
        score: of the last detection, 0–1.
        first_s: of the first sighting.
        last_s: of the last sighting.
        hits: sightings.
        error: how far the last prediction was off, in face sizes; None after the first sighting.
        ended: it will not be seen again.
    """

    __slots__ = ("_motion", "ended", "error", "first_s", "hits", "id", "last_s", "misses", "score")

    def __init__(self, box: Box, score: float, time_s: float) -> None:
        self.id: int | None = None
        self.score = score
        self.first_s = self.last_s = time_s
        self.hits = 1
        self.misses = 0
        self.error: float | None = None
        self.ended = False
        self._motion = Motion(box)

    @property
    def box(self) -> Box:
        return self._motion.box

    @property
    def speed(self) -> float:
        """Face sizes per second."""
        return self._motion.speed

    @property
    def confirmed(self) -> bool:
        """Whether it has an id."""
        return self.id is not None

    @property
    def decided(self) -> bool:
        """Whether its id is final: it has one, or will never get one."""
        return self.confirmed or self.ended

    def predict(self, time_s: float) -> Box:
        """Where the face will be, px."""
        return self._motion.predict(max(0.0, time_s - self.last_s)).box

    def _see(self, motion: Motion, box: Box, score: float, time_s: float) -> None:
        self.error = motion.correct(box)
        self._motion, self.score, self.last_s = motion, score, time_s
        self.hits, self.misses = self.hits + 1, 0


class Tracker:
    """Gives every face the number of its track.

    Args:
        size: (width, height) of the pictures, px; a face expected beyond the border has left. None: there is no border.
        sure_score: detections below this extend tracks but begin none.
        confirm_s: a track gets its id when it has been seen twice over this time.
        lost_s: a confirmed track ends when it has not been seen for this long, and for two frames at least.
    """

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        *,
        sure_score: float = 0.0,
        confirm_s: float = 0.1,
        lost_s: float = 2.0,
    ) -> None:
        if not (confirm_s >= 0 and lost_s > 0):
            raise UsageError(f"confirm_s is {confirm_s}, lost_s is {lost_s}", advice="Use seconds of 0 or more.")
        self.size = size
        self.sure_score = sure_score
        self.confirm_s = confirm_s
        self.lost_s = lost_s
        self.births = 0
        self.losses = 0
        self._tracks: list[Track] = []
        self._time_s = -math.inf
        self._last_id = 0

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Those that have not ended, oldest first; ``misses`` counts the frames since a track was seen."""
        return tuple(self._tracks)

    @property
    def visible(self) -> tuple[Track, ...]:
        """Those seen in the last frame."""
        return tuple(track for track in self._tracks if track.misses == 0)

    def update(self, boxes: Sequence[Box], scores: Sequence[float], time_s: float) -> list[Track | None]:
        """Find the track of every face of a frame on which the detector ran.

        Args:
            boxes: the detections, in any order: the answer does not depend on it.
            scores: as many, 0–1.
            time_s: of the frame; not before the last one.

        Returns:
            A track per box, none twice; None for an unsure detection without a track.

        Raises:
            UsageError: the time runs backwards, or there are not as many scores as boxes.
        """
        if len(boxes) != len(scores):
            raise UsageError(f"{len(scores)} scores for {len(boxes)} boxes", advice="Give one per box.")
        if not (math.isfinite(time_s) and time_s >= self._time_s):
            raise UsageError(f"a frame at {time_s} s after {self._time_s} s", advice="Give frames in their order.")
        self._time_s = time_s
        order = sorted(
            range(len(boxes)), key=lambda i: (-scores[i], boxes[i].x1, boxes[i].y1, boxes[i].x2, boxes[i].y2)
        )
        sure = [i for i in order if scores[i] >= self.sure_score]
        unsure = [i for i in order if scores[i] < self.sure_score]
        found: list[Track | None] = [None] * len(boxes)

        waiting = {track: track._motion.predict(time_s - track.last_s) for track in self._tracks}

        def pair(tracks: list[Track], detections: list[int], gate: float) -> None:
            motions, candidates = [waiting[t] for t in tracks], [boxes[i] for i in detections]
            for row, column in _match(motions, candidates, gate):
                track, index = tracks[row], detections[column]
                track._see(waiting.pop(track), boxes[index], scores[index], time_s)
                found[index] = track

        pair([t for t in waiting if t.confirmed], sure, _GATE)
        pair([t for t in waiting if t.confirmed], unsure, _UNSURE_GATE)
        pair([t for t in waiting if not t.confirmed], [i for i in sure if found[i] is None], _GATE)

        self.losses = sum(track.confirmed and track.misses == 0 for track in waiting)
        for track, expected in waiting.items():
            track.misses += 1
            track.ended = self._has_ended(track, expected.box)
        self._tracks = [t for t in self._tracks if not t.ended]
        newborn = [i for i in sure if found[i] is None]
        self.births = len(newborn)
        for index in newborn:
            track = found[index] = Track(boxes[index], scores[index], time_s)
            self._tracks.append(track)
        self._confirm(time_s)
        return found

    def predict(self, time_s: float) -> list[tuple[Track, Box]]:
        """Where the faces seen last are at a time for which the detector was not asked, px; changes nothing."""
        return [(track, track.predict(time_s)) for track in self.visible]

    def end(self) -> None:
        """End every track: a scene cut, or the film is over. Ids are not given again."""
        for track in self._tracks:
            track.ended = True
        self._tracks = []

    def _has_ended(self, track: Track, expected: Box) -> bool:
        away_s = self._time_s - track.last_s
        if self.size is not None:
            x, y = expected.centre
            if not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
                return True
        return track.misses >= 2 and away_s > (self.lost_s if track.confirmed else self.confirm_s)

    def _confirm(self, time_s: float) -> None:
        ripe = [t for t in self.visible if not t.confirmed and t.hits >= 2 and time_s - t.first_s >= self.confirm_s]
        for track in sorted(ripe, key=lambda t: (t.first_s, t.box.x1, t.box.y1)):
            self._last_id += 1
            track.id = self._last_id


def _match(motions: list[Motion], boxes: list[Box], gate: float) -> list[tuple[int, int]]:
    """Pairs of a prediction and a detection; a vague prediction yields to a sharp one."""
    if not motions or not boxes:
        return []
    distances, vagueness = compare(motions, boxes)
    centres = np.array([b.centre for b in boxes])
    expected = np.array([m.box.centre for m in motions])
    jumps = np.hypot(*(centres[None] - expected[:, None]).transpose(2, 0, 1)) / np.array([[m.size] for m in motions])
    costs = np.where((distances <= gate) & (jumps <= _REACH), distances + vagueness[:, None], np.inf)
    return assign(costs, gate + float(vagueness.max()))
