"""The process that reads a film: what it says of it, what it leaves out, and who may end it."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("av")

import av

from fervid.errors import SizeError, VideoError
from fervid.web.films import worker
from fervid.web.films.worker import ProbeTask, ReadTask, Reporter, describe_failure, probe, read


def test_no_path_of_the_server_is_told(tmp_path: Path) -> None:
    (tmp_path / "disk" / "results").mkdir(parents=True)
    linked = tmp_path / "films"
    linked.symlink_to(tmp_path / "disk")
    results, film = linked / "results", str(linked / "film")
    for folder in (results, results.resolve()):
        error = VideoError(f"cannot encode {folder}/annotated.mp4 ('file:{folder}/.x.part' refused {film})")
        told = describe_failure(error, film, str(results), "my.avi")
        assert told["message"] == "cannot encode annotated.mp4 ('file:.x.part' refused my.avi)"


def test_what_ends_a_service_does_not_end_it_before_the_server_has_said_so() -> None:
    program = "import os; from fervid.web.films import worker; os.nice = lambda _: print(flush=True); worker.main()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"  # it has begun
        for number in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
        process.communicate(b"no order\n", timeout=30)
    assert process.returncode == 1  # it has read that


def make_task(film: Path, folder: Path, **options: Any) -> ReadTask:
    """To read a film with the least effort; results and journal come into the folder."""
    (folder / "results").mkdir()
    usual: dict[str, Any] = {
        "film": str(film), "name": "talk.mp4", "journal": str(folder / "journal"), "results": str(folder / "results"),
        "model": "small", "detector": "haar", "threads": 1, "max_pixels": 10**6, "max_s": 60.0, "labels": 7,
        "every_s": 1.0, "smooth_s": 0.5, "annotated": False,
    }  # fmt: skip
    return ReadTask(**{**usual, **options})


@pytest.mark.parametrize(("max_s", "is_cut"), [(1.85, True), (1.95, False)])
def test_it_is_said_that_a_film_was_cut(tmp_path: Path, film: Path, max_s: float, is_cut: bool) -> None:
    """Whatever its headers say, and however few of its frames, the last of which is at 1.9 s, are read."""
    done = read(make_task(film, tmp_path, max_s=max_s, every_s=1.5), Reporter(io.StringIO()))
    assert done["frames"] == 2
    assert done["warnings"] == (["only the first 2 s were read, which is the limit"] if is_cut else [])


def test_joined_recordings_last_as_long_as_their_frames(tmp_path: Path, film: Path) -> None:
    joined = tmp_path / "joined.ts"
    with av.open(film) as source, av.open(joined, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for clock_s in (0, 5000):
            for packet in packets:
                assert packet.pts is not None
                assert packet.dts is not None
                shifted = av.Packet(bytes(packet))
                shifted.time_base, shifted.is_keyframe, shifted.stream = packet.time_base, packet.is_keyframe, stream
                shift = round(clock_s / packet.time_base)
                shifted.pts, shifted.dts = packet.pts + shift, packet.dts + shift
                target.mux(shifted)
    facts = probe(ProbeTask(str(joined), "talk.ts", 10**6, 60.0))
    assert facts == {"width": 440, "height": 240, "duration_s": None}
    with pytest.raises(SizeError, match=r"talk\.ts lasts more than 3 s") as caught:
        probe(ProbeTask(str(joined), "talk.ts", 10**6, 3.0))
    assert "--max-film-s" in caught.value.advice


@pytest.mark.parametrize("drawn", [True, False])
def test_frames_that_are_too_large_are_read_and_not_drawn_on(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    monkeypatch.setattr(worker, "MOST_DRAWN", 440 * 240 - (not drawn))
    task = make_task(film, tmp_path, annotated=True)
    done = read(task, Reporter(io.StringIO()))
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert {"frames.csv", "summary.json", "timeline.png"} <= names
    assert ("annotated.mp4" in names) is drawn
    assert done["warnings"] == (
        [] if drawn else ["there is no annotated film: its frames would have 440×240 px, and the limit is 105,599"]
    )
