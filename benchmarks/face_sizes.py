"""Which heights of face a network finds when it reads a picture once: smallest_face and largest_face of its spec.

    python benchmarks/face_sizes.py photos.parquet --detector yunet

Validation photos with one face are resized so that the face gets each height, and read in one piece, as they are. A
height belongs into the spec's range where nearly all faces are found at the detector's own threshold.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.photos import iterate_photos
from fervid.detection import network
from fervid.detection.network import NetworkDetector
from fervid.detection.passes import LEAST_SIDE
from fervid.detection.resizing import resize
from fervid.detection.selection import create_detector
from fervid.geometry import boxes_to_array, intersection_over_union
from fervid.pipeline import DEFAULT_MIN_FACE

HEIGHTS = (8, 10, 12, 14, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024)
LONGEST = 2560
"""Photos that would become larger are left out, px."""
MOST_ENLARGED = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("--detector", default="yunet", help="a network, by name or path")
    parser.add_argument("--count", type=int, default=100, help="photos")
    arguments = parser.parse_args()

    detector = create_detector(arguments.detector, threads=1)
    if not isinstance(detector, NetworkDetector):
        raise SystemExit(f"{arguments.detector} is no network")
    vars(network)["TILE"] = LONGEST
    once = copy.copy(detector)
    once.spec = dataclasses.replace(detector.spec, smallest_face=1e-3, largest_face=1e9)
    photos = [p for p in iterate_photos(arguments.photos, split="validation") if len(p.boxes) == 1]
    chosen = [photos[i] for i in np.random.default_rng(0).permutation(len(photos))[: arguments.count]]
    decoded = [(photo.decode(), photo.boxes[0]) for photo in chosen]
    spec = detector.spec
    print(f"{detector.name}: its spec says {spec.smallest_face:g} to {spec.largest_face:g} px")
    print(f"{'height':>8}{'photos':>8}{'found':>8}{'mean score':>12}{'false':>8}")
    for height in HEIGHTS:
        rows = [row for image, box in decoded if (row := look(once, image, box, height)) is not None]
        if len(rows) < 10:
            continue
        found, scores, false = np.array(rows).T
        print(f"{height:>6} px{len(rows):>8}{found.mean():>8.1%}{scores.mean():>12.3f}{false.mean():>8.3f}", flush=True)


def look(
    detector: NetworkDetector, image: NDArray[np.uint8], box: NDArray[np.float64], height: int
) -> tuple[bool, float, int] | None:
    """Whether the face is found at that height, its score, false hits beside it; None when the photo gets too large."""
    factor = height / (box[3] - box[1])
    width, tall = round(image.shape[1] * factor), round(image.shape[0] * factor)
    if max(width, tall) > LONGEST or factor > MOST_ENLARGED:
        return None
    canvas = np.full((max(tall, LEAST_SIDE), max(width, LEAST_SIDE), 3), 127, dtype=np.uint8)  # else it is enlarged
    canvas[:tall, :width] = resize(image, width, tall)
    passes = detector.plan(*canvas.shape[1::-1], min_face=DEFAULT_MIN_FACE)  # asked for lower faces, it would enlarge
    found = detector.read(canvas, passes, least=0.6 * height)
    if not found:
        return False, 0.0, 0
    overlaps = intersection_over_union(boxes_to_array([d.box for d in found]), box[None] * factor)[:, 0]
    best = int(overlaps.argmax())
    hit = bool(overlaps[best] >= 0.5)
    return hit, found[best].score if hit else 0.0, int((overlaps < 0.3).sum())


if __name__ == "__main__":
    main()
