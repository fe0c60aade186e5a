"""``fervid data`` from the parsed line to the written file, and what it says on which stream."""

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from fervid.cli import app
from fervid.datasets.faceset import SPLITS, VOTE_COLUMNS

pytest.importorskip("pyarrow")


@pytest.fixture
def lines():
    """Twelve faces as fer2013.csv has them; a PublicTest face is also the first Training face."""
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (12, 48 * 48))
    images[6] = images[0]
    return [
        "emotion,pixels,Usage",
        *(f"{i % 7},{' '.join(map(str, image))},{SPLITS[max(i - 3, 0) // 3]}" for i, image in enumerate(images)),
    ]


@pytest.fixture
def csv(lines, tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def run(monkeypatch, capsys):
    """A function that runs a command line and gives its exit status, stdout and stderr."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["fervid", *map(str, words)])
        status = 0
        try:
            app.main()
        except SystemExit as leave:
            status = leave.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def parquet(run, csv, tmp_path):
    path = tmp_path / "faces.parquet"
    assert run("data", "prepare", csv, "-o", path)[0] == 0
    return path


def write_votes(path, splits):
    names = list(VOTE_COLUMNS.values())
    rows = [f"{split},fer{i:07d}.png,10{',0' * 9}" for i, split in enumerate(splits)]
    path.write_text("\n".join([",".join(["Usage", "Image name", *names]), *rows]) + "\n")
    return path


def test_prepare_speaks_on_stderr_alone(run, csv, tmp_path):
    status, out, err = run("data", "prepare", csv, "-o", tmp_path / "faces.parquet")
    assert (status, out) == (0, "")
    assert err.splitlines() == [
        f"reading {csv} as Kaggle's CSV (emotion, pixels, Usage)",
        f"wrote {tmp_path / 'faces.parquet'}: 12 faces",
    ]


def test_prepare_stops_at_a_bad_row(run, csv, lines, tmp_path):
    csv.write_text("\n".join([*lines[:5], "8" + lines[5][1:], *lines[6:]]))
    status, out, err = run("data", "prepare", csv, "-o", tmp_path / "faces.parquet")
    assert (status, out) == (1, "")
    assert f"error (dataset): {csv}, line 6: unknown label '8'" in err
    assert "Use 0–6 or one of: angry" in err
    assert not (tmp_path / "faces.parquet").exists()


def test_prepare_counts_what_it_skips(run, csv, lines, tmp_path):
    csv.write_text("\n".join([lines[0], *("8" + line[1:] for line in lines[1:8]), *lines[8:]]))
    status, out, err = run("data", "prepare", csv, "-o", tmp_path / "faces.parquet", "--skip-bad")
    assert (status, out) == (0, "")
    assert "faces.parquet: 5 faces" in err
    assert "skipped 7 bad rows:" in err
    assert err.count("unknown label '8'") == 5
    assert "… and 2 more" in err


def test_prepare_joins_votes(run, csv, tmp_path):
    good = write_votes(tmp_path / "fer2013new.csv", np.repeat(SPLITS, [6, 3, 3]))
    status, _, err = run("data", "prepare", csv, "-o", tmp_path / "faces.parquet", "--votes", good)
    assert status == 0
    assert "12 faces with votes" in err
    write_votes(good, np.repeat(SPLITS, [6, 3, 2]))
    status, _, err = run("data", "prepare", csv, "-o", tmp_path / "faces.parquet", "--votes", good)
    assert status == 1
    assert "ends at line 12, but the faces go on" in err


def test_prepare_says_what_it_took_for_granted(run, lines, tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    status, _, err = run("data", "prepare", path, "-o", tmp_path / "faces.parquet")
    assert status == 0
    assert "  train.csv has no column Usage: all its rows count as Training" in err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["prepare", "absent.csv", "-o", "x.parquet"], 1, "there is no file or folder absent.csv"),
        (["prepare", "absent.csv", "-o", "-"], 2, "a Parquet is not written to stdout"),
        (["prepare", "absent.csv", "-o", "x.csv"], 2, "no Parquet ends like x.csv\n  Use one of .parquet, .pq."),
        (["prepare", "absent.csv", "-o", "X.PQ"], 1, "there is no file or folder absent.csv"),
        (["prepare", "absent.csv"], 2, "Missing option"),
        (["prepare", "", "-o", "x.parquet"], 2, "a path is empty"),
        (["export", "absent.parquet", ""], 2, "a path is empty"),
        (["export", "absent.parquet", "-"], 2, "a folder is not written to stdout"),
        (["prepare", "absent.csv", "-o", "x.parquet", "--split", "test"], 2, "Invalid value for '--split'"),
        (["export", "absent.parquet", "x"], 1, "there is no file absent.parquet"),
        (["export", "absent.parquet", "x", "--format", "gif"], 2, "Invalid value for '--format'"),
        (["export", "absent.parquet", "x", "--labels", "5"], 2, "Invalid value for '--labels'"),
        (["audit", "absent.parquet"], 1, "there is no file absent.parquet"),
        (["audit", "absent.parquet", "--figure", "x.jpg"], 2, "the figure is a PNG"),
    ],
)
def test_wrong_lines_have_their_status(run, monkeypatch, tmp_path, words, status, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    found, out, err = run("data", *words)
    assert (found, out) == (status, "")
    assert message in err
    assert not list(tmp_path.iterdir())


def test_export_and_prepare_are_a_round_trip(run, parquet, tmp_path):
    status, out, err = run("data", "export", parquet, tmp_path / "pictures")
    assert (status, out) == (0, "")
    assert "wrote 12 pictures" in err
    assert (tmp_path / "pictures/Training/angry/00000.png").is_file()
    assert run("data", "prepare", tmp_path / "pictures", "-o", tmp_path / "back.parquet")[0] == 0
    assert (tmp_path / "back.parquet").read_bytes() == parquet.read_bytes()
    assert "wrote 0 pictures" in run("data", "export", parquet, tmp_path / "pictures")[2]


def test_export_asks_before_it_replaces(run, parquet, tmp_path):
    run("data", "export", parquet, tmp_path / "pictures")
    status, _, err = run("data", "export", parquet, tmp_path / "pictures", "--format", "jpg")
    assert status == 2
    assert "an export of something else (other format)" in err
    assert run("data", "export", parquet, tmp_path / "pictures", "--format", "jpg", "--force")[0] == 0
    assert not list((tmp_path / "pictures").rglob("*.png"))


def test_audit_prints_tables(run, parquet):
    status, out, err = run("data", "audit", parquet)
    assert status == 0
    assert err == ""
    for title in ("Class balance", "Equal pixels", "Faces that stand in two splits", "Test faces seen in Training"):
        assert title in out
    assert "FER+" not in out
    assert "PublicTest" in out
    assert max(map(len, out.splitlines())) <= 80


def test_audit_gives_json_alone_on_stdout(run, parquet, tmp_path):
    status, out, err = run("data", "audit", parquet, "--json", "-", "--labels", "6", "--figure", tmp_path / "audit.png")
    assert status == 0
    content = json.loads(out)
    assert (content["schema"], content["source"], content["faces"]) == ("fervid/1", "faces.parquet", 12)
    assert len(content["labels"]) == 6
    assert content["leaks"][0]["exact_twins_in_training"] == 1
    assert err.strip() == f"wrote {tmp_path / 'audit.png'}"
    with Image.open(tmp_path / "audit.png") as picture:
        assert picture.format == "PNG"


def test_audit_writes_json_beside_the_tables(run, parquet, tmp_path):
    status, out, _ = run("data", "audit", parquet, "--json", tmp_path / "audit.json")
    assert status == 0
    assert "Class balance" in out
    assert json.loads((tmp_path / "audit.json").read_text())["faces"] == 12


def test_a_path_may_hold_bytes_that_are_no_utf8(run, parquet, tmp_path):
    path = parquet.rename(tmp_path / os.fsdecode(b"f\xe9.parquet"))
    status, out, _ = run("data", "audit", path, "--json", "-")
    assert status == 0
    assert json.loads(out)["source"] == r"f\xe9.parquet"


def test_audit_says_where_it_cannot_write(run, parquet):
    status, _, err = run("data", "audit", parquet, "--figure", parquet / "audit.png")
    assert status == 1
    assert "cannot write" in err


def test_prepare_never_replaces_what_it_reads(run, tmp_path):
    source = tmp_path / "fer2013.parquet"  # by its ending; what is in it decides
    source.write_text("emotion,pixels,Usage\n3," + " ".join(["7"] * 2304) + ",Training\n")
    before = source.read_bytes()
    status, _, err = run("data", "prepare", source, "-o", source)
    assert status == 2
    assert "overwritten while it is read" in err
    assert source.read_bytes() == before
