"""``fervid image``: exit statuses, what goes to stdout and what to stderr, the files."""

import contextlib
import csv
import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fervid.cli.image import open_writers
from fervid.errors import ImageError, OutputError
from fervid.imaging import load_image, save_image
from fervid.results import Failure
from fervid.sinks.table import COLUMNS, CsvWriter, JsonLinesWriter


def run_fervid(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "120", "PYTHONWARNINGS": "error", **variables}
    command = [sys.executable, "-m", "fervid", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_table_goes_to_stdout(astronaut: Path) -> None:
    done = run_fervid("image", astronaut, "--detector", "haar")
    assert done.returncode == 0, done.stderr
    assert "happy" in done.stdout
    assert "😊" in done.stdout
    assert "1 face" in done.stdout
    assert done.stderr == ""


def test_a_terminal_without_bars_and_emoji_gets_the_table(portrait: Path) -> None:
    done = run_fervid("image", portrait, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "neutral" in done.stdout


def test_data_on_stdout_are_utf8_whatever_the_terminal_is(
    call_fervid: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "café.jpg").touch()
    for option in ("--json", "--csv"):
        data = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, encoding="ascii", write_through=True))
        done = call_fervid("image", tmp_path / "café.jpg", option, "-")
        assert done.returncode == 1
        written = data.getvalue().decode()
        assert json.loads(written)["source"].endswith("café.jpg") if option == "--json" else written.count("\n") == 1


def test_annotated_and_emoji_pictures_are_saved_and_named(call_fervid: Any, astronaut: Path, tmp_path: Path) -> None:
    done = call_fervid("image", astronaut, "--annotate", "--emoji", "-o", tmp_path / "out", "--detector", "haar")
    assert done.returncode == 0, done.stderr
    for kind in ("annotated", "emoji"):
        path = tmp_path / "out" / f"astronaut.{kind}.png"
        assert f"saved {path}" in done.stderr
        assert (load_image(path) != load_image(astronaut)).any()
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_json_on_stdout_is_alone_there_and_repeats(astronaut: Path, portrait: Path) -> None:
    runs = [run_fervid("image", astronaut, portrait, "--json", "-", "--detector", "haar") for _ in range(2)]
    assert runs[0].returncode == 0, runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    results = [json.loads(line) for line in runs[0].stdout.splitlines()]
    assert [result["source"] for result in results] == [str(astronaut), str(portrait)]
    assert results[0]["schema"] == "fervid/1"
    assert results[0]["faces"][0]["emotion"] == "happy"


