"""Memory while a film is written, read, sampled and copied with its sound: it must not grow with the film's length.

    python benchmarks/video_memory.py [--minutes 60] [--size 96x64]

Each step runs in a process of its own and says how much memory it holds after one minute of film and at the end
(resident, Linux), and the most it ever held. The film is made on the spot, 25 frames a second, a tone for its sound.
What grows while writing is the MP4's index, which stands at the end of the file: some 80 bytes for each frame and each
packet of sound.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from fervid.video.reading import VideoReader
from fervid.video.writing import VideoWriter

RATE = 25
SOUND_RATE = 16_000
STEPS = ("write", "read", "sample", "copy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--size", default="96x64")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step is not None:
        run_step(arguments.step, arguments.folder, arguments.minutes, arguments.size)
        return
    print(f"{arguments.minutes} min of {arguments.size} at {RATE} frames/s, resident memory in MB")
    print(f"{'':8}{'after 1 min':>12}{'at the end':>12}{'peak':>8}{'growth':>8}{'frames/s':>10}")
    with tempfile.TemporaryDirectory() as folder:
        make_sound(Path(folder) / "sound.mp4", arguments.minutes)
        for step in STEPS:
            command = [sys.executable, __file__, "--step", step, "--folder", folder]
            command += ["--minutes", str(arguments.minutes), "--size", arguments.size]
            subprocess.run(command, check=True)


def make_sound(path: Path, minutes: int) -> None:
    """A film of one frame a minute with a tone as long as the whole: the sound of the others."""
    import av

    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=1)
        video.width, video.height, video.pix_fmt = 16, 16, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        wave = np.sin(2 * np.pi * 440 * np.arange(SOUND_RATE) / SOUND_RATE).astype(np.float32)[None] / 4
        for second in range(minutes * 60):
            frame = av.VideoFrame(16, 16, "yuv420p")
            frame.pts, frame.time_base = second, Fraction(1, 1)
            container.mux(video.encode(frame))
            sound = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = SOUND_RATE, second * SOUND_RATE, Fraction(1, SOUND_RATE)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def run_step(step: str, folder: Path, minutes: int, size: str) -> None:
    """Do one thing to the film, in this process, and print what it held."""
    began = time.perf_counter()
    early, now, count = 0.0, 0.0, 0
    for time_s in work(step, folder, minutes, size):
        count += 1
        if count % 250 == 0:
            now = measure_memory()
            early = early if early and time_s > 60 else now
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    now = now or measure_memory()
    rate = count / (time.perf_counter() - began)
    print(f"{step:8}{early:12.1f}{now:12.1f}{peak:8.1f}{now - early:+8.1f}{rate:10,.0f}", flush=True)


def work(step: str, folder: Path, minutes: int, size: str) -> Iterator[float]:
    """The step, one frame after another; gives the time of each."""
    film = folder / "film.mp4"
    if step == "write":
        width, height = map(int, size.split("x"))
        wall = np.random.default_rng(0).integers(0, 256, (height + 64, width + 64, 3), dtype=np.uint8)
        with VideoWriter(film, frame_rate=RATE, audio_from=folder / "sound.mp4", threads=1) as writer:
            for number in range(minutes * 60 * RATE):
                x, y = (int(32 + 31 * wave) for wave in (np.sin(number / 40), np.cos(number / 63)))
                writer.write(wall[y : y + height, x : x + width], number / RATE)
                yield number / RATE
    elif step == "copy":
        with (
            VideoReader(film, threads=1) as reader,
            VideoWriter(folder / "copy.mp4", frame_rate=RATE, audio_from=film, threads=1) as writer,
        ):
            for frame in reader:
                writer.write(frame.image, frame.time_s)
                yield frame.time_s
    else:
        with VideoReader(film, threads=1, every_s=0.2 if step == "sample" else None) as reader:
            for frame in reader:
                yield frame.time_s
        assert reader.problems == ()


def measure_memory() -> float:
    """Resident memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
