"""The process that reads a film: what it says of it, what it leaves out, and who may end it."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

pytest.importorskip("fastapi")

from fervid.errors import VideoError
from fervid.web.films import worker
from fervid.web.films.worker import ReadTask, Reporter, describe_failure, read


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


@pytest.mark.parametrize("drawn", [True, False])
def test_frames_that_are_too_large_are_read_and_not_drawn_on(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    monkeypatch.setattr(worker, "MOST_DRAWN", 440 * 240 - (not drawn))
    (tmp_path / "results").mkdir()
    task = ReadTask(
        film=str(film), name="talk.mp4", journal=str(tmp_path / "journal"), results=str(tmp_path / "results"),
        model="small", detector="haar", threads=1, max_pixels=10**6, max_s=60.0, labels=7, every_s=1.0, smooth_s=0.5,
        annotated=True,
    )  # fmt: skip
    done = read(task, Reporter(io.StringIO()))
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert {"frames.csv", "summary.json", "timeline.png"} <= names
    assert ("annotated.mp4" in names) is drawn
    assert done["warnings"] == (
        [] if drawn else ["there is no annotated film: its frames would have 440×240 px, and the limit is 105,599"]
    )
