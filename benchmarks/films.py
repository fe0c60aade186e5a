"""How fast a film is read, end to end, against a straightforward loop over its frames.

    python benchmarks/films.py film.mp4 --model small --rounds 3
    python benchmarks/films.py --make film.mp4 --seconds 20      # a 720p film of two portraits that come and go
    python benchmarks/films.py --make steady.mp4 --steady        # both stay
    python benchmarks/films.py steady.mp4 --rounds 0             # without the loop: time per frame in every quarter
    python benchmarks/films.py film.mp4 --decoding               # what decoding all or a part of it costs

The loop uses the same reader, detector and network: it looks for faces on every frame and gives the network one face at
a time. Both run in turns, and the ratio of a round is what counts on a machine that does other things too; CPU time is
that of the whole process. A steady film shows whether frames cost more the longer it lasts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fervid.detection.alignment import align
from fervid.imaging import load_image
from fervid.pipeline import Analyzer
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
"""What --decoding compares."""


class Pass:
    """One pass over a film: frames, faces, wall and CPU seconds from its beginning to each of its frames."""

    def __init__(self) -> None:
        self._marks = [(0, 0, time.perf_counter(), time.process_time())]

    def note(self, faces: int) -> None:
        """A frame is done."""
        frames, before = self._marks[-1][:2]
        self._marks.append((frames + 1, before + faces, time.perf_counter(), time.process_time()))

    def measure(self, begin: float = 0.0, end: float = 1.0) -> tuple[float, float, float]:
        """Wall and CPU milliseconds and faces per frame, of a part of the film, 0–1."""
        first, last = (self._marks[round(share * (len(self._marks) - 1))] for share in (begin, end))
        frames = max(1, last[0] - first[0])
        return 1000 * (last[2] - first[2]) / frames, 1000 * (last[3] - first[3]) / frames, (last[1] - first[1]) / frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", nargs="?", type=Path)
    parser.add_argument("--make", metavar="FILM", type=Path, help="make a film instead")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--grain", type=int, default=3, help="of the made film, grey levels")
    parser.add_argument("--steady", action="store_true", help="nobody comes or goes in the made film")
    parser.add_argument("--model", default="base")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--min-face", type=float, default=32.0, help="of fervid video, if not given")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--end", type=float, help="read so many seconds only")
    parser.add_argument("--decoding", action="store_true", help="decode only, all of it and parts")
    arguments = parser.parse_args()
    if arguments.make:
        make_film(arguments.make, arguments.seconds, grain=arguments.grain, steady=arguments.steady)
    elif arguments.film is None:
        parser.error("a film is needed")
    elif arguments.decoding:
        compare_readings(arguments.film, arguments.rounds)
    else:
        compare_ways(arguments)


def compare_ways(arguments: argparse.Namespace) -> None:
    """fervid and the loop, in turns."""
    analyzer = Analyzer(arguments.model, arguments.detector, threads=arguments.threads, min_face=arguments.min_face)
    film = analyzer.video(arguments.film, end_s=arguments.end)
    print(f"{describe_film(arguments.film)}; {analyzer.classifier.identity}", end=", ")
    print(f"{analyzer.detector.name}, min_face {arguments.min_face:g}")

    def stream(progress: Pass) -> None:
        for frame in film:
            progress.note(len(frame.faces))

    def loop(progress: Pass) -> None:
        """What one would write without thinking of films."""
        for frame in VideoReader(arguments.film, end_s=arguments.end, threads=analyzer.threads):
            detections = analyzer.detector.detect(frame.image, min_face=analyzer.min_face)
            for detection in detections:
                analyzer.classifier.predict([frame.image], [align(detection, analyzer.detector.framing)])
            progress.note(len(detections))

    ratios: list[list[float]] = [[], []]
    for number in range(max(1, arguments.rounds)):
        streamed = run(f"round {number + 1} fervid", stream)
        if arguments.rounds == 0:
            for quarter in range(4):
                wall, cpu, faces = streamed.measure(quarter / 4, (quarter + 1) / 4)
                print(f"  quarter {quarter + 1}: {wall:5.1f} ms, {cpu:5.1f} ms CPU, {faces:.2f} faces a frame")
            break
        looped = run(f"round {number + 1} loop", loop)
        for i, values in enumerate(ratios):
            values.append(looped.measure()[i] / streamed.measure()[i])
    for name, values in zip(("wall time", "CPU time"), ratios, strict=True):
        if values:
            print(f"{name}: {statistics.median(values):.1f} times less ({', '.join(f'{v:.2f}' for v in values)})")


def run(name: str, work: Callable[[Pass], None]) -> Pass:
    progress = Pass()
    work(progress)
    wall, cpu, faces = progress.measure()
    print(f"{name:14} {1000 / wall:6.1f} frames/s {cpu:6.1f} ms CPU/frame {faces:5.2f} faces/frame", flush=True)
    return progress


def describe_film(path: Path) -> str:
    info = VideoReader(path).info
    length = info.duration_s or 0.0
    rate = f", {path.stat().st_size * 8e-6 / length:.1f} Mbit/s" if length else ""
    facts = f"{info.size[0]}×{info.size[1]}, {info.codec}, {info.frame_rate:.2f} frames/s, {length:.1f} s{rate}"
    return f"{path.name}: {facts}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def compare_readings(path: Path, repeats: int) -> None:
    """Decoding, RGB conversion included, and what reading only a part of it costs; medians."""
    print(describe_film(path))
    print(f"{'':30}{'frames':>8}{'wall s':>8}{'cpu s':>8}{'film s / wall s':>17}{'film s / cpu s':>16}")
    runs: dict[str, list[tuple[int, float, float]]] = {name: [] for name in READINGS}
    for _ in range(repeats):  # in turns, so that what else the machine does falls on all alike
        for name, options in READINGS.items():
            reader = VideoReader(path, **options)
            began, used = time.perf_counter(), time.process_time()
            count = sum(1 for _ in reader)
            runs[name].append((count, time.perf_counter() - began, time.process_time() - used))
    length = VideoReader(path).info.duration_s or 0.0
    for name, results in runs.items():
        wall, cpu = (statistics.median(result[i] for result in results) for i in (1, 2))
        print(f"{name:30}{results[0][0]:8}{wall:8.2f}{cpu:8.2f}{length / wall:17.1f}{length / cpu:16.1f}")


def make_film(path: Path, seconds: float, *, grain: int, steady: bool, rate: int = 30) -> None:
    """Eileen Collins stands on the left and leaves after three quarters; Grace Hopper walks in from the right."""
    import matplotlib
    import skimage

    first = Image.fromarray(load_image(Path(skimage.__file__).parent / "data" / "astronaut.png")).resize((560, 560))
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    second = Image.fromarray(load_image(portrait)).resize((420, 500))
    noise = np.random.default_rng(0).integers(-grain, grain + 1, (16, 720, 1280, 1), dtype=np.int16)
    with VideoWriter(path, frame_rate=rate) as writer:
        for number in range(round(seconds * rate)):
            time_s = number / rate
            image = Image.new("RGB", (1280, 720), (90, 100, 110))
            if steady or time_s < 0.75 * seconds:
                image.paste(first, (int(60 + 40 * np.sin(time_s)), 100 + int(10 * np.sin(3 * time_s))))
            left = max(0 if steady else 1280 - 120 * time_s, 700 + 30 * np.sin(time_s))
            image.paste(second, (int(left), 120))
            noisy = np.asarray(image).astype(np.int16) + noise[number % 16]
            writer.write(np.clip(noisy, 0, 255).astype(np.uint8), time_s)


if __name__ == "__main__":
    main()
