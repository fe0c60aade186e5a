"""The engine of several machines: the same tasks on Ray Data, which schedules, streams, holds back and tries again.

Tasks are numbers in the plan, a file that every node sees; so neither driver nor object store ever holds more than a
few of them. Outputs are named by their inputs: what Ray does twice, it writes twice to the same place.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fervid.batch.locks import share_lock
from fervid.batch.settings import Settings
from fervid.batch.tasks import Outcome, Plan, Task
from fervid.batch.worker import Worker, describe_failure, give_up
from fervid.errors import FervidError, InputError, UsageError
from fervid.extras import require

MOST_BLOCKS: Final = 4096
TRIES: Final = 3
"""A task over which so many processes have died is split."""

NOTES: Final = ".tries"
"""Folder of the notes of tasks that were begun."""

_PATIENCE_S: Final = 10.0


class RayWorker:
    """A worker as an actor: the networks are loaded once per actor.

    Ray begins a task again whose process has died, for ever. So every try leaves a note, and a task of too many is done
    in halves, down to the one photo or film that ends processes; that is a failure.
    """

    def __init__(self, settings: Settings, out: str, plan: str, count: int, threads: int) -> None:
        self._out = Path(out)
        self._plan = Plan(Path(plan), count)
        self._unable: FervidError | None = None
        self._lock = contextlib.ExitStack()  # for as long as the actor lives
        try:
            self._lock.enter_context(share_lock(self._out))
            self._worker = Worker(settings, self._out, threads)
        except FervidError as error:  # raised here, it would be Ray's error and no longer ours
            self._unable = error
        except OSError as error:
            self._unable = describe_failure(self._out, error)

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Do the tasks of these numbers."""
        outcomes = [self._do(self._plan.read(int(number))) for number in batch["data"]]
        answers = np.empty(len(outcomes), dtype=object)
        answers[:] = [_pack(outcome) for outcome in outcomes]
        return {"data": batch["data"], "outcome": answers}

    def _do(self, task: Task) -> Outcome:
        if self._unable is not None:
            return Outcome(error=self._unable)
        part = "" if task.range is None else f"-{task.range.number}"
        note = self._out / NOTES / f"{task.step}-{task.chunk}{part}"
        try:
            if not note.exists() or note.stat().st_size < TRIES:
                with note.open("ab") as tries:
                    tries.write(b".")
                outcome = self._worker.run(task)
                note.unlink(missing_ok=True)  # another actor, thought dead, may have done it as well
                return outcome
            # The note stays: were the task done a third time, as a whole, its rows would be there twice.
            if len(task.items) == 1:
                return give_up(self._out, task)
        except OSError as error:
            return Outcome(error=describe_failure(self._out, error))
        first, second = (self._do(half) for half in task.split())
        return Outcome(first.counts.plus(second.counts), error=first.error or second.error)


class RayEngine:
    """Tasks on a Ray cluster.

    Args:
        settings: how to read.
        out: folder of the run, under the same path on every node.
        address: of a cluster, ``auto`` for the one that runs here; None starts one on this machine, whatever runs.
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
        require("batch", "The engine ray", "ray")
        if address is not None:
            _check_address(address)
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
                ray.init(
                    address=address or "local",
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    include_dashboard=False,
                )
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise InputError(f"no Ray cluster at {address} ({error})", advice="Check --address.") from None

    def run(self, plan: Plan) -> Iterator[tuple[Task, Outcome]]:
        """Do all tasks of a plan, in any order.

        Raises:
            UsageError: no node has room for an actor.
            FervidError: Ray gave up.
        """
        import ray
        from ray.exceptions import RayError

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.verbose_progress = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        arguments = (self._settings, str(self._out.resolve()), str(plan.path.resolve()), plan.count, self._threads)
        # Blocks of numbers are in the object store from the start: tasks that make them would wait for CPUs of actors.
        numbers = ray.data.from_numpy(np.array_split(np.arange(plan.count), min(plan.count, MOST_BLOCKS)))
        rows = numbers.map_batches(
            RayWorker,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=self._count_actors(plan.count), max_tasks_in_flight_per_actor=1),
            fn_constructor_args=arguments,
            num_cpus=self._threads,
            num_gpus=self._gpus or None,
        )
        try:
            for row in rows.iter_rows():
                yield plan.read(int(row["data"])), _unpack(row["outcome"])
        except RayError as error:
            raise FervidError(f"Ray gave up ({error})", advice="The same command goes on from here.") from None

    def close(self) -> None:
        """Leave the cluster; end it when it was started for this run."""
        import ray

        shutil.rmtree(self._out / NOTES, ignore_errors=True)
        if self._own:
            ray.shutdown()

    def __enter__(self) -> Self:
        shutil.rmtree(self._out / NOTES, ignore_errors=True)  # of a driver that died: its tasks did not end it
        try:
            (self._out / NOTES).mkdir()
        except OSError as error:
            raise describe_failure(self._out, error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _count_actors(self, tasks: int) -> int:
        import ray

        nodes: list[Mapping[str, Any]] = ray.nodes()
        room = count_room((node["Resources"] for node in nodes if node["Alive"]), self._threads, self._gpus)
        if room == 0:  # Ray would wait for such a node, for ever
            needs = f"CPUs: {self._threads}" + (f", GPUs: {self._gpus:g}" if self._gpus else "")
            raise UsageError(
                f"no node of the cluster has room for an actor ({needs})",
                advice="Give fewer --threads, or less of --gpus.",
            )
        return min(room if self._workers is None else self._workers, tasks)


def count_room(nodes: Iterable[Mapping[str, float]], threads: int, gpus: float) -> int:
    """How many actors have room on nodes of these resources; each is on one node."""
    return sum(
        int(min(node.get("CPU", 0) // threads, node.get("GPU", 0) / gpus if gpus else math.inf)) for node in nodes
    )


def _check_address(address: str) -> None:
    """Ray itself would try for minutes to reach a machine on which it does not run.

    Raises:
        InputError: nothing listens there.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster at {address} ({error})", advice="Check --address.") from None


def _pack(outcome: Outcome) -> dict[str, Any]:
    """An outcome that crosses machines; an error too."""
    error = outcome.error
    return {**outcome.to_json(), "error": None if error is None else (type(error), error.message, error.advice)}


def _unpack(data: dict[str, Any]) -> Outcome:
    if data["error"] is not None:
        kind, message, advice = data["error"]
        return Outcome(error=kind(message, advice=advice))
    return Outcome.from_json(data)
