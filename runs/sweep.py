"""Train recipes one after another, as far as the time goes, and say how they compare.

    python runs/sweep.py RECIPE.toml… --data faces.parquet [--minutes 60] [-o training-runs] [--keep-teachers]

Every run keeps its checkpoint after every epoch, so the same command goes on where the last one stopped: ten minutes on
a GPU or a night on two cores. Finished runs are exported, and with ``--keep-teachers`` asked about the training faces,
so that a recipe further down the list may learn from them; a teacher that is there already stays as it is. The table
goes to stdout; it is the last thing printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from fervid.classification.classifier import Classifier
from fervid.cli.terminal import ERROR, INTERRUPTED, SOME_FAILED, print_error, print_note, show_progress
from fervid.cli.train import RUNS, show_training
from fervid.datasets.faceset import FaceSet
from fervid.datasets.parquet import read_faces
from fervid.errors import ConfigError, FervidError, ModelError
from fervid.models.store import load_model
from fervid.training.checkpoint import check_folder, count_epochs, read_metrics
from fervid.training.devices import choose_device
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import make_training_data
from fervid.training.expressions.export import export_onnx
from fervid.training.expressions.loop import train
from fervid.training.expressions.teachers import FACTS_FILE, ask_teacher, load_teacher, save_teacher
from fervid.training.progress import Progress
from fervid.training.recipes import read_recipe

ROOT: Final = Path(__file__).resolve().parents[1]

SURE: Final = 20
"""Steps after which an epoch's speed is believed."""

COLUMNS: Final = ("recipe", "epochs", "PublicTest", "best", "at", "FER+", "NLL", "ECE", "minutes")


class OutOfTime(Exception):  # noqa: N818  (no error: a signal to stop between two epochs)
    """The next epoch would end too late."""


