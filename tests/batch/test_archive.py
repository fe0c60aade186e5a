"""The whole promise, small: photos and films, some corrupt; a worker dies, the driver dies, the rows are the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

for module in ("duckdb", "av"):
    pytest.importorskip(module)

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "batch_archive.py"


@pytest.mark.slow
@pytest.mark.skipif(not SCRIPT.exists(), reason="benchmarks are not part of a source distribution")
def test_an_archive_survives_dead_workers_and_drivers(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--inputs", "200", "--chunk", "10", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"worker \d+ killed after \d+ of 21 parts", done.stdout)
    assert re.search(r"driver \d+ killed after \d+ of 21 parts", done.stdout)
    assert "were done before" in done.stdout
    assert "{'faces': 0, 'inputs': 0, 'failures': 0}" in done.stdout
    assert "\nall,,200,2," in done.stdout
    assert "<h2>Failures</h2>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len((tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()) > 20
