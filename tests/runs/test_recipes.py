"""The scripts in runs/ train what they say: each step has what it begins from, and none writes over another's files."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from fervid.cli.app import app
from fervid.cli.train import RUNS
from fervid.models.store import list_bundled

ROOT = Path(__file__).parents[2]
VERBS = get_command(app).commands  # type: ignore[attr-defined]
SCRIPTS = sorted((ROOT / "runs").glob("*.sh"))


def read_steps(script: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Verb and parameters of each line that is fervid's; a line that fervid would not understand raises."""
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        if line.startswith("fervid "):
            verb, *words = shlex.split(line.replace("$1", "faces.parquet"), comments=True)[1:]
            yield verb, VERBS[verb].make_context(verb, words).params


def find_faults(script: str) -> list[str]:
    """What steps lack, and what they write over."""
    faults: list[str] = []
    made: set[str] = set()
    installed = {entry.name for entry in list_bundled()}
    for verb, parameters in read_steps(script):
        if verb == "train":
            recipe = parameters["config"]
            if not (ROOT / recipe).is_file():
                faults.append(f"there is no {recipe}")
                continue
            table = tomllib.loads((ROOT / recipe).read_text(encoding="utf-8"))
            begun = table.get("initial_weights", [])
            needed = [begun] if isinstance(begun, str) else begun
            faults += [
                f"{recipe} has no teacher {teacher}"
                for teacher in table.get("distillation", {}).get("teachers", [])
                if not teacher.startswith("runs/") or not (ROOT / teacher / "teacher.json").is_file()
            ]
            folder, where = (RUNS / table["name"]).as_posix(), recipe
            written = [folder, f"{folder}/weights.pt", f"{folder}/{table['name']}.onnx"]
        elif verb == "export":
            needed, written, where = parameters["runs"], [parameters["output"]], "the export"
        else:
            needed, written, where = [*parameters["models"], *parameters["detector"]], [], "the evaluation"
        needed = [str(path) for path in needed]
        faults += [f"{where} lacks {path}" for path in needed if path not in made | installed]
        faults += [f"{where} writes over {path}" for path in map(str, written) if path in made]
        made |= set(map(str, written))
    return faults


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_step_has_what_it_begins_from(script: Path) -> None:
    assert find_faults(script.read_text(encoding="utf-8")) == []


def test_every_recipe_is_a_step_of_one_script() -> None:
    trained = [
        Path(parameters["config"]).name
        for script in SCRIPTS
        for verb, parameters in read_steps(script.read_text(encoding="utf-8"))
        if verb == "train"
    ]
    assert sorted(trained) == sorted(path.name for path in (ROOT / "runs").glob("*.toml"))


def test_this_test_can_fail() -> None:
    first, second = ("fervid train runs/base-2.toml --data $1", "fervid train runs/base-3.toml --data $1")
    assert find_faults(f"{first}\n{second}\n") == []
    assert find_faults(f"{second}\n{first}\n") == ["runs/base-3.toml lacks training-runs/base-2"]
    assert find_faults("fervid train runs/none.toml --data $1") == ["there is no runs/none.toml"]
    assert find_faults(
        f"{first}\nfervid export training-runs/base-2 \\\n  --data $1 -o training-runs/base-2/base-2.onnx"
    ) == ["the export writes over training-runs/base-2/base-2.onnx"]
    assert find_faults("fervid evaluate --detector faces --detector training-runs/faces --data $1") == [
        "the evaluation lacks training-runs/faces"
    ]
    with pytest.raises(Exception, match="No such option: --nonsense"):
        find_faults(f"{first} --nonsense")
    with pytest.raises(Exception, match="Missing parameter: data"):
        find_faults("fervid train runs/base-2.toml")
