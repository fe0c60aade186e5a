"""Does turning a face upright by its five points help the expression network, from the whole picture on?

    python benchmarks/alignment.py faces.parquet --photos photos.parquet --detector yunet --count 300

Two measures, each at several angles, each with the same detections for every way to cut a face out:

- FER2013: PublicTest faces are pasted into larger pictures (benchmarks/pasting.py), which are turned around their
  middle. Accuracy against the labels; a face that is not found counts as wrong. "known" cuts where the face is known to
  lie, turned as it was turned: what a perfect detector with perfect points would give; "known square" does not turn.
- photos (optional): validation heads with all their surroundings, turned. Nobody labelled their expressions, so what
  counts is whether the answer for the turned photo is that for the photo as it was; not found is not the same.

Ways to cut: "square" is the product's, the framing's square around the detector's box; "turned" is that square, turned
by the points' angle; "similar" is where the least-squares similarity takes the mean points of FER2013's frame, which
are measured on Training faces first; "… > 8°" leave faces alone that are nearly upright.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pasting import paste_face
from PIL import Image

from fervid.classification.classifier import Classifier
from fervid.datasets.faceset import PUBLIC_TEST, TRAINING, FaceSet
from fervid.datasets.parquet import read_faces
from fervid.datasets.photos import iterate_photos
from fervid.detection.detector import Detection, Detector
from fervid.detection.selection import create_detector
from fervid.evaluation.metrics import bootstrap_interval
from fervid.geometry import boxes_to_array, intersection_over_union, square_box
from fervid.imaging import crop_resize
from fervid.results import Box

UPRIGHT = 8.0
"""Smaller angles are left alone by the last two ways, degrees."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A square to cut out, turned clockwise by degrees."""

    x: float
    y: float
    side: float
    angle: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces")
    parser.add_argument("--photos", help="also measure on validation heads of this file")
    parser.add_argument("--detector", default="yunet")
    parser.add_argument("--model", default="base")
    parser.add_argument("--count", type=int, default=300, help="faces, and photos")
    parser.add_argument("--angles", type=float, nargs="+", default=[0, -10, 10, -20, 20, -30, 30])
    parser.add_argument("--min-face", type=float, default=20.0)
    arguments = parser.parse_args()

    detector = create_detector(arguments.detector, threads=1)
    classifier = Classifier(arguments.model, threads=1)
    faces = read_faces(arguments.faces)
    points = measure_points(detector, faces.split(TRAINING), 2 * arguments.count, arguments.min_face)
    print("mean points in FER2013's frame:", ", ".join(f"({x:.3f}, {y:.3f})" for x, y in points))

    test = faces.split(PUBLIC_TEST)
    test = test[np.random.default_rng(1).permutation(len(test))[: arguments.count]]
    print(f"\n{len(test)} PublicTest faces, {arguments.detector}, {classifier.identity}: accuracy")
    rows = {
        angle: judge_faces(test, angle, detector, classifier, points, arguments.min_face) for angle in arguments.angles
    }
    report(rows)
    if arguments.photos:
        heads = list(pick_heads(arguments.photos, arguments.count))
        print(f"\n{len(heads)} photos of heads: same answer as for the photo as it is")
        report(judge_photos(heads, arguments.angles, detector, classifier, points, arguments.min_face))


def report(rows: dict[float, dict[str, NDArray[np.bool_]]]) -> None:
    """A line per angle, then upright against turned with the difference from the product's way."""
    names = list(next(iter(rows.values())))
    print(f"{'':>9}" + "".join(f"{name:>14}" for name in names))
    for angle, row in rows.items():
        print(f"{angle:>+8g}°" + "".join(f"{row[name].mean():>14.1%}" for name in names))
    turned = {name: np.mean([row[name] for angle, row in rows.items() if angle], axis=0) for name in names}
    print(f"{'turned':>9}" + "".join(f"{turned[name].mean():>14.1%}" for name in names))
    for name in names:
        if name in ("found", "square") or name.startswith("known"):
            continue
        low, high = bootstrap_interval(turned[name] - turned["square"])
        gain = (turned[name] - turned["square"]).mean()
        print(f"{name}: {gain * 100:+.1f} points on turned ones ({low * 100:+.1f} … {high * 100:+.1f})", end="")
        print(f", {(rows[0][name].mean() - rows[0]['square'].mean()) * 100:+.1f} upright" if 0 in rows else "")


