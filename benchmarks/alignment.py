"""Does turning a face upright by its five points help the expression network, from the whole picture on?

    python benchmarks/alignment.py faces.parquet --photos photos.parquet --count 500

Two measures, each at several angles, each with the same detections for every way to cut a face out:

- FER2013: PublicTest faces are pasted into larger pictures (benchmarks/pasting.py), which are turned around their
  middle. Accuracy against the labels; a face that is not found counts as wrong. "known" cuts where the face is known to
  lie, turned as it was turned: what a perfect detector with perfect points would give; "known square" does not turn.
- photos (optional): validation heads with all their surroundings, turned. Nobody labelled their expressions, so what
  counts is whether the answer for the turned photo is that for the upright square of the photo as it was; not found is
  not the same.

Ways to cut: "square" is the framing's square around the detector's box, upright; "product" is what fervid does
(fervid.detection.alignment): that square turned by the points' tilt, nearly upright faces left alone; "turned" turns
them too; "similar" is where the least-squares similarity takes the mean points of FER2013's frame, which are measured
on Training faces first. "centred" is the product's square with its middle where the points say.

Last, boxes that are off: the product's square moved by a share of its side to the left, the right, up and down, against
"centred", which does not depend on where the box is.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pasting import paste_face
from PIL import Image

from fervid.classification.classifier import Classifier
from fervid.classification.preprocess import preprocess
from fervid.datasets.faceset import PUBLIC_TEST, TRAINING, FaceSet
from fervid.datasets.parquet import read_faces
from fervid.datasets.photos import iterate_photos
from fervid.detection.alignment import align
from fervid.detection.detector import Detection, Detector
from fervid.detection.selection import create_detector
from fervid.evaluation.metrics import bootstrap_interval
from fervid.geometry import Square, boxes_to_array, intersection_over_union, square_box
from fervid.results import Box

SHIFTS = (0.1, 0.15)
"""How far off boxes are, shares of the square's side."""

DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))

