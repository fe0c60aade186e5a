"""The arithmetic of a benchmark, its machine, its tables and its pages. No test looks at how fast anything was."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from fervid.errors import UsageError
from fervid.evaluation.speed import machine as machine_module
from fervid.evaluation.speed.benchmark import Effort, time_rounds
from fervid.evaluation.speed.machine import Machine, describe_machine
from fervid.evaluation.speed.records import (
    Benchmark,
    ColdStart,
    ColdStep,
    Contender,
    DetectorSpeed,
    ModelSpeed,
    NetworkRun,
    Peak,
)
from fervid.evaluation.speed.sheets import format_ms, format_page, format_size, tabulate
from fervid.evaluation.speed.timing import Burst, Timing, compare_bursts


def make_timing(ms=4.0, runs=500, cores=1.0):
    return Timing(runs, ms, ms * 1.5, cores)


def make_benchmark(**changes):
    machine = Machine("Test One", 4, 8, ("AVX2",), 16_000_000_000, "Linux, x86_64", {"fervid": "1.0"}, 0.0)
    runs = tuple(
        NetworkRun(batch, threads, make_timing(ms))
        for batch, threads, ms in ((1, 1, 4.0), (32, 1, 100.0), (1, 4, 2.0), (32, 4, 32.0))
    )
    model = ModelSpeed(
        "base",
        "base@0123456789ab",
        5_430_000,
        2_700_000,
        267_000_000,
        runs,
        make_timing(0.3),
        (112 * 10**6, 150 * 10**6),
    )
    values = {
        "measured_at": "2026-11-21T10:30+00:00",
        "machine": machine,
        "seconds": 2.0,
        "rounds": 10,
        "peaks": (Peak(1, 100.0, 1024, 60, 1.0), Peak(4, 400.0, 2048, 40, 3.9)),
        "models": (model,),
        "detectors": (
            DetectorSpeed("haar", 1, 1, make_timing(41.0)),
            DetectorSpeed("yunet", 1, reason="not here. Get it."),
        ),
        "cold_start": ColdStart(
            (ColdStep("interpreter alone", "", 14.0, 7), ColdStep("first photo", "base", 514.0, 7)), None
        ),
        "contenders": (
            Contender("base", "base@0123456789ab", "call", "", "happy", 90.0, 5.0, make_timing(), 1.0, 10**8),
            Contender("fer", "25.10", "call", "", "happy", 900.0, 50.0, make_timing(8.0, cores=2.5), 2.0, 10**9),
            Contender("deepface", "", "call", "not installed: skipped"),
        ),
    }
    return Benchmark(**(values | changes))


class TestTiming:
    def test_quantiles_are_over_the_runs_of_all_bursts(self):
        timing = Timing.of_bursts([Burst((0.001, 0.002), 0.003), Burst((0.003, 0.004, 0.005), 0.027)])
        assert timing.runs == 5
        assert timing.p50_ms == pytest.approx(3.0)
        assert timing.p95_ms == pytest.approx(4.8)
        assert timing.cores_busy == pytest.approx(2.0)

    def test_ratio_survives_a_machine_that_slows_down_for_both(self):
        ours = [Burst((0.002,) * 3, 0.0), Burst((0.020,) * 3, 0.0), Burst((0.002,) * 3, 0.0)]
        theirs = [Burst((0.001,) * 3, 0.0), Burst((0.010,) * 3, 0.0), Burst((0.001,) * 3, 0.0)]
        assert compare_bursts(ours, theirs) == pytest.approx(2.0)

    def test_rounds_take_the_workers_in_turn(self):
        calls = []

        class Clock:
            def __init__(self, name):
                self.name = name

            def time(self, batch, seconds, least):
                calls.append((self.name, batch, seconds, least))
                return Burst((0.001,), 0.001)

        bursts = time_rounds({"a": Clock("a"), "b": Clock("b")}, 8, Effort(seconds=2.0, rounds=4, least=10))
        assert [name for name, *_ in calls] == ["a", "b"] * 4
        assert set(calls) == {("a", 8, 0.5, 3), ("b", 8, 0.5, 3)}
        assert [len(row) for row in bursts.values()] == [4, 4]

    @pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
    def test_effort_refuses_no_time(self, seconds):
        with pytest.raises(UsageError):
            Effort(seconds=seconds)


class TestMachine:
    def test_this_one_is_described(self):
        machine = describe_machine()
        assert 1 <= machine.cores <= machine.hardware_threads == len(os.sched_getaffinity(0))
        assert machine.memory_bytes > 10**8
        assert machine.versions["NumPy"] == np.__version__
        assert machine.processor in machine.describe()
        assert json.loads(json.dumps(machine.to_dict())) == machine.to_dict()

    def test_processor_and_instruction_sets_come_from_cpuinfo(self, monkeypatch, tmp_path):
        path = tmp_path / "cpuinfo"
        path.write_text("model name\t: Fast 9000\nflags\t\t: fpu avx2 avx512f amx_bf16\n\nmodel name\t: other\n")
        monkeypatch.setattr(machine_module, "_CPUINFO", path)
        machine = describe_machine()
        assert machine.processor == "Fast 9000"
        assert machine.instruction_sets == ("AVX2", "AVX-512", "AMX BF16")

    def test_a_machine_without_proc_still_has_a_name(self, monkeypatch, tmp_path):
        monkeypatch.setattr(machine_module, "_CPUINFO", tmp_path / "absent")
        monkeypatch.setattr(machine_module, "_TOPOLOGY", str(tmp_path / "{}"))
        machine = describe_machine()
        assert machine.processor
        assert machine.instruction_sets == ()
        assert machine.cores == machine.hardware_threads

    def test_two_threads_of_a_core_count_once(self, monkeypatch, tmp_path):
        for i, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
            (tmp_path / str(i)).write_text(siblings)
        monkeypatch.setattr(machine_module, "_TOPOLOGY", str(tmp_path / "{}"))
        monkeypatch.setattr(machine_module, "_list_processors", lambda: [0, 1, 2, 3])
        machine = describe_machine()
        assert (machine.cores, machine.hardware_threads) == (2, 4)
        assert "2 cores (4 hardware threads)" in machine.describe()

    def test_a_busy_machine_is_said_to_be_busy(self):
        idle = replace(make_benchmark().machine, load=1.0)
        assert idle.warning == ""
        assert "load average 1.1 on 4 cores" in replace(idle, load=1.1).warning

    def test_networks_that_had_half_a_core_are_warned_of(self):
        speeds = make_benchmark()
        assert speeds.warnings == ()
        run = replace(speeds.models[0].runs[0], timing=make_timing(cores=0.5))
        starved = replace(speeds, models=(replace(speeds.models[0], runs=(run,)),))
        assert "had 50 % of the core" in starved.warnings[0]


class TestRecords:
    def test_rates_follow_from_the_median(self):
        speeds = make_benchmark()
        one, batch, _, parallel = speeds.models[0].runs
        assert one.faces_per_s == pytest.approx(250)
        assert batch.faces_per_s == pytest.approx(320)
        assert one.gflops(267_000_000) == pytest.approx(66.75)
        assert speeds.share_of_peak(one, 267_000_000) == pytest.approx(0.6675)
        assert speeds.share_of_peak(parallel, 267_000_000) == pytest.approx(267.0 / 400)
        assert speeds.models[0].one_face is one

    def test_json_says_the_same_when_read_back(self):
        table = make_benchmark().to_dict()
        assert json.loads(json.dumps(table, allow_nan=False)) == table
        assert table["schema"] == "fervid-benchmark/1"
        model = table["models"][0]
        assert model["multiply_adds"] == 133_500_000
        assert model["network"][0]["share_of_peak"] == 0.6675
        assert model["network"][1] == {
            "batch": 32,
            "threads": 1,
            "faces_per_s": 320.0,
            "runs": 500,
            "p50_ms": 100.0,
            "p95_ms": 150.0,
            "cores_busy": 1.0,
            "gflops": 85.44,
            "share_of_peak": 0.8544,
        }
        assert table["detectors"][1] == {"name": "yunet", "reason": "not here. Get it."}
        assert table["side_by_side"][1]["ratio"] == 2.0

    def test_a_file_without_a_layer_table_has_no_operations(self):
        speeds = make_benchmark()
        bare = replace(speeds, models=(replace(speeds.models[0], flops=None, parameters=None),))
        assert bare.to_dict()["models"][0]["multiply_adds"] is None
        assert "share_of_peak" not in bare.to_dict()["models"][0]["network"][0]
        assert tabulate(bare)[1].rows[0][-2:] == ("", "")


class TestSheets:
    def test_every_row_has_a_word_per_heading(self):
        sheets = tabulate(make_benchmark())
        assert len({sheet.title for sheet in sheets}) == len(sheets) == 6
        for sheet in sheets:
            assert sheet.rows
            assert all(len(row) == len(sheet.headings) for row in sheet.rows)

    def test_what_was_left_out_is_said(self):
        steps, contenders = tabulate(make_benchmark())[2:4]
        assert len(steps.rows) == 2
        assert steps.note.endswith("yunet was left out: not here. Get it.")
        assert len(contenders.rows) == 2
        assert "deepface: not installed: skipped." in contenders.note
        assert "fer 25.10 kept 2.5 cores busy" in contenders.note
        assert "base happy, fer happy" in contenders.note

    def test_a_page_has_a_date_the_machine_and_every_figure(self):
        speeds = make_benchmark()
        page = format_page(speeds, "fervid benchmark --peers")
        assert page.startswith("# 2026-11-21\n\n`fervid benchmark --peers` at 10:30, load average 0.00 before it.\n")
        assert "Test One, 4 cores (8 hardware threads), AVX2, 16 GB" in page
        for sheet in tabulate(speeds):
            assert f"\n## {sheet.title}\n" in page
            for row in sheet.rows:
                assert f"| {' | '.join(row)} |" in page
        assert page.endswith("\n")

    def test_a_page_of_a_busy_machine_warns(self):
        speeds = make_benchmark()
        busy = replace(speeds, machine=replace(speeds.machine, load=3.0))
        assert "**This machine is not idle" in format_page(busy, "x")
        assert "**" not in format_page(speeds, "x")

    def test_numbers_keep_three_digits(self):
        assert [format_ms(v) for v in (0.0123, 0.5, 3.844, 41.52, 123.4, 1204.2)] == [
            "0.012", "0.500", "3.84", "41.5", "123", "1,204",
        ]  # fmt: skip
        assert [format_size(v) for v in (0, 5_430_000, 118_400_000)] == ["", "5.43 MB", "118 MB"]
