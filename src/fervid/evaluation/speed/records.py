"""What a benchmark found, and how it becomes JSON (``fervid-benchmark/1``)."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any, Final

from fervid.evaluation.speed.machine import Machine
from fervid.evaluation.speed.timing import Timing

SCHEMA: Final = "fervid-benchmark/1"
"""Name and version of the JSON that :meth:`Benchmark.to_dict` gives."""


FULL_CORE: Final = 0.9
"""Share of a core that one thread gets where nothing else runs, measuring included."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The fastest float32 matrix product found on so many threads.

    Attributes:
        threads: BLAS was told to use.
        gflops: 10⁹ multiplications and additions per second, of the single fastest product.
        side: of the square matrices.
        products: how many were timed, over all sides.
        cores_busy: processor time over wall time of the products of that side.
    """

    threads: int
    gflops: float
    side: int
    products: int
    cores_busy: float

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it."""
        return {
            "threads": self.threads,
            "gflops": round(self.gflops, 2),
            "side": self.side,
            "products": self.products,
            "cores_busy": round(self.cores_busy, 3),
        }


@dataclass(frozen=True, slots=True)
class NetworkRun:
    """The network alone, on a batch of ready inputs."""

    batch: int
    threads: int
    timing: Timing

    @property
    def faces_per_s(self) -> float:
        """Batch over median wall time."""
        return self.batch * 1000 / self.timing.p50_ms

    def gflops(self, flops: int) -> float:
        """10⁹ operations per second reached, for a network that needs ``flops`` per face."""
        return self.faces_per_s * flops / 1e9


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """One expression network on this machine.

    Attributes:
        name: the model's.
        identity: ``name@sha256[:12]``.
        file_bytes: size of the ONNX file.
        parameters: weights, from the file's layer table; None without one.
        flops: multiplications and additions per face (2 per multiply-add), from the same table.
        runs: of the network alone, by threads and batch.
        preprocessing: one face of a portrait, cut, resized and normalised, on one thread.
        peak_bytes: most memory of a fresh process after its first face, and after its largest batch, on one thread;
            0 where the system does not tell.
    """

    name: str
    identity: str
    file_bytes: int
    parameters: int | None
    flops: int | None
    runs: tuple[NetworkRun, ...]
    preprocessing: Timing
    peak_bytes: tuple[int, int]

    @property
    def one_face(self) -> NetworkRun:
        """One face on one thread."""
        return next(run for run in self.runs if run.batch == 1 and run.threads == 1)


@dataclass(frozen=True, slots=True)
class DetectorSpeed:
    """A detector on a portrait of 512×600 px.

    Attributes:
        name: the detector's.
        threads: it may use.
        faces: how many it found, of one.
        timing: of one search; None when the detector cannot be used here.
        reason: why it cannot be used; empty when it can.
    """

    name: str
    threads: int
    faces: int = 0
    timing: Timing | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A detector on a picture of a camera's size, on one thread, timed in turn with the others.

    Attributes:
        name: the detector's.
        width: of the picture, px.
        height: of the picture, px.
        faces: how many it found, of one.
        timing: of one search.
        ratio: how many times as long as the first detector, the median over the rounds.
    """

    name: str
    width: int
    height: int
    faces: int
    timing: Timing
    ratio: float

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it."""
        head = {"name": self.name, "width": self.width, "height": self.height, "faces": self.faces}
        return head | self.timing.to_dict() | {"ratio": round(self.ratio, 4)}


