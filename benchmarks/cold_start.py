"""What a user waits for: importing fervid, and the first photo in a fresh process.

    python benchmarks/cold_start.py photo.jpg --runs 7

Every run is a new process; medians of wall time, and the size of the environment that runs it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo")
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()

    bare = measure([sys.executable, "-c", "pass"], arguments.runs)
    imported = measure([sys.executable, "-c", "import fervid"], arguments.runs)
    first = measure(
        [sys.executable, "-c", f"import fervid; fervid.analyze({arguments.photo!r}, detector='haar')"], arguments.runs
    )
    command = measure([sys.executable, "-m", "fervid", "image", arguments.photo, "--detector", "haar"], arguments.runs)
    print(f"interpreter alone      {bare * 1000:7.0f} ms")
    print(f"import fervid          {(imported - bare) * 1000:7.0f} ms more")
    print(f"first photo, Python    {first * 1000:7.0f} ms in all")
    print(f"first photo, command   {command * 1000:7.0f} ms in all")
    print(f"environment            {measure_environment() / 1e6:7.0f} MB on disk")


def measure(command: list[str], runs: int) -> float:
    """Median wall time in s; one run before the first that counts fills the caches."""
    seconds = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def measure_environment() -> int:
    """Bytes that the files of this virtual environment take on disk."""
    total = 0
    for folder, _, files in os.walk(sys.prefix):
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                total += path.stat().st_blocks * 512
    return total


if __name__ == "__main__":
    main()
