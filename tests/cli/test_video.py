"""``fervid video``: what it makes of a film, what it refuses, and how it stops and goes on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fervid.cli.app import app
from fervid.cli.video import open_journal
from fervid.errors import FervidError, UsageError
from fervid.imaging import load_image
from fervid.results import Frame
from fervid.sinks.table import COLUMNS

pytest.importorskip("av")

from fervid.video.reading import VideoReader
from fervid.video.writing import VideoWriter

FAST = ("--detector", "haar", "--threads", "1", "--min-face", "30")


def run_fervid(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "120", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "fervid", "video", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def refuse(*arguments: str | Path) -> FervidError:
    """Run in this process, which is quicker, and expect an error."""
    result = CliRunner().invoke(app, ["video", *map(str, arguments)])
    assert isinstance(result.exception, FervidError), result.output
    return result.exception


def write_portraits(path: Path, portraits: list[Path], *, frames: int, rate: float = 10.0) -> Path:
    """A film in which portraits stand side by side; the second comes after a third of it."""
    pictures = [np.asarray(Image.fromarray(load_image(p)[:512, :512]).resize((200, 200))) for p in portraits]
    with VideoWriter(path, frame_rate=rate) as writer:
        for number in range(frames):
            image = np.full((240, 220 * len(pictures), 3), 90, dtype=np.uint8)
            for place, picture in enumerate(pictures):
                if place == 0 or number >= frames // 3:
                    left = 220 * place + 5 + number % 8
                    image[20:220, left : left + 200] = picture
            writer.write(image, number / rate)
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, portrait: Path) -> Path:
    """Three seconds with two people."""
    return write_portraits(tmp_path_factory.mktemp("films") / "talk.mp4", [astronaut, portrait], frames=30)


@pytest.fixture(scope="module")
def done(film: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run that makes everything, and where."""
    pytest.importorskip("pyarrow")
    place = tmp_path_factory.mktemp("out")
    names = {
        "-o": "o.mp4", "--csv": "t.csv", "--json": "t.jsonl", "--parquet": "t.parquet", "--plot": "t.png",
        "--summary-json": "s.json",
    }  # fmt: skip
    arguments = [word for option, name in names.items() for word in (option, place / name)]
    return run_fervid(film, *arguments, "--thumbnails", *FAST), place