def judge_faces(
    faces: FaceSet,
    angle: float,
    detector: Detector,
    classifier: Classifier,
    points: NDArray[np.float64],
    min_face: float,
) -> dict[str, NDArray[np.bool_]]:
    """Which faces are read rightly, by way to cut."""
    pictures, cuts, errors = [], [], []
    for index, face in enumerate(faces.images):
        picture, square = paste_face(face, np.random.default_rng(index))
        turned, place = turn(picture, angle), turn_point(square.centre, angle, picture.shape[1] / 2)
        known = Cut(*place, square.width, angle), Cut(*place, square.width)
        found = find(detector, turned, square_box(*place, square.width), min_face)
        ways = {"known": known[0], "known square": known[1]}
        pictures.append(turned)
        cuts.append(ways | ({} if found is None else plan_cuts(found, detector, points)))
        if found is not None:
            errors.append(fit_similarity(points, found).angle - angle)
    print(f"{angle:+g}°: angle of the points off by {np.median(errors):+.1f}° (median), {np.std(errors):.1f}° (sd)")
    answers = classify(pictures, cuts, classifier)
    return {name: answer == faces.emotions for name, answer in answers.items()} | {
        "found": np.array(["square" in ways for ways in cuts])
    }


def judge_photos(
    photos: Sequence[tuple[NDArray[np.uint8], Box]],
    angles: Sequence[float],
    detector: Detector,
    classifier: Classifier,
    points: NDArray[np.float64],
    min_face: float,
) -> dict[float, dict[str, NDArray[np.bool_]]]:
    """Which photos are read as they were before they were turned, by angle and way to cut."""
    upright: NDArray[np.int64] | None = None
    rows = {}
    for angle in sorted(angles, key=abs):
        pictures, cuts, errors = [], [], []
        for image, box in photos:
            turned = turn(pad(image), angle)
            square = detector.framing.apply(shift(box, pad(image), image))
            place = turn_point(square.centre, angle, turned.shape[1] / 2)
            found = find(detector, turned, square_box(*place, square.width), min_face)
            pictures.append(turned)
            cuts.append({} if found is None else plan_cuts(found, detector, points))
            if found is not None:
                errors.append(fit_similarity(points, found).angle)
        print(f"{angle:+g}°: the points say {np.median(errors):+.1f}° (median), {np.std(errors):.1f}° (sd)")
        answers = classify(pictures, cuts, classifier)
        if upright is None:
            upright = answers["square"]
        same = {name: (answer == upright) & (answer >= 0) for name, answer in answers.items()}
        rows[angle] = same | {"found": answers["square"] >= 0}
    return rows


def plan_cuts(found: Detection, detector: Detector, points: NDArray[np.float64]) -> dict[str, Cut]:
    square = detector.framing.apply(found.box)
    plain = Cut(*square.centre, square.width)
    similar = fit_similarity(points, found)
    turned = Cut(plain.x, plain.y, plain.side, similar.angle)
    return {
        "square": plain,
        "turned": turned,
        "similar": similar,
        f"turned > {UPRIGHT:g}°": turned if abs(similar.angle) > UPRIGHT else plain,
        f"similar > {UPRIGHT:g}°": similar if abs(similar.angle) > UPRIGHT else plain,
    }


def fit_similarity(points: NDArray[np.float64], found: Detection) -> Cut:
    """Where the least-squares similarity from the mean points to a face's takes FER2013's frame (Umeyama 1991)."""
    if found.landmarks is None:
        raise SystemExit("the detector gives no points")
    z, w = points @ [1, 1j], found.landmarks @ [1, 1j]
    scale = (np.conj(z - z.mean()) * (w - w.mean())).sum() / (np.abs(z - z.mean()) ** 2).sum()
    middle = w.mean() + scale * (0.5 + 0.5j - z.mean())
    return Cut(middle.real, middle.imag, abs(scale), math.degrees(np.angle(scale)))


def classify(
    pictures: Sequence[NDArray[np.uint8]], cuts: Sequence[dict[str, Cut]], classifier: Classifier
) -> dict[str, NDArray[np.int64]]:
    """The most probable emotion of every picture by way to cut; −1 where there is nothing to cut."""
    spec = classifier.spec
    names = list(dict.fromkeys(name for ways in cuts for name in ways))
    answers = {}
    for name in names:
        rows = [i for i, ways in enumerate(cuts) if name in ways]
        crops = [cut_out(pictures[i], cuts[i][name], spec.crop, spec.size) for i in rows]
        inputs = ((np.stack(crops)[:, None] - spec.mean) / spec.std).astype(np.float32)
        answer = np.full(len(cuts), -1)
        answer[rows] = classifier.predict_inputs(inputs).probabilities.argmax(axis=1)
        answers[name] = answer
    return answers


