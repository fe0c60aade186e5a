"""How fast ``fervid train`` is with one process of two threads and with two processes of one thread, in turns.

    python benchmarks/training_processes.py runs/base-2.toml

The recipe's network learns from noise at one of its sizes, a few steps per epoch; the figure is of the last epoch of
each run, whose ``metrics.jsonl`` says it. What is added up between the processes is all that differs, so
the losses agree.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

WAYS = {
    "1 process, 2 threads": ["--threads", "2"],
    "2 processes, 1 thread each": ["--processes", "2", "--threads", "1"],
}


def write_noise(path: Path, count: int) -> None:
    """Faces of noise: what a step costs does not depend on what is in them."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    rng = np.random.default_rng(0)
    images = []
    for _ in range(count + 64):
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (48, 48), dtype=np.uint8)).save(stream, "PNG")
        images.append(stream.getvalue())
    usage = ["Training"] * count + ["PublicTest"] * 64
    emotions = pa.array([row % 7 for row in range(len(usage))], pa.int8())
    pq.write_table(pa.table({"image": images, "emotion": emotions, "Usage": usage}), path)


def shorten_recipe(recipe: Path, target: Path, size: int, epochs: int) -> None:
    """The same network and augmentation, for a few epochs of one size."""
    from fervid.training.expressions.config import TrainingConfig

    table = TrainingConfig.from_toml(recipe).to_dict()
    network, schedule = table["network"], table["schedule"]
    lines = ["name = 'speed'", "[network]", *(f"{key} = {json.dumps(value)}" for key, value in network.items())]
    lines += [
        "[schedule]",
        f"stages = [{{ epochs = {epochs}, size = {size} }}]",
        f"batch_size = {schedule['batch_size']}",
    ]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--size", type=int, default=40)
    parser.add_argument("--faces", type=int, default=1280)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fervid-speed-") as name:
        folder = Path(name)
        write_noise(folder / "faces.parquet", options.faces)
        shorten_recipe(options.recipe, folder / "recipe.toml", options.size, options.epochs)
        for turn in range(options.turns):
            for number, (title, extra) in enumerate(WAYS.items()):
                run = folder / f"{turn}-{number}"
                load = os.getloadavg()[0]
                command = [sys.executable, "-m", "fervid", "train", str(folder / "recipe.toml"), "--device", "cpu"]
                command += ["--data", str(folder / "faces.parquet"), "-o", str(run), *extra]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    sys.exit(done.stderr)
                line = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
                print(
                    f"{title:28}  {line['images_per_s']:7.1f} img/s, loss {line['train_loss']}, load before {load:.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
