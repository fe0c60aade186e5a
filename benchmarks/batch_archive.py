"""An archive of photos and films, one in a hundred corrupt, read while a worker and then the driver are killed.

    python benchmarks/batch_archive.py --inputs 10000 --out archive-out

The same command goes on after the driver's death. What is there in the end is compared, row by row, with the result of
a run that nobody disturbed; exit status 1 when they differ. ``--out`` keeps the result and its report as CSV and HTML.
Photos are generated as by ``batch_speed.py``, small ones.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from batch_speed import make_photos

FILMS = 250
"""One input of so many is a film."""

CORRUPT = 100
"""One of so many cannot be read."""

DAY_S = 86_400


def make_archive(folder: Path, count: int) -> int:
    """Photos and films in folders of a thousand; says how many of them are corrupt."""
    films = max(1, count // FILMS)
    make_photos(folder, count - films, small=True)
    paths = sorted(folder.rglob("*.jpg"))
    make_film(folder / "films" / "00000.mp4", paths[0])
    paths.append(folder / "films" / "00000.mp4")
    for number in range(1, films):
        paths.append(folder / "films" / f"{number:05d}.mp4")
        shutil.copyfile(folder / "films" / "00000.mp4", paths[-1])
    corrupt = [path for number, path in enumerate(paths) if number % CORRUPT == CORRUPT - 1]
    for number, path in enumerate(corrupt):
        content = path.read_bytes()
        path.write_bytes((b"", content[:20], b"this is no picture")[number % 3])
    rng = np.random.default_rng(7)
    for number, path in enumerate(paths):
        moment = 1_760_000_000 + number // 1000 * DAY_S + float(rng.normal(13, 3)) % 24 * 3600
        os.utime(path, (moment, moment))
    return len(corrupt)


def make_film(path: Path, portrait: Path) -> None:
    """Twelve seconds of a portrait that walks through the picture."""
    from fervid.imaging import load_image
    from fervid.video.writing import VideoWriter

    face = load_image(portrait)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, frame_rate=10, quality=12) as writer:
        for number in range(120):
            frame = np.full((144, 256, 3), 96, dtype=np.uint8)
            left = 10 + number
            frame[24 : 24 + face.shape[0], left : left + face.shape[1]] = face
            writer.write(frame, number / 10)


def count_parts(out: Path) -> int:
    return len(list(out.glob("inputs/*.parquet")))


def list_workers(driver: int) -> list[int]:
    """Ids of the driver's worker processes."""
    found = []
    for task in Path(f"/proc/{driver}/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def disturb(command: list[str], out: Path, parts: int) -> None:
    """Run, kill a worker after a fifth of the parts and the driver after half of them, and run again."""
    driver = subprocess.Popen(command, stderr=subprocess.PIPE)
    killed = False
    while driver.poll() is None:
        done = count_parts(out)
        if not killed and done >= max(1, parts // 5):
            worker = list_workers(driver.pid)[0]
            os.kill(worker, signal.SIGKILL)
            print(f"worker {worker} killed after {done} of {parts} parts", flush=True)
            killed = True
        if killed and done >= parts // 2:
            driver.kill()
            print(f"driver {driver.pid} killed after {done} of {parts} parts", flush=True)
            break
        time.sleep(0.02)
    driver.communicate()
    if driver.returncode != -signal.SIGKILL:
        sys.exit("the run was over before it could be killed; give more --inputs")
    run(command)


def run(command: list[str]) -> None:
    began = time.perf_counter()
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(done.stderr)
    print(f"{time.perf_counter() - began:.0f} s: {done.stderr.splitlines()[0]}", flush=True)


def count_differences(one: Path, other: Path) -> dict[str, int]:
    """Rows of each table that only one of two results has; both are compared to the last bit."""
    import duckdb

    differences = {}
    with duckdb.connect(":memory:") as database:
        for table, pattern in (("faces", "faces/*/*.parquet"), ("inputs", "inputs/*"), ("failures", "failures/*")):
            a, b = (f"SELECT * FROM read_parquet('{folder / pattern}')" for folder in (one, other))
            query = f"SELECT count(*) FROM (({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a}))"
            row = database.execute(query).fetchone()
            assert row is not None
            differences[table] = int(row[0])
    return differences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=100)
    parser.add_argument("--out", type=Path, help="keeps the result here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fervid-archive-") as name:
        source, whole, out = (Path(name) / part for part in ("archive", "whole", "out"))
        corrupt = make_archive(source, options.inputs)
        size = sum(path.stat().st_size for path in source.rglob("*.*"))
        print(f"{options.inputs:,} inputs, {corrupt} of them corrupt, {size / 1e6:.0f} MB", flush=True)
        base = [sys.executable, "-m", "fervid", "batch", str(source), "--model", "small", "--threads", "1"]
        base += ["--workers", str(options.workers), "--chunk", str(options.chunk), "--out"]
        run([*base, str(whole)])
        disturb([*base, str(out)], out, count_parts(whole))
        differences = count_differences(whole, out)
        print(f"rows that only one result has: {differences}", flush=True)
        report = [sys.executable, "-m", "fervid", "batch", "report", str(out)]
        page, table = Path(name) / "report.html", Path(name) / "report.csv"
        subprocess.run([*report, "--html", str(page), "--csv", str(table)], check=True, stdout=subprocess.DEVNULL)
        print(table.read_text(encoding="utf-8").splitlines()[1])
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            for path in (page, table):
                shutil.copy(path, options.out)
            shutil.copytree(out, options.out / "result", dirs_exist_ok=True)
    sys.exit(any(differences.values()))


if __name__ == "__main__":
    main()