def cut_out(image: NDArray[np.uint8], cut: Cut, share: float, size: int) -> NDArray[np.float32]:
    """``crop_resize`` of a turned square: cut its surroundings at twice the size, sample that, average."""
    side = cut.side * share
    if not cut.angle:
        return crop_resize(image, square_box(cut.x, cut.y, side), size)
    cosine, sine = math.cos(math.radians(cut.angle)), math.sin(math.radians(cut.angle))
    fine = 2 * size
    wide = math.ceil(fine * (abs(cosine) + abs(sine))) + 4
    middle = crop_resize(image, square_box(cut.x, cut.y, side * wide / fine), wide)
    x, y = np.meshgrid(np.arange(fine) + 0.5 - size, np.arange(fine) + 0.5 - size)
    across, down = x * cosine - y * sine + wide / 2 - 0.5, x * sine + y * cosine + wide / 2 - 0.5
    left, top = np.floor(across).astype(int), np.floor(down).astype(int)
    right_share, lower_share = across - left, down - top
    upper = middle[top, left] * (1 - right_share) + middle[top, left + 1] * right_share
    lower = middle[top + 1, left] * (1 - right_share) + middle[top + 1, left + 1] * right_share
    mixed = upper * (1 - lower_share) + lower * lower_share
    return np.asarray(mixed.reshape(size, 2, size, 2).mean(axis=(1, 3)), dtype=np.float32)


def measure_points(detector: Detector, faces: FaceSet, count: int, min_face: float) -> NDArray[np.float64]:
    """``(5, 2)`` median points of faces in FER2013's frame, as shares of its side."""
    rng = np.random.default_rng(0)
    rows = []
    for index in rng.permutation(len(faces))[:count]:
        picture, square = paste_face(faces.images[index], rng)
        found = find(detector, picture, square, min_face)
        if found is not None and found.landmarks is not None:
            rows.append((found.landmarks - [square.x1, square.y1]) / square.width)
    if not rows:
        raise SystemExit("the detector gives no points")
    return np.asarray(np.median(rows, axis=0))


def find(detector: Detector, picture: NDArray[np.uint8], square: Box, min_face: float) -> Detection | None:
    """The detection that is this face."""
    found = detector.detect(picture, min_face=min_face)
    overlaps = intersection_over_union(boxes_to_array([square]), boxes_to_array([d.box for d in found]))[0]
    return found[int(overlaps.argmax())] if len(found) and overlaps.max() > 0.3 else None


def pick_heads(path: str, count: int) -> Iterator[tuple[NDArray[np.uint8], Box]]:
    """Validation photos of one head each that is large enough to be read, and its box."""
    for photo in iterate_photos(path, split="validation", kinds=("head",)):
        if count and len(photo.boxes) == 1 and photo.boxes[0, 3] - photo.boxes[0, 1] >= 48:
            count -= 1
            yield photo.decode(), Box(*photo.boxes[0])


def pad(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A square picture with the photo in its middle, so that nothing is lost when it is turned."""
    side = math.ceil(math.hypot(*image.shape[:2]))
    top, left = (side - image.shape[0]) // 2, (side - image.shape[1]) // 2
    margins = ((top, side - image.shape[0] - top), (left, side - image.shape[1] - left), (0, 0))
    return np.pad(image, margins, mode="edge")


def shift(box: Box, padded: NDArray[np.uint8], image: NDArray[np.uint8]) -> Box:
    """A box of the photo in the padded picture."""
    left, top = (padded.shape[1] - image.shape[1]) // 2, (padded.shape[0] - image.shape[0]) // 2
    return Box(box.x1 + left, box.y1 + top, box.x2 + left, box.y2 + top)


def turn(picture: NDArray[np.uint8], angle: float) -> NDArray[np.uint8]:
    """Turn a square picture clockwise around its middle; the corners get its mean colour."""
    if not angle:
        return picture
    red, green, blue = (int(level) for level in picture.reshape(-1, 3).mean(axis=0))
    return np.asarray(Image.fromarray(picture).rotate(-angle, Image.Resampling.BICUBIC, fillcolor=(red, green, blue)))


def turn_point(point: tuple[float, float], angle: float, middle: float) -> tuple[float, float]:
    """Where :func:`turn` takes a point."""
    turned = complex(point[0] - middle, point[1] - middle) * np.exp(1j * math.radians(angle))
    return middle + turned.real, middle + turned.imag


if __name__ == "__main__":
    main()