def test_everything_is_made_in_one_pass(done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    process, place = done
    assert process.returncode == 0, process.stderr
    names = ["o.mp4", "s.json", "t.csv", "t.jsonl", "t.parquet", "t.png"]
    assert sorted(path.name for path in place.iterdir()) == names
    for name in names:
        assert f"saved {place / name}" in process.stderr
    assert "warning" not in process.stderr


def test_the_table_of_people_is_printed(done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    process, _ = done
    assert "30 frames, 2 people" in process.stdout
    assert "#1" in process.stdout
    assert "#2" in process.stdout
    assert "happy" in process.stdout
    assert "share of that time" in process.stdout


def test_rows_objects_and_parquet_agree(film: Path, done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    import pyarrow.parquet as pq

    _, place = done
    frames = [Frame.from_dict(json.loads(line)) for line in (place / "t.jsonl").read_text().splitlines()]
    assert [frame.index for frame in frames] == list(range(30))
    with (place / "t.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(len(frame.faces) for frame in frames) >= 45
    assert {row["source"] for row in rows} == {str(film)}
    assert {row["track"] for row in rows} == {"1", "2"}
    assert min(float(row["time_s"]) for row in rows if row["track"] == "2") >= 1.0
    happy = [row for row in rows if row["track"] == "1"]
    assert sum(row["emotion"] == "happy" for row in happy) > 0.8 * len(happy)
    table = pq.read_table(place / "t.parquet").to_pylist()
    as_text = [{k: "" if v is None else str(v) for k, v in row.items()} for row in table]
    assert as_text == rows
    faces = [face for frame in frames for face in frame.faces]
    assert [row["emotion"] for row in rows] == ["" if f.emotion is None else str(f.emotion) for f in faces]
    assert any(abs(f.confidence - f.probabilities[f.probabilities.top]) > 1e-4 for f in faces), "smoothed"


def test_the_summary_is_of_both_people(done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    summary = json.loads((done[1] / "s.json").read_text())
    assert summary["schema"] == "fervid/1"
    assert summary["frames"] == 30
    assert summary["seconds"] == pytest.approx(3.0, abs=0.01)
    first, second = summary["people"]
    assert first["dominant"] == "happy"
    assert first["coverage"] > 0.95
    assert second["first_s"] >= 1.0
    assert sum(first["shares"].values()) + first["uncertain"] == pytest.approx(1, abs=1e-4)


def test_the_film_is_drawn_on(film: Path, done: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    before, after = list(VideoReader(film)), list(VideoReader(done[1] / "o.mp4"))
    assert [frame.time_s for frame in after] == pytest.approx([frame.time_s for frame in before], abs=1e-3)
    changed = [np.abs(a.image.astype(int) - b.image).mean() for a, b in zip(before, after, strict=True)]
    assert min(changed) > 2
    assert load_image(done[1] / "t.png").shape[1] > 1000


def test_emoji_cover_the_faces(call_fervid: Any, film: Path, tmp_path: Path) -> None:
    process = call_fervid("video", film, "-o", tmp_path / "e.mp4", "--emoji", "--end", "0.5", "--no-summary", *FAST)
    assert process.returncode == 0, process.stderr
    assert process.stdout == ""
    assert count_yellow(tmp_path / "e.mp4") > 3 * count_yellow(film)


def count_yellow(film: Path) -> float:
    """How much of the third frame has the colour of emoji."""
    frame = list(VideoReader(film, end_s=0.5))[2].image
    return float(((frame[..., 0] > 200) & (frame[..., 1] > 140) & (frame[..., 2] < 120)).mean())


def test_csv_on_stdout_is_alone_there(call_fervid: Any, film: Path, tmp_path: Path) -> None:
    process = call_fervid(
        "video", film, "--csv", "-", "--start", "0.5", "--end", "2", "--every", "0.5", "--smooth", "0",
        "--labels", "6", *FAST, cwd=tmp_path,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    rows = list(csv.DictReader(process.stdout.splitlines()))
    assert sorted({float(row["time_s"]) for row in rows}) == pytest.approx([0.5, 1.0, 1.5])
    assert {row["p_disgust"] for row in rows} == {""}
    for row in rows:
        best = max(float(row[c]) for c in COLUMNS if c.startswith("p_") and row[c])
        assert float(row["confidence"]) == best
    assert list(tmp_path.iterdir()) == []


def test_the_marked_film_keeps_the_sound_of_its_stretch(call_fervid: Any, film: Path, tmp_path: Path) -> None:
    import av

    loud = tmp_path / "loud.mkv"
    with av.open(film) as source, av.open(loud, "w") as target:
        pictures = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("aac", rate=44100, layout="mono")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = pictures
                target.mux(packet)
        for number in range(30):
            tone = np.sin(np.arange(4410) * 0.1).astype(np.float32)[None] * 0.3
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, 4410 * number, Fraction(1, 44100)
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))
    process = call_fervid(
        "video", loud, "-o", tmp_path / "o.mp4", "--start", "1", "--end", "2", "--every", "0.2", *FAST
    )
    assert process.returncode == 0, process.stderr
    with av.open(tmp_path / "o.mp4") as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        heard = sum(frame.samples for frame in container.decode(audio=0)) / 44100
    assert heard == pytest.approx(1.0, abs=0.1)
    assert [frame.time_s for frame in VideoReader(tmp_path / "o.mp4")] == pytest.approx(
        [0, 0.2, 0.4, 0.6, 0.8], abs=2e-3
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_like_one_that_was_not(astronaut: Path, tmp_path: Path) -> None:
    film = write_portraits(tmp_path / "long.mp4", [astronaut], frames=240)
    names = {"-o": "o.mp4", "--csv": "t.csv", "--json": "t.jsonl", "--plot": "p.html", "--summary-json": "s.json"}

    def command(place: Path, *more: str) -> list[str]:
        files = [str(word) for option, name in names.items() for word in (option, place / name)]
        return [sys.executable, "-m", "fervid", "video", str(film), *files, *FAST, *more]

    part, whole = tmp_path / "part", tmp_path / "whole"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        kind = () if number == signal.SIGINT else ("--resume",)
        journal = part / ".o.mp4.fervid-journal"
        before = journal.stat().st_size if journal.exists() else 2000
        process = subprocess.Popen(
            command(part, *kind),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that runs the tests in the background makes them ignore the signal, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        with process:
            for _ in range(3000):
                if (journal.exists() and journal.stat().st_size > before) or process.poll() is not None:
                    break
                time.sleep(0.02)
            assert process.poll() is None, process.communicate()
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
        assert "Traceback" not in errors
        if number != signal.SIGKILL:
            assert "--resume goes on from there" in errors
            assert [path.name for path in part.iterdir()] == [journal.name]
        assert not set(names.values()) & {path.name for path in part.iterdir()}

    resumed = subprocess.run(command(part, "--resume"), capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    assert not journal.exists()
    straight = subprocess.run(command(whole), capture_output=True, text=True, check=False)
    assert straight.returncode == 0, straight.stderr
    for name in ("t.csv", "t.jsonl", "p.html", "s.json"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()
    pictures = zip(VideoReader(part / "o.mp4"), VideoReader(whole / "o.mp4"), strict=True)
    assert all((a.image == b.image).all() for a, b in pictures)


def test_forgetting_to_resume_is_told_where_it_would_have_gone_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, lines = tmp_path / "journal", ['{"film": "a.mp4"}\n', '{"problems": []}\n']
    for text, film, told in ((lines, "a.mp4", True), (lines, "b.mp4", False), (lines[:1], "a.mp4", False)):
        path.write_text("".join(text))
        stream: Any = SimpleNamespace(describe=lambda film=film: {"film": film})
        with open_journal(path, stream, resume=False):
            pass
        assert ("--resume would have gone on with it" in capsys.readouterr().err) == told
        assert path.read_text() == "".join(text)  # nothing was read that could take its place


def test_resuming_with_other_settings_is_refused(film: Path, tmp_path: Path) -> None:
    journal = tmp_path / ".t.csv.fervid-journal"
    journal.write_text('{"journal": "of something else"}\n')
    error = refuse(film, "--csv", tmp_path / "t.csv", "--resume", *FAST)
    assert isinstance(error, UsageError)
    assert "journal" in error.message
    assert [path.name for path in tmp_path.iterdir()] == [journal.name]


def test_a_truncated_film_gives_what_decodes_and_warns(call_fervid: Any, film: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.mp4"
    short.write_bytes(film.read_bytes()[: film.stat().st_size * 2 // 3])
    process = call_fervid("video", short, "--csv", tmp_path / "t.csv", *FAST)
    assert process.returncode == 0, process.stderr
    assert "warning: the film is incomplete" in process.stderr
    assert len((tmp_path / "t.csv").read_text().splitlines()) > 5


@pytest.mark.parametrize("kind", ["absent", "empty", "text", "picture"])
def test_what_is_no_film_is_an_error(kind: str, tmp_path: Path, astronaut: Path) -> None:
    path = tmp_path / "film.mp4"
    if kind != "absent":
        path.write_bytes({"empty": b"", "text": b"hello", "picture": astronaut.read_bytes()}[kind])
    error = refuse(path, "--csv", tmp_path / "t.csv", *FAST)
    assert error.code.startswith("input")
    assert "film.mp4" in error.message
    assert not (tmp_path / "t.csv").exists()


def test_wrong_usage_is_refused_before_anything_is_read(film: Path, tmp_path: Path) -> None:
    cases: list[tuple[list[str | Path], str]] = [
        ([film, film], "one film at a time"),
        ([tmp_path], "one film at a time, got the folder"),
        ([film, "--emoji-placement", "beside"], "none were asked for"),
        ([film, "--csv", "-", "--json", "-"], "both csv and json go to stdout"),
        ([film, "--csv", tmp_path / "a", "--json", f"{tmp_path}/./a"], "both csv and json go to"),
        (["--csv", tmp_path / "a.mkv", film], "would be overwritten"),
        ([film, "-o", film], "would be overwritten"),
        ([film, "--csv", film], "would be overwritten"),
        ([film, "-o", tmp_path / "a.avi"], "no film ends like"),
        ([film, "--plot", tmp_path / "a.gif"], "no plot ends like"),
        ([film, "--parquet", "-"], "Parquet cannot go to stdout"),
        ([film, "--thumbnails"], "thumbnails belong to a timeline"),
        ([film, "--emoji"], "emoji are drawn on a film"),
        ([film, "--resume"], "nothing is saved"),
        ([film, "--start", "3", "--end", "2", *FAST], "nothing lies between"),
        ([film, "--detector", "mtcnn"], "no detector"),
    ]
    for arguments, expected in cases:
        error = refuse(*arguments)
        assert isinstance(error, UsageError)
        assert expected in error.message
        assert error.advice
    assert list(tmp_path.iterdir()) == []
    assert film.stat().st_size > 1000


def test_a_folder_is_for_batch(tmp_path: Path) -> None:
    assert f"fervid batch {tmp_path} --out DIR" in refuse(tmp_path).advice


def test_an_output_that_cannot_be_written_is_an_error(film: Path) -> None:
    error = refuse(film, "--csv", "/dev/null/t.csv", *FAST)
    assert "cannot write" in error.message


def test_a_start_behind_the_end_is_wrong_usage(call_fervid: Any, film: Path, tmp_path: Path) -> None:
    process = call_fervid("video", film, "--csv", tmp_path / "t.csv", "--start", "100", *FAST)
    assert process.returncode == 2, process.stderr
    assert "Traceback" not in process.stderr
    assert list(tmp_path.iterdir()) == []
