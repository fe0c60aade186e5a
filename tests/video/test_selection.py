import math
import random
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.errors import UsageError
from fervid.video.clock import Clock, FrameCounter
from fervid.video.gate import PacketGate
from fervid.video.problems import ProblemLog
from fervid.video.selection import FrameChooser, PacketForecast, Selection

TOLERANCE = 1e-6


def choose(selection: Selection, times: list[float], tolerance: float = TOLERANCE) -> list[float]:
    chooser = FrameChooser(selection, tolerance)
    return [time for time in times if chooser.choose(time)]


def test_one_frame_per_interval() -> None:
    times = [index / 24 for index in range(48)]
    assert [round(time * 24) for time in choose(Selection(every_s=0.1), times)] == [
        0, 3, 5, 8, 10, 12, 15, 17, 20, 22, 24, 27, 29, 32, 34, 36, 39, 41, 44, 46,
    ]  # fmt: skip
    assert choose(Selection(), times) == times
    assert choose(Selection(every_s=0.001), times) == times


def test_no_drift_over_an_hour() -> None:
    times = [float(Fraction(index, 30)) for index in range(30 * 3600)]
    chosen = choose(Selection(every_s=0.1), times)
    assert [round(time * 30) for time in chosen] == list(range(0, 30 * 3600, 3))


def test_coarse_clocks_lose_nothing() -> None:
    """Matroska rounds to milliseconds: 0.033 is the frame of 1/30."""
    times = [round(index / 30, 3) for index in range(300)]
    assert choose(Selection(every_s=1 / 30), times, 0.0005 + 1e-9) == times
    assert choose(Selection(start_s=1 / 30, end_s=7 / 30), times, 0.0005 + 1e-9) == times[1:7]


def test_a_gap_costs_only_its_own_frames() -> None:
    assert choose(Selection(every_s=1.0), [0.0, 0.5, 5.2, 5.4, 6.1]) == [0.0, 5.2, 6.1]


@settings(deadline=None)  # a busy machine is no failure
@given(
    every=st.floats(0.01, 3),
    start=st.floats(0, 3),
    steps=st.lists(st.floats(0.001, 0.8), min_size=1, max_size=60),
    seed=st.integers(0, 1000),
)
def test_no_packet_is_ruled_out_whose_frame_would_be_chosen(
    every: float, start: float, steps: list[float], seed: int
) -> None:
    times = [sum(steps[:count]) for count in range(len(steps))]
    selection = Selection(start, start + 5, every)
    chosen = choose(selection, times)
    order = [
        time
        for _, time in sorted((index + random.Random(seed + index).uniform(0, 4), t) for index, t in enumerate(times))
    ]
    forecast = PacketForecast(selection, TOLERANCE)
    possible = [time for time in order if forecast.may_want(time)]
    assert set(chosen) <= set(possible)


def test_the_forecast_rules_out_most() -> None:
    times = [index / 30 for index in range(3000)]
    forecast = PacketForecast(Selection(every_s=1.0), TOLERANCE)
    assert sum(forecast.may_want(time) for time in times) == 100


@pytest.mark.parametrize("values", [(-1, None, None), (0, 0, None), (2, 1, None), (0, None, 0), (0, math.nan, None)])
def test_selections_that_make_no_sense(values: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError):
        Selection(*values)


# Packets


def packet(name: str, pts: int | None) -> Any:
    return SimpleNamespace(name=name, pts=pts, is_keyframe=name.startswith("I"))


def pass_gate(gate: PacketGate, stream: list[tuple[str, int]], wanted: set[str]) -> list[str]:
    """Names of what is decoded, unwanted ones in lower case, with a bar where the decoder starts afresh."""
    said: list[str] = []
    orders = [order for name, pts in stream for order in gate.add(packet(name, pts), wanted=name in wanted)]
    for order in [*orders, *gate.finish()]:
        name = order.packet.name  # type: ignore[attr-defined]
        said.append(("|" if order.reset else "") + (name if order.wanted else name.lower()))
    return said


CLOSED = [("I0", 0), ("P1", 1), ("P2", 2), ("I3", 3), ("P4", 4), ("P5", 5), ("I6", 6), ("P7", 7)]
OPEN = [("I0", 0), ("P3", 3), ("B1", 1), ("B2", 2), ("I6", 6), ("B4", 4), ("B5", 5), ("P9", 9), ("B7", 7), ("B8", 8)]


