"""How fast a film is read, end to end, against a straightforward loop over its frames.

    python benchmarks/films.py film.mp4 --detector yunet --rounds 3
    python benchmarks/films.py --make film.mp4 --seconds 20      # a 720p film of two portraits that come and go
    python benchmarks/films.py long.mp4 --growth                 # time per frame in the first and the last minute

The loop uses the same reader, detector and network: it looks for faces on every frame and gives the network one face at
a time. Both run in turns, and the ratio of a round is what counts on a machine that does other things too; CPU time is
that of the whole process.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fervid.detection.alignment import align
from fervid.imaging import load_image
from fervid.pipeline import Analyzer
from fervid.streaming.film import FilmStream
from fervid.video.reading import VideoReader
from fervid.video.writing import VideoWriter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", nargs="?")
    parser.add_argument("--make", metavar="FILM", help="make a film instead")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--model", default="base")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--min-face", type=float, default=32.0, help="of fervid video, if not given")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--end", type=float, help="read so many seconds only")
    parser.add_argument("--growth", action="store_true", help="measure the first and the last minute of one reading")
    arguments = parser.parse_args()
    if arguments.make:
        make_film(Path(arguments.make), arguments.seconds)
        return
    if arguments.film is None:
        parser.error("a film is needed")
    analyzer = Analyzer(arguments.model, arguments.detector, threads=arguments.threads, min_face=arguments.min_face)
    film = analyzer.video(arguments.film, end_s=arguments.end)
    print(f"{arguments.film}: {film.info.size[0]}×{film.info.size[1]}, {analyzer.classifier.identity}", end=", ")
    print(f"{analyzer.detector.name}, min_face {arguments.min_face:g}")
    if arguments.growth:
        measure_growth(film)
        return
    ratios, cpu_ratios = [], []
    for number in range(arguments.rounds):
        streamed = measure(lambda: sum(len(frame.faces) for frame in film), film)
        looped = measure(lambda: read_in_a_loop(analyzer, arguments.film, arguments.end), film)
        ratios.append(looped[0] / streamed[0])
        cpu_ratios.append(looped[1] / streamed[1])
        for name, (wall_s, cpu_s, frames, faces) in (("fervid", streamed), ("loop", looped)):
            print(
                f"round {number + 1} {name:7} {frames / wall_s:7.1f} frames/s {1000 * cpu_s / frames:7.1f} ms CPU/frame"
                f" {faces / frames:5.2f} faces/frame"
            )
    print(f"times as fast: {statistics.median(ratios):.1f} (of {', '.join(f'{r:.1f}' for r in ratios)})", end="; ")
    print(f"CPU saved: {statistics.median(cpu_ratios):.1f} times less")


def measure(work: Callable[[], int], film: FilmStream) -> tuple[float, float, int, int]:
    """Wall and CPU seconds, frames and faces."""
    began, cpu_began = time.perf_counter(), time.process_time()
    faces = work()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    return wall_s, cpu_s, film.count_frames() or 1, faces


def read_in_a_loop(analyzer: Analyzer, path: str, end_s: float | None) -> int:
    """What one would write without thinking of films."""
    faces = 0
    for frame in VideoReader(path, end_s=end_s, threads=analyzer.threads):
        for detection in analyzer.detector.detect(frame.image, min_face=analyzer.min_face):
            square = align(detection, analyzer.detector.framing)
            analyzer.classifier.predict([frame.image], [square])
            faces += 1
    return faces


def measure_growth(film: FilmStream) -> None:
    """Time per frame in the first and the last minute."""
    marks = [(0.0, time.perf_counter())]
    for frame in film:
        if frame.time_s - marks[-1][0] >= 60:
            marks.append((frame.time_s, time.perf_counter()))
    minutes = [b[1] - a[1] for a, b in itertools.pairwise(marks)]
    for number, seconds in enumerate(minutes):
        print(f"minute {number + 1}: {seconds:.1f} s")
    if len(minutes) > 1:
        print(f"last to first: {minutes[-1] / minutes[0]:.2f}")


def make_film(path: Path, seconds: float, rate: int = 30) -> None:
    """Eileen Collins stands on the left and leaves after three quarters; Grace Hopper walks in from the right."""
    import matplotlib
    import skimage

    first = Image.fromarray(load_image(Path(skimage.__file__).parent / "data" / "astronaut.png")).resize((560, 560))
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    second = Image.fromarray(load_image(portrait)).resize((420, 500))
    grain = np.random.default_rng(0).integers(-3, 4, (8, 720, 1280, 1), dtype=np.int16)
    with VideoWriter(path, frame_rate=rate) as writer:
        for number in range(round(seconds * rate)):
            time_s = number / rate
            image = Image.new("RGB", (1280, 720), (90, 100, 110))
            if time_s < 0.75 * seconds:
                image.paste(first, (int(60 + 40 * np.sin(time_s)), 100 + int(10 * np.sin(3 * time_s))))
            left = max(1280 - 120 * time_s, 700 + 30 * np.sin(time_s))
            image.paste(second, (int(left), 120))
            noisy = np.asarray(image).astype(np.int16) + grain[number % 8]
            writer.write(np.clip(noisy, 0, 255).astype(np.uint8), time_s)


if __name__ == "__main__":
    main()
