"""How often a label flips and how late it changes, by memory: what the defaults of fervid.tracking.smoothing rest on.

    python benchmarks/smoothing.py faces.parquet --count 60

Every clip shows one person of FER2013's PublicTest and then, fading over 0.4 s, another with another expression, 3 s
each. A frame is the face as a tracker would cut it (a box that jitters by 3 % of its side, 4 % of its size) from a film
(the head tilts and sways, the light changes, the camera is noisy); every four seconds there is a blink: 0.2 s of
somebody else's answer at half weight. What no still picture has, the play of a face that talks, is added as noise on
the logarithms of the answers (--talk, standard deviation, remembered for 0.4 s).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fervid.classification.classifier import Classifier
from fervid.datasets.parquet import read_faces
from fervid.emotions import EMOTIONS, VOTE_LABELS
from fervid.geometry import Square, square_box
from fervid.results import Box, Distribution, Face
from fervid.tracking.smoothing import MARGIN, SMOOTH_S, Smoother

FPS = 30
SECONDS = 3.0
SIDE = 96
FADE_S, BLINK_S, BLINK_EVERY_S, TALK_S = 0.4, 0.2, 4.0, 0.4
SETTLED_S = 1.5

Answers = NDArray[np.float64]
"""``(frames, labels)``."""


def wander(rng: np.random.Generator, count: int, memory_s: float, shape: tuple[int, ...] = ()) -> NDArray[np.float64]:
    """Noise of standard deviation 1 that remembers itself: ``(count, *shape)``."""
    kept = np.exp(-1 / FPS / memory_s)
    values = rng.normal(size=(count, *shape))
    for i in range(1, count):
        values[i] = kept * values[i - 1] + np.sqrt(1 - kept**2) * values[i]
    return values


def watch_face(face: NDArray[np.uint8], classifier: Classifier, rng: np.random.Generator) -> Answers:
    """What the network says of a film of one face."""
    count, margin = round(FPS * SECONDS), SIDE // 3
    large = np.asarray(Image.fromarray(face).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    picture = Image.fromarray(np.pad(large, margin, mode="edge"))
    tilt, light, sway = wander(rng, count, 0.7) * 4, wander(rng, count, 1.0) * 0.1, wander(rng, count, 0.5, (3,)) * 0.03
    jitter = rng.normal(size=(count, 3)) * (0.03, 0.03, 0.04) + sway
    frames, squares = [], []
    for i in range(count):
        turned = np.asarray(picture.rotate(tilt[i], Image.Resampling.BILINEAR))
        frames.append(np.clip(turned * (1 + light[i]) + rng.normal(0, 6, turned.shape), 0, 255).astype(np.uint8))
        x, y = margin + SIDE / 2 + SIDE * jitter[i, :2]
        squares.append(Square(square_box(x, y, SIDE * float(np.exp(jitter[i, 2])))))
    return classifier.predict(frames, squares).probabilities


def talk(answers: Answers, amount: float, rng: np.random.Generator) -> Answers:
    """Add the play of a face that talks."""
    weights = np.clip(answers, 1e-5, 1) * np.exp(amount * wander(rng, len(answers), TALK_S, answers.shape[1:]))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def join(first: Answers, second: Answers, blink: NDArray[np.float64], rng: np.random.Generator) -> Answers:
    """One clip of two people, with blinks."""
    clip = np.concatenate([first, second])
    fade = round(FADE_S * FPS)
    for i in range(fade):
        share = (i + 1) / (fade + 1)
        clip[len(first) + i] = (1 - share) * clip[len(first) - 1 - i] + share * clip[len(first) + i]
    for start in range(int(rng.integers(0, round(BLINK_EVERY_S * FPS))), len(clip), round(BLINK_EVERY_S * FPS)):
        if abs(start - len(first)) > FPS / 2:
            clip[start : start + round(BLINK_S * FPS)] = (clip[start : start + round(BLINK_S * FPS)] + blink) / 2
    return clip


def choose_label(probabilities: NDArray[np.float64], threshold: float) -> int:
    top = int(np.argmax(probabilities))
    return top if probabilities[top] >= threshold else -1


def label(clip: Answers, step: int, smoother: Smoother, threshold: float) -> NDArray[np.int64]:
    """Labels of every ``step``-th frame."""
    labels = []
    for index in range(0, len(clip), step):
        probabilities = Distribution(EMOTIONS, clip[index])
        face = Face(Box(0, 0, 1, 1), 1.0, None, 0.0, probabilities, Distribution(VOTE_LABELS, [1 / 8] * 8), track_id=1)
        [smooth] = smoother.smooth([face], index / FPS)
        if smooth.smoothed is None:
            labels.append(choose_label(clip[index], threshold))
        else:
            labels.append(-1 if smooth.emotion is None else EMOTIONS.index(smooth.emotion))
    return np.array(labels)


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Attributes:
    flips_per_minute: label changes while the person stays the same.
    lag_s: median time from the change of person until the label has changed for 0.3 s.
    late_s: the same of the slowest twentieth.
    missed: share of the changes that were not noticed within 3 s.
    right: share of time in which the label is that of the person's mean answer.
    """

    flips_per_minute: float
    lag_s: float
    late_s: float
    missed: float
    right: float


