"""Scenes of moving faces with known identities, as a detector would report them, and how well tracks fit them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fervid.geometry import intersection_over_union
from fervid.results import Box
from fervid.tracking.assignment import assign

WIDTH, HEIGHT = 1280, 720

Path = Callable[[float], tuple[float, float, float] | None]
"""Time in seconds to x, y of the centre and height in px, or None while the person is not there."""


@dataclass(frozen=True, slots=True)
class Detector:
    """How a detector errs.

    Attributes:
        jitter: standard deviation of the box's place and size, as a share of its height.
        misses: share of visible faces that it overlooks.
        false_alarms: boxes per frame where nobody is.
        hidden: a face is not seen when a nearer one covers it by more than this share.
    """

    jitter: float = 0.04
    misses: float = 0.2
    false_alarms: float = 0.02
    hidden: float = 0.4


@dataclass(slots=True)
class Shot:
    """One frame: detections, their scores, and who each is; None for a false alarm."""

    time_s: float
    boxes: list[Box] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    people: list[int | None] = field(default_factory=list)


def film(
    paths: Sequence[Path], fps: float, duration_s: float, detector: Detector, rng: np.random.Generator
) -> list[Shot]:
    """What the detector reports of the people on their paths; larger faces are nearer and hide smaller ones."""
    shots = []
    for index in range(round(duration_s * fps)):
        shot = Shot(index / fps)
        present = [(person, place) for person, path in enumerate(paths) if (place := path(shot.time_s)) is not None]
        present = [(p, (x, y, h)) for p, (x, y, h) in present if 0 <= x < WIDTH and 0 <= y < HEIGHT]
        areas = np.array([corners(*place) for _, place in present]).reshape(-1, 4)
        for (person, (x, y, height)), area in zip(present, areas, strict=True):
            nearer = [other for (_, place), other in zip(present, areas, strict=True) if place[2] > height]
            covered = max((_cover(area, other) for other in nearer), default=0.0)
            if covered > detector.hidden or rng.random() < detector.misses:
                continue
            jitter = rng.normal(0, detector.jitter, 4) * height
            box = np.array(corners(x + jitter[0], y + jitter[1], height))
            box += np.array([-1, -1, 1, 1]) * np.array([jitter[2], jitter[3]] * 2) / 2
            shot.boxes.append(Box(*box.tolist()))
            shot.scores.append(float(np.clip(rng.normal(0.9 - 0.6 * covered, 0.06), 0.05, 1)))
            shot.people.append(person)
        for _ in range(rng.poisson(detector.false_alarms)):
            x, y, height = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(30, 150)
            shot.boxes.append(Box(*corners(x, y, height)))
            shot.scores.append(float(rng.uniform(0.5, 0.8)))
            shot.people.append(None)
        shots.append(shot)
    return shots


def corners(x: float, y: float, height: float) -> tuple[float, float, float, float]:
    """Box of a face at a place."""
    return x - 0.38 * height, y - height / 2, x + 0.38 * height, y + height / 2


def _cover(area: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Share of ``area`` that ``other`` hides."""
    overlap = float(intersection_over_union(area[None], other[None])[0, 0])
    sizes = [(a[2] - a[0]) * (a[3] - a[1]) for a in (area, other)]
    return float(overlap * sum(sizes) / (1 + overlap) / sizes[0])


def sit(x: float, y: float, height: float, rng: np.random.Generator) -> Path:
    """Somebody who sits and talks: the head sways by a tenth of its size, at about half a hertz."""
    phases, rates = rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.2, 0.9, 3)

    def path(time_s: float) -> tuple[float, float, float]:
        sway = 0.1 * height * np.sin(phases + 2 * np.pi * rates * time_s)
        return x + sway[0], y + 0.5 * sway[1], height + 0.3 * sway[2]

    return path


def walk(
    start: tuple[float, float], velocity: tuple[float, float], height: float, begin_s: float = 0.0, end_s: float = 1e9
) -> Path:
    """Somebody who walks on a straight line, px per second."""

    def path(time_s: float) -> tuple[float, float, float] | None:
        if not begin_s <= time_s < end_s:
            return None
        bob = 0.04 * height * np.sin(2 * np.pi * 1.8 * time_s)
        return start[0] + velocity[0] * (time_s - begin_s), start[1] + velocity[1] * (time_s - begin_s) + bob, height

    return path


def wander(rng: np.random.Generator, height: float, speed: float, duration_s: float) -> Path:
    """Somebody who strolls about inside the picture: a smooth random path, ``speed`` in sizes per second."""
    times = np.arange(0, duration_s + 3, 1.2)
    x, y = rng.uniform(150, WIDTH - 150), rng.uniform(150, HEIGHT - 150)
    points = [(x, y)]
    for _ in times[1:]:
        step = rng.normal(0, speed * height * 1.2 / 1.25, 2)
        x, y = np.clip(x + step[0], 120, WIDTH - 120), np.clip(y + 0.5 * step[1], 120, HEIGHT - 120)
        points.append((x, y))
    dense = np.arange(0, duration_s + 2, 0.02)
    kernel = np.hanning(61) / np.hanning(61).sum()
    smooth = [
        np.convolve(np.pad(np.interp(dense, times, c), 30, mode="edge"), kernel, "valid") for c in np.array(points).T
    ]

    def path(time_s: float) -> tuple[float, float, float]:
        return float(np.interp(time_s, dense, smooth[0])), float(np.interp(time_s, dense, smooth[1])), height

    return path


def hide(path: Path, begin_s: float, length_s: float) -> Path:
    """The same person behind something for a while."""
    return lambda time_s: None if begin_s <= time_s < begin_s + length_s else path(time_s)


@dataclass(frozen=True, slots=True)
class Fit:
    """How well tracks fit the people.

    Attributes:
        idf1: 2 · right / (detections of people + detections with a track), each person having the one track that is
            best for all (Ristani et al. 2016, arXiv:1609.01775).
        switches: how often a person's track changed.
        tracks: how many tracks people were split into, false ones included.
        people: how many there were.
        tracked: share of the people's detections that had a track.
        false: share of the false alarms that had a track.
    """

    idf1: float
    switches: int
    tracks: int
    people: int
    tracked: float
    false: float


def score(shots: Sequence[Shot], answers: Sequence[Sequence[int | None]]) -> Fit:
    """Compare the ids of all detections with who they were."""
    pairs: Counter[tuple[int, int]] = Counter()
    last: dict[int, int] = {}
    switches = seen = tracked = alarms = false = 0
    for shot, ids in zip(shots, answers, strict=True):
        for person, track in zip(shot.people, ids, strict=True):
            if person is None:
                alarms += 1
                false += track is not None
                continue
            seen += 1
            if track is None:
                continue
            tracked += 1
            pairs[person, track] += 1
            switches += last.get(person, track) != track
            last[person] = track
    people, tracks = sorted({p for p, _ in pairs}), sorted({t for ids in answers for t in ids if t is not None})
    table = np.zeros((len(people), len(tracks)))
    for (person, track), count in pairs.items():
        table[people.index(person), tracks.index(track)] = -count
    right = -sum(table[pair] for pair in assign(table, 0.0))
    return Fit(
        idf1=2 * right / max(1, seen + tracked + false),
        switches=switches,
        tracks=len(tracks),
        people=len(people),
        tracked=tracked / max(1, seen),
        false=false / max(1, alarms),
    )
