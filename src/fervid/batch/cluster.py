"""The engine of several machines: the same tasks on Ray Data, which schedules, streams, holds back and tries again.

Tasks are numbers in the plan, a file that every node sees; so neither driver nor object store ever holds more than a
few of them. Outputs are named by their inputs: what Ray does twice, it writes twice to the same place.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fervid.batch.extras import require
from fervid.batch.settings import Settings
from fervid.batch.tasks import Outcome, Plan, Task
from fervid.batch.worker import Worker
from fervid.errors import FervidError, InputError

MOST_BLOCKS: Final = 4096
RETRIES: Final = 5
"""How often a task is begun again after its node or process has died."""


class RayWorker:
    """A worker as an actor: the networks are loaded once per actor."""

    def __init__(self, settings: Settings, out: str, plan: str, count: int, threads: int) -> None:
        self._worker = Worker(settings, Path(out), threads)
        self._plan = Plan(Path(plan), count)

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Do the tasks of these numbers."""
        outcomes = [self._worker.run(self._plan.read(int(number))) for number in batch["id"]]
        answers = np.empty(len(outcomes), dtype=object)
        answers[:] = [_pack(outcome) for outcome in outcomes]
        return {"id": batch["id"], "outcome": answers}


class RayEngine:
    """Tasks on a Ray cluster.

    Args:
        settings: how to read.
        out: folder of the run, under the same path on every node.
        address: of a cluster, ``auto`` for the one that runs here; None starts one on this machine.
        workers: actors; None takes as many as the cluster has room for.
        threads: of each actor's networks; it is given as many CPUs.
        gpus: share of a GPU that each actor is given.

    Raises:
        MissingExtraError: Ray is not installed.
        InputError: there is no cluster at the address.
    """

    def __init__(
        self,
        settings: Settings,
        out: Path,
        *,
        address: str | None = None,
        workers: int | None = None,
        threads: int = 1,
        gpus: float = 0.0,
    ) -> None:
        require("ray", "The engine ray")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report its use to its makers
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        self._settings = settings
        self._out = out
        self._workers = workers
        self._threads = threads
        self._gpus = gpus
        self._own = not ray.is_initialized()
        if self._own:
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise InputError(f"no Ray cluster at {address} ({error})", advice="Check --address.") from None

    def run(self, plan: Plan) -> Iterator[tuple[Task, Outcome]]:
        """Do all tasks of a plan, in any order.

        Raises:
            FervidError: Ray gave up.
        """
        import ray
        from ray.exceptions import RayError

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.verbose_progress = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        arguments = (self._settings, str(self._out), str(plan.path.resolve()), plan.count, self._threads)
        rows = ray.data.range(plan.count, override_num_blocks=min(plan.count, MOST_BLOCKS)).map_batches(
            RayWorker,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(**self._size_pool(plan.count)),
            fn_constructor_args=arguments,
            num_cpus=self._threads,
            num_gpus=self._gpus or None,
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
        try:
            for row in rows.iter_rows():
                yield plan.read(int(row["id"])), _unpack(row["outcome"])
        except RayError as error:
            raise FervidError(f"Ray gave up ({error})", advice="The same command goes on from here.") from None

    def close(self) -> None:
        """Leave the cluster; end it when it was started for this run."""
        import ray

        if self._own:
            ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _size_pool(self, tasks: int) -> dict[str, Any]:
        import ray

        if self._workers is not None:
            return {"size": min(self._workers, tasks)}
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        room = int(resources.get("CPU", 1) // self._threads)
        return {"min_size": 1, "max_size": max(1, min(room, tasks))}


def _pack(outcome: Outcome) -> dict[str, Any]:
    """An outcome that crosses machines; an error too."""
    error = outcome.error
    return {**outcome.to_json(), "error": None if error is None else (type(error), error.message, error.advice)}


def _unpack(data: dict[str, Any]) -> Outcome:
    if data["error"] is not None:
        kind, message, advice = data["error"]
        return Outcome(error=kind(message, advice=advice))
    return Outcome.from_json(data)
