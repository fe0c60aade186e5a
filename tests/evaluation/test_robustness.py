"""The corruption benchmark: the figures are those of the spoilt faces, and the intervals those of the faces."""

import csv
import io
import json
import re
from base64 import b64decode
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fervid.classification.classifier import Prediction
from fervid.datasets.faceset import SPLITS, FaceSet
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, emotions_for, fold_label_indices
from fervid.errors import DatasetError, UsageError
from fervid.evaluation import robustness
from fervid.evaluation.corruptionmap import build_corruption_map, draw_corruption_map, paint_example
from fervid.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from fervid.evaluation.evaluation import evaluate_model
from fervid.evaluation.figures import DARK
from fervid.evaluation.metrics import bootstrap_interval
from fervid.evaluation.page import NO_BREAK, build_page
from fervid.evaluation.report import format_corruptions, write_report
from fervid.evaluation.robustness import HEADS, evaluate_corruptions
from fervid.evaluation.summary import summarise_corruptions

N = 30


class Looker:
    """Answers from the pixels: the label head from the brightness, the votes head from the contrast."""

    identity = "looker@0123456789ab"

    def __init__(self, labels=7):
        self.spec = SimpleNamespace(labels=emotions_for(labels), threshold=0.5, blend=0.5)
        self.batches = []

    @staticmethod
    def look(images, labels=7):
        levels = np.asarray(images, dtype=float).reshape(len(images), -1)
        return (levels.mean(axis=1) / 256 * labels).astype(int), (levels.std(axis=1) / 128 * 8).astype(int).clip(0, 7)

    def predict(self, images):
        self.batches.append(len(images))
        label, vote = self.look(images, len(self.spec.labels))
        probabilities, votes = np.eye(len(self.spec.labels))[label], np.eye(8)[vote]
        return Prediction(np.roll(probabilities, 1, axis=1), votes, probabilities)  # the answer is one further


@pytest.fixture(scope="module")
def faces():
    """Faces of many levels and contrasts that the looker reads right about half of the time."""
    rng = np.random.default_rng(2013)
    y, x = np.mgrid[0:48, 0:48]
    waves = np.sin(x / rng.uniform(1.5, 6, (N, 1, 1)) + rng.uniform(0, 6, (N, 1, 1))) * np.cos(y / 5)
    images = rng.uniform(30, 220, (N, 1, 1)) + rng.uniform(10, 90, (N, 1, 1)) * waves
    images = np.clip(images, 0, 255).astype(np.uint8)
    label, vote = Looker.look(images)
    truths = np.where(rng.random(N) < 0.6, label, rng.integers(0, 7, N))
    votes = np.zeros((N, 10), dtype=np.int64)
    votes[np.arange(N), [[4, 5, 6, 1, 3, 2, 0][v] if v < 7 else 8 for v in vote]] = 9
    return FaceSet(images, truths.astype(np.int64), np.full(N, SPLITS.index("PublicTest")), votes)


@pytest.fixture(scope="module")
def benchmark(faces):
    return evaluate_corruptions(Looker(), faces, "PublicTest")


def only_labels(benchmark):
    return replace(benchmark, measures=tuple(m for m in benchmark.measures if m.truth == "official"))


def test_figures_are_those_of_the_spoilt_faces(benchmark, faces):
    majority = faces.vote_majority()
    known = majority >= 0
    right = np.empty((24, N), dtype=bool)
    right_by_votes = np.empty((24, known.sum()), dtype=bool)
    conditions = [(c, s) for c in CORRUPTIONS for s in STRENGTHS]
    for i, (corruption, strength) in enumerate(conditions):
        label, vote = Looker.look(corrupt(faces.images, corruption, strength))
        right[i] = label == faces.emotions
        votes = np.eye(8)[vote][:, :7] + 1e-12  # a vote for contempt says nothing of the seven: the first is taken
        right_by_votes[i] = (votes.argmax(axis=1) == majority)[known]
    clean = Looker.look(faces.images)[0] == faces.emotions
    labels = benchmark.measure("label head", "official")
    assert labels.clean.value == pytest.approx(clean.mean())
    np.testing.assert_allclose(labels.accuracy, right.mean(axis=1).reshape(8, 3))
    assert labels.mean.value == pytest.approx(right.mean())
    assert (labels.mean.low, labels.mean.high) == bootstrap_interval(right.mean(axis=0))
    assert labels.mean.low < labels.mean.value < labels.mean.high
    assert labels.drop.value == pytest.approx(clean.mean() - right.mean())
    assert (labels.drop.low, labels.drop.high) == bootstrap_interval(clean - right.mean(axis=0))
    assert {labels.clean.n, labels.mean.n, labels.drop.n} == {N}
    by_votes = benchmark.measure("votes head", "FER+ majority")
    np.testing.assert_allclose(by_votes.accuracy, right_by_votes.mean(axis=1).reshape(8, 3))
    assert by_votes.mean.n == known.sum()
    assert labels.drop.value > 0.03  # the looker does lose something


