"""How long finding faces takes in small pictures, one thread, detectors in turns.

    python benchmarks/detector_speed.py photos.parquet --detectors faces yunet

Validation photos with people, stretched to each size, are read again and again by every detector, one after another.
Printed are the least and the median time of all readings.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np

from fervid.datasets.photos import iterate_photos
from fervid.detection.resizing import resize
from fervid.detection.selection import create_detector

SIZES = ((640, 480), (320, 240))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("--detectors", nargs="+", default=["faces"], help="names or paths")
    parser.add_argument("--count", type=int, default=8, help="photos")
    parser.add_argument("--repeats", type=int, default=10, help="readings of each photo")
    parser.add_argument("--min-face", type=float, default=20.0, help="px")
    arguments = parser.parse_args()

    detectors = {name: create_detector(name, threads=1) for name in arguments.detectors}
    people = (p for p in iterate_photos(arguments.photos, split="validation") if p.kind == "people")
    photos = [photo.decode() for photo in itertools.islice(people, arguments.count)]
    for width, height in SIZES:
        pictures = [resize(photo, width, height) for photo in photos]
        times: dict[str, list[float]] = {name: [] for name in detectors}
        for picture in pictures * (arguments.repeats + 1):
            for name, detector in detectors.items():
                began = time.perf_counter()
                detector.detect(picture, min_face=arguments.min_face)
                times[name].append((time.perf_counter() - began) * 1e3)
        for name, values in times.items():
            kept = values[len(pictures) :]  # the first time round prepares
            print(
                f"{width}×{height}  {name:12} least {min(kept):6.2f} ms  median {np.median(kept):6.2f} ms", flush=True
            )


if __name__ == "__main__":
    main()