class Budget:
    """The time that is left.

    Args:
        minutes: from now; None is for ever.
        clock: seconds that only grow.
    """

    def __init__(self, minutes: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = float("inf") if minutes is None else clock() + 60 * minutes
        self._judged: int | None = None

    def left_s(self) -> float:
        """Seconds until the end; below 0 after it."""
        return self._end - self._clock()

    def begin(self) -> None:
        """Forget the epoch that was judged last: that of another run, though it has the same number, is not judged."""
        self._judged = None

    def watch(self, progress: Progress, images: int) -> None:
        """Raise OutOfTime when an epoch, as soon as its speed is known, is seen to end too late.

        It is asked once per epoch: one that has begun well is finished, since stopping would lose it.
        """
        if progress.metrics:
            self._judged = None
            if self.left_s() <= 0:
                raise OutOfTime
        elif self._judged != progress.epoch and progress.step >= min(SURE, progress.steps // 2):
            self._judged = progress.epoch
            if images * (1 - progress.step / progress.steps) / progress.images_per_s > self.left_s():
                raise OutOfTime


class Sweep:
    """A list of recipes on their way.

    Args:
        recipes: in the order in which they are trained.
        data: faces in Parquet; read when the first recipe needs them.
        output: folder of the runs' folders.
        teachers: folder where finished runs are kept as teachers, beside those that are there; None keeps none.
        device: as for ``fervid train``.
        threads: likewise.

    Raises:
        ConfigError: two recipes have one name, or a folder holds a run of another recipe.
    """

    def __init__(
        self,
        recipes: Sequence[TrainingConfig],
        data: Path,
        output: Path,
        *,
        teachers: Path | None = None,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        twice = [name for name, count in Counter(recipe.name for recipe in recipes).items() if count > 1]
        if twice:
            raise ConfigError(f"several recipes are called {twice[0]}", advice="Give each its own name.")
        choose_device(device)
        for recipe in recipes:
            check_folder(recipe, output / recipe.name)
        self._recipes, self._data, self._output, self._teachers = recipes, data, output, teachers
        self._device, self._threads = device, threads
        self._faces: FaceSet | None = None

    def run(self, budget: Budget) -> list[str]:
        """Train what is not finished, in order, until the time is over.

        Returns:
            Names of the recipes that failed; each has been reported on stderr.
        """
        failed = []
        for recipe in self._recipes:
            if budget.left_s() <= 0:
                break
            try:
                self._train(recipe, budget)
            except OutOfTime:
                print_note("the time is over; the same command goes on from here")
                break
            except FervidError as error:
                print_note(f"{recipe.name} failed:")
                print_error(error)
                failed.append(recipe.name)
        return failed

    def _train(self, recipe: TrainingConfig, budget: Budget) -> None:
        folder = self._output / recipe.name
        model = folder / f"{recipe.name}.onnx"
        finished = count_epochs(folder, recipe.schedule.epochs)
        if finished < recipe.schedule.epochs or not model.exists():
            print_note(f"{recipe.name}: {finished} of {recipe.schedule.epochs} epochs are done")
            data = make_training_data(self._read(), recipe)
            budget.begin()
            with show_training() as show:

                def on_progress(progress: Progress) -> None:
                    show(progress)
                    if progress.epoch < recipe.schedule.epochs or not progress.metrics:
                        budget.watch(progress, len(data.images))

                network = train(
                    recipe, data, folder, device=self._device, threads=self._threads, on_progress=on_progress
                )
            export_onnx(network, data, model, **dataclasses.asdict(recipe.export))
        if self._teachers is not None:
            self._keep(model, self._teachers / recipe.name)

    def _keep(self, model: Path, folder: Path) -> None:
        """Ask a finished run's model about the training faces, unless the folder holds a teacher."""
        if (folder / FACTS_FILE).exists():
            mine, kept = load_model(model.resolve()).identity, load_teacher(folder).model
            if kept != mine:
                print_note(f"{folder} holds what {kept} said, not {mine}; it stays as it is")
            return
        with show_progress(f"asking {model.stem}", "faces") as advance:
            teacher = ask_teacher(Classifier(model.resolve(), threads=self._threads), self._read(), progress=advance)
        save_teacher(teacher, folder)

    def _read(self) -> FaceSet:
        if self._faces is None:
            with show_progress("reading", "faces") as advance:
                self._faces = read_faces(self._data, progress=advance)
        return self._faces

    def table(self) -> str:
        """How far the runs have come, the best first: figures of the last epoch, and the best accuracy with its epoch.

        PublicTest, FER+ (majority) and ECE in %; the best of many epochs flatters, the last is what is exported.
        """
        rows = []
        for recipe in self._recipes:
            folder = self._output / recipe.name
            try:
                finished, metrics = str(count_epochs(folder, recipe.schedule.epochs)), read_metrics(folder)
            except ModelError:  # of a damaged file: that is no reason to hide the other runs
                finished, metrics = "?", []
            epochs = f"{finished}/{recipe.schedule.epochs}"
            if not metrics:
                rows.append((-1.0, (recipe.name, epochs, *["–"] * (len(COLUMNS) - 2))))
                continue
            last, best = metrics[-1], max(metrics, key=lambda line: line["public_accuracy"])
            votes = last.get("public_votes_accuracy")
            cells = (
                recipe.name,
                epochs,
                f"{last['public_accuracy'] * 100:.2f}",
                f"{best['public_accuracy'] * 100:.2f}",
                str(best["epoch"]),
                "–" if votes is None else f"{votes * 100:.2f}",
                f"{last['public_nll']:.4f}",
                f"{last['public_ece'] * 100:.2f}",
                f"{sum(line['seconds'] for line in metrics) / 60:.1f}",
            )
            rows.append((last["public_accuracy"], cells))
        lines = [COLUMNS, *(cells for _, cells in sorted(rows, key=lambda row: -row[0]))]
        widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
        )


def read_recipes(paths: Sequence[Path]) -> list[TrainingConfig]:
    """Read recipes of expression networks. Raises ConfigError when one is wrong, or a detector's."""
    recipes = []
    for path in paths:
        recipe = read_recipe(path)
        if not isinstance(recipe, TrainingConfig):
            raise ConfigError(f"{path} is the recipe of a detector", advice="Train it with fervid train.")
        recipes.append(recipe)
    return recipes


def main() -> int:
    """Read the command line, train, print the table; the exit status."""
    parser = argparse.ArgumentParser(description="Train recipes one after another, as far as the time goes.")
    parser.add_argument("recipes", type=Path, nargs="+", metavar="RECIPE.toml")
    parser.add_argument("--data", type=Path, required=True, help="faces in Parquet, as fervid data prepare writes them")
    parser.add_argument("--minutes", type=float, help="that may pass; 0 prints the table alone; no limit when absent")
    parser.add_argument("-o", "--output", type=Path, default=RUNS, help=f"folder of the runs' folders ({RUNS})")
    parser.add_argument("--keep-teachers", action="store_true", help="keep finished runs in runs/teachers")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, help="CPU threads; one per core when absent")
    arguments = parser.parse_intermixed_args()
    budget = Budget(arguments.minutes)
    try:
        sweep = Sweep(
            read_recipes(arguments.recipes),
            arguments.data,
            arguments.output,
            teachers=ROOT / "runs" / "teachers" if arguments.keep_teachers else None,
            device=arguments.device,
            threads=arguments.threads,
        )
    except FervidError as error:
        print_error(error)
        return ERROR
    try:
        status = SOME_FAILED if sweep.run(budget) else 0
    except KeyboardInterrupt:
        print_note("interrupted; the same command goes on after the last finished epoch")
        status = INTERRUPTED
    print(sweep.table())
    return status


if __name__ == "__main__":
    sys.exit(main())
