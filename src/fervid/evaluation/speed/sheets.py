"""A benchmark as tables of words, the same for the terminal and for a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fervid.evaluation.speed.records import Benchmark, ModelSpeed, Search
from fervid.evaluation.speed.timing import Timing
from fervid.wording import count_nouns

ONE_CORE: Final = 1.2
"""Cores that one thread may seem to keep busy: helpers that load and collect run beside it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table.

    Attributes:
        title: what it is about.
        headings: of the columns.
        rows: as many words each.
        left: how many columns, from the first, are words rather than numbers.
        note: how to read it.
        grouped: whether rows with the same first word belong together.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int
    note: str
    grouped: bool = False


def tabulate(benchmark: Benchmark) -> list[Sheet]:
    """All tables, in the order of what a user waits for."""
    return [
        _tabulate_models(benchmark),
        _tabulate_networks(benchmark),
        _tabulate_steps(benchmark),
        *([tabulate_searches(benchmark.searches, benchmark.rounds)] if benchmark.searches else []),
        _tabulate_contenders(benchmark),
        _tabulate_cold_start(benchmark),
        _tabulate_peaks(benchmark),
    ]


def format_page(benchmark: Benchmark, command: str) -> str:
    """A dated page of Markdown.

    Args:
        benchmark: what was measured.
        command: that measured it.
    """
    machine = benchmark.machine
    models = ", ".join(f"`{model.identity}`" for model in benchmark.models)
    parts = [
        f"# {benchmark.measured_at[:10]}",
        f"`{command}` at {benchmark.measured_at[11:16]}, load average {machine.load:.2f} before it.",
        f"{machine.describe()}; {models}.",
    ]
    parts += (f"**{warning}**" for warning in benchmark.warnings)
    for sheet in tabulate(benchmark):
        parts += [f"## {sheet.title}", _format_markdown(sheet), sheet.note]
    return "\n\n".join(part for part in parts if part) + "\n"


