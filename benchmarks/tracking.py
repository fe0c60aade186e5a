"""How well the tracker keeps people apart, on made scenes with known identities (benchmarks/scenes.py).

    python benchmarks/tracking.py --repeats 20

Every scene runs at several frame rates; the detector misses a fifth of the faces and jitters by 4 % of their height.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean

import numpy as np
from scenes import HEIGHT, WIDTH, Detector, Fit, Path, Shot, corners, film, hide, score, sit, walk, wander

from fervid.geometry import boxes_to_array, intersection_over_union
from fervid.results import Box
from fervid.tracking.schedule import Schedule
from fervid.tracking.tracker import Track, Tracker

Scene = Callable[[np.random.Generator], list[Path]]
DURATION_S = 12.0


def interview(rng: np.random.Generator) -> list[Path]:
    return [sit(x, 300, 160, rng) for x in (300, 640, 980)]


def crossing(rng: np.random.Generator) -> list[Path]:
    speed = rng.uniform(120, 350)
    heights = rng.uniform(90, 150), rng.uniform(90, 150)
    y = rng.uniform(-20, 20)
    return [walk((60, 300), (speed, 0), heights[0]), walk((1220, 300 + y), (-speed, 0), heights[1])]


def meeting(rng: np.random.Generator) -> list[Path]:
    """Two who walk up to each other, overlap by half, and walk back: motion alone cannot be sure."""
    reach = rng.uniform(10, 60)

    def swing(side: int, height: float) -> Path:
        return lambda t: (640 + side * (reach + 400 * abs(np.cos(np.pi * t / 6)) ** 2), 320.0, height)

    return [swing(-1, 150), swing(1, 135)]


def pillar(rng: np.random.Generator) -> list[Path]:
    moving = walk((100, 280), (rng.uniform(60, 200), 0), 120)
    return [hide(moving, 3.0, 0.5), hide(sit(700, 500, 140, rng), 5.0, 0.5)]


def doorway(rng: np.random.Generator) -> list[Path]:
    """Eight people who enter at one side and leave at the other, one after another."""
    return [
        walk((0, 200 + 60 * (i % 5)), (rng.uniform(250, 450), 0), rng.uniform(70, 120), begin_s=1.2 * i)
        for i in range(8)
    ]


def crowd(rng: np.random.Generator) -> list[Path]:
    return [wander(rng, float(rng.uniform(60, 130)), 0.8, DURATION_S) for _ in range(8)]


def dancing(rng: np.random.Generator) -> list[Path]:
    return [wander(rng, float(rng.uniform(90, 130)), 2.0, DURATION_S) for _ in range(3)]


SCENES: dict[str, Scene] = {
    s.__name__: s for s in (interview, crossing, meeting, pillar, doorway, crowd, dancing)
}  # fmt: skip


class OverlapTracker:
    """What many scripts do: the box that overlaps most is the same person, for as long as the tracker remembers."""

    def __init__(self, lost_s: float = 2.0) -> None:
        self.lost_s = lost_s
        self.tracks: dict[int, tuple[Box, float]] = {}
        self.last_id = 0

    def update(self, boxes: list[Box], time_s: float) -> list[int | None]:
        self.tracks = {i: t for i, t in self.tracks.items() if time_s - t[1] <= self.lost_s}
        ids = list(self.tracks)
        overlaps = intersection_over_union(boxes_to_array([self.tracks[i][0] for i in ids]), boxes_to_array(boxes))
        found: list[int | None] = [None] * len(boxes)
        for flat in np.argsort(-overlaps, axis=None):
            row, column = divmod(int(flat), len(boxes))
            if overlaps[row, column] > 0.3 and found[column] is None and ids[row] not in found:
                found[column] = ids[row]
        for column, box in enumerate(boxes):
            track_id = found[column]
            if track_id is None:
                self.last_id += 1
                track_id = found[column] = self.last_id
            self.tracks[track_id] = box, time_s
        return found


def track(shots: list[Shot], tracker: Tracker) -> list[list[int | None]]:
    found = [tracker.update(shot.boxes, shot.scores, shot.time_s) for shot in shots]
    return [[None if t is None else t.id for t in tracks] for tracks in found]


def track_by_overlap(shots: list[Shot]) -> list[list[int | None]]:
    tracker = OverlapTracker()
    return [tracker.update(shot.boxes, shot.time_s) for shot in shots]


@dataclass(frozen=True, slots=True)
class Sparse:
    """What a schedule does to one film.

    Attributes:
        fit: of the frames on which the detector ran.
        asked: share of the frames on which it ran.
        overlaps: IoU of every predicted box with where the person was.
    """

    fit: Fit
    asked: float
    overlaps: list[float]


def track_sparsely(shots: list[Shot], paths: list[Path], schedule: Schedule) -> Sparse:
    tracker = Tracker((WIDTH, HEIGHT), sure_score=0.6)
    seen: list[tuple[Shot, list[Track | None]]] = []
    people: dict[Track, int | None] = {}
    predicted: list[tuple[Track, Box, float]] = []
    for shot in shots:
        if not schedule.is_due(shot.time_s):
            predicted += [(t, box, shot.time_s) for t, box in tracker.predict(shot.time_s)]
            continue
        tracks = tracker.update(shot.boxes, shot.scores, shot.time_s)
        schedule.adapt(tracker)
        seen.append((shot, tracks))
        people.update({t: person for t, person in zip(tracks, shot.people, strict=True) if t is not None})
    overlaps = []
    for one, box, time_s in predicted:
        person = people[one]
        place = None if person is None or not one.confirmed else paths[person](time_s)
        if place is not None:
            truth = np.array([corners(*place)])
            overlaps.append(float(intersection_over_union(boxes_to_array([box]), truth)[0, 0]))
    ids = [[None if t is None else t.id for t in tracks] for _, tracks in seen]
    return Sparse(score([shot for shot, _ in seen], ids), len(seen) / len(shots), overlaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--fps", type=float, nargs="+", default=[5, 30])
    parser.add_argument("--scenes", nargs="+", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--misses", type=float, default=0.2)
    arguments = parser.parse_args()
    detector = Detector(misses=arguments.misses)
    print(f"{'':15} {'every frame':27} {'by overlap alone':>20} {'adaptive stride':>28}")
    print(
        f"{'scene':10} {'fps':>4} {'IDF1':>6} {'switches':>9} {'tracks/people':>13} {'IDF1':>8} {'switches':>9}", end=""
    )
    print(f" {'asked':>8} {'IoU':>6} {'IDF1':>6} {'switches':>9}")
    frames, seconds = 0, 0.0
    for name in arguments.scenes:
        for fps in arguments.fps:
            fits: list[Fit] = []
            plain: list[Fit] = []
            sparse: list[Sparse] = []
            for repeat in range(arguments.repeats):
                rng = np.random.default_rng(repeat)
                paths = SCENES[name](rng)
                shots = film(paths, fps, DURATION_S, detector, rng)
                began = time.perf_counter()
                answers = track(shots, Tracker((WIDTH, HEIGHT), sure_score=0.6))
                seconds += time.perf_counter() - began
                frames += len(shots)
                fits.append(score(shots, answers))
                plain.append(score(shots, track_by_overlap(shots)))
                sparse.append(track_sparsely(shots, paths, Schedule()))
            overlaps = [overlap for one in sparse for overlap in one.overlaps]
            print(
                f"{name:10} {fps:4g} {mean(f.idf1 for f in fits):6.3f} {mean(f.switches for f in fits):9.2f}"
                f" {mean(f.tracks for f in fits):6.2f}/{mean(f.people for f in fits):<6.2f}"
                f" {mean(f.idf1 for f in plain):8.3f} {mean(f.switches for f in plain):9.2f}"
                f" {mean(s.asked for s in sparse):8.2f} {mean(overlaps) if overlaps else 1:6.3f}"
                f" {mean(s.fit.idf1 for s in sparse):6.3f} {mean(s.fit.switches for s in sparse):9.2f}",
                flush=True,
            )
    print(f"{1e6 * seconds / frames:.0f} µs per frame")


if __name__ == "__main__":
    main()
