"""One process of a team, as torchrun would start it: does what a pickle says and writes down how it went."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import torch  # noqa: TID253

from fervid.training.expressions import loop
from fervid.training.expressions.config import TrainingConfig
from fervid.training.progress import Progress
from fervid.training.team import Team, join_team


class BrokenError(Exception):
    """What a test breaks."""


def work(team: Team, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    steps: list[float] = []

    def on_progress(progress: Progress) -> None:
        if not progress.metrics:
            steps.append(progress.loss)
        if (team.rank, progress.epoch, progress.step) == job.get("break"):
            raise BrokenError("this process breaks")

    config = TrainingConfig.from_dict(job["recipe"])
    network = loop.train(config, job["data"], folder, device="cpu", threads=1, team=team, on_progress=on_progress)
    return {"losses": steps, "weights": [float(value.double().sum()) for value in network.state_dict().values()]}


def main() -> None:
    torch.set_num_threads(1)
    loop.choose_precision = lambda *_: False  # type: ignore[assignment]
    loop.draw_curves = lambda _metrics, path, **_options: Path(path).touch()  # as in conftest.py
    source, out = map(Path, sys.argv[1:])
    with source.open("rb") as stream:
        jobs = pickle.load(stream)
    with join_team() as team:
        for name, job in jobs.items():
            try:
                report = work(team, job, out / job.get("folder", name))
            except Exception as error:
                report = {"error": type(error).__name__, "message": str(error)}
            (out / f"{name}.{team.rank}.json").write_text(json.dumps(report), encoding="utf-8")
            if "error" in report and job.get("break"):
                os._exit(1)  # as a process that has failed


if __name__ == "__main__":
    main()
