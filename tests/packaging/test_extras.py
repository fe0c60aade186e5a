"""Each extra brings what the code behind it imports; without it, that code says which pip line is missing."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

import fervid

SOURCES = Path(fervid.__file__).parent
ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

OFFERED = {
    "detection/haar.py": ["haar"],
    "datasets": ["data"],
    "sinks/parquet.py": ["data"],
    "sinks/table.py": ["pandas"],
    "exchange.py": ["pandas", "supervision"],
    "results.py": ["pandas", "supervision"],
    "video": ["video"],
    "live": ["camera"],
    "training": ["train"],
    "web": ["web", "postgres", "redis"],
    "batch": ["batch"],
    "compat/sklearn.py": ["dev"],  # fits scikit-learn where it is; nothing is missing without it
    "cli": ["data", "video", "camera", "train", "web", "batch", "haar"],
}
"""The extras that a part of the package may use; every part may use what everybody has."""


def close(requirements: Iterable[str], extras: Iterable[str] = ()) -> set[str]:
    """The distributions that pip installs for requirements, by their metadata here."""
    found: set[str] = set()
    waiting = [(Requirement(text), frozenset(extras)) for text in requirements]
    while waiting:
        requirement, chosen = waiting.pop()
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in ("", *chosen)):
            continue
        name = canonicalize_name(requirement.name)
        if name == "fervid":
            waiting += [(Requirement(text), frozenset()) for extra in requirement.extras for text in EXTRAS[extra]]
            continue
        if name in found and not requirement.extras:
            continue
        found.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed here: pip install 'fervid[dev]'")
        waiting += [(Requirement(text), frozenset(requirement.extras)) for text in needs]
    return found


def list_imports(path: Path) -> Iterator[str]:
    """Top-level names of the packages that a module imports when it runs, wherever in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_import_is_of_something_that_is_installed_for_it() -> None:
    homes = metadata.packages_distributions()
    for_all = close(PROJECT["dependencies"])
    brought = {extra: close(EXTRAS[extra]) for extra in EXTRAS if extra != "docs"}
    seen, wrong = set(), []
    for path in sorted(SOURCES.rglob("*.py")):
        place = path.relative_to(SOURCES).as_posix()
        extras = {e for part, names in OFFERED.items() if place == part or place.startswith(f"{part}/") for e in names}
        allowed = for_all.union(*(brought[extra] for extra in extras))
        for name in set(list_imports(path)) - set(sys.stdlib_module_names) - {"fervid"}:
            seen.add(name)
            distributions = {canonicalize_name(home) for home in homes.get(name, [])}
            if not distributions & allowed:
                wrong.append(f"{place} imports {name}")
    assert wrong == []
    assert {"numpy", "torch", "fastapi", "ray", "av", "pyarrow"} <= seen


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"dev", "docs"}))
def test_every_extra_brings_something_that_not_everybody_has(extra: str) -> None:
    assert close(EXTRAS[extra]) - close(PROJECT["dependencies"])


CALLS = {
    "haar": ("cv2", "fervid.Analyzer(detector='haar')"),
    "data": ("pyarrow", "__import__('fervid.datasets.parquet').datasets.parquet.read_faces('faces.parquet')"),
    "pandas": ("pandas", "fervid.to_pandas([])"),
    "supervision": ("supervision", "fervid.Analysis((), (9, 9), 'm', 'd').to_supervision()"),
    "video": ("av", "list(fervid.VideoReader('film.mp4'))"),
    "camera": ("sdl2", "run('camera')"),
    "train": ("torch", "run('train', 'recipe.toml', '--data', 'faces.parquet')"),
    "web": ("fastapi", "run('serve')"),
    "batch": ("ray", "run('batch', 'run', 'photos', '--out', 'out', '--engine', 'ray')"),
}
"""Of each extra a module that it brings, and what needs it."""


@pytest.mark.parametrize("extra", sorted(CALLS))
def test_without_an_extra_the_error_has_the_pip_line(extra: str, tmp_path: Path) -> None:
    module, call = CALLS[extra]
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (48, 48)).save(tmp_path / "photos" / "a.png")
    code = f"""
    import importlib.abc, importlib.util, sys

    class Absent(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == {module!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    find = importlib.util.find_spec
    sys.meta_path.insert(0, Absent())
    importlib.util.find_spec = lambda name, *rest: None if name.partition(".")[0] == {module!r} else find(name, *rest)

    import fervid

    def run(*arguments):
        from typer.testing import CliRunner
        from fervid.cli.app import app
        result = CliRunner().invoke(app, list(arguments))
        raise result.exception

    try:
        {call}
    except fervid.MissingExtraError as error:
        print(error.code, error.advice)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f'extra Run: pip install "fervid[{extra}]"'