Rows = dict[float, dict[str, NDArray[np.bool_]]]
"""By angle and way to cut: which answers are right."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces")
    parser.add_argument("--photos", help="also measure on validation heads of this file")
    parser.add_argument("--detector", default="faces")
    parser.add_argument("--model", default="base")
    parser.add_argument("--count", type=int, default=500, help="faces, and photos")
    parser.add_argument("--angles", type=float, nargs="+", default=[0, -10, 10, -20, 20, -30, 30])
    parser.add_argument("--moved", type=float, nargs="+", default=[0, -20, 20], help="angles at which boxes are moved")
    parser.add_argument("--min-face", type=float, default=20.0)
    arguments = parser.parse_args()

    detector = create_detector(arguments.detector, threads=1)
    classifier = Classifier(arguments.model, threads=1)
    faces = read_faces(arguments.faces)
    points = measure_points(detector, faces.split(TRAINING), 2 * arguments.count, arguments.min_face)
    print("mean points in FER2013's frame:", ", ".join(f"({x:.3f}, {y:.3f})" for x, y in points))

    test = faces.split(PUBLIC_TEST)
    test = test[np.random.default_rng(1).permutation(len(test))[: arguments.count]]
    print(f"\n{len(test)} PublicTest faces, {detector.name}, {classifier.identity}: accuracy")
    report(judge_faces(test, arguments.angles, arguments.moved, detector, classifier, points, arguments.min_face))
    if arguments.photos:
        heads = list(pick_heads(arguments.photos, arguments.count))
        print(f"\n{len(heads)} photos of heads: same answer as for the photo as it is")
        report(judge_photos(heads, arguments.angles, arguments.moved, detector, classifier, points, arguments.min_face))


def report(rows: Rows) -> None:
    """A line per angle, then upright against turned with the difference from the upright square; boxes that are off."""
    names = [name for name in next(iter(rows.values())) if not name.startswith("moved")]
    print(f"{'':>9}" + "".join(f"{name:>14}" for name in names))
    for angle, row in rows.items():
        print(f"{angle:>+8g}°" + "".join(f"{row[name].mean():>14.1%}" for name in names))
    turned = {name: np.mean([row[name] for angle, row in rows.items() if angle], axis=0) for name in names}
    print(f"{'turned':>9}" + "".join(f"{turned[name].mean():>14.1%}" for name in names))
    for name in names:
        if name in ("found", "square") or name.startswith("known"):
            continue
        print(f"{name}: {compare(turned[name], turned['square'])} on turned ones", end="")
        print(f", {(rows[0][name].mean() - rows[0]['square'].mean()) * 100:+.1f} upright" if 0 in rows else "")
    moved = [row for row in rows.values() if any(name.startswith("moved") for name in row)]
    for shift in (0.0, *SHIFTS) if moved else ():
        ways = [f"moved {shift:g} {i}" for i in range(len(DIRECTIONS))] if shift else ["product"]
        product = np.mean([row[name] for row in moved for name in ways], axis=0)
        centred = np.mean([row["centred"] for row in moved], axis=0)
        print(f"box off by {shift:4.0%}: product {product.mean():.1%}, centred {compare(centred, product)} against it")


def compare(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> str:
    """The difference of two means in points and its 95 % interval."""
    low, high = bootstrap_interval(ours - theirs)
    return f"{(ours - theirs).mean() * 100:+.1f} points ({low * 100:+.1f} … {high * 100:+.1f})"


def judge_faces(
    faces: FaceSet,
    angles: Sequence[float],
    moved: Sequence[float],
    detector: Detector,
    classifier: Classifier,
    points: NDArray[np.float64],
    min_face: float,
) -> Rows:
    """Which faces are read rightly."""
    rows = {}
    for angle in angles:
        pictures, ways, errors = [], [], []
        for index, face in enumerate(faces.images):
            picture, square = paste_face(face, np.random.default_rng(index))
            turned, place = turn(picture, angle), turn_point(square.centre, angle, picture.shape[1] / 2)
            known = square_box(*place, square.width)
            found = find(detector, turned, known, min_face)
            pictures.append(turned)
            ways.append({"known": Square(known, angle), "known square": Square(known)})
            if found is not None:
                ways[-1] |= plan_squares(found, detector, points, moved=angle in moved)
                errors.append(fit_similarity(points, found).angle_deg - angle)
        print(f"{angle:+g}°: angle of the points off by {np.median(errors):+.1f}° (median), {np.std(errors):.1f}° (sd)")
        answers = classify(pictures, ways, classifier)
        rows[angle] = {name: answer == faces.emotions for name, answer in answers.items()}
        rows[angle]["found"] = answers["square"] >= 0
    return rows


def judge_photos(
    photos: Sequence[tuple[NDArray[np.uint8], Box]],
    angles: Sequence[float],
    moved: Sequence[float],
    detector: Detector,
    classifier: Classifier,
    points: NDArray[np.float64],
    min_face: float,
) -> Rows:
    """Which photos are read as they were before they were turned."""
    upright: NDArray[np.int64] | None = None
    rows = {}
    for angle in sorted(angles, key=abs):
        pictures, ways, tilts = [], [], []
        for image, box in photos:
            turned = turn(pad(image), angle)
            square = detector.framing.apply(shift(box, pad(image), image))
            place = turn_point(square.centre, angle, turned.shape[1] / 2)
            found = find(detector, turned, square_box(*place, square.width), min_face)
            pictures.append(turned)
            ways.append({} if found is None else plan_squares(found, detector, points, moved=angle in moved))
            if found is not None:
                tilts.append(fit_similarity(points, found).angle_deg)
        print(f"{angle:+g}°: the points say {np.median(tilts):+.1f}° (median), {np.std(tilts):.1f}° (sd)")
        answers = classify(pictures, ways, classifier)
        if upright is None:
            upright = answers["square"]
        rows[angle] = {name: (answer == upright) & (answer >= 0) for name, answer in answers.items()}
        rows[angle]["found"] = answers["square"] >= 0
    return rows


def plan_squares(
    found: Detection, detector: Detector, points: NDArray[np.float64], *, moved: bool
) -> dict[str, Square]:
    """What each way cuts out."""
    product, similar = align(found, detector.framing), fit_similarity(points, found)
    side, (x, y) = product.box.width, product.box.centre
    centre = locate_centre(points, found, side, similar.angle_deg)
    ways = {
        "square": Square(product.box),
        "product": product,
        "turned": Square(product.box, similar.angle_deg),
        "similar": similar,
        "centred": Square(square_box(*centre, side), product.angle_deg),
    }
    for share in SHIFTS if moved else ():
        for i, (right, down) in enumerate(DIRECTIONS):
            box = square_box(x + right * share * side, y + down * share * side, side)
            ways[f"moved {share:g} {i}"] = Square(box, product.angle_deg)
    return ways


def fit_similarity(points: NDArray[np.float64], found: Detection) -> Square:
    """Where the least-squares similarity from the mean points to a face's takes FER2013's frame (Umeyama 1991)."""
    if found.landmarks is None:
        raise SystemExit("the detector gives no points")
    z, w = points @ [1, 1j], found.landmarks @ [1, 1j]
    scale = (np.conj(z - z.mean()) * (w - w.mean())).sum() / (np.abs(z - z.mean()) ** 2).sum()
    middle = w.mean() + scale * (0.5 + 0.5j - z.mean())
    return Square(square_box(middle.real, middle.imag, abs(scale)), math.degrees(np.angle(scale)))


def locate_centre(points: NDArray[np.float64], found: Detection, side: float, angle_deg: float) -> tuple[float, float]:
    """Where the middle of FER2013's frame of that side and angle lies by the points."""
    if found.landmarks is None:
        raise SystemExit("the detector gives no points")
    offset = (0.5 + 0.5j - (points @ [1, 1j]).mean()) * side * np.exp(1j * math.radians(angle_deg))
    middle = (found.landmarks @ [1, 1j]).mean() + offset
    return float(middle.real), float(middle.imag)


def classify(
    pictures: Sequence[NDArray[np.uint8]], ways: Sequence[dict[str, Square]], classifier: Classifier
) -> dict[str, NDArray[np.int64]]:
    """The most probable emotion of every picture by way to cut; −1 where there is nothing to cut."""
    answers = {}
    for name in dict.fromkeys(name for squares in ways for name in squares):
        rows = [i for i, squares in enumerate(ways) if name in squares]
        inputs = [preprocess(pictures[i], [ways[i][name]], classifier.spec) for i in rows]
        answers[name] = np.full(len(ways), -1)
        answers[name][rows] = classifier.predict_inputs(np.concatenate(inputs)).probabilities.argmax(axis=1)
    return answers


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
