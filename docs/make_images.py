"""Make the pictures of README and docs: ``python docs/make_images.py [faces.parquet]``.

The portrait is scikit-image's (NASA, public domain). Charts of ``base`` need FER2013; no face of it is in them.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage

import fervid
from fervid.emotions import EMOTIONS
from fervid.results import Face, Frame

IMAGES = Path(__file__).parent / "images"
ROOT = Path(__file__).parent.parent


def main() -> None:
    """Those of the portrait and of a film that was made up; with FER2013's faces the charts as well."""
    draw_portrait()
    fervid.plot_timeline(list(make_film()), IMAGES / "timeline.png", title="lecture.mp4")
    draw_training()
    if len(sys.argv) > 1:
        draw_figures(Path(sys.argv[1]))


def draw_portrait() -> None:
    """One picture, annotated to the left, the emoji to the right; and one that says why."""
    source = Path(skimage.__file__).parent / "data" / "astronaut.png"
    picture = fervid.load_image(source)
    analyzer = fervid.Analyzer(detector="haar")
    analysis = analyzer.analyze(source)
    gap = np.full((picture.shape[0], 8, 3), 255, dtype=np.uint8)
    both = [fervid.annotate(picture, analysis), gap, fervid.emojify(picture, analysis)]
    fervid.save_image(IMAGES / "astronaut.jpg", np.concatenate(both, axis=1))
    why = fervid.explain(picture, analyzer.analyze(source, evidence=True))
    fervid.save_image(IMAGES / "explain.jpg", why[:300])


def make_film() -> Iterator[Frame]:
    """Ninety seconds of two people who are not there: whom they listen to becomes interesting, then funny."""
    moods = {
        1: [(0, "neutral"), (25, "sad"), (40, "surprise"), (52, "happy"), (75, "neutral")],
        2: [(12, "neutral"), (44, "happy"), (68, "neutral")],
    }
    for index in range(450):
        time_s = index / 5
        faces = tuple(
            make_face(track, time_s, mood) for track, mood in moods.items() if mood[0][0] <= time_s < 90 - 6 * track
        )
        yield Frame(faces, (640, 360), "small", "faces", "lecture.mp4", index=index, time_s=time_s)


def make_face(track: int, time_s: float, moods: list[tuple[int, str]]) -> Face:
    """Somebody who goes from one expression to the next within two seconds."""
    shares = dict.fromkeys(map(str, EMOTIONS), 0.02)
    for number, (start, mood) in enumerate(moods):
        rise = 1 / (1 + math.exp(-1.5 * (time_s - start - 1))) if number else 0.9
        shares = {label: value * (1 - rise) for label, value in shares.items()}
        shares[mood] += rise * (0.75 + 0.15 * math.sin(time_s * 0.9 + track))
        shares["neutral"] += rise * 0.2
    total = sum(shares.values())
    probabilities = fervid.Distribution(list(shares), [value / total for value in shares.values()])
    confidence = max(probabilities.values())
    votes = fervid.Distribution(fervid.VOTE_LABELS, [*probabilities.values(), 0.0])
    emotion = fervid.Emotion(probabilities.top) if confidence > 0.4 else None
    left = 100.0 + 220 * (track - 1)
    box = fervid.Box(left, 80, left + 90, 190)
    return Face(box, 0.95, emotion, confidence, probabilities, votes, track_id=track)


def draw_training() -> None:
    """How the first of ``base``'s recipes learned; the others go on from it."""
    from fervid.training.expressions.curves import draw_curves

    name = "base-2"
    lines = (ROOT / "runs" / f"{name}.metrics.jsonl").read_text(encoding="utf-8").splitlines()
    draw_curves([json.loads(line) for line in lines], IMAGES / "curves.png", title=name)


def draw_figures(path: Path) -> None:
    """What ``base`` confuses, and whether its confidence is right, on PrivateTest."""
    from fervid.classification.classifier import Classifier
    from fervid.datasets.parquet import read_faces
    from fervid.evaluation.evaluation import evaluate_model
    from fervid.evaluation.figures import draw_confusion_matrix, draw_reliability
    from fervid.files import write_atomically

    evaluation = evaluate_model(Classifier("base"), read_faces(path), "PrivateTest")
    for name, draw in (("confusion.png", draw_confusion_matrix), ("reliability.png", draw_reliability)):
        with write_atomically(IMAGES / name) as part:
            part.write_bytes(draw(evaluation, evaluation.answer))


if __name__ == "__main__":
    main()