def measure(labels: NDArray[np.int64], truth: NDArray[np.int64], fps: float) -> Steadiness:
    """Score ``(clips, frames)`` labels against ``(clips, 2)`` labels of the first and the second person."""
    half, skip = labels.shape[1] // 2, round(SETTLED_S * fps)
    steady = np.r_[1:half, half + skip + 1 : labels.shape[1]]
    flips = (labels[:, steady] != labels[:, steady - 1]).sum() / (labels.shape[0] * len(steady) / fps) * 60
    held = max(1, round(0.3 * fps))
    lags = []
    for row, (_, second) in zip(labels, truth, strict=True):
        right = row[half:] == second
        lags.append(next((t / fps for t in range(len(right) - held) if right[t : t + held].all()), np.nan))
    first, second = labels[:, :half] == truth[:, :1], labels[:, half + skip :] == truth[:, 1:]
    return Steadiness(
        flips_per_minute=float(flips),
        lag_s=float(np.nanmedian(lags)),
        late_s=float(np.nanquantile(lags, 0.95)),
        missed=float(np.isnan(lags).mean()),
        right=float(np.concatenate([first.ravel(), second.ravel()]).mean()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces")
    parser.add_argument("--model", default="base")
    parser.add_argument("--count", type=int, default=60, help="faces")
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--talk", type=float, default=0.35)
    parser.add_argument("--memories", type=float, nargs="+", default=[0, 0.25, SMOOTH_S, 1.0])
    parser.add_argument("--margins", type=float, nargs="+", default=[0, MARGIN])
    parser.add_argument("--fps", type=int, nargs="+", default=[30, 5])
    arguments = parser.parse_args()
    rng = np.random.default_rng(2013)
    faces = read_faces(arguments.faces).split("PublicTest")
    classifier = Classifier(arguments.model, threads=1)
    threshold = classifier.spec.threshold
    chosen = rng.choice(len(faces), arguments.count, replace=False)
    films = [watch_face(faces.images[i], classifier, rng) for i in chosen]
    spread = [np.log(np.clip(f, 1e-4, 1)) for f in films]
    centred = [logs - logs.mean(axis=1, keepdims=True) for logs in spread]
    print(f"{classifier.identity}: log-odds of one face vary by {np.mean([c.std(axis=0).mean() for c in centred]):.2f}")
    labels = [choose_label(f.mean(axis=0), threshold) for f in films]
    pairs = [(i, j) for i in range(len(films)) for j in range(len(films)) if -1 < labels[i] != labels[j] > -1]
    clips, truth = [], []
    for index in rng.choice(len(pairs), arguments.clips):
        first, second = pairs[index]
        blink = films[int(rng.integers(len(films)))].mean(axis=0)
        before, after = (talk(films[i], arguments.talk, rng) for i in (first, second))
        clips.append(join(before, after, blink, rng))
        truth.append((labels[first], labels[second]))
    print(" fps  memory s  margin  flips/min  lag s  slow  missed  right")
    for fps in arguments.fps:
        for smooth_s in arguments.memories:
            for margin in arguments.margins if smooth_s else [0.0]:
                found = [label(c, FPS // fps, Smoother(threshold, smooth_s, margin=margin), threshold) for c in clips]
                m = measure(np.array(found), np.array(truth), fps)
                print(
                    f"{fps:4} {smooth_s:9g} {margin:7g} {m.flips_per_minute:10.1f} {m.lag_s:6.2f} {m.late_s:5.2f}"
                    f" {m.missed:7.3f} {m.right:6.3f}"
                )


if __name__ == "__main__":
    main()
