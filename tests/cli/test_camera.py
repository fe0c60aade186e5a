"""``fervid camera``, run as a process over a film: what it prints, what it saves, how it ends."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fervid.cli.camera import print_film, print_summary, read_size
from fervid.errors import UsageError
from fervid.imaging import load_image
from fervid.live.session import SessionSummary
from fervid.sinks.table import COLUMNS
from fervid.video.reading import VideoReader
from fervid.video.writing import VideoWriter


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """A portrait that moves to and fro, 256×256 px, 2 s."""
    picture = load_image(astronaut)[:400:2, 56:456:2]
    path = tmp_path_factory.mktemp("camera") / "portrait.mp4"
    with VideoWriter(path, frame_rate=20, threads=1) as writer:
        for i in range(40):
            frame = np.full((256, 256, 3), 90, dtype=np.uint8)
            x = 28 + round(20 * np.sin(i / 6))
            frame[28:228, x : x + 200] = picture
            writer.write(frame, i / 20)
    return path


def start_fervid(*arguments: str | Path, display: bool = True) -> subprocess.Popen[str]:
    environment = {**os.environ, "COLUMNS": "120", "PYTHONWARNINGS": "error"}
    environment.pop("PYTHONUNBUFFERED", None)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        environment.pop(name, None)
    environment["SDL_VIDEODRIVER"] = "dummy" if display else "x11"
    return subprocess.Popen(
        [sys.executable, "-m", "fervid", "camera", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A shell that runs the tests in the background makes them ignore the signal, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def run_fervid(*arguments: str | Path, display: bool = True) -> subprocess.CompletedProcess[str]:
    process = start_fervid(*arguments, display=display)
    out, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def test_everything_is_recorded_in_one_session(film: Path, tmp_path: Path) -> None:
    table, lines, saved = tmp_path / "t.csv", tmp_path / "t.jsonl", tmp_path / "out.mp4"
    outputs = ("--csv", table, "--json", lines, "-o", saved)
    done = run_fervid(film, "--loop", "--for", "6", "--detector", "haar", "--smooth", "0.3", *outputs)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert re.search(r"\b(1 person|\d+ people)\b", done.stderr)
    assert f"saved {saved}" in done.stderr
    frames = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [frame["frame"] for frame in frames] == sorted({frame["frame"] for frame in frames})
    assert all(frame["source"] == str(film) for frame in frames)
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(len(frame["faces"]) for frame in frames)
    assert rows[-1]["emotion"] == "happy"
    # The first; on a machine so busy that seconds are left out, the last is somebody new.
    assert next(row["track"] for row in rows if row["track"]) == "1"
    assert float(rows[-1]["time_s"]) > 0
    with VideoReader(saved) as reader:
        assert reader.info.size == (256, 256)
        assert sum(1 for _ in reader) >= 2
        assert {problem.kind for problem in reader.problems} <= {"gap"}  # a busy machine leaves pictures out
    assert sorted(tmp_path.iterdir()) == [saved, table, lines]


def test_ctrl_c_is_a_wanted_end_and_what_was_recorded_is_whole(film: Path, tmp_path: Path) -> None:
    saved, lines = tmp_path / "out.mp4", tmp_path / "t.jsonl"
    process = start_fervid(
        film, "--loop", "--no-window", "-o", saved, "--json", lines, "--detector", "haar", display=False
    )
    deadline, parts = time.monotonic() + 60, lambda: tmp_path.glob(".*.part")
    try:
        while time.monotonic() < deadline and not any(b"ftyp" in p.read_bytes()[:16] for p in parts()):
            time.sleep(0.05)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mp4", "t.jsonl"]
    with VideoReader(saved) as reader:
        assert sum(1 for _ in reader) >= 1


def test_rows_on_stdout_come_as_they_are_made(film: Path) -> None:
    process = start_fervid(film, "--loop", "--no-window", "--csv", "-", "--detector", "haar", display=False)
    assert process.stdout is not None
    try:
        first = os.read(process.stdout.fileno(), 1 << 16)
    finally:
        process.kill()
        process.communicate()
    assert first.startswith(b"source,frame")
    assert len(first) < 4096  # of a buffer that had been filled there would be 8192


def test_rows_on_stdout_are_alone_there(film: Path) -> None:
    done = run_fervid(film, "--no-window", "--csv", "-", "--detector", "haar", display=False)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert rows
    assert rows[0]["source"] == str(film)


def test_without_a_screen_it_says_so_and_saves_nothing(film: Path, tmp_path: Path) -> None:
    done = run_fervid(film, "--csv", tmp_path / "t.csv", "-o", tmp_path / "o.mp4", "--detector", "haar", display=False)
    assert done.returncode == 1
    assert "error (display)" in done.stderr
    assert "--no-window" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--json", "-", "--csv", "-"), 2, "both --json and --csv"),
        (("--csv", "a.mp4", "-o", "./a.mp4"), 2, "a.mp4 would be overwritten"),
        (("--csv", "a", "-o", "./a"), 2, "both --csv and -o go to a"),
        (("--no-window",), 2, "nothing to see"),
        (("--size", "large"), 2, "no size"),
        (("gopher://x",), 2, "gopher"),
        (("no-such-film.mp4",), 1, "no camera and no file"),
        (("/dev/video63",), 1, "/dev/video63"),
        (("http://127.0.0.1:9/live",), 1, "cannot read http://127.0.0.1:9/live"),
    ],
)
def test_what_cannot_be_done(call_fervid: Any, arguments: tuple[str, ...], status: int, words: str) -> None:
    done = call_fervid("camera", *arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_film_that_cannot_be_written_is_an_error_before_the_session(
    call_fervid: Any, film: Path, tmp_path: Path
) -> None:
    done = call_fervid("camera", film, "-o", tmp_path / "film.txt", "--detector", "haar")
    assert done.returncode == 2
    assert "film format" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_read() -> None:
    assert read_size("640x480") == read_size("640X480") == read_size("640×480") == (640, 480)
    for text in ("640", "0x480", "x", "-1x4", "640x480x3"):
        with pytest.raises(UsageError):
            read_size(text)


def test_the_notes_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    for losses in (0, 1, 2):
        print_summary(SessionSummary(10.0, 300, 290, 100, people=1, delay_s=0.05, losses=losses))
    ends = [line.partition("1 person")[2] for line in capsys.readouterr().err.splitlines()]
    assert ends == ["", "; the camera was lost once", "; the camera was lost 2 times"]
    for shortened_s in (0.0, 4000.0):
        film = SimpleNamespace(path="a.mp4", written=9, left_out=0, shortened_s=shortened_s)
        print_film(film)  # type: ignore[arg-type]
    said = capsys.readouterr().err.splitlines()
    assert [line.partition("saved")[1] for line in said] == ["saved", "saved", ""]
    assert "a.mp4 is 4000 s shorter than the session" in said[2]
