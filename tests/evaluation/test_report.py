"""The report: complete, self-contained, the same twice, and readable when there is little to say."""

import csv
import io
import json
import re
from base64 import b64decode
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from fervid.cli.evaluationtables import print_evaluation
from fervid.errors import OutputError
from fervid.evaluation import figures
from fervid.evaluation.evaluation import evaluate_model
from fervid.evaluation.examples import pick_examples
from fervid.evaluation.figures import DARK, LIGHT, draw_confusion_matrix, draw_reliability, draw_risk_coverage
from fervid.evaluation.page import NO_BREAK, build_page
from fervid.evaluation.report import write_report
from fervid.evaluation.summary import format_recall, rank_confusions, summarise

FILES = {
    "index.html",
    "report.json",
    "classification_report.csv",
    "confusion_matrix_label_head.png",
    "confusion_matrix_answer.png",
    "reliability_label_head.png",
    "reliability_answer.png",
    "risk_coverage.png",
}


def draw_matrix_of_answer(evaluation, **options):
    return draw_confusion_matrix(evaluation, evaluation.answer, **options)


def draw_reliability_of_label_head(evaluation, **options):
    return draw_reliability(evaluation, evaluation.label_head, **options)


DRAWINGS = [draw_matrix_of_answer, draw_reliability_of_label_head, draw_risk_coverage]


@pytest.fixture
def evaluation(world):
    return evaluate_model(world.classifier, world.faces, "PrivateTest")


def test_report_is_complete_and_the_same_twice(evaluation, tmp_path):
    page = write_report(evaluation, tmp_path / "new" / "report")
    assert page == tmp_path / "new" / "report" / "index.html"
    assert {path.name for path in page.parent.iterdir()} == FILES
    first = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    write_report(evaluation, page.parent)
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == first


@pytest.mark.usefixtures("blank_figures")
def test_json_and_csv_say_what_the_evaluation_says(evaluation, tmp_path):
    write_report(evaluation, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text()) == evaluation.to_dict()
    rows = list(csv.DictReader(io.StringIO((tmp_path / "classification_report.csv").read_text())))
    names = [*evaluation.labels, "macro average", "weighted average"]
    assert [row["label"] for row in rows] == names * 3
    assert [row["head"] for row in rows] == [head.name for head in evaluation.heads for _ in names]
    for row, scores in zip(rows, evaluation.label_head.classes, strict=False):
        assert float(row["recall"]) == pytest.approx(scores.recall, abs=1e-6)
        assert int(row["support"]) == scores.support
        assert float(row["recall_low"]) == pytest.approx(scores.recall_low, abs=1e-6)
        assert float(row["recall_high"]) == pytest.approx(scores.recall_high, abs=1e-6)
    assert {row["recall_low"] for row in rows if row["label"].endswith("average")} == {""}


def test_page_is_well_formed_and_fetches_nothing(evaluation, parse_page):
    page = build_page(evaluation)
    checker = parse_page(page)
    assert checker.open == []
    assert "script" not in checker.seen
    assert "link" not in checker.seen
    assert "http" not in re.sub(r'<meta http-equiv="Content-Security-Policy"', "", page)
    sources = [value for name, value in checker.attributes if name in {"src", "srcset", "href"}]
    assert len(sources) == 6  # three figures, each for light and dark
    for source in sources:
        kind, data = source.split(",")
        assert kind == "data:image/svg+xml;base64"
        assert ElementTree.fromstring(b64decode(data)).tag.endswith("svg")
    assert "@import" not in page
    assert "url(" not in page


@pytest.mark.usefixtures("blank_figures")
def test_page_shows_every_figure(evaluation):
    page = build_page(evaluation)
    for row in summarise(evaluation):
        assert row.name in page
        for cell in row.cells:
            assert cell.value.replace(" %", NO_BREAK + "%") in page
            assert cell.interval in page
    for head in (evaluation.label_head, evaluation.answer):
        for count in head.confusion.ravel():
            assert f"<small>{count}</small>" in page
        for scores in head.classes:
            recall = format_recall(scores)
            assert f'<td class="recall">{recall.value} <small>{recall.interval}</small></td>' in page
    for note in evaluation.notes:
        assert note in page


@pytest.mark.usefixtures("blank_figures")
def test_no_data_set_is_taken_for_fer2013(world, evaluation):
    page = build_page(evaluation, faces=pick_examples(evaluation, world.faces, 2))
    assert "FER2013" not in page
    assert f"600 faces (data {evaluation.data})" in page


@pytest.mark.usefixtures("blank_figures")
def test_a_votes_head_that_learned_nothing_is_left_out(world, capsys):
    classifier = world.classifier
    classifier.votes = np.full_like(classifier.votes, 1 / 8)
    evaluation = evaluate_model(classifier, world.faces, "PrivateTest", labels=6)
    assert evaluation.votes_head is evaluation.to_dict()["votes_head"] is None
    assert [head.name for head in evaluation.heads] == ["label head", "answer"]
    assert {len(row.cells) for row in summarise(evaluation)} == {2}
    page = build_page(evaluation)
    assert '<th scope="col">answer</th>' in page
    assert '<th scope="col">votes head</th>' not in page
    assert "how ten people vote" not in page
    assert "votes head" not in evaluation._repr_html_()
    print_evaluation(evaluation)
    assert capsys.readouterr().out.count("votes head") == 1  # which "has learned nothing"


def test_a_notebook_shows_every_figure(evaluation, parse_page):
    html = evaluation._repr_html_()
    assert parse_page(html).open == []
    assert f"{evaluation.model} on PrivateTest" in html
    for row in summarise(evaluation):
        assert all(str(cell) in html for cell in (row.name, *row.cells, row.n))