@dataclass(frozen=True, slots=True)
class ColdStep:
    """What somebody waits for who starts a process for it.

    Attributes:
        what: it does.
        model: with which network; empty without one.
        median_ms: wall time from start to end of the process.
        processes: how many were started.
    """

    what: str
    model: str
    median_ms: float
    processes: int


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Fresh processes.

    Attributes:
        steps: the interpreter alone comes first.
        environment_bytes: what the virtual environment takes on disk; None outside of one.
    """

    steps: tuple[ColdStep, ...]
    environment_bytes: int | None


@dataclass(frozen=True, slots=True)
class Contender:
    """A network of fervid or a peer, from one face that is cut out to an expression, on one thread.

    Attributes:
        name: of the model or the package.
        version: of the package, or the model's identity.
        call: what was timed.
        reason: why there are no figures; empty when there are.
        answer: the expression it names.
        load_ms: importing and loading in a fresh process.
        first_ms: the first face.
        timing: of the faces after it.
        ratio: how many times as long as the reference, the median over the rounds in which both were timed.
        peak_bytes: most memory of its process.
    """

    name: str
    version: str
    call: str
    reason: str = ""
    answer: str = ""
    load_ms: float = 0.0
    first_ms: float = 0.0
    timing: Timing | None = None
    ratio: float = 0.0
    peak_bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it; without figures where there are none."""
        head = {"name": self.name, "version": self.version, "call": self.call}
        if self.timing is None:
            return head | {"reason": self.reason}
        return head | {
            "answer": self.answer,
            "load_ms": round(self.load_ms, 2),
            "first_ms": round(self.first_ms, 3),
            **self.timing.to_dict(),
            "ratio": round(self.ratio, 4),
            "peak_bytes": self.peak_bytes,
        }


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Everything measured in one run.

    Attributes:
        measured_at: local time it began, ISO 8601 to the minute.
        machine: it ran on.
        seconds: time given to each figure.
        rounds: into which that time was divided, so that everything compared is timed in turn.
        peaks: of matrix products, by threads.
        models: expression networks.
        detectors: by name and threads.
        cold_start: fresh processes.
        contenders: fervid's networks and peers side by side; the first is the reference.
        searches: detectors side by side, by size of the picture; the first of each is the reference.
    """

    measured_at: str
    machine: Machine
    seconds: float
    rounds: int
    peaks: tuple[Peak, ...]
    models: tuple[ModelSpeed, ...]
    detectors: tuple[DetectorSpeed, ...]
    cold_start: ColdStart
    contenders: tuple[Contender, ...]
    searches: tuple[Search, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the figures mislead; empty on a machine that had nothing else to do."""
        busy = [run.timing.cores_busy for model in self.models for run in model.runs if run.threads == 1]
        got = statistics.median(busy)
        starved = f"The networks had {got * 100:.0f} % of the core they were timed on; something else ran beside them."
        return tuple(text for text in (self.machine.warning, starved if got < FULL_CORE else "") if text)

    def share_of_peak(self, run: NetworkRun, flops: int) -> float:
        """What part of the peak on as many threads the network reaches, 0–1 (int8 arithmetic may exceed 1)."""
        return run.gflops(flops) / next(peak.gflops for peak in self.peaks if peak.threads == run.threads)

    def to_dict(self) -> dict[str, Any]:
        """``{"schema": "fervid-benchmark/1", …}``: ms, bytes, shares as 0–1."""
        return {
            "schema": SCHEMA,
            "measured_at": self.measured_at,
            "machine": self.machine.to_dict(),
            "warnings": list(self.warnings),
            "seconds": self.seconds,
            "rounds": self.rounds,
            "matmul_float32": [peak.to_dict() for peak in self.peaks],
            "models": [self._describe_model(model) for model in self.models],
            "detectors": [_describe_detector(detector) for detector in self.detectors],
            "searches": [search.to_dict() for search in self.searches],
            "cold_start": {
                "steps": [
                    {
                        "what": step.what,
                        "model": step.model or None,
                        "median_ms": round(step.median_ms, 2),
                        "processes": step.processes,
                    }
                    for step in self.cold_start.steps
                ],
                "environment_bytes": self.cold_start.environment_bytes,
            },
            "side_by_side": [contender.to_dict() for contender in self.contenders],
        }

    def _describe_model(self, model: ModelSpeed) -> dict[str, Any]:
        rows = []
        for run in model.runs:
            row = {"batch": run.batch, "threads": run.threads, "faces_per_s": round(run.faces_per_s, 2)}
            row |= run.timing.to_dict()
            if model.flops is not None:
                row["gflops"] = round(run.gflops(model.flops), 2)
                row["share_of_peak"] = round(self.share_of_peak(run, model.flops), 4)
            rows.append(row)
        return {
            "name": model.name,
            "model": model.identity,
            "file_bytes": model.file_bytes,
            "parameters": model.parameters,
            "multiply_adds": None if model.flops is None else model.flops // 2,
            "network": rows,
            "preprocessing": model.preprocessing.to_dict(),
            "peak_bytes": {"first_face": model.peak_bytes[0], "largest_batch": model.peak_bytes[1]},
        }


def _describe_detector(detector: DetectorSpeed) -> dict[str, Any]:
    head: dict[str, Any] = {"name": detector.name}
    if detector.timing is None:
        return head | {"reason": detector.reason}
    return head | {"threads": detector.threads, "faces": detector.faces, **detector.timing.to_dict()}
