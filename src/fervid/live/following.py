"""Where faces are by now: answers come late and seldom, pictures come all the time."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from fervid.geometry import move_points
from fervid.results import Box, Face, Frame
from fervid.tracking.motion import Motion

_AHEAD_S: Final = 0.4
"""Nobody knows where a face goes for longer than this."""
_STALE_S: Final = 1.5
"""Answers older than this are shown no longer."""


class FaceFollower:
    """Carries the faces of the latest answer along to the picture that is shown."""

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._motions: dict[int, Motion] = {}

    def update(self, frame: Frame) -> None:
        """Take the latest answer into account; one that is known already changes nothing."""
        if self._frame is frame:
            return
        step_s = 0.0 if self._frame is None else frame.time_s - self._frame.time_s
        motions = {}
        for face in frame.faces:
            if face.track_id is None or face.box.area <= 0:
                continue
            known = self._motions.get(face.track_id)
            if known is None:
                motions[face.track_id] = Motion(face.box)
            else:
                motions[face.track_id] = known.predict(step_s)
                motions[face.track_id].correct(face.box)
        self._frame, self._motions = frame, motions

    def place(self, time_s: float) -> tuple[Face, ...]:
        """The latest answer's faces, moved to where they are (or were) at ``time_s``; none when it is too old."""
        if self._frame is None or time_s - self._frame.time_s > _STALE_S:
            return ()
        ahead_s = min(max(-_AHEAD_S, time_s - self._frame.time_s), _AHEAD_S)
        return tuple(self._move(face, ahead_s) for face in self._frame.faces)

    def _move(self, face: Face, ahead_s: float) -> Face:
        motion = None if face.track_id is None else self._motions.get(face.track_id)
        if motion is None or ahead_s == 0:
            return face
        later = motion.predict(ahead_s)
        step = np.subtract(later.box.centre, motion.box.centre)  # the filter's own place lags a little: only its step
        x, y = (face.box.centre + step).tolist()
        half_width, half_height = face.box.width / 2, face.box.height / 2
        return move_face(face, Box(x - half_width, y - half_height, x + half_width, y + half_height))


def place_between(before: Frame, after: Frame, time_s: float) -> tuple[Face, ...]:
    """The faces of a picture between two answers, each on the straight line from one to the other.

    Who is in one of them alone is there as long as that one is the nearer; answers that are far apart say nothing of
    the time in between.
    """
    if after.time_s - before.time_s > _STALE_S:
        return ()
    share = (time_s - before.time_s) / (after.time_s - before.time_s)
    nearer, other = (before, after) if share < 0.5 else (after, before)
    others = {face.track_id: face for face in other.faces if face.track_id is not None}
    faces = []
    for face in nearer.faces:
        match = None if face.track_id is None else others.get(face.track_id)
        if match is not None:
            first, last = (face, match) if nearer is before else (match, face)
            corners = [np.array([box.x1, box.y1, box.x2, box.y2]) for box in (first.box, last.box)]
            face = move_face(face, Box(*((1 - share) * corners[0] + share * corners[1]).tolist()))
        faces.append(face)
    return tuple(faces)


def move_face(face: Face, box: Box) -> Face:
    """The same face in another place."""
    points = face.landmarks
    if points is not None and face.box.area > 0:
        points = move_points(points, face.box, box)
    return dataclasses.replace(face, box=box, landmarks=points)
