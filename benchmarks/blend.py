"""Which answer of two heads loses least, by labels and by votes, on clean faces and on spoilt ones?

    python benchmarks/blend.py faces.parquet base small

PublicTest, five folds: temperatures and weights are fitted on four of them as ``fervid export`` fits them, and judged
on the fifth. The label head, the votes head, their plain mean, the fitted linear pool (what fervid ships), and the
fitted logarithmic pool (Genest and Zidek 1986: the mean of the logarithms, sharpened by a temperature of its own)
answer the same faces. Spoilt faces are every fourth one in the 24 ways of ``fervid evaluate --corruptions``; nothing is
fitted on them. Intervals resample faces, each with all its conditions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fervid.classification.calibration import blend_heads, restrict_votes, softmax
from fervid.classification.classifier import Classifier
from fervid.datasets.faceset import PUBLIC_TEST, FaceSet, find_truth
from fervid.datasets.parquet import read_faces
from fervid.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from fervid.evaluation.fitting import fit_blend, fit_temperature
from fervid.evaluation.metrics import bootstrap_interval, row_losses

FOLDS = 5
STEP = 4
"""Of so many faces one is spoilt."""

SHIPPED = "linear pool"

Array = NDArray[np.float64]
Pool = Callable[[Array, Array], Array]
"""From ``(N, 7)`` logits of labels and ``(N, 8)`` of votes to ``(N, 7)`` probabilities."""


class Reading(NamedTuple):
    """What a network says of the same faces in C conditions."""

    rows: NDArray[np.int64]
    """``(N,)`` which faces of the split."""

    labels: Array
    """``(C, N, 7)`` logits."""

    votes: Array
    """``(C, N, 8)`` logits."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces")
    parser.add_argument("models", nargs="+")
    arguments = parser.parse_args()
    faces = read_faces(arguments.faces).split(PUBLIC_TEST)
    for name in arguments.models:
        classifier = Classifier(name)
        clean, spoilt = read(classifier, faces), read_spoilt(classifier, faces)
        print(f"\n`{classifier.identity}`, PublicTest, n = {len(faces):,}, spoilt {len(spoilt.rows):,} × 24\n")
        report(judge(clean, spoilt, faces))


def read(classifier: Classifier, faces: FaceSet) -> Reading:
    return _read(classifier, np.arange(len(faces)), [faces.images])


def read_spoilt(classifier: Classifier, faces: FaceSet) -> Reading:
    rows = np.arange(0, len(faces), STEP)
    images = faces.images[rows]
    return _read(classifier, rows, [corrupt(images, c, strength) for c in CORRUPTIONS for strength in STRENGTHS])


def _read(classifier: Classifier, rows: NDArray[np.int64], conditions: list[NDArray[np.uint8]]) -> Reading:
    said = [classifier.predict(list(images)) for images in conditions]
    # Logarithms of calibrated shares are the logits but for a factor and a constant, which the fit takes away.
    return Reading(rows, np.log([p.label_probabilities for p in said]), np.log([p.votes for p in said]))


def fit(labels: Array, votes: Array, faces: FaceSet) -> dict[str, Pool]:
    """Every way to answer, with what it needs fitted on these faces."""
    counts, voted = faces.vote_distribution()
    shares = counts[voted].astype(np.float64)
    temperature, votes_temperature = fit_temperature(labels, faces.emotions), fit_temperature(votes[voted], shares)
    truths, targets = faces.emotions[voted].astype(np.int64), restrict_votes(shares, 7)

    def calibrate(labels: Array, votes: Array) -> tuple[Array, Array]:
        return softmax(labels, temperature), softmax(votes, votes_temperature)

    def pool_linearly(share: float) -> Pool:
        return lambda labels, votes: blend_heads(*calibrate(labels, votes), share)

    def pool_logarithms(share: float, sharpness: float) -> Pool:
        def pool(labels: Array, votes: Array) -> Array:
            said, agreed = calibrate(labels, votes)
            mean = (1 - share) * np.log(said + 1e-12) + share * np.log(restrict_votes(agreed, 7))
            return softmax(mean * sharpness)

        return pool

    def loss(pool: Pool) -> float:
        answer = pool(labels[voted], votes[voted])
        against_votes = -(targets * np.log(np.maximum(answer, 1e-12))).sum(axis=1)
        return float(row_losses(answer, truths).mean() + against_votes.mean())

    said, agreed = calibrate(labels[voted], votes[voted])
    grid = [pool_logarithms(share, sharp) for share in np.linspace(0.2, 0.8, 13) for sharp in np.linspace(0.7, 1.3, 13)]
    return {
        "label head": pool_linearly(0),
        "votes head": pool_linearly(1),
        "plain mean": pool_linearly(0.5),
        SHIPPED: pool_linearly(fit_blend(said, restrict_votes(agreed, 7), truths, targets)),
        "logarithmic pool": min(grid, key=loss),
    }


def judge(clean: Reading, spoilt: Reading, faces: FaceSet) -> dict[str, dict[str, Array]]:
    """By way to answer and column, for each face with a truth the share of its conditions in which it is right."""
    folds = np.arange(len(faces)) % FOLDS
    ways = [fit(clean.labels[0, folds != k], clean.votes[0, folds != k], faces[folds != k]) for k in range(FOLDS)]
    right: dict[str, dict[str, Array]] = {name: {} for name in ways[0]}
    for state, reading in (("clean", clean), ("spoilt", spoilt)):
        fold = folds[reading.rows]
        for name in right:
            answers = np.empty(reading.labels.shape[:2], dtype=np.int64)
            for k in range(FOLDS):
                for condition, (labels, votes) in enumerate(zip(reading.labels, reading.votes, strict=True)):
                    mine = fold == k
                    answers[condition, mine] = ways[k][name](labels[mine], votes[mine]).argmax(axis=1)
            for truth, wanted in zip(("labels", "FER+"), find_truth(faces, 7), strict=True):
                known = wanted[reading.rows] >= 0
                right[name][f"{state}, {truth}"] = (answers == wanted[reading.rows])[:, known].mean(axis=0)
    return right


def report(right: dict[str, dict[str, Array]]) -> None:
    """Print accuracies, and what they are less than those of the shipped way."""
    columns = list(right[SHIPPED])
    best = {column: max(values[column].mean() for values in right.values()) for column in columns}
    print(f"| | {' | '.join(columns)} | loses at most |\n|---|{'---:|' * (len(columns) + 1)}")
    for name, values in right.items():
        cells = [_estimate(values[column]) for column in columns]
        lost = max(best[column] - values[column].mean() for column in columns)
        print(f"| {name} | {' | '.join(cells)} | {lost * 100:.1f} |")
    print(f"\n| less the {SHIPPED} | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, values in right.items():
        if name != SHIPPED:
            cells = [_estimate(values[column] - right[SHIPPED][column], sign="+") for column in columns]
            print(f"| {name} | {' | '.join(cells)} |")


def _estimate(values: Array, *, sign: str = "") -> str:
    low, high = bootstrap_interval(values)
    return f"{values.mean() * 100:{sign}.1f} ({low * 100:{sign}.1f} … {high * 100:{sign}.1f})"


if __name__ == "__main__":
    main()
