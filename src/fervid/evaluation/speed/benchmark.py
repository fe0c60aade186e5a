"""How fast fervid is on this machine: the measuring itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from fervid.detection.selection import DETECTORS, create_detector
from fervid.emotions import EMOTIONS
from fervid.errors import ModelError
from fervid.evaluation.speed.coldstart import measure_cold_start, plan_commands
from fervid.evaluation.speed.machine import Machine, describe_machine
from fervid.evaluation.speed.peers import PEERS, Peer
from fervid.evaluation.speed.processes import Worker
from fervid.evaluation.speed.records import Benchmark, Contender, DetectorSpeed, ModelSpeed, NetworkRun, Peak
from fervid.evaluation.speed.rounds import Effort, time_rounds
from fervid.evaluation.speed.searches import compare_searches
from fervid.evaluation.speed.subjects import Kind
from fervid.evaluation.speed.timing import Burst, Timing, compare_bursts
from fervid.extras import find_version
from fervid.imaging import load_image
from fervid.models.runtime import create_session, read_metadata
from fervid.models.spec import ModelSpec, layers_from_metadata
from fervid.models.store import list_bundled, load_model
from fervid.portrait import find_portrait

SIDES: Final = (256, 512, 1024, 2048, 4096)
"""Sides of the matrices whose product is timed: the best is the peak. Large ones are left out where they take long."""

PRODUCTS: Final = 3
"""Products per side, if they take longer than their share of the time."""

ANSWER_CALL: Final = "Classifier.predict([face])"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model file says of itself; :attr:`labels` is how many expressions it tells apart."""

    argument: str
    name: str
    identity: str
    file_bytes: int
    parameters: int | None
    flops: int | None
    labels: int = len(EMOTIONS)


def list_expression_models() -> tuple[str, ...]:
    """Names of the expression networks in the package."""
    return tuple(published.name for published in list_bundled() if published.kind == "expression")


