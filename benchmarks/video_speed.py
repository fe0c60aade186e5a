"""How fast a film is decoded, RGB conversion included, and what reading only a part of it costs.

    python benchmarks/video_speed.py film.mp4 [--repeats 5]

Without a film one is made: a portrait of 720p that moves under grain, 10 s at 30 frames/s, as x264 makes it by default.
Figures are medians. "cpu" counts the processor's time of all threads, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fervid.imaging import load_image
from fervid.video.reading import VideoReader
from fervid.video.writing import VideoWriter

READINGS: dict[str, dict[str, Any]] = {
    "all, 1 thread, nothing ahead": {"threads": 1, "prefetch": 0},
    "all, 1 thread": {"threads": 1},
    "all, auto": {},
    "every 0.2 s, 1 thread": {"threads": 1, "every_s": 0.2},
    "every 0.2 s, auto": {"every_s": 0.2},
    "every 1 s, auto": {"every_s": 1.0},
    "every 5 s, auto": {"every_s": 5.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = arguments.film or make_film(Path(folder) / "film.mp4")
        info = VideoReader(film).info
        print(
            f"{info.size[0]}×{info.size[1]}, {info.codec}, {info.frame_rate:.2f} frames/s, {info.duration_s:.1f} s;",
            end=" ",
        )
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(f"{'':30}{'frames':>8}{'wall s':>8}{'cpu s':>8}{'film s / wall s':>17}{'film s / cpu s':>16}")
        runs: dict[str, list[tuple[int, float, float]]] = {name: [] for name in READINGS}
        for _ in range(arguments.repeats):  # in turns, so that what else the machine does falls on all alike
            for name, options in READINGS.items():
                runs[name].append(measure_reading(film, options))
        for name, results in runs.items():
            wall = statistics.median(run[1] for run in results)
            cpu = statistics.median(run[2] for run in results)
            length = info.duration_s or 0.0
            print(f"{name:30}{results[0][0]:8}{wall:8.2f}{cpu:8.2f}{length / wall:17.1f}{length / cpu:16.1f}")


def measure_reading(film: Path, options: dict[str, Any]) -> tuple[int, float, float]:
    """(frames, wall seconds, processor seconds) of reading a film once."""
    reader = VideoReader(film, **options)
    began, used = time.perf_counter(), time.process_time()
    count = sum(1 for _ in reader)
    return count, time.perf_counter() - began, time.process_time() - used


def make_film(path: Path) -> Path:
    """Grace Hopper, moved about under grain."""
    import matplotlib

    portrait = load_image(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")
    wall = portrait.repeat(3, axis=0).repeat(3, axis=1)
    grain = np.random.default_rng(0).normal(0, 3, (8, 720, 1280, 1)).astype(np.float32)
    with VideoWriter(path, frame_rate=30, preset="medium", quality=23) as writer:
        for number in range(300):
            x, y = (int(100 + 99 * wave) for wave in (np.sin(number / 20), np.cos(number / 33)))
            writer.write(add_grain(wall[3 * y : 3 * y + 720, x : x + 1280], grain[number % 8]), number / 30)
    return path


def add_grain(picture: NDArray[np.uint8], grain: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(picture + grain, 0, 255), dtype=np.uint8)


if __name__ == "__main__":
    main()
