"""What each option says reaches what does the work; that is replaced, so nothing is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import ANY, MagicMock

import numpy as np
import pytest

from fervid.batch.run import RunSummary
from fervid.batch.settings import Settings
from fervid.batch.tables import Counts
from fervid.errors import UsageError
from fervid.imaging import save_image
from fervid.live.session import SessionSummary
from fervid.live.view import ViewMode
from fervid.results import Analysis
from fervid.streaming.outputs import OutputPlan

Fervid = Callable[..., CompletedProcess[str]]
Replace = Callable[[str], MagicMock]

NETWORKS = ("--model", "m.onnx", "--detector", "haar", "--labels", "6", "--min-face", "33.5")


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Replace:
    """Puts something that remembers how it is called in the place of a class or a function."""

    def put(place: str) -> MagicMock:
        stand_in = MagicMock()
        monkeypatch.setattr(place, stand_in)
        return stand_in

    return put


def test_image(call_fervid: Fervid, replace: Replace, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    save_image(picture, np.zeros((8, 8, 3), np.uint8))
    analyzer, emojify = replace("fervid.pipeline.Analyzer"), replace("fervid.drawing.emojification.emojify")
    analyzer.return_value.map.return_value = [Analysis((), (8, 8), "m", "haar", str(picture))]
    emojify.side_effect = lambda image, *_, **__: image
    options = ("--emoji", "--emoji-placement", "beside", "--threads", "3", "-o", tmp_path / "out")
    done = call_fervid("image", picture, *NETWORKS, *options)
    assert done.returncode == 0, done.stderr
    analyzer.assert_called_once_with("m.onnx", "haar", labels=6, threads=3, min_face=33.5)
    analyzer.return_value.map.assert_called_once_with([picture], batch_size=16, evidence=False)
    emojify.assert_called_once_with(ANY, ANY, placement="beside")
    assert (tmp_path / "out" / "a.emoji.png").is_file()


@pytest.mark.parametrize("placement", ["over", "beside"])
def test_video(call_fervid: Fervid, replace: Replace, tmp_path: Path, placement: str) -> None:
    analyzer, produce = replace("fervid.pipeline.Analyzer"), replace("fervid.streaming.production.produce")
    stream = analyzer.return_value.video.return_value
    stream.describe.return_value = {}
    done = call_fervid(
        "video", "a.mkv", *NETWORKS, "--threads", "3", "-o", "o.mp4", "--emoji", "--emoji-placement", placement,
        "--csv", "t.csv", "--json", "t.jsonl", "--parquet", "t.parquet", "--plot", "t.png", "--thumbnails",
        "--summary-json", "s.json", "--no-summary", "--start", "1.5", "--end", "2.5", "--every", "0.25",
        "--smooth", "0.75", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    analyzer.assert_called_once_with("m.onnx", "haar", labels=6, threads=3, min_face=33.5)
    analyzer.return_value.video.assert_called_once_with(
        Path("a.mkv"), start_s=1.5, end_s=2.5, every_s=0.25, smooth_s=0.75
    )
    plan = OutputPlan(
        film="o.mp4",
        style=placement,  # type: ignore[arg-type]
        csv="t.csv",
        json="t.jsonl",
        parquet="t.parquet",
        plot="t.png",
        thumbnails=True,
        summary="s.json",
    )
    produce.assert_called_once_with(stream, plan, ANY, threads=3, report=ANY)


@pytest.mark.parametrize(
    ("options", "kind", "mirrored"),
    [
        (["--mirror"], "file", True),
        (["--no-mirror"], "device", False),
        ([], "file", False),
        ([], "device", True),
    ],
)
def test_camera(
    call_fervid: Fervid, replace: Replace, tmp_path: Path, options: list[str], kind: str, mirrored: bool
) -> None:
    analyzer, camera, session = map(
        replace, ("fervid.pipeline.Analyzer", "fervid.video.camera.Camera", "fervid.live.session.Session")
    )
    reading, recorder = map(replace, ("fervid.live.reading.LiveReading", "fervid.live.recording.FilmRecorder"))
    source, read, recorded = (place.return_value.__enter__.return_value for place in (camera, reading, recorder))
    recorded.shortened_s, recorded.written = 0.0, 7
    source.kind = kind
    session.return_value.run.return_value = SessionSummary(1.0, 9, 8, 7, people=2, delay_s=0.1, losses=0)
    done = call_fervid(
        "camera", "7", *NETWORKS, "--threads", "3", "--no-window", "--size", "640x360", "--loop", "--for", "4.5",
        "--smooth", "0.75", "--emoji", "-o", "o.mp4", *options, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    camera.assert_called_once_with("7", size=(640, 360), loop=True)
    analyzer.assert_called_once_with("m.onnx", "haar", labels=6, threads=3, min_face=33.5)
    reading.assert_called_once_with(source, analyzer.return_value, smooth_s=0.75, takers=[])
    recorder.assert_called_once_with(Path("o.mp4"), source, read, emoji=True)
    mode = ViewMode(mirror=mirrored, emoji=True)
    session.assert_called_once_with(source, read, window=None, recorder=recorded, mode=mode, notify=ANY)
    session.return_value.run.assert_called_once_with(ANY, end_s=4.5)


def test_batch_run(call_fervid: Fervid, replace: Replace, tmp_path: Path) -> None:
    run_batch, engine = replace("fervid.batch.run.run_batch"), replace("fervid.batch.local.LocalEngine")
    run_batch.return_value = RunSummary(Counts(), Counts(inputs=1), stale=0)
    done = call_fervid(
        "batch", "run", "photos", "--out", tmp_path, *NETWORKS, "--threads", "3", "--workers", "2", "--chunk", "5",
        "--every", "0.25", "--smooth", "0.75", "--range", "90",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    settings = Settings(
        model="m.onnx", detector="haar", labels=6, min_face=33.5, every_s=0.25, smooth_s=0.75, range_s=90
    )
    run_batch.assert_called_once_with("photos", tmp_path, settings, ANY, chunk=5, report=ANY)
    open_engine = run_batch.call_args.args[3]
    assert open_engine(settings) is engine.return_value
    engine.assert_called_once_with(settings, tmp_path, workers=2, threads=3)


def test_batch_report(call_fervid: Fervid, replace: Replace, tmp_path: Path) -> None:
    summarise = replace("fervid.batch.summary.summarise")
    summarise.side_effect = UsageError("nothing was done")
    assert call_fervid("batch", "report", tmp_path, "--top", "3").returncode == 2
    summarise.assert_called_once_with(tmp_path, top=3)


def test_models_pull(call_fervid: Fervid, replace: Replace, tmp_path: Path) -> None:
    fetch = replace("fervid.models.store.fetch")
    fetch.return_value = tmp_path / "scan:b: [bold]yunet.onnx"
    done = call_fervid("models", "pull", "yunet")
    assert (done.returncode, done.stdout) == (0, f"{fetch.return_value}\n")
    fetch.assert_called_once_with("yunet")
