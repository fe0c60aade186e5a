"""``fervid train --processes 2``: one command, two processes, the files and words of one."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytest.importorskip("pyarrow", reason="reading faces needs pyarrow: pip install 'fervid[data]'")
pytestmark = pytest.mark.training

from fervid.cli.app import app  # noqa: E402
from fervid.errors import FervidError, UsageError  # noqa: E402
from fervid.training import launching  # noqa: E402
from fervid.training.checkpoint import read_metrics  # noqa: E402


@pytest.fixture
def command(tiny_recipe: str, tmp_path: Path) -> list[str]:
    """Trains on generated faces in two processes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    usage = ["Training"] * 128 + ["PublicTest"] * 32
    images = []
    for _ in usage:
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (48, 48), dtype=np.uint8)).save(stream, "PNG")
        images.append(stream.getvalue())
    emotions = pa.array([row % 7 for row in range(len(usage))], pa.int8())
    pq.write_table(pa.table({"image": images, "emotion": emotions, "Usage": usage}), tmp_path / "faces.parquet")
    (tmp_path / "tiny.toml").write_text(tiny_recipe.replace("epochs = 2", "epochs = 8"), encoding="utf-8")
    return [
        sys.executable, "-m", "fervid", "train", str(tmp_path / "tiny.toml"), "--data", str(tmp_path / "faces.parquet"),
        "-o", str(tmp_path / "run"), "--processes", "2", "--device", "cpu",
    ]  # fmt: skip


@pytest.mark.slow
def test_an_interrupted_run_is_continued_and_exported_once(command: list[str], tmp_path: Path) -> None:
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # also where the tests run in a shell's background
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hears,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "metrics.jsonl").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, said = process.communicate(timeout=120)
    kept = len(read_metrics(tmp_path / "run"))
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.count("epochs are kept. Continue with:") == 1
    assert "--processes 2" in said
    assert 1 <= kept < 8
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("tiny.onnx") == 1
    assert done.stderr.count("128 Training faces") == 1
    assert "2 processes" in done.stderr
    assert done.stderr.count("epoch 8/8") == 1
    assert [line["epoch"] for line in read_metrics(tmp_path / "run")] == list(range(1, 9))
    assert (tmp_path / "run" / "tiny.onnx").exists()


@pytest.mark.slow
def test_an_error_is_said_once(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "faces.parquet").write_bytes(b"nothing")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 1
    assert done.stderr.count("error (") == 1, done.stderr
    assert "faces.parquet" in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("commands", "status"), [(("exit 0", "exit 0"), 0), (("exit 0", "exit 3"), 3), (("sleep 60", "exit 4"), 4)]
)
def test_the_status_is_that_of_who_fails(
    monkeypatch: pytest.MonkeyPatch, commands: tuple[str, str], status: int
) -> None:
    monkeypatch.setattr(launching, "PATIENCE_S", 0.3)
    script = f'if [ "$RANK$WORLD_SIZE" = 02 ]; then {commands[0]}; else {commands[1]}; fi'
    began = time.monotonic()
    assert launching.run_team(["sh", "-c", script], 2) == status
    assert time.monotonic() - began < 30


def test_a_killed_process_is_said_rather_than_what_follows_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "PATIENCE_S", 5.0)
    with pytest.raises(FervidError, match="ended by signal 9"):
        launching.run_team(["sh", "-c", "if [ $RANK = 0 ]; then exit 1; else kill -9 $$; fi"], 2)


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A shell that runs the tests in the background makes them ignore SIGINT, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("tidy", [True, False])
def test_a_polite_kill_leaves_no_orphans(tmp_path: Path, tidy: bool) -> None:
    """It reaches the first process alone, which waits until the others have ended and said what they have to."""
    said = "open(f'{rank}.said', 'w').close(); os._exit(130)" if tidy else "raise"
    script = f"""if True:
        import os, time
        os.chdir({str(tmp_path)!r})
        rank = os.environ["RANK"]
        try:
            open(f"{{rank}}.pid", "w").write(str(os.getpid()))
            time.sleep(60)
        except KeyboardInterrupt:
            {said}
    """

    def terminate() -> None:
        deadline = time.monotonic() + 30
        while len([path for path in tmp_path.glob("*.pid") if path.read_text()]) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    killer = threading.Thread(target=terminate)
    killer.start()
    command = [sys.executable, "-ISc", script]
    if tidy:
        assert launching.run_team(command, 2) == 130
    else:
        with pytest.raises(KeyboardInterrupt):
            launching.run_team(command, 2)
    killer.join()
    assert signal.getsignal(signal.SIGTERM) is before
    assert len(list(tmp_path.glob("*.said"))) == (2 if tidy else 0)
    for path in tmp_path.glob("*.pid"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.read_text()), 0)


def test_those_that_do_not_listen_are_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(launching, "PATIENCE_S", 0.2)
    deaf: list[Path] = []

    def terminate() -> None:
        deadline = time.monotonic() + 30
        while len(deaf) < 2 and time.monotonic() < deadline:
            deaf[:] = tmp_path.glob("*.deaf")
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    killer = threading.Thread(target=terminate)
    killer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        launching.run_team(["sh", "-c", f"trap '' INT; : > {tmp_path}/$RANK.deaf; exec sleep 60"], 2)
    assert time.monotonic() - began < 30
    killer.join()
    assert len(deaf) == 2


def test_a_thread_may_run_a_team() -> None:
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(launching.run_team(["sh", "-c", "exit 3"], 2)))
    thread.start()
    thread.join()
    assert statuses == [3]


def test_detectors_are_trained_by_one_process(tmp_path: Path) -> None:
    (tmp_path / "faces.toml").write_text('task = "detection"\nname = "tiny"\n', encoding="utf-8")
    command = ["train", str(tmp_path / "faces.toml"), "--data", "photos.parquet", "--processes", "2"]
    error = CliRunner().invoke(app, command).exception
    assert isinstance(error, UsageError)
    assert "one process trains it" in error.message
