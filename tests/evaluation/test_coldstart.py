"""Cold start: the commands of fresh processes, whose models they name, and what the environment takes on disk."""

import os
import sys
from pathlib import Path

import pytest

from fervid.errors import ModelError
from fervid.evaluation.speed.benchmark import read_facts
from fervid.evaluation.speed.coldstart import measure_environment, plan_commands, time_process


def test_commands_name_the_model_and_the_detector(six_labels):
    facts = read_facts(["base", str(six_labels)])
    commands = plan_commands(facts, Path("photo.jpg"), "haar")
    assert [model for _, model, _ in commands] == ["", "", *["base"] * 3, *[facts[1].name] * 3]
    assert commands[0][2] == [sys.executable, "-c", "pass"]
    command = commands[-1][2]
    assert command[1:4] == ["-m", "fervid", "image"]
    assert {"photo.jpg", str(six_labels), "haar"} < set(command)
    assert command[-2:] == ["--labels", "6"]


def test_two_models_of_one_name_are_told_apart_as_everywhere(six_labels, tmp_path):
    other = tmp_path / "base.onnx"
    other.write_bytes(six_labels.read_bytes())
    facts = read_facts(["base", str(other)])
    steps = plan_commands(facts, Path("photo.jpg"), "haar")[2:]
    assert [model for _, model, _ in steps] == [fact.identity for fact in facts for _ in range(3)]


def test_a_network_of_six_labels_reads_its_first_photo(six_labels, portrait, monkeypatch):
    *_, by_python, _ = plan_commands(read_facts([str(six_labels)]), portrait, "faces")
    script, *arguments = by_python[2][2:]
    monkeypatch.setattr(sys, "argv", ["-c", *arguments])
    exec(script, {})


def test_a_process_that_fails_says_what_it_said():
    with pytest.raises(ModelError, match=r"try: a fresh process failed \(no\)"):
        time_process("try", [sys.executable, "-c", "import sys; sys.exit('no')"])


def test_the_environment_is_measured_where_there_is_one(monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", "elsewhere")
    size = (tmp_path / "file").stat().st_blocks * 512
    assert measure_environment() == size
    monkeypatch.setattr(os, "walk", lambda folder: [(folder, [], ["file", "link", "gone"])])  # since it was listed
    assert measure_environment() == size
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    assert measure_environment() is None
