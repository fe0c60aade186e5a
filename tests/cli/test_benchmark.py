"""``fervid benchmark`` from the parsed line to tables, JSON and page; one real run, of milliseconds per figure."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from fervid.cli.app import app
from fervid.cli.benchmark import describe_command
from fervid.evaluation.speed import benchmark as measuring
from fervid.evaluation.speed.benchmark import run_benchmark
from fervid.evaluation.speed.machine import describe_machine
from fervid.evaluation.speed.rounds import QUICK, Effort
from fervid.models.store import load_model

runner = CliRunner(env={"COLUMNS": "140", "NO_COLOR": "1"})


@pytest.fixture(scope="module")
def measured():
    """What a real run found, and the progress it told."""
    steps = []
    effort = Effort(seconds=0.002, rounds=1, least=1, batches=(1, 2), processes=1, warm_up=False)
    machine = replace(describe_machine(), load=0.0)
    return run_benchmark(["base"], effort, machine=machine, on_progress=lambda *step: steps.append(step)), steps


@pytest.fixture
def asked(measured, monkeypatch):
    """What the verb asked for; the answer is the run that was made once."""
    requests = []

    def answer(models, effort, **others):
        requests.append((tuple(models), effort, others["peers"]))
        others["on_progress"](1, 2)
        return measured[0]

    monkeypatch.setattr(measuring, "run_benchmark", answer)
    return requests


def test_a_run_measures_everything_and_counts_its_steps(measured):
    found, steps = measured
    total = steps[0][1]
    assert steps == [(i, total) for i in range(1, total + 1)]
    threads = sorted({1, found.machine.cores})
    assert [peak.threads for peak in found.peaks] == threads
    (model,) = found.models
    assert model.identity == load_model("base").identity
    assert [(run.threads, run.batch) for run in model.runs] == [(t, b) for t in threads for b in (1, 2)]
    assert all(run.timing.runs >= 1 and run.faces_per_s > 0 for run in model.runs)
    assert 0 < model.peak_bytes[0] <= model.peak_bytes[1]
    assert {detector.name for detector in found.detectors} >= {"haar"}
    assert [d.faces for d in found.detectors if d.name == "haar"] == [1] * len(threads)
    assert [step.model for step in found.cold_start.steps] == ["", "", "base", "base", "base"]
    (base,) = found.contenders
    assert (base.name, base.ratio) == ("base", 1.0)


def test_tables_name_the_machine_and_the_model(asked, measured):
    done = runner.invoke(app, ["benchmark"])
    assert done.exit_code == 0, done.output
    assert asked == [((), Effort(), False)]
    for text in (
        measured[0].machine.processor,
        load_model("base").identity,
        "faces/s",
        "Cold start",
        "p95 ms",
        "of peak",
    ):
        assert text in done.stdout


def test_eighty_columns_suffice(asked):
    done = runner.invoke(app, ["benchmark"], env={"COLUMNS": "80"})
    rows = [line for line in done.stdout.splitlines() if re.match(r"(base|threads|model|─)", line)]
    assert len(rows) > 10
    assert max(map(len, rows)) <= 80


def test_json_is_the_records(asked, measured):
    done = runner.invoke(app, ["benchmark", "--json", "--quick", "--peers", "--model", "base", "--model", "x.onnx"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == measured[0].to_dict()
    assert asked == [(("base", "x.onnx"), QUICK, True)]


def test_a_page_is_saved_beside_the_tables(asked, tmp_path):
    path = tmp_path / "new" / "page.md"
    done = runner.invoke(app, ["benchmark", "--seconds", "0.5", "-o", str(path)])
    assert done.exit_code == 0, done.output
    assert asked[0][1] == Effort(seconds=0.5)
    assert f"saved {path}" in done.stderr
    assert "Cold start" in done.stdout
    page = path.read_text()
    assert page.startswith("# 20")
    assert "`fervid benchmark --seconds 0.5`" in page


def test_a_page_on_stdout_stands_alone(asked):
    done = runner.invoke(app, ["benchmark", "-o", "-"])
    assert done.stdout.startswith("# 20")
    assert done.stdout.count("Cold start") == 1


def test_an_interrupted_run_leaves_no_page(monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "run_benchmark", interrupt)
    done = runner.invoke(app, ["benchmark", "-o", str(tmp_path / "page.md")])
    assert done.exit_code == 130
    assert list(tmp_path.iterdir()) == []


def test_a_busy_machine_is_warned_of_before_anything_runs(asked, monkeypatch):
    busy = replace(describe_machine(), load=99.0)
    monkeypatch.setattr("fervid.evaluation.speed.machine.describe_machine", lambda: busy)
    done = runner.invoke(app, ["benchmark", "--json"])
    assert "warning: This machine is not idle: load average 99.0" in done.stderr
    json.loads(done.stdout)


def test_nonsense_is_refused():
    for line in (["--model", "absent"], ["--seconds", "0"]):
        done = subprocess.run([sys.executable, "-m", "fervid", "benchmark", *line], capture_output=True, text=True)
        assert done.returncode in (1, 2)
        assert done.stdout == ""
        assert "error (" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_command_measures_the_same_again():
    assert describe_command([], None, False, False) == "fervid benchmark"
    line = describe_command(["a b.onnx"], 0.5, True, True)
    assert line == "fervid benchmark --model 'a b.onnx' --quick --peers --seconds 0.5"
