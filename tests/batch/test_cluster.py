"""A real Ray cluster of two nodes on this machine, one of which is killed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fervid.batch.run import Progress, RunSummary, run_batch
from fervid.batch.settings import Settings
from fervid.errors import ModelError

pytest.importorskip("ray.data", reason="Ray is not installed")

# Ray's own warnings are not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        os.environ.get("FERVID_TEST_RAY") != "1",
        reason="two Ray nodes take minutes on a busy machine: FERVID_TEST_RAY=1",
    ),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one CPU."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "include_log_monitor": False, "object_store_memory": 100_000_000}
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    made.other = made.add_node(**node)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_node_that_dies_loses_and_repeats_nothing(
    tmp_path: Path,
    cluster: Any,
    make_photos: Callable[..., Path],
    make_film: Callable[..., Path],
    run: Callable[..., RunSummary],
    read_tables: Any,
    settings: Settings,
) -> None:
    from fervid.batch.cluster import RayEngine

    source, out = make_photos(tmp_path / "photos", 60, corrupt=20), tmp_path / "out"
    make_film(source / "film.mp4", 6.0)
    how = dataclasses.replace(settings, range_s=2.0)
    killed: list[Any] = []

    def kill_once(progress: Progress) -> None:
        if progress.done >= 8 and not killed:
            killed.append(cluster.other)
            cluster.remove_node(killed[0], allow_graceful=False)

    def open_engine(resolved: Settings) -> RayEngine:
        return RayEngine(resolved, out)

    done = run_batch(str(source), out, how, open_engine, chunk=4, report=kill_once)
    assert len(killed) == 1
    assert (done.all.inputs, done.all.failed) == (61, 3)
    whole = tmp_path / "whole"
    run(source, whole, how=how)
    assert read_tables(out) == read_tables(whole)
    assert run_batch(str(source), out, how, open_engine, chunk=4).new.inputs == 0


def test_an_error_of_an_actor_reaches_the_driver(
    tmp_path: Path, cluster: Any, make_photos: Callable[..., Path], settings: Settings
) -> None:
    from fervid.batch.cluster import RayEngine

    source, out = make_photos(tmp_path / "photos", 2), tmp_path / "out"

    def open_engine(resolved: Settings) -> RayEngine:
        other = dataclasses.replace(resolved, identity="small@000000000000")
        return RayEngine(other, out, workers=1)

    with pytest.raises(ModelError, match="was begun with"):
        run_batch(str(source), out, settings, open_engine)