def format_ms(value: float) -> str:
    """Milliseconds with three significant digits: ``0.512``, ``3.84``, ``41.5``, ``1,204``."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def format_size(size: int) -> str:
    """``5.41 MB``, ``118 MB``; nothing for an unknown size."""
    if not size:
        return ""
    return f"{size / 1e6:.2f} MB" if size < 10e6 else f"{size / 1e6:,.0f} MB"


def _tabulate_models(benchmark: Benchmark) -> Sheet:
    rows = []
    for model in benchmark.models:
        timing = model.one_face.timing
        rows.append(
            (
                model.name,
                format_size(model.file_bytes),
                "" if model.parameters is None else f"{model.parameters / 1e6:.2f} M",
                "" if model.flops is None else f"{model.flops / 2e6:,.1f} M",
                format_ms(timing.p50_ms),
                format_ms(timing.p95_ms),
                f"{timing.runs:,}",
                format_size(model.peak_bytes[0]),
            )
        )
    return Sheet(
        "One face, one thread",
        ("model", "file", "weights", "mult-adds", "p50 ms", "p95 ms", "runs", "memory"),
        tuple(rows),
        1,
        "The network alone, on an input that is ready. Memory: the most that a fresh process has had resident after "
        f"its first face{_describe_batch_memory(benchmark.models)}.",
    )


def _describe_batch_memory(models: Iterable[ModelSpeed]) -> str:
    rows = [(model.name, model.runs[-1].batch, model.peak_bytes[1]) for model in models if model.peak_bytes[1]]
    if not rows:
        return ""
    return f"; after batches of {rows[0][1]}: " + ", ".join(f"{name} {format_size(size)}" for name, _, size in rows)


def _tabulate_networks(benchmark: Benchmark) -> Sheet:
    rows = []
    for model in benchmark.models:
        for run in model.runs:
            reached = ("", "")
            if model.flops is not None:
                reached = f"{run.gflops(model.flops):,.1f}", f"{benchmark.share_of_peak(run, model.flops) * 100:.0f} %"
            rows.append(
                (
                    model.name,
                    f"{run.threads}",
                    f"{run.batch}",
                    f"{run.faces_per_s:,.0f}",
                    *_describe_timing(run.timing),
                    *reached,
                )
            )
    return Sheet(
        "Faces per second",
        ("model", "threads", "batch", "faces/s", *TIMING_HEADINGS, "GFLOP/s", "of peak"),
        tuple(rows),
        1,
        "Times are of one run of the batch; faces/s and GFLOP/s follow from the median. Of peak: GFLOP/s against the "
        "fastest float32 matrix product on as many threads, below.",
        grouped=True,
    )


TIMING_HEADINGS: Final = ("p50 ms", "p95 ms", "runs", "cores")


def _describe_timing(timing: Timing) -> tuple[str, ...]:
    return format_ms(timing.p50_ms), format_ms(timing.p95_ms), f"{timing.runs:,}", f"{timing.cores_busy:.2f}"


def _tabulate_steps(benchmark: Benchmark) -> Sheet:
    rows = [
        (f"preprocess a face for {model.name}", "1", *_describe_timing(model.preprocessing))
        for model in benchmark.models
    ]
    notes = []
    for detector in benchmark.detectors:
        if detector.timing is None:
            notes.append(f"{detector.name} was left out: {detector.reason.rstrip('.')}.")
            continue
        found = count_nouns(detector.faces, "face")
        rows.append(
            (f"search with {detector.name}: {found}", f"{detector.threads}", *_describe_timing(detector.timing))
        )
    notes.insert(0, "On a portrait of 512×600 px with one face.")
    return Sheet("Before the network", ("step", "threads", *TIMING_HEADINGS), tuple(rows), 1, " ".join(notes))


def tabulate_searches(searches: Sequence[Search], rounds: int) -> Sheet:
    """Detectors by size of the picture, against the first."""
    rows = tuple(
        (
            f"{search.width}×{search.height}",
            f"{search.name}: {count_nouns(search.faces, 'face')}",
            *_describe_timing(search.timing),
            f"{search.ratio:.2f}",
        )
        for search in searches
    )
    first = searches[0].name
    return Sheet(
        "Detectors side by side",
        ("picture", "detector", *TIMING_HEADINGS, f"× {first}"),
        rows,
        2,
        "A camera's picture with one face to boxes and points, one thread, each detector in a process of its own, in "
        f"turn in {count_nouns(rounds, 'round')}. × {first}: median over the rounds of the ratio of medians.",
        grouped=True,
    )


def _tabulate_contenders(benchmark: Benchmark) -> Sheet:
    reference = benchmark.contenders[0].name
    rows, answers, notes = [], [], []
    for contender in benchmark.contenders:
        name = contender.name if "@" in contender.version else f"{contender.name} {contender.version}".strip()
        timing = contender.timing
        if timing is None:
            notes.append(f"{name}: {contender.reason.rstrip('.')}.")
            continue
        answers.append(f"{contender.name} {contender.answer}")
        if timing.cores_busy > ONE_CORE:
            notes.append(f"{name} kept {timing.cores_busy:.1f} cores busy, though it was told to use one thread.")
        rows.append(
            (
                name,
                format_ms(contender.load_ms),
                format_ms(contender.first_ms),
                format_ms(timing.p50_ms),
                format_ms(timing.p95_ms),
                f"{timing.runs:,}",
                f"{contender.ratio:.2f}",
                format_size(contender.peak_bytes),
            )
        )
    note = (
        "A cut-out face of 234×234 px to an expression, one thread, each in a process of its own, in turn in "
        f"{count_nouns(benchmark.rounds, 'round')}. × {reference}: median over the rounds of the ratio of medians. "
        f"Load: importing and loading. They say: {', '.join(answers)}."
    )
    return Sheet(
        "Side by side",
        ("", "load ms", "first ms", "p50 ms", "p95 ms", "runs", f"× {reference}", "memory"),
        tuple(rows),
        1,
        " ".join([note, *notes]),
    )


def _tabulate_cold_start(benchmark: Benchmark) -> Sheet:
    steps = benchmark.cold_start.steps
    bare = steps[0].median_ms
    rows = tuple(
        (
            step.what + (f": {step.model}" if step.model and len(benchmark.models) > 1 else ""),
            format_ms(step.median_ms),
            "" if step is steps[0] else format_ms(step.median_ms - bare),
            f"{step.processes}",
        )
        for step in steps
    )
    size = benchmark.cold_start.environment_bytes
    note = "Wall time of fresh processes, from start to end, median."
    if size is not None:
        note += f" The virtual environment takes {format_size(size)} on disk."
    return Sheet("Cold start", ("what", "ms in all", "ms beyond", "processes"), rows, 1, note)


def _tabulate_peaks(benchmark: Benchmark) -> Sheet:
    rows = tuple(
        (f"{peak.threads}", f"{peak.gflops:,.1f}", f"{peak.side}", f"{peak.products:,}", f"{peak.cores_busy:.2f}")
        for peak in benchmark.peaks
    )
    return Sheet(
        "This machine's float32 matrix products",
        ("threads", "GFLOP/s", "side", "products", "cores"),
        rows,
        0,
        "The fastest single product that NumPy's BLAS managed, over several sizes; two operations per multiply-add. "
        "Cores, here and above: processor time over wall time, which shows that a limit on threads was kept.",
    )


def _format_markdown(sheet: Sheet) -> str:
    rule = ["---" if i < sheet.left else "---:" for i in range(len(sheet.headings))]
    lines = [sheet.headings, rule, *sheet.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