@pytest.mark.parametrize(
    ("stream", "wanted", "decoded"),
    [
        (CLOSED, "I0 P1 P2 I3 P4 P5 I6 P7", "I0 P1 P2 I3 P4 P5 I6 P7"),
        (CLOSED, "I0 I6", "I0 |I6"),
        (CLOSED, "P4", "|i3 P4"),
        (CLOSED, "P2", "i0 p1 P2"),
        (CLOSED, "P1 P7", "i0 P1 |i6 P7"),
        (CLOSED, "", ""),
        (OPEN, "I0 I6", "I0 |I6"),
        (OPEN, "I0 B4", "I0 p3 b1 b2 i6 B4 b5"),  # B4 needs what lies before I6
        (OPEN, "B7", "|i6 p9 B7"),
        (OPEN, "P3 P9", "i0 P3 |i6 P9"),
    ],
)
def test_only_what_leads_to_a_wanted_frame_is_decoded(stream: list[tuple[str, int]], wanted: str, decoded: str) -> None:
    assert pass_gate(PacketGate("h264", intra_only=False), stream, set(wanted.split())) == decoded.split()


def test_frames_that_stand_alone_need_no_others() -> None:
    assert pass_gate(PacketGate("mjpeg", intra_only=True), CLOSED, {"P2", "I6"}) == ["P2", "I6"]


def test_codecs_whose_key_frames_are_not_to_be_trusted_are_decoded_whole() -> None:
    assert len(pass_gate(PacketGate("apng", intra_only=False), CLOSED, {"P7"})) == len(CLOSED)


def test_little_is_held_back() -> None:
    gate = PacketGate("h264", intra_only=False)
    held = 0
    for number in range(5000):
        held += 1 - len(gate.add(packet("I" if number == 0 else f"P{number}", number), wanted=False))
        assert held <= 601


# Numbers and times


def test_numbers_do_not_depend_on_what_is_decoded() -> None:
    counter = FrameCounter()
    for pts in (0, 30, 10, 20, 60, 40, 50):
        counter.add(pts)
    assert [counter.number(pts) for pts in (0, 20, 50)] == [0, 2, 5]
    assert counter.number(None) == 6
    assert counter.seen == 7


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=200, unique=True), st.randoms())
def test_numbers_are_ranks(stamps: list[int], source: random.Random) -> None:
    counter = FrameCounter(5)
    for pts in stamps:
        counter.add(pts)
    shown = sorted(source.sample(stamps, source.randint(1, len(stamps))))
    assert [counter.number(pts) for pts in shown] == [5 + sorted(stamps).index(pts) for pts in shown]


def test_counting_needs_little_memory() -> None:
    counter = FrameCounter()
    for pts in range(100_000):
        counter.add(pts)
        assert len(counter._pending) <= 4000
    assert counter.number(99_999) == 99_999


def test_numbers_never_repeat() -> None:
    counter = FrameCounter()
    for pts in (0, 0, 10, 10):
        counter.add(pts)
    assert [counter.number(pts) for pts in (0, 0, 10, 10)] == [0, 1, 2, 3]


def test_a_clock_counts_from_the_start_of_the_film() -> None:
    clock = Clock(Fraction(1, 90_000), Fraction(7, 5), Fraction(30), is_constant=False)
    assert clock.time(126_000 + 3003) == pytest.approx(3003 / 90_000, abs=1e-15)
    assert clock.timestamp(clock.time(126_000)) == 126_000
    assert clock.tolerance_s < 1e-5


# Problems


def test_problems_are_gathered_by_kind() -> None:
    log = ProblemLog()
    for number in range(1000):
        log.add("damaged", 1.5 + number)
    log.add("incomplete", 3.0, "it ends early")
    damaged, incomplete = log.list()
    assert (damaged.kind, damaged.count, damaged.time_s) == ("damaged", 1000, 1.5)
    assert damaged.message.startswith("1000 damaged packets, the first at 1.50 s")
    assert incomplete.message == "the film is incomplete: it ends early"
    one = ProblemLog()
    one.add("gap", detail="2.0 s")
    assert one.list()[0].message == "1 stretch without frames, 2.0 s in all, the first at an unknown time"