def test_names_that_are_no_utf8_are_written_with_their_bytes(tmp_path: Path, astronaut: Path) -> None:
    place = os.fsencode(tmp_path) + b"/photos"
    Path(os.fsdecode(place)).mkdir()
    Path(os.fsdecode(place + b"/caf\xe9.png")).write_bytes(astronaut.read_bytes())
    Path(os.fsdecode(place + b"/th\xe9.png")).write_bytes(b"tea")
    arguments: list[str | Path] = [
        "--annotate",
        "-o",
        tmp_path,
        "--json",
        tmp_path / "a.jsonl",
        "--csv",
        tmp_path / "a.csv",
    ]
    done = run_fervid("image", os.fsdecode(place), *arguments, "--detector", "haar", PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 3, done.stderr
    assert r"caf\xe9.png" in done.stdout
    good, bad = map(json.loads, (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines())
    assert good["source"].endswith(r"/caf\xe9.png")
    assert bad["source"].endswith(r"/th\xe9.png")
    assert r"th\xe9.png is not a picture" in bad["error"]["message"]
    assert r"caf\xe9.png" in (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.annotated.png")).is_file()


def test_six_labels_reach_the_csv(call_fervid: Any, astronaut: Path) -> None:
    done = call_fervid("image", astronaut, "--csv", "-", "--labels", "6", "--detector", "haar")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["p_disgust"] == ""
    shares = [float(rows[0][c]) for c in COLUMNS if c.startswith("p_") and c != "p_disgust"]
    assert sum(shares) == pytest.approx(1, abs=1e-5)


def test_a_bad_file_does_not_stop_the_others(call_fervid: Any, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    table, lines = tmp_path / "t.csv", tmp_path / "t.jsonl"
    done = call_fervid("image", folder, "--csv", table, "--json", lines, "--annotate", "-o", out, "--detector", "haar")
    assert done.returncode == 3
    assert "1 of 3 pictures failed" in done.stderr
    assert "bad.jpg is empty" in done.stderr
    assert "Traceback" not in done.stderr
    sources = [json.loads(line)["source"] for line in lines.read_text().splitlines()]
    assert sources == [str(folder / name) for name in ("a.png", "bad.jpg", "inner/a.png")]
    assert len(table.read_text().splitlines()) == 2
    assert (out / "a.annotated.png").is_file()
    assert (out / "inner" / "a.annotated.png").is_file()


@pytest.mark.parametrize("kind", ["absent", "empty", "text", "truncated", "unreadable", "too long"])
def test_a_single_bad_file_is_an_error(call_fervid: Any, kind: str, tmp_path: Path, astronaut: Path) -> None:
    path = tmp_path / ("photo.jpg" if kind != "too long" else f"{300 * 'x'}-photo.jpg")
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("hello")
    elif kind == "truncated":
        path.write_bytes(astronaut.read_bytes()[:5000])
    elif kind == "unreadable":
        path.symlink_to(path.name)  # a link to itself: even root cannot open it
    done = call_fervid("image", path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "photo.jpg" in done.stderr
    assert done.stderr.startswith("1 of 1 picture failed:\n")
    assert "Traceback" not in done.stderr


def test_an_address_is_no_pattern(call_fervid: Any) -> None:
    done = call_fervid("image", "https://example.com/a.jpg?size=1")
    assert done.returncode == 1
    assert "fervid reads files, not addresses" in done.stderr


def test_a_picture_without_a_face_is_no_error(call_fervid: Any, tmp_path: Path) -> None:
    save_image(tmp_path / "one.png", np.zeros((1, 1, 3), dtype=np.uint8))
    done = call_fervid("image", tmp_path / "one.png", "--annotate", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no face" in done.stdout
    assert (tmp_path / "one.annotated.png").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ("image",), ("image", "a.jpg", "--labels", "5"), ("image", "a.jpg", "--detector", "mtcnn"),
        ("image", "a.jpg", "--json", "-", "--csv", "-"), ("image", "nothing*.jpg"), ("nonsense",),
        ("image", "a.jpg", "--min-face", "-1"), ("image", "a.jpg", "--json", "a.txt", "--csv", "a.txt"),
        ("image", "a.jpg", "--emoji-placement", "beside"),
    ],
)  # fmt: skip
def test_wrong_usage_is_status_two(call_fervid: Any, arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = call_fervid(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_no_picture_is_overwritten_with_a_table(
    call_fervid: Any, option: str, folder: Path, astronaut: Path, tmp_path: Path
) -> None:
    before = (folder / "a.png").read_bytes()
    done = call_fervid("image", option, folder / "a.png", astronaut, cwd=tmp_path)  # fervid image --csv *.png
    assert done.returncode == 2
    assert "would be overwritten" in done.stderr
    assert (folder / "a.png").read_bytes() == before


def test_outputs_that_would_be_lost_are_refused(call_fervid: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "portrait").write_bytes((folder / "a.png").read_bytes())  # a picture without an ending
    for arguments, words in (
        (("a.png", "--csv", "rows", "--json", "./rows"), "both --json and --csv go to rows"),
        (("portrait", "--csv", "../" + tmp_path.name + "/portrait"), "would be overwritten while it is read"),
    ):
        done = call_fervid("image", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "portrait"]


def test_no_picture_that_is_read_is_overwritten_with_one_that_is_made(
    call_fervid: Any, folder: Path, tmp_path: Path
) -> None:
    data = (folder / "a.png").read_bytes()
    (folder / "a.annotated.png").write_bytes(data)
    (tmp_path / "link").symlink_to(folder)
    for arguments in (("a.png", "a.annotated.png"), ("*.png",), (folder, "-o", folder), ("a*.png", "-o", "../link")):
        done = call_fervid("image", *arguments, "--annotate", "--json", tmp_path / "rows", cwd=folder)
        assert done.returncode == 2
        assert "a.annotated.png would be overwritten while it is read" in done.stderr
    assert (folder / "a.annotated.png").read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "photos"]
    assert len(list(folder.iterdir())) == 5


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_a_full_stdout_is_no_fault_of_a_file(
    call_fervid: Any, option: str, portrait: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:  # which it cannot close, either
        monkeypatch.setattr(sys, "stdout", full)
        done = call_fervid("image", portrait, option, tmp_path / "table")
    assert done.returncode == 1
    assert done.stderr.startswith("error (output): cannot write stdout (No space left on device)")
    assert list(tmp_path.iterdir()) == []


def test_closed_streams_cost_no_file(call_fervid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_image(tmp_path / "one.png", np.zeros((8, 8, 3), dtype=np.uint8))
    arguments = ("image", tmp_path / "one.png", "--model", "small", "--json")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        done = call_fervid(*arguments, tmp_path / "a.jsonl")
        assert (done.returncode, done.stderr) == (0, "")
        done = call_fervid(*arguments, "-")
        assert done.returncode == 1
        assert done.stderr.startswith("error (output): cannot write stdout (it is closed)\n")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", None)
        done = call_fervid(*arguments, "-", "--annotate", "-o", tmp_path)
        assert done.returncode == 0
        assert done.stdout == (tmp_path / "a.jsonl").read_text()
        sys.stderr.close()
    assert (tmp_path / "one.annotated.png").is_file()


@pytest.mark.parametrize("kind", [JsonLinesWriter, CsvWriter])
@pytest.mark.parametrize("swap", [False, True])
def test_every_writer_names_its_own_place(
    kind: type, swap: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(kind, "write", fail)
    places = [str(tmp_path / "table"), "-"][:: -1 if swap else 1]
    place = places[0 if kind is JsonLinesWriter else 1]

    def write() -> None:
        with open_writers(*places) as writers:
            for writer in writers:
                writer.write(Failure("a.jpg", ImageError("it is empty")))

    with pytest.raises(OutputError, match=f"cannot write {'stdout' if place == '-' else place}"):
        write()
    with pytest.raises(OutputError, match="cannot write stdout"), open_writers(*places):
        fail()  # what else is done meanwhile is to flush it
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_stdout_that_leaves_is_no_fault_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), open_writers("-", str(tmp_path / "out.csv")):
        raise BrokenPipeError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"), open_writers(None, str(tmp_path / "file" / "out.csv")):
        pytest.fail("there is no such folder")


def test_an_interrupt_leaves_no_half_file(tmp_path: Path, astronaut: Path) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "fervid", "image", *[str(astronaut)] * 1, "--csv", str(tmp_path / "t.csv")]
    first = tmp_path / "many" / "0.png"
    first.parent.mkdir()
    first.write_bytes(astronaut.read_bytes())
    for number in range(1, 400):
        first.with_stem(f"{number}").hardlink_to(first)
    command[4:5] = [str(tmp_path / "many")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A shell that runs the tests in the background makes them ignore the signal, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()  # the first picture is done
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert [p.name for p in tmp_path.iterdir()] == ["many"]


def test_explained_pictures_are_saved_beside_the_others(call_fervid: Any, astronaut: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call_fervid("image", astronaut, "--explain", "--annotate", "--json", "-", "-o", out, "--detector", "haar")
    assert done.returncode == 0, done.stderr
    explained, annotated = out / "astronaut.explained.png", out / "astronaut.annotated.png"
    assert f"saved {explained}" in done.stderr
    assert sorted(out.iterdir()) == [annotated, explained]
    assert (load_image(explained)[70:160, 180:270] != load_image(annotated)[70:160, 180:270]).any()
    face = json.loads(done.stdout)["faces"][0]
    assert face["emotion"] == "happy"
    assert len(face["evidence"]["maps"]["happy"]) >= 3


def test_a_model_without_evidence_cannot_explain(call_fervid: Any, astronaut: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from fervid.models.spec import EVIDENCE_OUTPUTS
    from fervid.models.store import load_model

    model = onnx.load_from_string(load_model("base").data)
    for output in [o for o in model.graph.output if o.name in EVIDENCE_OUTPUTS]:
        model.graph.output.remove(output)
    path = tmp_path / "bare.onnx"
    onnx.save(model, path)
    out = tmp_path / "out"
    done = call_fervid("image", astronaut, "--explain", "-o", out, "--model", path, "--detector", "haar")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "emotion_evidence" in done.stderr
    assert "Export it again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()
    plain = call_fervid("image", astronaut, "--annotate", "-o", out, "--model", path, "--detector", "haar")
    assert plain.returncode == 0, plain.stderr
