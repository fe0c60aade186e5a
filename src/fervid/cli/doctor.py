"""``fervid doctor``: is this installation sound, and what can it do?"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator
from typing import Final

import typer

from fervid.cli.options import JsonOption
from fervid.cli.terminal import ERROR, stdout, write_output
from fervid.extras import find_version
from fervid.wording import count_nouns

RUNTIME: Final = ("numpy", "onnxruntime", "pillow", "matplotlib", "typer", "rich", "platformdirs")
_REPAIR: Final = "pip install --force-reinstall fervid"
_DATA: Final = ("pyarrow",)
_VIDEO: Final = ("av",)
_WEB: Final = (*_VIDEO, "alembic", "fastapi", "python-multipart", "segno", "sqlalchemy", "uvicorn", "websockets")
EXTRAS: Final = {
    "haar": ("opencv-python-headless",),
    "data": _DATA,
    "pandas": ("pandas",),
    "supervision": ("supervision",),
    "video": _VIDEO,
    "camera": (*_VIDEO, "pysdl2", "pysdl2-dll"),
    "train": (*_DATA, "torch", "onnx"),
    "web": _WEB,
    "postgres": (*_WEB, "psycopg"),
    "redis": (*_WEB, "redis"),
    "batch": (*_DATA, *_VIDEO, "duckdb", "fsspec", "ray"),
}
"""What each extra of ``pyproject.toml`` brings, those of other extras in it included; tools for developers aside."""


def doctor(
    json_file: JsonOption = None,
) -> None:
    """Check the installation: versions, models, detectors, extras, and a real picture end to end."""
    import json

    rows = [{"check": check, "state": state, "detail": detail} for check, state, detail in run_checks()]
    broken = any(row["state"] == "broken" for row in rows)
    if json_file is not None:
        write_output(json_file, json.dumps({"ok": not broken, "checks": rows}, indent=2, ensure_ascii=False) + "\n")
    if json_file != "-":
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("check", "state", "detail"):
            table.add_column(heading, overflow="fold")
        colours = {"ok": "green", "absent": "yellow", "broken": "bold red"}
        for row in rows:
            state = row["state"]
            table.add_row(escape(row["check"]), f"[{colours[state]}]{state}[/]", escape(row["detail"]))
        stdout().print(table)
        stdout().print("Something is broken; see above." if broken else "Everything needed works.")
    if broken:
        raise typer.Exit(ERROR)


def run_checks() -> Iterator[tuple[str, str, str]]:
    """(check, state, detail), where the state is ``ok``, ``absent`` (optional and not there) or ``broken``."""
    import fervid

    yield "fervid", "ok", fervid.__version__
    supported = sys.version_info[:2] >= (3, 11)
    yield "python", "ok" if supported else "broken", f"{platform.python_version()} on {platform.platform()}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield "processor", "ok", f"{count_nouns(cores, 'core')}, {platform.machine()}"
    for package in RUNTIME:
        yield _check_package(package)
    for extra, packages in EXTRAS.items():
        versions = {package: find_version(package) for package in packages}
        missing = [package for package, version in versions.items() if version is None]
        detail = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
        advice = f'pip install "fervid[{extra}]"'
        yield f"extra [{extra}]", "absent" if missing else "ok", advice if missing else detail
    yield from _check_models()
    yield _check_detector()
    yield _check_analysis()


def _check_package(package: str) -> tuple[str, str, str]:
    version = find_version(package)
    if version is None:
        return package, "broken", f"not installed: {_REPAIR}"
    try:
        importlib.import_module("PIL" if package == "pillow" else package)
    except (ImportError, OSError) as error:  # its files may be there, and a library of the system that they need not
        return package, "broken", f"{version} cannot be imported ({error}): {_REPAIR}"
    return package, "ok", version


def _check_models() -> Iterator[tuple[str, str, str]]:
    from fervid.errors import FervidError
    from fervid.models.store import list_published, locate, read_checked

    for published in list_published():
        path = locate(published)
        if path is None:
            yield f"model {published.name}", "absent", f"fervid models pull {published.name}"
            continue
        try:
            read_checked(published, path)
            yield f"model {published.name}", "ok", str(path)
        except FervidError as error:
            yield f"model {published.name}", "broken", str(error)


def _check_detector() -> tuple[str, str, str]:
    """What ``--detector auto`` stands for."""
    from fervid.errors import FervidError

    try:
        from fervid.detection.selection import choose_detector

        return "detector auto", "ok", choose_detector()
    except (FervidError, ImportError, OSError) as error:
        return "detector auto", "broken", str(error)


def _check_analysis() -> tuple[str, str, str]:
    """Read the demo's portrait."""
    from fervid.errors import FervidError

    try:
        from fervid.pipeline import Analyzer
        from fervid.portrait import find_portrait

        analysis = Analyzer().analyze(find_portrait())
    except (FervidError, ImportError, OSError) as error:
        return "a portrait", "broken", str(error)
    if len(analysis.faces) != 1:
        return "a portrait", "broken", f"{analysis.detector} found {len(analysis.faces)} faces instead of 1"
    face = analysis.faces[0]
    total = sum(analysis.timings_ms.values())
    expression = face.emotion or "uncertain"
    return "a portrait", "ok", f"1 face, {expression}, {face.confidence:.0%}, {total:.0f} ms with {analysis.detector}"
