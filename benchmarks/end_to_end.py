"""PrivateTest accuracy from the whole picture on: the detector's work, its framing and the network's, together.

    python benchmarks/end_to_end.py faces.parquet --detectors haar yunet --count 1000

Each face is pasted into a larger picture (benchmarks/pasting.py) and must be found again; a face that is not found
counts as wrong. "own box" gives the network the true square: what remains lost is the detector's share.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pasting import paste_face

from fervid.datasets.faceset import SPLITS, FaceSet
from fervid.datasets.parquet import read_faces
from fervid.emotions import EMOTIONS
from fervid.evaluation.metrics import bootstrap_interval
from fervid.geometry import boxes_to_array, intersection_over_union
from fervid.pipeline import Analyzer
from fervid.results import Box, Face


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces")
    parser.add_argument("--model", default="base")
    parser.add_argument("--split", default="PrivateTest", choices=SPLITS)
    parser.add_argument("--detectors", nargs="+", default=["auto"])
    parser.add_argument("--count", type=int, default=0, help="faces to take, 0 for all")
    arguments = parser.parse_args()

    faces = read_faces(arguments.faces).split(arguments.split)
    if arguments.count:
        faces = faces[np.random.default_rng(1).permutation(len(faces))[: arguments.count]]
    chips = Analyzer(arguments.model).classify(list(faces.images))
    print(f"{arguments.model} on {arguments.split}, {len(faces):,} faces")
    report("the chips themselves", judge(chips, faces))
    for name in ["own box", *arguments.detectors]:
        analyzer = Analyzer(arguments.model, "auto" if name == "own box" else name)
        began = time.perf_counter()
        answers = [
            read_pasted(analyzer, face, index, own_box=name == "own box") for index, face in enumerate(faces.images)
        ]
        report(name, judge(answers, faces))
        found = np.mean([answer is not None for answer in answers])
        print(f"{'':22}found {found:.1%}, {(time.perf_counter() - began) / len(faces) * 1000:.1f} ms a picture")


def read_pasted(analyzer: Analyzer, face: NDArray[np.uint8], seed: int, *, own_box: bool) -> Face | None:
    """The answer for one face in its picture, or None when it was not found; the same picture for every detector."""
    picture, square = paste_face(face, np.random.default_rng(seed))
    if own_box:
        return analyzer.analyze(picture, boxes=[square]).faces[0]
    found = analyzer.analyze(picture).faces
    best = max(found, key=lambda f: measure_overlap(f.box, square), default=None)
    return best if best is not None and measure_overlap(best.box, square) > 0.3 else None


def measure_overlap(box: Box, square: Box) -> float:
    return float(intersection_over_union(boxes_to_array([box]), boxes_to_array([square]))[0, 0])


def judge(answers: Sequence[Face | None], faces: FaceSet) -> NDArray[np.float64]:
    """1 where the most probable emotion is the label, 0 elsewhere and where nothing was found."""
    right = [
        answer is not None and answer.probabilities.top == EMOTIONS[emotion]
        for answer, emotion in zip(answers, faces.emotions, strict=True)
    ]
    return np.array(right, dtype=np.float64)


def report(name: str, right: NDArray[np.float64]) -> None:
    low, high = bootstrap_interval(right)
    print(f"{name:22}accuracy {right.mean():.1%}  ({low:.1%}–{high:.1%})")


if __name__ == "__main__":
    main()