def test_clean_figures_are_those_of_the_evaluation(benchmark, faces):
    evaluation = evaluate_model(Looker(), faces, "PublicTest")
    assert (benchmark.model, benchmark.data, benchmark.n) == (evaluation.model, evaluation.data, evaluation.n)
    assert [head.name for head in evaluation.heads] == list(HEADS)
    for head in evaluation.heads:
        assert benchmark.measure(head.name, "official").clean == head.accuracy
        assert benchmark.measure(head.name, "FER+ majority").clean == head.majority_accuracy


def test_a_classifier_that_does_not_look_loses_nothing(faces):
    class Blind(Looker):
        @staticmethod
        def look(images, _labels=7):
            return np.full(len(images), 3), np.full(len(images), 3)

    for measure in evaluate_corruptions(Blind(), faces, "PublicTest").measures:
        assert (measure.drop.value, measure.drop.low, measure.drop.high) == pytest.approx((0, 0, 0))
        assert measure.accuracy == pytest.approx(measure.clean.value)


def test_chunks_bound_the_memory_and_change_no_figure(benchmark, faces, monkeypatch):
    monkeypatch.setattr(robustness, "CHUNK", 16)
    classifier, seen = Looker(), []

    def note(done, total):
        seen.append((done, total))

    chunked = evaluate_corruptions(classifier, faces, "PublicTest", on_progress=note)
    assert chunked.to_dict() == benchmark.to_dict()
    assert max(classifier.batches) == 16
    assert sum(classifier.batches) == 25 * N
    assert {total for _, total in seen} == {25 * N}
    counts = [done for done, _ in seen]
    assert counts == sorted(counts)
    assert counts[-1] == 25 * N


def test_another_seed_spoils_differently(benchmark, faces):
    other = evaluate_corruptions(Looker(), faces, "PublicTest", seed=1)
    assert [m.clean for m in other.measures] == [m.clean for m in benchmark.measures]
    assert [m.mean for m in other.measures] != [m.mean for m in benchmark.measures]


def test_without_votes_only_labels_are_truth(faces):
    unvoted = FaceSet(faces.images, faces.emotions, faces.splits)
    benchmark = evaluate_corruptions(Looker(), unvoted, "PublicTest")
    assert [(m.head, m.truth) for m in benchmark.measures] == [(head, "official") for head in HEADS]
    assert benchmark.measure("answer", "FER+ majority") is None
    assert "fer_plus_majority" not in benchmark.to_dict()["answer"]


def test_a_votes_head_that_learned_nothing_is_left_out(faces):
    class Unvoted(Looker):
        def predict(self, images):
            answer = super().predict(images)
            return Prediction(answer.probabilities, np.full_like(answer.votes, 1 / 8), answer.label_probabilities)

    benchmark = evaluate_corruptions(Unvoted(), faces, "PublicTest")
    assert benchmark.heads == ("label head", "answer")
    assert benchmark.to_dict()["votes_head"] is None
    assert {len(row.cells) for row in summarise_corruptions(benchmark)} == {2}
    assert "votes head," not in format_corruptions(benchmark)
    assert "FER2013" not in build_corruption_map(benchmark)


def test_six_labels(faces):
    benchmark = evaluate_corruptions(Looker(), faces, "PublicTest", labels=6)
    assert benchmark.labels == EMOTIONS_WITHOUT_DISGUST
    right = fold_label_indices(Looker.look(faces.images)[0]) == fold_label_indices(faces.emotions)
    assert benchmark.measure("label head", "official").clean.value == pytest.approx(right.mean())
    with pytest.raises(UsageError, match="knows 6 labels"):
        evaluate_corruptions(Looker(6), faces, "PublicTest")


def test_json_names_every_condition(benchmark):
    data = json.loads(json.dumps(benchmark.to_dict()))
    assert data["labels"] == [str(e) for e in EMOTIONS]
    for head in ("label_head", "votes_head", "answer"):
        for truth in ("official", "fer_plus_majority"):
            part = data[head][truth]
            assert list(part["conditions"]) == [c.name for c in CORRUPTIONS]
            values = np.array(list(part["conditions"].values()))
            assert values.shape == (8, 3)
            assert part["mean"]["value"] == pytest.approx(values.mean(), abs=1e-5)
            assert part["drop"]["value"] == pytest.approx(part["clean"]["value"] - values.mean(), abs=1e-5)


def test_figures_are_read_only(benchmark):
    measure = benchmark.measures[0]
    with pytest.raises(ValueError, match="read-only"):
        measure.accuracy[0, 0] = 1


