"""``fervid benchmark`` from the parsed line to tables, JSON and page; one real run, of milliseconds per figure."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from fervid.cli.app import app
from fervid.cli.benchmark import describe_command
from fervid.detection.selection import DETECTORS
from fervid.errors import OutputError, UsageError
from fervid.evaluation.speed import benchmark as measuring
from fervid.evaluation.speed import coldstart, searches
from fervid.evaluation.speed.benchmark import run_benchmark
from fervid.evaluation.speed.machine import describe_machine
from fervid.evaluation.speed.rounds import QUICK, Effort
from fervid.evaluation.speed.timing import Burst
from fervid.models.store import load_model

runner = CliRunner(env={"COLUMNS": "140", "NO_COLOR": "1"})


EFFORT = Effort(seconds=0.002, rounds=1, least=1, batches=(1, 2), processes=1, warm_up=False)


@pytest.fixture(scope="module")
def measured():
    """What a real run found, with one thread and one detector, and the progress it told: a dozen processes."""
    steps = []
    machine = replace(describe_machine(), load=0.0, cores=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "DETECTORS", ("auto", "haar"))
        return run_benchmark(["base"], EFFORT, machine=machine, on_progress=lambda *step: steps.append(step)), steps


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
    assert [peak.threads for peak in found.peaks] == [1]
    (model,) = found.models
    assert model.identity == load_model("base").identity
    assert [(run.threads, run.batch) for run in model.runs] == [(1, 1), (1, 2)]
    assert all(run.timing.runs >= 1 and run.faces_per_s > 0 for run in model.runs)
    assert 0 < model.peak_bytes[0] <= model.peak_bytes[1]
    assert [(d.name, d.threads, d.faces) for d in found.detectors] == [("haar", 1, 1)]
    assert [step.model for step in found.cold_start.steps] == ["", "", "base", "base", "base"]
    (base,) = found.contenders
    assert (base.name, base.ratio) == ("base", 1.0)


def test_every_number_of_threads_is_measured_for_every_model_and_detector(monkeypatch):
    class InstantWorker:
        """Answers at once."""

        answer, load_ms, first_ms, first_peak_bytes, peak_bytes = 1, 1.0, 1.0, 10**6, 10**6

        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def time(self, _batch, _seconds, least):
            return Burst((0.001,) * least, 0.001 * least)

    for module in (measuring, searches):
        monkeypatch.setattr(module, "Worker", InstantWorker)
    monkeypatch.setattr(coldstart, "time_process", lambda *_: 0.1)
    steps = []
    found = run_benchmark(
        ["base", "small"],
        EFFORT,
        machine=replace(describe_machine(), cores=4),
        on_progress=lambda *step: steps.append(step),
    )
    assert [peak.threads for peak in found.peaks] == [1, 4]
    for model in found.models:
        assert [(run.threads, run.batch) for run in model.runs] == [(1, 1), (1, 2), (4, 1), (4, 2)]
    assert [(d.name, d.threads) for d in found.detectors] == [(n, t) for n in DETECTORS if n != "auto" for t in (1, 4)]
    assert [(contender.name, contender.ratio) for contender in found.contenders] == [("base", 1.0), ("small", 1.0)]
    assert steps[-1][0] == len(steps) == steps[0][1]


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
    done = runner.invoke(
        app, ["benchmark", "--json", "-", "--quick", "--peers", "--model", "base", "--model", "x.onnx"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == measured[0].to_dict()
    assert asked == [(("base", "x.onnx"), QUICK, True)]


def test_tables_are_shown_beside_a_saved_json(asked, measured, tmp_path):
    path = tmp_path / "figures.json"
    done = runner.invoke(app, ["benchmark", "--json", str(path)])
    assert json.loads(path.read_text()) == measured[0].to_dict()
    assert "Cold start" in done.stdout


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--json", "-", "-o", "-"], "both --json and -o go to stdout"),
        (["--json", "r", "-o", "./r"], "both --json and -o go to ./r"),
        (["--model", "my.onnx", "--json", "my.onnx"], "my.onnx would be overwritten while it is read"),
        (["--model", "my.onnx", "-o", "./my.onnx"], "overwritten while it is read"),
        (["--json", ""], "--json is empty"),
    ],
)
def test_outputs_that_would_be_lost_are_refused_before_anything_runs(asked, monkeypatch, tmp_path, line, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.onnx").write_bytes(b"a model")
    done = runner.invoke(app, ["benchmark", *line])
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert asked == []
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("my.onnx", b"a model")]


@pytest.mark.parametrize("option", ["--json", "-o"])
def test_a_place_that_cannot_be_made_is_said_before_anything_runs(asked, tmp_path, option):
    (tmp_path / "file").write_text("in the way")
    done = runner.invoke(app, ["benchmark", option, str(tmp_path / "file" / "figures")])
    assert isinstance(done.exception, OutputError)
    assert (asked, done.stdout) == ([], "")


def test_an_output_that_cannot_be_written_loses_no_other(asked, measured, tmp_path):
    long, json_file, page = tmp_path / ("n" * 300), tmp_path / "figures.json", tmp_path / "page.md"
    done = runner.invoke(app, ["benchmark", "--json", str(long), "-o", str(page)])
    assert "File name too long" in str(done.exception)
    assert "Cold start" in done.stdout
    assert page.read_text().startswith("# 20")
    done = runner.invoke(app, ["benchmark", "--json", str(json_file), "-o", str(long)])
    assert "File name too long" in str(done.exception)
    assert json.loads(json_file.read_text()) == measured[0].to_dict()


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
    done = runner.invoke(app, ["benchmark", "--json", "-"])
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
    describe_command([os.fsdecode(b"m\xe9.onnx")], None, False, False).encode()