def run_benchmark(
    models: Sequence[str] = (),
    effort: Effort | None = None,
    *,
    machine: Machine | None = None,
    peers: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Benchmark:
    """Measure networks, preprocessing, detectors, cold start and memory on this machine.

    Args:
        models: names or paths of expression networks; all of the package if none.
        effort: how long; the default is worth quoting.
        machine: this one, as :func:`.machine.describe_machine` saw it before; looked at if None.
        peers: also time the other packages of :data:`.peers.PEERS` that are installed.
        on_progress: called with (steps done, steps in all).

    Raises:
        ModelError: a model is unknown, damaged or no expression network, or could not be run.
    """
    effort = effort or Effort()
    measured_at = datetime.now().astimezone().isoformat(timespec="minutes")
    machine = machine or describe_machine()
    facts = read_facts(models or list_expression_models())
    threads = tuple(sorted({1, machine.cores}))
    photo, detector = find_portrait(), create_detector("auto").name
    found = [name for name in DETECTORS if name != "auto"]
    commands = len(plan_commands(facts, photo, detector)) * (effort.processes + effort.warm_up)
    advance = _count_steps(
        len(threads) * (1 + len(effort.batches)) + len(facts) + len(found) + 2 + commands, on_progress
    )

    with _save_pixels(photo) as portrait:
        peaks = []
        for count in threads:
            peaks.append(measure_peak(count, effort, portrait))
            advance()
        speeds = measure_models(facts, threads, effort, portrait, advance)
        detectors: list[DetectorSpeed] = []
        for name in found:
            detectors += measure_detector(name, threads, effort, portrait)
            advance()
        searches = compare_searches(found, effort, portrait)
        advance()
        contenders = compare(facts, PEERS if peers else (), effort, portrait)
        advance()
    cold_start = measure_cold_start(
        facts, photo, detector, effort.processes, warm_up=effort.warm_up, on_process=advance
    )
    return Benchmark(
        measured_at=measured_at,
        machine=machine,
        seconds=effort.seconds,
        rounds=effort.rounds,
        peaks=tuple(peaks),
        models=tuple(speeds),
        detectors=tuple(detectors),
        cold_start=cold_start,
        contenders=contenders,
        searches=searches,
    )


def read_facts(models: Sequence[str]) -> list[ModelFacts]:
    """What the files say of themselves; two of one name are told apart by their digest.

    Raises:
        ModelError: a model is unknown, damaged or no expression network.
    """
    facts = []
    for model in dict.fromkeys(models):
        file = load_model(model)
        metadata = read_metadata(create_session(file, threads=1))
        spec = ModelSpec.from_metadata(metadata, file.name)
        layers = layers_from_metadata(metadata)
        facts.append(
            ModelFacts(
                argument=model,
                name=file.name,
                identity=file.identity,
                file_bytes=len(file.data),
                parameters=sum(layer.parameters for layer in layers) if layers else None,
                flops=sum(layer.flops for layer in layers) if layers else None,
                labels=len(spec.labels),
            )
        )
    names = [fact.name for fact in facts]
    return [replace(fact, name=fact.identity) if names.count(fact.name) > 1 else fact for fact in facts]


def measure_peak(threads: int, effort: Effort, portrait: Path) -> Peak:
    """The fastest product of float32 matrices that NumPy's BLAS manages on so many threads."""
    share = effort.seconds / len(SIDES)
    best: tuple[float, int, Burst] | None = None
    products, fastest_s = 0, 0.0
    with Worker("product", "float32", threads, portrait, batch=SIDES[0]) as worker:
        for side in SIDES:
            if fastest_s * (side / SIDES[0]) ** 3 > max(share, 0.05):
                break
            burst = worker.time(side, share, PRODUCTS)
            fastest_s = fastest_s or min(burst.seconds)
            products += len(burst.seconds)
            gflops = 2 * side**3 / min(burst.seconds) / 1e9
            if best is None or gflops > best[0]:
                best = gflops, side, burst
    assert best is not None
    return Peak(threads, best[0], best[1], products, Timing.of_bursts([best[2]]).cores_busy)


def measure_models(
    facts: Sequence[ModelFacts],
    threads: Sequence[int],
    effort: Effort,
    portrait: Path,
    advance: Callable[[], None] = lambda: None,
) -> list[ModelSpeed]:
    """Every network by threads and batch, its preprocessing, and the memory that a process with it takes."""
    runs: dict[str, list[NetworkRun]] = {fact.argument: [] for fact in facts}
    peak_bytes: dict[str, tuple[int, int]] = {}
    for count in threads:
        with ExitStack() as stack:
            workers = _start(stack, "network", runs, count, portrait)
            for batch in effort.batches:
                bursts = time_rounds(workers, batch, effort)
                for argument, row in bursts.items():
                    runs[argument].append(NetworkRun(batch, count, Timing.of_bursts(row)))
                advance()
            if count == 1:
                peak_bytes = {key: (worker.first_peak_bytes, worker.peak_bytes) for key, worker in workers.items()}
    speeds = []
    for fact in facts:
        with Worker("preprocessing", fact.argument, 1, portrait) as worker:
            burst = worker.time(1, effort.seconds, effort.least)
        advance()
        speeds.append(
            ModelSpeed(
                name=fact.name,
                identity=fact.identity,
                file_bytes=fact.file_bytes,
                parameters=fact.parameters,
                flops=fact.flops,
                runs=tuple(runs[fact.argument]),
                preprocessing=Timing.of_bursts([burst]),
                peak_bytes=peak_bytes[fact.argument],
            )
        )
    return speeds


def measure_detector(name: str, threads: Sequence[int], effort: Effort, portrait: Path) -> list[DetectorSpeed]:
    """A detector on the portrait, by threads; one row that says why where it cannot be used."""
    rows = []
    for count in threads:
        try:
            with Worker("detector", name, count, portrait) as worker:
                timing = Timing.of_bursts([worker.time(1, effort.seconds, effort.least)])
                rows.append(DetectorSpeed(name, count, faces=int(worker.answer or 0), timing=timing))
        except ModelError as error:
            return [DetectorSpeed(name, count, reason=error.message)]
    return rows


def compare(
    facts: Sequence[ModelFacts], peers: Sequence[Peer], effort: Effort, portrait: Path
) -> tuple[Contender, ...]:
    """Time fervid's networks and peers in turn on one face, one thread; the first network is the reference.

    A peer that is not installed, cannot be loaded or fails is reported, and stops nothing.
    """
    heads = {fact.argument: Contender(fact.name, fact.identity, ANSWER_CALL) for fact in facts}
    reasons: dict[str, str] = {}
    with ExitStack() as stack:
        workers = _start(stack, "answer", heads, 1, portrait)
        for peer in peers:
            key = f"peer {peer.name}"
            heads[key] = Contender(peer.name, find_version(peer.distribution) or "", peer.call)
            if not peer.installed:
                reasons[key] = "not installed: skipped"
                continue
            try:
                workers[key] = stack.enter_context(Worker("peer", peer.name, 1, portrait))
            except ModelError as error:
                reasons[key] = f"failed: {error}"
        failures: dict[str, str] = {}
        bursts = time_rounds(workers, 1, effort, failures)
    reasons |= {key: f"failed: {reason}" for key, reason in failures.items()}
    reference = facts[0].argument
    if reference in reasons:
        raise ModelError(f"{facts[0].name} {reasons[reference]}")
    contenders = []
    for key, head in heads.items():
        if key in reasons:
            contenders.append(replace(head, reason=reasons[key]))
            continue
        worker = workers[key]
        contenders.append(
            replace(
                head,
                answer=str(worker.answer),
                load_ms=worker.load_ms,
                first_ms=worker.first_ms,
                timing=Timing.of_bursts(bursts[key]),
                ratio=compare_bursts(bursts[key], bursts[reference]),
                peak_bytes=worker.peak_bytes,
            )
        )
    return tuple(contenders)


def _start(stack: ExitStack, kind: Kind, models: Iterable[str], threads: int, portrait: Path) -> dict[str, Worker]:
    return {model: stack.enter_context(Worker(kind, model, threads, portrait)) for model in models}


def _count_steps(total: int, on_progress: Callable[[int, int], None] | None) -> Callable[[], None]:
    """What to call after each of so many steps."""
    numbers = iter(range(1, total + 1))

    def advance() -> None:
        if on_progress is not None:
            on_progress(next(numbers), total)

    return advance


@contextmanager
def _save_pixels(photo: Path) -> Iterator[Path]:
    """The photo as a temporary ``.npy`` file."""
    with tempfile.TemporaryDirectory(prefix="fervid-benchmark-") as folder:
        path = Path(folder, "portrait.npy")
        np.save(path, load_image(photo))
        yield path
