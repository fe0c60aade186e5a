"""Measure how a detector's boxes lie around FER2013's crops: the framing of its spec, or HAAR of detection/framing.py.

    python benchmarks/measure_framing.py faces.parquet --detector haar --count 1500

Training faces are pasted into larger pictures (so no test face has a say), detected, and the square that the face was
pasted into is expressed in units of the box that came back. Medians, with the middle half of the values.
"""

from __future__ import annotations

import argparse

import numpy as np
from pasting import paste_face

from fervid.datasets.faceset import TRAINING
from fervid.datasets.parquet import read_faces
from fervid.detection.selection import create_detector
from fervid.geometry import boxes_to_array, intersection_over_union


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--count", type=int, default=1500)
    arguments = parser.parse_args()

    faces = read_faces(arguments.faces).split(TRAINING)
    rng = np.random.default_rng(0)
    detector = create_detector(arguments.detector)
    rows = []
    for index in rng.permutation(len(faces))[: arguments.count]:
        picture, square = paste_face(faces.images[index], rng)
        found = detector.detect(picture, min_face=20)
        if not found:
            continue
        overlap = intersection_over_union(boxes_to_array([square]), boxes_to_array([d.box for d in found]))[0]
        if overlap.max() < 0.3:
            continue
        box = found[int(overlap.argmax())].box
        shift = (np.array(square.centre) - np.array(box.centre)) / square.width
        rows.append((square.width / box.height, *shift))
    table = np.array(rows)
    print(f"{arguments.detector}: {len(table)} of {arguments.count} faces found")
    for name, column in zip(("scale", "shift_x", "shift_y"), table.T, strict=True):
        low, middle, high = np.quantile(column, [0.25, 0.5, 0.75])
        print(f"{name:8} median {middle:+.3f}  middle half {low:+.3f} … {high:+.3f}")


if __name__ == "__main__":
    main()
