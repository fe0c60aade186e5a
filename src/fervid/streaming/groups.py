"""Who is on which frame: the detector on some frames, tracks on all of them.

Frames go through in groups. The detector looks at the last frame of each; on the others a face lies on the straight
line between the sightings before and after. Of a live camera no frame waits for the next one: there the tracker says
where the faces have gone since they were last seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fervid.detection.detector import Detection
from fervid.geometry import move_points
from fervid.results import Box
from fervid.tracking.schedule import Schedule
from fervid.tracking.tracker import Track, Tracker


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One face on one frame.

    Attributes:
        detection: where it is.
        track: whose face it is; None for an unsure detection that is nobody's.
    """

    detection: Detection
    track: Track | None


class GroupTracker:
    """Chooses the frames that the detector looks at, and places everybody on the others.

    Args:
        tracker: of the film.
        schedule: of the detector.
    """

    def __init__(self, tracker: Tracker, schedule: Schedule) -> None:
        self.tracker = tracker
        self.schedule = schedule
        self._seen: list[Sighting] = []
        self._seen_s = 0.0

    def is_due(self, time_s: float) -> bool:
        """Whether the detector should look at the frame of this time; to be asked once for each frame."""
        return self.schedule.is_due(time_s)

    def cut(self) -> None:
        """Another scene begins: nobody of the last one is expected. No frame may be waiting."""
        self.tracker.end()
        self.schedule.reset()
        self._seen = []

    def predict(self, time_s: float) -> list[Sighting]:
        """Everybody on a live frame that the detector does not look at; points move with their boxes."""
        seen = {sighting.track: sighting.detection for sighting in self._seen}
        present = []
        for track, box in self.tracker.predict(time_s):
            if box.area > 0:
                last, points = seen[track], None
                if last.landmarks is not None and last.box.area > 0:
                    points = move_points(last.landmarks, last.box, box)
                present.append(Sighting(Detection(box, track.score, points), track))
        return present

    def close(self, detections: Sequence[Detection], times_s: Sequence[float]) -> list[list[Sighting]]:
        """Everybody on the frames of a group, whose last one the detector has looked at.

        Args:
            detections: of the last frame.
            times_s: of all frames of the group.
        """
        time_s = times_s[-1]
        tracks = self.tracker.update([d.box for d in detections], [d.score for d in detections], time_s)
        self.schedule.adapt(self.tracker)
        seen = [
            Sighting(detection, track)
            for detection, track in zip(detections, tracks, strict=True)
            if track is not None or detection.score >= self.tracker.sure_score
        ]
        before = {sighting.track: sighting for sighting in self._seen if sighting.track is not None}
        both = [(before[s.track], s) for s in seen if s.track is not None and s.track in before]
        group = [
            [
                Sighting(interpolate(first.detection, last.detection, share), last.track)
                for first, last in both
                for share in [(between_s - self._seen_s) / (time_s - self._seen_s)]
            ]
            for between_s in times_s[:-1]
        ]
        self._seen, self._seen_s = seen, time_s
        return [*group, seen]


def interpolate(first: Detection, last: Detection, share: float) -> Detection:
    """The face on its way: at ``first`` when ``share`` is 0, at ``last`` when it is 1."""

    def mix(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((1 - share) * a + share * b)

    corners = [np.array([d.box.x1, d.box.y1, d.box.x2, d.box.y2]) for d in (first, last)]
    landmarks = None
    if first.landmarks is not None and last.landmarks is not None:
        landmarks = mix(first.landmarks, last.landmarks)
    return Detection(Box(*mix(*corners).tolist()), (1 - share) * first.score + share * last.score, landmarks)
