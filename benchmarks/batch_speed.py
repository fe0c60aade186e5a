"""How fast ``fervid batch`` is: against a plain loop, with one and two workers and with Ray; memory of every process.

    python benchmarks/batch_speed.py --photos 2000              # the table of docs/batch.md
    python benchmarks/batch_speed.py --photos 100000 --small    # bounded memory

Photos are generated: portraits that the project's own packages bring, moved and brightened, as JPEG. Every figure is of
one run; the page says how busy the machine was. Photos per second suffer from other work, processor time per photo, of
all processes together and with their start, hardly. Memory is the peak of the resident set. Both are from ``/proc``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

LOOP = """
import sys, time
from pathlib import Path
from fervid.pipeline import Analyzer
from fervid.errors import FervidError
analyzer = Analyzer(threads=int(sys.argv[2]))
began = time.perf_counter()
for path in sorted(Path(sys.argv[1]).rglob("*.jpg")):
    try:
        analyzer.analyze(path)
    except FervidError:
        pass
print(time.perf_counter() - began)
"""


def make_photos(folder: Path, count: int, *, small: bool) -> None:
    """JPEGs in folders of a thousand: one face each, 640 px high or, small, 96 px."""
    import matplotlib
    from PIL import Image

    portrait = Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").convert("RGB")
    rng = np.random.default_rng(2013)
    sources = [portrait.resize((82, 96) if small else (546, 640)), portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    sources[1] = sources[1].resize(sources[0].size)
    for number in range(count):
        place = folder / f"{number // 1000:03d}"
        place.mkdir(parents=True, exist_ok=True)
        left, top = (int(v) for v in rng.integers(-6, 7, 2))
        moved = sources[number % 2].transform(sources[0].size, Image.Transform.AFFINE, (1, 0, left, 0, 1, top))
        light = float(rng.uniform(0.8, 1.2))
        moved.point([min(255, round(v * light)) for v in range(256)] * 3).save(place / f"{number:06d}.jpg", quality=88)


class Watch:
    """Peak resident memory and processor time of a process and of everything below it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self.peaks: dict[int, tuple[str, int]] = {}
        self.ticks: dict[int, int] = {}
        self.sizes: list[tuple[int, int]] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            present: dict[bool, int] = {}
            for pid in self._list(self._pid):
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
                except OSError:
                    continue
                peak = [line for line in status.splitlines() if line.startswith("VmHWM")]
                if peak:
                    self.peaks[pid] = (command, int(peak[0].split()[1]) // 1000)
                self.ticks[pid] = sum(map(int, times))
                held = [int(line.split()[1]) // 1000 for line in status.splitlines() if line.startswith("VmRSS")]
                present[pid == self._pid] = max([present.get(pid == self._pid, 0), *held])
            self.sizes.append((present.get(True, 0), present.get(False, 0)))

    def _list(self, pid: int) -> Iterator[int]:
        yield pid
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            children = [c for t in tasks for c in (t / "children").read_text().split()]
        except OSError:
            return
        for child in children:
            yield from self._list(int(child))

    def stop(self) -> dict[str, float]:
        """MB of the driver and of the largest worker; seconds of processor time of all."""
        self._stop.set()
        self._thread.join()
        workers = [mb for command, mb in self.peaks.values() if "spawn_main" in command or "ray::" in command]
        seconds = sum(self.ticks.values()) / os.sysconf("SC_CLK_TCK")
        return {"driver": self.peaks.get(self._pid, ("", 0))[1], "worker": max(workers, default=0), "cpu": seconds}

    def list_quarters(self) -> str:
        """MB of the driver and of the largest worker after each quarter of the time."""
        places = [len(self.sizes) * quarter // 4 - 1 for quarter in (1, 2, 3, 4)]
        return ", ".join("+".join(map(str, self.sizes[max(0, place - 5)])) for place in places)


def run(command: list[str]) -> tuple[float, str, dict[str, float], str]:
    """Seconds, stdout, what :meth:`Watch.stop` says, and :meth:`Watch.list_quarters`."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = Watch(process.pid)
    out, err = process.communicate()
    if process.returncode not in (0, 3):
        sys.exit(err)
    seconds, figures = time.perf_counter() - began, watch.stop()
    return seconds, out, figures, watch.list_quarters()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--small", action="store_true", help="photos of 96 px")
    parser.add_argument("--chunk", type=int, default=100)
    parser.add_argument("--without-ray", action="store_true")
    parser.add_argument("--only-local", action="store_true", help="two workers alone, for long runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fervid-batch-") as name:
        folder = Path(name)
        source = folder / "photos"
        make_photos(source, options.photos, small=options.small)
        size = sum(path.stat().st_size for path in source.rglob("*.jpg"))
        facts = {"photos": options.photos, "MB": round(size / 1e6, 1), "load before": round(os.getloadavg()[0], 1)}
        print(json.dumps(facts), flush=True)
        if not options.only_local:
            _, said, memory, _ = run([sys.executable, "-c", LOOP, str(source), "1"])
            seconds = float(said)
            print(
                f"{'plain loop, 1 thread':28}  {options.photos / seconds:7.1f} photos/s  "
                f"{memory['cpu'] / options.photos * 1000:.1f} ms of a core each, {memory['driver']} MB",
                flush=True,
            )
        ways: dict[str, list[str]] = {"2 local workers": ["--workers", "2"]}
        if not options.only_local:
            ways = {"in this process": ["--workers", "0"], "1 local worker": ["--workers", "1"], **ways}
            if not options.without_ray:
                ways["Ray, 2 actors"] = ["--engine", "ray", "--workers", "2"]
        for number, (title, extra) in enumerate(ways.items()):
            out = folder / f"out{number}"
            command = [sys.executable, "-m", "fervid", "batch", str(source), "--out", str(out)]
            seconds, _, memory, quarters = run([*command, "--chunk", str(options.chunk), "--threads", "1", *extra])
            inside = json.loads((out / "run.json").read_text())["seconds"]
            result = sum(path.stat().st_size for path in out.rglob("*.parquet"))
            print(
                f"{title:28}  {options.photos / inside:7.1f} photos/s  "
                f"{memory['cpu'] / options.photos * 1000:.1f} ms of a core each, driver {memory['driver']} MB, "
                f"worker {memory['worker']} MB, {seconds:.1f} s with its start, "
                f"{result / options.photos:.0f} B/photo out, load {os.getloadavg()[0]:.0f}; "
                f"driver+worker after each quarter: {quarters} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