def test_wrong_requests(faces):
    with pytest.raises(UsageError, match="unknown split"):
        evaluate_corruptions(Looker(), faces, "Test")
    with pytest.raises(UsageError, match="no seed"):
        evaluate_corruptions(Looker(), faces, "PublicTest", seed=-1)
    with pytest.raises(DatasetError, match="no PrivateTest rows"):
        evaluate_corruptions(Looker(), faces, "PrivateTest")


def test_summary_says_what_is_left_and_what_is_lost(benchmark):
    rows = summarise_corruptions(benchmark)
    assert [row.name for row in rows] == [
        "accuracy, clean", "… corrupted", "… points lost", "FER+ majority, clean", "… corrupted", "… points lost",
    ]  # fmt: skip
    for row, figure in zip(rows[:3], ("clean", "mean", "drop"), strict=True):
        for cell, head in zip(row.cells, HEADS, strict=True):
            estimate = getattr(benchmark.measure(head, "official"), figure)
            assert cell.value.removesuffix(" %") == f"{estimate.value * 100:.1f}"
            assert cell.interval == f"{estimate.low * 100:.1f}–{estimate.high * 100:.1f}"
        assert row.n == str(N)
    assert len(summarise_corruptions(only_labels(benchmark))) == 3


def test_csv_has_a_line_per_head_truth_and_condition(benchmark):
    rows = list(csv.DictReader(io.StringIO(format_corruptions(benchmark))))
    assert len(rows) == 3 * 2 * 25
    for row in rows:
        measure = benchmark.measure(row["head"], row["truth"])
        strength = int(row["strength"])
        if row["corruption"] == "clean":
            assert strength == 0
            expected = measure.clean.value
        else:
            expected = measure.accuracy[benchmark.corruptions.index(row["corruption"]), strength - 1]
        assert float(row["accuracy"]) == pytest.approx(expected, abs=1e-6)
        assert int(row["faces"]) == measure.clean.n


def test_map_shows_every_condition_on_a_drawn_face(benchmark):
    table = build_corruption_map(benchmark)
    answer = benchmark.measure("answer", "official")
    for value in (answer.clean.value, *answer.accuracy.ravel(), *answer.accuracy.mean(axis=1)):
        assert f"<b>{value * 100:.1f} %</b>" in table
    for value in benchmark.measure("answer", "FER+ majority").accuracy.ravel():
        assert f"<small>{value * 100:.1f} %</small>" in table
    pictures = [
        np.asarray(Image.open(io.BytesIO(b64decode(data)))) for data in re.findall(r"png;base64,([^\"]+)", table)
    ]
    assert len(pictures) == 25
    example = paint_example()
    np.testing.assert_array_equal(pictures[0], example)
    expected = [corrupt(example[None], corruption, strength)[0] for corruption in CORRUPTIONS for strength in STRENGTHS]
    np.testing.assert_array_equal(pictures[1:], expected)
    assert len({picture.tobytes() for picture in pictures}) == 25  # the strengths can be told apart
    assert "small against the FER+ majority" in table
    assert "FER+ majority" not in build_corruption_map(only_labels(benchmark))


def test_map_is_warmer_where_more_is_lost(benchmark):
    shares = [float(share) for share in re.findall(r"--share:([0-9.]+)", build_corruption_map(benchmark))]
    answer = benchmark.measure("answer", "official")
    losses = answer.clean.value - np.column_stack([answer.accuracy, answer.accuracy.mean(axis=1)]).ravel()
    assert shares[0] == 0
    assert shares[1:] == pytest.approx(0.6 * np.clip(losses / 0.4, 0, 1), abs=1e-3)


def test_map_is_a_picture_too(benchmark):
    pictures = [draw_corruption_map(benchmark), draw_corruption_map(benchmark, theme=DARK)]
    pictures.append(draw_corruption_map(only_labels(benchmark)))
    assert len(set(pictures)) == 3
    for data in pictures:
        assert len(Image.open(io.BytesIO(data)).convert("RGB").getcolors(1 << 24)) > 200
    assert draw_corruption_map(benchmark) == pictures[0]


@pytest.mark.usefixtures("blank_figures")
def test_report_holds_the_corruptions_when_they_were_measured(benchmark, faces, tmp_path):
    evaluation = evaluate_model(Looker(), faces, "PublicTest")
    write_report(evaluation, tmp_path / "without")
    page = write_report(evaluation, tmp_path / "with", corruptions=benchmark)
    names = [{path.name for path in (tmp_path / folder).iterdir()} for folder in ("without", "with")]
    assert names[1] - names[0] == {"corruptions.csv", "corruptions.png"}
    data = json.loads((tmp_path / "with" / "report.json").read_text(encoding="utf-8"))
    assert data.pop("corruptions") == benchmark.to_dict()
    assert data == json.loads((tmp_path / "without" / "report.json").read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    assert build_corruption_map(benchmark).replace(" %", NO_BREAK + "%") in text
    assert summarise_corruptions(benchmark)[1].cells[0].interval in text
    assert "table.heat" in text
    assert "table.heat" not in build_page(evaluation)