@pytest.mark.usefixtures("blank_figures")
def test_page_escapes_what_it_did_not_write(world):
    classifier = world.classifier
    classifier.identity = "<b>&mine@012345678901"
    page = build_page(evaluate_model(classifier, world.faces, "PrivateTest"))
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;mine" in page


def test_unknown_figures_are_called_unknown(world):
    world.votes = None
    rows = {row.name: row for row in summarise(evaluate_model(world.classifier, world.faces, "PrivateTest"))}
    for name in ("de-duplicated", "strict", "FER+ majority"):
        assert {str(cell) for cell in rows[name].cells} == {"unknown"}
        assert rows[name].n == ""
    assert all(cell.value.endswith(" %") for cell in rows["accuracy"].cells)
    assert rows["accuracy"].n == "600"


@pytest.mark.usefixtures("blank_figures")
def test_a_majority_is_never_called_most_of_the_people(world):
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    meanings = {row.name: row.meaning for row in summarise(evaluation)}
    assert meanings["FER+ majority"] == "against the expression that got more of the ten votes than any other"
    page = build_page(evaluation, faces=pick_examples(evaluation, world.faces, 2))
    assert "From the FER+ majority it differs on" in page
    for wrong in ("most of ten", "most of them"):  # five votes and fewer can be the most that any expression got
        assert wrong not in page


def test_short_cells_say_half_the_interval(world):
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest")
    accuracy = evaluation.label_head.accuracy
    cell = summarise(evaluation)[0].cells[0]
    assert cell.short == f"{accuracy.value * 100:.1f} % ± {(accuracy.high - accuracy.low) * 50:.1f}"
    assert str(cell) == f"{accuracy.value * 100:.1f} % ({accuracy.low * 100:.1f}–{accuracy.high * 100:.1f})"


def test_every_figure_has_an_interval(evaluation, capsys, load_script):
    rows = summarise(evaluation)
    assert all(cell.interval for row in rows for cell in row.cells if cell.value not in ("", "unknown"))
    text = load_script("runs/quote_figures.py").format_figures(evaluation, full=True)
    print_evaluation(evaluation)
    printed = capsys.readouterr().out
    for head in (evaluation.label_head, evaluation.answer):
        for label, scores in zip(evaluation.labels, head.classes, strict=True):
            recall = f"{scores.recall:.3f} ({scores.recall_low:.3f}–{scores.recall_high:.3f})"
            assert f"| {label} | {scores.precision:.3f} | {recall} | {scores.f1:.3f} | {scores.support:,} |" in text
            assert recall in printed


def test_confusions_are_ranked(evaluation):
    head = evaluation.answer
    ranked = rank_confusions(evaluation, head, 42)
    off_diagonal = head.confusion.copy()
    np.fill_diagonal(off_diagonal, 0)
    assert sum(confusion.count for confusion in ranked) == off_diagonal.sum()
    assert [c.count for c in ranked] == sorted((c.count for c in ranked), reverse=True)
    first = ranked[0]
    row, column = evaluation.labels.index(first.label), evaluation.labels.index(first.answer)
    assert first.count == off_diagonal.max() == head.confusion[row, column]
    assert first.share == pytest.approx(first.count / head.classes[row].support)
    assert len(rank_confusions(evaluation, head)) == 5


@pytest.mark.parametrize("draw", DRAWINGS)
def test_figures_are_pictures_in_both_themes(draw, evaluation):
    light, dark = (Image.open(io.BytesIO(draw(evaluation, theme=theme))).convert("RGB") for theme in (LIGHT, DARK))
    assert light.size == dark.size
    assert min(light.size) > 600
    assert light.getpixel((2, 2)) == (255, 255, 255)
    assert dark.getpixel((2, 2)) == (0x12, 0x16, 0x1D)
    assert len(light.getcolors(1 << 24)) > 50  # more than a blank sheet
    svg = draw(evaluation, file_format="svg")
    assert svg == draw(evaluation, file_format="svg")
    assert ElementTree.fromstring(svg).tag.endswith("svg")


@pytest.mark.parametrize("draw", DRAWINGS)
def test_figures_ignore_the_users_matplotlibrc(draw, evaluation):
    import matplotlib

    before = draw(evaluation)
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "savefig.dpi": 10, "lines.linewidth": 9}):
        assert draw(evaluation) == before
        assert matplotlib.rcParams["font.size"] == 30  # and leave it as it was


@pytest.mark.parametrize(
    ("truths", "answers", "confidence", "labels"),
    [
        ([3], [3], [1.0], 7),  # one face, right and sure
        ([3], [0], [0.2], 6),  # one face, wrong and unsure
        ([0, 1, 2], [1, 2, 0], [0.9, 0.9, 0.9], 7),  # everything wrong
        ([3] * 30, [3] * 30, [0.999] * 30, 6),  # everything right
    ],
)
def test_report_of_little_data(truths, answers, confidence, labels, make_world, tmp_path, monkeypatch):
    draw = figures.render  # as PNG: the same figures as SVG say no more of little data, and take most of the time
    monkeypatch.setattr(figures, "render", lambda *of: b"<svg/>" if of[-1] == "svg" else draw(*of))
    world = make_world(np.array(truths), np.array(answers), np.array(confidence))
    evaluation = evaluate_model(world.classifier, world.faces, "PrivateTest", labels=labels)
    write_report(evaluation, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)  # no NaN, no Infinity


def test_a_folder_that_cannot_be_written_is_an_error(evaluation, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(evaluation, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"
