"""A real Ray cluster of two nodes on this machine, one of which is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from fervid.batch import cluster as engine
from fervid.batch.run import Progress, RunSummary, run_batch
from fervid.batch.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own warnings are not ours to mend

STARTING_S = 100
RUNNING_S = 240


@contextlib.contextmanager
def limit_time(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in what takes longer: a cluster that does not answer would be waited for for ever."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one CPU."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray: Any = pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"num_cpus": 1, "include_log_monitor": False, "object_store_memory": 100_000_000}
    try:
        with limit_time(STARTING_S):
            made: Any = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
            made.other = made.add_node(**node)
            ray.init(address=made.address, log_to_driver=False)
    except TimeoutError:
        pytest.skip(f"this machine is too busy to start two Ray nodes within {STARTING_S} s")
    yield made
    with limit_time(STARTING_S):
        ray.shutdown()
        made.shutdown()


@pytest.mark.slow
def test_a_node_that_dies_loses_and_repeats_nothing(
    tmp_path: Path,
    cluster: Any,
    make_photos: Callable[..., Path],
    make_film: Callable[..., Path],
    run: Callable[..., RunSummary],
    read_tables: Any,
    settings: Settings,
) -> None:
    source, out = make_photos(tmp_path / "photos", 60, corrupt=20), tmp_path / "out"
    make_film(source / "film.mp4", 6.0)
    how = dataclasses.replace(settings, range_s=2.0)
    killed: list[Any] = []
    parts: list[int] = []

    def kill_once(progress: Progress) -> None:
        parts.append(len(list((out / "inputs").glob("*.parquet"))))
        if progress.done >= 8 and not killed:
            killed.append(cluster.other)
            cluster.remove_node(killed[0], allow_graceful=False)

    def open_engine(resolved: Settings) -> engine.RayEngine:
        return engine.RayEngine(resolved, out)

    with limit_time(RUNNING_S):
        done = run_batch(str(source), out, how, open_engine, chunk=4, report=kill_once)
        again = run_batch(str(source), out, how, open_engine, chunk=4)
    assert len(killed) == 1
    assert parts[1] < parts[-1]  # answers come while others are read
    assert (done.all.inputs, done.all.failed) == (61, 3)
    assert again.new.inputs == 0
    whole = tmp_path / "whole"
    run(source, whole, how=how)
    assert read_tables(out) == read_tables(whole)
    assert not (out / engine.NOTES).exists()


@pytest.mark.slow
def test_networks_are_loaded_once_per_actor(
    tmp_path: Path,
    cluster: Any,
    make_photos: Callable[..., Path],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, out, log = make_photos(tmp_path / "photos", 12), tmp_path / "out", tmp_path / "log"

    class CountedWorker(engine.RayWorker):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            with log.open("a") as stream:
                stream.write("loaded\n")

        def __call__(self, batch: Any) -> Any:
            with log.open("a") as stream:
                stream.write("done\n")
            return super().__call__(batch)

    monkeypatch.setattr(engine, "RayWorker", CountedWorker)
    with limit_time(RUNNING_S):
        done = run_batch(
            str(source), out, settings, lambda resolved: engine.RayEngine(resolved, out, workers=1), chunk=2
        )
    assert done.all.inputs == 12
    assert log.read_text().split() == ["loaded", *["done"] * 6]


@pytest.mark.slow
def test_the_command_joins_a_cluster_by_its_address(
    tmp_path: Path, cluster: Any, make_photos: Callable[..., Path], settings: Settings
) -> None:
    make_photos(tmp_path / "photos", 6, corrupt=6)
    command = [  # actors run in another folder than the command
        sys.executable, "-m", "fervid", "batch", "photos", "--out", "out", "--engine", "ray", "--workers", "1",
        "--address", cluster.address, "--model", "small", "--detector", os.path.relpath(settings.detector, tmp_path),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUNNING_S, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert "6 inputs read" in done.stderr
    assert "1 failed" in done.stderr
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr
