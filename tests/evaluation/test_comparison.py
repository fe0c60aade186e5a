"""Models side by side: paired differences, the best of each row, and pages that find each other."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fervid.emotions import EMOTIONS, emotions_for
from fervid.errors import OutputError, UsageError
from fervid.evaluation.comparison import (
    check_comparison,
    compare_evaluations,
    difference_between,
    format_difference,
    format_p,
    gather_notes,
    mcnemar_p,
    name_models,
    tabulate_comparison,
)
from fervid.evaluation.comparisonpage import build_comparison_page
from fervid.evaluation.evaluation import evaluate_model
from fervid.evaluation.heads import Estimate
from fervid.evaluation.page import NO_BREAK
from fervid.evaluation.report import name_folders, write_comparison
from fervid.evaluation.robustness import HEADS, TRUTHS, CorruptionBenchmark, Robustness
from fervid.evaluation.speed.benchmark import ModelFacts

N = 400


@pytest.fixture(scope="module")
def worlds(make_world, make_votes):
    """Three classifiers of the same faces: one, one that is right on 20 faces more, one of mere chance."""
    rng = np.random.default_rng(11)
    truths = rng.integers(0, 7, N)
    answers = np.where(rng.random(N) < 0.6, truths, (truths + rng.integers(1, 7, N)) % 7)
    better = answers.copy()
    mended = np.flatnonzero(answers != truths)[:20]
    better[mended] = truths[mended]
    confidence = np.clip(0.35 + 0.3 * (answers == truths) + rng.uniform(0, 0.3, N), 0, 1)
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    votes = make_votes(*({names[t]: 7, "contempt": 3} if i % 4 else {"unknown": 10} for i, t in enumerate(truths)))
    return [make_world(truths, each, confidence, votes=votes) for each in (answers, better, rng.integers(0, 7, N))]


@pytest.fixture(scope="module")
def evaluations(worlds):
    evaluated = []
    for name, world in zip(("first@00000000aaaa", "better@00000000bbbb", "chance@00000000cccc"), worlds, strict=True):
        classifier = world.classifier
        classifier.identity = name
        evaluated.append(evaluate_model(classifier, world.faces, "PrivateTest"))
    return evaluated


def make_facts(evaluations, sizes=(4_000_000, 900_000, 4_000_000)):
    return [
        ModelFacts(e.model, e.model, e.model, size, size // 2, size * 60)
        for e, size in zip(evaluations, sizes, strict=False)
    ]


@pytest.fixture(scope="module")
def comparison(evaluations):
    return compare_evaluations(evaluations, make_facts(evaluations))


def make_benchmark(evaluation, lost):
    """A corruption benchmark of invented accuracies."""

    def estimate(value):
        return Estimate(value, value - 0.01, value + 0.01, evaluation.n)

    measures = tuple(
        Robustness(head, truth, estimate(0.6), estimate(0.6 - lost), estimate(lost), np.full((8, 3), 0.6 - lost))
        for head in HEADS
        for truth in TRUTHS
    )
    names = tuple(f"corruption {i}" for i in range(8))
    return CorruptionBenchmark(
        evaluation.model, evaluation.split, evaluation.data, evaluation.labels, evaluation.n, 0, names, measures
    )


def find_row(comparison, section, name):
    rows = next(s.rows for s in tabulate_comparison(comparison) if s.title == section)
    return next(row for row in rows if row.name == name)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 6, 2 / 64),
        (7, 7, 1.0),
        (5, 15, 0.04138947),  # scipy.stats.binomtest(5, 20).pvalue
        (1000, 1200, 2.1817026e-05),
    ],
)
def test_mcnemar(first, second, p):
    assert mcnemar_p(first, second) == pytest.approx(p, rel=1e-6)
    assert mcnemar_p(second, first) == mcnemar_p(first, second)


def test_mcnemar_of_many_faces_does_not_overflow():
    assert 0 < mcnemar_p(10_000, 10_100) < 1


def test_difference_is_paired(evaluations, worlds):
    first, better, chance = evaluations
    difference = difference_between(better, first, "label head", "official")
    assert (difference.only_model, difference.only_reference) == (20, 0)
    assert difference.difference.n == N
    assert difference.difference.value == pytest.approx(20 / N)
    assert difference.difference.value == pytest.approx(
        better.label_head.accuracy.value - first.label_head.accuracy.value
    )
    assert difference.verdict == "better"
    assert difference.p == pytest.approx(2 / 2**20)
    # each model's own interval is far too wide to tell
    assert better.label_head.accuracy.low < first.label_head.accuracy.high
    assert difference_between(chance, first, "label head", "official").verdict == "worse"
    reverse = difference_between(first, better, "label head", "official")
    assert reverse.difference.value == -difference.difference.value
    assert reverse.verdict == "worse"


def test_difference_by_majority_counts_faces_that_have_one(evaluations, worlds):
    first, better, _ = evaluations
    known = worlds[0].faces.vote_majority() >= 0
    difference = difference_between(better, first, "answer", "FER+ majority")
    assert difference.difference.n == known.sum() < N
    mended = worlds[1].answers != worlds[0].answers
    assert difference.only_model == (mended & known).sum()
    assert difference.only_reference == 0


def test_a_model_does_not_differ_from_itself(evaluations):
    difference = difference_between(evaluations[0], evaluations[0], "answer", "official")
    assert difference.verdict == "not told apart"
    assert (difference.difference.value, difference.difference.low, difference.difference.high) == (0, 0, 0)
    assert difference.p == 1
    assert format_difference(difference) == ("0.0", "0.0 to 0.0")


def test_differences_in_words(comparison):
    difference = replace(comparison.differences[0], difference=Estimate(-0.0084, -0.0204, 0.0036, N))
    assert format_difference(difference) == ("−0.8", "−2.0 to +0.4")
    assert difference.verdict == "not told apart"
    assert [format_p(p) for p in (1.0, 0.0324, 0.00099, 0.0)] == ["1.000", "0.032", "< 0.001", "< 0.001"]


def test_every_model_is_held_against_the_first(comparison, evaluations):
    first, better, chance = (evaluation.model for evaluation in evaluations)
    held = [(d.model, d.reference, d.head, d.truth) for d in comparison.differences]
    assert held == [
        (model, first, head, truth)
        for model in (better, chance)
        for head, truth in (("label head", "official"), ("answer", "FER+ majority"))
    ]


def test_without_votes_the_label_head_alone_is_tested(worlds):
    blind = [replace(world, votes=None) for world in worlds[:2]]
    evaluations = [evaluate_model(world.classifier, world.faces, "PrivateTest") for world in blind]
    comparison = compare_evaluations(evaluations, make_facts(evaluations))
    assert [d.head for d in comparison.differences] == ["label head"]
    assert find_row(comparison, "answer", "FER+ majority").best == (False, False)
    assert [cell.value for cell in find_row(comparison, "answer", "FER+ majority").cells] == ["unknown"] * 2


def test_json_holds_each_evaluation(comparison, evaluations):
    data = json.loads(json.dumps(comparison.to_dict()))
    assert data["schema"] == "fervid-comparison/1"
    for entry, evaluation in zip(data["models"], evaluations, strict=True):
        file = entry.pop("file")
        assert entry == evaluation.to_dict()
        assert file["multiply_adds"] == file["bytes"] * 30
    assert len(data["differences"]) == 4
    assert data["differences"][0]["difference"]["value"] == pytest.approx(20 / N, abs=1e-6)
    assert data["differences"][0]["only_model"] == 20


def test_the_best_of_each_row_is_marked(comparison):
    assert find_row(comparison, "label head", "accuracy").best == (False, True, False)
    assert find_row(comparison, "answer", "AURC").best == (False, True, False)  # lower is better
    assert find_row(comparison, "model", "file").best == (False, True, False)
    assert find_row(comparison, "answer", "uncertain").best == (False, False, False)  # a matter of taste
    assert find_row(comparison, "model", "threshold").best == (False, False, False)
    for section in tabulate_comparison(comparison):
        for row in section.rows:
            assert len(row.cells) == len(row.best) == 3
            assert sum(row.best) < 3
            best = {cell.value for cell, is_best in zip(row.cells, row.best, strict=True) if is_best}
            assert len(best) <= 1


def test_equal_figures_share_the_mark_or_go_without(comparison, evaluations):
    _, better, chance = evaluations
    twin = replace(better, model="twin@00000000dddd")
    row = find_row(compare_evaluations([better, twin, chance], make_facts(evaluations)), "label head", "accuracy")
    assert row.best == (True, True, False)
    row = find_row(compare_evaluations([better, twin], make_facts(evaluations)), "label head", "accuracy")
    assert row.best == (False, False)


def test_every_expression_has_a_row(comparison, evaluations):
    for title, at in (("F1, label head", 0), ("F1, answer", -1)):
        for i, label in enumerate(EMOTIONS):
            row = find_row(comparison, title, label)
            assert [cell.number for cell in row.cells] == pytest.approx(
                [evaluation.heads[at].classes[i].f1 for evaluation in evaluations], abs=5e-4
            )


def test_spoilt_faces_have_their_section(evaluations):
    benchmarks = [make_benchmark(e, lost) for e, lost in zip(evaluations, (0.2, 0.1, 0.3), strict=True)]
    comparison = compare_evaluations(evaluations, make_facts(evaluations), benchmarks)
    assert find_row(comparison, "answer, spoilt faces", "… corrupted").best == (False, True, False)
    assert find_row(comparison, "answer, spoilt faces", "… points lost").best == (False, True, False)
    models = comparison.to_dict()["models"]
    assert [m["corruptions"]["answer"]["official"]["drop"]["value"] for m in models] == [0.2, 0.1, 0.3]
    assert "spoilt faces" in build_comparison_page(comparison, ["a", "b", "c"])


def test_names():
    assert name_models(["base@012345678901", "mine@012345678901"]) == ("base", "mine")
    assert name_models(["base@0123aaaaaaaa", "mine@000000000000", "base@0123abbbbbbb"]) == (
        "base@0123aa",
        "mine",
        "base@0123ab",
    )
    assert name_models(["a@b@012345678901"]) == ("a@b",)
    assert name_models(["haar", "mine@012345678901", "mine@0123bbbbbbbb"]) == ("haar", "mine@01234", "mine@0123b")
    assert name_models(["haar@012345678901", "haar"]) == ("haar@0123", "haar")


def test_folders():
    assert name_folders(["base@0123", "mine"]) == ["base-0123", "mine"]
    assert name_folders(["Base", "base", "BASE"]) == ["Base", "base-2", "BASE-3"]
    assert name_folders(["../..", "..", "моя", "a/b"]) == ["model", "model-2", "model-3", "a-b"]
    assert name_folders(["a", "a-2", "A"]) == ["a", "a-2", "A-3"]


def fake(identity, labels=7):
    return SimpleNamespace(identity=identity, spec=SimpleNamespace(labels=emotions_for(labels)))


def test_requests_are_checked_before_the_data_is_read():
    seven, six = fake("seven@0"), fake("six@1", 6)
    assert check_comparison([seven, fake("other@1")], "PublicTest", 7) == EMOTIONS
    assert check_comparison([seven, six], "PublicTest", 6) == emotions_for(6)
    with pytest.raises(UsageError, match="seven@0 is given twice"):
        check_comparison([seven, six, seven], "PublicTest", 6)
    with pytest.raises(UsageError, match="six@1 knows 6 labels") as caught:
        check_comparison([seven, six], "PublicTest", 7)
    assert "--labels 6" in caught.value.advice
    with pytest.raises(UsageError, match="six@1 knows 6 labels"):
        check_comparison([six], "PublicTest", 7)
    for labels, split, message in ((5, "PublicTest", "5 labels"), (7, "Test", "unknown split")):
        with pytest.raises(UsageError, match=message):
            check_comparison([seven, fake("other@1")], split, labels)


def test_what_cannot_be_compared(evaluations, worlds):
    facts = make_facts(evaluations)
    with pytest.raises(UsageError, match="one model alone"):
        compare_evaluations(evaluations[:1], facts[:1])
    folded = evaluate_model(worlds[1].classifier, worlds[1].faces, "PrivateTest", labels=6)
    with pytest.raises(UsageError, match="not evaluated on the same faces"):
        compare_evaluations([evaluations[0], folded], facts[:2])
    elsewhere = replace(evaluations[1], data="0" * 12)
    with pytest.raises(UsageError, match="not evaluated on the same faces"):
        compare_evaluations([evaluations[0], elsewhere], facts[:2])


def test_notes_name_the_models_they_are_about(comparison, evaluations):
    common = evaluations[0].notes
    assert gather_notes(comparison) == list(common) != []
    odd = replace(evaluations[1], notes=(*common, "Nothing is certain."))
    told = gather_notes(compare_evaluations([evaluations[0], odd], make_facts(evaluations)))
    assert told == [*common, "better: Nothing is certain."]


@pytest.mark.usefixtures("blank_figures")
def test_folder_has_a_page_for_each_model(comparison, parse_page, tmp_path):
    page = write_comparison(comparison, tmp_path / "report")
    assert page == tmp_path / "report" / "index.html"
    first = {path: path.read_bytes() for path in page.parent.rglob("*.*") if path.is_file()}
    assert {path.name for path in page.parent.iterdir()} == {"index.html", "report.json", "first", "better", "chance"}
    assert json.loads((page.parent / "report.json").read_text(encoding="utf-8")) == comparison.to_dict()
    text = page.read_text(encoding="utf-8")
    checker = parse_page(text)
    assert checker.open == []
    links = {value for name, value in checker.attributes if name == "href"}
    assert links == {f"{name}/index.html" for name in comparison.names}
    for link in links:
        own = parse_page((page.parent / link).read_text(encoding="utf-8"))
        assert ("href", "../index.html") in own.attributes
        assert (page.parent / link).with_name("report.json").is_file()
    write_comparison(comparison, page.parent)
    assert {path: path.read_bytes() for path in page.parent.rglob("*.*") if path.is_file()} == first


def test_page_shows_every_figure_and_fetches_nothing(comparison):
    text = build_comparison_page(comparison, ["a/index.html", "b/index.html", "c/index.html"])
    assert "FER2013" not in text
    for section in tabulate_comparison(comparison):
        assert section.title in text
        for row in section.rows:
            assert row.meaning in text
            for cell in row.cells:
                assert cell.value.replace(" %", NO_BREAK + "%") in text
                assert cell.interval in text
    assert text.count("(best)") == sum(sum(r.best) for s in tabulate_comparison(comparison) for r in s.rows)
    for difference in comparison.differences:
        assert all(part in text for part in format_difference(difference))
        assert difference.verdict in text
    for word in ("<script", "<link", "http:", "https:", "@import", "url(", " src="):
        assert word not in text
    for low, high in re.findall(r'class="span" x1="([\d.]+)" x2="([\d.]+)"', text):
        assert 0 <= float(low) <= float(high) <= 150


def test_page_escapes_what_it_did_not_write(evaluations):
    odd = replace(evaluations[1], model="<b>&mine@012345678901")
    text = build_comparison_page(compare_evaluations([evaluations[0], odd], make_facts(evaluations)), ["a", "<b>"])
    assert "&lt;b&gt;&amp;mine" in text
    assert "<b>&mine" not in text
    assert 'href="<b>"' not in text


def test_a_folder_that_cannot_be_written_is_an_error(comparison, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_comparison(comparison, tmp_path / "file")
