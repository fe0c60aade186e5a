"""``fervid evaluate --detector`` from the line to the files, with a detector of red dots (tests/dotdetector.py)."""

import csv
import dataclasses
import io
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from fervid.cli import app
from fervid.evaluation.comparison import name_models
from fervid.evaluation.detection import DetectionEvaluation, evaluate_detector
from fervid.evaluation.detection_report import (
    describe_photos,
    draw_precision_recall,
    format_detection_csv,
    format_detection_markdown,
    tabulate_detectors,
)
from fervid.models.store import load_model

pa = pytest.importorskip("pyarrow")


def write_worse(dots: ModuleType, path: Path) -> Path:
    """One that enlarges the pictures to see faces of 20 px, where its boxes fit nothing: they are of one size."""
    written: Path = dots.write_detector(path, dataclasses.replace(dots.SPEC, smallest_face=29.0))
    return written


def encode(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def photos(dots: ModuleType, tmp_path: Path) -> Path:
    """Ten photos of two dots, one of which is marked in the wrong place, and three of none."""
    import pyarrow.parquet

    rows = []
    for i in range(10):
        places = [(20 + 8 * i, 28), (156, 84)]
        boxes = [[x - 12, y - 12, x + 12, y + 12] for x, y in places]
        if i == 0:
            boxes[1] = [10, 80, 40, 110]
        points = [np.array([[x, y]] * 5, dtype=float).ravel().tolist() for x, y in places]
        image = encode(dots.paint(320, 120, places))
        rows.append({"image": image, "width": 320, "height": 120, "boxes": boxes, "landmarks": points})
    for _ in range(3):
        image = encode(dots.paint(320, 120, []))
        rows.append({"image": image, "width": 320, "height": 120, "boxes": [], "landmarks": []})
    path = tmp_path / "photos.parquet"
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def evaluations(dots: ModuleType, photos: Path, tmp_path: Path) -> list[DetectionEvaluation]:
    """A detector, and a worse one."""
    from fervid.datasets.photos import iterate_photos
    from fervid.detection.faces import FacesDetector

    path, worse = dots.write_detector(tmp_path / "dots.onnx"), write_worse(dots, tmp_path / "worse.onnx")
    detectors = FacesDetector(path, threads=1), FacesDetector(worse, threads=1)
    return [evaluate_detector(d, list(iterate_photos(photos)), threshold=d.score_threshold) for d in detectors]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["fervid", "evaluate", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        app.main()
    return int(left.value.code or 0)


def test_the_table_says_what_was_measured(evaluations: list[DetectionEvaluation]) -> None:
    rows = {row.name: row for section in tabulate_detectors(evaluations) for row in section.rows}
    assert rows["recall"].n == "20"
    assert rows["recall"].cells[0].value == "95.0 %"
    assert rows["precision"].cells[0].value == "95.0 %"
    assert rows["recall"].best == (True, False)
    assert rows["20–32 px: recall"].cells == rows["recall"].cells
    assert rows["clean"].cells[0].value == "100.0 %"
    said = describe_photos(evaluations[0])
    assert said.startswith("13 photos (10 people, 3 background")
    assert "), read for faces of 20 px and more, as fervid reads photos unless told otherwise" in said
    assert said.endswith("; for the band below, of 12 px and more")
    larger = dataclasses.replace(evaluations[0].overall, low=40.0)
    said = describe_photos(dataclasses.replace(evaluations[0], overall=larger, min_face=40.0))
    assert said.endswith("), read for faces of 40 px and more")


def test_markdown_and_csv_hold_every_detector(evaluations: list[DetectionEvaluation]) -> None:
    markdown = format_detection_markdown(evaluations)
    assert {line.count("|") for line in markdown.splitlines()} == {5}
    assert markdown.startswith("|  | dots | worse | n |\n")
    assert "| recall | 95.0 %" in markdown
    table = list(csv.DictReader(io.StringIO(format_detection_csv(evaluations))))
    assert len(table) == 2 * (1 + len(evaluations[0].bands))
    assert float(table[0]["recall"]) == evaluations[0].overall.recall.value == 0.95


def test_two_of_one_name_are_told_apart_everywhere(
    dots: ModuleType, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    blank_figures: None,
) -> None:  # fmt: skip
    here, there = tmp_path / "here" / "dots.onnx", tmp_path / "there" / "dots.onnx"
    for path in (here, there):
        path.parent.mkdir()
    dots.write_detector(here)
    write_worse(dots, there)
    again = f"{there.parent}/../there/dots.onnx"
    asked = [word for path in (here, there, again) for word in ("--detector", path)]
    out = tmp_path / "out"
    assert run(monkeypatch, *asked, "--no-peers", "--data", photos, "--split", "all", "-o", out) == 0
    shown = capsys.readouterr().out
    found = json.loads((out / "report.json").read_text())["detectors"]
    identities = [load_model(path).identity for path in (here, there)]
    assert [(d["detector"], d["identity"]) for d in found] == [("dots", identity) for identity in identities]
    names = name_models(identities)
    assert shown.startswith(f"{', '.join(identities)} on all")
    for text in (shown, (out / "index.html").read_text(), (out / "table.md").read_text()):
        assert all(name in text for name in names)
    table = list(csv.DictReader((out / "detectors.csv").read_text().splitlines()))
    assert list(dict.fromkeys(row["detector"] for row in table)) == list(names)


def test_the_curve_is_drawn_and_repeats(evaluations: list[DetectionEvaluation]) -> None:
    picture = draw_precision_recall(evaluations)
    assert picture == draw_precision_recall(evaluations)
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).reshape(-1, 3)
    assert (pixels == [0x24, 0x59, 0xB3]).all(axis=1).sum() > 100, "the first detector's colour"


@pytest.mark.usefixtures("blank_figures")
def test_the_verb_prints_writes_and_tells_what_is_missing(
    dots: ModuleType, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    no_yunet: None,
) -> None:  # fmt: skip
    path, out = dots.write_detector(tmp_path / "mine.onnx"), tmp_path / "out"
    status = run(
        monkeypatch, "--detector", path, "--data", photos, "--split", "all", "--threads", 1, "-o", out, "--json", "-"
    )
    assert status == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "fervid-detectors/1"
    assert [(d["detector"], d["identity"]) for d in said["detectors"]][:1] == [("mine", load_model(path).identity)]
    assert "haar" in [d["detector"] for d in said["detectors"]], "peers are measured in the same run"
    assert any("yunet was left out" in note for note in said["notes"])
    assert said["detectors"][0]["overall"]["recall"]["value"] == 0.95
    assert said["detectors"][0]["threshold"] == 0.7
    assert said["detectors"][0]["floor"] == 0.05
    assert sorted(p.name for p in out.iterdir()) == [
        "detectors.csv", "index.html", "precision_recall.png", "report.json", "table.md",
    ]  # fmt: skip
    assert json.loads((out / "report.json").read_text()) == said
    page = (out / "index.html").read_text()
    assert "<script" not in page
    assert "95.0" in page

    assert run(monkeypatch, "--detector", path, "--no-peers", "--data", photos, "--split", "all") == 0
    shown = capsys.readouterr().out
    assert f"{load_model(path).identity} on all: 13 photos" in shown
    assert next(line for line in shown.splitlines() if line.startswith("figure")).split() == ["figure", "mine", "n"]
    assert "haar" not in shown


@pytest.mark.parametrize(
    "arguments",
    [("--detector", "mtcnn"), ("base", "--detector", "haar"), ("--detector", "haar", "--split", "PrivateTest"),
     ("--detector", "haar", "--corruptions")],
)  # fmt: skip
def test_wrong_usage_is_status_two(
    photos: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments, "--data", photos) == 2
    assert capsys.readouterr().out == ""
