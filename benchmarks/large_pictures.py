"""What reading a large picture in tiles finds beyond reading it reduced to one tile, and what it costs.

    python benchmarks/large_pictures.py photos.parquet --detectors yunet --side 3000

Validation photos of people are laid side by side, as they are, until they fill square pictures. Every picture is read
twice: in the passes of fervid.detection.passes, and once, reduced to what the network takes in one piece. "One by one"
reads the photos by themselves: what tiles and seams lose is missing from there.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import itertools
import resource
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.photos import LabelledPhoto, iterate_photos
from fervid.detection.detector import Detection
from fervid.detection.network import TILE, NetworkDetector
from fervid.detection.resizing import resize_longest
from fervid.detection.selection import create_detector
from fervid.evaluation.detection_metrics import NOTHING, match_detections
from fervid.geometry import boxes_to_array, scale_box

BANDS = (12, 20, 32, 64, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("--detectors", nargs="+", default=["yunet"], help="networks, by name or path")
    parser.add_argument("--side", type=int, default=3000)
    parser.add_argument("--min-face", type=float, default=20.0)
    arguments = parser.parse_args()

    photos = list(iterate_photos(arguments.photos, split="validation", kinds=("people",)))
    singles = [(photo.decode(), photo.boxes, photo.ignore_boxes) for photo in photos]
    pictures = list(lay_out(photos, arguments.side))
    print(f"{len(photos)} photos in {len(pictures)} pictures of {arguments.side}×{arguments.side} px")
    for name in arguments.detectors:
        detector = create_detector(name, threads=1)
        if not isinstance(detector, NetworkDetector):
            raise SystemExit(f"{name} has no passes")
        low = arguments.min_face

        def read(image: NDArray[np.uint8], detector: NetworkDetector = detector, low: float = low) -> list[Detection]:
            return detector.detect(image, min_face=low)

        def reduce(image: NDArray[np.uint8], detector: NetworkDetector = detector, low: float = low) -> list[Detection]:
            small, factor = resize_longest(image, TILE)
            once = copy.copy(detector)
            once.spec = dataclasses.replace(detector.spec, smallest_face=low * factor, largest_face=1e9)
            return scale(once.detect(small, min_face=low * factor), factor)

        print(f"\n{name}, min_face {low:g}: share of faces found, by height in px")
        print(f"{'':12}" + "".join(f"{f'{a}–{b}':>14}" for a, b in itertools.pairwise(BANDS)), end="")
        print(f"{'precision':>14}{'ms a picture':>14}")
        report("one by one", singles, read)
        report("reduced", pictures, reduce)
        report("passes", pictures, read)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory {peak:.0f} MB, the pictures included")


Scene = tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]
"""A picture, its faces and its doubtful faces."""


def lay_out(photos: Sequence[LabelledPhoto], side: int) -> Iterator[Scene]:
    """Photos in rows, as many as fit; what is left over is grey."""
    canvas = np.full((side, side, 3), 127, dtype=np.uint8)
    boxes: list[NDArray[np.float64]] = []
    doubtful: list[NDArray[np.float64]] = []
    x = y = row = 0
    for photo in photos:
        image = photo.decode()
        height, width = image.shape[:2]
        if x + width > side:
            x, y, row = 0, y + row, 0
        if y + height > side:
            yield canvas, np.concatenate(boxes), np.concatenate(doubtful)
            canvas, boxes, doubtful = np.full_like(canvas, 127), [], []
            x = y = row = 0
        canvas[y : y + height, x : x + width] = image
        boxes.append(photo.boxes + np.array([x, y, x, y]))
        doubtful.append(photo.ignore_boxes + np.array([x, y, x, y]))
        x, row = x + width, max(row, height)
    yield canvas, np.concatenate(boxes), np.concatenate(doubtful)


def scale(found: list[Detection], factor: float) -> list[Detection]:
    """Detections of a reduced picture, px of the picture as it was."""
    return [Detection(scale_box(d.box, 1 / factor), d.score) for d in found]


def report(title: str, scenes: Sequence[Scene], look: Callable[[NDArray[np.uint8]], list[Detection]]) -> None:
    heights, hits, alarms, right, began = [], [], 0, 0, time.perf_counter()
    for image, faces, doubtful in scenes:
        found = look(image)
        outcome = match_detections(
            boxes_to_array([d.box for d in found]), np.array([d.score for d in found]), faces, doubtful
        )
        heights.append(faces[:, 3] - faces[:, 1])
        hits.append(np.isin(np.arange(len(faces)), outcome))
        alarms += int((outcome == NOTHING).sum())
        right += int((outcome >= 0).sum())
    spent = (time.perf_counter() - began) / len(scenes) * 1000
    tall, hit = np.concatenate(heights), np.concatenate(hits)
    cells = []
    for low, high in itertools.pairwise(BANDS):
        members = (tall >= low) & (tall < high)
        cells.append(f"{hit[members].mean():.1%} of {members.sum()}" if members.any() else "")
    print(f"{title:12}" + "".join(f"{cell:>14}" for cell in cells), end="")
    print(f"{right / max(1, right + alarms):>14.1%}{spent:>14.0f}", flush=True)


if __name__ == "__main__":
    main()
